//! Whom to serve: BEP 3 "choking" as Bram Cohen's tit for tat. The best givers (while complete: the
//! best takers) keep a slot each; one slot goes round among the others, newcomers first.
//!
//! Invariant: a round unchokes at most `slots` interested peers. A slot that is free is given
//! at once ([`Choker::admits`]); only the exchange of one peer for another waits for a round.
//! The leaf decides; it sends nothing.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::PeerKey;

/// Between rounds: BEP 3 "once every ten seconds", long enough for TCP to show its rate.
const ROUND: Duration = Duration::from_secs(10);

/// The optimistic slot moves every third round: BEP 3 "every 30 seconds".
const OPTIMISTIC: Duration = Duration::from_secs(30);

/// A peer connected for less than this counts as new…
const NEW: Duration = Duration::from_secs(60);

/// … and is this many times as likely to get the optimistic slot (BEP 3).
const NEW_WEIGHT: u32 = 3;

/// What the choker sees of a peer that wants something from us.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Who.
    pub peer: PeerKey,
    /// Bytes/s that count for it: what it gives us, or what it takes while we are complete.
    pub rate: u64,
    /// When it connected.
    pub since: Instant,
    /// What it has had already.
    pub standing: Standing,
}

/// Whether a peer has had more than its share (reliability.md A12).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// As others.
    Fair,
    /// It fetches everything again and again: it comes after all others.
    Draining,
}

/// The state between rounds.
#[derive(Debug)]
pub struct Choker {
    slots: usize,
    next_round: Instant,
    optimistic: Option<PeerKey>,
    optimistic_until: Instant,
}

impl Choker {
    /// With so many slots, one of them optimistic. Without any nobody is ever served.
    pub fn new(now: Instant, slots: usize) -> Choker {
        Choker {
            slots,
            next_round: now + ROUND,
            optimistic: None,
            optimistic_until: now,
        }
    }

    /// Whether another peer may be unchoked now, while so many interested ones are.
    pub fn admits(&self, served: usize) -> bool {
        served < self.slots
    }

    /// When [`Choker::round`] is due.
    pub fn next_timeout(&self) -> Instant {
        self.next_round
    }

    /// Chooses among the interested peers; every peer not returned is to be choked.
    pub fn round(
        &mut self,
        now: Instant,
        mut candidates: Vec<Candidate>,
        rng: &mut ChaCha8Rng,
    ) -> Vec<PeerKey> {
        self.next_round = now + ROUND;
        if self.slots == 0 {
            return Vec::new();
        }
        candidates.sort_by_key(|c| (c.standing, std::cmp::Reverse(c.rate), c.peer));
        let regular = if candidates.len() <= self.slots {
            self.slots
        } else {
            self.slots - 1
        };
        let rest = candidates.split_off(regular.min(candidates.len()));
        let mut chosen: Vec<PeerKey> = candidates.iter().map(|c| c.peer).collect();
        let still = self
            .optimistic
            .filter(|peer| rest.iter().any(|c| c.peer == *peer));
        if still.is_none() || now >= self.optimistic_until {
            self.optimistic = draw(now, &rest, still, rng);
            self.optimistic_until = now + OPTIMISTIC;
        }
        chosen.extend(
            self.optimistic
                .filter(|peer| rest.iter().any(|c| c.peer == *peer)),
        );
        chosen
    }
}

/// One of `rest`, not `last` if there is another, newcomers with more tickets.
fn draw(
    now: Instant,
    rest: &[Candidate],
    last: Option<PeerKey>,
    rng: &mut ChaCha8Rng,
) -> Option<PeerKey> {
    let fair = rest.iter().any(|c| c.standing == Standing::Fair);
    let tickets = |c: &Candidate| match c {
        c if fair && c.standing == Standing::Draining => 0,
        c if Some(c.peer) == last => 0,
        c if now.saturating_duration_since(c.since) < NEW => NEW_WEIGHT,
        _ => 1,
    };
    let all: u32 = rest.iter().map(tickets).sum();
    if all == 0 {
        return last;
    }
    let mut ticket = rng.random_range(0..all);
    rest.iter()
        .find_map(|c| match ticket.checked_sub(tickets(c)) {
            Some(left) => {
                ticket = left;
                None
            }
            None => Some(c.peer),
        })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    fn candidates(rates: &[u64], since: Instant) -> Vec<Candidate> {
        let peers = (0..).map(PeerKey).zip(rates);
        peers
            .map(|(peer, rate)| Candidate {
                peer,
                rate: *rate,
                since,
                standing: Standing::Fair,
            })
            .collect()
    }

    #[test]
    fn everybody_is_served_while_slots_suffice() {
        let (now, mut rng) = (Instant::now(), ChaCha8Rng::from_seed([1; 32]));
        let mut choker = Choker::new(now, 4);
        assert!(choker.admits(3) && !choker.admits(4));
        assert_eq!(
            choker
                .round(now, candidates(&[0, 0, 9, 1], now), &mut rng)
                .len(),
            4
        );
        assert!(choker.round(now, Vec::new(), &mut rng).is_empty());
    }

    #[test]
    fn without_slots_nobody_is_served() {
        let (now, mut rng) = (Instant::now(), ChaCha8Rng::from_seed([1; 32]));
        let mut choker = Choker::new(now, 0);
        assert!(!choker.admits(0));
        for round in 0..9 {
            let now = now + ROUND * round;
            let chosen = choker.round(now, candidates(&[5, 0, 7], now), &mut rng);
            assert!(chosen.is_empty());
            assert_eq!(choker.next_timeout(), now + ROUND);
        }
    }

    #[test]
    fn the_optimistic_slot_reaches_everyone() {
        let (start, mut rng) = (Instant::now(), ChaCha8Rng::from_seed([2; 32]));
        let mut choker = Choker::new(start, 3);
        let rates = [100, 90, 0, 0, 0, 0, 0, 0];
        let mut seen = BTreeSet::new();
        for round in 0..120 {
            let now = start + ROUND * round;
            let chosen = choker.round(now, candidates(&rates, start), &mut rng);
            assert!(chosen.contains(&PeerKey(0)) && chosen.contains(&PeerKey(1)));
            seen.extend(chosen);
        }
        assert_eq!(seen.len(), rates.len());
    }

    /// Rows A12: whoever drains is served only while nobody else waits, however fast it takes.
    #[test]
    fn who_drains_comes_last() {
        let (start, mut rng) = (Instant::now(), ChaCha8Rng::from_seed([4; 32]));
        let mut choker = Choker::new(start, 3);
        let crowd = |rates: &[u64]| {
            let mut all = candidates(rates, start);
            all[0].standing = Standing::Draining;
            all
        };
        for round in 0..60 {
            let now = start + ROUND * round;
            let chosen = choker.round(now, crowd(&[1_000, 0, 5, 0, 1]), &mut rng);
            assert!(chosen.len() == 3 && !chosen.contains(&PeerKey(0)));
        }
        let later = start + ROUND * 60;
        let chosen = choker.round(later, crowd(&[1_000, 0]), &mut rng);
        assert!(chosen.contains(&PeerKey(0)), "a free place is given");
    }

    #[test]
    fn the_optimistic_peer_stays_for_three_rounds() {
        let (start, mut rng) = (Instant::now(), ChaCha8Rng::from_seed([3; 32]));
        let mut choker = Choker::new(start, 1);
        let mut last = None;
        let mut changes = 0;
        for round in 0..30 {
            let chosen = choker.round(start + ROUND * round, candidates(&[0; 9], start), &mut rng);
            changes += u32::from(last.is_some_and(|last| last != chosen));
            last = Some(chosen);
        }
        assert!((5..=10).contains(&changes), "{changes}");
    }

    proptest! {
        #[test]
        fn the_best_givers_are_kept(
            rates in prop::collection::vec(0u64..1_000, 0..30), slots in 1usize..8, seed: [u8; 32],
        ) {
            let now = Instant::now();
            let mut choker = Choker::new(now, slots);
            let chosen = choker.round(now, candidates(&rates, now), &mut ChaCha8Rng::from_seed(seed));
            prop_assert_eq!(chosen.len(), slots.min(rates.len()));
            let distinct: BTreeSet<_> = chosen.iter().collect();
            prop_assert_eq!(distinct.len(), chosen.len());
            let mut order: Vec<_> = (0..rates.len()).collect();
            order.sort_by_key(|n| (std::cmp::Reverse(rates[*n]), *n));
            for best in order.iter().take(slots - 1) {
                prop_assert!(chosen.contains(&PeerKey(*best as u32)));
            }
        }
    }
}
