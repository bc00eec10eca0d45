//! One torrent's trackers: whom to ask, when, with which event, and whom to ask instead (BEP 3, BEP 12).
//!
//! Four verbs. Trackers are asked along lanes: one for the whole torrent, or one for each tier
//! ([`Reach`]). A lane's round goes through its trackers in the order of [`Tiers`] until one answers. One
//! that fails is followed by the next at once, one that is silent after [`PATIENCE`]; it may still
//! answer, and then its peers are taken all the same.
//!
//! Invariant: a tracker has at most one question open (and one goodbye), hears `started` before anything
//! else, `completed` at most once and `stopped` only if it knows us. The machine knows no transport and
//! no peers but those it passes on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::announce::{Announce, AnnounceEvent, Failure, Reply};
use super::ask::{Ask, AskId, Reach, Settings, Totals};
use super::lane::{Lane, Open, Presence, Rest, Round, Tracker, TrackerStatus};
use super::pace;
use super::tiers::{MAX_TRACKERS, Tiers};

/// How long a round waits for a tracker's answer before it asks the next one too.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// The same for those behind it in the round: whoever waited once has waited enough.
pub const LATER_PATIENCE: Duration = Duration::from_secs(2);

/// Peers asked for.
const NUMWANT: u32 = 80;

/// Where the torrent is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Running,
    /// The last piece came while we ran.
    Completed,
    /// Only goodbyes are sent.
    Stopping,
}

/// The machine.
#[derive(Debug)]
pub struct Announcer {
    settings: Settings,
    totals: Totals,
    life: Life,
    key: u32,
    tiers: Tiers,
    trackers: Vec<Tracker>,
    lanes: Vec<Lane>,
    asks: VecDeque<Ask>,
    found: VecDeque<Vec<Endpoint>>,
    next_id: u64,
    rng: ChaCha8Rng,
}

impl Announcer {
    /// The trackers of a torrent, tier by tier, of which the first 64 count and every URL once. The first
    /// round is due at once.
    pub fn new(
        settings: Settings,
        tiers: &[Vec<String>],
        totals: Totals,
        seed: [u8; 32],
        now: Instant,
    ) -> Announcer {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut trackers: Vec<Tracker> = Vec::new();
        let mut sizes = Vec::new();
        for tier in tiers {
            let before = trackers.len();
            for url in tier {
                let known = trackers.iter().any(|tracker| tracker.text == *url);
                if !known && trackers.len() < MAX_TRACKERS {
                    trackers.push(Tracker::new(url));
                }
            }
            sizes.push(trackers.len() - before);
        }
        let tiers = Tiers::new(sizes, &mut rng);
        let lane = |tiers| Lane {
            tiers,
            round: Round::Waiting { until: Some(now) },
        };
        let lanes = match settings.reach {
            Reach::First => vec![lane(0..tiers.count())],
            Reach::EveryTier => (0..tiers.count())
                .map(|tier| lane(tier..tier + 1))
                .collect(),
        };
        Announcer {
            key: rand::Rng::next_u32(&mut rng),
            settings,
            totals,
            life: Life::Running,
            tiers,
            trackers,
            lanes,
            asks: VecDeque::new(),
            found: VecDeque::new(),
            next_id: 0,
            rng,
        }
    }

    // --- commands -----------------------------------------------------------------------------------

    /// What later questions will say.
    pub fn set_totals(&mut self, totals: Totals) {
        self.totals = totals;
    }

    /// The last piece has come: those who know us are told at once.
    pub fn completed(&mut self, now: Instant) {
        if self.life != Life::Running {
            return;
        }
        self.life = Life::Completed;
        for tracker in &mut self.trackers {
            if tracker.presence == Presence::Known {
                tracker.presence = Presence::CompletionDue;
            }
        }
        self.hurry(now);
    }

    /// The torrent has nobody left to try: the next round comes as early as the trackers allow.
    pub fn wanted(&mut self, now: Instant) {
        for place in 0..self.lanes.len() {
            let members = self.members(place);
            let polite = |tracker: &Tracker| match tracker.rest {
                Rest::Polite { until } => Some(until),
                _ => None,
            };
            let earliest = members
                .iter()
                .filter_map(|index| polite(self.trackers.get(*index)?))
                .min();
            if let Some(Lane {
                round: Round::Waiting { until: Some(until) },
                ..
            }) = self.lanes.get_mut(place)
                && let Some(earliest) = earliest
            {
                *until = earliest.max(now).min(*until);
            }
        }
    }

    /// Our link came back, or has another address: failures meanwhile were ours, and whoever knows us knows
    /// an address that may be wrong. Every lane has a round as soon as its trackers were left alone for
    /// [`pace::SHORTEST`].
    pub fn network_changed(&mut self, now: Instant) {
        for tracker in &mut self.trackers {
            let ours = !matches!(
                tracker.last,
                Some(Err(Failure::Reason(_)
                    | Failure::Special
                    | Failure::Redirect(_)))
            );
            let rested = tracker.answered.map_or(now, |at| at + pace::SHORTEST);
            match &mut tracker.rest {
                Rest::Paused { until } if ours => {
                    *until = (*until).min(now);
                    tracker.fails = 0;
                }
                Rest::Polite { until } => *until = (*until).min(rested.max(now)),
                Rest::Paused { .. } | Rest::None => {}
            }
        }
        for place in 0..self.lanes.len() {
            let members = self.members(place);
            let recovers = |index: &usize| self.trackers.get(*index)?.recovers();
            let earliest = members.iter().filter_map(recovers).min();
            if let (Some(earliest), Some(lane)) = (earliest, self.lanes.get_mut(place))
                && let Round::Waiting { until: Some(until) } = &mut lane.round
            {
                *until = (*until).min(earliest.max(now));
            }
        }
    }

    /// The torrent ends: whoever knows us hears `stopped`, after a `completed` that is still due.
    pub fn stop(&mut self, now: Instant) {
        if self.life == Life::Stopping {
            return;
        }
        self.life = Life::Stopping;
        for ask in std::mem::take(&mut self.asks) {
            // Nobody has carried it out, so nobody will answer it.
            for tracker in &mut self.trackers {
                tracker.open.take_if(|open| open.id == ask.id.0);
            }
        }
        for lane in &mut self.lanes {
            lane.round = Round::Waiting { until: None };
        }
        for index in 0..self.trackers.len() {
            self.take_leave(now, index);
        }
    }

    // --- handle -------------------------------------------------------------------------------------

    /// Starts rounds that are due and gives up waiting for who is silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        for place in 0..self.lanes.len() {
            if self
                .lanes
                .get(place)
                .and_then(Lane::due)
                .is_some_and(|due| due <= now)
            {
                self.advance(now, place);
            }
        }
    }

    /// The answer to a question, or why there is none.
    pub fn handle_answer(&mut self, now: Instant, id: AskId, answer: Result<Reply, Failure>) {
        let is_it = |tracker: &Tracker| tracker.open.as_ref().is_some_and(|open| open.id == id.0);
        let Some(index) = self.trackers.iter().position(is_it) else {
            return;
        };
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        let Some(open) = tracker.open.take() else {
            return;
        };
        match answer {
            Ok(reply) => self.handle_reply(now, index, &open, reply),
            Err(failure) => self.handle_failure(now, index, failure),
        }
    }

    fn handle_reply(&mut self, now: Instant, index: usize, open: &Open, reply: Reply) {
        let stopping = self.life == Life::Stopping;
        let completed = self.life == Life::Completed;
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        tracker.fails = 0;
        tracker.presence = match (open.event, tracker.presence) {
            (AnnounceEvent::Stopped, _) => Presence::Unknown,
            // It came while `started` was on its way with something left.
            (AnnounceEvent::Started, _) if completed && open.left > 0 => Presence::CompletionDue,
            (AnnounceEvent::None, presence) => presence,
            _ => Presence::Known,
        };
        tracker.rest = Rest::Polite {
            until: now + pace::shortest(&reply),
        };
        tracker.answered = Some(now);
        let interval = pace::interval(&reply, &mut self.rng);
        tracker.take(&reply);
        if stopping {
            if open.event != AnnounceEvent::Stopped {
                self.take_leave(now, index);
            }
            return;
        }
        if !reply.peers.is_empty() {
            self.found.push_back(reply.peers);
        }
        let place = self.lane_of(index);
        if let Some(lane) = self.lanes.get_mut(place)
            && matches!(lane.round, Round::Asking { .. })
        {
            self.tiers.promote(index);
            lane.round = Round::Waiting {
                until: Some(now + interval),
            };
        }
        self.hurry(now);
    }

    fn handle_failure(&mut self, now: Instant, index: usize, failure: Failure) {
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        tracker.fails = tracker.fails.saturating_add(1);
        let pause = pace::pause(&failure, tracker.fails, &mut self.rng);
        tracker.rest = Rest::Paused { until: now + pause };
        tracker.last = Some(Err(failure));
        let place = self.lane_of(index);
        // Whoever was silent before has its successor already.
        let current =
            |lane: &Lane| matches!(lane.round, Round::Asking { current, .. } if current == index);
        let nobody_open = self
            .members(place)
            .iter()
            .all(|member| self.is_quiet(*member));
        let asking = self
            .lanes
            .get(place)
            .is_some_and(|lane| matches!(lane.round, Round::Asking { .. }));
        if self.lanes.get(place).is_some_and(current) || (asking && nobody_open) {
            self.advance(now, place);
        }
    }

    // --- poll ---------------------------------------------------------------------------------------

    /// The next question to carry out.
    pub fn poll_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// The next answer's peers.
    pub fn poll_peers(&mut self) -> Option<Vec<Endpoint>> {
        self.found.pop_front()
    }

    /// When to call [`Announcer::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(Lane::due).min()
    }

    /// After [`Announcer::stop`]: whether every goodbye was answered or has failed.
    pub fn is_over(&self) -> bool {
        self.life == Life::Stopping
            && self.asks.is_empty()
            && (0..self.trackers.len()).all(|index| self.is_quiet(index))
    }

    /// How the trackers are doing, in the order in which they are asked.
    pub fn statuses(&self) -> Vec<TrackerStatus> {
        let status = |index: usize| {
            let lane = self.lanes.get(self.lane_of(index));
            let round = lane.and_then(Lane::due);
            Some(
                self.trackers
                    .get(index)?
                    .status(self.tiers.of(index), round),
            )
        };
        self.tiers
            .order(0..self.tiers.count())
            .into_iter()
            .filter_map(status)
            .collect()
    }

    // --- within -------------------------------------------------------------------------------------

    fn members(&self, place: usize) -> Vec<usize> {
        self.lanes
            .get(place)
            .map(|lane| self.tiers.order(lane.tiers.clone()))
            .unwrap_or_default()
    }

    fn lane_of(&self, index: usize) -> usize {
        match self.settings.reach {
            Reach::First => 0,
            Reach::EveryTier => self.tiers.of(index),
        }
    }

    fn is_quiet(&self, index: usize) -> bool {
        self.trackers
            .get(index)
            .is_none_or(|tracker| tracker.open.is_none())
    }

    /// Lanes with a `completed` to tell do it now.
    fn hurry(&mut self, now: Instant) {
        for place in 0..self.lanes.len() {
            let due = self.members(place).into_iter().any(|index| {
                let tracker = self.trackers.get(index);
                tracker.is_some_and(|t| t.presence == Presence::CompletionDue && t.is_ready(now))
            });
            if let Some(lane) = self.lanes.get_mut(place).filter(|_| due)
                && matches!(lane.round, Round::Waiting { .. })
            {
                lane.round = Round::Waiting { until: Some(now) };
                self.advance(now, place);
            }
        }
    }

    /// Asks the lane's next tracker; without one, the lane waits for the first that recovers.
    fn advance(&mut self, now: Instant, place: usize) {
        let members = self.members(place);
        let tracker = |index: &usize| self.trackers.get(*index);
        let ready = |index: &usize| tracker(index).is_some_and(|tracker| tracker.is_ready(now));
        let due =
            |index: &usize| tracker(index).is_some_and(|t| t.presence == Presence::CompletionDue);
        let owed = members
            .iter()
            .copied()
            .find(|index| ready(index) && due(index));
        let next = owed.or_else(|| members.iter().copied().find(ready));
        let open = members.iter().copied().find(|index| !self.is_quiet(*index));
        let recovers = members
            .iter()
            .filter_map(|index| tracker(index)?.recovers())
            .min();
        let Some(lane) = self.lanes.get_mut(place) else {
            return;
        };
        lane.round = match (next, open, &lane.round) {
            (Some(current), _, Round::Asking { .. }) => Round::Asking {
                current,
                until: Some(now + LATER_PATIENCE),
            },
            (Some(current), _, Round::Waiting { .. }) => Round::Asking {
                current,
                until: Some(now + PATIENCE),
            },
            // All have been asked; one that is late may still answer. Meanwhile others recover.
            (None, Some(current), _) => Round::Asking {
                current,
                until: recovers,
            },
            (None, None, _) => Round::Waiting { until: recovers },
        };
        if let Some(index) = next {
            self.ask(now, index, None);
        }
    }

    /// Puts a question to a tracker; the event follows from what it knows of us.
    fn ask(&mut self, now: Instant, index: usize, event: Option<AnnounceEvent>) {
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        let Ok(url) = tracker.url.clone() else { return };
        let event = event.unwrap_or(match tracker.presence {
            Presence::Unknown => AnnounceEvent::Started,
            Presence::Known => AnnounceEvent::None,
            Presence::CompletionDue => AnnounceEvent::Completed,
        });
        let id = self.next_id;
        self.next_id += 1;
        tracker.open = Some(Open {
            id,
            since: now,
            event,
            left: self.totals.left,
        });
        self.asks.push_back(Ask {
            id: AskId(id),
            url,
            announce: Announce {
                info_hash: self.settings.info_hash,
                peer_id: self.settings.peer_id,
                port: self.settings.port,
                uploaded: self.totals.uploaded,
                downloaded: self.totals.downloaded,
                left: self.totals.left,
                event,
                numwant: Some(if event == AnnounceEvent::Stopped {
                    0
                } else {
                    NUMWANT
                }),
                key: self.key,
                tracker_id: tracker.tracker_id.clone(),
                ip: None,
            },
        });
    }

    /// The last words to one tracker, unless it never heard of us or has failed since.
    fn take_leave(&mut self, now: Instant, index: usize) {
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        let answers = !matches!(tracker.rest, Rest::Paused { .. });
        match (&tracker.open, tracker.presence) {
            // Its answer may still come; then it hears `stopped`.
            (Some(open), Presence::Unknown)
                if now.saturating_duration_since(open.since) < PATIENCE => {}
            (_, Presence::Known) if answers => self.ask(now, index, Some(AnnounceEvent::Stopped)),
            (
                Some(Open {
                    event: AnnounceEvent::Completed,
                    ..
                }),
                Presence::CompletionDue,
            ) => {}
            (_, Presence::CompletionDue) if answers => self.ask(now, index, None),
            _ => tracker.open = None,
        }
    }
}
