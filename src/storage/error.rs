//! Why a torrent's storage cannot be opened, in words for people.
//!
//! Knows nothing of how the errors come about.

use std::io;
use std::path::PathBuf;

/// Why a torrent's storage cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The device has no room.
    #[error("not enough space: {needed} bytes are missing, {free} are free")]
    NoSpace {
        /// Bytes of the pieces that are missing.
        needed: u64,
        /// Bytes free for us.
        free: u64,
    },
    /// Another process has this torrent open in this folder.
    #[error("{} is in use by {}", path.display(), holder(*process))]
    Locked {
        /// The output folder.
        path: PathBuf,
        /// Who, if it said so.
        process: Option<u32>,
    },
    /// The files lay on another device, and none of them is here.
    #[error(
        "{} is on another disk than before and holds none of the files: is the disk mounted? \
         (--force starts anew)",
        path.display()
    )]
    Elsewhere {
        /// The output folder.
        path: PathBuf,
    },
    /// Something else is there already. It was not touched.
    #[error("{} exists and is not what this torrent contains", path.display())]
    Conflict {
        /// What is there.
        path: PathBuf,
    },
    /// Another torrent that shares the folder has this file and has not finished it.
    #[error("{} belongs to another torrent, which has not finished it", path.display())]
    Others {
        /// The file's final path.
        path: PathBuf,
    },
    /// A newer version of this program left its notes there.
    #[error("{} was written by a newer version (format {version})", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// The operating system refused.
    #[error("cannot {operation} {}: {error}", path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// A verb: "open", "read", "create".
        operation: &'static str,
        /// What it said.
        error: io::Error,
    },
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".into(), |id| format!("process {id}"))
}

/// Whether the device or the quota is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether writing is not allowed there, at least for now.
pub(crate) fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

/// Whether the device cannot read what it should hold (EIO).
pub(crate) fn is_broken(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Whether nothing can be written there at all, so that nothing waits to be.
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let codes = [Errno::ROFS, Errno::INVAL, Errno::NOTSUP].map(Errno::raw_os_error);
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}
