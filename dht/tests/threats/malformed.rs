//! 4.9: datagrams that are no KRPC. Counted, dropped, not answered; nothing grows; nothing panics.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Config, Endpoint};

use crate::stage::{
    Field, HASH, OURS, Stage, compact, method, name, passing_query, place, query, reply,
};

const ID: &str = "2:id20:abcdefghij0123456789";

/// The node drops `datagram` without a word, and says so in one counter.
fn is_dropped(stage: &mut Stage, from: SocketAddr, datagram: &[u8]) {
    let what = String::from_utf8_lossy(datagram);
    let what: String = what.chars().take(120).collect();
    let (kept, before) = (stage.kept(), *stage.node.stats());
    assert_eq!(stage.hears(from, datagram), [], "answered {what}");
    let after = *stage.node.stats();
    assert_eq!(after.datagrams_in, before.datagrams_in + 1);
    assert_ne!(after.dropped, before.dropped, "not counted: {what}");
    assert_eq!(stage.kept(), kept, "kept something of {what}");
    assert_eq!(stage.events(), [], "told of {what}");
}

#[test]
fn threat_4_9_what_is_no_dictionary_is_dropped() {
    let mut stage = Stage::new();
    let cases: [&[u8]; 12] = [
        b"",
        b"d",
        b"de",
        b"le",
        b"i1e",
        b"d1:t1:a1:y1:qe",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"\x13BitTorrent protocol",
        &[b'd'; 1_500],
        &[b'l'; 1_500],
        &[0xff; 1_500],
    ];
    for case in cases {
        is_dropped(&mut stage, place(1), case);
    }
}

#[test]
fn threat_4_9_missing_and_mistyped_envelopes_are_dropped() {
    let mut stage = Stage::new();
    for case in [
        // No `t`, an empty, an overlong and a numeric one.
        format!("d1:ad{ID}e1:q4:ping1:y1:qe"),
        format!("d1:ad{ID}e1:q4:ping1:t0:1:y1:qe"),
        format!("d1:ad{ID}e1:q4:ping1:t33:{}1:y1:qe", "t".repeat(33)),
        format!("d1:ad{ID}e1:q4:ping1:ti7e1:y1:qe"),
        // No `y`, and none that there is.
        format!("d1:ad{ID}e1:q4:ping1:t2:aae"),
        format!("d1:ad{ID}e1:q4:ping1:t2:aa1:y1:xe"),
        format!("d1:ad{ID}e1:q4:ping1:t2:aa1:yi1ee"),
        // No `q`, no `a`, no id, an id of 19 and of 21 bytes, an id that is a list.
        format!("d1:ad{ID}e1:t2:aa1:y1:qe"),
        "d1:q4:ping1:t2:aa1:y1:qe".into(),
        "d1:ade1:q4:ping1:t2:aa1:y1:qe".into(),
        "d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe".into(),
        "d1:ad2:id21:abcdefghij01234567890e1:q4:ping1:t2:aa1:y1:qe".into(),
        "d1:ad2:idlee1:q4:ping1:t2:aa1:y1:qe".into(),
        "d1:al2:ide1:q4:ping1:t2:aa1:y1:qe".into(),
        // Answers without `r`, without an id, with one that is too short.
        "d1:t4:aaaa1:y1:re".into(),
        "d1:rde1:t4:aaaa1:y1:re".into(),
        "d1:rd2:id3:abce1:t4:aaaa1:y1:re".into(),
        "d1:rle1:t4:aaaa1:y1:re".into(),
        // Errors, of any shape, to nothing.
        "d1:e0:1:t4:aaaa1:y1:ee".into(),
        "d1:eli201e1:xe1:t4:aaaa1:y1:ee".into(),
        "d1:t4:aaaa1:y1:ee".into(),
    ] {
        is_dropped(&mut stage, place(1), case.as_bytes());
    }
}

#[test]
fn threat_4_9_broken_bencode_is_dropped() {
    let mut stage = Stage::new();
    let deep = format!(
        "d1:a{}{}1:q4:ping1:t2:aa1:y1:qe",
        "l".repeat(500),
        "e".repeat(500)
    );
    let long = format!(
        "d1:ad{ID}1:x{}:{}e1:q4:ping1:t2:aa1:y1:qe",
        3_000,
        "x".repeat(3_000)
    );
    let many = format!("d1:ad{ID}1:xl{}ee1:q4:ping1:t2:aa1:y1:qe", "0:".repeat(990));
    for case in [
        deep,
        long,
        many,
        // Lengths that are not there, that overflow, that are negative, that lead with a zero.
        format!("d1:ad{ID}e1:q9999:ping1:t2:aa1:y1:qe"),
        format!("d1:ad{ID}e1:q18446744073709551616:ping1:t2:aa1:y1:qe"),
        format!("d1:ad{ID}e1:q99999999999999999999999999999999:ping1:t2:aa1:y1:qe"),
        format!("d1:ad{ID}e1:q-4:ping1:t2:aa1:y1:qe"),
        // Numbers that are none.
        format!("d1:ad{ID}1:xi99999999999999999999999999ee1:q4:ping1:t2:aa1:y1:qe"),
        format!("d1:ad{ID}1:xiee1:q4:ping1:t2:aa1:y1:qe"),
        format!("d1:ad{ID}1:xi-ee1:q4:ping1:t2:aa1:y1:qe"),
        // A key that is a number, a key without a value, an end too many in the middle.
        format!("d1:ad{ID}i1e1:xe1:q4:ping1:t2:aa1:y1:qe"),
        format!("d1:ad{ID}1:xe1:q4:ping1:t2:aa1:y1:q"),
    ] {
        is_dropped(&mut stage, place(1), case.as_bytes());
    }
}

/// Every way a datagram can end too early.
#[test]
fn threat_4_9_truncated_messages_are_dropped() {
    let mut stage = Stage::new();
    let token = [
        ("info_hash", Field::from(HASH)),
        ("port", Field::Int(1)),
        ("token", Field::from(&b"x"[..])),
    ];
    let whole = [
        query(name(1), "ping", &[]),
        query(name(1), "find_node", &[("target", HASH.into())]),
        query(name(1), "get_peers", &[("info_hash", HASH.into())]),
        query(name(1), "announce_peer", &token),
        crate::stage::reply_to(b"abcd", name(1), Some(place(3)), &[]),
    ];
    for message in whole {
        for length in 0..message.len() {
            is_dropped(&mut stage, place(1), &message[..length]);
        }
    }
}

#[test]
fn threat_4_9_oversize_datagrams_are_dropped() {
    let mut stage = Stage::new();
    for size in [2_049, 4_096, 65_507] {
        let mut padded = query(name(1), "ping", &[]);
        padded.truncate(padded.len() - 1);
        padded.extend_from_slice(format!("1:z{size}:").as_bytes());
        padded.resize(padded.len() + size, b'z');
        padded.push(b'e');
        is_dropped(&mut stage, place(1), &padded);
    }
}

/// One wrong byte anywhere: the message may still be good, but nothing panics and at most one answer comes of it.
#[test]
fn threat_4_9_one_wrong_byte_does_no_harm() {
    let mut stage = Stage::new();
    stage.befriends(1);
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    let question = stage.said().remove(0).payload;
    let names = compact((2..10).map(|n| (name(n), place(n))));
    let messages = [
        passing_query(name(1), "get_peers", &[("info_hash", HASH.into())]),
        passing_query(name(1), "announce_peer", &[("info_hash", HASH.into())]),
        reply(
            &question,
            name(1),
            &[("nodes", names), ("token", Field::from(&b"t"[..]))],
        ),
    ];
    for message in messages {
        for index in 0..message.len() {
            for wrong in [0, b'0', b'9', b':', b'd', b'e', b'i', b'l', 0xff] {
                let mut bad = message.clone();
                bad[index] = wrong;
                stage.hears(place(1), &bad);
                stage.now += Duration::from_millis(1);
            }
        }
    }
    let (contacts, hashes, peers) = stage.kept();
    assert!(contacts <= 9 && hashes == 0 && peers == 0);
}

/// Lists whose length is not a whole number of nodes are no lists; the answer still counts as a sign of life.
#[test]
fn threat_4_9_lists_of_a_wrong_length_name_nobody() {
    for (key, length) in [
        ("nodes", 25),
        ("nodes", 27),
        ("nodes", 38),
        ("nodes6", 26),
        ("nodes6", 39),
    ] {
        let mut stage = Stage::new();
        stage.befriends(1);
        stage.said();
        stage.node.get_peers(stage.now, HASH);
        let question = stage.said().remove(0).payload;
        let field = Field::Bytes(vec![77; length]);
        let said = stage.hears(place(1), &reply(&question, name(1), &[(key, field)]));
        assert_eq!(said, [], "{key} of {length} bytes");
        assert_eq!(stage.node.stats().responses, 2);
    }
}

#[test]
fn threat_4_9_values_of_wrong_lengths_are_skipped() {
    let mut stage = Stage::new();
    stage.befriends(1);
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    let question = stage.said().remove(0).payload;
    let mut good = Vec::new();
    Endpoint::from(place(5)).write_compact(&mut good);
    let values = [
        vec![],
        vec![1; 5],
        vec![1; 7],
        vec![1; 17],
        vec![1; 19],
        good,
        vec![9; 500],
    ];
    let answer = reply(
        &question,
        name(1),
        &[("values", Field::List(values.to_vec()))],
    );
    stage.hears(place(1), &answer);
    let events = stage.events();
    let peers = events.iter().filter_map(|event| match event {
        trackless_dht::Event::Peers { peers, .. } => Some(peers.clone()),
        _ => None,
    });
    assert_eq!(peers.collect::<Vec<_>>(), [[Endpoint::from(place(5))]]);
}

/// Rows A4: our own id coming back is an echo.
#[test]
fn threat_4_9_our_own_id_is_an_echo() {
    let mut stage = Stage::new();
    for method in ["ping", "find_node", "get_peers", "announce_peer", "vote"] {
        let echo = query(OURS, method, &[("info_hash", HASH.into())]);
        is_dropped(&mut stage, place(1), &echo);
    }
    assert_eq!(stage.node.stats().dropped.own_id, 5);
}

/// Nobody lives there, or nobody who should hear from us: nothing is sent to such an address, whoever names it.
const BOGONS: [&str; 14] = [
    "0.0.0.0:6881",
    "10.1.2.3:6881",
    "100.64.0.1:6881",
    "127.0.0.1:6881",
    "169.254.1.1:6881",
    "172.16.0.1:6881",
    "192.168.1.1:6881",
    "198.18.0.1:6881",
    "224.0.0.1:6881",
    "255.255.255.255:6881",
    "[::1]:6881",
    "[fe80::1]:6881",
    "[ff02::1]:6881",
    "81.2.3.4:0",
];

#[test]
fn threat_4_9_queries_from_bogons_are_dropped() {
    let mut stage = Stage::new();
    for bogon in BOGONS {
        let from = bogon.parse().expect("an address");
        is_dropped(&mut stage, from, &query(name(1), "ping", &[]));
    }
    assert_eq!(stage.node.stats().dropped.address, BOGONS.len() as u64);
}

/// Rows A7: special ranges named by others are never asked.
#[test]
fn threat_4_9_bogons_in_answers_are_never_asked() {
    let mut stage = Stage::with(Config::default());
    stage.befriends(1);
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    let question = stage.said();
    let question = question
        .iter()
        .find(|it| method(it) == b"get_peers")
        .expect("a question");
    let of = |wanted: fn(&SocketAddr) -> bool| {
        let bogons = BOGONS
            .iter()
            .map(|bogon| bogon.parse::<SocketAddr>().expect("an address"));
        compact(
            bogons
                .filter(wanted)
                .zip(0..8)
                .map(|(at, n)| (name(n + 2), at)),
        )
    };
    let names = [
        ("nodes", of(SocketAddr::is_ipv4)),
        ("nodes6", of(SocketAddr::is_ipv6)),
    ];
    let mut said = stage.hears(place(1), &reply(&question.payload, name(1), &names));
    said.extend(stage.passes(Duration::from_secs(120)));
    assert!(
        said.iter().all(|transmit| transmit.to == place(1)),
        "{said:?}"
    );
}
