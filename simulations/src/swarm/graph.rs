//! Who is connected with whom: the parts into which the incomplete peers of a swarm fall.
//!
//! A part that does not have every piece between its members cannot complete without others. Only
//! connections that both sides use count. It looks at the world and changes nothing.

use trackless::swarm::Bitfield;

use super::names::PeerIndex;
use super::world::SwarmWorld;

/// A part: incomplete peers that reach each other through incomplete peers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// Its members, in ascending order.
    pub members: Vec<PeerIndex>,
    /// Distinct pieces that they have between them.
    pub pieces: u32,
    /// Complete peers connected with at least one of them.
    pub seeders: u32,
}

impl Component {
    /// Whether every piece of a torrent of `total` pieces is there or a seeder is near.
    #[must_use]
    pub fn can_complete(&self, total: u32) -> bool {
        self.pieces == total || self.seeders > 0
    }
}

impl SwarmWorld {
    /// The parts into which the incomplete peers that are there fall, the largest first.
    #[must_use]
    pub fn components(&self) -> Vec<Component> {
        let complete = |peer: PeerIndex| self.pieces(peer).is_full();
        let mut seen = vec![false; self.len() as usize];
        let mut components = Vec::new();
        for first in 0..self.len() {
            if seen[first as usize] || !self.is_up(first) || complete(first) {
                continue;
            }
            let mut members = vec![first];
            let mut seeders: Vec<PeerIndex> = Vec::new();
            seen[first as usize] = true;
            let mut next = 0;
            while let Some(member) = members.get(next).copied() {
                next += 1;
                for other in self.neighbours(member) {
                    if complete(other) {
                        seeders.push(other);
                    } else if !std::mem::replace(&mut seen[other as usize], true) {
                        members.push(other);
                    }
                }
            }
            members.sort_unstable();
            seeders.sort_unstable();
            seeders.dedup();
            let mut pieces = Bitfield::new(self.content().info.piece_count());
            for piece in members.iter().flat_map(|m| self.pieces(*m).iter_set()) {
                pieces.set(piece);
            }
            components.push(Component {
                members,
                pieces: pieces.count(),
                seeders: seeders.len() as u32,
            });
        }
        components.sort_by_key(|part| (std::cmp::Reverse(part.members.len()), part.members[0]));
        components
    }
}
