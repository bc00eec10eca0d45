//! The book against a naive account of what happened: lists that grow, looked through from the start.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What happened, in the simplest form.
#[derive(Default)]
struct Account {
    named: BTreeSet<Endpoint>,
    busy: BTreeSet<Endpoint>,
    banned: BTreeSet<Endpoint>,
    /// When each attempt on an address failed.
    failed: Vec<(Endpoint, Instant)>,
}

impl Account {
    fn same_ip(set: &BTreeSet<Endpoint>, endpoint: Endpoint) -> bool {
        set.iter().any(|other| other.ip == endpoint.ip)
    }

    fn last_failure(&self, endpoint: Endpoint) -> Option<Instant> {
        let of = self.failed.iter().rev().find(|(one, _)| *one == endpoint);
        of.map(|(_, at)| *at)
    }
}

fn source(n: u8) -> PeerSource {
    [
        PeerSource::Dht,
        PeerSource::Pex,
        PeerSource::Tracker,
        PeerSource::Lsd,
        PeerSource::Saved,
    ][usize::from(n) % 5]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whom_it_offers_was_named_is_free_and_has_rested(
        steps in prop::collection::vec((0u8..8, 0u32..6, 1_025u16..1_028, 0u64..100, any::<u8>()), 0..300),
    ) {
        let start = Instant::now();
        let mut book = book(start);
        let (mut now, mut account) = (start, Account::default());
        for (what, ip, port, wait, other) in steps {
            now += Duration::from_secs(wait);
            let endpoint = public(ip, port);
            match what {
                0 => {
                    book.add(now, endpoint, source(other));
                    account.named.insert(endpoint);
                }
                1 => {
                    book.add_told(now, endpoint, Flags::NONE, public(100 + u32::from(other), 1));
                    account.named.insert(endpoint);
                }
                2 if other < 40 => {
                    book.ban(now, endpoint);
                    account.banned.insert(endpoint);
                    // The owner closes what is connected there.
                    account.busy.retain(|one| one.ip != endpoint.ip);
                }
                3 if account.busy.remove(&endpoint) => {
                    book.ended(now, endpoint, FAILED);
                    account.failed.push((endpoint, now));
                }
                4 if account.busy.contains(&endpoint) => book.establish(now, endpoint),
                5 if account.busy.remove(&endpoint) => book.ended(now, endpoint, Outcome::Ended),
                6 => {
                    let why = book.why(now);
                    prop_assert_eq!(why.known as usize, book.known());
                    prop_assert!(why.tried + why.banned <= why.known);
                    prop_assert!(why.refused + why.timed_out + why.failed <= why.tried);
                    prop_assert_eq!(why.banned, book.banned());
                }
                _ => if let Some(next) = book.next(now, Need::Any) {
                    prop_assert!(account.named.contains(&next), "nobody named it");
                    prop_assert!(!Account::same_ip(&account.banned, next), "it is banned");
                    prop_assert!(!Account::same_ip(&account.busy, next), "its host is busy");
                    if let Some(at) = account.last_failure(next) {
                        prop_assert!(now - at >= Duration::from_secs(15), "it had no rest");
                    }
                    account.busy.insert(next);
                },
            }
            prop_assert!(book.known() <= MAX_KNOWN);
            if let Some(due) = book.next_due(now, Need::Any) {
                prop_assert!(due > now, "a busy loop");
            }
        }
    }

    /// Whoever is held was told, nobody holds more than the limit, and what is let go is not held.
    #[test]
    fn tellers_hold_what_is_in_the_book_on_their_word(
        steps in prop::collection::vec((0u8..6, 0u32..400, 0u32..4), 0..600),
    ) {
        let mut now = Instant::now();
        let mut book = book(now);
        for (what, n, teller) in steps {
            now += Duration::from_millis(300);
            let endpoint = public(n, 9_000);
            match what {
                0..=2 => { book.add_told(now, endpoint, Flags::NONE, public(1_000 + teller, 1)); }
                3 => { book.add(now, endpoint, PeerSource::Dht); }
                4 => if let Some(next) = book.next(now, Need::Any) {
                    book.ended(now, next, FAILED);
                },
                _ => if let Some(next) = book.next(now, Need::Any) {
                    book.establish(now, next);
                    book.ended(now, next, Outcome::Ended);
                },
            }
            for teller in 0..4 {
                let teller = Teller::host(public(1_000 + teller, 1).ip);
                let theirs = book.known.values().filter(|known| known.teller == Some(teller));
                prop_assert_eq!(theirs.count() as u32, book.tellers.held(teller));
            }
        }
    }
}
