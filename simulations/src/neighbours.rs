//! The interface of other people's clients that the world uses; their policies follow.
#![allow(
    missing_docs,
    unused_variables,
    clippy::unimplemented,
    clippy::pedantic,
    clippy::new_ret_no_self
)]
use dht::{Contact, Endpoint, Id, Transmit};
use std::net::SocketAddr;
use std::time::Instant;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Libtorrent,
    Mldht,
    Jech,
    Flood,
    Natted,
    Bep5,
}
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    pub shares: [u8; 5],
}
impl Default for Mix {
    fn default() -> Self {
        Mix {
            shares: [45, 5, 20, 5, 25],
        }
    }
}
impl Mix {
    pub fn draw(&self, rng: &mut impl rand::Rng) -> Kind {
        Kind::Jech
    }
}
#[derive(Debug)]
pub struct Neighbour;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub target: Id,
    pub asked: u32,
    pub answered: u32,
    pub timed_out: u32,
    pub hops: u32,
    pub announced: u32,
    pub closest: Vec<Contact>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Peers { lookup: u64, peers: Vec<Endpoint> },
    Done { lookup: u64, report: Report },
}
impl Neighbour {
    pub fn new(kind: Kind, id: Id, seed: [u8; 32], now: Instant) -> Neighbour {
        unimplemented!()
    }
    pub fn join(&mut self, now: Instant, contacts: impl IntoIterator<Item = Endpoint>) {}
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {}
    pub fn handle_timeout(&mut self, now: Instant) {}
    pub fn next_timeout(&self) -> Instant {
        unimplemented!()
    }
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    pub fn get_peers(&mut self, now: Instant, info_hash: Id) -> u64 {
        0
    }
    pub fn announce(&mut self, now: Instant, info_hash: Id, port: u16) -> u64 {
        0
    }
    pub fn find_node(&mut self, now: Instant, target: Id) -> u64 {
        0
    }
    pub fn id(&self) -> Id {
        unimplemented!()
    }
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        std::iter::empty()
    }
}
