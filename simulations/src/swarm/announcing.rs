//! Peers and their tracker: carries out what each peer's shipping `Announcer` asks.
//!
//! It does for the simulated hosts what `io::tracker` does for real ones: totals before every question,
//! `completed` when the last piece came in this visit, `wanted` while nobody is left to try, goodbyes
//! that outlive the torrent by [`FAREWELL`] at most. Invariant: after every call of an announcer its
//! questions are carried out and its next timeout is scheduled. It decides nothing itself.

use std::time::Duration;

use trackless::swarm::{PeerSource, Phase, Snapshot};
use trackless::tracker::announce::UNKNOWN_LEFT;
use trackless::tracker::{Announcer, AskId, Failure, Reach, Reply, Settings, Totals};

use super::names::PeerIndex;
use super::peer::{Presence, address};
use super::tracker;
use super::world::{Happening, SwarmWorld, seed};

/// How long goodbyes may take: as long as the client waits for them before it ends.
const FAREWELL: Duration = Duration::from_secs(2);

impl SwarmWorld {
    /// A peer that has come begins to announce itself, if there is a tracker.
    pub(super) fn start_announcing(&mut self, index: PeerIndex) {
        if self.tracker.is_none() {
            return;
        }
        let now = self.instant();
        let peer = &self.peers[index as usize];
        let Some(machine) = &peer.machine else {
            return;
        };
        let settings = Settings {
            info_hash: self.content.info.info_hash(),
            peer_id: peer.plan.settings(index, peer.visit).our_id,
            port: address(index).port,
            reach: Reach::First,
        };
        let tiers = [vec![tracker::URL.to_owned()]];
        let totals = totals(&machine.snapshot(now));
        // Another one than the torrent's.
        let seed = seed(!self.visit_word(index));
        let announcer = Announcer::new(settings, &tiers, totals, seed, now);
        self.peers[index as usize].announcer = Some(announcer);
        self.confer(index);
    }

    /// An announcer's timer, unless a later arrangement replaced it.
    pub(super) fn announce(&mut self, index: PeerIndex) {
        let now = self.instant();
        let peer = &mut self.peers[index as usize];
        if peer.announce_timer != Some(self.now) {
            return;
        }
        peer.announce_timer = None;
        self.report_totals(index);
        if let Some(announcer) = &mut self.peers[index as usize].announcer {
            announcer.handle_timeout(now);
        }
        self.confer(index);
    }

    /// What the tracker answered to a question of this visit.
    pub(super) fn told(
        &mut self,
        index: PeerIndex,
        visit: u32,
        id: AskId,
        answer: Result<Reply, Failure>,
    ) {
        let now = self.instant();
        if self.peers[index as usize].visit != visit {
            return;
        }
        self.report_totals(index);
        let peer = &mut self.peers[index as usize];
        if let Some(announcer) = &mut peer.announcer {
            announcer.handle_answer(now, id, answer);
        }
        self.confer(index);
    }

    /// The last piece came in this visit, unless everything was there when it began.
    pub(super) fn announce_completion(&mut self, index: PeerIndex) {
        let now = self.instant();
        let downloaded = self.report_totals(index).is_some_and(|t| t.downloaded > 0);
        if let Some(announcer) = &mut self.peers[index as usize].announcer
            && downloaded
        {
            announcer.completed(now);
        }
    }

    /// The program ends while its torrent still is there to be counted.
    pub(super) fn stop_announcing(&mut self, index: PeerIndex) {
        let now = self.instant();
        self.report_totals(index);
        if let Some(announcer) = &mut self.peers[index as usize].announcer {
            announcer.stop(now);
        }
    }

    /// Carries out what the announcer has decided, after anything that may have changed its mind.
    pub(super) fn confer(&mut self, index: PeerIndex) {
        let now = self.instant();
        let peer = &mut self.peers[index as usize];
        let Some(announcer) = &mut peer.announcer else {
            return;
        };
        let gone = peer.left_at.is_some_and(|at| self.now - at > FAREWELL);
        if gone || announcer.is_over() {
            peer.announcer = None;
            return;
        }
        // Calls that are not answered yet are among the ends.
        if peer.presence == Presence::Up && peer.ends.is_empty() && !peer.disk.have().is_full() {
            announcer.wanted(now);
        }
        let mut found = Vec::new();
        while let Some(peers) = announcer.poll_peers() {
            found.extend(peers);
        }
        while let Some(ask) = announcer.poll_ask() {
            let Some(tracker) = &mut self.tracker else {
                return;
            };
            let answer = tracker.answer(self.now, now, address(index), &ask.announce);
            let told = Happening::Told(index, peer.visit, ask.id, Box::new(answer));
            self.agenda.schedule(self.now + tracker.plan.delay, told);
        }
        self.arm_announcer(index);
        if !found.is_empty() {
            self.add_peers(index, PeerSource::Tracker, &found);
        }
    }

    fn arm_announcer(&mut self, index: PeerIndex) {
        let peer = &mut self.peers[index as usize];
        let due = peer.announcer.as_ref().and_then(Announcer::next_timeout);
        let Some(due) = due.map(|due| self.clock.time(due).max(self.now)) else {
            return;
        };
        if peer.announce_timer.is_none_or(|timer| due < timer) {
            peer.announce_timer = Some(due);
            self.schedule(due, Happening::Announce(index));
        }
    }

    /// Lets the announcer know what later questions will say.
    fn report_totals(&mut self, index: PeerIndex) -> Option<Totals> {
        let totals = totals(&self.snapshot(index)?);
        let announcer = self.peers[index as usize].announcer.as_mut()?;
        announcer.set_totals(totals);
        Some(totals)
    }
}

/// A torrent's counters as trackers want them. Everybody here wants all files.
fn totals(seen: &Snapshot) -> Totals {
    Totals {
        uploaded: seen.uploaded,
        downloaded: seen.downloaded,
        left: match seen.phase {
            Phase::Metadata => UNKNOWN_LEFT,
            _ => seen.wanted_bytes.saturating_sub(seen.have_bytes),
        },
    }
}
