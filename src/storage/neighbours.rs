//! Torrents that share a folder, and the files that two of them have in it (reliability.md C16).
//!
//! The file for claims of a folder's name lists the info hashes of the torrents that lie there; their journals say which
//! files they have. Invariant: of two torrents with one path, the second is not opened while the first is open and the
//! file is not complete, nor when pieces of the first are recorded in an unfinished file and none of the second. A file
//! under its final name is left to `foreign`: two torrents may share what both hold right. One torrent at a time looks
//! and enters itself, so that two that start together see each other. Not seen: paths equal but for case, and a torrent
//! whose output folder lies inside the other's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::check::{OpenMode, Recorded};
use super::journal::{self, Journal};
use super::layout::{Layout, below};
use super::lock;
use crate::metainfo::{Info, InfoHash};
use crate::swarm::Bitfield;

/// Longest list that is read: 1,600 torrents in one folder. Beyond, the others are not seen.
const LIST: u64 = 64 << 10;

/// Where the torrents of one folder are listed, and where their notes are.
pub(super) struct Neighbours<'a> {
    /// The file for claims.
    pub(super) list: &'a Path,
    /// The output folder.
    pub(super) output: &'a Path,
    /// A torrent's journal for this folder; its lock lies beside it.
    pub(super) journal: &'a dyn Fn(&str) -> PathBuf,
}

/// A torrent that is to be opened.
pub(super) struct Newcomer<'a> {
    pub(super) hash: InfoHash,
    pub(super) layout: &'a Layout,
    /// The raw `info` dictionary.
    pub(super) info: &'a Bytes,
    /// What is recorded of it.
    pub(super) recorded: &'a Recorded,
    pub(super) mode: OpenMode,
}

impl Neighbours<'_> {
    /// The first file of the newcomer's that another torrent has not finished; if there is none, the newcomer is entered. The
    /// caller holds the folder's gate.
    pub(super) fn meet(&self, newcomer: &Newcomer<'_>) -> io::Result<Option<PathBuf>> {
        let ours = newcomer.hash.to_string();
        let listed = self.listed()?;
        for hash in listed.iter().filter(|hash| **hash != ours) {
            if let Some(path) = self.contested(hash, newcomer)? {
                return Ok(Some(path));
            }
        }
        // A full state folder keeps nobody from being alone; only the next one knows less.
        let _ = self.enter(newcomer, listed, ours);
        Ok(None)
    }

    fn listed(&self) -> io::Result<BTreeSet<String>> {
        let mut text = Vec::new();
        File::open(self.list)?.take(LIST).read_to_end(&mut text)?;
        // Whatever damage has made of it: then it names nobody.
        let text = String::from_utf8_lossy(&text);
        let hashes = text
            .lines()
            .filter_map(|line| line.parse::<InfoHash>().ok())
            .map(|hash| hash.to_string());
        Ok(hashes
            .filter(|hash| (self.journal)(hash).exists())
            .collect())
    }

    fn enter(
        &self,
        newcomer: &Newcomer<'_>,
        mut listed: BTreeSet<String>,
        ours: String,
    ) -> io::Result<()> {
        let journal = (self.journal)(&ours);
        if !journal.exists() {
            // It claims nothing yet, but says which files are meant.
            Journal::create(&journal, newcomer.hash, newcomer.info, &[])?;
        }
        if !listed.insert(ours) {
            return Ok(());
        }
        let text: String = listed.iter().map(|hash| format!("{hash}\n")).collect();
        let file = OpenOptions::new().write(true).open(self.list)?;
        file.write_all_at(text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)
    }

    /// A file of both that is the other's for now.
    fn contested(&self, hash: &str, newcomer: &Newcomer<'_>) -> io::Result<Option<PathBuf>> {
        let journal = (self.journal)(hash);
        let Ok(of) = hash.parse() else {
            return Ok(None);
        };
        // Notes that cannot be read claim nothing, as when their torrent is opened.
        let Ok(contents) = journal::read(&journal, of) else {
            return Ok(None);
        };
        let Ok(info) = Info::from_bytes(contents.info) else {
            return Ok(None);
        };
        let theirs = Layout::of(Arc::new(info));
        let recorded = Recorded::new(&theirs, &contents.records);
        let is_open = lock::is_taken(&journal.with_extension("lock"))?;
        let ours: BTreeMap<&[String], usize> = data(newcomer.layout).collect();
        let both = data(&theirs).filter_map(|(path, file)| Some((path, *ours.get(path)?, file)));
        for (path, our, their) in both {
            let entry = theirs.files.get(their);
            let unfinished = entry.map(|entry| below(self.output, &entry.unfinished()));
            let theirs_alone = has(&theirs, their, &recorded.have)
                && !has(newcomer.layout, our, &newcomer.recorded.have)
                && unfinished.is_some_and(|path| path.exists());
            let path = below(self.output, path);
            let in_use = is_open && !path.exists();
            if in_use || theirs_alone && newcomer.mode != OpenMode::Force {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// The files that hold something.
fn data(layout: &Layout) -> impl Iterator<Item = (&[String], usize)> {
    let files = layout.files.iter().enumerate();
    files
        .filter(|(file, entry)| layout.is_data(*file) && entry.length > 0)
        .map(|(file, entry)| (entry.path.as_slice(), file))
}

/// Whether a piece of the file is there.
fn has(layout: &Layout, file: usize, have: &Bitfield) -> bool {
    layout.pieces_of(file).any(|piece| have.has(piece))
}
