//! The experiments: each builds a world, lets it live, and measures it against the oracle.
//!
//! One file an experiment, all of the same shape: a `Plan` from the [`Options`], `play` which makes
//! an `Outcome` of typed rows, and `run`, which shows them as a `Report`.

pub mod lookup;

/// How large an experiment is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Seconds: for tests.
    Small,
    /// Minutes: for the report.
    #[default]
    Full,
}

/// What an experiment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Determines the run.
    pub seed: u64,
    /// Nodes or peers, where the experiment does not sweep over them.
    pub nodes: Option<u32>,
    /// How much is done where `nodes` does not say.
    pub scale: Scale,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            nodes: None,
            scale: Scale::Full,
        }
    }
}
