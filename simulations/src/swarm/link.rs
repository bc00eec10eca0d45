//! Lines between hosts: what they carry, how long it takes, and in which order.
//!
//! A host has one uplink and one downlink, each a server that handles one packet after the other. The
//! uplink serves its connections in turn, so each gets the same share; the downlink takes packets in
//! the order of their arrival. A connection is no faster than loss allows (Mathis et al. 1997) and has
//! at most a window of bytes under way, so a slow receiver holds its senders back as TCP does.
//! Slow start, delayed acknowledgements and their bytes are left out: transfers here last minutes.
//!
//! Invariant: times and sizes are integers; a server never handles two packets at once, so no host
//! sends or receives more than its capacity. It knows no torrents.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rand::Rng;

use super::names::EndRef;
use crate::random;
use crate::time::Time;

/// Largest packet handed to an uplink at once: a whole block with its header and some small messages.
pub const QUANTUM: usize = (16 << 10) + 128;
/// Bytes of one direction of a connection that may be under way: a common TCP window.
pub const WINDOW: usize = 256 << 10;
/// Bytes that a socket takes from the program before they are sent: on home lines the kernel's own
/// measure, twice what is under way, stays small.
pub const SEND_BUFFER: usize = 64 << 10;
/// Payload of a full TCP segment (1,500 bytes less IPv4, TCP and timestamps).
const SEGMENT: u64 = 1_448;
/// Headers of a segment.
const HEADERS: u64 = 52;
/// Mathis: rate = segment / RTT · 1.22 / √loss.
const MATHIS: f64 = 1.22;

/// What an access line carries, in bytes/s.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// To the host.
    pub down: u64,
    /// From the host.
    pub up: u64,
}

impl Line {
    /// A line as it is advertised, in Mbit/s.
    #[must_use]
    pub const fn mbit(down: u64, up: u64) -> Line {
        Line {
            down: down * 125_000,
            up: up * 125_000,
        }
    }
}

/// The mix of home lines: per cent of homes and the line. An assumption, made of what is sold (ADSL,
/// VDSL, cable, fibre); no measured mix of swarms gives shares for both directions.
pub const HOME_LINES: [(u32, Line); 4] = [
    (15, Line::mbit(10, 1)),
    (45, Line::mbit(50, 10)),
    (30, Line::mbit(100, 40)),
    (10, Line::mbit(1_000, 1_000)),
];

/// A line of the mix.
pub fn home_line(rng: &mut impl Rng) -> Line {
    let mut place = random::unit(rng) * 100.0;
    for (share, line) in HOME_LINES {
        place -= f64::from(share);
        if place < 0.0 {
            return line;
        }
    }
    HOME_LINES[1].1
}

/// What lies between two hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// One way.
    pub delay: Duration,
    /// Bytes/s that one connection reaches in one direction.
    pub rate: u64,
}

impl Path {
    /// A path of this delay on which this share of segments is lost.
    #[must_use]
    pub fn new(delay: Duration, loss: f64) -> Path {
        let round_trip = 2.0 * delay.max(Duration::from_micros(500)).as_secs_f64();
        let rate = SEGMENT as f64 * MATHIS / (round_trip * libm::sqrt(loss.max(1e-9)));
        Path {
            delay,
            rate: (rate as u64).max(1_000),
        }
    }
}

/// What `payload` bytes are on the line, with the headers of their segments.
#[must_use]
pub fn wire_size(payload: usize) -> u64 {
    let payload = payload as u64;
    payload + HEADERS * payload.div_ceil(SEGMENT).max(1)
}

/// How long `bytes` take at `rate` bytes/s, rounded up.
#[must_use]
pub fn duration(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros((bytes * 1_000_000).div_ceil(rate.max(1)))
}

/// The sending server of a host.
#[derive(Debug)]
pub(super) struct Uplink {
    capacity: u64,
    /// The packet being sent is out then.
    free_at: Time,
    /// Whose turn it is.
    ready: VecDeque<EndRef>,
    /// Connections that may not send before a time, because loss slows them.
    paced: BinaryHeap<Reverse<(Time, EndRef)>>,
    /// When the world is going to look again.
    wake: Option<Time>,
    /// Bytes on the line so far.
    pub(super) sent: u64,
}

impl Uplink {
    pub(super) fn new(capacity: u64) -> Uplink {
        Uplink {
            capacity,
            free_at: Time::ZERO,
            ready: VecDeque::new(),
            paced: BinaryHeap::new(),
            wake: None,
            sent: 0,
        }
    }

    /// A connection has something to send, at once or from a time on.
    pub(super) fn enqueue(&mut self, now: Time, from: Time, end: EndRef) {
        if from > now {
            self.paced.push(Reverse((from, end)));
        } else {
            self.ready.push_back(end);
        }
    }

    /// Whose turn it is now, if the line is free.
    pub(super) fn next(&mut self, now: Time) -> Option<EndRef> {
        if self.free_at > now {
            return None;
        }
        while let Some(Reverse((from, end))) = self.paced.peek().copied()
            && from <= now
        {
            self.paced.pop();
            self.ready.push_back(end);
        }
        self.ready.pop_front()
    }

    /// Sends a packet now; returns when it is out.
    pub(super) fn send(&mut self, now: Time, bytes: u64) -> Time {
        self.free_at = now.max(self.free_at) + duration(bytes, self.capacity);
        self.sent += bytes;
        self.free_at
    }

    /// When to look again, if that has not been arranged yet. The answer counts as arranged.
    pub(super) fn arrange(&mut self) -> Option<Time> {
        let first = match self.paced.peek() {
            _ if !self.ready.is_empty() => self.free_at,
            Some(Reverse((from, _))) => self.free_at.max(*from),
            None => return None,
        };
        if self.wake.is_some_and(|wake| wake <= first) {
            return None;
        }
        self.wake = Some(first);
        self.wake
    }

    /// Whether this is the arranged time and not an earlier arrangement.
    pub(super) fn woken(&mut self, now: Time) -> bool {
        if self.wake != Some(now) {
            return false;
        }
        self.wake = None;
        true
    }

    /// Forgets what waits: the host is gone.
    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.paced.clear();
    }
}

/// The receiving server of a host.
#[derive(Debug)]
pub(super) struct Downlink {
    capacity: u64,
    free_at: Time,
    /// Bytes on the line so far.
    pub(super) received: u64,
}

/// Below this, a packet at an idle downlink counts as there at once.
const INSTANT: Duration = Duration::from_micros(50);

impl Downlink {
    pub(super) fn new(capacity: u64) -> Downlink {
        Downlink {
            capacity,
            free_at: Time::ZERO,
            received: 0,
        }
    }

    /// A packet reached the line; returns when it is through, `None`: at once.
    pub(super) fn take(&mut self, now: Time, bytes: u64) -> Option<Time> {
        let idle = self.free_at <= now;
        self.free_at = now.max(self.free_at) + duration(bytes, self.capacity);
        self.received += bytes;
        (!idle || self.free_at - now > INSTANT).then_some(self.free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_distance_make_paths_slow() {
        let delay = Duration::from_millis(50);
        let near = Path::new(delay, 1e-4);
        // 1,448 bytes · 1.22 / (0.1 s · 0.01).
        assert_eq!(near.rate, 1_766_560);
        assert!(Path::new(delay, 1e-2).rate.abs_diff(near.rate / 10) <= 1);
        assert!(Path::new(2 * delay, 1e-4).rate.abs_diff(near.rate / 2) <= 1);
    }

    #[test]
    fn an_uplink_sends_no_more_than_it_can() {
        let mut line = Uplink::new(1_000);
        let end = EndRef { link: 0, side: 0 };
        line.enqueue(Time::ZERO, Time::ZERO, end);
        assert_eq!(line.next(Time::ZERO), Some(end));
        assert_eq!(line.send(Time::ZERO, 500), Time(500_000));
        line.enqueue(Time(1), Time::ZERO, end);
        assert_eq!(line.next(Time(499_999)), None);
        assert_eq!(line.arrange(), Some(Time(500_000)));
        assert_eq!(line.arrange(), None);
        assert!(line.woken(Time(500_000)));
        assert_eq!(line.next(Time(500_000)), Some(end));
    }

    #[test]
    fn a_downlink_is_a_queue() {
        let mut line = Downlink::new(1_000_000);
        assert_eq!(line.take(Time(10), 40), None);
        assert_eq!(line.take(Time(10), 40), Some(Time(90)));
        assert_eq!(line.take(Time(1_000), 400), Some(Time(1_400)));
    }
}
