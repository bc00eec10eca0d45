//! Two ends of one connection (BEP 3, 6, 10), with the wire between them in the fuzzer's hands.
//!
//! As long as it only delays and cuts what is on the way, everything that was sent arrives, in order and unchanged,
//! and no rule is broken. Once it adds bytes of its own, anything may end the connection and nothing may break us.
#![cfg_attr(fuzzing, no_main)]

#[path = "../support/steps.rs"]
mod steps;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use steps::Steps;
use trackless::metainfo::InfoHash;
use trackless::wire::{Block, Connection, Event, Handshake, Message, PeerId, Reserved};

const PIECES: u32 = 40;

/// What the fuzzer did so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Honest,
    Forging,
}

/// Where in a connection a message stands: a bitfield may only be the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Later,
}

struct End {
    connection: Connection,
    /// Written by the other end and not yet read here.
    wire: BytesMut,
    input: BytesMut,
    /// Sent by the other end and not yet seen here.
    expected: VecDeque<Message>,
    greeted: bool,
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut steps = Steps(data);
    let mut now = Instant::now();
    let end = |connection| End {
        connection,
        wire: BytesMut::new(),
        input: BytesMut::new(),
        expected: VecDeque::new(),
        greeted: false,
    };
    let mut ends = [
        end(Connection::outgoing(hello(1), now)),
        end(Connection::incoming(now)),
    ];
    let mut wire = Wire::Honest;
    let mut places = [Place::First; 2];
    while !steps.is_over() {
        let side = steps.below(2);
        match steps.below(8) {
            0 | 1 if side == 0 || ends[1].greeted => {
                let message = message(
                    &mut steps,
                    std::mem::replace(&mut places[side], Place::Later),
                );
                ends[1 - side].expected.push_back(message.clone());
                ends[side].connection.send(now, message);
            }
            2 => {
                wire = Wire::Forging;
                let length = steps.below(32);
                let forged = steps.take(length);
                ends[side].wire.extend_from_slice(forged);
            }
            3 => now += Duration::from_millis(u64::from(steps.byte()) * 8),
            _ => {
                let out = ends[1 - side].connection.output();
                let length = out.remaining().min(usize::from(steps.byte()) * 16);
                let part = out.copy_to_bytes(length);
                ends[side].wire.extend_from_slice(&part);
                let arrived = steps.below(256).min(ends[side].wire.len());
                let arrived = ends[side].wire.split_to(arrived);
                ends[side].input.extend_from_slice(&arrived);
                if !read(&mut ends[side], now, side, wire) {
                    return;
                }
            }
        }
        for (side, end) in ends.iter_mut().enumerate() {
            if end.connection.next_timeout() <= now && end.connection.handle_timeout(now).is_err() {
                // Silence is as good a reason as any: the wire was still for too long.
                return;
            }
            assert!(
                end.connection.next_timeout() > now,
                "end {side} would be woken again and again"
            );
        }
    }
}

fn hello(id: u8) -> Handshake {
    Handshake {
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([id; 20]),
        reserved: Reserved::ours(),
    }
}

/// Reads what arrived; false if the connection ended.
fn read(end: &mut End, now: Instant, side: usize, wire: Wire) -> bool {
    let outcome = end.connection.handle_bytes(now, &mut end.input);
    while let Some(event) = end.connection.poll_event() {
        match event {
            Event::Handshake(_) => {
                if side == 1 {
                    end.connection.accept(now, hello(2));
                }
                assert!(!std::mem::replace(&mut end.greeted, true), "one handshake");
                end.connection.set_pieces(PIECES);
            }
            Event::Message(Message::KeepAlive) => {}
            Event::Message(message) if wire == Wire::Honest => {
                assert_eq!(Some(message), end.expected.pop_front())
            }
            Event::Message(_) => {}
        }
    }
    assert!(
        outcome.is_ok() || wire == Wire::Forging,
        "end {side}: {outcome:?}"
    );
    outcome.is_ok()
}

/// Something that may be said at this place of a connection.
fn message(steps: &mut Steps<'_>, place: Place) -> Message {
    let block = Block {
        piece: u32::from(steps.byte()) % PIECES,
        begin: u32::from(steps.byte()) << 14,
        length: 1 + u32::from(steps.byte()),
    };
    match steps.below(15) {
        0 if place == Place::First => Message::Bitfield(Bytes::from_static(&[0xa5; 5])),
        1 if place == Place::First => Message::HaveAll,
        2 if place == Place::First => Message::HaveNone,
        0 | 3 => Message::Choke,
        1 | 4 => Message::Unchoke,
        2 | 5 => Message::Interested,
        6 => Message::NotInterested,
        7 => Message::Have(block.piece),
        8 => Message::Request(block),
        9 => Message::Cancel(block),
        10 => Message::Reject(block),
        11 => Message::AllowedFast(block.piece),
        12 => Message::Suggest(block.piece),
        13 => {
            let payload = Bytes::copy_from_slice(steps.take(block.length as usize));
            Message::Extended { id: 3, payload }
        }
        _ => {
            let data = vec![7; block.length as usize].into();
            Message::Piece {
                piece: block.piece,
                begin: block.begin,
                data,
            }
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
