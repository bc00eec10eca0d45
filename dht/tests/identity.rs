//! Who we are from one start to the next: the id that follows our address (BEP 42), and whom to save.

#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use trackless_dht::message::{
    self, Answer, Body, Envelope, Method, Standing, Want, write_query, write_response,
};
use trackless_dht::{AddressPolicy, Config, Endpoint, Event, Family, Id, Identity, Node, Transmit};

const MINUTES: Duration = Duration::from_secs(60);

struct Stage {
    node: Node,
    now: Instant,
}

/// The `n`th other node: each in a network of its own.
fn place(n: u8) -> SocketAddr {
    SocketAddr::from(([20 + n, n, 5, 7], 6881))
}

fn place6(n: u8) -> SocketAddr {
    SocketAddr::from(([0x2a00 + u16::from(n), 7, 0, 0, 0, 0, 0, 1], 6881))
}

fn name(n: u8) -> Id {
    Id::new([n ^ 0xa5; 20])
}

/// An address of ours, public.
fn ours(last: u8) -> IpAddr {
    IpAddr::from([81, 2, last, 4])
}

impl Stage {
    fn new(config: Config) -> Stage {
        let now = Instant::now();
        let node = Node::new(config, [7; 32], now);
        Stage { node, now }
    }

    fn said(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.node.poll_transmit()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.node.poll_event()).collect()
    }

    fn id(&self) -> Id {
        self.node.id(Family::V4)
    }

    /// Node `n` at `at` is asked, and says where it sees us.
    fn votes(&mut self, (at, n): (SocketAddr, u8), seen: IpAddr) {
        self.node.ping(self.now, Endpoint::from(at));
        let said = self.said();
        let ping = said
            .iter()
            .find(|it| it.to == at && asks(it, &Method::Ping));
        let question = message::parse(&ping.expect("a ping").payload).expect("we write well");
        let envelope = Envelope {
            transaction: question.transaction,
            version: *b"XX00",
            id: name(n),
        };
        let answer = write_response(&envelope, Endpoint::new(seen, 6881), &Answer::default());
        self.node.handle_datagram(self.now, at, &answer);
    }

    /// Everybody sees us there.
    fn elects(&mut self, seen: IpAddr) {
        for n in 0..32 {
            self.votes((place(n), n), seen);
        }
    }

    fn changes(&mut self) -> Vec<(Family, Id)> {
        let events = self.events().into_iter();
        let changed = events.filter_map(|event| match event {
            Event::IdChanged { family, id } => Some((family, id)),
            _ => None,
        });
        changed.collect()
    }
}

fn asks(transmit: &Transmit, wanted: &Method<'_>) -> bool {
    match message::parse(&transmit.payload).map(|message| message.body) {
        Ok(Body::Query(query)) => query.method == *wanted,
        _ => false,
    }
}

fn sender(transmit: &Transmit) -> Id {
    match message::parse(&transmit.payload)
        .expect("we write well")
        .body
    {
        Body::Query(query) => query.id,
        Body::Response(response) => response.id,
        Body::Failure(_) => panic!("a failure"),
    }
}

fn follower() -> Config {
    Config {
        identity: Identity::ByAddress,
        ..Config::default()
    }
}

/// Rows N2: the address that others see gives a new id (BEP 42), and contacts are kept.
#[test]
fn an_elected_address_gives_an_id_that_suits_it() {
    let mut stage = Stage::new(follower());
    let first = stage.id();
    for n in 0..3 {
        stage.votes((place(n), n), ours(3));
    }
    assert_eq!((stage.id(), stage.changes()), (first, vec![]));
    let known = stage.node.table_len(Family::V4);
    stage.votes((place(3), 3), ours(3));
    let id = stage.id();
    assert!(id.suits_address(ours(3)) && !first.suits_address(ours(3)));
    assert_eq!(stage.changes(), [(Family::V4, id)]);
    assert_eq!(stage.node.id(Family::V6), first, "the other family stays");
    assert_eq!(
        stage.node.table_len(Family::V4),
        known + 1,
        "so does everybody"
    );
    for (bits, bucket) in stage.node.buckets(Family::V4).enumerate() {
        let fits = |entry: &trackless_dht::Entry| id.shared_bits(&entry.contact.id) == bits;
        assert!(bucket.iter().all(fits));
    }
    // The new id is looked up, under the new id.
    let said = stage.said();
    let lookup = Method::FindNode { target: id };
    assert!(said.iter().any(|it| asks(it, &lookup)), "{}", said.len());
    assert!(said.iter().all(|it| sender(it) == id));
}

#[test]
fn it_changes_once_in_ten_minutes_and_never_without_need() {
    let mut stage = Stage::new(follower());
    stage.elects(ours(3));
    let first = stage.id();
    assert_eq!(stage.changes().len(), 1);
    stage.now += 9 * MINUTES;
    stage.elects(ours(200));
    assert_eq!((stage.id(), stage.changes()), (first, vec![]));
    stage.now += MINUTES;
    stage.votes((place(1), 1), ours(200));
    let second = stage.id();
    assert!(second.suits_address(ours(200)));
    assert_eq!(stage.changes(), [(Family::V4, second)]);
    // Both ids are ours now; the one of the start is not any more.
    for (id, echoes) in [(first, 1), (second, 2), (name(99), 2)] {
        let envelope = Envelope {
            transaction: b"aa",
            version: *b"XX00",
            id,
        };
        let ping = write_query(&envelope, Standing::Full, Want::default(), &Method::Ping);
        stage.node.handle_datagram(stage.now, place(77), &ping);
        assert_eq!(stage.node.stats().dropped.own_id, echoes);
    }
    stage.now += 60 * MINUTES;
    stage.elects(ours(200));
    assert_eq!((stage.id(), stage.changes()), (second, vec![]));
}

#[test]
fn a_kept_id_stays_and_one_that_suits_does_too() {
    let settled = Config {
        identity: Identity::Kept,
        ..Config::default()
    };
    let mut stage = Stage::new(settled);
    let id = stage.id();
    stage.elects(ours(3));
    assert_eq!(stage.node.external_address(), Some(ours(3)));
    assert_eq!((stage.id(), stage.changes()), (id, vec![]));
    let mut stage = Stage::new(follower());
    stage.elects(ours(3));
    let saved = Config {
        id: Some(stage.id()),
        ..follower()
    };
    let mut next = Stage::new(saved);
    next.elects(ours(3));
    assert_eq!((next.id(), next.changes()), (stage.id(), vec![]));
}

#[test]
fn a_private_network_names_nobody() {
    let home = IpAddr::from([10, 1, 2, 3]);
    let mut policy = AddressPolicy::new(Vec::new());
    policy.allow_range_of(home);
    let config = Config {
        policy,
        ..follower()
    };
    let mut stage = Stage::new(config);
    let id = stage.id();
    stage.elects(home);
    assert_eq!(stage.node.external_address(), Some(home));
    assert_eq!((stage.id(), stage.changes()), (id, vec![]));
}

#[test]
fn each_family_has_its_own_id() {
    let mut stage = Stage::new(follower());
    let v6 = IpAddr::from([0x2001, 0x4860, 1, 2, 0, 0, 0, 3]);
    for n in 0..8 {
        stage.votes((place(n), n), ours(3));
        stage.votes((place6(n), n + 100), v6);
    }
    let (id4, id6) = (stage.node.id(Family::V4), stage.node.id(Family::V6));
    assert!(id4.suits_address(ours(3)) && id6.suits_address(v6) && id4 != id6);
    assert_eq!(stage.changes(), [(Family::V4, id4), (Family::V6, id6)]);
    stage.said();
    stage.now += MINUTES;
    for (at, id) in [(place(50), id4), (place6(50), id6)] {
        stage.node.ping(stage.now, Endpoint::from(at));
        let said = stage.said();
        let ping = said.iter().find(|it| it.to == at).expect("a ping");
        assert_eq!(sender(ping), id);
    }
}

/// What is saved, and asked again.
#[test]
fn a_saved_table_begins_with_those_who_lasted_and_they_are_not_forgotten() {
    let config = Config {
        id: Some(Id::new([0; 20])),
        ..Config::default()
    };
    let mut stage = Stage::new(config);
    for n in 0..60 {
        stage.votes((place(n), n), ours(3));
        stage.now += Duration::from_secs(1);
    }
    stage.now += 5 * MINUTES;
    for n in 20..60 {
        stage.votes((place(n), n), ours(3));
    }
    let saved: Vec<Endpoint> = stage
        .node
        .contacts()
        .map(|contact| contact.endpoint)
        .collect();
    let lasted: Vec<Endpoint> = (20..52).map(|n| Endpoint::from(place(n))).collect();
    assert_eq!(saved[..32], lasted);
    let mut distinct = saved.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), saved.len(), "nobody twice");
    // Much is heard of later, but they are asked again and again.
    let mut next = Stage::new(Config::default());
    next.node.join(next.now, saved);
    for n in 0..2_000_u16 {
        let [a, b] = n.to_be_bytes();
        let heard = Endpoint::new([150 + a, b, 1, 1].into(), 7);
        next.node.join(next.now, [heard]);
    }
    next.said();
    let mut asked = std::collections::BTreeSet::new();
    let end = next.now + 60 * MINUTES;
    while next.now < end {
        next.now = next.node.next_timeout().max(next.now);
        next.node.handle_timeout(next.now);
        asked.extend(next.said().into_iter().map(|it| Endpoint::from(it.to)));
    }
    assert!(lasted.iter().all(|one| asked.contains(one)));
}
