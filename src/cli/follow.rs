//! Following one torrent from its start to its end: events and states to the reporter, patience,
//! signals, seeding goals. `get`, `seed`, `share` and `demo` share it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::interval;

use super::accounts::{Accounts, Occasion};
use super::exit::{ExitCode, Failure};
use super::format::bytes;
use super::plan::{Patience, SeedStop};
use super::report::{Reporter, Style};
use super::scene::Scene;
use super::signals::Signals;
use super::together::{STALLED, Slot};
use super::trackers::TrackerNews;
use super::update::{Source, Update};
use crate::io::{Client, Failed, Status, TorrentEvent, TorrentHandle};
use crate::metainfo::Info;
use crate::storage::{OpenError, StateNews, free_space};
use crate::swarm::disk::DiskError;
use crate::swarm::{CloseReason, Event, Phase};

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
    /// Its place among several.
    pub(super) slot: &'a mut Slot,
    pub(super) goal: Goal,
    pub(super) patience: Patience,
    /// Bootstrap nodes that were given.
    pub(super) bootstrap: usize,
    /// Where the data goes, to say how much is free there.
    pub(super) output: Option<PathBuf>,
    /// What the torrent is called until its metadata is there.
    pub(super) name: Option<String>,
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
    told: Vec<(Source, u32)>,
    /// What was told about trackers.
    trackers: TrackerNews,
    /// What was told about reasons.
    accounts: Accounts,
    /// The last diagnosis and when it was given.
    diagnosed: Option<(String, Instant)>,
    /// Why the disk takes no data, and when it is tried again.
    paused: Option<(String, Instant)>,
    /// Bytes on disk and when they last grew.
    progress: Option<(u64, Instant)>,
}

impl Follow<'_> {
    /// Follows until the goal, a failure or a signal.
    ///
    /// # Errors
    /// Whatever keeps the torrent from its goal, patience run out included.
    pub(super) async fn run(mut self, findings: &mut Findings) -> Result<End, Failure> {
        let end = self.follow(findings).await;
        self.account(Occasion::Last, findings);
        end
    }

    async fn follow(&mut self, findings: &mut Findings) -> Result<End, Failure> {
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
    fn handle_event(
        &mut self,
        event: TorrentEvent,
        findings: &mut Findings,
    ) -> Result<bool, Failure> {
        let now = Instant::now();
        match event {
            TorrentEvent::Metadata(info) => {
                self.tell_metadata(&info);
                findings.info = Some(info);
                return Ok(self.goal == Goal::Metadata);
            }
            TorrentEvent::Opened { .. } => {}
            TorrentEvent::State(StateNews::NotSaved(why)) => self.reporter.note(
                now,
                format!("state not saved: {why}; it goes on, and what is not recorded is hashed at the next start"),
            ),
            TorrentEvent::State(StateNews::SavedAgain) => {
                self.reporter.note(now, "state is saved again");
            }
            TorrentEvent::Complete(paths) => {
                self.slot.make_room();
                findings.paths = paths;
                findings.completed = Some(now);
                return Ok(self.goal == Goal::Complete);
            }
            TorrentEvent::Notice(Event::DiskPaused {
                error: DiskError::Io(why),
                ..
            }) if self.goal == Goal::Complete => {
                // A full disk may get room again; a broken one wants its owner.
                return Err(Failure::new(ExitCode::Io, why)
                    .hint("what is verified is kept; the same command again resumes"));
            }
            TorrentEvent::Notice(Event::DiskPaused {
                error: DiskError::ReadOnly(why),
                ..
            }) if self.goal == Goal::Complete && !self.has_stored() => {
                // What never could be written to is the wrong folder; what could may be mended.
                return Err(Failure::new(ExitCode::Io, why)
                    .hint("once it can be written to, the same command resumes"));
            }
            TorrentEvent::Notice(event) => self.notice(now, &event, findings),
            TorrentEvent::Failed(failed) => return Err(failure(failed)),
        }
        Ok(false)
    }

    /// Whether this run has stored a piece.
    fn has_stored(&self) -> bool {
        let milestones = self.handle.status().snapshot.milestones;
        milestones.first_piece.is_some()
    }

    fn tell_metadata(&mut self, info: &Info) {
        let files = info.files().iter().filter(|file| file.is_data()).count();
        let update = Update::MetadataDone {
            name: info.name().to_owned(),
            files: u32::try_from(files).unwrap_or(u32::MAX),
            size: info.total_length(),
            free: self
                .output
                .as_deref()
                .and_then(|folder| free_space(folder).ok()),
        };
        self.reporter.state(Instant::now(), &update);
        self.reporter.rename(info.name());
    }

    fn notice(&mut self, now: Instant, event: &Event, findings: &mut Findings) {
        match event {
            Event::Banned { endpoint, reason } => {
                self.reporter
                    .note(now, format!("banned {endpoint}: {}", reason_text(*reason)));
            }
            Event::PieceFailed { piece } => {
                self.reporter
                    .note(now, format!("piece {piece} came with a wrong hash, again"));
            }
            Event::PieceLost(piece) => {
                let text = format!("piece {piece} on disk is damaged; it is fetched again");
                self.reporter.note(now, text);
            }
            Event::DiskPaused { error, retry_at } => {
                let why = match error {
                    DiskError::Full => self.full_disk(),
                    DiskError::Damaged => "data on disk is damaged".to_owned(),
                    DiskError::ReadOnly(why) | DiskError::Io(why) => why.clone(),
                };
                findings.paused = Some((why, *retry_at));
            }
            Event::DiskResumed => {
                findings.paused = None;
                self.reporter.note(now, "the disk takes data again");
            }
            _ => {}
        }
    }

    /// That the disk is full, and how much is to come yet.
    fn full_disk(&self) -> String {
        let snapshot = self.handle.status().snapshot;
        let missing = snapshot.wanted_bytes.saturating_sub(snapshot.have_bytes);
        format!("the disk is full ({} still to come)", bytes(missing))
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
        self.account(Occasion::Passing, findings);
        for line in findings.trackers.lines(now, &self.handle.trackers()) {
            self.reporter.note(now, line);
        }
        let name = match &findings.info {
            Some(info) => info.name().to_owned(),
            None => self
                .name
                .clone()
                .unwrap_or_else(|| self.handle.info_hash().to_string()),
        };
        let scene = Scene {
            status: &status,
            dht: dht.as_ref(),
            trackers: &self.handle.trackers(),
            bootstrap: self.bootstrap,
            name: &name,
            paused: findings
                .paused
                .as_ref()
                .map(|(why, at)| (why.as_str(), *at)),
            now,
            elapsed: now - started,
        };
        let ends = status.snapshot.phase == Phase::Complete && self.goal == Goal::Complete;
        if let Some(update) = scene.update().filter(|_| !ends) {
            self.reporter.state(now, &update);
        }
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

    /// Tells programs how often what was closed, refused, banned and dropped.
    fn account(&mut self, occasion: Occasion, findings: &mut Findings) {
        if self.reporter.style() != Style::Json {
            return;
        }
        let reasons = self.handle.status().snapshot.reasons;
        let both = (reasons, self.client.turned_away());
        let info_hash = self.handle.info_hash().to_string();
        let event = findings
            .accounts
            .event(Instant::now(), occasion, info_hash, both);
        if let Some(event) = event {
            self.reporter.print_json(&event);
        }
    }

    fn tell_sources(&mut self, now: Instant, status: &Status, findings: &mut Findings) {
        let by_source = status.snapshot.peers.by_source;
        let sources = [
            (Source::Dht, by_source.dht),
            (Source::Pex, by_source.pex),
            (Source::Tracker, by_source.tracker),
            (Source::Lsd, by_source.lsd),
            (Source::Manual, by_source.manual),
            (Source::Saved, by_source.saved),
        ];
        for (source, found) in sources {
            let told = findings.told.iter_mut().find(|(other, _)| *other == source);
            let before = told.as_ref().map_or(0, |(_, told)| *told);
            // One line for the first of a source, later ones only as events for programs.
            if found > before {
                match told {
                    Some((_, told)) => *told = found,
                    None => findings.told.push((source, found)),
                }
                self.reporter.state(
                    now,
                    &Update::PeersFound {
                        source,
                        found: found - before,
                    },
                );
            }
        }
    }

    fn lose_patience(
        &mut self,
        waited: Duration,
        status: &Status,
        diagnosis: Option<String>,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let snapshot = &status.snapshot;
        let checked = status.checking.map_or(0, |check| check.done);
        let have = snapshot.have_bytes + snapshot.downloaded + checked;
        let (_, since) = findings
            .progress
            .filter(|(before, _)| *before == have)
            .unwrap_or((have, now));
        findings.progress = Some((have, since));
        if now - since >= STALLED {
            self.slot.make_room();
        }
        let nothing_yet = findings.info.is_none() || snapshot.peers.connected == 0;
        if let Some(timeout) = self.patience.start
            && waited >= timeout
            && nothing_yet
            && snapshot.downloaded == 0
            && findings.completed.is_none()
        {
            let offline = self
                .client
                .dht()
                .is_some_and(|dht| dht.status().borrow().nodes == 0);
            let code = if offline {
                ExitCode::NoNetwork
            } else {
                ExitCode::NoPeers
            };
            let why = diagnosis.unwrap_or_else(|| "no peer has sent anything".to_owned());
            return Err(Failure::new(
                code,
                format!("gave up after --timeout: {why}"),
            ));
        }
        if let Some(timeout) = self.patience.stall
            && findings.completed.is_none()
            && now - since >= timeout
        {
            return Err(
                Failure::new(ExitCode::Stalled, "gave up after --stall-timeout")
                    .hint("the same command again resumes"),
            );
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

fn reason_text(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::CorruptData => "it sent data with a wrong hash",
        CloseReason::BadMetadata => "its metadata was wrong",
        _ => "it broke the protocol",
    }
}

/// What a torrent's failure means to the shell.
fn failure(failed: Failed) -> Failure {
    match failed {
        Failed::Selection(why) => Failure::new(ExitCode::NotFound, why),
        Failed::Bug(words) => {
            let message = format!("this torrent has ended by a fault of trackless: {words}");
            Failure::new(ExitCode::Failure, message)
                .hint("nothing verified is lost: the same command resumes; please report it")
        }
        Failed::Disk(DiskError::Full) => Failure::new(ExitCode::DiskFull, "the disk is full"),
        Failed::Disk(DiskError::Io(why) | DiskError::ReadOnly(why)) => {
            Failure::new(ExitCode::Io, why)
        }
        Failed::Disk(DiskError::Damaged) => {
            Failure::new(ExitCode::Io, "what was written is damaged again and again")
        }
        Failed::Storage(error) => {
            let code = match &error {
                OpenError::NoSpace { .. } => ExitCode::DiskFull,
                OpenError::Locked { .. }
                | OpenError::Conflict { .. }
                | OpenError::Others { .. } => ExitCode::Conflict,
                _ => ExitCode::Io,
            };
            let failure = Failure::new(code, error.to_string());
            match error {
                OpenError::Conflict { .. } => failure.hint("`trackless get --force` overwrites it"),
                _ => failure,
            }
        }
    }
}
