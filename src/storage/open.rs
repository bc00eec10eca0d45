//! Opening a torrent's storage: lock, journal, files, check.
//!
//! Invariant: a file that is something else is not written to unless the user insists. Knows no
//! peers.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::backing::{Fingerprint, Place, Storage};
use super::check::{self, CheckProgress, Findings, OpenMode, Recorded};
use super::claim::{self, Claimed};
use super::disk::{Disk, Standing, Watched};
use super::error::{OpenError, is_full, is_read_only};
use super::files::Files;
use super::foreign;
use super::journal::{self, Record, Unreadable};
use super::layout::Layout;
use super::lock::{self, Lock, Tried};
use super::neighbours::{Neighbours, Newcomer};
use super::notes::{Beginning, Notes, ranges};
use super::sync::Unsynced;
use crate::metainfo::{Info, InfoHash};
use crate::swarm::Bitfield;

/// Bytes hashed at once when a piece is read back.
const BUFFER: usize = 256 << 10;

/// Where a torrent's files and notes are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The folder in which the torrent's file or folder appears. Made if it is missing.
    pub output: PathBuf,
    /// The folder for journals; `None`: nothing is remembered and nothing locked.
    pub state: Option<PathBuf>,
}

/// A torrent's storage, ready.
pub struct Opened {
    /// For jobs.
    pub disk: Disk,
    /// The pieces that are there.
    pub have: Bitfield,
}

struct Kept {
    path: PathBuf,
    lock: Lock,
    records: Vec<Record>,
}

impl Disk {
    /// Opens a torrent's storage and finds out which pieces are there; may hash all of it, and says
    /// how far it is.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing was changed then but folders made, files locked and, of a torrent
    /// in a folder, a journal begun that claims nothing.
    pub fn open(
        info: Arc<Info>,
        location: Location,
        mode: OpenMode,
        progress: &mut dyn FnMut(CheckProgress),
    ) -> Result<Opened, OpenError> {
        let layout = Layout::of(Arc::clone(&info));
        Disk::open_layout(
            layout,
            (info.info_hash(), info.raw()),
            location,
            mode,
            progress,
        )
    }

    /// See [`Disk::open`].
    pub(super) fn open_layout(
        layout: Layout,
        (hash, info): (InfoHash, &Bytes),
        location: Location,
        mode: OpenMode,
        progress: &mut dyn FnMut(CheckProgress),
    ) -> Result<Opened, OpenError> {
        let layout = Arc::new(layout);
        let Location { output, state } = location;
        let kept = match &state {
            Some(state) => Some(keep(state, &output, (hash, info, &layout), mode)?),
            None => None,
        };
        let records = kept.as_ref().map_or(&[][..], |kept| &kept.records);
        let recorded = Recorded::new(&layout, records);
        let device = device_of(&output).map_err(refused(&output, "find"))?;
        let suspected = mode != OpenMode::Force && recorded.lay_elsewhere(device);
        // Before anything is made: below an empty mount point it would hide when the disk comes back.
        if suspected && !output.exists() {
            return Err(OpenError::Elsewhere { path: output });
        }
        make_folder(&output).map_err(refused(&output, "create"))?;
        let mut files = look_below(&output, &layout)?;
        if suspected && !files.has_any() {
            return Err(OpenError::Elsewhere { path: output });
        }
        let mut findings = check::examine(&layout, &mut files, &recorded, mode, progress);
        if let Some(path) = foreign::judge(&layout, &files, &recorded, mode, &mut findings) {
            return Err(OpenError::Conflict { path });
        }
        room(&layout, &findings.have, &output)?;
        let top = output.join(&layout.name);
        // From here on the torrent is ours: what is found becomes durable before it is recorded.
        let mut disk = Disk::ready(layout, Box::new(files), findings, top);
        disk.sync_found()?;
        if let Some(kept) = kept {
            disk.notes = start_notes(kept, (hash, info), device, &disk);
        }
        // A run that was killed may have left complete files under their unfinished names.
        if let Err(error) = disk.settle(0..disk.files.len()) {
            tracing::warn!(?error, "a complete file could not get its name");
        }
        Ok(Opened {
            have: disk.durable.clone(),
            disk,
        })
    }

    /// A machine over what was found; without notes.
    pub(super) fn ready(
        layout: Arc<Layout>,
        storage: Box<dyn Storage>,
        findings: Findings,
        top: PathBuf,
    ) -> Disk {
        let unsure: BTreeSet<u32> = findings.unsure.iter_set().collect();
        let shaky: BTreeSet<usize> = unsure
            .iter()
            .flat_map(|piece| layout.piece_spans(*piece).map(|span| span.file))
            .collect();
        let watched = |(file, (seen, protected))| Watched {
            standing: if shaky.contains(&file) {
                Standing::Disturbed
            } else {
                Standing::Open
            },
            seen,
            protected,
        };
        let files = findings.seen.into_iter().zip(findings.protected);
        Disk {
            layout,
            storage,
            notes: Notes::default(),
            notes_due: None,
            durable: findings.have,
            verified: findings.hashed,
            files: files.enumerate().map(watched).collect(),
            unsynced: Unsynced::default(),
            syncing: Vec::new(),
            doubtful: BTreeSet::new(),
            doubts_due: None,
            lost: BTreeSet::new(),
            untold: BTreeSet::new(),
            unsure,
            named: BTreeSet::new(),
            buffer: vec![0; BUFFER],
            top,
        }
    }

    /// What was found by hashing may be in the page cache only: after a `kill -9` it is.
    fn sync_found(&mut self) -> Result<(), OpenError> {
        let mut synced_files = Vec::new();
        for file in 0..self.files.len() {
            let found = self
                .layout
                .pieces_of(file)
                .any(|piece| self.verified.has(piece));
            if !found || !self.layout.is_data(file) {
                continue;
            }
            let synced = match self.storage.handle(file) {
                Ok(Some(handle)) => handle.sync_data(),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            match synced {
                // Nothing on a read-only device waits to be written, and some cannot even be asked.
                Err(error) if is_read_only(&error) => {}
                other => other.map_err(refused(&self.storage.path(file), "sync"))?,
            }
            synced_files.push(file);
        }
        // If it fails, what is found now may have to be fetched after a power cut: no false claim.
        if self.storage.sync_names(&synced_files).is_ok() {
            self.named.extend(synced_files);
        }
        Ok(())
    }
}

fn refused<'a>(
    path: &'a Path,
    operation: &'static str,
) -> impl FnOnce(io::Error) -> OpenError + use<'a> {
    move |error| {
        if is_full(&error) {
            return OpenError::NoSpace {
                needed: 1,
                free: free_space(path).unwrap_or(0),
            };
        }
        OpenError::Io {
            path: path.to_owned(),
            operation,
            error,
        }
    }
}

/// Looks which files are there; what cannot be looked at is named.
fn look_below(root: &Path, layout: &Arc<Layout>) -> Result<Files, OpenError> {
    Files::new(root.to_owned(), Arc::clone(layout))
        .map_err(|(path, error)| refused(&path, "open")(error))
}

/// Locks, then reads what was recorded.
fn keep(
    state: &Path,
    output: &Path,
    (hash, info, layout): (InfoHash, &Bytes, &Layout),
    mode: OpenMode,
) -> Result<Kept, OpenError> {
    make_folder(state).map_err(refused(state, "create"))?;
    let digest = |path: &Path| whole_path(path).map(|whole| digest_of(&whole));
    let name = digest(&output.join(&layout.name)).map_err(refused(output, "find"))?;
    let name = state.join(format!("{name}.name"));
    // The same torrent may lie in two folders, in two states.
    let folder = digest(output).map_err(refused(output, "find"))?;
    let journal = |hash: &str| state.join(format!("{hash}-{folder}.journal"));
    let is_folder = layout
        .files
        .first()
        .is_some_and(|entry| entry.path.len() > 1);
    let gate = name.with_extension("gate");
    let _gate = is_folder
        .then(|| lock::wait(&gate).map_err(refused(&gate, "lock")))
        .transpose()?;
    let path = journal(&hash.to_string());
    let lock_path = path.with_extension("lock");
    let lock = match lock::lock(&lock_path).map_err(refused(&lock_path, "lock"))? {
        Tried::Locked(lock) => lock,
        Tried::Taken(process) => {
            return Err(OpenError::Locked {
                path: output.to_owned(),
                process,
            });
        }
    };
    let lock = lock.and(have_name(output, (hash, layout), &name, mode, &journal)?);
    let records = match journal::read(&path, hash) {
        Ok(contents) => contents.records,
        Err(Unreadable::Missing) => Vec::new(),
        Err(Unreadable::Damaged) => {
            tracing::warn!(path = %path.display(), "damaged state is set aside");
            // If it cannot be kept for people to look at, it is replaced.
            let _ = std::fs::rename(&path, path.with_extension("damaged"));
            Vec::new()
        }
        Err(Unreadable::Newer(version)) => return Err(OpenError::Newer { path, version }),
        Err(Unreadable::Io(error)) => return Err(refused(&path, "read")(error)),
    };
    if is_folder {
        let neighbours = Neighbours {
            list: &name,
            output,
            journal: &journal,
        };
        let newcomer = Newcomer {
            hash,
            layout,
            info,
            recorded: &Recorded::new(layout, &records),
            mode,
        };
        if let Some(path) = neighbours.meet(&newcomer).map_err(refused(&name, "read"))? {
            return Err(OpenError::Others { path });
        }
    }
    Ok(Kept {
        path,
        lock,
        records,
    })
}

/// Claims the torrent's name in the output folder.
fn have_name(
    output: &Path,
    (hash, layout): (InfoHash, &Layout),
    path: &Path,
    mode: OpenMode,
    journal: &dyn Fn(&str) -> PathBuf,
) -> Result<Lock, OpenError> {
    let has_journal = |hash: &str| journal(hash).exists();
    match claim::claim(path, output, layout, hash, mode, has_journal)
        .map_err(refused(path, "lock"))?
    {
        Claimed::Ours(lock) => Ok(lock),
        Claimed::Others => Err(OpenError::Conflict {
            path: output.join(&layout.name),
        }),
    }
}

/// A name for a path, of 16 hex digits.
fn digest_of(path: &Path) -> String {
    let digest = hex::encode(Sha1::digest(path.as_os_str().as_encoded_bytes()));
    digest.get(..16).unwrap_or(&digest).to_owned()
}

/// A path without links and relative parts, also if its end does not exist yet.
fn whole_path(path: &Path) -> io::Result<PathBuf> {
    let (existing, rest) = existing(path);
    let whole = existing.canonicalize()?;
    Ok(rest.map_or_else(|| whole.clone(), |rest| whole.join(rest)))
}

/// The nearest ancestor that exists, and what is missing below it.
fn existing(path: &Path) -> (&Path, Option<&Path>) {
    let mut ancestors = path.ancestors();
    let found = ancestors.find(|it| !it.as_os_str().is_empty() && it.exists());
    let found = found.unwrap_or(Path::new("."));
    let rest = path.strip_prefix(found).unwrap_or(path);
    (
        found,
        Some(rest).filter(|rest| !rest.as_os_str().is_empty()),
    )
}

/// The device of a folder, or on which it would be made.
fn device_of(path: &Path) -> io::Result<u64> {
    Ok(rustix::fs::stat(existing(path).0)?.st_dev)
}

/// Makes a folder and those above it, so that a power cut does not take it away with all that is in it.
fn make_folder(path: &Path) -> io::Result<()> {
    let (found, rest) = existing(path);
    if rest.is_none() {
        // What is no folder is found out by whoever looks into it.
        return Ok(());
    }
    let above = found.to_owned();
    std::fs::create_dir_all(path)?;
    let made = path.ancestors().skip(1);
    for folder in made.take_while(|it| it.starts_with(&above)) {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        // Some folders may be passed and not opened, some file systems cannot sync folders.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// The raw `info` dictionary of a torrent that was open before, in whatever folder: a magnet link
/// then needs no network to be resumed.
pub fn saved_info(state: &Path, hash: InfoHash) -> Option<Bytes> {
    let prefix = format!("{hash}-");
    let mut names: Vec<PathBuf> = std::fs::read_dir(state)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&prefix) && name.ends_with(".journal"))
        })
        .collect();
    names.sort();
    let mut saved = names
        .iter()
        .filter_map(|path| journal::read(path, hash).ok());
    saved
        .find(|contents| Sha1::digest(&contents.info)[..] == hash.0)
        .map(|found| found.info)
}

/// Refuses only if not even one more piece fits: which files are wanted is not known here.
fn room(layout: &Layout, have: &Bitfield, output: &Path) -> Result<(), OpenError> {
    let size = |piece| u64::from(layout.geometry.piece_size(piece));
    let present: u64 = have.iter_set().map(size).sum();
    let needed = layout.geometry.total_length().saturating_sub(present);
    let free = free_space(output).map_err(refused(output, "measure"))?;
    if needed > 0 && free < needed.min(u64::from(layout.geometry.piece_length())) {
        return Err(OpenError::NoSpace { needed, free });
    }
    Ok(())
}

/// Starts the journal anew with what still holds. Its end is not a clean one: until this run ends.
fn start_notes(kept: Kept, (hash, info): (InfoHash, &Bytes), device: u64, disk: &Disk) -> Notes {
    let mut records = ranges(disk.durable.iter_set());
    records.push(Record::Device(device));
    // Whose they are comes first: after a `kill -9` what we have added must not pass as foreign,
    // nor what was there before us as ours.
    records.extend(disk.files.iter().enumerate().filter_map(|(file, watched)| {
        let print = watched
            .seen
            .filter(|_| disk.storage.place(file) == Place::Final)?;
        let size = watched.protected;
        Some(Record::Seen(
            u32::try_from(file).ok()?,
            Fingerprint { size, ..print },
        ))
    }));
    records.push(Record::Opened);
    let beginning = Beginning {
        path: kept.path,
        hash,
        info: info.clone(),
    };
    Notes::new(beginning, records, kept.lock)
}

/// Bytes that this user may still write below a folder, or below its nearest ancestor that exists.
///
/// # Errors
/// What `statvfs` gives.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let existing = path
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(existing)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Hashes a torrent's files, finished or not, without changing anything; the pieces that are wrong
/// or missing.
///
/// # Errors
/// The folder cannot be opened, or a link or folder lies where a file should.
pub fn verify(
    info: Arc<Info>,
    root: &Path,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<Vec<u32>, OpenError> {
    let layout = Arc::new(Layout::of(info));
    let mut files = look_below(root, &layout)?;
    let recorded = Recorded::new(&layout, &[]);
    let found = check::examine(&layout, &mut files, &recorded, OpenMode::Check, progress);
    Ok((0..layout.geometry.piece_count())
        .filter(|piece| !found.have.has(*piece))
        .collect())
}
