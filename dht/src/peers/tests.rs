//! Bounds, lifetime and fairness of the store.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn peer(n: u32) -> Endpoint {
    Endpoint::new(n.to_be_bytes().into(), 1)
}

fn hash(n: u32) -> Id {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Id::new(bytes)
}

fn all(peers: &Peers, now: Instant, of: u32) -> Vec<Endpoint> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut found = peers.sample(now, &hash(of), (Family::V4, usize::MAX), &mut rng);
    found.sort();
    found
}

#[test]
fn what_is_announced_is_sampled_until_it_expires() {
    let now = Instant::now();
    let mut peers = Peers::default();
    peers.announced(now, hash(1), (peer(1), Part::Peer));
    peers.announced(now + LIFETIME / 2, hash(1), (peer(2), Part::Peer));
    assert_eq!(all(&peers, now + LIFETIME / 2, 1), [peer(1), peer(2)]);
    assert_eq!(all(&peers, now + LIFETIME, 1), [peer(2)]);
    assert!(all(&peers, now, 2).is_empty());
}

#[test]
fn announcing_again_renews_and_does_not_double() {
    let now = Instant::now();
    let mut peers = Peers::default();
    peers.announced(now, hash(1), (peer(1), Part::Peer));
    peers.announced(now + LIFETIME / 2, hash(1), (peer(1), Part::Peer));
    assert_eq!(peers.len(), 1);
    assert_eq!(all(&peers, now + LIFETIME, 1), [peer(1)]);
}

#[test]
fn families_are_sampled_apart() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut peers = Peers::default();
    let six = Endpoint::new([0x2600, 0, 0, 0, 0, 0, 0, 1].into(), 1);
    peers.announced(now, hash(1), (peer(1), Part::Peer));
    peers.announced(now, hash(1), (six, Part::Peer));
    assert_eq!(
        peers.sample(now, &hash(1), (Family::V6, 9), &mut rng),
        [six]
    );
    assert_eq!(all(&peers, now, 1), [peer(1)]);
}

#[test]
fn one_hash_is_bounded_and_the_oldest_peer_goes() {
    let now = Instant::now();
    let mut peers = Peers::default();
    for n in 0..1_000 {
        peers.announced(now, hash(1), (peer(n), Part::Peer));
    }
    let kept = all(&peers, now, 1);
    assert_eq!(kept.len(), MAX_PEERS_PER_HASH);
    assert_eq!(kept[0], peer(500));
}

#[test]
fn hashes_and_the_whole_are_bounded() {
    let now = Instant::now();
    let mut peers = Peers::default();
    for n in 0..5_000 {
        peers.announced(now, hash(n), (peer(n), Part::Peer));
    }
    assert_eq!((peers.hashes(), peers.len()), (MAX_HASHES, MAX_HASHES));
    assert!(all(&peers, now, 0).is_empty() && !all(&peers, now, 4_999).is_empty());
    let mut peers = Peers::default();
    for of in 0..150 {
        for n in 0..500 {
            peers.announced(now, hash(of), (peer(n), Part::Peer));
        }
    }
    assert!(peers.len() <= MAX_PEERS);
    let truth: usize = (0..150).map(|of| all(&peers, now, of).len()).sum();
    assert_eq!(peers.len(), truth, "the count is right after evictions");
}

#[test]
fn a_sample_is_bounded_distinct_and_fair() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut peers = Peers::default();
    for n in 0..100 {
        peers.announced(now, hash(1), (peer(n), Part::Peer));
    }
    let mut seen = [0_u32; 100];
    for _ in 0..1_000 {
        let mut sample = peers.sample(now, &hash(1), (Family::V4, 10), &mut rng);
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
    peers.announced(now, hash(1), (peer(1), Part::Peer));
    peers.sweep(now);
    assert_eq!(peers.hashes(), 1);
    peers.sweep(now + LIFETIME);
    assert!(peers.is_empty() && peers.hashes() == 0);
}

#[test]
fn one_public_address_has_few_places_and_a_private_one_as_many_as_it_likes() {
    let now = Instant::now();
    let mut peers = Peers::default();
    let hash = Id::new([7; 20]);
    let honest = Endpoint::new([9, 9, 9, 9].into(), 1);
    peers.announced(now, hash, (honest, Part::Peer));
    for port in 1..2_000 {
        peers.announced(
            now,
            hash,
            (Endpoint::new([8, 8, 8, 8].into(), port), Part::Peer),
        );
    }
    assert_eq!(peers.len(), 1 + MAX_PORTS);
    let mut rng = rand_chacha::ChaCha8Rng::from_seed([1; 32]);
    let found = peers.sample(now, &hash, (Family::V4, 500), &mut rng);
    assert!(found.contains(&honest));
    // The newest of the greedy host's are kept.
    assert!(found.contains(&Endpoint::new([8, 8, 8, 8].into(), 1_999)));
    for port in 1..100 {
        peers.announced(
            now,
            hash,
            (Endpoint::new([127, 0, 0, 1].into(), port), Part::Peer),
        );
    }
    assert_eq!(peers.len(), 1 + MAX_PORTS + 99);
}
