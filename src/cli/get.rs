//! `trackless get`: from magnets, hashes and files to verified files, then the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exit::{ExitCode, Failure};
use super::follow::{End, Findings, Follow, Goal};
use super::format::bytes;
use super::hook::Starter;
use super::input::Input;
use super::network;
use super::plan::{After, Check, Existing, GetPlan, GetTask, PieceOrder};
use super::report::Reporter;
use super::show;
use super::signals::Signals;
use super::together::{self, Part};
use super::torrents::{Named, Target, ask_nodes, select, settings, trackers};
use super::update::Done;
use crate::io::{self, Client, Destination, Grant, Status, TorrentSpec};
use crate::storage::{Location, OpenMode};
use crate::swarm::{Mode, Order, Settings};

/// Runs it.
///
/// # Errors
/// An input that can be seen to be wrong without a network, a network that cannot be opened.
pub(super) fn run(plan: GetPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    // Everything that can be wrong without a network is found before a socket opens.
    let read = |input: &Input| Named::read(input, &plan.network.state_dir);
    let named: Vec<Named> = plan.inputs.iter().map(read).collect::<Result<_, _>>()?;
    let jobs = without_repetition(named, reporter);
    let starter = plan.on_complete.is_some().then(Starter::new).transpose();
    let starter = starter.map_err(|error| Failure::io("the hook cannot be prepared", &error))?;
    network::confine(&plan.network, vec![Grant::Write(plan.output.clone())])?;
    network::block_on(async {
        let signals = Signals::new()?;
        let client = Arc::new(network::start(&plan.network).await?);
        let plan = Arc::new(plan);
        let code = together::all(jobs, reporter, &signals, |named, part| {
            let (plan, client) = (Arc::clone(&plan), Arc::clone(&client));
            let starter = starter.clone();
            async move {
                let mut one = One {
                    plan: &plan,
                    client: &client,
                    starter,
                    part,
                    name: None,
                };
                let ended = one.follow_and_run(named).await;
                (one.part.reporter, ended)
            }
        })
        .await;
        network::stop(client).await;
        Ok(code)
    })
}

/// What to call each, and each torrent once: two of one kind would write the same files.
fn without_repetition(named: Vec<Named>, reporter: &mut Reporter) -> Vec<(String, Named)> {
    let mut seen = BTreeSet::new();
    let mut jobs = Vec::new();
    for named in named {
        let name = named.name();
        let repeated = matches!(&named, Named::Torrent(it) if !seen.insert(it.info_hash));
        if repeated {
            reporter.note(Instant::now(), format!("{name} is named twice"));
        } else {
            jobs.push((name, named));
        }
    }
    jobs
}

/// One torrent of a `get`.
struct One<'a> {
    plan: &'a GetPlan,
    client: &'a Client,
    /// Starts the hook, if there is one.
    starter: Option<Starter>,
    part: Part,
    /// What the magnet link calls it.
    name: Option<String>,
}

impl One<'_> {
    async fn follow_and_run(&mut self, named: Named) -> Result<ExitCode, Failure> {
        let network = &self.plan.network;
        let (reporter, signals) = (&mut self.part.reporter, &mut self.part.signals);
        let followed = named.follow(self.client, network, reporter, signals);
        match followed.await? {
            Ok(target) => {
                self.name = target.name.clone();
                self.run(target).await
            }
            Err(interrupted) => Ok(interrupted),
        }
    }

    async fn run(&mut self, target: Target) -> Result<ExitCode, Failure> {
        let started = Instant::now();
        self.part.reporter.about(target.info_hash);
        if let (GetTask::List, Some(info)) = (self.plan.task, &target.info) {
            show::print_files(info, &mut self.part.reporter);
            return Ok(ExitCode::Ok);
        }
        ask_nodes(self.client, target.nodes.iter().cloned());
        let spec = self.spec(&target);
        let mut handle = self
            .client
            .add(spec)
            .await
            .map_err(|error| Failure::io("the torrent cannot be started", &error))?;
        let mut findings = Findings::default();
        let followed = self
            .follow(&mut handle, Goal::Complete, &mut findings)
            .await;
        let followed = match (followed, self.plan.after, self.plan.task) {
            (Ok(End::Reached), After::Leave, GetTask::Download) => {
                let status = handle.stop().await;
                self.done(started, &status, &findings);
                self.hook(&findings).await;
                return Ok(ExitCode::Ok);
            }
            (Ok(End::Reached), After::Seed(stop), GetTask::Download) => {
                self.done(started, &handle.status(), &findings);
                self.hook(&findings).await;
                self.follow(&mut handle, Goal::Seeded(stop), &mut findings)
                    .await
            }
            (followed, ..) => followed,
        };
        let status = handle.stop().await;
        match followed? {
            End::Reached => {
                if let (GetTask::List, Some(info)) = (self.plan.task, &findings.info) {
                    show::print_files(info, &mut self.part.reporter);
                }
                Ok(ExitCode::Ok)
            }
            End::Interrupted(code) => {
                self.say_how_to_resume(&status);
                Ok(code)
            }
        }
    }

    fn spec(&self, target: &Target) -> TorrentSpec {
        let plan = self.plan;
        let mode = match (plan.existing, plan.check) {
            (Existing::Overwrite, _) => OpenMode::Force,
            (Existing::Keep, Check::Rehash) => OpenMode::Check,
            (Existing::Keep, Check::Resume) => OpenMode::Resume,
        };
        let location = Location {
            output: plan.output.clone(),
            state: Some(plan.network.state_dir.clone()),
        };
        let given = plan.network.peers.iter().map(ToString::to_string);
        TorrentSpec {
            source: target.source(),
            destination: match plan.task {
                GetTask::Download => Destination::Files(location, mode),
                GetTask::List => Destination::MetadataOnly,
            },
            select: select(plan.selection.clone(), target.select.clone()),
            peers: given.chain(target.peers.iter().cloned()).collect(),
            trackers: trackers(&plan.network, &target.trackers),
            settings: Settings {
                mode: match plan.after {
                    After::Leave => Mode::Download,
                    After::Seed(_) => Mode::Seed,
                },
                picking: match plan.order {
                    PieceOrder::Rarest => Order::Rarest,
                    PieceOrder::Sequential => Order::Sequential,
                },
                ..settings(&plan.network, plan.limits)
            },
        }
    }

    async fn follow(
        &mut self,
        handle: &mut io::TorrentHandle,
        goal: Goal,
        findings: &mut Findings,
    ) -> Result<End, Failure> {
        let goal = if self.plan.task == GetTask::List {
            Goal::Metadata
        } else {
            goal
        };
        Follow {
            client: self.client,
            handle,
            reporter: &mut self.part.reporter,
            signals: &mut self.part.signals,
            slot: &mut self.part.slot,
            goal,
            patience: self.plan.patience,
            bootstrap: self.plan.network.bootstrap.len(),
            output: Some(self.plan.output.clone()),
            name: self.name.clone(),
        }
        .run(findings)
        .await
    }

    fn done(&mut self, started: Instant, status: &Status, findings: &Findings) {
        self.part
            .reporter
            .done(&done(started.elapsed(), status, findings));
    }

    async fn hook(&mut self, findings: &Findings) {
        let hook = self.plan.on_complete.as_ref();
        let (Some((hook, starter)), Some(info)) = (hook.zip(self.starter.as_ref()), &findings.info)
        else {
            return;
        };
        let first = findings
            .paths
            .first()
            .map_or(Path::new("."), PathBuf::as_path);
        let mut process = hook.process();
        process
            .env("TRACKLESS_INFO_HASH", info.info_hash().to_string())
            .env("TRACKLESS_NAME", info.name())
            .env("TRACKLESS_PATH", first)
            .stdout(std::process::Stdio::null());
        if let Err(problem) = starter.run(process).await {
            let text = format!("the --on-complete command failed: {problem}");
            self.part.reporter.note(Instant::now(), text);
        }
    }

    fn say_how_to_resume(&mut self, status: &Status) {
        let snapshot = &status.snapshot;
        let text = format!(
            "stopped with {} of {} on disk; the same command again resumes",
            bytes(snapshot.have_bytes),
            bytes(snapshot.wanted_bytes),
        );
        self.part.reporter.note(Instant::now(), text);
    }
}

/// The summary of a finished download.
pub(super) fn done(elapsed: Duration, status: &Status, findings: &Findings) -> Done {
    Done {
        paths: findings.paths.clone(),
        size: status.snapshot.wanted_bytes,
        elapsed,
        downloaded: status.snapshot.downloaded,
        uploaded: status.snapshot.uploaded,
        timeline: status.timeline,
    }
}
