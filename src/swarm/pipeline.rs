//! The requests under way to one peer, and how many there should be: BEP 3 "pipelining".
//!
//! Invariant: every block asked for leaves exactly once, as arrived, rejected, cancelled or dropped;
//! one that was dropped may still arrive without being held against the peer. The depth is rate ×
//! (shortest delay + 1 s), found by doubling every round trip at first. Knows no pieces.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::geometry::BLOCK_LENGTH;
use super::rate::Meter;
use crate::wire::Block;

/// Requests before anything is known of the peer.
const FIRST_DEPTH: usize = 16;

/// Least requests: a rate measured as zero must be able to grow.
const MIN_DEPTH: usize = 4;

/// Requests a peer queues if it does not say (`reqq`): libtorrent's and others' old default.
pub const DEFAULT_QUEUE: usize = 250;

/// Silence with requests open after which a peer is snubbed (reliability.md P5); doubles with each
/// repetition, up to 8 times.
const PATIENCE: Duration = Duration::from_secs(15);

/// The same for a peer that has not sent anything yet.
const FIRST_PATIENCE: Duration = Duration::from_secs(6);

/// Dropped requests that may still be answered.
const MAX_LATE: usize = 1_024;

/// What a block is to the pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It was asked for.
    Expected,
    /// It was asked for and given up.
    Late,
    /// It was not.
    Unrequested,
}

#[derive(Clone, Copy, Debug)]
enum Growth {
    /// One more request for every block: doubles each round trip.
    Doubling { rate: u64 },
    /// Follows rate and delay.
    Measured,
}

/// One peer's requests.
#[derive(Debug)]
pub struct Pipeline {
    requests: VecDeque<(Block, Instant)>,
    late: VecDeque<Block>,
    depth: usize,
    limit: usize,
    growth: Growth,
    shortest: Duration,
    meter: Meter,
    heard: Option<Instant>,
    /// Times in a row that the peer was given up on.
    snubs: u32,
}

impl Pipeline {
    /// No requests.
    pub fn new(now: Instant) -> Pipeline {
        Pipeline {
            requests: VecDeque::new(),
            late: VecDeque::new(),
            depth: FIRST_DEPTH,
            limit: DEFAULT_QUEUE,
            growth: Growth::Doubling { rate: 0 },
            shortest: Duration::from_secs(1),
            meter: Meter::new(now),
            heard: None,
            snubs: 0,
        }
    }

    /// The peer said how many it queues.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// How many more to ask for now. A snubbed peer gets one at a time to prove itself.
    pub fn room(&self) -> usize {
        let depth = if self.snubs > 0 {
            1
        } else {
            self.depth.min(self.limit)
        };
        depth.saturating_sub(self.requests.len())
    }

    /// Requests under way.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// What the peer gave us.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// A request goes out.
    pub fn ask(&mut self, now: Instant, block: Block) {
        self.requests.push_back((block, now));
    }

    /// A block arrived. Constant time if the peer answers in order.
    pub fn arrived(&mut self, now: Instant, block: Block) -> Arrival {
        let Some(asked) = self.take(block) else {
            let Some(place) = self.late.iter().position(|late| *late == block) else {
                return Arrival::Unrequested;
            };
            self.late.remove(place);
            self.count(now, block);
            return Arrival::Late;
        };
        self.shortest = self.shortest.min(now.saturating_duration_since(asked));
        if matches!(self.growth, Growth::Doubling { .. }) {
            self.depth = (self.depth + 1).min(self.limit.max(MIN_DEPTH));
        }
        self.count(now, block);
        Arrival::Expected
    }

    /// The peer will not answer. `false` if it was never asked.
    pub fn rejected(&mut self, block: Block) -> bool {
        if self.take(block).is_some() {
            return true;
        }
        let place = self.late.iter().position(|late| *late == block);
        place.map(|place| self.late.remove(place)).is_some()
    }

    /// We no longer want it. `true` if it was under way.
    pub fn cancel(&mut self, block: Block) -> bool {
        let found = self.take(block).is_some();
        if found {
            self.forgive(block);
        }
        found
    }

    /// Gives up every request (choked, snubbed); they may still be answered.
    pub fn drop_all(&mut self) -> Vec<Block> {
        let dropped: Vec<Block> = self.requests.drain(..).map(|(block, _)| block).collect();
        dropped.iter().for_each(|block| self.forgive(*block));
        dropped
    }

    /// Once a second: follows rate and delay. `true` if the peer has been silent for too long and
    /// its requests should go to others; it counts as snubbed from here on.
    pub fn tick(&mut self, now: Instant) -> bool {
        let rate = self.meter.rate(now);
        if let Growth::Doubling { rate: before } = &mut self.growth {
            if *before > 0 && rate < before.saturating_mul(5) / 4 {
                self.growth = Growth::Measured;
            } else {
                *before = rate;
            }
        }
        if matches!(self.growth, Growth::Measured) {
            let ahead = 1_000 + self.shortest.as_millis() as u64;
            let blocks = rate.saturating_mul(ahead) / 1_000 / u64::from(BLOCK_LENGTH);
            self.depth = usize::try_from(blocks).unwrap_or(usize::MAX).max(MIN_DEPTH);
        }
        let Some((_, oldest)) = self.requests.front() else {
            return false;
        };
        let since = self.heard.map_or(*oldest, |heard| heard.max(*oldest));
        let patience = if self.heard.is_some() {
            PATIENCE
        } else {
            FIRST_PATIENCE
        };
        let silent = now.saturating_duration_since(since) >= patience * (1 << self.snubs.min(3));
        self.snubs += u32::from(silent);
        silent
    }

    /// Whether the peer was given up on and has sent nothing since.
    pub fn is_snubbed(&self) -> bool {
        self.snubs > 0
    }

    fn count(&mut self, now: Instant, block: Block) {
        self.meter.add(now, u64::from(block.length));
        self.heard = Some(now);
        self.snubs = 0;
    }

    fn take(&mut self, block: Block) -> Option<Instant> {
        let place = self
            .requests
            .iter()
            .position(|(asked, _)| *asked == block)?;
        self.requests.remove(place).map(|(_, at)| at)
    }

    fn forgive(&mut self, block: Block) {
        if self.late.len() >= MAX_LATE {
            self.late.pop_front();
        }
        self.late.push_back(block);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use super::*;

    fn block(piece: u32) -> Block {
        Block {
            piece,
            begin: 0,
            length: BLOCK_LENGTH,
        }
    }

    #[test]
    fn the_depth_doubles_every_round_trip() {
        let start = Instant::now();
        let mut pipeline = Pipeline::new(start);
        let mut next = 0;
        for trip in 0..5 {
            let now = start + Duration::from_millis(trip);
            let asked: Vec<u32> = (next..next + pipeline.room() as u32).collect();
            next += asked.len() as u32;
            asked
                .iter()
                .for_each(|piece| pipeline.ask(now, block(*piece)));
            for piece in asked {
                assert_eq!(pipeline.arrived(now, block(piece)), Arrival::Expected);
            }
        }
        assert_eq!(pipeline.room(), DEFAULT_QUEUE);
        pipeline.set_limit(7);
        assert_eq!(pipeline.room(), 7);
    }

    #[test]
    fn the_depth_follows_a_slow_peer() {
        let start = Instant::now();
        let mut pipeline = Pipeline::new(start);
        for second in 0..20u64 {
            let now = start + Duration::from_secs(second);
            (0..5).for_each(|n| pipeline.ask(now, block(second as u32 * 5 + n)));
            let later = now + Duration::from_millis(100);
            (0..5).for_each(|n| {
                pipeline.arrived(later, block(second as u32 * 5 + n));
            });
            assert!(!pipeline.tick(now + Duration::from_millis(999)));
        }
        assert!((4..=7).contains(&pipeline.room()), "{}", pipeline.room());
    }

    /// Rows N8: what a peer that fell silent owes is asked of others after 15 s.
    #[test]
    fn a_silent_peer_is_snubbed_and_forgiven() {
        let start = Instant::now();
        let mut pipeline = Pipeline::new(start);
        pipeline.ask(start, block(1));
        assert!(!pipeline.tick(start + Duration::from_secs(5)));
        assert!(pipeline.tick(start + FIRST_PATIENCE) && pipeline.is_snubbed());
        assert_eq!(pipeline.drop_all(), [block(1)]);
        assert_eq!(pipeline.room(), 1);
        assert_eq!(pipeline.arrived(start + PATIENCE, block(1)), Arrival::Late);
        assert_eq!(
            pipeline.arrived(start + PATIENCE, block(1)),
            Arrival::Unrequested
        );
        assert!(!pipeline.is_snubbed());
    }

    #[test]
    fn only_what_was_asked_can_be_rejected() {
        let start = Instant::now();
        let mut pipeline = Pipeline::new(start);
        pipeline.ask(start, block(1));
        pipeline.ask(start, block(2));
        assert!(pipeline.cancel(block(2)) && !pipeline.cancel(block(2)));
        assert!(pipeline.rejected(block(2)) && !pipeline.rejected(block(2)));
        assert!(pipeline.rejected(block(1)) && pipeline.is_empty());
    }
}
