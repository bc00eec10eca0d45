//! Why nothing happens, what happens next and when (rules 2 and 3 of `cli.md`): the address book's
//! [`Why`], the next lookup and the next announce, joined into one or two sentences. What each tracker
//! said stands in `trackers`.
//!
//! Every sentence is true at the moment it is made; none promises anything. Pure: the state comes in,
//! a sentence goes out. The first part, up to the `;`, changes only when there is news: the follower
//! repeats a diagnosis at once when it does.

use std::time::Duration;

use super::format::duration;
use super::scene::Scene;
use super::wording::count;
use crate::io::Privacy;
use crate::swarm::{Phase, Why};

/// Without any answer for this long, something is wrong with the network.
const NO_ANSWER: Duration = Duration::from_secs(5);

impl Scene<'_> {
    /// Why nothing happens, what happens next and when; `None` while something happens or it is
    /// too early to tell.
    pub(super) fn diagnosis(&self) -> Option<String> {
        let snapshot = &self.status.snapshot;
        let busy = matches!(
            snapshot.phase,
            Phase::Complete | Phase::Opening | Phase::Paused
        );
        if busy || snapshot.peers.connected > 0 || self.status.checking.is_some() {
            return None;
        }
        let why = &snapshot.why;
        let private = self.status.privacy == Privacy::Private;
        let Some(dht) = self.dht.filter(|_| !private) else {
            let what = if private {
                "the torrent is private, so strangers are not asked"
            } else {
                "the DHT is off"
            };
            return (self.elapsed > NO_ANSWER).then(|| self.without_dht(why, what));
        };
        if dht.nodes == 0 {
            return (self.elapsed > NO_ANSWER).then(|| {
                format!(
                    "no UDP answer from any of {} bootstrap nodes: this machine is offline, or UDP \
                     is blocked; they are asked again with pauses up to a minute",
                    self.bootstrap
                )
            });
        }
        let last = self.status.search.last.as_ref()?;
        if last.peers == 0 && why.known == 0 {
            let next = joined([Some(self.next_lookup()), self.next_announce()]);
            return Some(format!(
                "asked {} nodes up to {} shared bits; nobody announces this torrent; {next}",
                last.asked, last.closest_bits,
            ));
        }
        nobody_answers(why).then(|| {
            let next = [
                next_try(why),
                Some(self.next_lookup()),
                self.next_announce(),
            ];
            format!("{}; {}", outcome(why), joined(next))
        })
    }

    /// The account where no lookup is to come, for the reason `what`.
    fn without_dht(&self, why: &Why, what: &str) -> String {
        let known = if why.known == 0 {
            "no peer is known".to_owned()
        } else {
            outcome(why)
        };
        let next = match joined([next_try(why), self.next_announce()]) {
            nothing if nothing.is_empty() => "waiting for a peer that calls or is named".to_owned(),
            next => next,
        };
        format!("{known}, and {what}; {next}")
    }

    fn next_announce(&self) -> Option<String> {
        let next = self
            .trackers
            .iter()
            .filter_map(|tracker| tracker.next)
            .min()?;
        let wait = next.saturating_duration_since(self.now);
        (!wait.is_zero()).then(|| format!("next announce in {}", duration(wait)))
    }

    fn next_lookup(&self) -> String {
        match self.status.search.next {
            Some(next) => {
                let wait = next.saturating_duration_since(self.now);
                format!("next lookup in {}", duration(wait))
            }
            None => "the lookup goes on".to_owned(),
        }
    }
}

/// What comes next, in order, as far as it is known.
fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

/// Whether everybody who is known was tried in vain, or is banned.
fn nobody_answers(why: &Why) -> bool {
    let bad = why.refused + why.timed_out + why.failed + why.banned;
    bad > 0 && why.tried + why.banned >= why.known
}

/// Who is known and what became of them.
fn outcome(why: &Why) -> String {
    let parts = [
        (why.refused, "refused"),
        (why.timed_out, "timed out"),
        (why.failed, "failed otherwise"),
        (why.banned, "banned"),
        (
            why.known.saturating_sub(why.tried + why.banned),
            "not tried yet",
        ),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let known = count(why.known, "peer");
    if parts.is_empty() {
        format!("{known} known, none connected now")
    } else {
        format!("{known} known, none connected: {}", parts.join(", "))
    }
}

/// When the next of them is tried.
fn next_try(why: &Why) -> Option<String> {
    let wait = why.next_try?;
    Some(if wait.is_zero() {
        "the next try is due now".to_owned()
    } else {
        format!("next try in {}", duration(wait))
    })
}

#[cfg(test)]
mod tests;
