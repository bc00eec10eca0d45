//! The picker against what it promises: no block twice before the endgame, everything in the end.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use rand::SeedableRng;

use super::*;

fn from() -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1)
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::from_seed([7; 32])
}

fn picked(picker: &mut Picker, peer: u32, theirs: &Bitfield, count: usize) -> Vec<Block> {
    let (mut out, now) = (Vec::new(), Instant::now());
    picker.pick(
        now,
        Asker {
            peer: PeerKey(peer),
            theirs,
            count,
            depth: 0,
            standing: Standing::Proved,
        },
        &mut rng(),
        &mut out,
    );
    out
}

fn deliver(picker: &mut Picker, peer: u32, block: Block) -> Received {
    let data = Bytes::from(vec![0; block.length as usize]);
    picker.received(Instant::now(), PeerKey(peer), from(), block, data)
}

#[test]
fn one_piece_at_a_time_for_one_peer() {
    let mut picker = Picker::new(Geometry::new(65_536, 10 * 65_536), Order::Rarest);
    let all = Bitfield::full(10);
    let first = picked(&mut picker, 1, &all, 2);
    let second = picked(&mut picker, 1, &all, 2);
    assert!(
        first
            .iter()
            .chain(&second)
            .all(|block| block.piece == first[0].piece)
    );
    assert_eq!(picker.committed(), 65_536);
}

#[test]
fn sequential_order_is_by_index() {
    let mut picker = Picker::new(Geometry::new(16_384, 5 * 16_384), Order::Sequential);
    let pieces: Vec<u32> = picked(&mut picker, 1, &Bitfield::full(5), 5)
        .iter()
        .map(|block| block.piece)
        .collect();
    assert_eq!(pieces, [0, 1, 2, 3, 4]);
}

#[test]
fn the_rarest_piece_comes_first() {
    let mut picker = Picker::new(Geometry::new(16_384, 8 * 16_384), Order::Rarest);
    for piece in 0..8 {
        (0..8 - piece).for_each(|_| picker.rarity().came(piece));
    }
    let pieces: Vec<u32> = picked(&mut picker, 1, &Bitfield::full(8), 8)
        .iter()
        .map(|block| block.piece)
        .collect();
    assert_eq!(pieces, [7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn the_budget_bounds_what_is_begun() {
    let mut picker = Picker::new(Geometry::new(1 << 20, 200 << 20), Order::Rarest);
    let blocks = picked(&mut picker, 1, &Bitfield::full(200), 100_000);
    assert_eq!(blocks.len() as u64 * 16_384, BUDGET);
    assert!(picked(&mut picker, 2, &Bitfield::full(200), 10).is_empty());
    // A block that comes back can be given to another.
    picker.released(PeerKey(1), blocks[5]);
    assert_eq!(
        picked(&mut picker, 2, &Bitfield::full(200), 10),
        [blocks[5]]
    );
}

#[test]
fn a_stuck_piece_makes_room() {
    let mut picker = Picker::new(Geometry::new(32 << 20, 64 << 20), Order::Sequential);
    let (mut first, mut second) = (Bitfield::new(2), Bitfield::new(2));
    first.set(0);
    second.set(1);
    let blocks = picked(&mut picker, 1, &first, 3);
    deliver(&mut picker, 1, blocks[0]);
    assert!(picked(&mut picker, 2, &second, 1).is_empty());
    picker.released(PeerKey(1), blocks[1]);
    picker.released(PeerKey(1), blocks[2]);
    assert_eq!(picked(&mut picker, 2, &second, 1).len(), 1);
    assert_eq!(picker.state(0), Piece::Missing);
}

#[test]
fn the_endgame_asks_others_and_names_them() {
    let mut picker = Picker::new(Geometry::new(32_768, 32_768), Order::Rarest);
    let all = Bitfield::full(1);
    let blocks = picked(&mut picker, 1, &all, 9);
    assert!(picked(&mut picker, 2, &all, 9).is_empty());
    let mut again = Vec::new();
    picker.pick_again(
        Asker {
            peer: PeerKey(2),
            theirs: &all,
            count: 9,
            depth: 0,
            standing: Standing::Proved,
        },
        &mut again,
    );
    // What is asked last comes last: there is most time to cancel it.
    assert_eq!(again, [blocks[1], blocks[0]]);
    let Received::Wanted(others) = deliver(&mut picker, 2, blocks[1]) else {
        panic!()
    };
    assert_eq!(others.iter().collect::<Vec<_>>(), [PeerKey(1)]);
    assert!(matches!(
        deliver(&mut picker, 1, blocks[1]),
        Received::Duplicate
    ));
    let Received::CompletesPiece(whole) = deliver(&mut picker, 1, blocks[0]) else {
        panic!()
    };
    assert_eq!(whole.blocks.len(), 2);
    assert!(matches!(
        deliver(&mut picker, 1, blocks[0]),
        Received::Duplicate
    ));
}

#[test]
fn the_endgame_goes_round_before_a_block_is_asked_of_a_third() {
    let mut picker = Picker::new(Geometry::new(4 * 16_384, 65_536), Order::Rarest);
    let all = Bitfield::full(1);
    let blocks = picked(&mut picker, 1, &all, 9);
    let mut again = Vec::new();
    for peer in [2, 3, 4] {
        let asker = Asker {
            peer: PeerKey(peer),
            theirs: &all,
            count: 2,
            depth: 0,
            standing: Standing::Proved,
        };
        picker.pick_again(asker, &mut again);
    }
    // The fourth finds every block asked of two, and begins anew.
    let round = [3, 2, 1, 0, 3, 2].map(|n| blocks[n]);
    assert_eq!(again, round);
    let Received::Wanted(others) = deliver(&mut picker, 1, blocks[3]) else {
        panic!()
    };
    assert_eq!(others.iter().collect::<Vec<_>>(), [PeerKey(2), PeerKey(4)]);
}

#[test]
fn a_wrong_piece_is_asked_of_one_peer() {
    let mut picker = Picker::new(Geometry::new(32_768, 32_768), Order::Rarest);
    let all = Bitfield::full(1);
    for (peer, block) in [1, 2].into_iter().zip(picked(&mut picker, 1, &all, 9)) {
        deliver(&mut picker, peer, block);
    }
    picker.wrong(0, None);
    assert_eq!(picked(&mut picker, 1, &all, 1).len(), 1);
    assert!(picked(&mut picker, 2, &all, 9).is_empty());
    let rest = picked(&mut picker, 1, &all, 9);
    // The chosen one left: another may finish.
    picker.released(PeerKey(1), rest[0]);
    assert_eq!(picked(&mut picker, 2, &all, 9), rest);
}

#[test]
fn a_resting_piece_is_woken() {
    let now = Instant::now();
    let mut picker = Picker::new(Geometry::new(16_384, 16_384), Order::Rarest);
    let all = Bitfield::full(1);
    let blocks = picked(&mut picker, 1, &all, 1);
    deliver(&mut picker, 1, blocks[0]);
    picker.wrong(0, Some(now + STALE));
    assert!(picked(&mut picker, 1, &all, 1).is_empty() && !picker.is_endgame());
    picker.wake(now + STALE);
    assert_eq!(picked(&mut picker, 1, &all, 1).len(), 1);
}

#[test]
fn unwanted_pieces_are_left_alone() {
    let mut picker = Picker::new(Geometry::new(16_384, 4 * 16_384), Order::Rarest);
    let mut wanted = Bitfield::new(4);
    wanted.set(2);
    picker.select(wanted);
    let blocks = picked(&mut picker, 1, &Bitfield::full(4), 9);
    assert_eq!(
        blocks.iter().map(|block| block.piece).collect::<Vec<_>>(),
        [2]
    );
    deliver(&mut picker, 1, blocks[0]);
    picker.stored(2);
    assert_eq!(picker.lacking(), 0);
    picker.lost(2);
    assert_eq!((picker.lacking(), picker.state(2)), (1, Piece::Missing));
}

#[test]
fn found_pieces_are_not_fetched() {
    let mut picker = Picker::new(Geometry::new(16_384, 4 * 16_384), Order::Rarest);
    let mut have = Bitfield::new(4);
    (0..3).for_each(|piece| assert!(have.set(piece)));
    picker.found(&have);
    assert_eq!(picked(&mut picker, 1, &Bitfield::full(4), 9).len(), 1);
}

#[test]
fn allowed_fast_pieces_only() {
    let mut picker = Picker::new(Geometry::new(16_384, 8 * 16_384), Order::Rarest);
    let (all, mut out) = (Bitfield::full(8), Vec::new());
    let asker = Asker {
        peer: PeerKey(1),
        theirs: &all,
        count: 2,
        depth: 0,
        standing: Standing::Proved,
    };
    picker.pick_among(Instant::now(), asker, &[6, 3, 99], &mut out);
    assert_eq!(
        out.iter().map(|block| block.piece).collect::<Vec<_>>(),
        [6, 3]
    );
}

proptest! {
    #[test]
    fn everything_arrives_once(
        seed: [u8; 32], piece_length in 1u32..60_000, total in 1u64..600_000,
        steps in prop::collection::vec((0u32..4, 0u8..8, 1usize..6), 0..300),
    ) {
        let geometry = Geometry::new(piece_length, total);
        prop_assume!(geometry.piece_count() < 2_000);
        let mut picker = Picker::new(geometry, Order::Rarest);
        let (mut rng, now) = (ChaCha8Rng::from_seed(seed), Instant::now());
        let theirs = Bitfield::full(geometry.piece_count());
        let mut asked: Vec<(u32, Block)> = Vec::new();
        let ending = std::iter::repeat_n([(0, 7, 5), (0, 0, 5)], 2 * total as usize / 16_384 + 2_500);
        for (peer, what, count) in steps.into_iter().chain(ending.flatten()) {
            let mine = asked.iter().position(|(asker, _)| *asker == peer || what == 0);
            match (what, mine) {
                (6.., _) => {
                    let mut out = Vec::new();
                    let asker = Asker { peer: PeerKey(peer), theirs: &theirs, count, depth: count, standing: Standing::Proved };
                    picker.pick(now, asker, &mut rng, &mut out);
                    for block in out {
                        prop_assert!(geometry.valid(block));
                        prop_assert!(asked.iter().all(|(_, other)| *other != block));
                        asked.push((peer, block));
                    }
                }
                (0..=3, Some(place)) => {
                    let (asker, block) = asked.swap_remove(place);
                    match deliver(&mut picker, asker, block) {
                        Received::Wanted(_) => {}
                        Received::CompletesPiece(whole) => {
                            let bytes: usize = whole.blocks.iter().map(Bytes::len).sum();
                            prop_assert_eq!(bytes as u32, geometry.piece_size(block.piece));
                            picker.stored(block.piece);
                        }
                        other => prop_assert!(false, "{:?}", other),
                    }
                }
                (_, Some(place)) => {
                    let (asker, block) = asked.swap_remove(place);
                    picker.released(PeerKey(asker), block);
                }
                _ => {}
            }
            if picker.lacking() == 0 { break }
        }
        prop_assert_eq!(picker.lacking(), 0);
        prop_assert_eq!(picker.committed(), 0);
    }
}

/// Rows P3: who fetches whole pieces has them for itself; who does not, shares; nobody waits for want of others.
#[test]
fn fast_peers_share_no_piece_while_others_can_begin() {
    let geometry = Geometry::new(4 * 16_384, 3 * 65_536);
    let mut picker = Picker::new(geometry, Order::Sequential);
    let all = Bitfield::full(3);
    let mut ask = |peer: u32, depth: usize| -> Vec<u32> {
        let (mut out, peer) = (Vec::new(), PeerKey(peer));
        let asker = Asker {
            peer,
            theirs: &all,
            count: 2,
            depth,
            standing: Standing::Proved,
        };
        picker.pick(Instant::now(), asker, &mut rng(), &mut out);
        out.iter().map(|block| block.piece).collect()
    };
    assert_eq!(ask(1, 16), [0, 0]);
    assert_eq!(ask(2, 16), [1, 1]);
    assert_eq!(ask(3, 1), [2, 2]);
    assert_eq!(ask(4, 1), [2, 2], "the slow share");
    assert_eq!(ask(1, 16), [0, 0]);
    assert_eq!(ask(5, 1), [1, 1], "nothing is left to begin");
    assert_eq!(ask(2, 16), [0; 0]);
}

/// Rows P3: a piece that a new peer begins is its alone, but not for long.
#[test]
fn a_new_peer_has_two_seconds_for_itself() {
    let mut picker = Picker::new(Geometry::new(4 * 16_384, 65_536), Order::Sequential);
    let (all, now) = (Bitfield::full(1), Instant::now());
    let mut ask = |peer: u32, standing, after: Duration| {
        let mut out = Vec::new();
        let asker = Asker {
            peer: PeerKey(peer),
            theirs: &all,
            count: 1,
            depth: 1,
            standing,
        };
        let (ours, _) = picker.open_to(now + after, asker);
        picker.pick(now + after, asker, &mut rng(), &mut out);
        (ours.len(), out.len())
    };
    assert_eq!(ask(1, Standing::New, Duration::ZERO), (0, 1));
    let soon = Duration::from_millis(1_999);
    assert_eq!(ask(2, Standing::Proved, soon), (0, 1), "of nothing else");
    assert_eq!(ask(1, Standing::New, soon), (1, 1));
    assert_eq!(ask(2, Standing::Proved, ALONE_FOR), (1, 1));
}

/// Rows P3: of a liar nothing is kept, of others everything.
#[test]
fn what_a_liar_sent_is_asked_for_again() {
    let mut picker = Picker::new(Geometry::new(4 * 16_384, 65_536), Order::Rarest);
    let (all, liar) = (Bitfield::full(1), Endpoint::new([127, 0, 0, 9].into(), 9));
    let blocks = picked(&mut picker, 1, &all, 4);
    for block in &blocks[..2] {
        let data = Bytes::from(vec![1; 16_384]);
        picker.received(Instant::now(), PeerKey(1), liar, *block, data);
    }
    deliver(&mut picker, 2, blocks[2]);
    assert_eq!(picker.distrust(liar), 2 * 16_384);
    assert_eq!(picker.distrust(liar), 0);
    let again = picked(&mut picker, 3, &all, 9);
    assert_eq!(again, blocks[..2]);
    // All of a piece: it is as if it had never begun.
    let mut picker = Picker::new(Geometry::new(16_384 * 2, 32_768), Order::Rarest);
    let blocks = picked(&mut picker, 1, &all, 1);
    let data = Bytes::from(vec![1; 16_384]);
    picker.received(Instant::now(), PeerKey(1), liar, blocks[0], data);
    assert_eq!((picker.distrust(liar), picker.committed()), (16_384, 0));
}
