//! Tests of the metainfo module, by subject.

mod create;
mod info_hash;
mod magnet;
mod malformed;
mod odd;
mod path;
mod properties;
mod torrent;
