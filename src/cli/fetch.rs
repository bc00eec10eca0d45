//! `trackless fetch`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::{FetchPlan, ShowPlan};
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: FetchPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`fetch` is not built yet"))
}

/// `show` of a magnet link or a hash.
///
/// # Errors
/// Always, for now.
pub(super) fn show(_plan: ShowPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(
        ExitCode::Failure,
        "`show` of a magnet link is not built yet",
    ))
}
