//! Bounds, lifetime and fairness of the store.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

mod model;

const OWN: Id = Id::new([0; 20]);

fn peer(n: u32) -> Endpoint {
    Endpoint::new(n.to_be_bytes().into(), 1)
}

fn hash(n: u32) -> Id {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Id::new(bytes)
}

/// Of the `n`th public network.
fn public(n: u32) -> Endpoint {
    Endpoint::new((0x0800_0001 + n * 256).to_be_bytes().into(), 6881)
}

fn store(peers: &mut Peers, now: Instant, of: u32, peer: Endpoint) -> Result<(), Full> {
    peers.announced(now, &OWN, hash(of), (peer, Part::Peer))
}

fn all(peers: &Peers, now: Instant, of: u32) -> Vec<Endpoint> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut found = peers.sample(
        now,
        &hash(of),
        (Family::V4, Part::Peer, usize::MAX),
        &mut rng,
    );
    found.sort();
    found
}

#[test]
fn what_is_announced_is_sampled_until_it_expires() {
    let now = Instant::now();
    let mut peers = Peers::default();
    store(&mut peers, now, 1, peer(1)).expect("room");
    store(&mut peers, now + LIFETIME / 2, 1, peer(2)).expect("room");
    assert_eq!(all(&peers, now + LIFETIME / 2, 1), [peer(1), peer(2)]);
    assert_eq!(all(&peers, now + LIFETIME, 1), [peer(2)]);
    assert!(all(&peers, now, 2).is_empty());
}

#[test]
fn announcing_again_renews_and_does_not_double() {
    let now = Instant::now();
    let mut peers = Peers::default();
    store(&mut peers, now, 1, peer(1)).expect("room");
    store(&mut peers, now + LIFETIME / 2, 1, peer(1)).expect("room");
    assert_eq!(peers.len(), 1);
    assert_eq!(all(&peers, now + LIFETIME, 1), [peer(1)]);
}

#[test]
fn families_are_sampled_apart() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut peers = Peers::default();
    let six = Endpoint::new([0x2600, 0, 0, 0, 0, 0, 0, 1].into(), 1);
    store(&mut peers, now, 1, peer(1)).expect("room");
    store(&mut peers, now, 1, six).expect("room");
    assert_eq!(
        peers.sample(now, &hash(1), (Family::V6, Part::Peer, 9), &mut rng),
        [six]
    );
    assert_eq!(all(&peers, now, 1), [peer(1)]);
}

#[test]
fn one_hash_is_bounded_and_the_oldest_peer_goes() {
    let now = Instant::now();
    let mut peers = Peers::default();
    for n in 0..1_000 {
        store(&mut peers, now, 1, peer(n)).expect("room");
    }
    let kept = all(&peers, now, 1);
    assert_eq!(kept.len(), MAX_PEERS_PER_HASH);
    assert_eq!(kept[0], peer(500));
}

#[test]
fn the_whole_is_bounded_and_the_largest_pays() {
    let now = Instant::now();
    let mut peers = Peers::default();
    for of in 0..250 {
        for n in 0..500 {
            store(&mut peers, now, of, peer(n)).expect("room");
        }
    }
    assert_eq!((peers.hashes(), peers.len()), (250, MAX_PEERS));
    let truth: usize = (0..250).map(|of| all(&peers, now, of).len()).sum();
    assert_eq!(peers.len(), truth, "the count is right after evictions");
}

#[test]
fn of_strangers_hashes_the_nearest_stay() {
    let now = Instant::now();
    let mut peers = Peers::default();
    // Far ones first: `hash(n)` is as far from our id as its number says.
    for n in (0..6_000).rev() {
        let room = peers.has_room(&OWN, &hash(n), public(n).ip);
        assert_eq!(room, store(&mut peers, now, n, public(n)).is_ok());
    }
    assert_eq!(peers.hashes(), MAX_HASHES);
    let kept = |n: &u32| !all(&peers, now, *n).is_empty();
    assert!((0..4_000).all(|n| kept(&n)));
    let mut peers = Peers::default();
    for n in 0..6_000 {
        assert_eq!(store(&mut peers, now, n, public(n)).is_ok(), n < 4_000);
    }
}

#[test]
fn one_network_displaces_nobody_and_makes_room_itself() {
    let now = Instant::now();
    let mut peers = Peers::default();
    for n in 0..3_700 {
        store(&mut peers, now, 10_000 + n, public(n)).expect("room");
    }
    let stored = (0..5_000).filter(|n| store(&mut peers, now, *n, public(9_999)).is_ok());
    // The store is full before the network has its tenth.
    assert_eq!(stored.count(), 300);
    assert!((0..3_700).all(|n| !all(&peers, now, 10_000 + n).is_empty()));
    // Whoever has less displaces the farthest of the greedy one's, however far its own is.
    assert!(store(&mut peers, now, 99_999, public(4_000)).is_ok());
    assert!(all(&peers, now, 299).is_empty() && !all(&peers, now, 298).is_empty());
    assert!((0..3_700).all(|n| !all(&peers, now, 10_000 + n).is_empty()));
}

#[test]
fn a_network_has_a_tenth() {
    let now = Instant::now();
    let mut peers = Peers::default();
    let stored = (0..5_000).filter(|n| store(&mut peers, now, *n, public(1)).is_ok());
    assert_eq!(stored.count(), MAX_HASHES / 10);
    // A nearer hash takes the place of the farthest of its own.
    assert!(!peers.has_room(&OWN, &hash(400), public(1).ip));
    assert!(peers.has_room(&OWN, &hash(400), public(2).ip));
    assert!(peers.has_room(&OWN, &hash(7), public(1).ip));
}

#[test]
fn what_others_announced_too_goes_last() {
    let now = Instant::now();
    let mut peers = Peers::default();
    for n in 0..400 {
        store(&mut peers, now, n, public(1)).expect("room");
    }
    store(&mut peers, now, 399, public(2)).expect("room");
    for n in 0..3_601 {
        store(&mut peers, now, 10_000 + n, public(10 + n)).expect("room");
    }
    assert_eq!(all(&peers, now, 399).len(), 2);
    assert!(all(&peers, now, 398).is_empty());
}

#[test]
fn a_seed_is_told_of_seeds_only_if_there_is_nobody_else() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut peers = Peers::default();
    for n in 0..20 {
        let part = if n < 15 { Part::Seed } else { Part::Peer };
        peers
            .announced(now, &OWN, hash(1), (public(n), part))
            .expect("room");
    }
    let leeches: Vec<Endpoint> = (15..20).map(public).collect();
    let mut sample = |limit| {
        let mut found = peers.sample(now, &hash(1), (Family::V4, Part::Seed, limit), &mut rng);
        found.sort();
        found
    };
    assert_eq!(sample(5), leeches);
    assert_eq!(sample(8).len(), 8);
    assert_eq!(sample(50).len(), 20);
    let (seeds, others) = peers.filters(now, &hash(1)).expect("filters");
    assert!((seeds.estimate() - 15.0).abs() < 1.0 && (others.estimate() - 5.0).abs() < 1.0);
    assert_eq!(peers.filters(now + LIFETIME, &hash(1)), None);
}

#[test]
fn a_sample_is_bounded_distinct_and_fair() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut peers = Peers::default();
    for n in 0..100 {
        store(&mut peers, now, 1, peer(n)).expect("room");
    }
    let mut seen = [0_u32; 100];
    for _ in 0..1_000 {
        let mut sample = peers.sample(now, &hash(1), (Family::V4, Part::Peer, 10), &mut rng);
        assert_eq!(sample.len(), 10);
        for peer in &sample {
            if let std::net::IpAddr::V4(ip) = peer.ip {
                seen[u32::from(ip) as usize] += 1;
            }
        }
        sample.sort();
        sample.dedup();
        assert_eq!(sample.len(), 10);
    }
    assert!(
        seen.iter().all(|times| (50..200).contains(times)),
        "{seen:?}"
    );
}

#[test]
fn sweeping_forgets_what_is_too_old() {
    let now = Instant::now();
    let mut peers = Peers::default();
    store(&mut peers, now, 1, peer(1)).expect("room");
    peers.sweep(now);
    assert_eq!(peers.hashes(), 1);
    peers.sweep(now + LIFETIME);
    assert!(peers.is_empty() && peers.hashes() == 0);
}

#[test]
fn one_public_network_has_few_places_and_a_private_one_as_many_as_it_likes() {
    let now = Instant::now();
    let mut peers = Peers::default();
    let honest = Endpoint::new([9, 9, 9, 9].into(), 1);
    store(&mut peers, now, 1, honest).expect("room");
    for n in 1..2_000_u16 {
        let greedy = Endpoint::new([8, 8, 8, (n % 250) as u8].into(), n);
        store(&mut peers, now, 1, greedy).expect("room");
    }
    let found = all(&peers, now, 1);
    assert_eq!(found.len(), 1 + MAX_NEIGHBOURS);
    assert!(found.contains(&honest));
    // The newest of the greedy ones are kept.
    assert!(found.iter().any(|peer| peer.port == 1_999));
    for port in 1..100 {
        let home = Endpoint::new([127, 0, 0, 1].into(), port);
        store(&mut peers, now, 1, home).expect("room");
    }
    assert_eq!(peers.len(), 1 + MAX_NEIGHBOURS + 99);
}
