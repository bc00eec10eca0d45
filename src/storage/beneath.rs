//! Opening files below a folder without ever leaving it or following a link.
//!
//! Threat: a torrent names the path of a link that an earlier torrent, or anybody else who may write
//! there, has planted; `create` through it would overwrite a file elsewhere. Every open is relative
//! to the folder's descriptor with `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`; where the kernel
//! lacks it (before 5.6), or forbids it, component by component with `O_NOFOLLOW`.
//!
//! Invariant: no component is empty, `.`, `..` or contains `/` or NUL. Knows no torrent.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

/// Linux' PATH_MAX is 4,096; longer paths are walked.
const LONGEST_PATH: usize = 4_000;

/// What an absent folder on the way means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parents {
    /// Not found.
    Required,
    /// They are made.
    Created,
}

/// How to open a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// It must exist.
    Read,
    /// It must exist.
    Write,
    /// It is made with its folders if it does not exist.
    Create,
}

/// A folder nothing escapes from.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// The folder at `path`, whose own components may be links: the user named it.
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Folder(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// The folder itself, for `fstat` and `syncfs`.
    pub(crate) fn handle(&self) -> io::Result<File> {
        Ok(File::from(self.0.try_clone()?))
    }

    /// A regular file. Anything else (folder, link, device, pipe) is an error and is not waited for.
    pub(crate) fn file(&self, path: &[String], access: Access) -> io::Result<File> {
        let (flags, parents) = match access {
            Access::Read => (OFlags::RDONLY, Parents::Required),
            Access::Write => (OFlags::RDWR, Parents::Required),
            Access::Create => (OFlags::RDWR | OFlags::CREATE, Parents::Created),
        };
        let (folder, name) = self.parent(path, parents)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(
            folder.as_fd(),
            name,
            flags,
            Mode::from_raw_mode(0o666),
        )?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(file)
    }

    /// Gives a file its final name. Nothing is replaced.
    pub(crate) fn rename(&self, from: &[String], to: &[String]) -> io::Result<()> {
        let (old_folder, old) = self.parent(from, Parents::Required)?;
        let (folder, new) = self.parent(to, Parents::Created)?;
        let (old_fd, fd) = (old_folder.as_fd(), folder.as_fd());
        match rustix::fs::renameat_with(old_fd, old, fd, new, RenameFlags::NOREPLACE) {
            // Not every file system knows the flag.
            Err(Errno::INVAL | Errno::NOSYS) => {
                if rustix::fs::statat(fd, new, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    return Err(Errno::EXIST.into());
                }
                rustix::fs::renameat(old_fd, old, fd, new)?;
            }
            other => other?,
        }
        Ok(())
    }

    /// Makes the names in a folder below this one durable; in this one if `path` is empty.
    pub(crate) fn sync(&self, path: &[String]) -> io::Result<()> {
        sync(self.walk(path, Parents::Required)?.as_fd())
    }

    fn parent<'p>(&self, path: &'p [String], parents: Parents) -> io::Result<(OwnedFd, &'p str)> {
        if !path.iter().all(|component| is_plain(component)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a plain path",
            ));
        }
        let (name, folders) = path
            .split_last()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an empty path"))?;
        let joined = folders.join("/");
        if folders.is_empty() {
            return Ok((self.0.try_clone()?, name));
        }
        if joined.len() <= LONGEST_PATH {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.0, joined, folder_flags(), Mode::empty(), resolve) {
                Ok(folder) => return Ok((folder, name)),
                Err(Errno::NOENT) if parents == Parents::Created => {}
                // Unknown to the kernel, or forbidden by a filter that does not know it.
                Err(Errno::NOSYS | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((self.walk(folders, parents)?, name))
    }

    fn walk(&self, folders: &[String], parents: Parents) -> io::Result<OwnedFd> {
        let mut here = self.0.try_clone()?;
        for name in folders {
            if parents == Parents::Created {
                match rustix::fs::mkdirat(&here, name.as_str(), Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            here = rustix::fs::openat(&here, name.as_str(), folder_flags(), Mode::empty())?;
        }
        Ok(here)
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn sync(folder: BorrowedFd<'_>) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        // Some network file systems cannot sync a folder; there is nothing more to be done there.
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        other => Ok(other?),
    }
}

fn is_plain(component: &str) -> bool {
    !matches!(component, "" | "." | "..") && !component.contains(['/', '\0'])
}
