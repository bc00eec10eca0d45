//! What identifies a run of a world, and of several one after the other.
//!
//! Invariant: equal trails mean that the same happened at the same times, in the same order of runs.

use std::time::Duration;

use super::world::{SwarmWorld, mix};
use crate::report::Run;

/// The fingerprint of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trail {
    /// Of everything that happened.
    pub digest: u64,
    /// How many things happened.
    pub events: u64,
    /// In virtual time.
    pub lasted: Duration,
}

impl Trail {
    /// Of a world so far.
    #[must_use]
    pub fn of(world: &SwarmWorld) -> Trail {
        Trail {
            digest: world.digest(),
            events: world.events(),
            lasted: world.now().elapsed(),
        }
    }

    /// Several runs of one seed as one.
    pub fn together(seed: u64, trails: impl IntoIterator<Item = Trail>) -> Run {
        let start = Run {
            seed,
            ..Run::default()
        };
        trails.into_iter().fold(start, |run, trail| Run {
            digest: mix(run.digest ^ trail.digest),
            events: run.events + trail.events,
            virtual_time: run.virtual_time + trail.lasted,
            ..run
        })
    }
}
