//! `trackless torrent create|verify|magnet`, and the two ways to a torrent that other commands
//! share: reading a torrent file, and making one of files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::args::CreateArgs;
use super::exit::{ExitCode, Failure};
use super::format::bytes;
use super::plan::Existing;
use super::report::{Reporter, Style};
use super::update::Update;
use super::walk::{self, Tree};
use crate::metainfo::{Builder, FilePath, Magnet, Options, Torrent, TorrentError};

/// The largest torrent file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// From one block of the wire protocol to the longest piece that is accepted from others.
const PIECE_LENGTHS: RangeInclusive<u32> = 16 << 10..=128 << 20;

/// Bytes read at once while hashing.
const CHUNK: usize = 1 << 20;

/// Reads a torrent file.
///
/// # Errors
/// [`ExitCode::BadInput`] with the reason if it is none; [`ExitCode::Io`] if it cannot be read.
pub(super) fn load(path: &Path) -> Result<Torrent, Failure> {
    let cannot = |error| Failure::io(format_args!("cannot read {}", path.display()), &error);
    let file = File::open(path).map_err(cannot)?;
    let mut raw = Vec::new();
    // One byte more than allowed tells a file that is too long from one that just fits.
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut raw)
        .map_err(cannot)?;
    if raw.len() as u64 > MAX_BYTES {
        let message = format!("{} is too large for a torrent file", path.display());
        return Err(Failure::new(ExitCode::BadInput, message));
    }
    Torrent::from_bytes(&raw).map_err(|error| {
        let message = format!("{} is no valid torrent file: {error}", path.display());
        Failure::new(ExitCode::BadInput, message)
    })
}

/// What a new torrent shall say beside its files.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// A power of two; `None`: by size.
    pub(super) piece_length: Option<u32>,
    /// Each a tier of its own.
    pub(super) trackers: Vec<String>,
    /// BEP 27.
    pub(super) privacy: Privacy,
}

/// BEP 27.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Privacy {
    /// Peers from everywhere.
    #[default]
    Public,
    /// Peers from its trackers only.
    Private,
}

/// Makes a torrent of a file or a folder: one pass over the data, in order.
///
/// # Errors
/// Nothing to share, names that are not UTF-8, files that cannot be read or that change meanwhile.
pub(super) fn make(
    path: &Path,
    choices: &Choices,
    reporter: &mut Reporter,
) -> Result<Torrent, Failure> {
    let tree = walk::walk(path)?;
    for skipped in &tree.skipped {
        let text = format!("left out, neither file nor folder: {}", skipped.display());
        reporter.note(Instant::now(), text);
    }
    names_survive(&tree)?;
    let mut builder = builder(&tree, choices).map_err(refused)?;
    let total = tree.total_length();
    let mut done = 0u64;
    let mut buffer = vec![0; CHUNK];
    for found in &tree.files {
        let doing = format!("cannot read {}", found.place.display());
        let mut file = File::open(&found.place).map_err(|error| Failure::io(&doing, &error))?;
        let mut length = 0u64;
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(|error| Failure::io(&doing, &error))?;
            let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
                break;
            };
            length = length.saturating_add(read as u64);
            if length > found.length {
                break;
            }
            builder.feed(part);
            done = done.saturating_add(read as u64);
            let name = tree.name.clone();
            reporter.state(Instant::now(), &Update::Hashing { name, done, total });
        }
        if length != found.length {
            let message = format!("{} changed while it was hashed", found.place.display());
            return Err(Failure::new(ExitCode::Conflict, message).hint("try again"));
        }
    }
    reporter.settle();
    builder.finish().map_err(refused)
}

fn builder(tree: &Tree, choices: &Choices) -> Result<Builder, TorrentError> {
    let files = tree
        .files
        .iter()
        .map(|found| (found.path.clone(), found.length))
        .collect();
    let options = Options {
        piece_length: choices.piece_length,
        private: choices.privacy == Privacy::Private,
        trackers: choices
            .trackers
            .iter()
            .map(|url| vec![url.clone()])
            .collect(),
        created_by: Some(concat!("trackless ", env!("CARGO_PKG_VERSION")).to_owned()),
        // No date: the same files give the same torrent file, whoever makes it and when.
        ..Options::default()
    };
    Builder::new(&tree.name, files, options)
}

/// Names that a careful reader would change (dots or blanks at the end, invisible characters, more
/// than 240 bytes) are refused: their files would be missing under the names in the torrent.
fn names_survive(tree: &Tree) -> Result<(), Failure> {
    for found in &tree.files {
        let mut parts = vec![tree.name.clone()];
        parts.extend(found.path.iter().cloned());
        let read = FilePath::new(&parts).map_err(|error| refused(error.into()))?;
        let changed = parts
            .iter()
            .zip(read.components())
            .find(|(ours, theirs)| ours != theirs);
        if let Some((ours, theirs)) = changed {
            let message = format!("the name `{ours}` would arrive as `{theirs}` elsewhere");
            return Err(Failure::new(ExitCode::BadInput, message).hint("rename it first"));
        }
    }
    Ok(())
}

fn refused(error: TorrentError) -> Failure {
    Failure::new(
        ExitCode::BadInput,
        format!("no torrent can be made of this: {error}"),
    )
}

/// The magnet link of a torrent: its hash, name and trackers.
pub(super) fn magnet_of(torrent: &Torrent) -> Magnet {
    Magnet {
        name: Some(torrent.info.name().to_owned()),
        trackers: torrent.trackers.iter().flatten().cloned().collect(),
        ..Magnet::new(torrent.info.info_hash())
    }
}

/// The object that `create --json` prints.
#[derive(Serialize)]
struct Created<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    info_hash: String,
    magnet: String,
    path: String,
    name: &'a str,
    files: usize,
    size: u64,
    pieces: u32,
    piece_length: u32,
}

/// Pieces that are no power of two make trouble in other clients.
fn piece_length(bytes: u64) -> Result<u32, Failure> {
    let fits = |length: &u32| length.is_power_of_two() && PIECE_LENGTHS.contains(length);
    u32::try_from(bytes).ok().filter(fits).ok_or_else(|| {
        let message = "a piece length is a power of two from 16 KiB to 128 MiB";
        Failure::new(ExitCode::Usage, message).hint("for example --piece-length 1MiB")
    })
}

/// `torrent create`.
///
/// # Errors
/// As [`make`] and [`save`].
pub(super) fn create(args: CreateArgs, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let existing = if args.force {
        Existing::Overwrite
    } else {
        Existing::Keep
    };
    let choices = Choices {
        piece_length: args.piece_length.map(piece_length).transpose()?,
        trackers: args.tracker,
        privacy: if args.private {
            Privacy::Private
        } else {
            Privacy::Public
        },
    };
    let torrent = make(&args.path, &choices, reporter)?;
    let info = &torrent.info;
    let output = args
        .output
        .unwrap_or_else(|| PathBuf::from(format!("{}.torrent", info.name())));
    save(&output, &torrent.to_bytes(), existing)?;
    let magnet = magnet_of(&torrent).to_string();
    if reporter.style() == Style::Json {
        reporter.print_json(&Created {
            kind: "created",
            info_hash: info.info_hash().to_string(),
            magnet,
            path: output.display().to_string(),
            name: info.name(),
            files: info.files().len(),
            size: info.total_length(),
            pieces: info.piece_count(),
            piece_length: info.piece_length(),
        });
    } else {
        let text = format!(
            "Wrote {}: {}, {} pieces of {}",
            output.display(),
            bytes(info.total_length()),
            info.piece_count(),
            bytes(u64::from(info.piece_length()))
        );
        reporter.note(Instant::now(), text);
        reporter.print(&format!("{magnet}\n"));
    }
    Ok(ExitCode::Ok)
}

/// `torrent magnet`.
///
/// # Errors
/// As [`load`].
pub(super) fn magnet(path: &Path, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let torrent = load(path)?;
    let magnet = magnet_of(&torrent).to_string();
    match reporter.style() {
        Style::Json => reporter.print_json(&MagnetLink {
            kind: "magnet",
            info_hash: torrent.info.info_hash().to_string(),
            magnet,
        }),
        _ => reporter.print(&format!("{magnet}\n")),
    }
    Ok(ExitCode::Ok)
}

/// The object that `magnet --json` prints.
#[derive(Serialize)]
struct MagnetLink {
    #[serde(rename = "type")]
    kind: &'static str,
    info_hash: String,
    magnet: String,
}

/// Writes a file whole or not at all: beside its place first, then moved there.
///
/// # Errors
/// [`ExitCode::Conflict`] if it exists and may not be overwritten.
pub(super) fn save(path: &Path, content: &[u8], existing: Existing) -> Result<(), Failure> {
    let cannot = |error| Failure::io(format_args!("cannot write {}", path.display()), &error);
    if existing == Existing::Keep && fs::symlink_metadata(path).is_ok() {
        let message = format!("{} exists already", path.display());
        return Err(Failure::new(ExitCode::Conflict, message)
            .hint("--force overwrites it, -o names another"));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .open(&beside)
        .map_err(cannot)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| {
            // What was begun is of no use to anybody.
            let _ = fs::remove_file(&beside);
            cannot(error)
        })
}
