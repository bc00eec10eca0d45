//! The tracker: the shipping `trackless::tracker::server::Server`, a delay, and perhaps a death.
//!
//! Who is remembered, for how long and who is told of whom is decided by that machine alone. Invented
//! is the way there: it takes a time and loses nothing. Invariant: a machine that is dead hears
//! nothing. It does not know when it is asked: see `announcing`.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use trackless::tracker::server::{Config, Server, Via};
use trackless::tracker::{Announce, Failure, Reply};

use crate::time::Time;

/// Where everybody looks for it; nobody resolves the name.
pub(super) const URL: &str = "http://tracker.example:6969/announce";

/// What a scenario decides about its tracker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrackerPlan {
    /// Addresses in an answer, at most. Our clients ask for 80 and our server would give them; 50 is
    /// what most trackers give.
    pub numwant: u32,
    /// From announce to answer.
    pub delay: Duration,
    /// From then on it does not answer.
    pub dies: Option<Time>,
}

impl Default for TrackerPlan {
    fn default() -> TrackerPlan {
        TrackerPlan {
            numwant: 50,
            delay: Duration::from_millis(100),
            dies: None,
        }
    }
}

/// The machine and its plan.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) plan: TrackerPlan,
    pub(super) server: Server,
}

impl Tracker {
    /// One that knows nobody at `start`.
    pub(super) fn new(plan: TrackerPlan, seed: [u8; 32], start: Instant) -> Tracker {
        Tracker {
            plan,
            server: Server::new(Config::default(), seed, start),
        }
    }

    /// What whoever announces from `from` hears `delay` later; `instant` is what machines call `now`.
    ///
    /// Over HTTP, whose answers carry all that the machine says. A dead tracker refuses: the program is
    /// gone and its host is not, which a client sees soonest. Silence would differ by the client's
    /// patience only, for there is no other tracker that it could ask meanwhile.
    pub(super) fn answer(
        &mut self,
        now: Time,
        instant: Instant,
        from: Endpoint,
        announce: &Announce,
    ) -> Result<Reply, Failure> {
        if self.plan.dies.is_some_and(|dies| now >= dies) {
            return Err(Failure::Refused);
        }
        // Whenever it is due since the last question: between two nobody sees who was forgotten.
        self.server.handle_timeout(instant);
        let wanted = announce.numwant.unwrap_or(self.plan.numwant);
        let announce = Announce {
            numwant: Some(wanted.min(self.plan.numwant)),
            ..announce.clone()
        };
        let answer = self
            .server
            .handle_announce(instant, from.ip, &announce, Via::Http);
        answer.map_err(|refusal| Failure::Reason(refusal.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use trackless::metainfo::InfoHash;
    use trackless::tracker::AnnounceEvent;
    use trackless::wire::PeerId;

    use super::super::names::PeerIndex;
    use super::super::peer::address;
    use super::*;
    use crate::time::Clock;

    fn announce(event: AnnounceEvent) -> Announce {
        Announce {
            info_hash: InfoHash([7; 20]),
            peer_id: PeerId([7; 20]),
            port: address(0).port,
            uploaded: 0,
            downloaded: 0,
            left: 1,
            event,
            numwant: Some(80),
            key: 0,
            tracker_id: None,
            ip: None,
        }
    }

    #[test]
    fn answers_name_others_as_many_as_planned_until_it_dies() {
        let clock = Clock::default();
        let plan = TrackerPlan {
            numwant: 5,
            dies: Some(Time::from_secs(9_000)),
            ..TrackerPlan::default()
        };
        let mut tracker = Tracker::new(plan, [1; 32], clock.instant(Time::ZERO));
        let mut ask = |seconds, peer: PeerIndex, event| {
            let now = Time::from_secs(seconds);
            let said = announce(event);
            tracker.answer(now, clock.instant(now), address(peer), &said)
        };
        let mut told = |seconds, peer| {
            let answer = ask(seconds, peer, AnnounceEvent::None);
            let mut told = answer.expect("it lives").peers;
            told.sort_unstable();
            told
        };
        for peer in 0..20 {
            assert_eq!(told(1, peer).len(), 5.min(peer as usize));
        }
        for _ in 0..50 {
            let mut told = told(2, 7);
            told.dedup();
            assert!(told.len() == 5 && !told.contains(&address(7)));
        }
        // Beyond twice the interval everybody else is forgotten.
        assert_eq!(told(4_000, 8), []);
        assert_eq!(told(4_000, 7), [address(8)]);
        let goodbye = ask(4_001, 8, AnnounceEvent::Stopped).map(|reply| reply.leechers);
        assert_eq!(goodbye, Ok(Some(1)));
        let dead = ask(9_000, 8, AnnounceEvent::None);
        assert_eq!(dead, Err(Failure::Refused));
    }
}
