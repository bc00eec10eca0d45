//! Lookups that are measured: each from its command to its end, whoever carries it out.
//!
//! Ours and theirs report in words of their own; here they become one. Invariant: a lookup that was
//! begun is taken out exactly once, when it is done or when its host left.

use std::collections::BTreeMap;
use std::time::Duration;

use dht::{Endpoint, Id, LookupId};

use crate::machine::Told;
use crate::neighbours::{self, Kind};
use crate::time::Time;
use crate::world::HostId;

/// Who carries a lookup out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// The shipping node.
    Ours,
    /// Another implementation's policy.
    Theirs(Kind),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The nodes closest to the target.
    Nodes,
    /// The peers of the target.
    Peers,
    /// The same, then an announcement for this port.
    Announce(u16),
}

/// The name of a lookup of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ticket {
    Ours(LookupId),
    Theirs(u64),
}

/// One lookup, as far as it went.
#[derive(Clone, Debug)]
pub struct Measured {
    /// On which host.
    pub host: HostId,
    /// By whom.
    pub client: Client,
    /// What for.
    pub target: Id,
    /// When the command was given.
    pub started: Time,
    /// Until the first peers were told.
    pub first_peer: Option<Duration>,
    /// Until the end; `None`: its host left before.
    pub elapsed: Option<Duration>,
    /// Distinct peers told.
    pub peers: Vec<Endpoint>,
    /// Nodes asked, including questions without an answer.
    pub asked: u32,
    /// Nodes that did not answer.
    pub timed_out: u32,
    /// Longest chain of referrals; 0 where the client does not say.
    pub hops: u32,
    /// Nodes that stored the announcement.
    pub announced: u32,
    /// The closest nodes that answered, closest first.
    pub closest: Vec<Id>,
}

/// The lookups under way, and those that ended.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    open: BTreeMap<(HostId, Ticket), Measured>,
    pub(crate) done: Vec<Measured>,
}

impl Watch {
    pub(crate) fn begin(
        &mut self,
        (host, ticket): (HostId, Ticket),
        client: Client,
        target: Id,
        started: Time,
    ) {
        let measured = Measured {
            host,
            client,
            target,
            started,
            first_peer: None,
            elapsed: None,
            peers: Vec::new(),
            asked: 0,
            timed_out: 0,
            hops: 0,
            announced: 0,
            closest: Vec::new(),
        };
        self.open.insert((host, ticket), measured);
    }

    /// How many are under way.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// A machine told something; what concerns no watched lookup is dropped.
    pub(crate) fn told(&mut self, now: Time, host: HostId, told: Told) {
        match told {
            Told::Ours(dht::Event::Peers { lookup, peers, .. }) => {
                self.peers(now, (host, Ticket::Ours(lookup)), peers);
            }
            Told::Theirs(neighbours::Event::Peers { lookup, peers }) => {
                self.peers(now, (host, Ticket::Theirs(lookup)), peers);
            }
            Told::Ours(dht::Event::LookupDone { lookup, report }) => {
                if let Some(mut done) = self.open.remove(&(host, Ticket::Ours(lookup))) {
                    done.elapsed = Some(now - done.started);
                    done.asked = report.asked;
                    done.timed_out = report.timed_out;
                    done.hops = report.hops;
                    done.announced = report.announced;
                    done.closest = report.closest.iter().map(|contact| contact.id).collect();
                    self.done.push(done);
                }
            }
            Told::Theirs(neighbours::Event::Done { lookup, report }) => {
                if let Some(mut done) = self.open.remove(&(host, Ticket::Theirs(lookup))) {
                    done.elapsed = Some(now - done.started);
                    done.asked = report.asked;
                    done.timed_out = report.timed_out;
                    done.hops = report.hops;
                    done.announced = report.announced;
                    done.closest = report.closest.iter().map(|contact| contact.id).collect();
                    self.done.push(done);
                }
            }
            Told::Ours(_) => {}
        }
    }

    fn peers(&mut self, now: Time, whose: (HostId, Ticket), peers: Vec<Endpoint>) {
        if let Some(open) = self.open.get_mut(&whose) {
            open.first_peer.get_or_insert(now - open.started);
            open.peers.extend(peers);
        }
    }

    /// `host` left: its lookups end without a result.
    pub(crate) fn left(&mut self, host: HostId) {
        let whose = |(key, _): (&(HostId, Ticket), &Measured)| (key.0 == host).then_some(*key);
        let theirs: Vec<_> = self.open.iter().filter_map(whose).collect();
        self.done
            .extend(theirs.iter().filter_map(|key| self.open.remove(key)));
    }
}
