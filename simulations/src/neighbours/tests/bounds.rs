//! What a neighbour refuses, forgets and tries again.

use std::time::Duration;

use dht::message::{self, Envelope, Standing, Want};
use dht::{Endpoint, Id};

use super::{KINDS, Neighbour, address, beginning};
use crate::neighbours::Kind;
use crate::neighbours::policy::Full;
use crate::neighbours::server::Store;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn quotas_drop_what_is_too_much_and_recover() {
    let now = beginning();
    let envelope = Envelope {
        transaction: b"tt",
        version: *b"XX01",
        id: Id::new([0xee; 20]),
    };
    let method = message::Method::Ping;
    let query = message::write_query(&envelope, Standing::Full, Want::default(), &method);
    for kind in KINDS {
        let mut node = Neighbour::new(kind, Id::new([1; 20]), [7; 32], now);
        for _ in 0..1_000 {
            node.handle_datagram(now, address(1), &query);
        }
        let limited = node.stats().dropped.limited;
        let limits = matches!(kind, Kind::Libtorrent | Kind::Natted | Kind::Jech);
        assert_eq!(limited > 0, limits, "{kind}: {limited}");
        node.handle_datagram(now + secs(1), address(1), &query);
        assert_eq!(node.stats().dropped.limited, limited, "{kind}");
    }
}

#[test]
fn a_full_torrent_refuses_or_lets_the_oldest_go_and_all_is_forgotten() {
    let hash = Id::new([9; 20]);
    for kind in KINDS {
        let rules = &kind.policy().storage;
        let mut store = Store::new(rules);
        let most = u16::try_from(rules.peers).expect("a few thousand");
        for n in 0..most + 10 {
            let [high, low] = n.to_be_bytes();
            store.announced(hash, Endpoint::new([20, 1, high, low].into(), 1), 0);
        }
        assert_eq!(store.size(), (1, rules.peers), "{kind}");
        assert_eq!(store.has_room(&hash), rules.full == Full::Oldest, "{kind}");
        store.sweep(u32::try_from(rules.lifetime.as_secs()).expect("a day") + 1);
        assert_eq!(store.size(), (0, 0), "{kind}");
    }
}

#[test]
fn an_entrance_that_was_silent_is_tried_again() {
    for kind in KINDS {
        let mut now = beginning();
        let mut node = Neighbour::new(kind, Id::new([1; 20]), [7; 32], now);
        node.join(now, [Endpoint::from(address(1))]);
        while node.poll_transmit().is_some() {}
        let end = now + secs(1_200);
        // The first attempt, its retransmits included, is over after two minutes.
        let mut again = 0;
        while node.next_timeout() <= end {
            now = node.next_timeout();
            node.handle_timeout(now);
            assert!(node.next_timeout() > now, "{kind}: it would spin");
            let sent = std::iter::from_fn(|| node.poll_transmit()).count();
            if now > beginning() + secs(120) {
                again += sent;
            }
        }
        assert!((1..=120).contains(&again), "{kind}: {again}");
    }
}

#[test]
fn who_has_lost_everybody_begins_again_at_its_entrances() {
    for kind in KINDS {
        let begun = beginning();
        let mut node = Neighbour::new(kind, Id::new([1; 20]), [7; 32], begun);
        node.join(begun, [Endpoint::from(address(1))]);
        // The entrance answers once, and is silent for hours.
        let asked = node.poll_transmit().expect("it joins").payload;
        let envelope = Envelope {
            transaction: message::parse(&asked).expect("a query").transaction,
            version: *b"XX01",
            id: Id::new([0xee; 20]),
        };
        let here = Endpoint::from(address(2));
        let answer = message::write_response(&envelope, here, &message::Answer::default());
        node.handle_datagram(begun, address(1), &answer);
        assert_eq!(node.table_len(), 1, "{kind}");
        let mut late = 0;
        while node.next_timeout() <= begun + secs(6 * 3_600) {
            let now = node.next_timeout();
            node.handle_timeout(now);
            let sent = std::iter::from_fn(|| node.poll_transmit()).count();
            if now > begun + secs(5 * 3_600) {
                late += sent;
            }
        }
        assert_eq!(node.table_len(), 0, "{kind}");
        assert!((1..=400).contains(&late), "{kind}: {late}");
    }
}
