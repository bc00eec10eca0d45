//! `trackless torrent verify`: hashes what is on disk and says which pieces and files are wrong.
//!
//! Piece by piece in order, one file open at a time; a file that is missing or too short is not read
//! at all, its pieces are wrong anyway. It changes nothing and keeps no state.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use sha1::{Digest, Sha1};

use super::exit::{ExitCode, Failure};
use super::format::{bytes, escape};
use super::network::folder_of;
use super::report::{Reporter, Style};
use super::torrent;
use super::update::Update;
use crate::metainfo::{FileEntry, FileKind, Info};
use crate::swarm::{Geometry, Span, spans};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// How a file compares with what the torrent says of it. The worst that is known wins: a file of
/// the wrong size is not called damaged as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum FileState {
    /// Right size, and no wrong piece touches it.
    Ok,
    /// Some of its pieces are wrong.
    Damaged,
    /// Shorter or longer than in the torrent.
    WrongSize,
    /// Not there, or a part of the way to it is no folder.
    Missing,
}

impl FileState {
    fn word(self) -> &'static str {
        match self {
            FileState::Ok => "ok",
            FileState::Damaged => "damaged",
            FileState::WrongSize => "wrong size",
            FileState::Missing => "missing",
        }
    }
}

/// One file of the answer. Padding files are never listed: nobody stores them.
#[derive(Debug, Serialize)]
struct FileReport {
    path: String,
    size: u64,
    state: FileState,
    /// Indices of the wrong pieces that lie in it.
    bad_pieces: Vec<u32>,
}

/// The answer as JSON, complete: right files are in it too. For people only what is wrong is
/// printed, so that no output means that nothing is.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    info_hash: &'a str,
    pieces: u32,
    bad_pieces: Vec<u32>,
    files: Vec<FileReport>,
}

/// Runs it. Results go to stdout, the sum of them to stderr; a difference is a failure of the
/// command, so that `verify && use` is safe.
///
/// # Errors
/// [`ExitCode::VerifyFailed`] if anything differs; that of the torrent file or of reading.
pub(super) fn run(
    torrent: &Path,
    path: Option<PathBuf>,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let loaded = torrent::load(torrent)?;
    let info = &*loaded.info;
    let path = path.unwrap_or_else(|| folder_of(torrent));
    let (bad, states) = compare(info, &path, reporter)?;
    reporter.settle();
    let info_hash = info.info_hash().to_string();
    let files = describe(info, &bad, &states);
    let wrong: Vec<&FileReport> = files
        .iter()
        .filter(|file| file.state != FileState::Ok)
        .collect();
    let failure = (!bad.is_empty() || !wrong.is_empty()).then(|| {
        let message = format!(
            "{} of {} pieces are wrong, in {} of {} files",
            bad.len(),
            info.piece_count(),
            wrong.len(),
            files.len()
        );
        Failure::new(ExitCode::VerifyFailed, message)
    });
    if reporter.style() == Style::Json {
        let pieces = info.piece_count();
        let bad_pieces = bad.clone();
        let kind = "verify";
        reporter.print_json(&Report {
            kind,
            info_hash: &info_hash,
            pieces,
            bad_pieces,
            files,
        });
    } else {
        for file in wrong {
            let pieces = match file.bad_pieces.as_slice() {
                [] => String::new(),
                list => format!("  pieces {}", ranges(list)),
            };
            let (word, path) = (file.state.word(), escape(&file.path));
            reporter.print(&format!("{word:<10}  {path}{pieces}\n"));
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => {
            let size = bytes(info.total_length());
            reporter.note(Instant::now(), format!("{size} verified, all pieces right"));
            Ok(ExitCode::Ok)
        }
    }
}

/// Where a torrent's file is, whether the user named the folder around the data or the data.
fn place(info: &Info, named: &Path, file: &FileEntry) -> PathBuf {
    let parts = file.path.components();
    // Without the torrent's own name, which the user may have changed on disk.
    let inside: PathBuf = parts.iter().skip(1).collect();
    let is_file = inside.as_os_str().is_empty();
    let around = match named.is_dir() {
        true => is_file || named.join(info.name()).exists(),
        false => false,
    };
    match (around, is_file) {
        (true, _) => named.join(parts.iter().collect::<PathBuf>()),
        (false, true) => named.to_path_buf(),
        (false, false) => named.join(inside),
    }
}

/// The wrong pieces in order, and every file's state before its pieces are looked at.
fn compare(
    info: &Info,
    named: &Path,
    reporter: &mut Reporter,
) -> Result<(Vec<u32>, Vec<FileState>), Failure> {
    let mut disk = OnDisk::look(info, named)?;
    let geometry = Geometry::new(info.piece_length(), info.total_length());
    let mut bad = Vec::new();
    let mut done = 0u64;
    for piece in 0..info.piece_count() {
        let size = u64::from(geometry.piece_size(piece));
        let found = disk.hash(info.files(), geometry.piece_offset(piece), size)?;
        if found.is_none() || found != info.piece_hash(piece) {
            bad.push(piece);
        }
        done = done.saturating_add(size);
        let name = info.name().to_owned();
        let update = Update::Checking {
            name,
            done,
            total: info.total_length(),
        };
        reporter.state(Instant::now(), &update);
    }
    Ok((bad, disk.states))
}

/// The torrent's files as they lie on disk.
struct OnDisk {
    states: Vec<FileState>,
    places: Vec<PathBuf>,
    /// The file read last: pieces come in order, so one is enough whatever the limit on open
    /// files.
    open: Option<(usize, File)>,
    buffer: Vec<u8>,
}

impl OnDisk {
    /// Compares presence and sizes, which costs no reading; the hashes come after.
    fn look(info: &Info, named: &Path) -> Result<Self, Failure> {
        let places: Vec<PathBuf> = info
            .files()
            .iter()
            .map(|file| place(info, named, file))
            .collect();
        let states = info
            .files()
            .iter()
            .zip(&places)
            .map(|(file, path)| match file.kind {
                FileKind::Padding => Ok(FileState::Ok),
                FileKind::Data => state_of(path, file.length),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            states,
            places,
            open: None,
            buffer: vec![0; CHUNK],
        })
    }

    /// The SHA-1 of `size` bytes at `start`; `None` if a file that holds some of them is not there.
    fn hash(
        &mut self,
        files: &[FileEntry],
        start: u64,
        size: u64,
    ) -> Result<Option<[u8; 20]>, Failure> {
        // Files lie in order: those that end before the piece are passed over in log time.
        let first = files.partition_point(|file| file.offset.saturating_add(file.length) <= start);
        let rest = files.get(first..).unwrap_or_default();
        let begin = start.saturating_sub(rest.first().map_or(0, |file| file.offset));
        let mut hasher = Sha1::new();
        for part in spans(rest.iter().map(|file| file.length), begin, size) {
            let index = first.saturating_add(part.file);
            match (self.states.get(index), rest.get(part.file)) {
                (Some(FileState::Ok), Some(file)) => {
                    self.feed(&mut hasher, index, file.kind, part)?;
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(hasher.finalize().into()))
    }

    /// Hashes a part of one file; padding files (BEP 47) are zeros that nobody stores.
    fn feed(
        &mut self,
        hasher: &mut Sha1,
        index: usize,
        kind: FileKind,
        part: Span,
    ) -> Result<(), Failure> {
        let path = self
            .places
            .get(index)
            .map(PathBuf::as_path)
            .unwrap_or(Path::new(""));
        let cannot = |error| Failure::io(format_args!("cannot read {}", path.display()), &error);
        if kind == FileKind::Data && self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            self.open = Some((index, File::open(path).map_err(cannot)?));
        }
        let (mut offset, mut length) = (part.offset, part.length);
        while length > 0 {
            let step = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(self.buffer.len());
            let (bytes, _) = self.buffer.split_at_mut(step);
            match (kind, &self.open) {
                (FileKind::Data, Some((_, file))) => {
                    file.read_exact_at(bytes, offset).map_err(cannot)?;
                }
                _ => bytes.fill(0),
            }
            hasher.update(&*bytes);
            offset = offset.saturating_add(step as u64);
            length = length.saturating_sub(step as u64);
        }
        Ok(())
    }
}

/// Links are followed: what is read is what counts here, and nothing is written.
fn state_of(path: &Path, length: u64) -> Result<FileState, Failure> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == length => Ok(FileState::Ok),
        Ok(_) => Ok(FileState::WrongSize),
        Err(error) if is_missing(&error) => Ok(FileState::Missing),
        Err(error) => Err(Failure::io(
            format_args!("cannot read {}", path.display()),
            &error,
        )),
    }
}

/// `a/b` with a file `a` is as missing as without one.
fn is_missing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The data files with their wrong pieces.
///
/// A piece that reaches over the border of two files counts against both: its hash cannot tell
/// which of them is wrong.
fn describe(info: &Info, bad: &[u32], states: &[FileState]) -> Vec<FileReport> {
    let piece_length = u64::from(info.piece_length()).max(1);
    let data = |(file, _): &(&FileEntry, &FileState)| file.kind == FileKind::Data;
    info.files()
        .iter()
        .zip(states)
        .filter(data)
        .map(|(file, state)| {
            let first = file.offset / piece_length;
            let end = file
                .offset
                .saturating_add(file.length)
                .div_ceil(piece_length);
            let inside =
                |piece: &&u32| file.length > 0 && (first..end).contains(&u64::from(**piece));
            let bad_pieces: Vec<u32> = bad.iter().filter(inside).copied().collect();
            let state = match state {
                FileState::Ok if !bad_pieces.is_empty() => FileState::Damaged,
                state => *state,
            };
            FileReport {
                path: file.path.to_string(),
                size: file.length,
                state,
                bad_pieces,
            }
        })
        .collect()
}

/// `1, 4-6` of a sorted list; long ones are cut.
fn ranges(list: &[u32]) -> String {
    const MOST: usize = 12;
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &piece in list {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(piece) => *last = piece,
            _ => runs.push((piece, piece)),
        }
    }
    let mut texts: Vec<String> = runs
        .iter()
        .take(MOST)
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    if runs.len() > MOST {
        texts.push("…".to_owned());
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_pieces() {
        assert_eq!(
            ranges(&[0, 1, 2, 4, 6, 7, u32::MAX]),
            "0-2, 4, 6-7, 4294967295"
        );
        assert_eq!(ranges(&[]), "");
        let many: Vec<u32> = (0..100).map(|n| n * 2).collect();
        assert!(ranges(&many).ends_with("22, …"));
    }
}
