//! One iterative lookup: towards the `K` live nodes closest to a target (BEP 5; dht.md §3.2).
//!
//! Pure bookkeeping over candidates sorted by distance. `next_question` says whom to ask, the owner
//! reports `answered`, `slow` or `failed`. It is homing while the closest answer is far away: few
//! questions are active, so that each knows what the one before brought. Once among the closest it
//! is converging: all that could be among the `K` are asked at once. Invariants: nobody is asked twice;
//! of one network one live candidate counts; at most `MAX_CANDIDATES` candidates and `MAX_QUERIES`
//! questions, so that it ends whatever others answer. It knows no sockets, transactions or clocks.

use bencode::Endpoint;

use crate::contact::{Address, Contact, Network};
use crate::id::{Distance, Id};

mod candidate;

pub use candidate::Origin;
use candidate::{Candidate, Progress, Source};

/// Nodes that a lookup converges on, and that a reply names (BEP 5: K = 8).
pub const K: usize = 8;
/// Candidates kept: the closest.
pub const MAX_CANDIDATES: usize = 96;
/// Questions of one lookup. `Threat:` a trap that always invents closer nodes.
pub const MAX_QUERIES: u32 = 120;
/// Nodes of one reply that are used. `Threat:` one reply must not take over the candidates.
pub const MAX_HEARD: usize = 8;
/// Nodes that must have named another before it is asked a second time.
const TRUSTED: u8 = 3;
/// Slow ones in a row that make a homing lookup bolder, and by how many questions.
const STALLS: u32 = 2;
const BOLDER: usize = 2;
/// It converges once an answer came from within this many times the distance at which the `K`-th
/// closest is expected.
const NEAR: f64 = 4.0;
/// A node within this part of that distance is among the `K` closest with probability 0.9: a
/// Poisson count of mean 4.66 is below 8 so often.
const SURE: f64 = 4.66 / K as f64;
/// If the `K` closest are within this part of it, they are too many for chance (dht.md §4.1:
/// p = 1.1e-3), and so many are wanted instead.
const CROWDED: f64 = 0.25;
const WHEN_CROWDED: usize = 20;
/// So many dead and no living among those whom a node named, and it names nobody any more.
const DISCREDITED: u8 = 7;

/// How a lookup goes about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Approach {
    /// Active questions while homing.
    pub homing: usize,
    /// Active questions while converging.
    pub converging: usize,
    /// How many nodes beyond the `K` closest are to answer.
    pub margin: usize,
    /// Where the `K`-th closest node is expected, as a part of the key space, if that is known.
    pub expected: Option<f64>,
    /// The same once it is well enough known to tell a crowd from chance, and who is surely close.
    pub usual: Option<f64>,
}

/// What to do about a node that takes longer than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slowed {
    /// Its datagram or ours may be lost: ask again, once.
    AskAgain,
    /// It is far away and others will do. Or, `Threat:`, too few vouch for it, which may want us to
    /// knock at a victim's door.
    Wait,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nodes asked.
    pub asked: u32,
    /// Nodes that answered.
    pub answered: u32,
    /// Nodes that did not.
    pub failed: u32,
    /// Longest chain of referrals to a node that answered; a node that we knew is hop 1.
    pub hops: u32,
}

/// A lookup in one address family.
#[derive(Clone, Debug)]
pub struct Lookup {
    target: Id,
    approach: Approach,
    /// Sorted by distance.
    candidates: Vec<Candidate>,
    /// Everybody asked so far, including those who are no candidates any more.
    asked: Vec<Source>,
    /// Slow ones since the last answer.
    stalls: u32,
    /// Closest answer so far, or holder to begin with.
    nearest: Option<Distance>,
    tally: Tally,
}

impl Lookup {
    /// A lookup of `target` that begins with `seeds`.
    pub fn new(
        target: Id,
        approach: Approach,
        seeds: impl IntoIterator<Item = (Contact, Address, Origin)>,
    ) -> Lookup {
        let mut lookup = Lookup {
            target,
            approach,
            candidates: Vec::new(),
            asked: Vec::new(),
            stalls: 0,
            nearest: None,
            tally: Tally::default(),
        };
        for (contact, address, origin) in seeds {
            if origin == Origin::Holder {
                lookup.came_near(contact.id.distance(&target));
            }
            lookup.consider(contact, address, origin);
        }
        lookup
    }

    fn came_near(&mut self, distance: Distance) {
        self.nearest = Some(self.nearest.map_or(distance, |near| near.min(distance)));
    }

    fn is_converging(&self) -> bool {
        match (self.nearest, self.approach.expected) {
            (Some(nearest), Some(expected)) => nearest.fraction() < NEAR * expected,
            _ => false,
        }
    }

    /// Questions that may be active now.
    fn width(&self) -> usize {
        match (self.is_converging(), self.stalls >= STALLS) {
            (true, _) => self.approach.converging,
            (false, true) => self.approach.homing + BOLDER,
            (false, false) => self.approach.homing,
        }
    }

    /// Candidates that are not dead, closest first, one of each network.
    fn counted(&self) -> impl Iterator<Item = &Candidate> {
        let mut networks: Vec<Network> = Vec::new();
        self.candidates.iter().filter(move |candidate| {
            if candidate.progress == Progress::Dead {
                return false;
            }
            let network = Network::of(&candidate.contact);
            let taken = candidate.address == Address::Exclusive && networks.contains(&network);
            networks.push(network);
            !taken
        })
    }

    /// How many answers of the closest end it.
    fn wanted(&self) -> usize {
        self.crowd() + self.approach.margin
    }

    /// How many of the closest are to hold what is stored.
    fn crowd(&self) -> usize {
        match (self.counted().nth(K - 1), self.approach.usual) {
            (Some(last), Some(usual)) if last.distance.fraction() < CROWDED * usual => WHEN_CROWDED,
            _ => K,
        }
    }

    /// Whom to ask now; it counts as asked. `None`: enough are being asked, or nobody is worth it.
    pub fn next_question(&mut self) -> Option<Contact> {
        if let Some(anchor) = self.candidates.iter().find(|c| c.is_new_anchor()) {
            return self.ask(anchor.contact);
        }
        let is_active = |candidate: &&Candidate| {
            candidate.progress == Progress::Asked && candidate.origin != Origin::Anchor
        };
        let active = self.candidates.iter().filter(is_active).count();
        if active >= self.width() || self.tally.asked >= MAX_QUERIES {
            return None;
        }
        // A slow candidate does not count among the wanted: further ones are asked in its stead.
        let next = self
            .counted()
            .filter(|candidate| candidate.progress != Progress::Slow)
            .take(self.wanted())
            .find(|candidate| candidate.progress == Progress::New)?
            .contact;
        self.ask(next)
    }

    fn ask(&mut self, next: Contact) -> Option<Contact> {
        let number = u16::try_from(self.asked.len()).unwrap_or(u16::MAX);
        let candidate = self.find(next.endpoint)?;
        candidate.progress = Progress::Asked;
        candidate.number = number;
        self.asked.push(Source::new(next.endpoint));
        self.tally.asked += 1;
        Some(next)
    }

    /// `from` answered, perhaps later than we waited, with a token (for announcing), and named the
    /// nodes `heard`.
    pub fn answered(
        &mut self,
        from: Endpoint,
        token: Option<&[u8]>,
        heard: impl IntoIterator<Item = (Contact, Address)>,
    ) {
        let Some(candidate) = self.find(from) else {
            return;
        };
        let was_dead = match candidate.progress {
            Progress::Asked | Progress::Slow => false,
            Progress::Dead => true,
            Progress::New | Progress::Answered(_) => return,
        };
        candidate.progress = Progress::Answered(token.map(<[u8]>::to_vec));
        let (hops, distance, number) = (candidate.hops, candidate.distance, candidate.number);
        let origin = candidate.origin;
        self.came_near(distance);
        self.credit(origin, Source::served);
        self.stalls = 0;
        self.tally.answered += 1;
        self.tally.failed -= u32::from(was_dead);
        self.tally.hops = self.tally.hops.max(hops);
        for (contact, address) in heard.into_iter().take(MAX_HEARD) {
            let origin = Origin::Named { by: number, hops };
            self.consider(contact, address, origin);
        }
    }

    /// `who` takes longer than usual: its slot is free, its answer still counts.
    pub fn slow(&mut self, who: Endpoint) -> Slowed {
        let near = self.approach.expected.map(|expected| 2.0 * expected);
        let Some(candidate) = self.find(who) else {
            return Slowed::Wait;
        };
        if candidate.progress != Progress::Asked {
            return Slowed::Wait;
        }
        candidate.progress = Progress::Slow;
        let worth = near.is_none_or(|near| candidate.distance.fraction() < near);
        let vouched = candidate.named >= TRUSTED;
        self.stalls += 1;
        if worth && vouched {
            Slowed::AskAgain
        } else {
            Slowed::Wait
        }
    }

    /// `who` did not answer, refused, or is someone else.
    pub fn failed(&mut self, who: Endpoint) {
        let Some(candidate) = self.find(who) else {
            return;
        };
        if matches!(candidate.progress, Progress::Asked | Progress::Slow) {
            candidate.progress = Progress::Dead;
            let origin = candidate.origin;
            self.credit(origin, Source::misled);
            self.tally.failed += 1;
        }
    }

    /// `who` is known to have another id than it was asked by: it counts where that one is.
    pub fn renamed(&mut self, who: Endpoint, id: Id) {
        let is_it = |candidate: &Candidate| candidate.contact.endpoint == who;
        let Some(index) = self.candidates.iter().position(is_it) else {
            return;
        };
        let mut candidate = self.candidates.remove(index);
        candidate.contact.id = id;
        candidate.distance = id.distance(&self.target);
        // Two who say the same are one.
        if !self.candidates.iter().any(|other| other.contact.id == id) {
            self.insert(candidate);
        }
    }

    fn insert(&mut self, new: Candidate) {
        let index = self
            .candidates
            .partition_point(|other| other.distance < new.distance);
        self.candidates.insert(index, new);
    }

    /// Someone whom `origin` named lived or not. Whoever names only the dead is not listened to any
    /// more: `Threat:` it may make us knock at strangers' doors.
    fn credit(&mut self, origin: Origin, what: fn(&mut Source)) {
        let Origin::Named { by, .. } = origin else {
            return;
        };
        let Some(source) = self.asked.get_mut(usize::from(by)) else {
            return;
        };
        what(source);
        if source.is_discredited(DISCREDITED) {
            self.candidates.retain(|candidate| {
                let only_by = candidate.origin.is_named_by(by) && candidate.named < 2;
                candidate.progress != Progress::New || !only_by
            });
        }
    }

    /// Whether the `K` closest live candidates have all answered, or nobody is left to ask.
    #[must_use]
    pub fn is_done(&self) -> bool {
        if self.candidates.iter().any(Candidate::is_awaited_anchor) {
            return false;
        }
        let mut live = self.counted().take(self.wanted());
        if self.tally.asked >= MAX_QUERIES {
            return !live.any(|c| matches!(c.progress, Progress::Asked | Progress::Slow));
        }
        live.all(|c| matches!(c.progress, Progress::Answered(_)))
    }

    /// The closest nodes that answered, with their tokens, closest first, one of each network: `K`, or
    /// more where the neighbourhood is crowded.
    pub fn closest(&self) -> impl Iterator<Item = (Contact, Option<&[u8]>)> {
        self.holders().take(self.crowd())
    }

    /// All that answered, with their tokens, closest first, one of each network.
    pub fn holders(&self) -> impl Iterator<Item = (Contact, Option<&[u8]>)> {
        self.counted()
            .filter_map(|candidate| match &candidate.progress {
                Progress::Answered(token) => Some((candidate.contact, token.as_deref())),
                _ => None,
            })
    }

    /// Whether a node with this id is all but certainly among the `K` closest, although the lookup may
    /// not have ended.
    #[must_use]
    pub fn is_surely_close(&self, id: &Id) -> bool {
        let distance = id.distance(&self.target).fraction();
        self.approach
            .usual
            .is_some_and(|usual| distance < SURE * usual)
    }

    /// Where the `K`-th closest living node turned out to be, once there are so many.
    #[must_use]
    pub fn reach(&self) -> Option<Distance> {
        let (node, _) = self.holders().nth(K - 1)?;
        Some(node.id.distance(&self.target))
    }

    /// Leading bits that the closest node that answered shares with the target, 0 to 160.
    #[must_use]
    pub fn closest_bits(&self) -> u16 {
        let bits = self
            .holders()
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
    pub fn consider(&mut self, contact: Contact, address: Address, origin: Origin) {
        if let Origin::Named { by, .. } = origin
            && let Some(source) = self.asked.get(usize::from(by))
            && source.is_discredited(DISCREDITED)
        {
            return;
        }
        let same = |known: &&mut Candidate| known.contact == contact;
        if let Some(known) = self.candidates.iter_mut().find(same) {
            known.named = known.named.saturating_add(1);
            return;
        }
        // Threat: many ids on one host. In a private range the port tells nodes apart.
        let exclusive = address == Address::Exclusive;
        let known = self.candidates.iter().any(|other| {
            other.contact.id == contact.id
                || other.contact.endpoint == contact.endpoint
                || (exclusive && other.contact.endpoint.ip == contact.endpoint.ip)
        });
        if known
            || self
                .asked
                .iter()
                .any(|source| source.endpoint == contact.endpoint)
        {
            return;
        }
        self.insert(Candidate::new(contact, address, origin, &self.target));
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
