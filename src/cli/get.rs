//! `trackless get`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::GetPlan;
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: GetPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`get` is not built yet"))
}
