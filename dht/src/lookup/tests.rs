//! Properties of a lookup in networks that are honest, dead or hostile.

use proptest::prelude::*;

use super::*;

fn contact(n: u32) -> Contact {
    // A fixed scramble spreads ids over the key space.
    let mut bytes = [0; 20];
    let mut state = u64::from(n).wrapping_add(1);
    for byte in &mut bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
    // Each in a network of its own.
    let [_, a, b, c] = n.to_be_bytes();
    Contact {
        id: Id::new(bytes),
        endpoint: Endpoint::new([30 + a, b, c, 7].into(), 6881),
    }
}

const APPROACH: Approach = Approach {
    homing: 4,
    converging: 12,
    margin: 0,
    expected: None,
    usual: None,
};

/// A lookup among strangers.
fn start(seeds: impl IntoIterator<Item = Contact>) -> Lookup {
    begin(APPROACH, seeds)
}

fn begin(approach: Approach, seeds: impl IntoIterator<Item = Contact>) -> Lookup {
    let known = |contact| (contact, Address::Exclusive, Origin::Known);
    Lookup::new(TARGET, approach, seeds.into_iter().map(known))
}

fn open(contacts: impl IntoIterator<Item = Contact>) -> Vec<(Contact, Address)> {
    contacts
        .into_iter()
        .map(|contact| (contact, Address::Exclusive))
        .collect()
}

fn nearest(all: &[Contact], target: &Id, count: usize) -> Vec<Contact> {
    let mut all = all.to_vec();
    all.sort_by_key(|contact| contact.id.distance(target));
    all.truncate(count);
    all
}

const TARGET: Id = Id::new([0x77; 20]);

proptest! {
    #[test]
    fn an_honest_network_yields_the_true_closest(
        size in 1_u32..300,
        target: [u8; 20],
        dead in prop::collection::vec(any::<bool>(), 300),
    ) {
        let target = Id::new(target);
        let all: Vec<_> = (0..size).map(contact).collect();
        let alive = |c: &Contact| !dead[all.iter().position(|o| o == c).unwrap_or(0)];
        let mut lookup = Lookup::new(
            target,
            APPROACH,
            all.iter().take(8).map(|c| (*c, Address::Exclusive, Origin::Known)),
        );
        let mut flying: Vec<Contact> = Vec::new();
        let mut asked = Vec::new();
        loop {
            while let Some(next) = lookup.next_question() {
                prop_assert!(!asked.contains(&next), "nobody is asked twice");
                asked.push(next);
                flying.push(next);
            }
            prop_assert!(flying.len() <= APPROACH.homing);
            if flying.is_empty() {
                break;
            }
            let from = flying.remove(0);
            if alive(&from) {
                // Everybody knows everybody that lives, and some dead ones.
                let known: Vec<_> =
                    all.iter().copied().filter(|c| alive(c) || c.id.as_bytes()[19] < 99).collect();
                let near = nearest(&known, &target, 8);
                lookup.answered(from.endpoint, Some(b"t"), open(near));
            } else {
                lookup.failed(from.endpoint);
            }
        }
        prop_assert!(lookup.is_done());
        let result: Vec<_> = lookup.closest().map(|(contact, _)| contact).collect();
        prop_assert!(result.is_sorted_by_key(|contact| contact.id.distance(&target)));
        prop_assert!(result.iter().all(|contact| asked.contains(contact) && alive(contact)));
        let living: Vec<_> = all.iter().copied().filter(&alive).collect();
        if dead.iter().take(size as usize).all(|dead| !dead) {
            prop_assert_eq!(result, nearest(&living, &target, 8));
        }
        prop_assert_eq!(lookup.tally().asked as usize, asked.len());
    }

    /// Rows A9: a lookup among ever closer nodes ends.
    #[test]
    fn a_trap_of_ever_closer_nodes_ends(seed: u32) {
        let mut lookup = start([contact(seed % 1000)]);
        let mut invented = 0_u32;
        while let Some(next) = lookup.next_question() {
            let trap = (0..50_u32).map(|_| {
                invented += 1;
                // Shares ever more bits with the target.
                let mut bytes = *TARGET.as_bytes();
                bytes[16..].copy_from_slice(&(u32::MAX - invented).to_be_bytes());
                let [a, b, c, d] = (0x2800_0000 + invented).to_be_bytes();
                let endpoint = Endpoint::new([a, b, c, d].into(), 1);
                (Contact { id: Id::new(bytes), endpoint }, Address::Exclusive)
            });
            let trap: Vec<_> = trap.collect();
            lookup.answered(next.endpoint, None, trap);
            prop_assert!(lookup.candidates.len() <= MAX_CANDIDATES);
        }
        prop_assert!(lookup.tally().asked <= MAX_QUERIES);
        prop_assert!(lookup.is_done());
    }
}

#[test]
fn a_lookup_without_anybody_is_done() {
    let mut lookup = start([]);
    assert_eq!(lookup.next_question(), None);
    assert!(lookup.is_done());
}

#[test]
fn a_slow_node_frees_its_slot_and_still_counts() {
    let mut lookup = start((0..12).map(contact));
    let first: Vec<_> = std::iter::from_fn(|| lookup.next_question()).collect();
    assert_eq!(first.len(), APPROACH.homing);
    lookup.slow(first[0].endpoint);
    assert!(lookup.next_question().is_some());
    assert!(lookup.next_question().is_none());
    lookup.answered(first[0].endpoint, Some(b"late"), []);
    assert_eq!(
        lookup.closest().next(),
        Some((first[0], Some(&b"late"[..])))
    );
}

#[test]
fn answers_of_strangers_and_second_answers_do_not_count() {
    let mut lookup = start([contact(1)]);
    lookup.answered(contact(1).endpoint, None, open([contact(2)]));
    assert_eq!(lookup.tally().answered, 0, "not asked yet");
    lookup.next_question();
    lookup.answered(contact(9).endpoint, None, open([contact(2)]));
    lookup.answered(contact(1).endpoint, None, []);
    lookup.answered(contact(1).endpoint, None, open([contact(3)]));
    assert_eq!(lookup.tally().answered, 1);
    assert!(lookup.is_done());
}

#[test]
fn one_reply_may_name_eight() {
    let mut lookup = start([contact(0)]);
    lookup.next_question();
    lookup.answered(contact(0).endpoint, None, open((1..30).map(contact)));
    assert_eq!(lookup.candidates.len(), 1 + MAX_HEARD);
}

#[test]
fn one_address_is_one_candidate_unless_shared() {
    let same = |port| Contact {
        endpoint: Endpoint {
            port,
            ..contact(0).endpoint
        },
        ..contact(port.into())
    };
    let seeds = |address| (1..5).map(move |port| (same(port), address, Origin::Known));
    let lookup = Lookup::new(TARGET, APPROACH, seeds(Address::Exclusive));
    assert_eq!(lookup.candidates.len(), 1);
    let lookup = Lookup::new(TARGET, APPROACH, seeds(Address::Shared));
    assert_eq!(lookup.candidates.len(), 4);
}

#[test]
fn hops_are_the_longest_chain_that_answered() {
    let mut lookup = start([contact(0)]);
    for n in 0..5 {
        let asked = lookup.next_question().expect("the next link");
        assert_eq!(asked, contact(n));
        lookup.answered(asked.endpoint, None, open([contact(n + 1)]));
    }
    assert_eq!(lookup.tally().hops, 5);
    assert!(lookup.closest_bits() <= 160);
}

#[test]
fn only_who_is_vouched_for_is_asked_again() {
    let mut lookup = start((0..3).map(contact));
    let seeds: Vec<_> = std::iter::from_fn(|| lookup.next_question()).collect();
    assert_eq!(
        lookup.slow(seeds[0].endpoint),
        Slowed::AskAgain,
        "it answered us before"
    );
    assert_eq!(lookup.slow(seeds[0].endpoint), Slowed::Wait, "once");
    // All three name contact 8, one names contact 9.
    lookup.answered(seeds[1].endpoint, None, open([contact(8), contact(9)]));
    lookup.answered(seeds[2].endpoint, None, open([contact(8)]));
    lookup.answered(seeds[0].endpoint, None, open([contact(8)]));
    let next: Vec<_> = std::iter::from_fn(|| lookup.next_question()).collect();
    assert_eq!(next.len(), 2);
    for asked in next {
        let expected = if asked == contact(8) {
            Slowed::AskAgain
        } else {
            Slowed::Wait
        };
        assert_eq!(lookup.slow(asked.endpoint), expected);
    }
}

/// An approach in a network where the eighth node is expected at this part of the key space.
fn knowing(expected: f64) -> Approach {
    Approach {
        expected: Some(expected),
        usual: Some(expected),
        ..APPROACH
    }
}

#[test]
fn it_converges_when_an_answer_came_from_near() {
    let seeds: Vec<_> = nearest(&(0..200).map(contact).collect::<Vec<_>>(), &TARGET, 20);
    let reach = seeds[7].id.distance(&TARGET).fraction();
    let mut lookup = begin(knowing(reach), seeds.iter().copied());
    let first: Vec<_> = std::iter::from_fn(|| lookup.next_question()).collect();
    assert_eq!(first.len(), 4, "homing");
    lookup.answered(first[0].endpoint, None, []);
    let rest: Vec<_> = std::iter::from_fn(|| lookup.next_question()).collect();
    assert_eq!(rest.len(), 4, "the other four of the closest eight");
    assert!(lookup.is_surely_close(&seeds[0].id) && !lookup.is_surely_close(&seeds[19].id));
}

#[test]
fn last_holders_are_all_asked_at_once() {
    let holders: Vec<_> = nearest(&(0..200).map(contact).collect::<Vec<_>>(), &TARGET, 8);
    let reach = holders[7].id.distance(&TARGET).fraction();
    let seeds = holders
        .iter()
        .map(|c| (*c, Address::Exclusive, Origin::Holder));
    let mut lookup = Lookup::new(TARGET, knowing(reach), seeds);
    assert_eq!(std::iter::from_fn(|| lookup.next_question()).count(), 8);
}

/// Rows A1: a crowd that is closer than chance allows widens the search.
#[test]
fn a_crowd_too_close_for_chance_is_searched_beyond() {
    let seeds: Vec<_> = nearest(&(0..200).map(contact).collect::<Vec<_>>(), &TARGET, 40);
    let reach = seeds[7].id.distance(&TARGET).fraction();
    let answers = |expected| {
        let mut lookup = begin(knowing(expected), seeds.iter().copied());
        while let Some(next) = lookup.next_question() {
            lookup.answered(next.endpoint, None, []);
        }
        assert!(lookup.is_done());
        lookup.closest().count()
    };
    assert_eq!(answers(reach), K);
    assert_eq!(answers(reach * 5.0), WHEN_CROWDED);
}

/// Rows A1: of a network one node counts in a lookup.
#[test]
fn of_one_network_one_living_node_counts() {
    let mut seeds: Vec<_> = nearest(&(0..200).map(contact).collect::<Vec<_>>(), &TARGET, 9);
    // The closest six are neighbours.
    for (host, seed) in (1..).zip(&mut seeds[..6]) {
        seed.endpoint = Endpoint::new([9, 9, 9, host].into(), 6881);
    }
    let mut lookup = start(seeds.iter().copied());
    let mut asked = Vec::new();
    while let Some(next) = lookup.next_question() {
        asked.push(next);
        if next == seeds[0] {
            lookup.failed(next.endpoint);
        } else {
            lookup.answered(next.endpoint, None, []);
        }
    }
    // The second of them takes the place of the first, which is dead; the others are not asked.
    assert!(asked.contains(&seeds[1]) && !asked.contains(&seeds[2]));
    assert!(seeds[6..].iter().all(|honest| asked.contains(honest)));
    assert!(lookup.is_done());
}

#[test]
fn whoever_names_only_the_dead_is_not_listened_to() {
    let mut lookup = start([contact(0)]);
    lookup.next_question();
    lookup.answered(contact(0).endpoint, None, open((1..9).map(contact)));
    let mut dead = 0;
    while let Some(next) = lookup.next_question() {
        lookup.failed(next.endpoint);
        dead += 1;
    }
    assert!(dead < 8, "asked {dead} of eight victims");
    assert!(lookup.is_done());
}

#[test]
fn an_answer_that_comes_too_late_still_counts() {
    let mut lookup = start([contact(0)]);
    lookup.next_question();
    lookup.slow(contact(0).endpoint);
    lookup.failed(contact(0).endpoint);
    assert_eq!(lookup.tally().failed, 1);
    lookup.answered(contact(0).endpoint, Some(b"t"), []);
    assert_eq!((lookup.tally().failed, lookup.tally().answered), (0, 1));
    assert_eq!(lookup.closest().count(), 1);
}

#[test]
fn an_anchor_breaks_the_ring_of_those_who_name_only_each_other() {
    let all: Vec<_> = nearest(&(0..300).map(contact).collect::<Vec<_>>(), &TARGET, 300);
    let (liars, honest) = (&all[10..40], &all[..10]);
    let seeds = liars
        .iter()
        .take(16)
        .map(|c| (*c, Address::Exclusive, Origin::Known));
    let anchor = (all[299], Address::Exclusive, Origin::Anchor);
    let found = |with_anchor: usize| {
        let anchors = [anchor].into_iter().take(with_anchor);
        let mut lookup = Lookup::new(TARGET, APPROACH, seeds.clone().chain(anchors));
        while let Some(next) = lookup.next_question() {
            let named = if liars.contains(&next) { liars } else { honest };
            lookup.answered(next.endpoint, None, open(named.iter().copied().take(8)));
        }
        assert!(lookup.is_done());
        lookup
            .closest()
            .filter(|(node, _)| honest.contains(node))
            .count()
    };
    assert_eq!(found(0), 0);
    assert_eq!(found(1), 8);
}

#[test]
fn a_slow_anchor_is_not_waited_for() {
    let anchor = (contact(9), Address::Exclusive, Origin::Anchor);
    let seed = (contact(1), Address::Exclusive, Origin::Known);
    let mut lookup = Lookup::new(TARGET, APPROACH, [seed, anchor]);
    while lookup.next_question().is_some() {}
    lookup.answered(contact(1).endpoint, None, []);
    assert!(!lookup.is_done());
    lookup.slow(contact(9).endpoint);
    lookup.failed(contact(9).endpoint);
    assert!(lookup.is_done());
}

#[test]
fn with_a_margin_more_than_the_closest_must_answer() {
    let asked = |margin| {
        let mut lookup = begin(Approach { margin, ..APPROACH }, (0..30).map(contact));
        while let Some(next) = lookup.next_question() {
            lookup.answered(next.endpoint, None, []);
        }
        assert!(lookup.is_done());
        (lookup.tally().asked, lookup.closest().count())
    };
    assert_eq!((asked(0), asked(4)), ((8, 8), (12, 8)));
}

/// Rows N10: who has another id than it was asked by counts where that one is, and once.
#[test]
fn a_renamed_node_counts_where_its_id_is() {
    let (stale, other) = (contact(1), contact(2));
    let mut lookup = start([stale, other]);
    while lookup.next_question().is_some() {}
    lookup.answered(other.endpoint, None, []);
    lookup.renamed(stale.endpoint, contact(3).id);
    lookup.answered(stale.endpoint, None, []);
    let mut expected = vec![other.id, contact(3).id];
    expected.sort_by_key(|id| id.distance(&TARGET));
    let ids = |lookup: &Lookup| {
        lookup
            .closest()
            .map(|(node, _)| node.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&lookup), expected);
    lookup.renamed(stale.endpoint, other.id);
    assert_eq!(ids(&lookup), [other.id]);
    assert!(lookup.is_done());
}
