//! Values of any kind under the hash of their content or of a public key (BEP 44).
//!
//! Invariant: an [`Item`] made by this file is within the BEP's sizes, its value is one canonical
//! bencoded value, and a mutable one carries the right signature. One that was put together field by
//! field is worth nothing before `verify`. `store` holds what others gave us. Knows no messages.

use bencode::{Keys, Limits};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha1::{Digest, Sha1};

use crate::id::Id;

mod store;

pub use store::{Items, LIFETIME, MAX_BYTES, MAX_ITEMS, MAX_SHARE, Refusal};

/// Longest bencoded value (BEP 44: more is not safe to store).
pub const MAX_VALUE: usize = 1_000;
/// Longest salt (BEP 44, error 207; libtorrent's bound).
pub const MAX_SALT: usize = 64;
/// Bytes of an ed25519 public key.
pub const KEY_LENGTH: usize = 32;
/// Bytes of an ed25519 signature.
pub const SIGNATURE_LENGTH: usize = 64;

/// What a value may look like: sorted keys, so that it has one meaning and one hash.
const VALUE: Limits = Limits {
    bytes: MAX_VALUE,
    keys: Keys::Strict,
    ..Limits::KRPC
};

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Lives at the SHA-1 of itself.
    Immutable {
        /// Bencoded, at most `MAX_VALUE` bytes.
        value: Vec<u8>,
    },
    /// Lives at the SHA-1 of key and salt; whoever has the secret key replaces it.
    Mutable {
        /// The ed25519 public key.
        key: [u8; KEY_LENGTH],
        /// Tells apart several items of one key; at most `MAX_SALT` bytes, usually none.
        salt: Vec<u8>,
        /// Rises with each new value.
        seq: i64,
        /// Bencoded, at most `MAX_VALUE` bytes.
        value: Vec<u8>,
        /// Over salt, `seq` and value.
        signature: [u8; SIGNATURE_LENGTH],
    },
}

/// Why something is no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadItem {
    /// The value is not one canonical bencoded value (error 203).
    Bencode,
    /// The value is longer than `MAX_VALUE` (error 205).
    TooBig,
    /// The signature does not fit, or the key is none (error 206).
    Signature,
    /// The salt is longer than `MAX_SALT` (error 207).
    Salt,
}

impl std::fmt::Display for BadItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BadItem::Bencode => "the value is not canonical bencode",
            BadItem::TooBig => "the value is longer than 1000 bytes",
            BadItem::Signature => "the signature does not fit",
            BadItem::Salt => "the salt is longer than 64 bytes",
        })
    }
}

impl std::error::Error for BadItem {}

impl Item {
    /// An item named by its content.
    ///
    /// # Errors
    /// `Bencode`, `TooBig`.
    pub fn immutable(value: Vec<u8>) -> Result<Item, BadItem> {
        check_value(&value)?;
        Ok(Item::Immutable { value })
    }

    /// An item of the key that belongs to the seed `secret`, signed.
    ///
    /// # Errors
    /// `Bencode`, `TooBig`, `Salt`.
    pub fn signed(
        secret: &[u8; 32],
        salt: Vec<u8>,
        seq: i64,
        value: Vec<u8>,
    ) -> Result<Item, BadItem> {
        check_value(&value)?;
        check_salt(&salt)?;
        let pair = SigningKey::from_bytes(secret);
        let signature = pair.sign(&signing_buffer(&salt, seq, &value)).to_bytes();
        Ok(Item::Mutable {
            key: pair.verifying_key().to_bytes(),
            salt,
            seq,
            value,
            signature,
        })
    }

    /// Where the item lives.
    #[must_use]
    pub fn target(&self) -> Id {
        match self {
            Item::Immutable { value } => sha1(&[value]),
            Item::Mutable { key, salt, .. } => mutable_target(key, salt),
        }
    }

    /// The bencoded value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        match self {
            Item::Immutable { value } | Item::Mutable { value, .. } => value,
        }
    }

    /// The sequence number of a mutable item.
    #[must_use]
    pub fn seq(&self) -> Option<i64> {
        match self {
            Item::Immutable { .. } => None,
            Item::Mutable { seq, .. } => Some(*seq),
        }
    }

    /// Checks sizes, form and signature. An immutable item is right if it lives where it was found,
    /// which is for the caller to compare with `target`.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn verify(&self) -> Result<(), BadItem> {
        check_value(self.value())?;
        let Item::Mutable {
            key,
            salt,
            seq,
            value,
            signature,
        } = self
        else {
            return Ok(());
        };
        check_salt(salt)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| BadItem::Signature)?;
        let signature = Signature::from_bytes(signature);
        // Threat: under a key of small order one signature fits every value; strict refuses those.
        key.verify_strict(&signing_buffer(salt, *seq, value), &signature)
            .map_err(|_| BadItem::Signature)
    }
}

/// Where the items of a key and salt live.
#[must_use]
pub fn mutable_target(key: &[u8; KEY_LENGTH], salt: &[u8]) -> Id {
    sha1(&[key, salt])
}

fn sha1(parts: &[&[u8]]) -> Id {
    let mut hash = Sha1::new();
    parts.iter().for_each(|part| hash.update(part));
    Id::new(hash.finalize().into())
}

fn check_value(value: &[u8]) -> Result<(), BadItem> {
    if value.len() > MAX_VALUE {
        return Err(BadItem::TooBig);
    }
    bencode::parse(value, &VALUE)
        .map(drop)
        .map_err(|_| BadItem::Bencode)
}

fn check_salt(salt: &[u8]) -> Result<(), BadItem> {
    if salt.len() > MAX_SALT {
        return Err(BadItem::Salt);
    }
    Ok(())
}

/// What is signed (BEP 44 "Signature Verification"): the salt only if there is one.
fn signing_buffer(salt: &[u8], seq: i64, value: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(value.len() + salt.len() + 48);
    if !salt.is_empty() {
        buffer.extend_from_slice(format!("4:salt{}:", salt.len()).as_bytes());
        buffer.extend_from_slice(salt);
    }
    buffer.extend_from_slice(format!("3:seqi{seq}e1:v").as_bytes());
    buffer.extend_from_slice(value);
    buffer
}

#[cfg(test)]
mod tests;
