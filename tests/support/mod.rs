//! What the tests over real sockets share: torrents made independently, processes that end with their owner, waiting.
//!
//! Every test binary compiles its own copy and uses a part of it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "one part for each test binary, which has no outside"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]

pub mod caller;
pub mod client;
pub mod http;
pub mod line;
pub mod network;
pub mod peer;
pub mod process;
pub mod torrent;

use std::time::{Duration, Instant};

/// Polls `condition` until it holds and says after how long it did; `None` once `limit` has passed.
///
/// The one place where a test pauses: what is waited for happens in another process, which cannot call us.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> Option<Duration> {
    let start = Instant::now();
    loop {
        if condition() {
            return Some(start.elapsed());
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Seconds as a duration, to keep deadlines readable.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
