//! The address policy: a table of special ranges at their edges, and what opens them.

use std::net::IpAddr;

use bencode::{AddressPolicy, Cidr, Endpoint};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("test addresses are well formed")
}

fn at(text: &str) -> Endpoint {
    Endpoint::new(ip(text), 6881)
}

fn range(text: &str) -> Cidr {
    text.parse().expect("test ranges are well formed")
}

/// First and last address of what needs permission, one row a range.
const SPECIAL: [(&str, &str); 22] = [
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("::1", "::1"),
    ("64:ff9b::7f00:1", "64:ff9b::ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("::ffff:10.0.0.1", "::ffff:127.0.0.1"),
    ("::7f00:1", "::a00:1"),
];

/// Next to the special ranges, and ordinary.
const PUBLIC: [&str; 19] = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1",
    "2a00::1",
];

const NEVER: [&str; 10] = [
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "ff0e::1",
    "::ffff:224.0.0.1",
];

#[test]
fn the_public_internet_is_admitted() {
    let policy = AddressPolicy::default();
    for text in PUBLIC {
        assert!(policy.admits(at(text)), "{text}");
    }
}

#[test]
fn special_ranges_need_permission() {
    let closed = AddressPolicy::default();
    let open = AddressPolicy::new(vec![range("0.0.0.0/0"), range("::/0")]);
    for text in SPECIAL.into_iter().flat_map(|(first, last)| [first, last]) {
        assert!(!closed.admits(at(text)), "{text}");
        assert!(open.admits(at(text)), "{text}");
    }
}

#[test]
fn nothing_opens_multicast_and_the_like() {
    let mut policy = AddressPolicy::new(vec![range("0.0.0.0/0"), range("::/0")]);
    for text in NEVER {
        policy.allow_range_of(ip(text));
        assert!(!policy.admits(at(text)), "{text}");
    }
}

#[test]
fn an_allowed_range_opens_itself_only() {
    let policy = AddressPolicy::new(vec![range("198.18.0.0/15"), range("10.1.0.0/16")]);
    assert!(policy.admits(at("198.19.1.1")));
    assert!(policy.admits(at("10.1.2.3")));
    assert!(!policy.admits(at("10.2.0.1")));
    assert!(!policy.admits(at("127.0.0.1")));
}

#[test]
fn the_bound_address_opens_its_range() {
    for (bound, inside, outside) in [
        ("127.0.0.1", "127.9.9.9", "::1"),
        ("192.168.1.4", "192.168.200.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.200.0.1", "192.168.0.1"),
        ("fd00::1", "fc00::5", "fe80::1"),
        ("::1", "::1", "127.0.0.1"),
        ("198.18.60.2", "198.19.0.1", "192.0.2.1"),
    ] {
        let mut policy = AddressPolicy::default();
        policy.allow_range_of(ip(bound));
        assert!(policy.admits(at(inside)), "{bound} {inside}");
        assert!(!policy.admits(at(outside)), "{bound} {outside}");
        assert!(policy.admits(at("1.1.1.1")));
    }
}

#[test]
fn a_public_or_unspecified_bound_address_opens_nothing() {
    for bound in ["1.1.1.1", "0.0.0.0", "::"] {
        let mut policy = AddressPolicy::default();
        policy.allow_range_of(ip(bound));
        assert_eq!(policy, AddressPolicy::default(), "{bound}");
    }
}

#[test]
fn neighbours_may_speak_for_themselves_and_nobody_may_name_them() {
    let mut policy = AddressPolicy::default();
    policy.add_own(at("192.168.1.2"));
    assert!(!policy.admits_neighbour(at("192.168.1.7")));
    policy.set_neighbours(vec![range("192.168.1.0/24"), range("fd00:1::/64")]);
    for near in ["192.168.1.7", "::ffff:192.168.1.7", "fd00:1::7"] {
        assert!(policy.admits_neighbour(at(near)), "{near}");
        assert!(!policy.admits(at(near)), "{near}");
        assert!(!policy.admits_ip(ip(near)), "{near}");
    }
    for far in [
        "192.168.2.7",
        "127.0.0.1",
        "fd00:2::7",
        "fe80::1",
        "192.168.1.2",
    ] {
        assert!(!policy.admits_neighbour(at(far)), "{far}");
    }
    assert!(
        policy.admits_neighbour(at("1.1.1.1")),
        "whom anybody may name"
    );
    let portless = Endpoint::new(ip("192.168.1.7"), 0);
    assert!(!policy.admits_neighbour(portless));
    policy.set_neighbours(vec![range("0.0.0.0/0")]);
    for never in ["224.0.0.1", "255.255.255.255", "0.0.0.0"] {
        assert!(!policy.admits_neighbour(at(never)), "{never}");
    }
    let mut many = vec![range("10.0.0.0/16"); 32];
    many.push(range("172.16.0.0/16"));
    policy.set_neighbours(many);
    assert!(policy.admits_neighbour(at("10.0.0.1")));
    assert!(!policy.admits_neighbour(at("172.16.0.1")), "the 33rd");
}

#[test]
fn port_zero_and_own_endpoints_are_refused() {
    let mut policy = AddressPolicy::default();
    assert!(!policy.admits(Endpoint::new(ip("1.1.1.1"), 0)));
    policy.add_own(at("::ffff:1.1.1.1"));
    assert!(!policy.admits(at("1.1.1.1")));
    // Another port of our address may be a neighbour behind the same NAT.
    assert!(policy.admits(Endpoint::new(ip("1.1.1.1"), 6882)));
}

#[test]
fn own_endpoints_are_bounded() {
    let mut policy = AddressPolicy::default();
    for port in 1..=40 {
        policy.add_own(Endpoint::new(ip("1.1.1.1"), port));
        policy.add_own(Endpoint::new(ip("1.1.1.1"), port));
    }
    let refused = (1..=40).filter(|port| !policy.admits(Endpoint::new(ip("1.1.1.1"), *port)));
    assert_eq!(refused.collect::<Vec<_>>(), (9..=40).collect::<Vec<_>>());
}

/// Rows N11, A20: a mapped address is judged as its IPv4 address.
#[test]
fn a_mapped_endpoint_built_by_hand_is_unmapped() {
    let sneaky = Endpoint {
        ip: ip("::ffff:127.0.0.1"),
        port: 6881,
    };
    assert!(!AddressPolicy::default().admits(sneaky));
}

#[test]
fn ranges_read_and_write_as_text() {
    for (text, written) in [
        ("198.18.0.0/15", "198.18.0.0/15"),
        ("198.19.7.7/15", "198.18.0.0/15"),
        ("1.2.3.4", "1.2.3.4/32"),
        ("fc00::1/7", "fc00::/7"),
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ] {
        assert_eq!(range(text).to_string(), written);
    }
    for text in [
        "",
        "/8",
        "1.2.3.4/",
        "1.2.3.4/33",
        "::/129",
        "1.2.3/8",
        "1.2.3.4/+8",
        "a/8",
        "1.2.3.4/8/8",
    ] {
        assert!(text.parse::<Cidr>().is_err(), "{text}");
    }
}

#[test]
fn ranges_contain_their_edges_and_one_family() {
    let v4 = range("192.168.4.0/22");
    assert!(v4.contains(ip("192.168.4.0")) && v4.contains(ip("192.168.7.255")));
    assert!(!v4.contains(ip("192.168.3.255")) && !v4.contains(ip("192.168.8.0")));
    assert!(v4.contains(ip("::ffff:192.168.5.5")));
    assert!(range("0.0.0.0/0").contains(ip("255.255.255.255")));
    assert!(!range("::/0").contains(ip("1.2.3.4")));
    assert!(!range("0.0.0.0/0").contains(ip("::1")));
    assert!(range("::/0").contains(ip("ffff::1")));
    assert_eq!(Cidr::new(ip("1.2.3.4"), 33), None);
}
