//! The files below a path, for making a torrent of them: in a fixed order, without following
//! links, so that the same folder gives the same info hash on every machine and no loop is
//! walked.
//!
//! It knows nothing of torrents: names, sizes and where the files lie.

use std::fs;
use std::path::{Path, PathBuf};

use super::exit::{ExitCode, Failure};

/// Most files in one torrent. BEP 3 names none; the `info` dictionary of so many files is about
/// 10 MB, which is what this program accepts from others.
pub const MAX_FILES: usize = 100_000;

/// Most folders inside one another, as for torrents that are read.
pub const MAX_DEPTH: usize = 64;

/// One regular file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Found {
    /// Folders and name below the starting point; empty if the starting point is the file.
    pub path: Vec<String>,
    /// Bytes when it was found.
    pub length: u64,
    /// Where to open it.
    pub place: PathBuf,
}

/// What a walk found.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree {
    /// The last part of the starting point's full path: the torrent's name.
    pub name: String,
    /// In the order of their paths; never empty.
    pub files: Vec<Found>,
    /// Links, devices, sockets that were left out.
    pub skipped: Vec<PathBuf>,
}

impl Tree {
    /// Whether the starting point is a file itself.
    pub fn is_single_file(&self) -> bool {
        matches!(self.files.as_slice(), [only] if only.path.is_empty())
    }

    /// Bytes of all files.
    pub fn total_length(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.length))
    }
}

/// Walks a file or a folder.
///
/// # Errors
/// [`ExitCode::BadInput`] if there is nothing to share or a name is not UTF-8; [`ExitCode::Io`]
/// if something cannot be read.
pub fn walk(start: &Path) -> Result<Tree, Failure> {
    // `.` and `..` have no name of their own; a link as the starting point is meant to be followed.
    let full = fs::canonicalize(start)
        .map_err(|error| Failure::io(format_args!("cannot open {}", start.display()), &error))?;
    let name = match full.file_name() {
        Some(name) => utf8(name, &full)?,
        None => {
            return Err(Failure::new(
                ExitCode::BadInput,
                "a torrent of / has no name",
            ));
        }
    };
    let mut tree = Tree {
        name,
        files: Vec::new(),
        skipped: Vec::new(),
    };
    let found = metadata(&full)?;
    if found.is_file() {
        tree.files.push(Found {
            path: Vec::new(),
            length: found.len(),
            place: full,
        });
    } else if found.is_dir() {
        folder(&full, &mut tree)?;
    }
    if tree.total_length() == 0 {
        let message = format!("there is nothing to share in {}", start.display());
        return Err(Failure::new(ExitCode::BadInput, message));
    }
    tree.files.sort();
    tree.skipped.sort();
    Ok(tree)
}

/// Walks with a list of folders to do instead of recursion.
fn folder(top: &Path, tree: &mut Tree) -> Result<(), Failure> {
    let mut open: Vec<(PathBuf, Vec<String>)> = vec![(top.to_path_buf(), Vec::new())];
    while let Some((dir, below)) = open.pop() {
        if below.len() > MAX_DEPTH {
            let message = format!("{} lies deeper than {MAX_DEPTH} folders", dir.display());
            return Err(Failure::new(ExitCode::BadInput, message));
        }
        let cannot = |error| Failure::io(format_args!("cannot read {}", dir.display()), &error);
        for entry in fs::read_dir(&dir).map_err(cannot)? {
            let place = entry.map_err(cannot)?.path();
            let found = metadata(&place)?;
            let mut path = below.clone();
            path.push(utf8(place.file_name().unwrap_or_default(), &place)?);
            if found.is_dir() {
                open.push((place, path));
            } else if found.is_file() {
                tree.files.push(Found {
                    path,
                    length: found.len(),
                    place,
                });
            } else {
                tree.skipped.push(place);
            }
            if tree.files.len() > MAX_FILES {
                let message = format!("{} has more than {MAX_FILES} files", top.display());
                return Err(Failure::new(ExitCode::BadInput, message));
            }
        }
    }
    Ok(())
}

/// Of the entry itself, not of what a link points to.
fn metadata(path: &Path) -> Result<fs::Metadata, Failure> {
    fs::symlink_metadata(path)
        .map_err(|error| Failure::io(format_args!("cannot read {}", path.display()), &error))
}

/// Names in torrents are UTF-8 (BEP 3); another encoding would be another name elsewhere.
fn utf8(name: &std::ffi::OsStr, path: &Path) -> Result<String, Failure> {
    name.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("the name of {} is not UTF-8", path.display());
        Failure::new(ExitCode::BadInput, message).hint("rename it: names in torrents are UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(files: &[(&str, usize)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, length) in files {
            let place = dir.path().join("t").join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, vec![7; *length]).unwrap();
        }
        dir
    }

    fn paths(tree: &Tree) -> Vec<String> {
        tree.files.iter().map(|file| file.path.join("/")).collect()
    }

    #[test]
    fn a_folder_in_a_fixed_order() {
        let dir = scene(&[
            ("b", 1),
            ("a/z", 2),
            ("a/b", 0),
            ("a.txt", 4),
            (".hidden", 1),
        ]);
        let tree = walk(&dir.path().join("t")).unwrap();
        assert_eq!(tree.name, "t");
        assert_eq!(paths(&tree), [".hidden", "a/b", "a/z", "a.txt", "b"]);
        assert_eq!(tree.total_length(), 8);
        assert!(!tree.is_single_file());
    }

    #[test]
    fn a_single_file() {
        let dir = scene(&[("a", 3)]);
        let tree = walk(&dir.path().join("t/a")).unwrap();
        assert!(tree.is_single_file());
        assert_eq!((tree.name.as_str(), tree.total_length()), ("a", 3));
    }

    #[test]
    fn a_folder_with_one_file_is_no_single_file() {
        let dir = scene(&[("a", 3)]);
        assert!(!walk(&dir.path().join("t")).unwrap().is_single_file());
    }

    #[test]
    fn links_are_left_out_and_told() {
        let dir = scene(&[("a", 3)]);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("t/loop")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("t/b")).unwrap();
        let tree = walk(&dir.path().join("t")).unwrap();
        assert_eq!(paths(&tree), ["a"]);
        assert_eq!(tree.skipped.len(), 2);
    }

    #[test]
    fn nothing_to_share() {
        let dir = scene(&[("a", 0)]);
        for path in ["t", "t/a"] {
            let failure = walk(&dir.path().join(path)).unwrap_err();
            assert_eq!(failure.code, ExitCode::BadInput, "{path}");
        }
        assert_eq!(
            walk(&dir.path().join("none")).unwrap_err().code,
            ExitCode::Io
        );
        assert_eq!(walk(Path::new("/")).unwrap_err().code, ExitCode::BadInput);
    }

    #[test]
    fn names_that_are_not_utf8_are_refused() {
        use std::os::unix::ffi::OsStrExt;
        let dir = scene(&[("a", 1)]);
        let name = std::ffi::OsStr::from_bytes(b"\xff");
        fs::write(dir.path().join("t").join(name), b"x").unwrap();
        assert_eq!(
            walk(&dir.path().join("t")).unwrap_err().code,
            ExitCode::BadInput
        );
    }

    #[test]
    fn depth_is_bounded() {
        let deep = vec!["d"; MAX_DEPTH + 2].join("/");
        let dir = scene(&[(deep.as_str(), 1)]);
        assert_eq!(
            walk(&dir.path().join("t")).unwrap_err().code,
            ExitCode::BadInput
        );
    }
}
