//! The numbers that experiments choose: how eager a lookup is, how much a node remembers.
//!
//! Everything here trades speed against load on others or memory. Invariant: the defaults are those
//! that `trackless-sim run sweep` found best; what only bounds attackers stays with its owner.

/// How a node looks up and what it remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Questions of a lookup that may be active, neither answered nor slow, while it approaches.
    pub homing: usize,
    /// The same once it is among the closest nodes.
    pub converging: usize,
    /// A question is slow after this share of all round trips, in percent.
    pub hedge: u8,
    /// Nodes remembered beside the table.
    pub pool: usize,
    /// Questions asked after joining to fill the pool, one after the other.
    pub survey: u16,
    /// Contacts that a lookup begins with.
    pub seeds: usize,
    /// Of the contacts longest in the table, so many are asked beside them, wherever they are.
    ///
    /// `Threat:` those near a target may all be the work of one attacker, and name only each other.
    pub anchors: usize,
    /// Nodes beyond the `K` closest that must have answered before an announcement is complete:
    /// neighbours know each other better than those who come from afar.
    pub margin: usize,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            homing: 8,
            converging: 12,
            hedge: 65,
            pool: 2_048,
            survey: 384,
            seeds: 32,
            anchors: 2,
            margin: 4,
        }
    }
}

impl Tuning {
    /// For whoever has more nodes than memory: a lookup takes a hop more, a node 100 KiB less.
    #[must_use]
    pub fn frugal() -> Tuning {
        Tuning {
            homing: 4,
            converging: 8,
            pool: 64,
            survey: 8,
            seeds: 16,
            ..Tuning::default()
        }
    }
}
