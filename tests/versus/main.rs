//! Our DHT node against other people's, over loopback sockets: every query in both directions. Where two implementations
//! read a BEP differently, one of these fails.
//!
//! `pubky` is the `mainline` crate, `libtorrent` its Python binding. Where that is not installed its tests fail when `CI`
//! is set and are reported as skipped elsewhere.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets and the real clock"
)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(missing_docs, reason = "a test binary has no readers outside")]

mod libtorrent;
mod live;
mod pubky;
