//! The payload of BEP 11: golden bytes, every truncation, what is tolerated and what is not.

use bencode::{Endpoint, ErrorKind};
use pex::{Flags, Malformed, Message};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn at(text: &str) -> Endpoint {
    text.parse().expect("test endpoints are well formed")
}

/// One contact of each kind in each family.
fn golden() -> (Message, Vec<u8>) {
    let message = Message {
        added: vec![
            (at("1.2.3.4:258"), Flags::SEED | Flags::REACHABLE),
            (at("[2001:db8::1]:772"), Flags::UTP),
        ],
        dropped: vec![at("5.6.7.8:1286"), at("[2001:db8::2]:1800")],
    };
    let bytes = [
        b"d5:added6:\x01\x02\x03\x04\x01\x02".as_slice(),
        b"7:added.f1:\x12",
        b"6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x03\x04",
        b"8:added6.f1:\x04",
        b"7:dropped6:\x05\x06\x07\x08\x05\x06",
        b"8:dropped618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x07\x08e",
    ];
    (message, bytes.concat())
}

#[test]
fn golden_bytes_both_ways() {
    let (message, bytes) = golden();
    assert_eq!(message.encode(), bytes);
    assert_eq!(Message::parse(&bytes), Ok(message));
}

#[test]
fn every_truncation_errs() {
    let (_, bytes) = golden();
    for length in 0..bytes.len() {
        assert!(matches!(
            Message::parse(&bytes[..length]),
            Err(Malformed::Bencode(_))
        ));
    }
}

#[test]
fn lists_are_optional_but_one_has_to_be_there() {
    assert_eq!(Message::parse(b"d5:added0:e"), Ok(Message::default()));
    assert_eq!(Message::parse(b"d8:dropped60:e"), Ok(Message::default()));
    assert_eq!(Message::parse(b"de"), Err(Malformed::NoList));
    assert_eq!(Message::parse(b"d7:added.f1:\0e"), Err(Malformed::NoList));
    assert_eq!(Message::parse(b"d4:spam4:eggse"), Err(Malformed::NoList));
}

#[test]
fn contacts_are_exact_multiples() {
    for (payload, key) in [
        (b"d5:added5:aaaaae".as_slice(), "added"),
        (b"d5:added7:aaaaaaae", "added"),
        (b"d6:added66:aaaaaae", "added6"),
        (b"d5:added0:7:dropped1:ae", "dropped"),
        (b"d8:dropped617:aaaaaaaaaaaaaaaaae", "dropped6"),
        (b"d5:addedi1ee", "added"),
        (b"d5:addedlee", "added"),
    ] {
        assert_eq!(Message::parse(payload), Err(Malformed::Contacts { key }));
    }
}

#[test]
fn other_values_are_refused() {
    for payload in [b"le".as_slice(), b"i1e", b"0:"] {
        assert_eq!(Message::parse(payload), Err(Malformed::NotADictionary));
    }
    assert!(matches!(Message::parse(b""), Err(Malformed::Bencode(_))));
    assert!(matches!(
        Message::parse(b"d5:added0:ex"),
        Err(Malformed::Bencode(_))
    ));
}

#[test]
fn flags_of_another_number_are_ignored() {
    let plain = vec![(at("97.97.97.97:24929"), Flags::NONE)];
    for payload in [
        b"d5:added6:aaaaaae".as_slice(),
        b"d5:added6:aaaaaa7:added.f0:e",
        b"d5:added6:aaaaaa7:added.f2:\x02\x02e",
        b"d5:added6:aaaaaa7:added.fi2ee",
    ] {
        assert_eq!(Message::parse(payload).unwrap().added, plain);
    }
}

#[test]
fn reserved_flags_are_cleared() {
    let message = Message::parse(b"d5:added6:aaaaaa7:added.f1:\xffe").unwrap();
    assert_eq!(message.added[0].1.bits(), 0x1f);
}

#[test]
fn flags_are_the_bits_of_the_bep() {
    let all = [
        Flags::ENCRYPTION,
        Flags::SEED,
        Flags::UTP,
        Flags::HOLEPUNCH,
        Flags::REACHABLE,
    ];
    assert_eq!(all.map(Flags::bits), [1, 2, 4, 8, 16]);
    let both = Flags::SEED | Flags::UTP;
    assert!(both.contains(Flags::SEED) && both.contains(Flags::UTP));
    assert!(!both.contains(Flags::SEED | Flags::ENCRYPTION));
    assert!(both.contains(Flags::NONE));
}

#[test]
fn a_payload_of_more_than_16_kib_is_refused_unread() {
    let payload = |contacts: usize| {
        let list = vec![1u8; contacts * 6];
        [format!("d5:added{}:", list.len()).as_bytes(), &list, b"e"].concat()
    };
    assert_eq!(Message::parse(&payload(2_728)).unwrap().added.len(), 2_728);
    let Err(Malformed::Bencode(error)) = Message::parse(&payload(2_730)) else {
        panic!("a payload beyond the limit was read");
    };
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

/// Rows N11: a mapped address of peer exchange is one IPv4 contact.
#[test]
fn a_mapped_contact_is_a_v4_contact() {
    let payload = b"d6:added618:\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04\0\x50e";
    assert_eq!(
        Message::parse(payload).unwrap().added,
        [(at("1.2.3.4:80"), Flags::NONE)]
    );
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    any::<(std::net::IpAddr, u16)>().prop_map(|(ip, port)| Endpoint::new(ip, port))
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(21), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn messages_round_trip(
        added in prop::collection::vec((endpoint(), any::<u8>().prop_map(Flags::from_bits)), 1..99),
        dropped in prop::collection::vec(endpoint(), 0..60),
    ) {
        let mut message = Message { added, dropped };
        let parsed = Message::parse(&message.encode()).unwrap();
        // Families are written one after the other; within one the order stays.
        message.added.sort_by_key(|(endpoint, _)| endpoint.family());
        message.dropped.sort_by_key(Endpoint::family);
        prop_assert_eq!(parsed, message);
    }

    #[test]
    fn any_bytes_parse_or_err(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        let _ = Message::parse(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
        let (_, mut bytes) = golden();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Message::parse(&bytes);
    }
}
