//! BEP 44's test vectors, and what is no item.

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};

use super::*;

const HELLO: &[u8] = b"12:Hello World!";
const KEY: &str = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
/// The BEP gives the expanded key, not the seed.
const SECRET: &str = "e06d3183d14159228433ed599221b80bd0a5ce8352e4bdf0262f76786ef1c74d\
                      b7e7a9fea2c0eb269d61e3b38e450a22e754941ac78479d6c54e1faf6037881d";
const PLAIN: (&str, &str, &str, &str) = (
    "",
    "3:seqi1e1:v12:Hello World!",
    "4a533d47ec9c7d95b1ad75f576cffc641853b750",
    "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
     1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
);
const SALTED: (&str, &str, &str, &str) = (
    "foobar",
    "4:salt6:foobar3:seqi1e1:v12:Hello World!",
    "411eba73b6f087ca51a3795d9c8c938d365e32c1",
    "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
     df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
);

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text)
        .expect("hex")
        .try_into()
        .expect("the right length")
}

fn vector((salt, _, _, signature): (&str, &str, &str, &str)) -> Item {
    Item::Mutable {
        key: bytes(KEY),
        salt: salt.as_bytes().to_vec(),
        seq: 1,
        value: HELLO.to_vec(),
        signature: bytes(signature),
    }
}

#[test]
fn the_vectors_of_bep_44() {
    for case in [PLAIN, SALTED] {
        let (salt, buffer, target, signature) = case;
        assert_eq!(signing_buffer(salt.as_bytes(), 1, HELLO), buffer.as_bytes());
        let item = vector(case);
        assert_eq!(item.verify(), Ok(()));
        assert_eq!(hex::encode(item.target().as_bytes()), target);
        let secret = ExpandedSecretKey::from_bytes(&bytes(SECRET));
        let public = VerifyingKey::from_bytes(&bytes(KEY)).expect("a key");
        let ours = raw_sign::<sha2::Sha512>(&secret, buffer.as_bytes(), &public);
        assert_eq!(hex::encode(ours.to_bytes()), signature);
    }
    let item = Item::immutable(HELLO.to_vec()).expect("an item");
    assert_eq!(
        hex::encode(item.target().as_bytes()),
        "e5f96f6f38320f0f33959cb4d3d656452117aadb"
    );
}

#[test]
fn whatever_is_changed_breaks_the_signature() {
    let change = |change: fn(&mut Item)| {
        let mut item = vector(SALTED);
        change(&mut item);
        item.verify()
    };
    let bad = Err(BadItem::Signature);
    assert_eq!(
        change(|item| if let Item::Mutable { seq, .. } = item {
            *seq = 2;
        }),
        bad
    );
    assert_eq!(
        change(|item| if let Item::Mutable { salt, .. } = item {
            salt.clear();
        }),
        bad
    );
    assert_eq!(
        change(|item| if let Item::Mutable { value, .. } = item {
            *value = b"12:Hello world!".to_vec();
        }),
        bad
    );
    assert_eq!(
        change(|item| if let Item::Mutable { key, .. } = item {
            // The neutral element: of order one.
            *key = [0; 32];
            key[0] = 1;
        }),
        bad
    );
}

#[test]
fn our_own_signature_is_right() {
    let item = Item::signed(&[7; 32], b"s".to_vec(), -5, b"le".to_vec()).expect("an item");
    assert_eq!(item.verify(), Ok(()));
    assert_eq!(item.seq(), Some(-5));
}

#[test]
fn sizes_and_form() {
    let string = |length: usize| {
        let mut value = format!("{length}:").into_bytes();
        value.resize(value.len() + length, b'x');
        value
    };
    assert_eq!(string(996).len(), MAX_VALUE);
    assert!(Item::immutable(string(996)).is_ok());
    assert_eq!(Item::immutable(string(997)), Err(BadItem::TooBig));
    for bad in [
        &b""[..],
        b"x",
        b"5:four",
        b"i01e",
        b"d1:bi1e1:ai2ee",
        b"d1:ai1e1:ai2ee",
        b"i1ei2e",
        b"lllllllleeeeeeee",
    ] {
        assert_eq!(
            Item::immutable(bad.to_vec()),
            Err(BadItem::Bencode),
            "{}",
            bad.escape_ascii()
        );
    }
    let salted = |length| Item::signed(&[1; 32], vec![1; length], 1, HELLO.to_vec());
    assert!(salted(MAX_SALT).is_ok());
    assert_eq!(salted(MAX_SALT + 1), Err(BadItem::Salt));
}
