//! `trackless share`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::SharePlan;
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: SharePlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`share` is not built yet"))
}
