//! Power cuts: the storage that ships, over a model of a drive that loses what was not synced, at random moments.
//!
//! Kept: after each cut every piece that is called present is right, byte for byte; nothing lies under its final name that is
//! not complete; the state opens; what a group commit had recorded before the cut is still known. The drive is mounted by
//! FUSE, so every system call is the real one; the storage runs in this process, one thread, with a clock of its own.
//! `TRACKLESS_FAULTS=long` makes 200 cuts of 20.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod drive;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drive::{Drive, Honesty, Mounted};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trackless::metainfo::{Builder, Info, Options};
use trackless::storage::{Disk, Location, OpenMode, Opened};
use trackless::swarm::disk::{Digests, Job, Reply};

const PIECE: u32 = 32 << 10;

/// Path and bytes of the files: one in a folder, one smaller than a piece, one empty.
const FILES: [(&str, usize); 4] = [
    ("a.bin", 700_000),
    ("deep/b.bin", 500_003),
    ("deep/small", 1_000),
    ("empty", 0),
];

/// Operations of a whole download are some 150; cuts come well within.
const LONGEST_RUN: u64 = 120;

/// A torrent and its bytes.
struct Content {
    info: Arc<Info>,
    bytes: Vec<u8>,
}

impl Content {
    fn new(random: &mut impl Rng) -> Self {
        let files = FILES.map(|(path, length)| {
            let parts = path.split('/').map(str::to_owned).collect();
            (parts, length as u64)
        });
        let options = Options {
            piece_length: Some(PIECE),
            ..Options::default()
        };
        let mut builder = Builder::new("cut", files.to_vec(), options).expect("a good torrent");
        let mut bytes = vec![0; FILES.iter().map(|(_, length)| length).sum()];
        random.fill_bytes(&mut bytes);
        builder.feed(&bytes);
        let info = builder.finish().expect("all was fed").info;
        Self { info, bytes }
    }

    fn piece(&self, piece: u32) -> &[u8] {
        let from = piece as usize * PIECE as usize;
        &self.bytes[from..self.bytes.len().min(from + PIECE as usize)]
    }

    /// What the drive holds of a piece, under whatever names; `None` where a part is missing.
    fn on(&self, drive: &Drive, piece: u32) -> Option<Vec<u8>> {
        let (mut found, mut start) = (Vec::new(), 0);
        let from = piece as usize * PIECE as usize;
        let to = from + self.piece(piece).len();
        let state = drive.state();
        for (path, length) in FILES {
            let (first, last) = (from.max(start), to.min(start + length));
            if first < last {
                let names = [format!("out/cut/{path}"), format!("out/cut/{path}.part")];
                let content = names.iter().find_map(|name| state.content(name))?;
                found.extend_from_slice(content.get(first - start..last - start)?);
            }
            start += length;
        }
        Some(found)
    }

    /// Files under their final names that are not what they should be.
    fn spoilt(&self, drive: &Drive) -> Vec<&'static str> {
        let state = drive.state();
        let (mut spoilt, mut start) = (Vec::new(), 0);
        for (path, length) in FILES {
            let content = state.content(&format!("out/cut/{path}"));
            if content.is_some_and(|content| content != self.bytes[start..start + length]) {
                spoilt.push(path);
            }
            start += length;
        }
        spoilt
    }
}

/// What the cuts have shown.
#[derive(Debug, Default)]
struct Findings {
    cuts: usize,
    /// Pieces claimed after a cut.
    claims: usize,
    /// Of them, those that are not on the drive.
    false_claims: usize,
    /// Final names over other content.
    false_names: usize,
    /// Recorded before a cut and unknown after it.
    forgotten: usize,
    /// The storage did not open with the power on.
    unopenable: Vec<String>,
    downloads: usize,
}

/// One test after the other: a program that one starts (`mount`) has copies of the other's locked files for a moment.
static ALONE: Mutex<()> = Mutex::new(());

/// Downloads over a drive until there were so many cuts.
fn cut(seed: u64, cuts: usize, honesty: Honesty) -> Option<Findings> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut findings = Findings::default();
    while findings.cuts < cuts {
        let drive = Drive::new(honesty);
        let mounted = Mounted::mount(&drive, folder.path())?;
        let content = Content::new(&mut random);
        let mut recorded = BTreeSet::new();
        // A lying drive may lose the same bytes for ever.
        for _ in 0..50 {
            let length = random.random_range(1..LONGEST_RUN);
            let mut state = drive.state();
            state.cut_at = Some(state.operations + length);
            drop(state);
            let finished = run(folder.path(), &content, &drive, &mut recorded, &mut random);
            let was_cut = drive.state().off;
            if !was_cut {
                // Over a liar it may end by noticing, which is no end of the download.
                let fine = finished || honesty == Honesty::Liar;
                assert!(fine, "seed {seed}: it ends neither by itself nor by a cut");
                findings.downloads += 1;
                break;
            }
            drive.state().cut(&mut random);
            findings.cuts += 1;
            check(
                folder.path(),
                &content,
                &drive,
                &mut recorded,
                &mut findings,
            );
        }
        drop(mounted);
    }
    Some(findings)
}

fn open(folder: &Path, content: &Content) -> Result<Opened, trackless::storage::OpenError> {
    let location = Location {
        output: folder.join("out"),
        state: Some(folder.join("state")),
    };
    Disk::open(
        Arc::clone(&content.info),
        location,
        OpenMode::Resume,
        &mut |_| (),
    )
}

/// After a cut: what is claimed is there.
fn check(
    folder: &Path,
    content: &Content,
    drive: &Drive,
    recorded: &mut BTreeSet<u32>,
    findings: &mut Findings,
) {
    findings.false_names += content.spoilt(drive).len();
    let Opened { have, disk } = match open(folder, content) {
        Ok(opened) => opened,
        Err(error) => return findings.unopenable.push(error.to_string()),
    };
    let claims: BTreeSet<u32> = have.iter_set().collect();
    let there =
        |piece: &&u32| content.on(drive, **piece).as_deref() == Some(content.piece(**piece));
    findings.claims += claims.len();
    findings.false_claims += claims.len() - claims.iter().filter(there).count();
    findings.forgotten += recorded.difference(&claims).count();
    findings.false_names += content.spoilt(drive).len();
    *recorded = claims;
    drop(disk);
}

/// One run of a download, until all is there or the power is off; whether all is there. Puts into `recorded` what a group
/// commit has recorded for certain.
fn run(
    folder: &Path,
    content: &Content,
    drive: &Drive,
    recorded: &mut BTreeSet<u32>,
    random: &mut impl Rng,
) -> bool {
    let off = || drive.state().off;
    let Opened { mut disk, have } = match open(folder, content) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(off(), "with the power on it opens: {error}");
            return false;
        }
    };
    let mut now = Instant::now();
    let missing = |piece: &u32| !have.has(*piece);
    let mut order: Vec<u32> = (0..content.info.piece_count()).filter(missing).collect();
    order.shuffle(random);
    let mut waiting = BTreeSet::new();
    for piece in order {
        now += Duration::from_millis(random.random_range(0..2_000));
        let blocks = content.piece(piece).chunks(16 << 10);
        let job = Job::Store {
            piece,
            blocks: blocks.map(Bytes::copy_from_slice).collect(),
            digests: Digests::IfWrong,
        };
        if matches!(disk.perform(now, job), Reply::Stored { .. }) {
            waiting.insert(piece);
        }
        if let Some(job) = disk.begin_sync(now) {
            disk.finish_sync(now, job.run());
            if off() {
                return false;
            }
            recorded.append(&mut waiting);
        }
        if off() {
            return false;
        }
        // Ended tidily, and started again.
        if random.random_bool(0.03) {
            disk.close(now);
            drop(disk);
            if off() {
                return false;
            }
            recorded.append(&mut waiting);
            return run(folder, content, drive, recorded, random);
        }
    }
    let flushed = disk.flush(now).is_ok();
    if !off() && flushed {
        recorded.append(&mut waiting);
        disk.close(now);
    }
    flushed && !off()
}

fn long() -> bool {
    std::env::var_os("TRACKLESS_FAULTS").is_some_and(|value| value == "long")
}

/// Rows S2, S3: the power cut at random operations, and everything that is claimed is there.
#[test]
fn after_a_power_cut_what_is_claimed_is_there() {
    let cuts = if long() { 200 } else { 20 };
    let Some(found) = cut(0x7077_7263, cuts, Honesty::Honest) else {
        return;
    };
    println!("{found:?}");
    assert!(
        found.claims > found.cuts,
        "hardly anything was claimed: no proof"
    );
    assert_eq!(found.false_claims, 0, "claimed and not there: {found:?}");
    assert_eq!(
        found.false_names, 0,
        "a final name over other content: {found:?}"
    );
    assert!(found.unopenable.is_empty(), "{found:?}");
    assert_eq!(found.forgotten, 0, "recorded and forgotten: {found:?}");
}

/// Over a drive that only says that it syncs the same check finds false claims: it can fail.
#[test]
fn a_drive_that_lies_is_found_out() {
    let Some(found) = cut(0x6c69_6172, 20, Honesty::Liar) else {
        return;
    };
    println!("{found:?}");
    assert!(
        found.false_claims + found.false_names + found.forgotten > 0,
        "{found:?}"
    );
}
