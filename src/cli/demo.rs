//! `trackless demo`: being written.

use super::exit::{ExitCode, Failure};
use super::plan::DemoPlan;
use super::report::Reporter;

/// Runs it.
///
/// # Errors
/// Always, for now.
pub(super) fn run(_plan: DemoPlan, _reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    Err(Failure::new(ExitCode::Failure, "`demo` is not built yet"))
}
