//! What peers and the ends of their connections are called.

/// A peer's number in its world, from 0 in the order of adding.
pub type PeerIndex = u32;

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct EndRef {
    pub(super) link: u32,
    /// 0: who called; 1: who was called.
    pub(super) side: u8,
}

impl EndRef {
    pub(super) fn other(self) -> EndRef {
        EndRef {
            side: 1 - self.side,
            ..self
        }
    }
}
