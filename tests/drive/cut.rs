//! What the drive does with names and pages, what a sync covers, and what a cut leaves.

use std::collections::BTreeSet;

use rand::{Rng, RngExt};
use unicode_normalization::UnicodeNormalization as _;

use super::{BTreeMap, Change, Honesty, Node, OsStr, OsString, PAGE, Page, Spelling, State};

/// Bytes of a sector: what a drive writes at once.
const SECTOR: usize = 512;

impl State {
    /// Counts one change or sync; `false`: the power is off.
    pub(crate) fn powered(&mut self) -> bool {
        self.off |= self.cut_at == Some(self.operations);
        self.operations += u64::from(!self.off);
        self.ticks += 1;
        !self.off
    }

    /// What a name in a folder leads to.
    pub(crate) fn lookup(&self, folder: u64, name: &OsStr) -> Option<u64> {
        let names = self.live.get(&folder)?.names.as_ref()?;
        names.get(&self.spelled(name)).copied()
    }

    /// A name as the drive keeps it.
    fn spelled(&self, name: &OsStr) -> OsString {
        match name.to_str() {
            Some(name) if self.faults.spelling == Spelling::Folded => {
                let apart: String = name.nfd().collect();
                apart.to_lowercase().nfd().collect::<String>().into()
            }
            _ => name.to_owned(),
        }
    }

    /// Makes a file or, with `names`, a folder.
    pub(crate) fn make(
        &mut self,
        folder: u64,
        name: &OsStr,
        names: Option<BTreeMap<OsString, u64>>,
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        let node = Node {
            modified: self.ticks,
            changed: self.ticks,
            names,
            ..Node::default()
        };
        self.live.insert(number, node);
        self.change(vec![(folder, name.to_owned(), Some(number))]);
        number
    }

    /// Changes names, all of these or after a cut none of them.
    pub(crate) fn change(&mut self, steps: Vec<(u64, OsString, Option<u64>)>) {
        let steps: Vec<_> = steps
            .into_iter()
            .map(|(folder, name, to)| (folder, self.spelled(&name), to))
            .collect();
        for (folder, name, to) in &steps {
            let names = self.live.get_mut(folder).and_then(|it| it.names.as_mut());
            let names = names.expect("names are changed in folders");
            let old = match to {
                Some(to) => names.insert(name.clone(), *to),
                None => names.remove(name),
            };
            for (node, more) in [(old, 0), (*to, 1)] {
                if let Some(node) = node.and_then(|node| self.live.get_mut(&node)) {
                    node.links = if more == 1 {
                        node.links + 1
                    } else {
                        node.links.saturating_sub(1)
                    };
                    node.changed = self.ticks;
                }
            }
        }
        self.pending.push(Change { steps });
    }

    /// Writes; holes are made up to there.
    pub(crate) fn write(&mut self, node: u64, offset: u64, data: &[u8]) {
        let ticks = self.ticks;
        let Some(node) = self.live.get_mut(&node) else {
            return;
        };
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let within = usize::try_from(at % PAGE as u64).expect("below a page");
            let part = rest.len().min(PAGE - within);
            let page = node.pages.entry(at / PAGE as u64);
            let page = page.or_insert_with(|| Page::new([0; PAGE]));
            let mut bytes = **page;
            bytes[within..within + part].copy_from_slice(&rest[..part]);
            *page = Page::new(bytes);
            rest = &rest[part..];
            at += part as u64;
        }
        node.size = node.size.max(at);
        (node.modified, node.changed) = (ticks, ticks);
    }

    /// Cuts or lengthens a file.
    pub(crate) fn resize(&mut self, node: u64, size: u64) {
        let ticks = self.ticks;
        let Some(node) = self.live.get_mut(&node) else {
            return;
        };
        node.pages.retain(|page, _| page * (PAGE as u64) < size);
        let within = usize::try_from(size % PAGE as u64).expect("below a page");
        if within > 0
            && let Some(page) = node.pages.get_mut(&(size / PAGE as u64))
        {
            let mut bytes = **page;
            bytes[within..].fill(0);
            *page = Page::new(bytes);
        }
        node.size = size;
        (node.modified, node.changed) = (ticks, ticks);
    }

    /// Reads what is there.
    pub fn read(&self, node: u64, offset: u64, length: usize) -> Vec<u8> {
        let Some(node) = self.live.get(&node) else {
            return Vec::new();
        };
        let left = usize::try_from(node.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let at = offset + index as u64;
            let within = usize::try_from(at % PAGE as u64).expect("below a page");
            *byte = node
                .pages
                .get(&(at / PAGE as u64))
                .map_or(0, |page| page[within]);
        }
        bytes
    }
}

impl State {
    /// `fsync` of a file; with `times` also its times, without `fdatasync`.
    pub(crate) fn sync_file(&mut self, node: u64, times: Times) {
        let Some(live) = self
            .live
            .get(&node)
            .filter(|_| self.honesty == Honesty::Honest)
        else {
            return;
        };
        let durable = self.durable.entry(node).or_default();
        durable.pages.clone_from(&live.pages);
        durable.size = live.size;
        if times == Times::Too {
            (durable.modified, durable.changed) = (live.modified, live.changed);
        }
    }

    /// `fsync` of a folder: what was done with names in it.
    pub(crate) fn sync_folder(&mut self, folder: u64) {
        if self.honesty == Honesty::Liar {
            return;
        }
        let here = |change: &Change| change.steps.iter().any(|(at, _, _)| *at == folder);
        let (synced, rest) = self.pending.drain(..).partition(here);
        self.pending = rest;
        self.keep(synced);
    }

    /// Makes changes of names durable. What is in a folder that is not durable itself is kept for when it is.
    fn keep(&mut self, changes: Vec<Change>) {
        for (folder, name, to) in changes.into_iter().flat_map(|change| change.steps) {
            let names = self.durable.entry(folder).or_default();
            let names = names.names.get_or_insert_default();
            match to {
                Some(to) => names.insert(name, to),
                None => names.remove(&name),
            };
        }
    }

    /// The power is off: a random part of what was not synced is there, and everything that was. Then it is on again.
    pub fn cut(&mut self, random: &mut impl Rng) {
        let chance = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
        let pending = std::mem::take(&mut self.pending);
        let kept = pending.into_iter().filter(|_| random.random_bool(chance));
        let kept: Vec<Change> = kept.collect();
        self.keep(kept);
        let live = std::mem::take(&mut self.live);
        let mut after = BTreeMap::new();
        for (number, now) in live {
            let was = self.durable.get(&number).cloned().unwrap_or_default();
            after.insert(number, remains(&was, &now, chance, random));
        }
        self.live = after;
        self.forget_lost();
        self.durable.clone_from(&self.live);
        (self.off, self.cut_at) = (false, None);
    }

    /// Leaves what can be reached from the root, and counts names.
    fn forget_lost(&mut self) {
        let (mut links, mut folders, mut seen) =
            (BTreeMap::new(), vec![super::ROOT], BTreeSet::new());
        while let Some(folder) = folders.pop() {
            seen.insert(folder);
            let names = self.live.get(&folder).and_then(|it| it.names.clone());
            for node in names.into_iter().flatten().map(|(_, node)| node) {
                *links.entry(node).or_insert(0) += 1;
                let is_folder = self.live.get(&node).is_some_and(|it| it.names.is_some());
                if is_folder && !seen.contains(&node) {
                    folders.push(node);
                }
            }
        }
        self.live.retain(|number, node| {
            node.links = links.get(number).copied().unwrap_or(0);
            *number == super::ROOT || node.links > 0
        });
    }
}

/// Whether a sync covers a file's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// `fsync`.
    Too,
    /// `fdatasync`.
    Not,
}

/// What a cut leaves of a file or folder.
fn remains(was: &Node, now: &Node, chance: f64, random: &mut impl Rng) -> Node {
    if now.names.is_some() {
        return Node {
            names: Some(was.names.clone().unwrap_or_default()),
            modified: was.modified,
            changed: was.changed,
            ..Node::default()
        };
    }
    let mut left = was.clone();
    for (index, page) in &now.pages {
        let old = was.pages.get(index);
        if old.is_some_and(|old| Page::ptr_eq(old, page)) || !random.random_bool(chance) {
            continue;
        }
        let mut bytes = **page;
        if random.random_bool(0.1) {
            let torn = random.random_range(1..PAGE / SECTOR) * SECTOR;
            let before = old.map_or([0; PAGE], |old| **old);
            bytes[torn..].copy_from_slice(&before[torn..]);
        }
        left.pages.insert(*index, Page::new(bytes));
    }
    if random.random_bool(chance) {
        left.size = now.size;
    }
    if random.random_bool(chance) {
        (left.modified, left.changed) = (now.modified, now.changed);
    }
    let size = left.size;
    left.pages.retain(|page, _| page * (PAGE as u64) < size);
    left
}
