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
use super::layout::Layout;

/// Files open at once. A third of the smallest common limit (256) with room for sockets.
const OPEN_FILES: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not 0");

/// Slices of one `pwritev`: Linux' IOV_MAX.
const SLICES: usize = 1_024;

struct Open {
    file: Arc<File>,
    access: Access,
}

struct Names {
    path: Vec<String>,
    unfinished: Vec<String>,
    length: u64,
    place: Place,
}

/// Files on disk.
pub(crate) struct Files {
    root: PathBuf,
    folder: Folder,
    names: Vec<Names>,
    open: LruCache<usize, Open>,
}

impl Files {
    /// Below `root`, which must exist. Looks which files are there; opens none.
    pub(crate) fn new(root: PathBuf, layout: &Layout) -> io::Result<Files> {
        let folder = Folder::open(&root)?;
        let mut files = Files {
            root,
            folder,
            names: Vec::new(),
            open: LruCache::new(OPEN_FILES),
        };
        for (index, entry) in layout.files.iter().enumerate() {
            files.names.push(Names {
                path: entry.path.clone(),
                unfinished: entry.unfinished.clone(),
                length: entry.length,
                place: Place::Missing,
            });
            if layout.is_data(index) {
                files.find(index)?;
            }
        }
        Ok(files)
    }

    /// Looks under both names. The final one wins: nothing is ever renamed over it.
    fn find(&mut self, index: usize) -> io::Result<()> {
        let names = self.names.get_mut(index).ok_or(io::ErrorKind::NotFound)?;
        let both = [
            (&names.path, Place::Final),
            (&names.unfinished, Place::Unfinished),
        ];
        for (path, place) in both {
            match self.folder.file(path, Access::Read) {
                Ok(_) => {
                    names.place = place;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        names.place = Place::Missing;
        Ok(())
    }

    fn opened(&mut self, index: usize, access: Access) -> io::Result<Arc<File>> {
        if let Some(open) = self.open.get(&index)
            && (open.access != Access::Read || access == Access::Read)
        {
            return Ok(Arc::clone(&open.file));
        }
        let names = self.names.get_mut(index).ok_or(io::ErrorKind::NotFound)?;
        let (path, place, access) = match (names.place, access) {
            (Place::Missing, Access::Read) => return Err(io::ErrorKind::NotFound.into()),
            (Place::Missing | Place::Unfinished, Access::Create) => {
                (&names.unfinished, Place::Unfinished, Access::Create)
            }
            (Place::Final, Access::Create) => (&names.path, Place::Final, Access::Create),
            (Place::Final, other) => (&names.path, Place::Final, other),
            (_, other) => (&names.unfinished, Place::Unfinished, other),
        };
        let file = match self.folder.file(path, access) {
            Ok(file) => Arc::new(file),
            Err(error) => {
                if error.kind() == io::ErrorKind::NotFound {
                    names.place = Place::Missing;
                }
                return Err(error);
            }
        };
        names.place = place;
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
        self.names
            .get(file)
            .map_or(Place::Missing, |names| names.place)
    }

    fn handle(&mut self, file: usize) -> io::Result<Option<Arc<File>>> {
        self.opened(file, Access::Read).map(Some)
    }

    fn finish(&mut self, index: usize) -> io::Result<()> {
        let length = self.names.get(index).map_or(0, |names| names.length);
        if length == 0 && self.place(index) == Place::Missing {
            // Straight to its name: there is nothing in it that could be wrong.
            let names = self.names.get_mut(index).ok_or(io::ErrorKind::NotFound)?;
            self.folder.file(&names.path, Access::Create)?.sync_all()?;
            names.place = Place::Final;
            return Ok(());
        }
        let file = self.opened(index, Access::Write)?;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
            file.sync_all()?;
        }
        let names = self.names.get_mut(index).ok_or(io::ErrorKind::NotFound)?;
        if names.place == Place::Unfinished {
            self.folder.rename(&names.unfinished, &names.path)?;
            names.place = Place::Final;
        }
        Ok(())
    }

    fn sync_names(&mut self, files: &[usize]) -> io::Result<()> {
        // Thousands of small files lie in a few folders: each is synced once.
        let names = files.iter().filter_map(|file| self.names.get(*file));
        let folders: BTreeSet<&[String]> = names
            .flat_map(|names| (0..names.path.len()).filter_map(|depth| names.path.get(..depth)))
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
        let Some(names) = self.names.get(file) else {
            return self.root.clone();
        };
        let path = match names.place {
            Place::Final => &names.path,
            Place::Missing | Place::Unfinished => &names.unfinished,
        };
        path.iter()
            .fold(self.root.clone(), |path, component| path.join(component))
    }
}
