//! Magnet links: good ones, and where bad ones are wrong.

use super::super::magnet::{
    MAX_INDEX, MAX_LINK, MAX_PARAMETERS, MAX_PEERS, MAX_RANGES, MAX_TRACKERS,
};
use super::super::{InfoHashError, Magnet, MagnetError, MagnetErrorKind as Kind};

const HEX: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "1123456789abcdef0123456789abcdef01234567";

fn link(rest: &str) -> String {
    format!("magnet:?xt=urn:btih:{HEX}{rest}")
}

fn parse(rest: &str) -> Magnet {
    Magnet::parse(&link(rest)).unwrap()
}

#[test]
fn the_hash_in_every_dress() {
    let base32 = data_encoding::BASE32.encode(&parse("").info_hash.0);
    for text in [
        link(""),
        format!("MAGNET:?xt=urn:btih:{}", HEX.to_uppercase()),
        format!("magnet:?xt=URN:BTIH:{HEX}"),
        format!("magnet:?xt.1=urn:btih:{HEX}"),
        format!("magnet:?xt=urn:btih:{base32}"),
        format!("magnet:?xt=urn:btih:{}", base32.to_lowercase()),
        format!("magnet:?dn=x&&=&y&xt=urn:btih:{HEX}&"),
        format!("magnet:?xt=urn%3Abtih%3A{HEX}"),
        format!("magnet:?xt=urn:btmh:1220ff&xt=urn:btih:{HEX}"),
        format!("magnet:?xt=urn:sha1:abc&xt=urn:btih:{HEX}&xt.2=urn:btih:{HEX}"),
    ] {
        assert_eq!(
            Magnet::parse(&text).unwrap().info_hash.to_string(),
            HEX,
            "{text}"
        );
    }
}

#[test]
fn every_parameter_and_back() {
    let magnet = parse(
        "&dn=A+b%26%C3%A9&tr=http%3A%2F%2Ft%2Fa&tr.2=udp://u:1&tr=wss://no&x.pe=1.2.3.4:5\
         &x.pe=[2001:db8::1]:6&x.pe=host.example:7&so=0,2,4-6&xl=9&ws=http://w&unknown=%41",
    );
    assert_eq!(magnet.name.as_deref(), Some("A b&é"));
    assert_eq!(magnet.trackers, ["http://t/a", "udp://u:1"]);
    let peers: Vec<_> = magnet
        .peers
        .iter()
        .map(|(host, port)| (host.as_str(), *port))
        .collect();
    assert_eq!(
        peers,
        [("1.2.3.4", 5), ("2001:db8::1", 6), ("host.example", 7)]
    );
    assert_eq!(magnet.select, Some(vec![0..=0, 2..=2, 4..=6]));
    let canonical = magnet.to_string();
    assert_eq!(
        canonical,
        link(
            "&dn=A%20b%26%C3%A9&tr=http%3A%2F%2Ft%2Fa&tr=udp%3A%2F%2Fu%3A1&x.pe=1.2.3.4:5\
             &x.pe=[2001:db8::1]:6&x.pe=host.example:7&so=0,2,4-6"
        )
    );
    assert_eq!(canonical.parse(), Ok(magnet));
}

#[test]
fn names_are_tidied_or_left_out() {
    assert_eq!(parse("&dn=%E2%80%AEa").name.as_deref(), Some("a"));
    assert_eq!(parse("&dn=..%2Fx").name, None);
    assert_eq!(parse("&dn=").name, None);
    assert_eq!(parse("&dn=first&dn=second").name.as_deref(), Some("first"));
    assert_eq!(
        parse(&format!("&dn={}", "n".repeat(1000)))
            .name
            .map(|name| name.len()),
        Some(240)
    );
}

/// The kind, and the part of the link that the error points at.
fn fault(link: &str) -> (Kind, &str) {
    let MagnetError {
        kind,
        offset,
        length,
    } = Magnet::parse(link).unwrap_err();
    (kind, &link[offset..offset + length])
}

#[test]
fn faults_are_pointed_at() {
    let number = InfoHashError::Length(39);
    let table = [
        (String::new(), Kind::Scheme, ""),
        ("magnet".to_owned(), Kind::Scheme, "magnet"),
        ("http://example".to_owned(), Kind::Scheme, "http://e"),
        ("magnet:xt=äöü".to_owned(), Kind::Scheme, "magnet:x"),
        ("magnetö:?x".to_owned(), Kind::Scheme, "magnetö"),
        ("magnet:?".to_owned(), Kind::NoHash, ""),
        ("magnet:?dn=x".to_owned(), Kind::NoHash, ""),
        ("magnet:?xt=urn:sha1:x".to_owned(), Kind::NoHash, ""),
        (format!("magnet:?xt.a=urn:btih:{HEX}"), Kind::NoHash, ""),
        (
            "magnet:?xt=urn:btmh:1220ab".to_owned(),
            Kind::VersionTwoOnly,
            "urn:btmh:1220ab",
        ),
        (
            format!("magnet:?xt=urn:btih:{}&dn=x", &HEX[1..]),
            number.into(),
            &HEX[1..],
        ),
        (
            "magnet:?xt=urn:btih:".to_owned(),
            InfoHashError::Length(0).into(),
            "",
        ),
        (link("&dn=%4"), Kind::Percent, "%4"),
        (link("&dn=a%zz&x=1"), Kind::Percent, "%zz"),
        (link("&dn=a%"), Kind::Percent, "%"),
        (link("&dn=a%öx"), Kind::Percent, "%ö"),
        (link("&dn=a%1ö"), Kind::Percent, "%1ö"),
        (link("&dn=a%ff"), Kind::Percent, "a%ff"),
        (link("&x.pe=host"), Kind::Peer, "host"),
        (link("&x.pe=host:0"), Kind::Peer, "host:0"),
        (link("&x.pe=host:65536"), Kind::Peer, "host:65536"),
        (link("&x.pe=host:+5"), Kind::Peer, "host:+5"),
        (link("&x.pe=:5"), Kind::Peer, ":5"),
        (link("&x.pe=::1:5"), Kind::Peer, "::1:5"),
        (link("&x.pe=[::1:5"), Kind::Peer, "[::1:5"),
        (link("&x.pe=[1.2.3.4]:5"), Kind::Peer, "[1.2.3.4]:5"),
        (link("&x.pe=a%20b:5"), Kind::Peer, "a%20b:5"),
        (link("&so="), Kind::Select, ""),
        (link("&so=1,"), Kind::Select, "1,"),
        (link("&so=3-1"), Kind::Select, "3-1"),
        (link("&so=-1"), Kind::Select, "-1"),
        (link("&so=1000001"), Kind::Select, "1000001"),
        (link("&so=99999999999"), Kind::Select, "99999999999"),
    ];
    for (text, kind, part) in &table {
        assert_eq!(fault(text), (*kind, *part), "{text}");
    }
    let two = format!("{}&xt=urn:btih:{OTHER}", link(""));
    assert_eq!(fault(&two), (Kind::TwoHashes, &two[two.len() - 49..]));
    let wrong = link("").replacen('c', "x", 1);
    let (kind, part) = fault(&wrong);
    assert!(
        matches!(kind, Kind::Hash(InfoHashError::Character { at: 12, .. })),
        "{kind:?}"
    );
    assert_eq!(part, "x");
    let wide = link("").replacen('c', "ö", 1);
    assert_eq!(fault(&wide).1, "ö");
    let escaped = format!("magnet:?xt=urn%3Abtih%3A{}", &HEX[1..]);
    assert_eq!(fault(&escaped), (number.into(), &escaped[11..]));
}

#[test]
fn amounts_are_bounded() {
    let long = |length: usize| link(&format!("&x={}", "a".repeat(length - link("&x=").len())));
    assert!(Magnet::parse(&long(MAX_LINK)).is_ok());
    assert_eq!(fault(&long(MAX_LINK + 1)), (Kind::TooLong, "a"));
    assert!(Magnet::parse(&link(&"&a=1".repeat(MAX_PARAMETERS - 1))).is_ok());
    let many = link(&"&a=1".repeat(MAX_PARAMETERS));
    assert_eq!(fault(&many), (Kind::TooManyParameters, "a=1"));
    let trackers: String = (0..=MAX_TRACKERS)
        .map(|n| format!("&tr=udp://{n}"))
        .collect();
    assert_eq!(parse(&trackers).trackers.len(), MAX_TRACKERS);
    assert_eq!(parse(&"&tr=udp://1".repeat(3)).trackers.len(), 1);
    let peers: String = (1..=MAX_PEERS + 1)
        .map(|n| format!("&x.pe=h:{n}"))
        .collect();
    assert_eq!(parse(&peers).peers.len(), MAX_PEERS);
    let ranges = |count| format!("&so={}", vec!["1"; count].join(","));
    assert_eq!(
        parse(&ranges(MAX_RANGES)).select.map(|list| list.len()),
        Some(MAX_RANGES)
    );
    assert_eq!(fault(&link(&ranges(MAX_RANGES + 1))).0, Kind::Select);
    assert_eq!(
        parse(&format!("&so={MAX_INDEX}")).select,
        Some(vec![MAX_INDEX..=MAX_INDEX])
    );
}

#[test]
fn every_truncation_is_an_error_or_a_link() {
    let whole = link("&dn=%C3%A9&x.pe=[::1]:5&so=1-2&tr=udp%3A%2F%2Ft");
    for end in 0..whole.len() {
        if let Err(error) = Magnet::parse(&whole[..end]) {
            assert!(error.offset + error.length <= end, "{error:?}");
        }
    }
}

#[test]
fn sentences() {
    let error = Magnet::parse(&format!("magnet:?xt=urn:btih:{}", &HEX[1..])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the info hash has 39 characters, expected 40 (hex) or 32 (base32)"
    );
    let error = Magnet::parse("magnet:?xt=urn:btmh:1220ff").unwrap_err();
    assert_eq!(
        error.to_string(),
        "this link is for version 2 of BitTorrent only, which is not supported"
    );
}
