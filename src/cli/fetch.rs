//! `trackless fetch`: the metadata only, saved as a torrent file.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::{ExitCode, Failure};
use super::follow::{End, Findings, Follow, Goal};
use super::network;
use super::plan::{FetchPlan, Limits, NetworkPlan, Patience};
use super::report::Reporter;
use super::signals::Signals;
use super::together::Slot;
use super::torrent;
use super::torrents::{Named, Target, settings, trackers};
use crate::io::{Destination, Grant, TorrentSpec};
use crate::metainfo::{Info, Torrent};

/// Runs it.
///
/// # Errors
/// Nobody has the metadata in time; the file exists already or cannot be written.
pub(super) fn run(plan: FetchPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let folder = plan
        .output
        .as_deref()
        .map_or(PathBuf::from("."), network::folder_of);
    let named = Named::read(&plan.input, &plan.network.state_dir)?;
    network::confine(&plan.network, vec![Grant::Write(folder)])?;
    let info = match ask(named, &plan.network, plan.patience, reporter)? {
        Ok(info) => info,
        Err(interrupted) => return Ok(interrupted),
    };
    let path = plan
        .output
        .unwrap_or_else(|| PathBuf::from(format!("{}.torrent", info.name())));
    torrent::save(&path, &Torrent::from_info(info).to_bytes(), plan.existing)?;
    reporter.print(&format!("{}\n", path.display()));
    Ok(ExitCode::Ok)
}

/// The files of a torrent, asked of the network unless they are known; the inner error is the code of
/// the signal that came first.
pub(super) fn ask(
    named: Named,
    network: &NetworkPlan,
    patience: Patience,
    reporter: &mut Reporter,
) -> Result<Result<Arc<Info>, ExitCode>, Failure> {
    let named = match named {
        Named::Torrent(Target {
            info: Some(info), ..
        }) => return Ok(Ok(info)),
        named => named,
    };
    network::block_on(async {
        let mut signals = Signals::new()?;
        let client = network::start(network).await?;
        let followed = named.follow(&client, network, reporter, &mut signals);
        let target = match followed.await? {
            Ok(target) => target,
            Err(interrupted) => return Ok(Err(interrupted)),
        };
        if let Some(info) = target.info {
            client.shutdown().await;
            return Ok(Ok(info));
        }
        reporter.about(target.info_hash);
        let given = network.peers.iter().map(ToString::to_string);
        let spec = TorrentSpec {
            source: target.source(),
            destination: Destination::MetadataOnly,
            select: None,
            peers: given.chain(target.peers.iter().cloned()).collect(),
            trackers: trackers(network, &target.trackers),
            settings: settings(network, Limits::default()),
        };
        let mut handle = client
            .add(spec)
            .await
            .map_err(|error| Failure::io("the torrent cannot be started", &error))?;
        let mut findings = Findings::default();
        let followed = Follow {
            client: &client,
            handle: &mut handle,
            reporter,
            signals: &mut signals,
            slot: &mut Slot::alone(),
            goal: Goal::Metadata,
            patience,
            bootstrap: network.bootstrap.len(),
            output: None,
            name: target.name.clone(),
        }
        .run(&mut findings)
        .await;
        let _ = handle.stop().await;
        client.shutdown().await;
        match (followed?, findings.info) {
            (End::Interrupted(code), _) => Ok(Err(code)),
            (End::Reached, Some(info)) => Ok(Ok(info)),
            (End::Reached, None) => Err(Failure::new(ExitCode::Failure, "no metadata came")),
        }
    })
}
