//! A torrent's files below its output folder, unfinished ones as `name.part`.
//!
//! Invariant: at most [`OPEN_FILES`] are open, no link is followed, nothing outside the folder is
//! touched, nothing that exists is replaced. Knows neither pieces nor hashes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IoSlice};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use lru::LruCache;
use rustix::fs::SeekFrom;

use super::backing::{Fingerprint, Place, Storage};
use super::beneath::{Access, Folder};
use super::layout::{Entry, Layout};

/// Files open at once. A third of the smallest common limit (256) with room for sockets.
const OPEN_FILES: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not 0");

/// Slices of one `pwritev`: Linux' IOV_MAX.
const SLICES: usize = 1_024;

/// A file that is open, and for what: reading asks for no right to write, so that a read-only
/// device can be shared from.
struct Open {
    file: Arc<File>,
    access: Access,
}

/// Files on disk.
pub(crate) struct Files {
    root: PathBuf,
    folder: Folder,
    layout: Arc<Layout>,
    places: Vec<Place>,
    open: LruCache<usize, Open>,
}

impl Files {
    /// Below `root`, which must exist. Looks which files are there; keeps none open.
    ///
    /// # Errors
    /// What is not a file of ours to read, with its path.
    pub(crate) fn new(root: PathBuf, layout: Arc<Layout>) -> Result<Files, (PathBuf, io::Error)> {
        let folder = Folder::open(&root).map_err(|error| (root.clone(), error))?;
        let mut files = Files {
            folder,
            root,
            places: vec![Place::Missing; layout.files.len()],
            layout,
            open: LruCache::new(OPEN_FILES),
        };
        for index in 0..files.places.len() {
            if files.layout.is_data(index) {
                files
                    .find(index)
                    .map_err(|(place, error)| (files.path_at(index, place), error))?;
            }
        }
        Ok(files)
    }

    /// Looks under both names. The final one wins: nothing is ever renamed over it.
    fn find(&mut self, index: usize) -> Result<(), (Place, io::Error)> {
        for place in [Place::Final, Place::Unfinished] {
            let found = self
                .name(index, place)
                .and_then(|name| self.folder.file(&name, Access::Read));
            match found {
                Ok(_) => {
                    self.set_place(index, place);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((place, error)),
            }
        }
        self.set_place(index, Place::Missing);
        Ok(())
    }

    /// Whether any file is there, finished or not.
    pub(crate) fn has_any(&self) -> bool {
        self.places.iter().any(|place| *place != Place::Missing)
    }

    fn path_at(&self, index: usize, place: Place) -> PathBuf {
        let path = self.name(index, place).unwrap_or_default();
        path.iter()
            .fold(self.root.clone(), |path, component| path.join(component))
    }

    fn entry(&self, index: usize) -> io::Result<&Entry> {
        self.layout
            .files
            .get(index)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn name(&self, index: usize, place: Place) -> io::Result<Vec<String>> {
        let entry = self.entry(index)?;
        Ok(if place == Place::Final {
            entry.path.clone()
        } else {
            entry.unfinished()
        })
    }

    fn set_place(&mut self, index: usize, place: Place) {
        if let Some(entry) = self.places.get_mut(index) {
            *entry = place;
        }
    }

    fn opened(&mut self, index: usize, access: Access) -> io::Result<Arc<File>> {
        if let Some(open) = self.open.get(&index)
            && (open.access != Access::Read || access == Access::Read)
        {
            return Ok(Arc::clone(&open.file));
        }
        // Only a write makes a file, and it makes the unfinished one: the final name is a promise.
        let place = match self.place(index) {
            Place::Missing if access == Access::Create => Place::Unfinished,
            Place::Missing => return Err(io::ErrorKind::NotFound.into()),
            place => place,
        };
        let path = self.name(index, place)?;
        let file = match self.folder.file(&path, access) {
            Ok(file) => Arc::new(file),
            Err(error) => {
                if error.kind() == io::ErrorKind::NotFound {
                    self.set_place(index, Place::Missing);
                }
                return Err(error);
            }
        };
        self.set_place(index, place);
        self.open.put(
            index,
            Open {
                file: Arc::clone(&file),
                access,
            },
        );
        Ok(file)
    }
}

impl Storage for Files {
    fn write(&mut self, file: usize, offset: u64, data: &mut [IoSlice<'_>]) -> io::Result<()> {
        let file = self.opened(file, Access::Create)?;
        let (mut rest, mut offset) = (data, offset);
        // Empty slices in front would make the kernel write nothing, which looks like an error.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let batch = rest.get(..SLICES).unwrap_or(rest);
            let written = match rustix::io::pwritev(&*file, batch, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            offset = offset.saturating_add(written as u64);
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    fn read(&mut self, file: usize, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.opened(file, Access::Read)?;
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&*file, rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn fingerprint(&mut self, file: usize) -> Option<Fingerprint> {
        let handle = self.opened(file, Access::Read).ok()?;
        let stat = rustix::fs::fstat(&*handle).ok()?;
        if stat.st_nlink == 0 {
            // Removed, or another file was moved over it: look again at the next use.
            self.open.pop(&file);
            self.find(file).ok()?;
            return None;
        }
        let nanos =
            |seconds: i64, nanos: u64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Some(Fingerprint {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).ok()?,
            modified: nanos(stat.st_mtime, stat.st_mtime_nsec),
            changed: nanos(stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    fn place(&self, file: usize) -> Place {
        self.places.get(file).copied().unwrap_or(Place::Missing)
    }

    fn handle(&mut self, file: usize) -> io::Result<Option<Arc<File>>> {
        self.opened(file, Access::Read).map(Some)
    }

    fn file_system(&mut self, files: &[usize]) -> Option<Arc<File>> {
        let folder = self.folder.handle().ok()?;
        let device = rustix::fs::fstat(&folder).ok()?.st_dev;
        let same = |file: &usize| {
            self.fingerprint(*file)
                .is_some_and(|now| now.device == device)
        };
        files.iter().all(same).then(|| Arc::new(folder))
    }

    fn finish(&mut self, index: usize) -> io::Result<()> {
        let Entry { path, length, .. } = self.entry(index)?.clone();
        if length == 0 && self.place(index) == Place::Missing {
            // Straight to its name: there is nothing in it that could be wrong.
            self.folder.file(&path, Access::Create)?.sync_all()?;
            self.set_place(index, Place::Final);
            return Ok(());
        }
        let file = self.opened(index, Access::Write)?;
        // Longer than it shall be: a forced overwrite, or somebody's tail behind our bytes.
        if file.metadata()?.len() != length {
            file.set_len(length)?;
            file.sync_all()?;
        }
        if self.place(index) == Place::Unfinished {
            self.folder
                .rename(&self.name(index, Place::Unfinished)?, &path)?;
            self.set_place(index, Place::Final);
        }
        Ok(())
    }

    fn sync_names(&mut self, files: &[usize]) -> io::Result<()> {
        // Thousands of small files lie in a few folders: each is synced once.
        let paths = files
            .iter()
            .filter_map(|file| self.entry(*file).ok().map(|entry| &entry.path));
        let folders: BTreeSet<&[String]> = paths
            .flat_map(|path| (0..path.len()).filter_map(|depth| path.get(..depth)))
            .collect();
        folders
            .into_iter()
            .rev()
            .try_for_each(|folder| self.folder.sync(folder))
    }

    fn next_data(&mut self, file: usize, offset: u64) -> Option<u64> {
        let handle = self.opened(file, Access::Read).ok()?;
        match rustix::fs::seek(&*handle, SeekFrom::Data(offset)) {
            Ok(found) => Some(found),
            Err(rustix::io::Errno::NXIO) => None,
            // A file system without holes: all of it counts as data.
            Err(_) => Some(offset).filter(|at| handle.metadata().is_ok_and(|m| *at < m.len())),
        }
    }

    fn path(&self, file: usize) -> PathBuf {
        self.path_at(file, self.place(file))
    }
}
