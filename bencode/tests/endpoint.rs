//! Endpoints: compact forms, one identity for one host, order.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use bencode::{Endpoint, Family, compact};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("test endpoints are well formed")
}

#[test]
fn compact_v4_is_six_bytes() {
    let mut out = vec![9];
    endpoint("192.0.2.1:6881").write_compact(&mut out);
    assert_eq!(out, [9, 192, 0, 2, 1, 0x1a, 0xe1]);
    assert_eq!(
        Endpoint::from_compact(&out[1..]),
        Some(endpoint("192.0.2.1:6881"))
    );
}

#[test]
fn compact_v6_is_eighteen_bytes() {
    let mut out = Vec::new();
    endpoint("[2001:db8::7]:1").write_compact(&mut out);
    assert_eq!(
        out,
        [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1]
    );
    assert_eq!(
        Endpoint::from_compact(&out),
        Some(endpoint("[2001:db8::7]:1"))
    );
}

#[test]
fn other_lengths_are_no_endpoint() {
    for length in (0..40).filter(|length| ![6, 18].contains(length)) {
        assert_eq!(Endpoint::from_compact(&vec![1; length]), None, "{length}");
    }
}

#[test]
fn a_list_is_an_exact_multiple() {
    let list = [1, 2, 3, 4, 0, 80, 5, 6, 7, 8, 0, 0];
    let found: Vec<_> = compact(&list, Family::V4).unwrap().collect();
    assert_eq!(found, [endpoint("1.2.3.4:80"), endpoint("5.6.7.8:0")]);
    assert_eq!(compact(&[], Family::V6).unwrap().count(), 0);
    for length in (1..60).filter(|length| length % 6 != 0) {
        assert!(compact(&vec![0; length], Family::V4).is_none());
    }
    for length in (1..60).filter(|length| length % 18 != 0) {
        assert!(compact(&vec![0; length], Family::V6).is_none());
    }
}

/// Rows N11: a mapped address is its IPv4 address.
#[test]
fn a_mapped_address_is_the_v4_address_at_every_door() {
    let plain = endpoint("192.0.2.1:6881");
    assert_eq!(endpoint("[::ffff:192.0.2.1]:6881"), plain);
    let mapped: Ipv6Addr = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(Endpoint::new(mapped.into(), 6881), plain);
    assert_eq!(Endpoint::from(SocketAddr::new(mapped.into(), 6881)), plain);
    let bytes = [mapped.octets().as_slice(), &[0x1a, 0xe1]].concat();
    assert_eq!(Endpoint::from_compact(&bytes), Some(plain));
    assert_eq!(plain.family(), Family::V4);
}

#[test]
fn scope_and_flow_label_are_dropped() {
    let ip: Ipv6Addr = "fe80::1".parse().unwrap();
    let scoped = Endpoint::from(SocketAddr::V6(SocketAddrV6::new(ip, 1, 7, 3)));
    assert_eq!(scoped, Endpoint::new(ip.into(), 1));
    assert_eq!(
        SocketAddr::from(scoped),
        SocketAddr::V6(SocketAddrV6::new(ip, 1, 0, 0))
    );
}

#[test]
fn text_is_that_of_a_socket_address() {
    for text in ["192.0.2.1:6881", "[2001:db8::1]:80"] {
        assert_eq!(endpoint(text).to_string(), text);
        assert_eq!(format!("{:?}", endpoint(text)), text);
    }
    for text in [
        "",
        "192.0.2.1",
        "example.org:80",
        "2001:db8::1:80",
        "192.0.2.1:65536",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn order_is_address_then_port_and_v4_first() {
    let mut list = ["[2001:db8::1]:1", "9.0.0.1:1", "1.0.0.1:9", "1.0.0.1:2"].map(endpoint);
    list.sort();
    assert_eq!(
        list,
        ["1.0.0.1:2", "1.0.0.1:9", "9.0.0.1:1", "[2001:db8::1]:1"].map(endpoint)
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(12), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn compact_round_trips(ip: std::net::IpAddr, port: u16) {
        let endpoint = Endpoint::new(ip, port);
        let mut out = Vec::new();
        endpoint.write_compact(&mut out);
        prop_assert_eq!(out.len(), endpoint.family().compact_length());
        prop_assert_eq!(Endpoint::from_compact(&out), Some(endpoint));
        prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }

    #[test]
    fn any_list_reads_or_is_refused(list in prop::collection::vec(any::<u8>(), 0..80)) {
        for family in [Family::V4, Family::V6] {
            let count = compact(&list, family).map(Iterator::count);
            let length = family.compact_length();
            prop_assert_eq!(count, (list.len() % length == 0).then_some(list.len() / length));
        }
    }
}
