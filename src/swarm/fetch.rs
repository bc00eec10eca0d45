//! One peer's copy of the `info` dictionary while it arrives (BEP 9). Each peer has its own, so a
//! liar spoils nobody's but its own (reliability.md P13).
//!
//! Invariant: memory grows with what was received, never with what was announced. Whether the
//! whole has the right hash is the owner's question.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::contract::Progress;
use crate::wire::METADATA_PIECE;

/// Requests under way.
const WINDOW: usize = 16;

/// Silence after which a peer no longer counts as being asked, so that another is.
const SILENT: Duration = Duration::from_secs(2);

/// After this a copy under way no longer counts as being asked, however it goes: whoever sends a part
/// now and then must not keep others from being asked.
const TAKEN: Duration = Duration::from_secs(5);

/// Without a part for this long a copy is given up (P13).
const DEAD: Duration = Duration::from_secs(10);

/// What a message meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// Nothing: not asked for, or again.
    Nothing,
    /// One more part.
    Part,
    /// The last part: here is everything.
    All(Bytes),
    /// It contradicts what the peer said before.
    Contradiction,
}

/// A copy under way.
#[derive(Debug)]
pub struct Fetch {
    size: u32,
    parts: BTreeMap<u32, Bytes>,
    /// The next part to ask for.
    next: u32,
    began: Instant,
    heard: Instant,
}

impl Fetch {
    /// Of a dictionary of `size` bytes, as the peer's extension handshake says.
    pub fn new(now: Instant, size: u32) -> Fetch {
        Fetch {
            size,
            parts: BTreeMap::new(),
            next: 0,
            began: now,
            heard: now,
        }
    }

    /// What the peer said.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The next part to ask for; none while enough are under way.
    pub fn ask(&mut self) -> Option<u32> {
        let waiting = (self.next as usize).saturating_sub(self.parts.len());
        (self.next < self.total() && waiting < WINDOW).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// A part arrived.
    pub fn handle(&mut self, now: Instant, piece: u32, total: u32, data: Bytes) -> Got {
        let begin = piece.saturating_mul(METADATA_PIECE as u32);
        let length = self.size.saturating_sub(begin).min(METADATA_PIECE as u32);
        if total != self.size || piece >= self.total() || data.len() != length as usize {
            return Got::Contradiction;
        }
        if piece >= self.next || self.parts.insert(piece, data).is_some() {
            return Got::Nothing;
        }
        self.heard = now;
        if self.parts.len() < self.total() as usize {
            return Got::Part;
        }
        let mut all = Vec::with_capacity(self.size as usize);
        self.parts
            .values()
            .for_each(|part| all.extend_from_slice(part));
        Got::All(all.into())
    }

    /// Whether the peer has said nothing for so long, or takes so long, that another should be asked too.
    pub fn is_slow(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= SILENT
            || now.saturating_duration_since(self.began) >= TAKEN
    }

    /// Whether nothing came for so long that nothing will.
    pub fn is_dead(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= DEAD
    }

    /// When a part came last.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Bytes received.
    pub fn bytes(&self) -> usize {
        self.parts.len() * METADATA_PIECE
    }

    /// Parts a minute since it began; `None` while it is too young to tell.
    pub fn pace(&self, now: Instant) -> Option<u64> {
        let age = now.saturating_duration_since(self.began);
        let parts = self.parts.len() as u128 * 60_000;
        let pace = parts / age.as_millis().max(1);
        (age >= DEAD).then(|| u64::try_from(pace).unwrap_or(u64::MAX))
    }

    /// Parts here, of all.
    pub fn progress(&self) -> Progress {
        Progress {
            have: self.parts.len() as u32,
            total: self.total(),
        }
    }

    fn total(&self) -> u32 {
        self.size.div_ceil(METADATA_PIECE as u32)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use super::*;

    fn part(length: usize, byte: u8) -> Bytes {
        vec![byte; length].into()
    }

    #[test]
    fn parts_make_the_whole_in_any_order() {
        let now = Instant::now();
        let mut fetch = Fetch::new(now, 40_000);
        let asked: Vec<u32> = std::iter::from_fn(|| fetch.ask()).collect();
        assert_eq!(asked, [0, 1, 2]);
        assert_eq!(fetch.handle(now, 2, 40_000, part(7_232, 3)), Got::Part);
        assert_eq!(fetch.handle(now, 2, 40_000, part(7_232, 3)), Got::Nothing);
        assert_eq!(fetch.handle(now, 0, 40_000, part(16_384, 1)), Got::Part);
        assert_eq!(fetch.progress(), Progress { have: 2, total: 3 });
        let Got::All(all) = fetch.handle(now, 1, 40_000, part(16_384, 2)) else {
            panic!()
        };
        assert_eq!(
            (all.len(), all[0], all[16_384], all[39_999]),
            (40_000, 1, 2, 3)
        );
    }

    /// Rows P13: another size, another length, a part beyond the end.
    #[test]
    fn contradictions_are_seen() {
        let now = Instant::now();
        let mut fetch = Fetch::new(now, 20_000);
        fetch.ask();
        assert_eq!(
            fetch.handle(now, 0, 20_001, part(16_384, 0)),
            Got::Contradiction
        );
        assert_eq!(
            fetch.handle(now, 0, 20_000, part(16_383, 0)),
            Got::Contradiction
        );
        assert_eq!(fetch.handle(now, 2, 20_000, part(1, 0)), Got::Contradiction);
        assert_eq!(
            fetch.handle(now, u32::MAX, 20_000, part(0, 0)),
            Got::Contradiction
        );
    }

    #[test]
    fn a_large_dictionary_is_asked_for_by_and_by() {
        let now = Instant::now();
        let mut fetch = Fetch::new(now, 16 << 20);
        assert_eq!(std::iter::from_fn(|| fetch.ask()).count(), WINDOW);
        assert_eq!(
            fetch.handle(now, 900, 16 << 20, part(16_384, 0)),
            Got::Nothing
        );
        fetch.handle(now, 0, 16 << 20, part(16_384, 0));
        assert_eq!(fetch.ask(), Some(16));
        assert!(!fetch.is_slow(now) && fetch.is_slow(now + SILENT));
        assert!(!fetch.is_dead(now + SILENT) && fetch.is_dead(now + DEAD));
    }

    /// Rows P13: an endless copy does not count as one under way.
    #[test]
    fn whoever_sends_a_part_now_and_then_counts_as_slow() {
        let start = Instant::now();
        let mut fetch = Fetch::new(start, 16 << 20);
        while fetch.ask().is_some() {}
        for second in 1..=12 {
            let now = start + Duration::from_secs(u64::from(second));
            assert_eq!(fetch.pace(now).is_some(), second >= 10);
            fetch.handle(now, second, 16 << 20, part(16_384, 0));
            assert!(!fetch.is_dead(now));
            assert_eq!(fetch.is_slow(now), second >= 5);
        }
        assert_eq!(fetch.pace(start + Duration::from_secs(12)), Some(60));
        assert_eq!(fetch.bytes(), 12 * 16_384);
    }
}
