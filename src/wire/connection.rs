//! One peer connection without its socket: handshake, framing, keep-alive, timeouts (BEP 3, 6, 10).
//!
//! Bytes go in with [`Connection::handle_bytes`], messages come out of [`Connection::poll_event`];
//! messages go in with [`Connection::send`], bytes come out of [`Connection::output`]. Blocks are
//! split off the receive buffer, never copied.
//!
//! Invariant: no byte of a message is awaited before its length and id are known to be acceptable.
//! It does not know which pieces exist here, who chokes whom, or what a peer is worth.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::handshake::{HANDSHAKE_LEN, Handshake};
use super::message::{self, Message};
use super::outbox::Outbox;
use super::violation::Violation;

/// From the first byte to the end of the handshake (reliability.md P1; libtorrent uses 10 s too).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that says nothing for this long is gone; BEP 3 asks for a sign of life every two minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(180);

/// We say something at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(110);

/// Messages without payload that a peer may send at once, and how many more each second.
const CONTROL_BURST: u32 = 4_000;
const CONTROL_PER_SECOND: u32 = 1_000;

/// Messages of unknown kind before the connection ends.
const MAX_UNKNOWN: u8 = 32;

/// What a connection has to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The other side's handshake; once, first.
    Handshake(Handshake),
    /// A message.
    Message(Message),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The other's 68 bytes are awaited until then.
    Greeting { until: Instant },
    /// Messages flow; `first` until the first that is not allowed before a bitfield.
    Open { first: First },
}

/// Whether a bitfield may still come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    Pending,
    Passed,
}

/// The machine.
#[derive(Debug)]
pub struct Connection {
    state: State,
    /// Whether our handshake has been queued; messages wait for it.
    greeted: Greeted,
    out: Outbox,
    events: VecDeque<Event>,
    /// Longest bitfield message acceptable.
    bitfield_bytes: usize,
    heard: Instant,
    spoke: Instant,
    unknown: u8,
    /// Control messages left, and when they were counted.
    allowance: (u32, Instant),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Greeted {
    Not,
    Done,
}

impl Connection {
    /// A connection that we opened: our handshake is queued at once.
    pub fn outgoing(hello: Handshake, now: Instant) -> Connection {
        let mut connection = Connection::incoming(now);
        connection.accept(now, hello);
        connection
    }

    /// A connection that was opened to us: [`Event::Handshake`] tells for which torrent; the owner
    /// answers with [`Connection::accept`] or drops it.
    pub fn incoming(now: Instant) -> Connection {
        Connection {
            state: State::Greeting {
                until: now + HANDSHAKE_TIMEOUT,
            },
            greeted: Greeted::Not,
            out: Outbox::default(),
            events: VecDeque::new(),
            bitfield_bytes: message::MAX_BITFIELD,
            heard: now,
            spoke: now,
            unknown: 0,
            allowance: (CONTROL_BURST, now),
        }
    }

    /// Answers an incoming handshake with ours.
    pub fn accept(&mut self, now: Instant, hello: Handshake) {
        self.greeted = Greeted::Done;
        self.spoke = now;
        self.out.push_small(|out| hello.encode(out));
    }

    /// The torrent's piece count is known: longer or shorter bitfields are violations from now on.
    pub fn set_pieces(&mut self, count: u32) {
        self.bitfield_bytes = (count as usize).div_ceil(8);
    }

    /// Queues a message.
    pub fn send(&mut self, now: Instant, message: Message) {
        self.spoke = now;
        self.out.push(message);
    }

    /// Takes what was read. Whole messages leave `input`; the unfinished tail stays in it.
    ///
    /// # Errors
    /// The rule that the peer broke; the connection is to be closed. Events before it are good.
    pub fn handle_bytes(&mut self, now: Instant, input: &mut BytesMut) -> Result<(), Violation> {
        if !input.is_empty() {
            self.heard = now;
        }
        if let State::Greeting { .. } = self.state {
            if let Some(theirs) = Handshake::decode(input)? {
                input.advance(HANDSHAKE_LEN);
                self.events.push_back(Event::Handshake(theirs));
                self.state = State::Open {
                    first: First::Pending,
                };
            } else {
                return Ok(());
            }
        }
        while let Some(length) = message::frame_length(input, self.bitfield_bytes)? {
            if input.len() < 4 + length {
                break;
            }
            let mut frame = input.split_to(4 + length).freeze();
            frame.advance(4);
            self.handle_frame(now, frame)?;
        }
        Ok(())
    }

    fn handle_frame(&mut self, now: Instant, frame: bytes::Bytes) -> Result<(), Violation> {
        let Some(message) = message::decode(frame)? else {
            self.unknown += 1;
            return if self.unknown > MAX_UNKNOWN {
                Err(Violation::Unknown)
            } else {
                Ok(())
            };
        };
        if !matches!(message, Message::Piece { .. }) {
            self.charge(now)?;
        }
        let early = matches!(
            message,
            Message::Extended { .. } | Message::Port(_) | Message::KeepAlive
        );
        let opening = matches!(
            message,
            Message::Bitfield(_) | Message::HaveAll | Message::HaveNone
        );
        if opening
            && self.state
                == (State::Open {
                    first: First::Passed,
                })
        {
            return Err(Violation::LateBitfield);
        }
        if !early {
            self.state = State::Open {
                first: First::Passed,
            };
        }
        if message != Message::KeepAlive {
            self.events.push_back(Event::Message(message));
        }
        Ok(())
    }

    /// Counts one control message. Threat: floods of small messages (reliability.md P9, P21).
    fn charge(&mut self, now: Instant) -> Result<(), Violation> {
        let (left, since) = self.allowance;
        let earned = now.saturating_duration_since(since).as_millis() as u64
            * u64::from(CONTROL_PER_SECOND)
            / 1000;
        let earned = u32::try_from(earned).unwrap_or(CONTROL_BURST);
        let left = left.saturating_add(earned).min(CONTROL_BURST);
        let since = if earned > 0 { now } else { since };
        let left = left.checked_sub(1).ok_or(Violation::Flood)?;
        self.allowance = (left, since);
        Ok(())
    }

    /// A timeout has come: the connection ends, or says that it is alive.
    ///
    /// # Errors
    /// [`Violation::Slow`] without a handshake in time, [`Violation::Idle`] after silence.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Violation> {
        match self.state {
            State::Greeting { until } if now >= until => return Err(Violation::Slow),
            State::Greeting { .. } => return Ok(()),
            State::Open { .. } if now >= self.heard + IDLE_TIMEOUT => return Err(Violation::Idle),
            State::Open { .. } => {}
        }
        if self.greeted == Greeted::Done && now >= self.spoke + KEEP_ALIVE {
            self.send(now, Message::KeepAlive);
        }
        Ok(())
    }

    /// When [`Connection::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Instant {
        match self.state {
            State::Greeting { until } => until,
            State::Open { .. } => (self.heard + IDLE_TIMEOUT).min(self.spoke + KEEP_ALIVE),
        }
    }

    /// The next thing that arrived.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be written to the socket.
    pub fn output(&mut self) -> &mut Outbox {
        &mut self.out
    }
}
