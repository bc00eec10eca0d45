//! Tests of the metainfo module, by subject.

mod create;
mod info_hash;
mod magnet;
mod malformed;
mod path;
mod properties;
mod torrent;
