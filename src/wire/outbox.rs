//! Bytes on their way to a socket: small messages run together in one chunk, blocks stay where the
//! disk put them, and a vectored write takes many chunks at once.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::message::Message;

/// A queue of chunks that reads as one buffer ([`Buf`]).
#[derive(Default, Debug)]
pub struct Outbox {
    chunks: VecDeque<Bytes>,
    /// Small messages behind the last chunk, still growing.
    small: BytesMut,
    queued: usize,
}

impl Outbox {
    /// Queues a message.
    pub(super) fn push(&mut self, message: Message) {
        self.push_small(|out| message.encode_head(out));
        let payload = message.payload();
        if payload.len() > COPY_LIMIT {
            self.seal();
            self.queued += payload.len();
            self.chunks.push_back(payload);
        } else {
            self.push_small(|out| out.extend_from_slice(&payload));
        }
    }

    /// Queues bytes that `write` appends.
    pub(super) fn push_small(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let before = self.small.len();
        write(&mut self.small);
        self.queued += self.small.len() - before;
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push_back(self.small.split().freeze());
        }
    }
}

/// Payloads up to this size are copied to the small messages around them: cheaper than a chunk.
const COPY_LIMIT: usize = 512;

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.queued
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&self.small, Bytes::as_ref)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let small = (!self.small.is_empty()).then_some(self.small.as_ref());
        let chunks = self.chunks.iter().map(Bytes::as_ref).chain(small);
        slices
            .iter_mut()
            .zip(chunks)
            .map(|(slice, chunk)| *slice = IoSlice::new(chunk))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.queued, "advance beyond the end of the outbox");
        self.queued -= count;
        while let Some(front) = self.chunks.front_mut() {
            if count < front.len() {
                return front.advance(count);
            }
            count -= front.len();
            self.chunks.pop_front();
        }
        self.small.advance(count);
    }
}
