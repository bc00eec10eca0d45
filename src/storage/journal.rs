//! What is known of a torrent's files, across runs: an append-only file in the state folder.
//!
//! Header: magic, format, info hash, the raw `info` dictionary (so that a magnet link resumes
//! without a network), checksum. Then records, each with a checksum over its content and its place:
//! a torn or damaged one ends the journal there, and everything before it still counts.
//!
//! Invariant: a piece is recorded only after its bytes are durable; a fingerprint is recorded only
//! when every recorded piece of its file lies below it. Knows no payload.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::backing::Fingerprint;
use crate::metainfo::InfoHash;

const MAGIC: &[u8; 8] = b"tljournl";
/// The format written. An older one has not existed yet; a newer one is refused.
const FORMAT: u16 = 1;
/// Of 20 bytes of SHA-1: plenty against accidents; an enemy who writes here owns us anyway.
const CHECKSUM: usize = 8;
/// Longest raw `info` kept: as long as a peer may send one, and some room.
const INFO: u32 = 64 << 20;
/// Longest file read: the header and some 30 records a piece of the largest torrent.
const JOURNAL: u64 = 1 << 30;
/// Magic, format, info hash, length of `info`.
const HEADER: usize = 8 + 2 + 20 + 4;

/// One thing known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Record {
    /// These pieces are durable.
    Have {
        /// The first.
        first: u32,
        /// How many from there.
        count: u32,
    },
    /// This piece turned out damaged.
    Lost(u32),
    /// A file as it was when it was last known to be right.
    Seen(u32, Fingerprint),
    /// A run began.
    Opened,
    /// A run ended with everything durable and recorded.
    Closed,
    /// The output folder lies on this device.
    Device(u64),
}

/// A journal that is open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    hash: InfoHash,
    length: u64,
}

/// Why a journal cannot be used.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// There is none.
    Missing,
    /// Not a journal of this torrent, or its header is damaged.
    Damaged,
    /// Of a newer version of this program.
    Newer(u16),
    /// The operating system refused.
    Io(io::Error),
}

/// What a journal says.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The raw `info` dictionary.
    pub(crate) info: Bytes,
    /// In order.
    pub(crate) records: Vec<Record>,
}

/// Reads a journal up to its first damaged record.
pub(crate) fn read(path: &Path, hash: InfoHash) -> Result<Contents, Unreadable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unreadable::Missing),
        Err(error) => return Err(Unreadable::Io(error)),
    };
    let mut bytes = Vec::new();
    file.take(JOURNAL)
        .read_to_end(&mut bytes)
        .map_err(Unreadable::Io)?;
    parse(Bytes::from(bytes), hash)
}

/// See [`read`].
pub(crate) fn parse(bytes: Bytes, hash: InfoHash) -> Result<Contents, Unreadable> {
    let (format, of, length) = header(&bytes).ok_or(Unreadable::Damaged)?;
    let end = HEADER.saturating_add(length as usize);
    let sum = bytes.get(end..end.saturating_add(CHECKSUM));
    // A newer header may look different, but not by a flipped bit: its checksum is where ours is.
    let whole = sum.is_some_and(|sum| sum == checksum(hash, 0, bytes.get(..end).unwrap_or(&[])));
    match format {
        FORMAT if whole && of == hash.0 && length <= INFO => {}
        format if whole && format > FORMAT => return Err(Unreadable::Newer(format)),
        _ => return Err(Unreadable::Damaged),
    }
    let mut cursor = Cursor {
        bytes: &bytes,
        at: end + CHECKSUM,
    };
    let mut records = Vec::new();
    while let Some(record) = cursor.record(hash) {
        records.push(record);
    }
    Ok(Contents {
        info: bytes.slice(HEADER..end),
        records,
    })
}

fn header(bytes: &[u8]) -> Option<(u16, [u8; 20], u32)> {
    let mut cursor = Cursor { bytes, at: 0 };
    let magic: [u8; 8] = cursor.take()?;
    let format = u16::from_be_bytes(cursor.take()?);
    let of = cursor.take()?;
    let length = u32::from_be_bytes(cursor.take()?);
    (magic == *MAGIC).then_some((format, of, length))
}

impl Journal {
    /// Replaces the journal by one that holds just these records, durably and at once.
    pub(crate) fn create(
        path: &Path,
        hash: InfoHash,
        info: &[u8],
        records: &[Record],
    ) -> io::Result<Journal> {
        let bytes = Journal::bytes(hash, info, records)?;
        let file = replace(path, &bytes)?;
        Ok(Journal {
            file,
            hash,
            length: bytes.len() as u64,
        })
    }

    /// What a journal of just these records holds.
    pub(super) fn bytes(hash: InfoHash, info: &[u8], records: &[Record]) -> io::Result<Vec<u8>> {
        let length = u32::try_from(info.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = Vec::with_capacity(HEADER + info.len() + CHECKSUM + records.len() * 32);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        bytes.extend_from_slice(&hash.0);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(info);
        let sum = checksum(hash, 0, &bytes);
        bytes.extend_from_slice(&sum);
        for record in records {
            record.encode(hash, &mut bytes, 0);
        }
        Ok(bytes)
    }

    /// Appends records and makes them durable with one write and one sync. After an error the
    /// journal's end is unknown; what is appended later goes to the same place.
    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            record.encode(self.hash, &mut bytes, self.length);
        }
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pwrite(&self.file, rest, self.length + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Record {
    /// Kind, content, checksum. `base` is where `out` begins in the journal.
    fn encode(&self, hash: InfoHash, out: &mut Vec<u8>, base: u64) {
        let start = out.len();
        match self {
            Record::Have { first, count } => {
                out.push(1);
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
            }
            Record::Lost(piece) => {
                out.push(2);
                out.extend_from_slice(&piece.to_be_bytes());
            }
            Record::Seen(file, print) => {
                out.push(3);
                out.extend_from_slice(&file.to_be_bytes());
                out.extend_from_slice(&print.device.to_be_bytes());
                out.extend_from_slice(&print.inode.to_be_bytes());
                out.extend_from_slice(&print.size.to_be_bytes());
                out.extend_from_slice(&print.modified.to_be_bytes());
                out.extend_from_slice(&print.changed.to_be_bytes());
            }
            Record::Opened => out.push(4),
            Record::Closed => out.push(5),
            Record::Device(device) => {
                out.push(6);
                out.extend_from_slice(&device.to_be_bytes());
            }
        }
        let place = base.saturating_add(start as u64);
        let sum = checksum(hash, place, out.get(start..).unwrap_or_default());
        out.extend_from_slice(&sum);
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*taken)
    }

    fn record(&mut self, hash: InfoHash) -> Option<Record> {
        let start = self.at;
        let record = match self.take::<1>()? {
            [1] => Record::Have {
                first: u32::from_be_bytes(self.take()?),
                count: u32::from_be_bytes(self.take()?),
            },
            [2] => Record::Lost(u32::from_be_bytes(self.take()?)),
            [3] => Record::Seen(
                u32::from_be_bytes(self.take()?),
                Fingerprint {
                    device: u64::from_be_bytes(self.take()?),
                    inode: u64::from_be_bytes(self.take()?),
                    size: u64::from_be_bytes(self.take()?),
                    modified: i128::from_be_bytes(self.take()?),
                    changed: i128::from_be_bytes(self.take()?),
                },
            ),
            [4] => Record::Opened,
            [5] => Record::Closed,
            [6] => Record::Device(u64::from_be_bytes(self.take()?)),
            _ => return None,
        };
        let sum = checksum(hash, start as u64, self.bytes.get(start..self.at)?);
        (self.take::<CHECKSUM>()? == sum).then_some(record)
    }
}

/// Bound to the torrent and the place: a record copied elsewhere is none.
fn checksum(hash: InfoHash, place: u64, content: &[u8]) -> [u8; CHECKSUM] {
    let mut sha = Sha1::new();
    sha.update(hash.0);
    sha.update(place.to_be_bytes());
    sha.update(content);
    let digest: [u8; 20] = sha.finalize().into();
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&digest[..CHECKSUM]);
    sum
}

/// Puts `bytes` at `path` so that at any moment either the old or the new file is whole there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0))
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}
