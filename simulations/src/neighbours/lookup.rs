//! One lookup: its candidates, whom to ask next and when it is over (dht.md §1a).
//!
//! Invariant: candidates are sorted by distance, those of unknown id last, and are at most as many
//! as the policy remembers; nobody is asked twice. Knows no time: the machine says what stalled.

use dht::{Contact, Distance, Endpoint, Id};

use super::policy::{Ending, Policy, Slots};

/// Distinct peers that one lookup reports.
const MAX_PEERS: usize = 2_000;

/// How far it is with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Asked,
    /// Asked, no longer holding its slot.
    Stalled,
    Live,
    Dead,
}

#[derive(Debug)]
struct Candidate {
    distance: Distance,
    /// `None`: where to begin, when nobody is known.
    id: Option<Id>,
    endpoint: Endpoint,
    state: State,
    hops: u32,
    token: Vec<u8>,
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) id: Option<Id>,
    pub(super) endpoint: Endpoint,
}

/// How a lookup went so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) asked: u32,
    pub(super) answered: u32,
    pub(super) failed: u32,
    pub(super) hops: u32,
}

/// A lookup's candidates.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) target: Id,
    pub(super) tally: Tally,
    policy: &'static Policy,
    candidates: Vec<Candidate>,
    /// Sorted.
    peers: Vec<Endpoint>,
    /// `Slots::Reply`: so many more may be asked, the nearest first, or the farthest first.
    near: usize,
    far: usize,
}

impl Lookup {
    pub(super) fn new(target: Id, policy: &'static Policy) -> Lookup {
        Lookup {
            target,
            tally: Tally::default(),
            policy,
            candidates: Vec::new(),
            peers: Vec::new(),
            near: 0,
            far: 0,
        }
    }

    /// Adds a candidate heard of over so many hops; `id` is unknown of an entrance.
    pub(super) fn add(&mut self, id: Option<Id>, endpoint: Endpoint, hops: u32) {
        let farthest = || Id::new(self.target.as_bytes().map(|byte| !byte));
        let distance = self.target.distance(&id.unwrap_or_else(farthest));
        let known =
            |other: &Candidate| other.endpoint == endpoint || (id.is_some() && other.id == id);
        if self.candidates.iter().any(known) {
            return;
        }
        let at = self
            .candidates
            .partition_point(|other| other.distance <= distance);
        if at >= self.policy.candidates {
            return;
        }
        let candidate = Candidate {
            distance,
            id,
            endpoint,
            state: State::Fresh,
            hops,
            token: Vec::new(),
        };
        self.candidates.insert(at, candidate);
        self.candidates.truncate(self.policy.candidates);
    }

    /// A step begins (`Slots::Reply`): what is free of its slots may be asked, the nearest first.
    pub(super) fn step(&mut self) {
        if let Slots::Reply(slots) = self.policy.slots {
            self.near = slots.saturating_sub(self.holding());
            self.far = 0;
        }
    }

    fn holding(&self) -> usize {
        let held = |candidate: &&Candidate| candidate.state == State::Asked;
        self.candidates.iter().filter(held).count()
    }

    /// Whom to ask next, who counts as asked from then on.
    pub(super) fn next(&mut self) -> Option<Ask> {
        let at = match self.policy.slots {
            Slots::Ahead(slots) => self.fresh(slots),
            Slots::Total(slots) => (self.holding() < slots).then(|| self.fresh(usize::MAX))?,
            Slots::Homing(slots) => {
                let at = (self.holding() < slots).then(|| self.fresh(usize::MAX))?;
                at.filter(|at| self.homes(*at))
            }
            Slots::Reply(_) => self.credited(),
            Slots::All => self.head().find(|at| self.state(*at) == Some(State::Fresh)),
        }?;
        let candidate = self.candidates.get_mut(at)?;
        candidate.state = State::Asked;
        self.tally.asked += 1;
        Some(Ask {
            id: candidate.id,
            endpoint: candidate.endpoint,
        })
    }

    fn state(&self, at: usize) -> Option<State> {
        self.candidates.get(at).map(|candidate| candidate.state)
    }

    /// The nearest fresh one before the k-th live one and before so many that hold a slot.
    fn fresh(&self, slots: usize) -> Option<usize> {
        let (mut live, mut held) = (0, 0);
        for (at, candidate) in self.candidates.iter().enumerate() {
            match candidate.state {
                State::Fresh => return Some(at),
                State::Live => live += 1,
                State::Asked => held += 1,
                State::Stalled | State::Dead => {}
            }
            if live >= self.policy.k || held >= slots {
                return None;
            }
        }
        None
    }

    /// Whether the homing filter lets it through: nearer than the best answer, or no such is out.
    fn homes(&self, at: usize) -> bool {
        let best = self
            .candidates
            .iter()
            .position(|candidate| candidate.state == State::Live);
        best.is_none_or(|best| {
            let ahead = self.candidates.iter().take(best);
            at < best
                || ahead
                    .filter(|candidate| candidate.state == State::Asked)
                    .count()
                    == 0
        })
    }

    fn credited(&mut self) -> Option<usize> {
        let mut fresh = self
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.state == State::Fresh)
            .map(|(at, _)| at);
        if self.near > 0 {
            self.near -= 1;
            fresh.next()
        } else if self.far > 0 {
            self.far -= 1;
            fresh.next_back()
        } else {
            None
        }
    }

    /// The first k that are not dead.
    fn head(&self) -> impl Iterator<Item = usize> + '_ {
        self.candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.state != State::Dead)
            .map(|(at, _)| at)
            .take(self.policy.k)
    }

    /// Whether it is over; for `Ending::Step` only worth asking at a step.
    pub(super) fn is_over(&self) -> bool {
        let settled = self.head().all(|at| self.state(at) == Some(State::Live));
        match self.policy.ending {
            Ending::NothingAhead | Ending::Step(..) => settled,
            Ending::Idle => settled && self.nothing_out(),
        }
    }

    /// Whether nothing that was asked can still answer.
    pub(super) fn nothing_out(&self) -> bool {
        let out = |candidate: &Candidate| matches!(candidate.state, State::Asked | State::Stalled);
        !self.candidates.iter().any(out)
    }

    fn find(&mut self, endpoint: Endpoint) -> Option<usize> {
        self.candidates
            .iter()
            .position(|candidate| candidate.endpoint == endpoint)
    }

    /// The question to `endpoint` no longer holds its slot.
    pub(super) fn stalled(&mut self, endpoint: Endpoint) {
        if let Some(at) = self.find(endpoint)
            && let Some(candidate) = self.candidates.get_mut(at)
            && candidate.state == State::Asked
        {
            candidate.state = State::Stalled;
        }
    }

    /// The question to `endpoint` was not answered, or by somebody else.
    pub(super) fn failed(&mut self, endpoint: Endpoint) {
        self.tally.failed += 1;
        if let Some(at) = self.find(endpoint)
            && let Some(candidate) = self.candidates.get_mut(at)
        {
            candidate.state = State::Dead;
        }
    }

    /// `from` answered with these contacts, and maybe a token.
    pub(super) fn answered(&mut self, from: Contact, token: &[u8], nodes: &[Contact]) {
        self.tally.answered += 1;
        self.far += 1;
        // An entrance takes its place among the others only now; one that was pushed out returns.
        let mut hops = 0;
        if let Some(at) = self.find(from.endpoint) {
            hops = self.candidates.remove(at).hops;
        }
        self.tally.hops = self.tally.hops.max(hops);
        self.add(Some(from.id), from.endpoint, hops);
        if let Some(at) = self.find(from.endpoint)
            && let Some(candidate) = self.candidates.get_mut(at)
        {
            candidate.state = State::Live;
            candidate.token = token.to_vec();
        }
        for node in nodes.iter().take(self.policy.k.max(16)) {
            self.add(Some(node.id), node.endpoint, hops + 1);
        }
    }

    /// Those of `peers` that were not found before.
    pub(super) fn new_peers(&mut self, peers: impl Iterator<Item = Endpoint>) -> Vec<Endpoint> {
        let mut new = Vec::new();
        for peer in peers {
            if let Err(at) = self.peers.binary_search(&peer)
                && self.peers.len() < MAX_PEERS
            {
                self.peers.insert(at, peer);
                new.push(peer);
            }
        }
        new
    }

    fn live(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates
            .iter()
            .filter(|candidate| candidate.state == State::Live)
    }

    /// The closest k that answered, closest first.
    pub(super) fn closest(&self) -> Vec<Contact> {
        self.live()
            .filter_map(|candidate| {
                let (id, endpoint) = (candidate.id?, candidate.endpoint);
                Some(Contact { id, endpoint })
            })
            .take(self.policy.k)
            .collect()
    }

    /// Where an announcement goes, and with which token.
    pub(super) fn stores(&self) -> Vec<(Endpoint, Vec<u8>)> {
        self.live()
            .filter(|candidate| !candidate.token.is_empty())
            .take(self.policy.announces)
            .map(|candidate| (candidate.endpoint, candidate.token.clone()))
            .collect()
    }
}
