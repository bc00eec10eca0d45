//! Content made from a seed, shared by all, and disks that remember only who has which piece.
//!
//! Invariant: a piece counts as right exactly if its bytes are the content's. Comparing with the content
//! costs less than a hash and says the same; what is wrong gets real SHA-1 digests, because the
//! machines compare those to find out who lied. It knows no time: the world delays the replies.

use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha1::{Digest, Sha1};
use trackless::metainfo::Info;
use trackless::swarm::Bitfield;
use trackless::swarm::disk::{Digests, DiskError, Job, Reply};

use crate::time::Time;

/// What a torrent consists of.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its `info` dictionary.
    pub info: Arc<Info>,
    data: Bytes,
}

impl Content {
    /// `length` bytes from a seed, at least one.
    #[must_use]
    pub fn new(seed: u64, length: u64, piece_length: u32) -> Content {
        let length = usize::try_from(length.max(1)).expect("content fits into memory");
        let mut data = vec![0; length];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut data);
        let pieces = data.chunks(piece_length as usize);
        let hashes: Vec<u8> = pieces.flat_map(Sha1::digest).collect();
        let head = format!(
            "d6:lengthi{length}e4:name5:swarm12:piece lengthi{piece_length}e6:pieces{}:",
            hashes.len()
        );
        let raw = [head.as_bytes(), &hashes, b"e"].concat();
        let info =
            Info::from_bytes(raw.into()).expect("what is written here is an info dictionary");
        Content {
            info: Arc::new(info),
            data: data.into(),
        }
    }

    /// A part of a piece, shared.
    #[must_use]
    pub fn slice(&self, piece: u32, begin: u32, length: u32) -> Bytes {
        let from = piece as usize * self.info.piece_length() as usize + begin as usize;
        self.data.slice(from..from + length as usize)
    }

    fn is_right(&self, piece: u32, blocks: &[Bytes]) -> bool {
        let from = piece as usize * self.info.piece_length() as usize;
        let length = (self.info.piece_length() as usize).min(self.data.len() - from);
        let mut rest = &self.data[from..from + length];
        blocks.iter().all(|block| {
            let equal = rest.starts_with(block);
            rest = rest.get(block.len()..).unwrap_or_default();
            equal
        }) && rest.is_empty()
    }
}

/// One peer's disk.
#[derive(Debug)]
pub struct MemoryDisk {
    content: Content,
    have: Bitfield,
    /// When each piece was written; `Time::ZERO` for those there from the start.
    written: Vec<Time>,
    /// Of a hundred blocks read, so many are wrong.
    corrupt: u32,
    reads: u32,
}

impl MemoryDisk {
    /// A disk with these pieces; of a hundred blocks read for others, `corrupt` are wrong.
    #[must_use]
    pub fn new(content: Content, have: Bitfield, corrupt: u32) -> MemoryDisk {
        let pieces = content.info.piece_count() as usize;
        MemoryDisk {
            content,
            have,
            written: vec![Time::ZERO; pieces],
            corrupt,
            reads: 0,
        }
    }

    /// What is on it.
    #[must_use]
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    /// Loses what was written after `recorded`, as a crash does before the next sync; returns how many
    /// pieces those were.
    pub fn forget_since(&mut self, recorded: Time) -> u32 {
        let lost: Vec<u32> = self
            .have
            .iter_set()
            .filter(|piece| self.written[*piece as usize] > recorded)
            .collect();
        for piece in &lost {
            self.have.clear(*piece);
        }
        lost.len() as u32
    }

    /// Does a job.
    pub fn perform(&mut self, now: Time, job: Job) -> Reply {
        match job {
            Job::Store {
                piece,
                blocks,
                digests,
            } => {
                let each = || blocks.iter().map(|b| Sha1::digest(b).into()).collect();
                if !self.content.is_right(piece, &blocks) {
                    return Reply::Mismatch {
                        piece,
                        digests: each(),
                    };
                }
                self.have.set(piece);
                self.written[piece as usize] = now;
                Reply::Stored {
                    piece,
                    digests: (digests == Digests::Always).then(each),
                }
            }
            Job::Read { peer, block } if !self.have.has(block.piece) => Reply::ReadFailed {
                peer,
                block,
                error: DiskError::Damaged,
            },
            Job::Read { peer, block } => {
                self.reads += 1;
                let mut data = self.content.slice(block.piece, block.begin, block.length);
                if self.reads % 100 < self.corrupt {
                    let mut wrong = data.to_vec();
                    wrong[0] ^= 1 + (self.reads % 255) as u8;
                    data = wrong.into();
                }
                Reply::Block { peer, block, data }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use trackless::swarm::{BLOCK_LENGTH, PeerKey};
    use trackless::wire::Block;

    use super::*;

    fn blocks(content: &Content, piece: u32) -> Vec<Bytes> {
        let count = content.info.piece_length() / BLOCK_LENGTH;
        let begins = (0..count).map(|n| n * BLOCK_LENGTH);
        begins
            .map(|begin| content.slice(piece, begin, BLOCK_LENGTH))
            .collect()
    }

    fn store(disk: &mut MemoryDisk, piece: u32, blocks: Vec<Bytes>) -> Reply {
        let digests = Digests::IfWrong;
        disk.perform(
            Time(7),
            Job::Store {
                piece,
                blocks,
                digests,
            },
        )
    }

    #[test]
    fn only_the_content_is_stored() {
        let content = Content::new(1, 4 * 32_768, 32_768);
        let mut disk = MemoryDisk::new(content.clone(), Bitfield::new(4), 0);
        let mut wrong = blocks(&content, 2);
        wrong[1] = wrong[0].clone();
        let reply = store(&mut disk, 2, wrong.clone());
        let digest: [u8; 20] = Sha1::digest(&wrong[0]).into();
        assert!(matches!(reply, Reply::Mismatch { digests, .. } if digests == [digest; 2]));
        let mut short = blocks(&content, 2);
        short.pop();
        assert!(matches!(store(&mut disk, 2, short), Reply::Mismatch { .. }));
        let right = blocks(&content, 2);
        assert!(matches!(store(&mut disk, 2, right), Reply::Stored { .. }));
        assert_eq!(disk.have().count(), 1);
        assert_eq!(disk.forget_since(Time(7)), 0);
        assert_eq!(disk.forget_since(Time(6)), 1);
    }

    #[test]
    fn a_liar_changes_what_it_reads() {
        let content = Content::new(1, 65_536, 65_536);
        let mut disk = MemoryDisk::new(content.clone(), Bitfield::full(1), 10);
        let block = Block {
            piece: 0,
            begin: 16_384,
            length: 16_384,
        };
        let right = content.slice(0, 16_384, 16_384);
        let wrong = (0..100).filter(|_| {
            let peer = PeerKey(1);
            let reply = disk.perform(Time(1), Job::Read { peer, block });
            !matches!(reply, Reply::Block { data, .. } if data == right)
        });
        assert_eq!(wrong.count(), 10);
    }
}
