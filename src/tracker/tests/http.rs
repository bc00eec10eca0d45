//! Queries and bodies: exact texts, both forms of peers, BEP 24 and 48, what trackers get wrong.

use std::time::Duration;

use bencode::Endpoint;
use proptest::prelude::*;

use super::super::announce::MAX_KIND;
use super::super::http::{
    Form, MAX_SCRAPE, QueryError, parse_query, parse_reply, parse_scrape, parse_scrape_query,
    query, scrape_query, write_failure, write_reply, write_scrape,
};
use super::super::{AnnounceEvent, Failure, MAX_PEERS, Reply, ScrapeReply};
use super::{EVENTS, announce};
use crate::metainfo::InfoHash;

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

#[test]
fn a_query_byte_by_byte() {
    let mut wish = announce();
    wish.tracker_id = Some(b"a b&".to_vec());
    wish.ip = Some("2001:db8::1".parse().expect("an address"));
    assert_eq!(
        query(&wish),
        "info_hash=%00%01~aB-_.%FF%26%3D%25%2B%20hash%21.&peer_id=-TL0100-abcdefghijkl&port=6881\
         &uploaded=3&downloaded=1&left=2&compact=1&no_peer_id=1&key=DEADBEEF&event=started&numwant=50\
         &ip=2001%3Adb8%3A%3A1&trackerid=a%20b%26"
    );
}

#[test]
fn what_other_clients_send_is_read() {
    let (read, form) = parse_query(
        "info_hash=%124Vx%9a%bc%de%f1%23Eg%89%ab%cd%ef%124Vx%9a&peer_id=-TR4000-abc+efghijkl&port=51413\
         &uploaded=0&downloaded=0&left=-1&numwant=80&key=1a2b3c4d&compact=0&supportcrypto=1&event=completed",
    )
    .expect("a query");
    assert_eq!(
        read.info_hash.to_string(),
        "123456789abcdef123456789abcdef123456789a"
    );
    assert_eq!(&read.peer_id.0, b"-TR4000-abc+efghijkl");
    assert_eq!(
        (read.port, read.left, read.numwant),
        (51413, u64::MAX, Some(80))
    );
    assert_eq!(
        (read.key, read.event, form),
        (0x1a2b_3c4d, AnnounceEvent::Completed, Form::Dictionary)
    );
}

#[test]
fn queries_that_are_none_say_why() {
    let good = query(&announce());
    assert!(parse_query(&good).is_ok());
    for (bad, why) in [
        (String::new(), QueryError::Missing("port")),
        (
            good.replace("info_hash", "hash"),
            QueryError::Missing("info_hash"),
        ),
        (
            good.replace("%00%01", "%00"),
            QueryError::Invalid("info_hash"),
        ),
        (
            good.replace("port=6881", "port=0"),
            QueryError::Invalid("port"),
        ),
        (
            good.replace("port=6881", "port=65536"),
            QueryError::Invalid("port"),
        ),
        (
            good.replace("uploaded=3", "uploaded=x"),
            QueryError::Invalid("uploaded"),
        ),
        (
            format!("{good}&x={}", "x".repeat(5000)),
            QueryError::TooLong,
        ),
    ] {
        assert_eq!(parse_query(&bad), Err(why), "{bad}");
    }
}

#[test]
fn bodies_byte_by_byte() {
    let reply = Reply {
        interval: Duration::from_secs(1800),
        min_interval: Some(Duration::from_secs(60)),
        seeders: Some(1),
        leechers: Some(2),
        peers: vec![endpoint("192.0.2.1:6881"), endpoint("[2001:db8::1]:80")],
        external_ip: Some([198, 51, 100, 7].into()),
        warning: Some("mind".into()),
        tracker_id: Some(b"id".to_vec()),
    };
    let compact = write_reply(&reply, Form::Compact);
    let expected = b"d8:completei1e11:external ip4:\xc6\x33\x64\x0710:incompletei2e8:intervali1800e12:min intervali60e\
        5:peers6:\xc0\0\x02\x01\x1a\xe16:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50\
        10:tracker id2:id15:warning message4:minde";
    assert_eq!(compact, expected, "{}", compact.escape_ascii());
    let dictionary = write_reply(&reply, Form::Dictionary);
    let peers = b"5:peersld2:ip9:192.0.2.14:porti6881eed2:ip11:2001:db8::14:porti80eee";
    assert!(
        dictionary.windows(peers.len()).any(|part| part == peers),
        "{}",
        dictionary.escape_ascii()
    );
    assert_eq!(parse_reply(&compact), Ok(reply.clone()));
    assert_eq!(parse_reply(&dictionary), Ok(reply));
    assert_eq!(write_failure("no"), b"d14:failure reason2:noe");
}

#[test]
fn replies_of_sloppy_trackers_are_read() {
    let peers = |body: &[u8]| parse_reply(body).map(|reply| reply.peers);
    let one = vec![endpoint("192.0.2.1:6881")];
    // Peer ids, keys out of order, a broken peer, a name in place of an address, port 0.
    let body = b"d5:peersld7:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881e2:ip9:192.0.2.1ei7ed2:ip7:example4:porti1eed2:ip9:192.0.2.24:porti0eeee";
    assert_eq!(peers(body), Ok(one.clone()));
    // A compact list with a piece of a peer behind it, no interval.
    assert_eq!(peers(b"d5:peers8:\xc0\0\x02\x01\x1a\xe1\xc0\0e"), Ok(one));
    // IPv6 only.
    assert_eq!(
        peers(b"d6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50e"),
        Ok(vec![endpoint("[2001:db8::1]:80")])
    );
    // Nobody there, negative and overlong numbers.
    let reply = parse_reply(b"d8:completei-1e8:intervali99999999999e5:peers0:e").expect("a reply");
    assert_eq!(
        (reply.seeders, reply.interval),
        (None, Duration::from_secs(1800))
    );
}

#[test]
fn external_addresses_in_three_spellings() {
    for (raw, expected) in [
        (&b"4:\xc6\x33\x64\x07"[..], "198.51.100.7"),
        (b"12:198.51.100.7", "198.51.100.7"),
        (
            b"16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01",
            "2001:db8::1",
        ),
        (b"16:2001:db8::1:2:3a", "2001:db8::1:2:3a"),
    ] {
        let body = [b"d11:external ip", raw, b"8:intervali60ee"].concat();
        let ip = parse_reply(&body).expect("a reply").external_ip;
        assert_eq!(ip, Some(expected.parse().expect("an address")));
    }
}

/// Rows N14: what is no tracker's answer is told apart.
#[test]
fn what_is_no_tracker_s_is_told_apart() {
    let deep = [vec![b'l'; 100], vec![b'e'; 100]].concat();
    for body in [
        &b""[..],
        b"<!DOCTYPE html><html>not here</html>",
        b"i1e",
        b"le",
        b"de",
        b"d5:hello5:worlde",
        b"d8:intervali60e5:peers0:",
        b"d8:intervali60e5:peers0:ejunk",
        &deep,
    ] {
        assert_eq!(
            parse_reply(body),
            Err(Failure::NotBencode),
            "{}",
            body.escape_ascii()
        );
    }
    let refused = parse_reply(b"d14:failure reason13:not\x1b[31m heree");
    assert_eq!(refused, Err(Failure::Reason("not[31m here".into())));
    let long = [b"d14:failure reason5000:".as_slice(), &[0xe4; 5000], b"e"].concat();
    match parse_reply(&long) {
        Err(Failure::Reason(text)) => assert!(text.len() <= 256, "{}", text.len()),
        other => panic!("{other:?}"),
    }
}

/// Rows N14: what a portal's page claims to be is shown, without parameters, cut, fit for a terminal.
#[test]
fn a_page_says_what_it_is() {
    let shown = |kind: &[u8]| Failure::NotBencode.of_kind(Some(kind)).to_string();
    assert_eq!(
        shown(b"text/html; charset=utf-8"),
        "what it sends is no tracker's answer: text/html"
    );
    assert_eq!(
        shown(b"text/\x1b[31mhtml"),
        "what it sends is no tracker's answer: text/[31mhtml"
    );
    assert!(shown(&[b'x'; 5000]).len() <= 40 + MAX_KIND);
    assert!(shown(&[0xff; 5000]).len() <= 40 + 3 * MAX_KIND);
    for nothing in [None, Some(&b""[..]), Some(b" ;charset=x")] {
        assert_eq!(Failure::NotBencode.of_kind(nothing), Failure::NotBencode);
    }
    // Its own words say more.
    let reason = Failure::Reason("full".into());
    assert_eq!(reason.clone().of_kind(Some(b"text/html")), reason);
}

#[test]
fn peers_are_bounded_in_both_forms() {
    let many = |count: u16| Reply {
        peers: (1..=count)
            .map(|port| Endpoint::new([192, 0, 2, 1].into(), port))
            .collect(),
        ..Reply::default()
    };
    for form in [Form::Compact, Form::Dictionary] {
        let reply = parse_reply(&write_reply(&many(1500), form)).expect("a reply");
        assert_eq!(reply.peers.len(), MAX_PEERS);
    }
    // More tokens than the limit.
    assert_eq!(
        parse_reply(&write_reply(&many(9000), Form::Dictionary)),
        Err(Failure::NotBencode)
    );
}

#[test]
fn scrapes_go_both_ways() {
    let counts = |n| ScrapeReply {
        seeders: n,
        completed: n + 1,
        leechers: n + 2,
    };
    let torrents = vec![
        (InfoHash([0x20; 20]), counts(5)),
        (InfoHash([0xff; 20]), counts(9)),
    ];
    let body = write_scrape(&torrents[..1]);
    assert_eq!(
        body,
        b"d5:filesd20:                    d8:completei5e10:downloadedi6e10:incompletei7eeee"
    );
    assert_eq!(parse_scrape(&write_scrape(&torrents)), Ok(torrents.clone()));
    let hashes: Vec<InfoHash> = torrents.iter().map(|(hash, _)| *hash).collect();
    let asked = scrape_query(&hashes);
    assert!(asked.starts_with("info_hash=%20%20"), "{asked}");
    assert_eq!(parse_scrape_query(&asked), Ok(hashes));
    assert_eq!(parse_scrape_query(""), Ok(Vec::new()));
    assert_eq!(
        parse_scrape_query("info_hash=abc"),
        Err(QueryError::Invalid("info_hash"))
    );
    let many = vec!["info_hash=aaaaaaaaaaaaaaaaaaaa"; MAX_SCRAPE + 1].join("&");
    assert_eq!(parse_scrape_query(&many), Err(QueryError::TooLong));
    assert_eq!(
        parse_scrape(b"d14:failure reason2:noe"),
        Err(Failure::Reason("no".into()))
    );
    assert_eq!(parse_scrape(b"de"), Err(Failure::NotBencode));
}

proptest! {
    #[test]
    fn queries_survive_the_way(
        hash in any::<[u8; 20]>(), id in any::<[u8; 20]>(), numbers in any::<[u64; 3]>(), port in 1..=u16::MAX,
        numwant in any::<Option<u32>>(), key in any::<u32>(), tracker_id in any::<Option<[u8; 7]>>(),
        ip in any::<Option<std::net::IpAddr>>(), event in 0usize..4,
    ) {
        let mut wish = announce();
        (wish.info_hash.0, wish.peer_id.0, wish.port, wish.numwant, wish.key, wish.ip) = (hash, id, port, numwant, key, ip);
        [wish.uploaded, wish.downloaded, wish.left] = numbers;
        wish.tracker_id = tracker_id.map(|id| id.to_vec());
        wish.event = EVENTS[event];
        prop_assert_eq!(parse_query(&query(&wish)), Ok((wish, Form::Compact)));
    }

    #[test]
    fn nothing_makes_a_parser_fall_over(body in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        let _ = parse_reply(&body);
        let _ = parse_scrape(&body);
        let _ = parse_query(&text);
        let _ = parse_scrape_query(&text);
        let _ = parse_query(&format!("info_hash={text}&peer_id={text}&port={text}"));
    }
}
