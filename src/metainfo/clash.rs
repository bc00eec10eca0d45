//! Two files with one name (reliability.md C10): the later one gets another.
//!
//! Torrents made on a system where `A` and `a` are two files are legal, and so are those whose names become equal only
//! by being tidied, and those with `é` once as one character and once as two, which are one file for APFS and for ext4
//! with folded case. Invariant: afterwards no two data files have the same path when neither case nor Unicode
//! normalisation counts, and none lies where another needs a folder; the first of two keeps its name, spelled as it is
//! in the torrent; the same torrent always gives the same names. Padding is never written and stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use super::file::FileEntry;
use super::path::{FilePath, MAX_COMPONENT, MAX_EXTENSION};

/// A path as a file system sees it that tells neither case nor normalisation apart.
type Folded = Vec<String>;

/// Gives new names to those that meet another file.
pub(super) fn settle(files: &mut [FileEntry]) {
    if !meet(
        files
            .iter()
            .filter(|file| file.is_data())
            .map(|file| &file.path),
    ) {
        return;
    }
    let mut names = Names::default();
    for file in files.iter_mut().filter(|file| file.is_data()) {
        file.path = names.place(&file.path);
    }
}

/// Whether any two are the same, or one lies inside another. Sorted by component, whatever starts with a path follows
/// it directly, so neighbours are enough: of hundred thousand files nothing is kept but this list.
pub(super) fn meet<'a>(paths: impl IntoIterator<Item = &'a FilePath>) -> bool {
    let mut folded: Vec<Folded> = paths
        .into_iter()
        .map(|path| path.components().iter().map(|name| fold(name)).collect())
        .collect();
    folded.sort_unstable();
    folded
        .iter()
        .zip(folded.iter().skip(1))
        .any(|(a, b)| b.starts_with(a))
}

/// Canonical caseless matching (Unicode 3.13, D145), with lower case in place of full folding: taken apart, folded, and taken
/// apart again, for lower case may bring new marks.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let apart: String = name.nfd().collect();
    apart.to_lowercase().nfd().collect()
}

/// The names given so far.
#[derive(Default)]
struct Names {
    files: BTreeSet<Folded>,
    folders: BTreeSet<Folded>,
    /// The number that a name gets next: a torrent of nothing but one name must not be searched from 2 each time.
    next: BTreeMap<Folded, u32>,
}

/// What a component is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Folder,
    File,
}

impl Names {
    fn place(&mut self, path: &FilePath) -> FilePath {
        let (mut placed, mut folded) = (Vec::new(), Folded::new());
        let last = path.components().len().saturating_sub(1);
        for (depth, name) in path.components().iter().enumerate() {
            let part = if depth == last {
                Part::File
            } else {
                Part::Folder
            };
            let name = self.choose(&mut folded, name, part);
            folded.push(fold(&name));
            placed.push(name);
            match part {
                Part::Folder => self.folders.insert(folded.clone()),
                Part::File => self.files.insert(folded.clone()),
            };
        }
        FilePath::of_tidy(placed)
    }

    /// A name below `folder` that is free for this.
    fn choose(&mut self, folder: &mut Folded, name: &str, part: Part) -> String {
        if self.is_free(folder, name, part) {
            return name.to_owned();
        }
        folder.push(fold(name));
        let key = folder.clone();
        folder.pop();
        // A folder's files stay together: the number that its first file found is tried again.
        let mut number = match part {
            Part::Folder => 2,
            Part::File => self.next.get(&key).copied().unwrap_or(2),
        };
        loop {
            let other = numbered(name, number);
            if self.is_free(folder, &other, part) {
                if part == Part::File {
                    self.next.insert(key, number);
                }
                return other;
            }
            number = number.saturating_add(1);
        }
    }

    fn is_free(&self, folder: &mut Folded, name: &str, part: Part) -> bool {
        folder.push(fold(name));
        let free = !self.files.contains(folder)
            && (part == Part::Folder || !self.folders.contains(folder));
        folder.pop();
        free
    }
}

/// `a.txt` as `a (2).txt`, at most 240 bytes.
fn numbered(name: &str, number: u32) -> String {
    let dot = name
        .rfind('.')
        .filter(|dot| *dot > 0 && name.len().saturating_sub(*dot) <= MAX_EXTENSION);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let ending = format!(" ({number}){extension}");
    let room = MAX_COMPONENT.saturating_sub(ending.len());
    let stem = stem.get(..stem.floor_char_boundary(room)).unwrap_or(stem);
    format!("{stem}{ending}")
}
