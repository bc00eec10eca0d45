//! Which torrents a tracker serves: all, or those on a list.
//!
//! A list is text, one info hash a line in hex or base32 (as opentracker's lists); what stands behind
//! the first space is a note, `#` begins a comment. Knows no files.

use crate::metainfo::{InfoHash, InfoHashError};

/// Longest list, in torrents: 20 MB of memory.
pub const MAX_ALLOWED: usize = 1 << 20;

/// The torrents that are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allowed {
    /// Whichever is announced.
    #[default]
    All,
    /// These, in order.
    Listed(Vec<InfoHash>),
}

/// What is wrong with a list.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AllowedError {
    /// A line that begins with no info hash.
    #[error("line {line}: {error}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why it is none.
        error: InfoHashError,
    },
    /// Above [`MAX_ALLOWED`].
    #[error("more than {MAX_ALLOWED} torrents")]
    TooMany,
}

impl Allowed {
    /// Reads a list.
    ///
    /// # Errors
    /// The first line that is none of a list.
    pub fn parse(text: &str) -> Result<Allowed, AllowedError> {
        let mut hashes = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let Some(word) = line.split_whitespace().next() else {
                continue;
            };
            if hashes.len() >= MAX_ALLOWED {
                return Err(AllowedError::TooMany);
            }
            let line = number + 1;
            hashes.push(
                word.parse()
                    .map_err(|error| AllowedError::Line { line, error })?,
            );
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Allowed::Listed(hashes))
    }

    /// Whether this torrent is served.
    pub fn admits(&self, hash: &InfoHash) -> bool {
        match self {
            Allowed::All => true,
            Allowed::Listed(hashes) => hashes.binary_search(hash).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_hash_a_line_and_room_for_notes() {
        let text = "# ours\n\n3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f\n\
                    0000000000000000000000000000000000000001 - a name # and more\n\
                    3B2449EF5C8F0B5E2F1A7C6D9E8F0A1B2C3D4E5F\n";
        let allowed = Allowed::parse(text).unwrap();
        let Allowed::Listed(hashes) = &allowed else {
            panic!("a list")
        };
        assert_eq!(hashes.len(), 2);
        assert!(allowed.admits(&"3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f".parse().unwrap()));
        assert!(!allowed.admits(&InfoHash([0; 20])));
        assert!(Allowed::All.admits(&InfoHash([0; 20])));
    }

    #[test]
    fn an_empty_list_serves_nothing() {
        let allowed = Allowed::parse("\n# nothing\n").unwrap();
        assert!(!allowed.admits(&InfoHash([0; 20])));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = Allowed::parse("# x\nabc\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
        let hash = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f\n";
        assert_eq!(
            Allowed::parse(&hash.repeat(MAX_ALLOWED + 1)),
            Err(AllowedError::TooMany)
        );
    }
}
