//! `--svg` of the `dht` commands: from what the DHT told to the pictures, and their files.
//!
//! A picture's file is written before the command ends, whatever the command found. Knows nothing of
//! how a picture looks ([`crate::picture`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::exit::Failure;
use crate::io::{Answer, View};
use crate::metainfo::InfoHash;
use crate::picture::lookup::{Dot, Kind, Trace};
use crate::picture::table::Seats;

/// A lookup that has found nothing yet.
pub(super) fn blank(target: InfoHash) -> Trace {
    Trace {
        target: target.to_string(),
        dots: Vec::new(),
    }
}

/// The dot of an answer, `at` since the lookup began. Who did not answer is not told, so there are
/// no dots for that.
pub(super) fn dot(at: Duration, answer: &Answer) -> Dot {
    let kind = if answer.peers > 0 {
        Kind::Peers
    } else {
        Kind::Nodes
    };
    Dot {
        at,
        bits: answer.bits,
        kind,
    }
}

/// A picture of each family's routing table that is not empty, IPv4 before IPv6; one of an empty
/// table if both are.
pub(super) fn tables(view: &View, now: Instant) -> Vec<String> {
    let taken = |table: &Vec<Vec<_>>| table.iter().any(|bucket| !bucket.is_empty());
    let empty = !view.tables.iter().any(|(_, table)| taken(table));
    let shown = view.tables.iter().filter(|(_, table)| taken(table));
    let shown = shown.chain(view.tables.iter().take(usize::from(empty)));
    let draw = |table: &[Vec<_>]| Seats::of(view.id.to_string(), None, table, now).to_svg();
    shown.map(|(_, table)| draw(table)).collect()
}

/// Writes the first picture to `path`, the others to `FILE-2.svg` and so on.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(path: &Path, pictures: &[String]) -> Result<(), Failure> {
    for (i, svg) in pictures.iter().enumerate() {
        let path = numbered(path, i + 1);
        let failed = |e| Failure::io(format!("writing {}", path.display()), &e);
        fs::write(&path, svg).map_err(failed)?;
    }
    Ok(())
}

/// The file of the picture of this number, from 1.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|e| e.to_string_lossy());
    let extension = extension.as_deref().unwrap_or("svg");
    path.with_file_name(format!("{stem}-{number}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dht::{Contact, Id};

    fn answer(bits: usize, peers: usize) -> Answer {
        Answer {
            from: Contact {
                id: Id::from([7; 20]),
                endpoint: "10.0.0.1:1".parse().expect("an endpoint"),
            },
            bits,
            nodes: 8,
            peers,
            rtt: Duration::from_millis(50),
        }
    }

    #[test]
    fn an_answer_with_peers_is_another_dot_than_one_without() {
        let at = Duration::from_millis(200);
        let kinds = [0, 3].map(|peers| dot(at, &answer(9, peers)).kind);
        assert_eq!(kinds, [Kind::Nodes, Kind::Peers]);
        assert_eq!(dot(at, &answer(9, 0)).bits, 9);
    }

    #[test]
    fn further_pictures_are_numbered_and_a_folder_is_no_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t.svg");
        write(&path, &["a".to_owned(), "b".to_owned()]).expect("written");
        let second = fs::read_to_string(dir.path().join("t-2.svg"));
        assert_eq!(second.expect("a second file"), "b");
        assert!(write(dir.path(), &["a".to_owned()]).is_err());
    }
}
