//! A torrent's searches in the DHT, and how it is kept announced there.
//!
//! When is decided by [`crate::swarm::SearchClock`]; what is complete and one of many leaves it to the node's
//! rounds. Never for a torrent known to be private (BEP 27): then there is no DHT to ask.

use std::time::Instant;

use dht::Part;
use tokio::sync::mpsc;

use super::{Desk, Driver};
use crate::io::dht::{Search, SearchEvent, Trace};
use crate::swarm::{Event, PeerSource, Phase};

/// How a complete torrent is kept announced in the DHT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::io) enum Announcing {
    /// By lookups of its own, which find peers as well.
    Lookups,
    /// In the node's rounds, one of many: nobody is found, others find us.
    Rounds,
}

impl Driver {
    /// What is complete may go into the node's rounds; what is not looks for peers itself.
    pub(super) async fn announce_as(&mut self, desk: &mut Desk, event: &Event) {
        let wanted = match event {
            Event::Complete => self.surroundings.announcing,
            Event::PieceLost(_) => Announcing::Lookups,
            _ => return,
        };
        if let Some(dht) = self
            .surroundings
            .dht
            .as_ref()
            .filter(|_| desk.announcing != wanted)
        {
            desk.announcing = wanted;
            match wanted {
                Announcing::Lookups => dht.withdraw(self.info_hash).await,
                Announcing::Rounds => {
                    desk.search = None;
                    dht.keep_announced(self.info_hash, self.surroundings.port)
                        .await;
                }
            }
        }
    }

    pub(super) async fn search(&mut self, desk: &mut Desk) {
        let Some(dht) = &self.surroundings.dht else {
            return;
        };
        let part = match self.torrent.snapshot(Instant::now()).phase {
            Phase::Complete => Part::Seed,
            _ => Part::Peer,
        };
        let search = Search::Announce(self.info_hash, self.surroundings.port, part);
        desk.clock.handle_started();
        desk.found = 0;
        desk.search = Some(dht.search(search, Trace::Off).await);
    }

    pub(super) fn handle_search(&mut self, desk: &mut Desk, event: Option<SearchEvent>) {
        let now = Instant::now();
        match event {
            Some(SearchEvent::Peers(peers)) => {
                self.reached(&mut desk.timeline.first_peers, now);
                desk.found += self.torrent.add_peers(now, PeerSource::Dht, peers);
            }
            Some(SearchEvent::Progress(report)) => desk.search_status.running = Some(report),
            Some(SearchEvent::Done(report)) => {
                tracing::debug!(?report, "a search is over");
                desk.search_status.running = None;
                desk.search_status.last = Some(report);
                desk.search_status.ended += 1;
                self.end_search(desk, now);
            }
            // What only searches of other kinds tell.
            Some(_) => {}
            None => self.end_search(desk, now),
        }
    }

    fn end_search(&mut self, desk: &mut Desk, now: Instant) {
        desk.search = None;
        desk.clock.handle_done(now, desk.found);
        self.publish(desk, now);
    }
}

/// The next word of the search, if there is one.
pub(super) async fn next_event(
    search: &mut Option<mpsc::Receiver<SearchEvent>>,
) -> Option<SearchEvent> {
    match search {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}
