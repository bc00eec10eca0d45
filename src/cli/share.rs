//! `trackless share`: makes a torrent of each path, prints its magnet link, seeds it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{ExitCode, Failure};
use super::network;
use super::plan::SharePlan;
use super::report::Reporter;
use super::seed::{Seeding, spec};
use super::signals::Signals;
use super::torrent::{Choices, magnet_of, make};
use crate::metainfo::Torrent;
use crate::storage::{Location, OpenMode};

/// Runs it.
///
/// # Errors
/// A path that cannot be read, a network that cannot be opened.
pub(super) fn run(plan: SharePlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut shared: Vec<(Torrent, PathBuf)> = Vec::new();
    for path in &plan.paths {
        let torrent = make(path, &Choices::default(), reporter)?;
        let real = path
            .canonicalize()
            .map_err(|error| Failure::io(format!("{} cannot be read", path.display()), &error))?;
        let parent = real.parent().unwrap_or(Path::new("/")).to_owned();
        shared.push((torrent, parent));
    }
    for (torrent, _) in &shared {
        reporter.print(&format!("{}\n", magnet_of(torrent)));
    }
    network::block_on(async {
        let client = network::start(&plan.network).await?;
        let mut running = Vec::new();
        // One torrent has the screen, the others run beside it.
        let (last, others) = shared
            .split_last()
            .ok_or_else(|| Failure::new(ExitCode::Usage, "nothing to share"))?;
        for (torrent, parent) in others {
            let spec = spec(
                &plan.network,
                plan.limits,
                &torrent.info,
                &torrent.trackers,
                location(&plan, parent),
                OpenMode::Resume,
            );
            running.push(
                client
                    .add(spec)
                    .await
                    .map_err(|error| Failure::io("the torrent cannot be started", &error))?,
            );
        }
        let mut signals = Signals::new()?;
        let seeding = Seeding {
            client: &client,
            network: &plan.network,
            info: Arc::clone(&last.0.info),
            trackers: &last.0.trackers,
            location: location(&plan, &last.1),
            mode: OpenMode::Resume,
            limits: plan.limits,
            stop: plan.stop,
        };
        let ended = seeding.run(reporter, &mut signals).await;
        for handle in running {
            let _ = handle.stop().await;
        }
        client.shutdown().await;
        ended
    })
}

fn location(plan: &SharePlan, parent: &Path) -> Location {
    Location {
        output: parent.to_owned(),
        state: Some(plan.network.state_dir.clone()),
    }
}
