//! One iterative lookup: towards the `K` live nodes closest to a target (BEP 5; Kademlia §2.3).
//!
//! Pure bookkeeping over candidates sorted by distance. `next_question` says whom to ask, the owner reports
//! `answered`, `slow` or `failed`. Invariants: at most `ALPHA` fresh questions; nobody is asked
//! twice; at most `MAX_CANDIDATES` candidates and `MAX_QUERIES` questions, so that it ends whatever
//! others answer. It knows no sockets, transactions or clocks.

use std::net::IpAddr;

use bencode::Endpoint;

use crate::contact::{Address, Contact};
use crate::id::{Distance, Id};

/// Nodes that a lookup converges on, and that a reply names (BEP 5: K = 8).
pub const K: usize = 8;
/// Questions that may be fresh at once. A slow one frees its slot.
pub const ALPHA: usize = 4;
/// Candidates kept: the closest.
pub const MAX_CANDIDATES: usize = 64;
/// Questions of one lookup. `Threat:` a trap that always invents closer nodes.
pub const MAX_QUERIES: u32 = 200;
/// Nodes of one reply that are used. `Threat:` one reply must not take over the candidates.
pub const MAX_HEARD: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    New,
    Asked,
    Slow,
    Answered(Option<Vec<u8>>),
    Dead,
}

#[derive(Clone, Debug)]
struct Candidate {
    contact: Contact,
    distance: Distance,
    hops: u32,
    /// How many nodes named it; one of our own table counts as `TRUSTED`.
    named: u8,
    progress: Progress,
}

/// What to do about a node that takes longer than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slowed {
    /// Its datagram or ours may be lost: ask again, once.
    AskAgain,
    /// `Threat:` only one node vouches for it, which may want us to knock at a victim's door.
    Wait,
}

/// Nodes that must have named another before it is asked a second time.
const TRUSTED: u8 = 2;

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nodes asked.
    pub asked: u32,
    /// Nodes that answered.
    pub answered: u32,
    /// Nodes that did not.
    pub failed: u32,
    /// Longest chain of referrals to a node that answered; a node of our own table is hop 1.
    pub hops: u32,
}

/// A lookup in one address family.
#[derive(Clone, Debug)]
pub struct Lookup {
    target: Id,
    /// Sorted by distance.
    candidates: Vec<Candidate>,
    /// Everybody asked so far, including those who are no candidates any more.
    asked: Vec<Endpoint>,
    tally: Tally,
}

impl Lookup {
    /// A lookup of `target` that begins with `seeds`.
    pub fn new(target: Id, seeds: impl IntoIterator<Item = (Contact, Address)>) -> Lookup {
        let mut lookup = Lookup {
            target,
            candidates: Vec::new(),
            asked: Vec::new(),
            tally: Tally::default(),
        };
        for (contact, address) in seeds {
            lookup.consider(contact, address, 1);
            if let Some(seed) = lookup.find(contact.endpoint) {
                seed.named = TRUSTED;
            }
        }
        lookup
    }

    /// Whom to ask now; it counts as asked. `None`: enough are being asked, or nobody is worth it.
    pub fn next_question(&mut self) -> Option<Contact> {
        let fresh = self
            .candidates
            .iter()
            .filter(|c| c.progress == Progress::Asked)
            .count();
        if fresh >= ALPHA || self.tally.asked >= MAX_QUERIES {
            return None;
        }
        // A slow or dead candidate does not count among the K: further ones are asked in its stead.
        let next = self
            .candidates
            .iter_mut()
            .filter(|c| !matches!(c.progress, Progress::Dead | Progress::Slow))
            .take(K)
            .find(|c| c.progress == Progress::New)?;
        next.progress = Progress::Asked;
        self.asked.push(next.contact.endpoint);
        self.tally.asked += 1;
        Some(next.contact)
    }

    /// `from` answered with a token (for announcing) and named the nodes `heard`.
    pub fn answered(
        &mut self,
        from: Endpoint,
        token: Option<&[u8]>,
        heard: impl IntoIterator<Item = (Contact, Address)>,
    ) {
        let Some(candidate) = self.find(from) else {
            return;
        };
        if !matches!(candidate.progress, Progress::Asked | Progress::Slow) {
            return;
        }
        candidate.progress = Progress::Answered(token.map(<[u8]>::to_vec));
        let hops = candidate.hops;
        self.tally.answered += 1;
        self.tally.hops = self.tally.hops.max(hops);
        for (contact, address) in heard.into_iter().take(MAX_HEARD) {
            self.consider(contact, address, hops.saturating_add(1));
        }
    }

    /// `who` takes longer than usual: its slot is free, its answer still counts.
    pub fn slow(&mut self, who: Endpoint) -> Slowed {
        match self.find(who) {
            Some(candidate) if candidate.progress == Progress::Asked => {
                candidate.progress = Progress::Slow;
                if candidate.named >= TRUSTED {
                    Slowed::AskAgain
                } else {
                    Slowed::Wait
                }
            }
            _ => Slowed::Wait,
        }
    }

    /// `who` did not answer, refused, or is someone else.
    pub fn failed(&mut self, who: Endpoint) {
        let Some(candidate) = self.find(who) else {
            return;
        };
        if matches!(candidate.progress, Progress::Asked | Progress::Slow) {
            candidate.progress = Progress::Dead;
            self.tally.failed += 1;
        }
    }

    /// Whether the `K` closest live candidates have all answered, or nobody is left to ask.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let mut live = self
            .candidates
            .iter()
            .filter(|c| c.progress != Progress::Dead)
            .take(K);
        if self.tally.asked >= MAX_QUERIES {
            return !live.any(|c| matches!(c.progress, Progress::Asked | Progress::Slow));
        }
        live.all(|c| matches!(c.progress, Progress::Answered(_)))
    }

    /// The at most `K` closest nodes that answered, with their tokens, closest first.
    pub fn closest(&self) -> impl Iterator<Item = (Contact, Option<&[u8]>)> {
        self.candidates
            .iter()
            .filter_map(|candidate| match &candidate.progress {
                Progress::Answered(token) => Some((candidate.contact, token.as_deref())),
                _ => None,
            })
            .take(K)
    }

    /// Leading bits that the closest node that answered shares with the target, 0 to 160.
    #[must_use]
    pub fn closest_bits(&self) -> u16 {
        let bits = self
            .closest()
            .next()
            .map_or(0, |(node, _)| node.id.shared_bits(&self.target));
        u16::try_from(bits).unwrap_or(u16::MAX)
    }

    /// Counts so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What is looked up.
    #[must_use]
    pub fn target(&self) -> Id {
        self.target
    }

    fn find(&mut self, who: Endpoint) -> Option<&mut Candidate> {
        self.candidates
            .iter_mut()
            .find(|candidate| candidate.contact.endpoint == who)
    }

    /// Makes `contact` a candidate unless it is known, too far, or its address is taken.
    pub fn consider(&mut self, contact: Contact, address: Address, hops: u32) {
        let distance = contact.id.distance(&self.target);
        if let Some(known) = self
            .candidates
            .iter_mut()
            .find(|known| known.contact == contact)
        {
            known.named = known.named.saturating_add(1);
            return;
        }
        // Threat: many ids on one host. In a private range the port tells nodes apart.
        let same = |ip: IpAddr| match address {
            Address::Exclusive => ip == contact.endpoint.ip,
            Address::Shared => false,
        };
        let known = self.candidates.iter().any(|other| {
            other.contact.id == contact.id
                || other.contact.endpoint == contact.endpoint
                || same(other.contact.endpoint.ip)
        });
        if known || self.asked.contains(&contact.endpoint) {
            return;
        }
        let index = self
            .candidates
            .partition_point(|other| other.distance < distance);
        self.candidates.insert(
            index,
            Candidate {
                contact,
                distance,
                hops,
                named: 1,
                progress: Progress::New,
            },
        );
        if self.candidates.len() > MAX_CANDIDATES {
            // Room comes from the farthest that is not being waited for, so that no answer is lost.
            let spare = self.candidates.iter().rposition(|candidate| {
                matches!(candidate.progress, Progress::New | Progress::Dead)
            });
            match spare {
                Some(index) => drop(self.candidates.remove(index)),
                None => drop(self.candidates.pop()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
