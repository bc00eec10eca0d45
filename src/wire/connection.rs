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
use super::message::{self, BLOCK, Message};
use super::outbox::Outbox;
use super::violation::Violation;
use crate::budget::BACKLOG_PER_PEER;

/// From the first byte to the end of the handshake (reliability.md P1; libtorrent uses 10 s too).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that says nothing for this long is gone; BEP 3 asks for a sign of life every two minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(150);

/// We say something at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(110);

/// Small messages that a peer may send at once, and how many more each second (reliability.md P21). What
/// a transfer is made of (requests, their withdrawal, `have`) has a limit of its own, because 500 MiB/s
/// are 32,000 requests a second.
const CONTROL_BURST: u32 = 1_000;
const CONTROL_PER_SECOND: u32 = 100;

/// The same for extended messages: a dictionary of 16 MiB is a thousand requests and a thousand answers.
const EXTENDED_BURST: u32 = 4_000;
const EXTENDED_PER_SECOND: u32 = 1_000;

/// The same for requests, their withdrawal, `have` and blocks that are not whole: three times what a
/// gigabyte a second needs.
const TRANSFER_BURST: u32 = 200_000;
const TRANSFER_PER_SECOND: u32 = 200_000;

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
    control: Allowance,
    extended: Allowance,
    transfer: Allowance,
}

/// Messages that may still come, refilled with time.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u32,
    counted: Instant,
    burst: u32,
    per_second: u32,
}

impl Allowance {
    fn new(now: Instant, burst: u32, per_second: u32) -> Allowance {
        Allowance {
            left: burst,
            counted: now,
            burst,
            per_second,
        }
    }

    /// Counts one message. Threat: floods of small messages (reliability.md P7, P9, P21).
    fn charge(&mut self, now: Instant) -> Result<(), Violation> {
        let passed = now.saturating_duration_since(self.counted).as_millis();
        let earned = passed.saturating_mul(u128::from(self.per_second)) / 1000;
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(earned).min(self.burst);
            self.counted = now;
        }
        self.left = self.left.checked_sub(1).ok_or(Violation::Flood)?;
        Ok(())
    }
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
            control: Allowance::new(now, CONTROL_BURST, CONTROL_PER_SECOND),
            extended: Allowance::new(now, EXTENDED_BURST, EXTENDED_PER_SECOND),
            transfer: Allowance::new(now, TRANSFER_BURST, TRANSFER_PER_SECOND),
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
        // Threat: whoever asks and never reads makes us queue a `reject` for each request. What is
        // queued answers earlier input, so looking once for each read keeps the excess to one read.
        if self.out.remaining() > BACKLOG_PER_PEER {
            return Err(Violation::Backlog);
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
            self.unknown = self.unknown.saturating_add(1);
            return if self.unknown > MAX_UNKNOWN {
                Err(Violation::Unknown)
            } else {
                Ok(())
            };
        };
        match &message {
            // Whole blocks are what we are here for. Threat: empty ones cost as much to handle.
            Message::Piece { data, .. } if data.len() == BLOCK => {}
            Message::Piece { .. } => self.transfer.charge(now)?,
            Message::Request(_) | Message::Cancel(_) | Message::Reject(_) | Message::Have(_) => {
                self.transfer.charge(now)?;
            }
            Message::Extended { .. } => self.extended.charge(now)?,
            _ => self.control.charge(now)?,
        }
        let early = matches!(
            message,
            Message::Extended { .. } | Message::Port(_) | Message::KeepAlive
        );
        // Deviation: BEP 3 allows a bitfield only as the first message. aria2 sends one in the middle,
        // in place of many haves; closing on it would cost us every download that aria2 makes.
        let opening = matches!(message, Message::HaveAll | Message::HaveNone);
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
