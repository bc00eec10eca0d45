//! `trackless share`: makes a torrent of each path, prints its magnet link, seeds it.

use std::path::Path;

use super::exit::{ExitCode, Failure};
use super::plan::SharePlan;
use super::report::Reporter;
use super::seed::{Job, Seeding};
use super::torrent::{Choices, Privacy, magnet_of, make};
use crate::storage::{Location, OpenMode};

/// Runs it.
///
/// # Errors
/// A path that cannot be read, a network that cannot be opened.
pub(super) fn run(plan: SharePlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut jobs = Vec::new();
    for path in &plan.paths {
        let torrent = make(path, &choices(&plan), reporter)?;
        let real = path
            .canonicalize()
            .map_err(|error| Failure::io(format!("{} cannot be read", path.display()), &error))?;
        let location = Location {
            output: real.parent().unwrap_or(Path::new("/")).to_owned(),
            state: Some(plan.network.state_dir.clone()),
        };
        jobs.push(Job {
            torrent,
            location,
            mode: OpenMode::Resume,
        });
    }
    for job in &jobs {
        reporter.print(&format!("{}\n", magnet_of(&job.torrent)));
    }
    Seeding {
        network: plan.network,
        limits: plan.limits,
        stop: plan.stop,
    }
    .run(jobs, reporter)
}

/// What the torrents say beside their files.
fn choices(plan: &SharePlan) -> Choices {
    Choices {
        trackers: plan.trackers.clone(),
        privacy: if plan.everywhere.is_on() {
            Privacy::Public
        } else {
            Privacy::Private
        },
        ..Choices::default()
    }
}
