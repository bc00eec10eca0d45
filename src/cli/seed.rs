//! `trackless seed`: gives back what is there, until interrupted or until it was enough.

use std::sync::Arc;
use std::time::Instant;

use super::exit::{ExitCode, Failure};
use super::follow::{End, Findings, Follow, Goal};
use super::network;
use super::plan::{Check, Limits, NetworkPlan, Patience, SeedPlan, SeedStop};
use super::report::Reporter;
use super::signals::Signals;
use super::torrent;
use super::torrents::{ask_nodes, host_port, settings, trackers};
use crate::io::{Client, Destination, Source, TorrentSpec};
use crate::metainfo::Info;
use crate::storage::{Location, OpenMode};
use crate::swarm::{Mode, Settings};

/// Runs it.
///
/// # Errors
/// A torrent file or data that cannot be read, a network that cannot be opened.
pub(super) fn run(plan: SeedPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let torrent = torrent::load(&plan.torrent)?;
    network::block_on(async {
        let mut signals = Signals::new()?;
        let client = network::start(&plan.network).await?;
        let nodes = torrent
            .nodes
            .iter()
            .map(|(host, port)| host_port(host, *port));
        ask_nodes(&client, nodes);
        let location = Location {
            output: plan.data.clone(),
            state: Some(plan.network.state_dir.clone()),
        };
        let mode = match plan.check {
            Check::Rehash => OpenMode::Check,
            Check::Resume => OpenMode::Resume,
        };
        let seeding = Seeding {
            client: &client,
            network: &plan.network,
            info: torrent.info,
            trackers: &torrent.trackers,
            location,
            mode,
            limits: plan.limits,
            stop: plan.stop,
        };
        let ended = seeding.run(reporter, &mut signals).await;
        client.shutdown().await;
        ended
    })
}

/// A torrent to seed, for the client.
pub(super) fn spec(
    network: &NetworkPlan,
    limits: Limits,
    info: &Arc<Info>,
    tiers: &[Vec<String>],
    location: Location,
    mode: OpenMode,
) -> TorrentSpec {
    TorrentSpec {
        source: Source::Info(Arc::clone(info)),
        destination: Destination::Files(location, mode),
        select: None,
        peers: network.peers.iter().map(ToString::to_string).collect(),
        trackers: trackers(network, tiers),
        settings: Settings {
            mode: Mode::Seed,
            ..settings(network, limits)
        },
    }
}

/// A torrent to seed.
pub(super) struct Seeding<'a> {
    pub(super) client: &'a Client,
    pub(super) network: &'a NetworkPlan,
    pub(super) info: Arc<Info>,
    pub(super) trackers: &'a [Vec<String>],
    pub(super) location: Location,
    pub(super) mode: OpenMode,
    pub(super) limits: Limits,
    pub(super) stop: SeedStop,
}

impl Seeding<'_> {
    /// Seeds until a goal or a signal; what is missing is fetched meanwhile.
    pub(super) async fn run(
        self,
        reporter: &mut Reporter,
        signals: &mut Signals,
    ) -> Result<ExitCode, Failure> {
        let info = self.info;
        reporter.about(info.info_hash());
        reporter.note(
            Instant::now(),
            format!("listening on port {}", self.client.port()),
        );
        let spec = spec(
            self.network,
            self.limits,
            &info,
            self.trackers,
            self.location,
            self.mode,
        );
        let mut handle = self
            .client
            .add(spec)
            .await
            .map_err(|error| Failure::io("the torrent cannot be started", &error))?;
        let mut findings = Findings::default();
        let followed = Follow {
            client: self.client,
            handle: &mut handle,
            reporter,
            signals,
            goal: Goal::Seeded(self.stop),
            patience: Patience::default(),
            bootstrap: self.network.bootstrap.len(),
            output: None,
            name: None,
        }
        .run(&mut findings)
        .await;
        let _ = handle.stop().await;
        match followed? {
            End::Reached => Ok(ExitCode::Ok),
            End::Interrupted(code) => Ok(code),
        }
    }
}
