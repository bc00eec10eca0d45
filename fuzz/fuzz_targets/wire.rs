//! Any bytes behind a handshake (BEP 3, 6, 10), in one read and in many.
//!
//! However they are cut, the same messages come out and the same rule ends the connection; what
//! came out survives being written and read again.
#![cfg_attr(fuzzing, no_main)]

use std::time::Instant;

use bytes::{Buf, BytesMut};
use trackless::metainfo::InfoHash;
use trackless::wire::{Connection, Event, Handshake, Message, PeerId, Reserved, Violation};

fn hello() -> Handshake {
    Handshake {
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([8; 20]),
        reserved: Reserved::ours(),
    }
}

/// Feeds `data` in steps of `step` bytes; what is left over stays with the connection's owner.
fn read(
    now: Instant,
    pieces: u32,
    data: &[u8],
    step: usize,
) -> (Vec<Event>, Result<(), Violation>) {
    let mut connection = Connection::outgoing(hello(), now);
    let mut input = BytesMut::new();
    hello().encode(&mut input);
    if pieces > 0 {
        connection.set_pieces(pieces);
    }
    let mut outcome = connection.handle_bytes(now, &mut input);
    for part in data.chunks(step) {
        if outcome.is_err() {
            break;
        }
        input.extend_from_slice(part);
        outcome = connection.handle_bytes(now, &mut input);
    }
    (
        std::iter::from_fn(|| connection.poll_event()).collect(),
        outcome,
    )
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let [pieces, step, data @ ..] = data else {
        return;
    };
    let (now, pieces) = (Instant::now(), u32::from(*pieces));
    let whole = read(now, pieces, data, data.len().max(1));
    let cut = read(now, pieces, data, usize::from(*step).max(1));
    assert_eq!(whole, cut);
    let mut writer = Connection::outgoing(hello(), now);
    let messages: Vec<Message> = whole
        .0
        .into_iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message),
            Event::Handshake(_) => None,
        })
        .collect();
    for message in messages.iter().cloned() {
        writer.send(now, message);
    }
    let out = writer.output();
    let length = out.remaining();
    let written = out.copy_to_bytes(length);
    let mut reader = Connection::incoming(now);
    assert_eq!(
        reader.handle_bytes(now, &mut BytesMut::from(&written[..])),
        Ok(())
    );
    assert_eq!(reader.poll_event(), Some(Event::Handshake(hello())));
    for message in messages {
        assert_eq!(reader.poll_event(), Some(Event::Message(message)));
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
