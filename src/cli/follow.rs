//! Following one torrent from its start to its end: events and states to the reporter, patience,
//! signals, seeding goals. `get`, `seed`, `share` and `demo` share it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::interval;

use super::exit::{ExitCode, Failure};
use super::plan::{Patience, SeedStop};
use super::report::Reporter;
use super::scene::Scene;
use super::signals::Signals;
use super::update::{Source, Update};
use crate::io::{Client, Failed, Status, TorrentEvent, TorrentHandle};
use crate::metainfo::Info;
use crate::storage::{OpenError, free_space};
use crate::swarm::disk::DiskError;
use crate::swarm::{Event, PeerSource};

/// How often the screen is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// A diagnosis is repeated only after this time, or when it changes its words.
const DIAGNOSIS_INTERVAL: Duration = Duration::from_secs(30);

/// What the follower waits for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Goal {
    /// The files are known.
    Metadata,
    /// Everything wanted is there.
    Complete,
    /// Complete, and given back as much as this.
    Seeded(SeedStop),
}

/// How it ended.
pub(super) enum End {
    /// The goal is reached.
    Reached,
    /// The user had enough.
    Interrupted(ExitCode),
}

/// One torrent being followed.
pub(super) struct Follow<'a> {
    pub(super) client: &'a Client,
    pub(super) handle: &'a mut TorrentHandle,
    pub(super) reporter: &'a mut Reporter,
    pub(super) signals: &'a mut Signals,
    pub(super) goal: Goal,
    pub(super) patience: Patience,
    /// Bootstrap nodes that were given.
    pub(super) bootstrap: usize,
    /// Where the data goes, to say how much is free there.
    pub(super) output: Option<PathBuf>,
}

/// What following has brought to light.
#[derive(Default)]
pub(super) struct Findings {
    /// The files.
    pub(super) info: Option<Arc<Info>>,
    /// Final paths, once complete.
    pub(super) paths: Vec<PathBuf>,
    /// When it was complete.
    completed: Option<Instant>,
    joined: bool,
    /// Peers told of, by source.
    told: Vec<(PeerSource, u32)>,
    /// The last diagnosis and when it was given.
    diagnosed: Option<(String, Instant)>,
    /// Bytes on disk and when they last grew.
    progress: Option<(u64, Instant)>,
}

impl Follow<'_> {
    /// Follows until the goal, a failure or a signal.
    ///
    /// # Errors
    /// Whatever keeps the torrent from its goal, patience run out included.
    pub(super) async fn run(mut self, findings: &mut Findings) -> Result<End, Failure> {
        let started = Instant::now();
        let mut ticks = interval(TICK);
        loop {
            tokio::select! {
                event = self.handle.event() => match event {
                    Some(event) => {
                        if self.handle_event(event, findings)? {
                            self.report(started, findings)?;
                            return Ok(End::Reached);
                        }
                    }
                    None => return Err(Failure::new(ExitCode::Failure, "the torrent ended")),
                },
                code = self.signals.first() => return Ok(End::Interrupted(code)),
                _ = ticks.tick() => {
                    self.report(started, findings)?;
                    if self.is_seeded(findings) {
                        return Ok(End::Reached);
                    }
                }
            }
        }
    }

    /// Returns whether the goal is reached.
    fn handle_event(&mut self, event: TorrentEvent, findings: &mut Findings) -> Result<bool, Failure> {
        let now = Instant::now();
        match event {
            TorrentEvent::Metadata(info) => {
                self.tell_metadata(&info);
                findings.info = Some(info);
                return Ok(self.goal == Goal::Metadata);
            }
            TorrentEvent::Opened { .. } => {}
            TorrentEvent::Complete(paths) => {
                findings.paths = paths;
                findings.completed = Some(now);
                return Ok(self.goal == Goal::Complete);
            }
            TorrentEvent::Notice(event) => self.notice(now, &event),
            TorrentEvent::Failed(failed) => return Err(failure(failed)),
        }
        Ok(false)
    }

    fn tell_metadata(&mut self, info: &Info) {
        let files = info.files().iter().filter(|file| file.is_data()).count();
        let update = Update::MetadataDone {
            name: info.name().to_owned(),
            files: u32::try_from(files).unwrap_or(u32::MAX),
            size: info.total_length(),
            free: self.output.as_deref().and_then(|folder| free_space(folder).ok()),
        };
        self.reporter.state(Instant::now(), &update);
    }

    fn notice(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Banned { endpoint, reason } => {
                self.reporter.note(now, format!("banned {endpoint}: {reason}"));
            }
            Event::PieceFailed { piece } => {
                self.reporter.note(now, format!("piece {piece} came with a wrong hash, again"));
            }
            Event::DiskResumed => self.reporter.note(now, "the disk takes data again"),
            _ => {}
        }
    }

    /// Brings the screen up to date and runs out of patience if it is time.
    fn report(&mut self, started: Instant, findings: &mut Findings) -> Result<(), Failure> {
        let now = Instant::now();
        let status = self.handle.status();
        let dht = self.client.dht().map(|dht| dht.status().borrow().clone());
        if let Some(dht) = &dht
            && dht.nodes > 0
            && !findings.joined
        {
            findings.joined = true;
            let nodes = u32::try_from(dht.nodes).unwrap_or(u32::MAX);
            let elapsed = status.timeline.first_node.unwrap_or_else(|| now - started);
            self.reporter.state(now, &Update::Joined { nodes, elapsed });
        }
        self.tell_sources(now, &status, findings);
        let name = match &findings.info {
            Some(info) => info.name().to_owned(),
            None => self.handle.info_hash().to_string(),
        };
        let scene = Scene {
            status: &status,
            dht: dht.as_ref(),
            bootstrap: self.bootstrap,
            name: &name,
            now,
            elapsed: now - started,
        };
        self.reporter.state(now, &scene.update());
        let diagnosis = scene.diagnosis();
        if let Some(text) = &diagnosis {
            let words = |text: &str| text.split(';').next().unwrap_or_default().to_owned();
            let said = findings.diagnosed.as_ref().is_some_and(|(last, when)| {
                words(last) == words(text) && now - *when < DIAGNOSIS_INTERVAL
            });
            if !said {
                self.reporter.note(now, text.clone());
                findings.diagnosed = Some((text.clone(), now));
            }
        }
        self.lose_patience(now - started, &status, diagnosis, findings)
    }

    fn tell_sources(&mut self, now: Instant, status: &Status, findings: &mut Findings) {
        for &(source, found) in &status.snapshot.found {
            let told = findings.told.iter_mut().find(|(other, _)| *other == source);
            let before = told.as_ref().map_or(0, |(_, told)| *told);
            let shown = match source {
                PeerSource::Dht => Source::Dht,
                PeerSource::Pex => Source::Pex,
                PeerSource::Tracker => Source::Tracker,
                PeerSource::Lsd => Source::Lsd,
                PeerSource::Manual => Source::Manual,
                PeerSource::Incoming => continue,
            };
            // One line for the first of a source, later ones only as events for programs.
            if found > before {
                match told {
                    Some((_, told)) => *told = found,
                    None => findings.told.push((source, found)),
                }
                self.reporter
                    .state(now, &Update::PeersFound { source: shown, found: found - before });
            }
        }
    }

    fn lose_patience(
        &self,
        waited: Duration,
        status: &Status,
        diagnosis: Option<String>,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let snapshot = &status.snapshot;
        let have = snapshot.have_bytes + snapshot.downloaded;
        let (_, since) = findings
            .progress
            .filter(|(before, _)| *before == have)
            .unwrap_or((have, now));
        findings.progress = Some((have, since));
        let nothing_yet = findings.info.is_none() || snapshot.connected == 0;
        if let Some(timeout) = self.patience.start
            && waited >= timeout
            && nothing_yet
            && snapshot.downloaded == 0
            && findings.completed.is_none()
        {
            let offline = self.client.dht().is_some_and(|dht| dht.status().borrow().nodes == 0);
            let code = if offline { ExitCode::NoNetwork } else { ExitCode::NoPeers };
            let why = diagnosis.unwrap_or_else(|| "no peer has sent anything".to_owned());
            return Err(Failure::new(code, format!("gave up after --timeout: {why}")));
        }
        if let Some(timeout) = self.patience.stall
            && findings.completed.is_none()
            && now - since >= timeout
        {
            return Err(Failure::new(ExitCode::Stalled, "gave up after --stall-timeout")
                .hint("the same command again resumes"));
        }
        Ok(())
    }

    fn is_seeded(&self, findings: &Findings) -> bool {
        let (Goal::Seeded(stop), Some(completed)) = (self.goal, findings.completed) else {
            return false;
        };
        let snapshot = self.handle.status().snapshot;
        let ratio = snapshot.uploaded as f64 / snapshot.wanted_bytes.max(1) as f64;
        stop.time.is_some_and(|time| completed.elapsed() >= time)
            || stop.ratio.is_some_and(|goal| ratio >= goal)
    }
}

/// What a torrent's failure means to the shell.
fn failure(failed: Failed) -> Failure {
    match failed {
        Failed::Selection(why) => Failure::new(ExitCode::NotFound, why),
        Failed::Disk(DiskError::Full) => Failure::new(ExitCode::DiskFull, "the disk is full"),
        Failed::Disk(error) => Failure::new(ExitCode::Io, format!("{error:?}")),
        Failed::Storage(error) => {
            let code = match &error {
                OpenError::NoSpace { .. } => ExitCode::DiskFull,
                OpenError::Locked { .. } | OpenError::Conflict { .. } => ExitCode::Conflict,
                _ => ExitCode::Io,
            };
            Failure::new(code, error.to_string())
        }
    }
}
