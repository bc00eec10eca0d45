//! Scripted conversations with one node: every query's answer, and every way to be wrong.

#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bencode::{Limits, Value};
use trackless_dht::message::{
    self, AnnouncePort, Answer, Envelope, Method, Standing, Want, write_query, write_response,
};
use trackless_dht::{
    AddressPolicy, Announcement, Config, Contact, Endpoint, Event, Families, Family, Id, Node, Part,
};

const THEIRS: Id = Id::new(*b"abcdefghij0123456789");
const HASH: Id = Id::new(*b"mnopqrstuvwxyz123456");

fn them() -> SocketAddr {
    SocketAddr::from(([81, 2, 3, 4], 5555))
}

fn node() -> (Node, Instant) {
    let now = Instant::now();
    let config = Config {
        id: Some(Id::new([1; 20])),
        ..Config::default()
    };
    (Node::new(config, [3; 32], now), now)
}

fn sent(node: &mut Node) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| node.poll_transmit())
        .map(|transmit| transmit.payload)
        .collect()
}

fn events(node: &mut Node) -> Vec<Event> {
    std::iter::from_fn(|| node.poll_event()).collect()
}

fn dict(payload: &[u8]) -> Value<'_> {
    bencode::parse(payload, &Limits::KRPC).expect("we write well")
}

fn kind(payload: &[u8]) -> &[u8] {
    dict(payload)
        .get("y")
        .and_then(|y| y.as_bytes())
        .expect("y")
}

fn query(method: &Method<'_>, standing: Standing) -> Vec<u8> {
    let envelope = Envelope {
        transaction: b"a long transaction",
        version: *b"XX00",
        id: THEIRS,
    };
    write_query(
        &envelope,
        standing,
        Want {
            v4: true,
            v6: false,
        },
        method,
    )
}

/// Asks as a read-only node, so that the reply stands alone.
fn ask(node: &mut Node, now: Instant, method: &Method<'_>) -> Vec<u8> {
    node.handle_datagram(now, them(), &query(method, Standing::ReadOnly));
    let mut replies = sent(node);
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

fn reply(to: &[u8], id: Id, answer: &Answer<'_>) -> Vec<u8> {
    let transaction = dict(to).get("t").and_then(|t| t.as_bytes()).expect("t");
    let envelope = Envelope {
        transaction,
        version: *b"XX00",
        id,
    };
    write_response(
        &envelope,
        "198.51.99.7:7".parse().expect("an endpoint"),
        answer,
    )
}

#[test]
fn a_ping_is_answered_with_its_transaction_our_id_and_its_address() {
    let (mut node, now) = node();
    let pong = ask(&mut node, now, &Method::Ping);
    let pong = dict(&pong);
    assert_eq!(
        pong.get("t").and_then(|t| t.as_bytes()),
        Some(&b"a long transaction"[..])
    );
    assert_eq!(
        pong.get("ip").and_then(|ip| ip.as_bytes()),
        Some(&[81, 2, 3, 4, 21, 179][..])
    );
    let id = pong
        .get("r")
        .and_then(|r| r.get("id"))
        .and_then(|id| id.as_bytes());
    assert_eq!(id, Some(&[1; 20][..]));
}

#[test]
fn get_peers_then_announce_then_get_peers() {
    let (mut node, now) = node();
    let first = ask(&mut node, now, &Method::GetPeers { info_hash: HASH });
    let r = dict(&first).get("r").expect("r");
    assert!(r.get("values").is_none() && r.get("nodes").is_some() && r.get("nodes6").is_none());
    let token = r
        .get("token")
        .and_then(|token| token.as_bytes())
        .expect("a token");
    for (port, listening) in [
        (AnnouncePort::Explicit(9_999), 9_999),
        (AnnouncePort::Implied, 5555),
    ] {
        let announce = Method::AnnouncePeer {
            info_hash: HASH,
            port,
            token,
        };
        assert_eq!(kind(&ask(&mut node, now, &announce)), b"r");
        let found = ask(&mut node, now, &Method::GetPeers { info_hash: HASH });
        let values = dict(&found)
            .get("r")
            .and_then(|r| r.get("values"))
            .expect("values");
        let peers: Vec<_> = values
            .as_list()
            .expect("a list")
            .filter_map(|value| Endpoint::from_compact(value.as_bytes()?))
            .collect();
        assert!(peers.contains(&Endpoint::new(them().ip(), listening)));
    }
}

#[test]
fn a_bad_token_and_port_zero_are_errors() {
    let (mut node, now) = node();
    let first = ask(&mut node, now, &Method::GetPeers { info_hash: HASH });
    let token = dict(&first)
        .get("r")
        .and_then(|r| r.get("token"))
        .and_then(|t| t.as_bytes());
    let token = token.expect("a token");
    for (port, token) in [(1, &b"12345678"[..]), (1, b""), (0, token)] {
        let port = AnnouncePort::Explicit(port);
        let answer = ask(
            &mut node,
            now,
            &Method::AnnouncePeer {
                info_hash: HASH,
                port,
                token,
            },
        );
        assert!(answer.starts_with(b"d1:eli203e"));
    }
    assert_eq!(node.stored(), (0, 0));
}

#[test]
fn unknown_methods_are_204_and_missing_arguments_203() {
    let (mut node, now) = node();
    for (datagram, code) in [
        (
            &b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote2:roi1e1:t2:aa1:y1:qe"[..],
            204,
        ),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q9:get_peers2:roi1e1:t2:aa1:y1:qe",
            203,
        ),
    ] {
        node.handle_datagram(now, them(), datagram);
        let answer = sent(&mut node).remove(0);
        assert!(answer.starts_with(format!("d1:eli{code}e").as_bytes()));
    }
}

/// Rows A3: what is malformed gets no answer.
#[test]
fn nothing_malformed_gets_an_answer() {
    let (mut node, now) = node();
    let good = query(&Method::GetPeers { info_hash: HASH }, Standing::Full);
    for length in 0..good.len() {
        node.handle_datagram(now, them(), &good[..length]);
    }
    for rubbish in [
        &b"d1:eli201e1:xe1:t2:aa1:y1:ee"[..],
        b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        &[b'd'; 1500],
        &[b'l'; 1500],
    ] {
        node.handle_datagram(now, them(), rubbish);
    }
    assert_eq!(sent(&mut node), Vec::<Vec<u8>>::new());
    let dropped = node.stats().dropped;
    assert_eq!(dropped.unasked, 2);
    assert!(dropped.not_krpc > 0 && dropped.bencode > 0);
}

/// Rows A4: our own packets coming back are dropped.
#[test]
fn our_own_id_port_zero_and_refused_ranges_are_dropped() {
    let (mut node, now) = node();
    let ping = query(&Method::Ping, Standing::Full);
    node.handle_datagram(now, SocketAddr::from(([81, 2, 3, 4], 0)), &ping);
    node.handle_datagram(now, SocketAddr::from(([127, 0, 0, 1], 9)), &ping);
    node.handle_datagram(now, SocketAddr::from(([224, 0, 0, 1], 9)), &ping);
    assert_eq!(node.stats().dropped.address, 3);
    let envelope = Envelope {
        transaction: b"aa",
        version: *b"XX00",
        id: Id::new([1; 20]),
    };
    let echo = write_query(&envelope, Standing::Full, Want::default(), &Method::Ping);
    node.handle_datagram(now, them(), &echo);
    assert_eq!(node.stats().dropped.own_id, 1);
    assert!(sent(&mut node).is_empty());
}

#[test]
fn a_flood_from_one_source_is_answered_twelve_times_in_a_second() {
    let (mut node, now) = node();
    let ping = query(&Method::Ping, Standing::ReadOnly);
    for n in 0..3000_u64 {
        node.handle_datagram(now + Duration::from_micros(n * 333), them(), &ping);
    }
    assert!(sent(&mut node).len() <= 12);
    assert!(node.stats().dropped.limited >= 2988);
}

/// Rows A2: asking us is not enough to become a contact.
#[test]
fn a_querier_is_a_contact_only_after_it_answered_our_probe() {
    let (mut node, now) = node();
    node.handle_datagram(now, them(), &query(&Method::Ping, Standing::Full));
    let out = sent(&mut node);
    assert_eq!(
        out.iter().map(|payload| kind(payload)).collect::<Vec<_>>(),
        [b"r", b"q"]
    );
    assert_eq!(node.contacts().count(), 0);
    let pong = reply(&out[1], THEIRS, &Answer::default());
    // Not from another address, and not from another port.
    node.handle_datagram(now, SocketAddr::from(([81, 2, 3, 5], 5555)), &pong);
    node.handle_datagram(now, SocketAddr::from(([81, 2, 3, 4], 5556)), &pong);
    assert_eq!(
        (node.contacts().count(), node.stats().dropped.unasked),
        (0, 2)
    );
    node.handle_datagram(now, them(), &pong);
    assert_eq!(
        node.contacts().next().map(|contact| contact.id),
        Some(THEIRS)
    );
    assert_eq!(
        events(&mut node)[0],
        Event::FirstNode { family: Family::V4 }
    );
}

/// Rows A2: who answers with another id than it asked with is no contact.
#[test]
fn a_probe_answered_by_another_id_adds_nobody() {
    let (mut node, now) = node();
    node.handle_datagram(now, them(), &query(&Method::Ping, Standing::Full));
    let out = sent(&mut node);
    node.handle_datagram(
        now,
        them(),
        &reply(&out[1], Id::new([9; 20]), &Answer::default()),
    );
    assert_eq!((node.contacts().count(), node.stats().impostors), (0, 1));
}

#[test]
fn a_waiting_lookup_starts_with_the_bootstrap_reply() {
    let (mut node, now) = node();
    let lookup = node.get_peers(now, HASH);
    assert!(sent(&mut node).is_empty());
    node.join(now, [Endpoint::from(them())]);
    let question = sent(&mut node).remove(0);
    let named = Contact {
        id: HASH,
        endpoint: Endpoint::new([90, 1, 1, 1].into(), 1),
    };
    let answer = Answer {
        nodes: Some(vec![named]),
        ..Answer::default()
    };
    node.handle_datagram(now, them(), &reply(&question, THEIRS, &answer));
    let out = sent(&mut node);
    let asks = |what: &str| {
        let asks =
            |payload: &&Vec<u8>| dict(payload).get("q").and_then(|q| q.as_str()) == Some(what);
        out.iter().filter(asks).count()
    };
    assert_eq!(
        (asks("get_peers"), asks("find_node")),
        (2, 2),
        "both nodes, at once"
    );
    assert!(
        node.lookup_report(now, lookup)
            .is_some_and(|report| report.asked == 2)
    );
}

#[test]
fn bootstrapping_backs_off_to_a_minute() {
    let (mut node, now) = node();
    node.join(now, [Endpoint::from(them())]);
    let mut asked = sent(&mut node).len();
    let end = now + Duration::from_secs(600);
    let mut clock = node.next_timeout();
    while clock < end {
        node.handle_timeout(clock);
        asked += sent(&mut node).len();
        assert!(node.next_timeout() > clock);
        clock = node.next_timeout();
    }
    assert!((12..=20).contains(&asked), "{asked}");
    let events = events(&mut node);
    let appeal = |event: &&Event| matches!(event, Event::NeedBootstrap { .. });
    assert!((5..=20).contains(&events.iter().filter(appeal).count()));
    let others = events.iter().filter(|event| !appeal(event));
    assert!(others.eq([&Event::LinkDown]), "{events:?}");
}

#[test]
fn a_ping_ends_in_a_pong_or_a_failure() {
    let (mut node, now) = node();
    let endpoint = Endpoint::from(them());
    node.ping(now, endpoint);
    let question = sent(&mut node).remove(0);
    let later = now + Duration::from_millis(30);
    node.handle_datagram(later, them(), &reply(&question, THEIRS, &Answer::default()));
    let rtt = Duration::from_millis(30);
    assert!(events(&mut node).contains(&Event::Pong {
        endpoint,
        id: THEIRS,
        rtt
    }));
    let silent = Endpoint::new([81, 9, 9, 9].into(), 1);
    node.ping(later, silent);
    node.handle_timeout(later + Duration::from_secs(1));
    node.handle_timeout(later + Duration::from_secs(5));
    assert!(events(&mut node).contains(&Event::PingFailed { endpoint: silent }));
    let refused = Endpoint::new([127, 0, 0, 1].into(), 1);
    node.ping(later, refused);
    assert_eq!(events(&mut node), [Event::PingFailed { endpoint: refused }]);
}

#[test]
fn peers_of_refused_ranges_are_not_reported() {
    let (mut node, now) = node();
    node.join(now, [Endpoint::from(them())]);
    let question = sent(&mut node).remove(0);
    node.handle_datagram(now, them(), &reply(&question, THEIRS, &Answer::default()));
    sent(&mut node);
    node.get_peers(now, HASH);
    let question = sent(&mut node).remove(0);
    let good = Endpoint::new([90, 1, 1, 1].into(), 1);
    let bad = [
        Endpoint::new([127, 0, 0, 1].into(), 1),
        Endpoint::new([192, 168, 1, 1].into(), 1),
        Endpoint::new([90, 1, 1, 1].into(), 0),
    ];
    let values = bad.into_iter().chain([good, good]).collect();
    let answer = Answer {
        values,
        ..Answer::default()
    };
    node.handle_datagram(now, them(), &reply(&question, THEIRS, &answer));
    let peers: Vec<_> = events(&mut node)
        .into_iter()
        .filter_map(|event| match event {
            Event::Peers { peers, .. } => Some(peers),
            _ => None,
        })
        .collect();
    assert_eq!(peers, [vec![good]]);
}

/// Rows N10: a node of one address family neither asks nor hears the other.
#[test]
fn a_node_of_one_family_ignores_the_other() {
    let now = Instant::now();
    let config = Config {
        families: Families::V6,
        ..Config::default()
    };
    let mut node = Node::new(config, [1; 32], now);
    node.handle_datagram(now, them(), &query(&Method::Ping, Standing::Full));
    node.join(now, [Endpoint::from(them())]);
    assert!(sent(&mut node).is_empty());
}

#[test]
fn undrained_queues_are_bounded() {
    let now = Instant::now();
    let mut policy = AddressPolicy::new(Vec::new());
    policy.allow_range_of([127, 0, 0, 1].into());
    let mut node = Node::new(
        Config {
            policy,
            ..Config::default()
        },
        [1; 32],
        now,
    );
    let ping = query(&Method::Ping, Standing::ReadOnly);
    let home = SocketAddr::from(([127, 0, 0, 1], 7));
    for second in 0..100 {
        for _ in 0..200 {
            node.handle_datagram(now + Duration::from_secs(second), home, &ping);
        }
    }
    assert!(sent(&mut node).len() <= 8192);
}

#[test]
fn a_cancelled_lookup_says_nothing_more() {
    let (mut node, now) = node();
    node.join(now, [Endpoint::from(them())]);
    let question = sent(&mut node).remove(0);
    node.handle_datagram(now, them(), &reply(&question, THEIRS, &Answer::default()));
    sent(&mut node);
    events(&mut node);
    let lookup = node.get_peers(now, HASH);
    let question = sent(&mut node).remove(0);
    node.cancel(lookup);
    let answer = Answer {
        values: vec![Endpoint::new([90, 1, 1, 1].into(), 1)],
        ..Answer::default()
    };
    node.handle_datagram(now, them(), &reply(&question, THEIRS, &answer));
    assert_eq!(events(&mut node), []);
    assert!(message::parse(&question).is_ok());
}

#[test]
fn a_seed_says_so_when_it_asks_and_when_it_announces() {
    let (mut node, now) = node();
    node.join(now, [Endpoint::from(them())]);
    let hello = sent(&mut node).remove(0);
    let nobody = Answer::default();
    node.handle_datagram(now, them(), &reply(&hello, THEIRS, &nobody));
    sent(&mut node);
    for (part, says) in [(Part::Seed, Some(1)), (Part::Peer, None)] {
        let port = AnnouncePort::Explicit(6881);
        node.announce(now, HASH, Announcement { port, part });
        let question = sent(&mut node).remove(0);
        let with_token = Answer {
            token: Some(b"token"),
            ..Answer::default()
        };
        node.handle_datagram(now, them(), &reply(&question, THEIRS, &with_token));
        let announcement = sent(&mut node).remove(0);
        for (payload, key) in [(&question, "noseed"), (&announcement, "seed")] {
            let said = dict(payload).get("a").and_then(|a| a.get(key));
            assert_eq!(said.and_then(|value| value.as_int()), says, "{key}");
        }
        node.handle_datagram(now, them(), &reply(&announcement, THEIRS, &nobody));
        sent(&mut node);
    }
}
