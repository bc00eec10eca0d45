//! A BitTorrent client that needs no tracker.

pub mod metainfo;

pub mod wire;

pub mod swarm;

pub mod storage;

pub mod io;

pub mod cli;
