//! The store beside a naive one, its bounds, and what a choice promises.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::tracker::server::MAX_OF_ONE_ADDRESS;

const SECOND: Duration = Duration::from_secs(1);
const LIFETIME: u32 = 100;

fn bounds() -> Bounds {
    Bounds {
        torrents: 1000,
        peers: 100_000,
        lifetime: LIFETIME * SECOND,
    }
}

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

/// Endpoint number `n`: every third one has an IPv6 address.
fn endpoint(number: u16) -> Endpoint {
    let [high, low] = number.to_be_bytes();
    let text = if number.is_multiple_of(3) {
        format!("[2001:db8:{high:x}:{low:x}::1]:{}", 1000 + number)
    } else {
        format!("10.0.{high}.{low}:{}", 1000 + number)
    };
    text.parse().expect("an endpoint")
}

#[derive(Clone, Debug)]
enum Step {
    Enter(u8, u16, Part),
    Leave(u8, u16),
    Complete(u8),
    Choose(u8, u16, Part, usize),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let part = prop_oneof![Just(Part::Leecher), Just(Part::Seeder)];
    let peer = 0..200_u16;
    prop_oneof![
        12 => (0..3_u8, peer.clone(), part.clone()).prop_map(|(t, p, part)| Step::Enter(t, p, part)),
        3 => (0..3_u8, peer.clone()).prop_map(|(t, p)| Step::Leave(t, p)),
        1 => (0..3_u8).prop_map(Step::Complete),
        3 => (0..3_u8, peer, part, 0..80_usize).prop_map(|(t, p, part, w)| Step::Choose(t, p, part, w)),
        1 => (0..60_u32).prop_map(Step::Wait),
    ]
}

/// The same in the plainest way.
#[derive(Default)]
struct Model {
    peers: BTreeMap<(InfoHash, Endpoint), (Part, u32)>,
    completed: BTreeMap<InfoHash, u32>,
    clock: u32,
}

impl Model {
    fn of(&self, torrent: InfoHash) -> impl Iterator<Item = (Endpoint, Part)> {
        let all = self.peers.iter();
        let here = all.filter(move |((hash, _), _)| *hash == torrent);
        here.map(|((_, at), (part, _))| (*at, *part))
    }

    fn count(&self, torrent: InfoHash, wanted: Part) -> u32 {
        self.of(torrent).filter(|(_, part)| *part == wanted).count() as u32
    }

    fn expire(&mut self) {
        let clock = self.clock;
        self.peers.retain(|_, (_, seen)| *seen + LIFETIME >= clock);
        let known: BTreeSet<InfoHash> = self.peers.keys().map(|(hash, _)| *hash).collect();
        self.completed
            .retain(|hash, count| *count > 0 || known.contains(hash));
    }
}

/// Sweeps until a whole round has been done.
fn sweep_all(swarms: &mut Swarms, now: Instant) {
    // A round may be under way: the one after it is whole.
    for _ in 0..2 {
        while swarms.sweep(now, 7) >= 7 {}
    }
}

fn check_choice(
    model: &Model,
    torrent: InfoHash,
    wish: &Wish,
    others: Others,
    chosen: &[Endpoint],
) {
    let eligible: Vec<Endpoint> = model
        .of(torrent)
        .filter(|(at, _)| *at != wish.asker)
        .filter(|(at, _)| others == Others::Too || at.family() == wish.asker.family())
        .filter(|(_, part)| wish.part == Part::Leecher || *part == Part::Leecher)
        .map(|(at, _)| at)
        .collect();
    let distinct: BTreeSet<&Endpoint> = chosen.iter().collect();
    assert_eq!(distinct.len(), chosen.len(), "somebody twice");
    assert!(
        chosen.iter().all(|at| eligible.contains(at)),
        "{chosen:?} of {eligible:?}"
    );
    assert_eq!(chosen.len(), eligible.len().min(wish.want));
    let own = chosen
        .iter()
        .take_while(|at| at.family() == wish.asker.family())
        .count();
    let own_eligible = eligible
        .iter()
        .filter(|at| at.family() == wish.asker.family())
        .count();
    assert_eq!(
        own,
        own_eligible.min(wish.want),
        "his own family comes first"
    );
}

proptest! {
    #[test]
    fn it_agrees_with_a_naive_store(steps in vec(step(), 1..400), seed: [u8; 32]) {
        let birth = Instant::now();
        let mut swarms = Swarms::new(bounds(), seed, birth);
        let mut model = Model::default();
        for step in steps {
            let now = birth + model.clock * SECOND;
            match step {
                Step::Enter(torrent, peer, part) => {
                    let (hash, at) = (hash(torrent), endpoint(peer));
                    let before = model.peers.insert((hash, at), (part, model.clock));
                    let expected = match before {
                        None => Entry::New { instead_of: None },
                        Some((was, seen)) => Entry::Again { was, silent: (model.clock - seen) * SECOND },
                    };
                    prop_assert_eq!(swarms.enter(now, hash, at, part, Duration::ZERO), expected);
                }
                Step::Leave(torrent, peer) => {
                    let (hash, at) = (hash(torrent), endpoint(peer));
                    let before = model.peers.remove(&(hash, at));
                    prop_assert_eq!(swarms.leave(hash, at), before.map(|(part, _)| part));
                }
                Step::Complete(torrent) => {
                    let hash = hash(torrent);
                    if model.of(hash).count() > 0 || model.completed.contains_key(&hash) {
                        *model.completed.entry(hash).or_default() += 1;
                    }
                    swarms.complete(hash);
                }
                Step::Choose(torrent, peer, part, want) => {
                    let wish = Wish { asker: endpoint(peer), part, want };
                    for others in [Others::Too, Others::None] {
                        let chosen = swarms.choose(now, hash(torrent), &wish, others);
                        check_choice(&model, hash(torrent), &wish, others, &chosen);
                    }
                }
                Step::Wait(seconds) => {
                    model.clock += seconds;
                    model.expire();
                    sweep_all(&mut swarms, birth + model.clock * SECOND);
                }
            }
            for torrent in (0..3).map(hash) {
                let counts = swarms.counts(torrent);
                prop_assert_eq!(counts.seeders, model.count(torrent, Part::Seeder));
                prop_assert_eq!(counts.leechers, model.count(torrent, Part::Leecher));
                prop_assert_eq!(counts.completed, model.completed.get(&torrent).copied().unwrap_or(0));
            }
            prop_assert_eq!(swarms.totals().peers(), model.peers.len());
            let v6 = model.peers.keys().filter(|(_, at)| at.ip.is_ipv6()).count();
            prop_assert_eq!(swarms.totals().v6, v6);
        }
        let now = birth + model.clock * SECOND;
        let kept: BTreeSet<(InfoHash, Endpoint)> = swarms.iter(now).map(|(h, at, ..)| (h, at)).collect();
        prop_assert_eq!(kept, model.peers.keys().copied().collect());
    }
}

/// `count` leechers of torrent 1, each with an address of its own.
fn filled(count: u32, bounds: Bounds) -> (Swarms, Instant) {
    let now = Instant::now();
    let mut swarms = Swarms::new(bounds, [3; 32], now);
    for number in 0..count {
        let at = Endpoint::new(
            std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into(),
            6881,
        );
        swarms.enter(now, hash(1), at, Part::Leecher, Duration::ZERO);
    }
    (swarms, now)
}

#[test]
fn everybody_is_chosen_equally_often() {
    let (mut swarms, now) = filled(100, bounds());
    let wish = Wish {
        asker: endpoint(7),
        part: Part::Leecher,
        want: 10,
    };
    let mut often: BTreeMap<Endpoint, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        for at in swarms.choose(now, hash(1), &wish, Others::Too) {
            *often.entry(at).or_default() += 1;
        }
    }
    assert_eq!(often.len(), 100);
    // 1,000 expected each; the standard deviation is 30.
    assert!(
        often.values().all(|count| (850..1150).contains(count)),
        "{often:?}"
    );
}

#[test]
fn the_same_seed_chooses_the_same_and_another_does_not() {
    let wish = Wish {
        asker: endpoint(7),
        part: Part::Leecher,
        want: 50,
    };
    let run = |seed: u8| {
        let now = Instant::now();
        let mut swarms = Swarms::new(bounds(), [seed; 32], now);
        for number in 0..1000 {
            swarms.enter(
                now,
                hash(1),
                endpoint(number),
                Part::Leecher,
                Duration::ZERO,
            );
        }
        swarms.choose(now, hash(1), &wish, Others::Too)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn who_is_silent_is_not_told_even_before_a_sweep() {
    let (mut swarms, now) = filled(40, bounds());
    let late = now + (LIFETIME + 1) * SECOND;
    let young = endpoint(1);
    swarms.enter(late, hash(1), young, Part::Leecher, Duration::ZERO);
    let wish = Wish {
        asker: endpoint(2),
        part: Part::Leecher,
        want: 50,
    };
    assert_eq!(swarms.choose(late, hash(1), &wish, Others::Too), [young]);
    sweep_all(&mut swarms, late);
    assert_eq!(swarms.totals().peers(), 1);
    sweep_all(&mut swarms, late + (LIFETIME + 1) * SECOND);
    assert_eq!(swarms.totals(), Totals::default());
}

#[test]
fn a_restored_peer_is_as_old_as_it_was() {
    let now = Instant::now();
    let mut swarms = Swarms::new(bounds(), [1; 32], now);
    swarms.enter(now, hash(1), endpoint(1), Part::Seeder, 60 * SECOND);
    sweep_all(&mut swarms, now + 40 * SECOND);
    assert_eq!(swarms.totals().seeders, 1);
    sweep_all(&mut swarms, now + 41 * SECOND);
    assert_eq!(swarms.totals().seeders, 0);
}

#[test]
fn one_address_pushes_out_itself_only() {
    let (mut swarms, now) = filled(100, bounds());
    let host = |port| Endpoint::new([192, 0, 2, 1].into(), port);
    for port in 1..=1000 {
        let now = now + Duration::from_secs(u64::from(port) / 100);
        let entry = swarms.enter(now, hash(1), host(port), Part::Seeder, Duration::ZERO);
        let crowded = usize::from(port) > MAX_OF_ONE_ADDRESS;
        let Entry::New { instead_of } = entry else {
            panic!("{entry:?}")
        };
        assert_eq!(instead_of.is_some(), crowded);
        assert!(instead_of.is_none_or(|other| other.ip == host(1).ip && other.port < port));
    }
    let totals = swarms.totals();
    assert_eq!((totals.seeders, totals.leechers), (MAX_OF_ONE_ADDRESS, 100));
    // One customer has a whole /64; ports and addresses within make no difference.
    for number in 0..200_u16 {
        let at: Endpoint = format!("[2001:db8::{number:x}]:{}", 1 + number)
            .parse()
            .unwrap();
        swarms.enter(now, hash(2), at, Part::Leecher, Duration::ZERO);
    }
    assert_eq!(swarms.totals().v6, MAX_OF_ONE_ADDRESS);
}

#[test]
fn bounds_hold_and_free_places_are_used_again() {
    let (mut swarms, now) = filled(
        60,
        Bounds {
            torrents: 4,
            peers: 50,
            ..bounds()
        },
    );
    assert_eq!(swarms.totals().peers(), 50);
    let enter = |swarms: &mut Swarms, torrent, peer| {
        swarms.enter(
            now,
            hash(torrent),
            endpoint(peer),
            Part::Leecher,
            Duration::ZERO,
        )
    };
    assert_eq!(enter(&mut swarms, 2, 1), Entry::NoRoom);
    assert_eq!(
        swarms.totals().torrents,
        1,
        "nothing stays of what was not kept"
    );
    let known = Endpoint::new([10, 0, 0, 0].into(), 6881);
    let again = swarms.enter(now, hash(1), known, Part::Seeder, Duration::ZERO);
    assert!(
        matches!(again, Entry::Again { .. }),
        "who is known is never refused"
    );
    swarms.leave(hash(1), known);
    assert_eq!(enter(&mut swarms, 2, 1), Entry::New { instead_of: None });
    let (mut swarms, now) = filled(
        1,
        Bounds {
            torrents: 4,
            ..bounds()
        },
    );
    for torrent in 2..10 {
        swarms.enter(
            now,
            hash(torrent),
            endpoint(1),
            Part::Leecher,
            Duration::ZERO,
        );
    }
    assert_eq!(swarms.totals().torrents, 4);
}

#[test]
fn a_count_of_downloads_outlives_the_peers_while_there_is_room() {
    let now = Instant::now();
    let mut swarms = Swarms::new(
        Bounds {
            torrents: 8,
            ..bounds()
        },
        [1; 32],
        now,
    );
    for torrent in 1..=4 {
        swarms.enter(
            now,
            hash(torrent),
            endpoint(1),
            Part::Seeder,
            Duration::ZERO,
        );
        swarms.complete(hash(torrent));
        swarms.leave(hash(torrent), endpoint(1));
    }
    assert_eq!(swarms.counts(hash(2)).completed, 1);
    // The fifth of eight: counts without peers make way.
    swarms.enter(now, hash(5), endpoint(1), Part::Seeder, Duration::ZERO);
    sweep_all(&mut swarms, now);
    assert_eq!(swarms.counts(hash(5)).seeders, 1);
    assert!(swarms.totals().torrents <= 4, "{:?}", swarms.totals());
}

#[test]
fn a_swarm_that_shrinks_gives_its_memory_back() {
    let (mut swarms, now) = filled(10_000, bounds());
    let late = now + 50 * SECOND;
    for number in 0..30 {
        swarms.enter(
            late,
            hash(1),
            endpoint(3 * number + 1),
            Part::Seeder,
            Duration::ZERO,
        );
    }
    sweep_all(&mut swarms, now + (LIFETIME + 1) * SECOND);
    assert_eq!(swarms.totals().peers(), 30);
    assert!(
        swarms.torrents[0].v4.capacity() < 100,
        "{}",
        swarms.torrents[0].v4.capacity()
    );
}
