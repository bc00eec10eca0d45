//! `trackless seed`: gives back what is there, until interrupted or until it was enough. `share` ends here too.

use std::sync::Arc;
use std::time::Instant;

use super::exit::{ExitCode, Failure};
use super::follow::{End, Findings, Follow, Goal};
use super::network;
use super::plan::{Check, Limits, NetworkPlan, Patience, SeedPlan, SeedStop, SeedTask};
use super::report::Reporter;
use super::signals::Signals;
use super::together::{self, Ended, Part};
use super::torrent;
use super::torrents::{ask_nodes, host_port, settings, trackers};
use crate::io::{Client, Destination, Grant, Source, TorrentSpec};
use crate::metainfo::Torrent;
use crate::storage::{Location, OpenMode};
use crate::swarm::{Mode, Settings};

/// Runs it.
///
/// # Errors
/// A torrent file or data that cannot be read, a network that cannot be opened.
pub(super) fn run(plan: SeedPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mode = match plan.check {
        Check::Rehash => OpenMode::Check,
        Check::Resume => OpenMode::Resume,
    };
    let job = |task: SeedTask| {
        let location = Location {
            output: task.data,
            state: Some(plan.network.state_dir.clone()),
        };
        let torrent = torrent::load(&task.torrent)?;
        Ok(Job {
            torrent,
            location,
            mode,
        })
    };
    let jobs = plan.tasks.into_iter().map(job);
    let jobs = jobs.collect::<Result<Vec<Job>, Failure>>()?;
    Seeding {
        network: plan.network,
        limits: plan.limits,
        stop: plan.stop,
    }
    .run(jobs, reporter)
}

/// A torrent to seed.
pub(super) struct Job {
    pub(super) torrent: Torrent,
    pub(super) location: Location,
    pub(super) mode: OpenMode,
}

/// How torrents are seeded.
pub(super) struct Seeding {
    pub(super) network: NetworkPlan,
    pub(super) limits: Limits,
    pub(super) stop: SeedStop,
}

impl Seeding {
    /// Seeds until all have reached their goal, or a signal; what is missing is fetched meanwhile.
    ///
    /// # Errors
    /// A network that cannot be opened.
    pub(super) fn run(self, jobs: Vec<Job>, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
        let folders = jobs
            .iter()
            .map(|job| Grant::Write(job.location.output.clone()));
        network::confine(&self.network, folders.collect())?;
        network::block_on(async {
            let signals = Signals::new()?;
            let client = Arc::new(network::start(&self.network).await?);
            let listening = format!("listening on port {}", client.port());
            reporter.note(Instant::now(), listening);
            let seeding = Arc::new(self);
            let named = |job: Job| (job.torrent.info.name().to_owned(), job);
            let jobs = jobs.into_iter().map(named).collect();
            let code = together::all(jobs, reporter, &signals, |job, part| {
                let (seeding, client) = (Arc::clone(&seeding), Arc::clone(&client));
                async move { seeding.one(&client, job, part).await }
            })
            .await;
            network::stop(client).await;
            Ok(code)
        })
    }

    async fn one(&self, client: &Client, job: Job, mut part: Part) -> Ended {
        let ended = self.follow(client, job, &mut part).await;
        (part.reporter, ended)
    }

    async fn follow(
        &self,
        client: &Client,
        job: Job,
        part: &mut Part,
    ) -> Result<ExitCode, Failure> {
        let info = Arc::clone(&job.torrent.info);
        part.reporter.about(info.info_hash());
        let nodes = job.torrent.nodes.iter();
        ask_nodes(client, nodes.map(|(host, port)| host_port(host, *port)));
        let mut handle = client
            .add(self.spec(job))
            .await
            .map_err(|error| Failure::io("the torrent cannot be started", &error))?;
        let mut findings = Findings::default();
        let followed = Follow {
            client,
            handle: &mut handle,
            reporter: &mut part.reporter,
            signals: &mut part.signals,
            slot: &mut part.slot,
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

    fn spec(&self, job: Job) -> TorrentSpec {
        TorrentSpec {
            source: Source::Info(job.torrent.info),
            destination: Destination::Files(job.location, job.mode),
            select: None,
            peers: self.network.peers.iter().map(ToString::to_string).collect(),
            trackers: trackers(&self.network, &job.torrent.trackers),
            settings: Settings {
                mode: Mode::Seed,
                ..settings(&self.network, self.limits)
            },
        }
    }
}
