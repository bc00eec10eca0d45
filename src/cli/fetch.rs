//! `trackless fetch`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::FetchPlan;
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: FetchPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`fetch` is not built yet"))
}
