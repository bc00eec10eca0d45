//! `trackless dht …`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::DhtPlan;
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: DhtPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`dht` is not built yet"))
}
