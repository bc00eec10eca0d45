//! Reading and writing info hashes.

use super::super::{Alphabet, InfoHash, InfoHashError};

const HEX: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn hex_and_base32_name_the_same_hash() {
    let hash: InfoHash = HEX.parse().unwrap();
    assert_eq!(hash.0[..3], [0x01, 0x23, 0x45]);
    assert_eq!(hash.to_string(), HEX);
    assert_eq!(HEX.to_uppercase().parse(), Ok(hash));
    let base32 = data_encoding::BASE32.encode(&hash.0);
    assert_eq!(base32.len(), 32);
    assert_eq!(base32.parse(), Ok(hash));
    assert_eq!(base32.to_lowercase().parse(), Ok(hash));
    assert_eq!(format!("{hash:?}"), format!("InfoHash({HEX})"));
}

#[test]
fn wrong_ones_say_what_is_wrong() {
    let short = HEX[1..].parse::<InfoHash>().unwrap_err();
    assert_eq!(
        short.to_string(),
        "the info hash has 39 characters, expected 40 (hex) or 32 (base32)"
    );
    assert_eq!("".parse::<InfoHash>(), Err(InfoHashError::Length(0)));
    let wrong = HEX.replacen('3', "x", 1).parse::<InfoHash>().unwrap_err();
    assert_eq!(
        wrong,
        InfoHashError::Character {
            at: 3,
            alphabet: Alphabet::Hex
        }
    );
    assert_eq!(
        wrong.to_string(),
        "character 4 of the info hash is not hexadecimal"
    );
    let wrong = format!("{}1", "a".repeat(31))
        .parse::<InfoHash>()
        .unwrap_err();
    assert_eq!(
        wrong,
        InfoHashError::Character {
            at: 31,
            alphabet: Alphabet::Base32
        }
    );
    // Characters count, not bytes; none of these may panic.
    for text in [
        "ä".repeat(40),
        "ä".repeat(32),
        "ä".repeat(20),
        "ä".repeat(16),
    ] {
        assert!(text.parse::<InfoHash>().is_err());
    }
}

#[test]
fn the_hash_is_sha1_of_the_bytes() {
    // SHA-1 of the empty string and of "abc": FIPS 180-4 examples.
    let hash = InfoHash::of_info(b"").to_string();
    assert_eq!(hash, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    let hash = InfoHash::of_info(b"abc").to_string();
    assert_eq!(hash, "a9993e364706816aba3e25717850c26c9cd0d89d");
}
