//! The requests of one peer that we answer: BEP 3 "request", "cancel", BEP 6 "reject".
//!
//! Invariant: at most [`MAX_QUEUE`] requests wait, and data is read from disk only while less than
//! [`MAX_UNSENT`] of it waits for the peer's socket. Knows no choking and no pieces.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::rate::Meter;
use crate::wire::Block;

/// Requests a peer may have waiting (reliability.md P7); what we tell as `reqq` is less.
pub use crate::budget::REQUESTS_PER_PEER as MAX_QUEUE;

/// Bytes read or being read and not yet written to the peer's socket (P22).
pub use crate::budget::UNSENT_PER_PEER as MAX_UNSENT;

/// A peer that takes nothing of what waits for it for this long is closed (P22).
const STUCK: Duration = Duration::from_secs(120);

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Queued {
    /// It waits.
    Yes,
    /// It waits already.
    Twice,
    /// Too many wait.
    Full,
}

/// One peer's requests to us.
#[derive(Debug)]
pub struct Serving {
    queue: VecDeque<Block>,
    reading: VecDeque<Block>,
    /// Bytes of `reading`.
    read_bytes: usize,
    unsent: usize,
    moved: Instant,
    meter: Meter,
}

impl Serving {
    /// Nothing asked.
    pub fn new(now: Instant) -> Serving {
        Serving {
            queue: VecDeque::new(),
            reading: VecDeque::new(),
            read_bytes: 0,
            unsent: 0,
            moved: now,
            meter: Meter::new(now),
        }
    }

    /// What we gave the peer.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// A request came.
    pub fn ask(&mut self, block: Block) -> Queued {
        if self.queue.contains(&block) || self.reading.contains(&block) {
            Queued::Twice
        } else if self.queue.len() + self.reading.len() >= MAX_QUEUE {
            Queued::Full
        } else {
            self.queue.push_back(block);
            Queued::Yes
        }
    }

    /// It was taken back. `true` if it was waiting and will not be answered.
    pub fn cancel(&mut self, block: Block) -> bool {
        if let Some(place) = self.queue.iter().position(|queued| *queued == block) {
            return self.queue.remove(place).is_some();
        }
        self.take_reading(block)
    }

    /// The next block to read, unless enough waits to be sent.
    pub fn peek(&self) -> Option<Block> {
        let room = self.takes_more();
        self.queue.front().copied().filter(|_| room)
    }

    /// The block of [`Serving::peek`] is being read.
    pub fn start(&mut self) {
        if let Some(block) = self.queue.pop_front() {
            self.read_bytes += block.length as usize;
            self.reading.push_back(block);
        }
    }

    /// It was read or cannot be. `false` if it is no longer wanted.
    pub fn read(&mut self, block: Block) -> bool {
        self.take_reading(block)
    }

    /// Its data goes to the connection.
    pub fn gave(&mut self, now: Instant, bytes: usize) {
        if self.unsent == 0 {
            self.moved = now;
        }
        self.unsent = self.unsent.saturating_add(bytes);
        self.meter.add(now, bytes as u64);
    }

    /// So many bytes that are no block go to the connection: parts of the metadata.
    pub fn gave_beside(&mut self, now: Instant, bytes: usize) {
        if self.unsent == 0 {
            self.moved = now;
        }
        self.unsent = self.unsent.saturating_add(bytes);
    }

    /// Whether little enough waits for the peer's socket that more may be handed to it.
    pub fn takes_more(&self) -> bool {
        self.unsent.saturating_add(self.read_bytes) < MAX_UNSENT
    }

    /// The connection has so many bytes left to write.
    pub fn sent(&mut self, now: Instant, unsent: usize) {
        if unsent < self.unsent {
            self.moved = now;
        }
        self.unsent = unsent;
    }

    /// Whether the peer has stopped reading.
    pub fn is_stuck(&self, now: Instant) -> bool {
        self.unsent > 0 && now.saturating_duration_since(self.moved) >= STUCK
    }

    /// Forgets all requests, for example because the peer is choked, and returns them.
    pub fn clear(&mut self) -> Vec<Block> {
        self.read_bytes = 0;
        self.reading.drain(..).chain(self.queue.drain(..)).collect()
    }

    fn take_reading(&mut self, block: Block) -> bool {
        let Some(place) = self.reading.iter().position(|reading| *reading == block) else {
            return false;
        };
        self.reading.remove(place);
        self.read_bytes -= block.length as usize;
        true
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
            length: 16_384,
        }
    }

    /// Rows P22: nothing is read from disk beyond a megabyte.
    #[test]
    fn reading_stops_while_much_is_unsent() {
        let now = Instant::now();
        let mut serving = Serving::new(now);
        (0..200).for_each(|n| assert_eq!(serving.ask(block(n)), Queued::Yes));
        let mut reading = Vec::new();
        while let Some(block) = serving.peek() {
            serving.start();
            reading.push(block);
        }
        assert_eq!(reading.len(), MAX_UNSENT / 16_384);
        for block in reading {
            assert!(serving.read(block) && !serving.read(block));
            serving.gave(now, 16_384);
        }
        assert_eq!(serving.peek(), None);
        serving.sent(now, MAX_UNSENT - 1);
        assert_eq!(serving.peek(), Some(block(64)));
        assert!(serving.is_stuck(now + STUCK));
        serving.sent(now + STUCK, 0);
        assert!(!serving.is_stuck(now + STUCK * 2));
    }

    /// Rows P7: 512 requests, none twice.
    #[test]
    fn the_queue_is_bounded_and_without_repetition() {
        let mut serving = Serving::new(Instant::now());
        (0..MAX_QUEUE as u32).for_each(|n| assert_eq!(serving.ask(block(n)), Queued::Yes));
        assert_eq!(serving.ask(block(3)), Queued::Twice);
        assert_eq!(serving.ask(block(9_999)), Queued::Full);
        assert!(serving.cancel(block(3)) && !serving.cancel(block(3)));
        serving.start();
        assert!(serving.cancel(block(0)) && !serving.read(block(0)));
        assert_eq!(serving.clear().len(), MAX_QUEUE - 2);
    }
}
