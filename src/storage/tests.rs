//! The storage machine over memory and over real folders, by the faults of the fault table.

mod faults;
mod files;
mod foreign;
mod journals;
mod neighbours;
mod real;
mod restarts;
mod shapes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::check::{self, OpenMode, Recorded};
use super::disk::Disk;
use super::layout::{Content, Layout};
use super::memory::Memory;
use super::open::{Location, Opened};
use super::{CheckProgress, OpenError};
use crate::metainfo::InfoHash;
use crate::swarm::disk::{Digests, DiskError, Job, Reply};
use crate::swarm::{BLOCK_LENGTH, Bitfield, PeerKey};
use crate::wire::Block;

const HASH: InfoHash = InfoHash([0xab; 20]);

/// Some moment: the machine only counts from it.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to make an Instant"
)]
fn start() -> Instant {
    Instant::now()
}

/// A torrent with its content.
struct Sample {
    layout: Layout,
    bytes: Vec<u8>,
}

/// Bytes that repeat nowhere near and are not zero.
fn payload(length: u64) -> Vec<u8> {
    (0..length)
        .map(|at| (at * 31 + at / 251 + 1) as u8 | 1)
        .collect()
}

/// Files by path ("a/b"), length and kind.
fn sample(piece_length: u32, files: &[(&str, u64, Content)]) -> Sample {
    let total = files.iter().map(|(_, length, _)| length).sum();
    let mut bytes = payload(total);
    let mut at = 0;
    for (_, length, content) in files {
        let end = at + *length as usize;
        if *content == Content::Padding {
            bytes[at..end].fill(0);
        }
        at = end;
    }
    let hashes = bytes
        .chunks(piece_length as usize)
        .map(|piece| Sha1::digest(piece).into());
    let files = files.iter().map(|(path, length, content)| {
        (
            path.split('/').map(str::to_owned).collect(),
            *length,
            *content,
        )
    });
    let (files, hashes) = (files.collect(), hashes.collect());
    Sample {
        layout: Layout::new("top".into(), piece_length, files, hashes),
        bytes,
    }
}

/// Shapes that go wrong: empty files first, between and last, padding, pieces over many files.
fn mixed() -> Sample {
    use Content::{Data, Padding};
    let files = [
        ("top/empty first", 0, Data),
        ("top/a", 40_000, Data),
        ("top/deep/er/b", 10, Data),
        ("top/deep/c", 5, Data),
        ("top/.pad", 25_521, Padding),
        ("top/empty", 0, Data),
        ("top/d", 100_001, Data),
        ("top/empty last", 0, Data),
    ];
    sample(32_768, &files)
}

fn single() -> Sample {
    sample(32_768, &[("top", 100_000, Content::Data)])
}

impl Sample {
    fn blocks(&self, piece: u32) -> Vec<Bytes> {
        let start = self.layout.geometry.piece_offset(piece) as usize;
        let end = start + self.layout.geometry.piece_size(piece) as usize;
        let blocks = self.bytes[start..end].chunks(BLOCK_LENGTH as usize);
        blocks.map(Bytes::copy_from_slice).collect()
    }

    fn store(&self, piece: u32) -> Job {
        Job::Store {
            piece,
            blocks: self.blocks(piece),
            digests: Digests::IfWrong,
        }
    }

    fn pieces(&self) -> std::ops::Range<u32> {
        0..self.layout.geometry.piece_count()
    }

    fn store_all(&self, disk: &mut Disk, now: Instant) {
        self.store_each(disk, now, self.pieces());
    }

    fn store_each(&self, disk: &mut Disk, now: Instant, pieces: impl IntoIterator<Item = u32>) {
        for piece in pieces {
            let reply = disk.perform(now, self.store(piece));
            assert!(matches!(reply, Reply::Stored { .. }), "{reply:?}");
        }
    }

    /// A run in the folder that has stored these pieces.
    fn run(&self, folder: &Path, now: Instant, pieces: impl IntoIterator<Item = u32>) -> Disk {
        let mut disk = self.open(folder, OpenMode::Resume).unwrap().disk;
        self.store_each(&mut disk, now, pieces);
        disk
    }

    fn in_memory(&self) -> (Disk, Memory) {
        let memory = Memory::default();
        let mut storage = memory.clone();
        let recorded = Recorded::new(&self.layout, &[]);
        let mode = OpenMode::Resume;
        let findings = check::examine(&self.layout, &mut storage, &recorded, mode, &mut |_| ());
        (
            Disk::ready(
                Arc::new(self.layout.clone()),
                Box::new(storage),
                findings,
                PathBuf::new(),
            ),
            memory,
        )
    }

    fn open(&self, folder: &Path, mode: OpenMode) -> Result<Opened, OpenError> {
        self.open_counting(folder, mode).map(|(opened, _)| opened)
    }

    /// With the number of bytes that were hashed.
    fn open_counting(&self, folder: &Path, mode: OpenMode) -> Result<(Opened, u64), OpenError> {
        let location = Location {
            output: folder.join("out"),
            state: Some(folder.join("state")),
        };
        let mut hashed = 0;
        let mut progress = |progress: CheckProgress| hashed = progress.done;
        let info = Bytes::from_static(b"raw info");
        let opened = Disk::open_layout(
            self.layout.clone(),
            (HASH, &info),
            location,
            mode,
            &mut progress,
        )?;
        Ok((opened, hashed))
    }

    /// Everything lies under its name with its content, and nothing else is there.
    fn assert_complete(&self, output: &Path) {
        let mut names = 0;
        for entry in &self.layout.files {
            let path = entry
                .path
                .iter()
                .fold(output.to_owned(), |path, name| path.join(name));
            if entry.content == Content::Padding {
                assert!(!path.exists());
                continue;
            }
            let start = entry.offset as usize;
            let content = &self.bytes[start..start + entry.length as usize];
            assert!(
                std::fs::read(&path).unwrap() == content,
                "{}",
                path.display()
            );
            names += 1;
        }
        assert_eq!(super::collect(output).unwrap().len(), names);
    }
}

fn ask(block: Block) -> Job {
    Job::Read {
        peer: PeerKey(1),
        block,
    }
}

/// The only file in the state folder with this ending.
fn in_state(folder: &Path, ending: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder.join("state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found = paths.filter(|path| path.extension().is_some_and(|end| end == ending));
    let path = found.next().unwrap();
    assert_eq!(found.next(), None);
    path
}

/// Changes a bit of each of these bytes.
fn flip(path: &Path, places: &[usize]) {
    let mut bytes = std::fs::read(path).unwrap();
    places.iter().for_each(|at| bytes[*at] ^= 1);
    std::fs::write(path, bytes).unwrap();
}

/// Which pieces these are.
fn list(have: &Bitfield) -> Vec<u32> {
    have.iter_set().collect()
}

/// The first block of a piece.
fn first_block(sample: &Sample, piece: u32) -> Block {
    sample.layout.geometry.block(piece, 0)
}
