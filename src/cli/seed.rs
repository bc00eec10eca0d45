//! `trackless seed`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::SeedPlan;
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: SeedPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`seed` is not built yet"))
}
