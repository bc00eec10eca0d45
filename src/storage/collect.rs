//! The files below a path, in an order that does not depend on the file system: for making torrents.
//!
//! Invariant: links and special files are left out. Knows no torrent.

use std::io;
use std::path::{Path, PathBuf};

/// Deepest folder looked into; a torrent's paths are not deeper either.
const DEPTH: usize = 64;

/// The regular files at or below `path`: components below it (the file's own name if `path` is a
/// file), where it is, bytes. Sorted by components.
///
/// # Errors
/// Something cannot be read, a name is not UTF-8, or folders are nested more than 64 deep.
pub fn collect(path: &Path) -> io::Result<Vec<(Vec<String>, PathBuf, u64)>> {
    let metadata = std::fs::metadata(path)?;
    let mut found = Vec::new();
    if metadata.is_file() {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let components = vec![text(Path::new(name))?];
        found.push((components, path.to_owned(), metadata.len()));
        return Ok(found);
    }
    let mut folders = vec![(Vec::<String>::new(), path.to_owned())];
    while let Some((above, folder)) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if !kind.is_file() && !kind.is_dir() {
                continue;
            }
            let mut components = above.clone();
            components.push(text(Path::new(&entry.file_name()))?);
            if components.len() > DEPTH {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "nested too deeply",
                ));
            }
            if kind.is_dir() {
                folders.push((components, entry.path()));
            } else {
                found.push((components, entry.path(), entry.metadata()?.len()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn text(name: &Path) -> io::Result<String> {
    let wrong = || {
        let message = format!("the name {} is not UTF-8", name.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    name.to_str().map(str::to_owned).ok_or_else(wrong)
}
