//! Asking for what BEP 33, 44 and 51 store: scrapes, items, samples. A lookup like any other (`searches`)
//! walks; this file makes the commands, checks what the answers say and writes what is to be stored.
//!
//! Invariant: an `Event::Item` has been verified against the target that was asked for; a mutable item is
//! reported only if it is newer than the last one reported.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};

use super::search::{Goal, Search};
use super::{Event, LookupId, Node, Tracing};
use crate::bloom::{Bloom, MAX_COUNTED};
use crate::contact::Contact;
use crate::id::Id;
use crate::items::Item;
use crate::message::{Method, Response, Signed};

/// Holders of one item that are remembered for its `put`.
const MAX_HOLDERS: usize = 256;
/// What a filter may estimate: above the bound of BEP 33 it says nothing. `Threat:` one filter with all
/// bits set would make every union worthless.
const MAX_ESTIMATE: f64 = 1.1 * MAX_COUNTED as f64;

/// What a lookup of an item knows besides its target.
#[derive(Debug, Default)]
pub(super) struct Errand {
    /// Of the item that is looked for.
    salt: Vec<u8>,
    /// What is to be stored, and in place of what.
    put: Option<(Item, Option<i64>)>,
    /// Who has something at the target: only they compare `cas`.
    holders: BTreeSet<Endpoint>,
    /// What was reported last.
    newest: Newest,
}

/// The newest item that was reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Newest {
    #[default]
    Nothing,
    Immutable,
    Seq(i64),
}

impl Node {
    /// Counts seeds and peers of `info_hash` (BEP 33): `Event::Scraped` for each node that has a count,
    /// whose filters the caller unites. Peers that are named on the way are reported as well.
    pub fn scrape(&mut self, now: Instant, info_hash: Id) -> LookupId {
        let lookup = self.search(now, info_hash, Goal::Scrape, Tracing::Off);
        if let Some((seeds, peers)) = self.server.peers.filters(now, &info_hash) {
            let from = self.home();
            self.outbox.event(Event::Scraped {
                lookup,
                from,
                seeds,
                peers,
            });
        }
        lookup
    }

    /// Asks the nodes on the way to `target` for samples of the info hashes that they store (BEP 51):
    /// `Event::Samples` for each that knows the method.
    pub fn sample(&mut self, now: Instant, target: Id) -> LookupId {
        self.search(now, target, Goal::Sample, Tracing::Off)
    }

    /// Looks for the item at `target` (BEP 44): `Event::Item` once if it is immutable, for each newer
    /// value if it is mutable. `salt` is what `target` was made with; an answer does not repeat it.
    pub fn item(&mut self, now: Instant, target: Id, salt: Vec<u8>) -> LookupId {
        let stored = self.server.items.find(now, &target).cloned();
        let known = stored.as_ref().and_then(Item::seq);
        let lookup = self.search(now, target, Goal::Item { known }, Tracing::Off);
        let newest = match &stored {
            None => Newest::Nothing,
            Some(item) => item.seq().map_or(Newest::Immutable, Newest::Seq),
        };
        let errand = Errand {
            salt,
            newest,
            ..Errand::default()
        };
        self.errand(lookup, errand);
        if let Some(item) = stored {
            let from = self.home();
            self.outbox.event(Event::Item { lookup, from, item });
        }
        lookup
    }

    /// Stores `item` at the nodes closest to its target (BEP 44); `cas`: only where this sequence number
    /// is stored, or nothing. `LookupReport::announced` says how many did, `Event::Refused` who did not,
    /// `Event::Item` who has a newer one. An item that does not verify ends at once, unstored.
    pub fn put(&mut self, now: Instant, item: Item, cas: Option<i64>) -> LookupId {
        let seq = item.seq();
        let lookup = self.search(now, item.target(), Goal::Put { seq }, Tracing::Off);
        let salt = match &item {
            Item::Immutable { .. } => Vec::new(),
            Item::Mutable { salt, .. } => salt.clone(),
        };
        let errand = Errand {
            salt,
            newest: seq.map_or(Newest::Immutable, Newest::Seq),
            put: item.verify().is_ok().then_some((item, cas)),
            holders: BTreeSet::new(),
        };
        self.errand(lookup, errand);
        lookup
    }

    /// Remembers what a lookup needs, unless it ended at once.
    fn errand(&mut self, lookup: LookupId, errand: Errand) {
        if self.searches.contains_key(&lookup) {
            self.errands.insert(lookup, errand);
        }
    }

    /// Ourselves, where events name a node.
    fn home(&self) -> Contact {
        Contact {
            id: self.id(Family::V4),
            endpoint: Endpoint::new([0, 0, 0, 0].into(), 0),
        }
    }

    /// Takes what an answer says beyond nodes and peers.
    pub(super) fn gather(
        &mut self,
        lookup: LookupId,
        search: &mut Search,
        from: Contact,
        response: &Response<'_>,
    ) {
        match search.goal() {
            Goal::Scrape => {
                if let Some((seeds, peers)) = counted(response) {
                    self.outbox.event(Event::Scraped {
                        lookup,
                        from,
                        seeds,
                        peers,
                    });
                }
            }
            Goal::Sample => {
                if let Some(samples) = response.samples() {
                    self.outbox.event(Event::Samples {
                        lookup,
                        from,
                        hashes: samples.hashes,
                        stored: samples.stored,
                        interval: Duration::from_secs(samples.interval.into()),
                    });
                }
            }
            Goal::Item { .. } | Goal::Put { .. } => {
                self.gather_item(lookup, search, from, response);
            }
            Goal::Join(_)
            | Goal::Refresh(_)
            | Goal::FindNode
            | Goal::GetPeers
            | Goal::Announce(_)
            | Goal::Keep(_) => {}
        }
    }

    fn gather_item(
        &mut self,
        lookup: LookupId,
        search: &mut Search,
        from: Contact,
        response: &Response<'_>,
    ) {
        let Some(errand) = self.errands.get_mut(&lookup) else {
            return;
        };
        let holds = response.value().is_some() || response.seq().is_some();
        if holds && errand.holders.len() < MAX_HOLDERS {
            errand.holders.insert(from.endpoint);
        }
        let Some(value) = response.value() else {
            return;
        };
        let item = item_of(value, response.signed(), &errand.salt);
        let news = match (errand.newest, item.seq()) {
            (Newest::Nothing, _) => true,
            (Newest::Seq(newest), Some(seq)) => seq > newest,
            (Newest::Immutable, _) | (Newest::Seq(_), None) => false,
        };
        if !news {
            return;
        }
        // Threat: anybody may answer with anything; only hash and signature say what belongs here.
        if item.target() != search.target() || item.verify().is_err() {
            self.stats.forged += 1;
            return;
        }
        errand.newest = item.seq().map_or(Newest::Immutable, Newest::Seq);
        search.knows_item(item.seq());
        self.outbox.event(Event::Item { lookup, from, item });
    }

    /// What a lookup that ends by storing says to a node that gave `token`: `None` if there is nothing
    /// to store.
    pub(super) fn to_store<'a>(
        errand: Option<&'a Errand>,
        (goal, target): (Goal, Id),
        who: Endpoint,
        token: &'a [u8],
    ) -> Option<Method<'a>> {
        if let Goal::Announce(own) | Goal::Keep(own) = goal {
            return Some(Method::AnnouncePeer {
                info_hash: target,
                port: own.port,
                token,
            });
        }
        let errand = errand?;
        let (item, cas) = errand.put.as_ref()?;
        let signed = match item {
            Item::Immutable { .. } => None,
            Item::Mutable {
                key,
                salt,
                seq,
                signature,
                ..
            } => Some(Signed {
                key,
                salt,
                seq: *seq,
                signature,
            }),
        };
        Some(Method::Put {
            value: item.value(),
            token,
            signed,
            cas: cas.filter(|_| errand.holders.contains(&who)),
            target: Some(target),
        })
    }

    /// A node refused to store: whoever asked for it may want to know why.
    pub(super) fn refused(&mut self, lookup: LookupId, from: Endpoint, code: u16) {
        if self.errands.contains_key(&lookup) {
            self.outbox.event(Event::Refused { lookup, from, code });
        }
    }
}

/// The filters of an answer if they can be true (BEP 33: not overfull, and its own peers are in them).
/// A node that does not know the method still names peers: they are counted.
fn counted(response: &Response<'_>) -> Option<(Bloom, Bloom)> {
    let Some((seeds, peers)) = response.scrape() else {
        let mut peers = Bloom::default();
        response.values().for_each(|peer| peers.insert(peer.ip));
        return (!peers.is_empty()).then(|| (Bloom::default(), peers));
    };
    let full = seeds.estimate().max(peers.estimate()) > MAX_ESTIMATE;
    let known = |ip| seeds.contains(ip) || peers.contains(ip);
    let true_ones = !full && response.values().all(|peer| known(peer.ip));
    true_ones.then_some((seeds, peers))
}

/// What an answer shows, unverified.
pub(super) fn item_of(value: &[u8], signed: Option<Signed<'_>>, salt: &[u8]) -> Item {
    let value = value.to_vec();
    match signed {
        None => Item::Immutable { value },
        Some(signed) => Item::Mutable {
            key: *signed.key,
            salt: salt.to_vec(),
            seq: signed.seq,
            value,
            signature: *signed.signature,
        },
    }
}
