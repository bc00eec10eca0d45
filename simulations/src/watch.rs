//! Lookups that are measured: each from its command to its end, whoever carries it out.
//!
//! Ours and theirs report in words of their own; here they become one. What a lookup sends and who
//! acknowledges its announcement is read off the wire of hosts that are listened to. Invariant: a
//! lookup that was begun is taken out exactly once, when it is done or when its host left.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;
use std::time::Duration;

use dht::{Endpoint, Id, LookupId};

use crate::machine::Told;
use crate::neighbours::{self, Kind};
use crate::time::Time;
use crate::wire::{Destinations, Kind as Said, Ledger, Overheard, Way};
use crate::world::HostId;

/// An announcement is closed when so many nodes have acknowledged it (BEP 5: the K closest).
pub const CLOSED: usize = 8;

/// Who carries a lookup out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// The shipping node.
    Ours,
    /// The shipping node with the tuning of this number in the population's plan.
    Tuned(u8),
    /// Another implementation's policy.
    Theirs(Kind),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::Ours => f.pad("trackless"),
            Client::Tuned(number) => f.pad(&format!("trackless, variant {number}")),
            Client::Theirs(kind) => kind.fmt(f),
        }
    }
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
    /// Questions put on the wire for it, repeated ones and announcements included, until its end.
    /// 0 if nobody listened.
    pub sent: u32,
    /// Who acknowledged the announcement, and how long after the command. Empty if nobody listened.
    pub acknowledged: Vec<(Duration, Id)>,
}

impl Measured {
    /// Until the announcement was closed: eight nodes acknowledged it, or no more are going to.
    #[must_use]
    pub fn closed(&self) -> Option<Duration> {
        let eighth = self.acknowledged.get(CLOSED - 1).map(|(after, _)| *after);
        eighth.or(self.elapsed)
    }

    fn end(&mut self, now: Time, report: &neighbours::Report) {
        self.elapsed = Some(now - self.started);
        self.asked = report.asked;
        self.timed_out = report.timed_out;
        self.hops = report.hops;
        self.announced = report.announced;
        self.closest = report.closest.iter().map(|contact| contact.id).collect();
    }
}

/// The lookups under way, and those that ended.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    open: BTreeMap<(HostId, Ticket), Measured>,
    /// The lookup of a host that was begun last for a target.
    by_target: BTreeMap<(HostId, Id), Ticket>,
    /// Announcements that nobody acknowledged yet, by host, receiver and transaction.
    announcements: BTreeMap<(HostId, SocketAddrV4, Vec<u8>), Ticket>,
    /// The last question about a target: when, from and to whom, and for which lookup.
    last: Option<(Time, HostId, SocketAddrV4, Ticket)>,
    ledgers: BTreeMap<HostId, Ledger>,
    /// Of those hosts for which somebody wants to know.
    pub(crate) destinations: BTreeMap<HostId, Destinations>,
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
            sent: 0,
            acknowledged: Vec::new(),
        };
        self.by_target.insert((host, target), ticket);
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
                let report = neighbours::Report {
                    target: report.target,
                    asked: report.asked,
                    answered: report.answered,
                    timed_out: report.timed_out,
                    hops: report.hops,
                    announced: report.announced,
                    closest: report.closest,
                };
                self.end(now, (host, Ticket::Ours(lookup)), &report);
            }
            Told::Theirs(neighbours::Event::Done { lookup, report }) => {
                self.end(now, (host, Ticket::Theirs(lookup)), &report);
            }
            Told::Ours(_) => {}
        }
    }

    fn end(&mut self, now: Time, whose: (HostId, Ticket), report: &neighbours::Report) {
        if let Some(mut done) = self.open.remove(&whose) {
            done.end(now, report);
            self.forget(whose, done.target);
            self.done.push(done);
        }
    }

    fn forget(&mut self, (host, ticket): (HostId, Ticket), target: Id) {
        if self.by_target.get(&(host, target)) == Some(&ticket) {
            self.by_target.remove(&(host, target));
        }
        let others = |whose: &(HostId, SocketAddrV4, Vec<u8>), of: &mut Ticket| {
            whose.0 != host || *of != ticket
        };
        self.announcements.retain(others);
    }

    /// Something passed the wire of a host that is listened to.
    pub(crate) fn overheard(&mut self, heard: &Overheard) {
        let Some(said) = heard.kind() else {
            return;
        };
        let ledger = self.ledgers.entry(heard.host).or_default();
        ledger.count(heard.way, &said, heard.payload.len());
        let host = heard.host;
        if heard.way == Way::Out
            && let Some(destinations) = self.destinations.get_mut(&host)
        {
            destinations.count(heard.at, heard.peer);
        }
        match (heard.way, said) {
            (Way::Out, Said::About(target)) => self.sent(heard, target),
            (Way::Out, Said::Announcement(target, transaction)) => {
                self.sent(heard, target);
                if let Some(ticket) = self.by_target.get(&(host, target)) {
                    let whose = (host, heard.peer, transaction);
                    self.announcements.insert(whose, *ticket);
                }
            }
            // Some clients ping whom they ask, at the same moment: that belongs to the lookup.
            (Way::Out, Said::Ping) => {
                if let Some((at, from, to, ticket)) = self.last
                    && (at, from, to) == (heard.at, host, heard.peer)
                    && let Some(open) = self.open.get_mut(&(host, ticket))
                {
                    open.sent += 1;
                }
            }
            (Way::In, Said::Answer(id, transaction)) => {
                let whose = (host, heard.peer, transaction);
                if let Some(ticket) = self.announcements.remove(&whose)
                    && let Some(open) = self.open.get_mut(&(host, ticket))
                {
                    let after = heard.at - open.started;
                    if open.acknowledged.iter().all(|(_, other)| *other != id) {
                        open.acknowledged.push((after, id));
                    }
                }
            }
            _ => {}
        }
    }

    fn sent(&mut self, heard: &Overheard, target: Id) {
        if let Some(ticket) = self.by_target.get(&(heard.host, target))
            && let Some(open) = self.open.get_mut(&(heard.host, *ticket))
        {
            open.sent += 1;
            self.last = Some((heard.at, heard.host, heard.peer, *ticket));
        }
    }

    /// What passed the wire of `host` since somebody listens.
    pub(crate) fn ledger(&self, host: HostId) -> Ledger {
        self.ledgers.get(&host).copied().unwrap_or_default()
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
        for key in theirs {
            if let Some(done) = self.open.remove(&key) {
                self.forget(key, done.target);
                self.done.push(done);
            }
        }
    }
}
