//! Torrents that are published under a key (BEP 46): `magnet:?xs=urn:btpk:KEY&s=SALT` names whoever
//! publishes, and the mutable item of that key and salt (BEP 44) the torrent of the day.
//!
//! Invariant: a [`Publisher`] has a whole key and a salt of at most 64 bytes. A link that names a
//! torrent too (`xt=urn:btih:`) is an ordinary magnet link: it says which one is meant. This file
//! knows no network and checks no signature.

use std::fmt;

use bencode::{Limits, Writer, parse};

use super::info_hash::InfoHash;
use super::magnet::{Escaped, Field, MAX_LINK, MAX_PARAMETERS, MagnetError, MagnetErrorKind};
use super::path;

/// Bytes of an ed25519 public key.
const KEY_LENGTH: usize = 32;

/// Longest salt in bytes (BEP 44, error 207).
const MAX_SALT: usize = 64;

/// Who publishes, and which of his series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The ed25519 public key.
    pub key: [u8; KEY_LENGTH],
    /// Tells apart several series of one key; often empty.
    pub salt: Vec<u8>,
    /// `dn`: what the link calls it; tidied.
    pub name: Option<String>,
}

impl Publisher {
    /// Reads a link; `None` if it names no publisher, or a torrent beside him.
    ///
    /// # Errors
    /// A key or salt that is none.
    pub fn parse(link: &str) -> Result<Option<Self>, MagnetError> {
        let scheme = |start: &str| start.eq_ignore_ascii_case("magnet:?");
        let query = link.get(8..).filter(|_| link.get(..8).is_some_and(scheme));
        let Some(query) = query.filter(|_| link.len() <= MAX_LINK) else {
            // What is wrong with it says whoever reads an ordinary link.
            return Ok(None);
        };
        let (mut key, mut salt, mut name) = (None, Vec::new(), None);
        let mut offset = 8_usize;
        for parameter in query.split('&').take(MAX_PARAMETERS) {
            if let Some((word, text)) = parameter.split_once('=') {
                let offset = offset.saturating_add(word.len()).saturating_add(1);
                let field = Field { text, offset };
                match word {
                    "xs" => key = key.or(public_key(field)?),
                    "s" => salt = salt_of(field)?,
                    "dn" => name = path::component(&field.decode()?).ok(),
                    _ if word.starts_with("xt")
                        && behind(&field.decode()?, "urn:btih:").is_some() =>
                    {
                        return Ok(None);
                    }
                    _ => {}
                }
            }
            offset = offset.saturating_add(parameter.len()).saturating_add(1);
        }
        Ok(key.map(|key| Self { key, salt, name }))
    }
}

/// What follows `scheme`, in either case.
fn behind<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let start = text.get(..scheme.len())?;
    let same = start.eq_ignore_ascii_case(scheme);
    same.then(|| text.get(scheme.len()..)).flatten()
}

/// `None` for a source of another kind.
fn public_key(field: Field<'_>) -> Result<Option<[u8; KEY_LENGTH]>, MagnetError> {
    let topic = field.decode()?;
    let Some(digits) = behind(&topic, "urn:btpk:") else {
        return Ok(None);
    };
    let mut key = [0; KEY_LENGTH];
    match hex::decode_to_slice(digits, &mut key) {
        Ok(()) => Ok(Some(key)),
        Err(_) => Err(field.error(MagnetErrorKind::Key)),
    }
}

fn salt_of(field: Field<'_>) -> Result<Vec<u8>, MagnetError> {
    let salt = hex::decode(field.decode()?).ok();
    salt.filter(|salt| salt.len() <= MAX_SALT)
        .ok_or(field.error(MagnetErrorKind::Salt))
}

impl fmt::Display for Publisher {
    /// The canonical link: key and salt in lower-case hex, then the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "magnet:?xs=urn:btpk:{}", hex::encode(self.key))?;
        if !self.salt.is_empty() {
            write!(f, "&s={}", hex::encode(&self.salt))?;
        }
        match &self.name {
            Some(name) => write!(f, "&dn={}", Escaped(name)),
            None => Ok(()),
        }
    }
}

/// The value of an item that publishes a torrent: `{ih: 20 bytes}`.
#[must_use]
pub fn published_value(info_hash: InfoHash) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|dict| dict.bytes("ih", info_hash.0));
    writer.into_bytes()
}

/// The torrent that such a value names; `None` for any other value.
#[must_use]
pub fn published(value: &[u8]) -> Option<InfoHash> {
    let value = parse(value, &Limits::KRPC).ok()?;
    let hash = value.get("ih")?.as_bytes()?;
    hash.try_into().ok().map(InfoHash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";
    const HASH: &str = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f";

    #[test]
    fn the_beps_links_are_read_and_written() {
        // BEP 46, test vectors 1 and 2.
        for (link, salt) in [
            (format!("magnet:?xs=urn:btpk:{KEY}"), ""),
            (format!("magnet:?xs=urn:btpk:{KEY}&s=6e"), "n"),
            (format!("magnet:?xs=urn:btpk:{KEY}&s=6e&dn=a%20b"), "n"),
        ] {
            let publisher = Publisher::parse(&link).unwrap().unwrap();
            assert_eq!(hex::encode(publisher.key), KEY);
            assert_eq!(publisher.salt, salt.as_bytes());
            assert_eq!(publisher.to_string(), link);
        }
        let escaped = format!("MAGNET:?dn=x&xs=URN%3Abtpk%3A{}", KEY.to_uppercase());
        let publisher = Publisher::parse(&escaped).unwrap().unwrap();
        assert_eq!(publisher.name.as_deref(), Some("x"));
    }

    #[test]
    fn a_link_with_a_torrent_is_an_ordinary_one() {
        for link in [
            format!("magnet:?xt=urn:btih:{HASH}"),
            format!("magnet:?xs=urn:btpk:{KEY}&xt=urn:btih:{HASH}"),
            "magnet:?xs=http://h/x".to_owned(),
            "http://h".to_owned(),
            "m".to_owned(),
            "ä".repeat(9),
        ] {
            assert_eq!(Publisher::parse(&link), Ok(None), "{link}");
        }
    }

    #[test]
    fn broken_keys_and_salts_are_pointed_at() {
        let short = format!("magnet:?xs=urn:btpk:{}", &KEY[1..]);
        let error = Publisher::parse(&short).unwrap_err();
        assert_eq!((error.kind, error.offset), (MagnetErrorKind::Key, 11));
        for salt in ["6", "zz", &"00".repeat(65)] {
            let link = format!("magnet:?xs=urn:btpk:{KEY}&s={salt}");
            let error = Publisher::parse(&link).unwrap_err();
            assert_eq!(error.kind, MagnetErrorKind::Salt, "{salt}");
            assert_eq!(&link[error.offset..], salt);
        }
    }

    #[test]
    fn a_value_names_a_torrent_or_nothing() {
        let hash: InfoHash = HASH.parse().unwrap();
        assert_eq!(published(&published_value(hash)), Some(hash));
        for value in [&b"de"[..], b"i1e", b"d2:ih2:abe", b"", b"d2:ihi1ee"] {
            assert_eq!(published(value), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_publisher_or_none(text in "magnet:\\?(xs=urn:btpk:|s=|dn=|&|.){0,40}") {
            if let Err(error) = Publisher::parse(&text) {
                proptest::prop_assert!(error.offset <= text.len());
            }
        }
    }
}
