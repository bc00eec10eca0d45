//! What this program allows itself and others: every bound on connections, descriptors, waiting bytes
//! and replies, in one place (reliability.md §7 rule 4, rows S16, P1, P7, P11-P13, P22, A13).
//!
//! Invariant: each bound is enforced where the thing is counted, by one owner, which takes it from
//! here; [`all`] names them for people and programs. Bounds on the length of messages stand with their
//! parsers. It counts nothing itself.

/// Bytes that may wait for a peer that goes on sending. The torrent lets 1 MiB of blocks and 1 MiB
/// of metadata wait (reliability.md P14, P22), the rest is room for `have` on a slow line.
pub const BACKLOG_PER_PEER: usize = 4 << 20;

/// Bytes of blocks read for a peer and not yet written to its socket (P22).
pub const UNSENT_PER_PEER: usize = 1 << 20;

/// Requests a peer may have waiting (P7).
pub const REQUESTS_PER_PEER: usize = 512;

/// Bytes of pieces that are not written yet, of each torrent: what waits for the disk.
pub const PIECES_IN_MEMORY: u64 = 12 << 20;

/// Bytes of unchecked metadata, of each torrent (P13).
pub const METADATA_COPIES: usize = 64 << 20;

/// Connections of a torrent, where its owner says nothing else.
pub const CONNECTIONS_PER_TORRENT: usize = 200;

/// Of each hundred places of a full torrent, those that one network (/24, /48) may take (A13).
pub const NETWORK_SHARE: usize = 20;

/// Connections opening at once, of all torrents: what two torrents may ask for. With all of them going
/// nowhere, twelve new ones begin each second.
pub const HALF_OPEN: usize = 100;

/// The same of one torrent.
pub const HALF_OPEN_PER_TORRENT: usize = 50;

/// Connections opening at once into one network (/24, /48), of each torrent. Threat: a list of one
/// victim's hosts, by a tracker or the DHT (P12, §4.1 "fake peers").
pub const HALF_OPEN_PER_NETWORK: usize = 4;

/// Attempts a second to addresses that only peers named (P11).
pub const HEARSAY_DIALS_PER_SECOND: usize = 2;

/// Callers that have not said which torrent they want; beyond, the oldest goes (P1).
pub const UNFINISHED: usize = 256;

/// The same of one host (IPv6: /64). Deviation: 16 rather than the 3 of P1, because several torrents
/// share the port and address translation puts many people behind one address.
pub const UNFINISHED_PER_HOST: usize = 16;

/// Descriptors kept for what must go on with every place taken: state, names, DHT, trackers, a lock.
pub const DESCRIPTORS_RESERVED: usize = 32;

/// Files that a torrent's storage keeps open.
pub const OPEN_FILES: usize = 64;

/// Descriptors assumed where there is no limit.
const DESCRIPTORS_UNLIMITED: u64 = 65_536;

/// Jobs that may wait for a torrent's disk.
pub const DISK_JOBS: usize = 16_384;

/// UDP bytes a second to sources that have not proved their address (G11).
pub const UNPROVEN_REPLY_BYTES: u64 = dht::UNPROVEN_RATE as u64;

/// Datagrams a second that a node answers, in all.
pub const REPLIES_PER_SECOND: u64 = dht::GLOBAL_RATE as u64;

/// How the descriptors of the process are shared out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptors {
    /// All of them.
    pub limit: u64,
    /// For callers that have not said what they want.
    pub unfinished: usize,
    /// For connections that are opening.
    pub half_open: usize,
    /// For connections that stand.
    pub connections: usize,
}

impl Descriptors {
    /// Under the limit `RLIMIT_NOFILE`; `None`: there is none. Where there are too few for anything,
    /// some connections are tried all the same.
    pub fn of(limit: Option<u64>) -> Descriptors {
        let limit = limit.unwrap_or(DESCRIPTORS_UNLIMITED);
        let all = usize::try_from(limit).unwrap_or(usize::MAX);
        let free = all.saturating_sub(DESCRIPTORS_RESERVED + OPEN_FILES);
        let fifth = free / 5;
        let unfinished = fifth.clamp(4, UNFINISHED);
        let half_open = fifth.clamp(4, HALF_OPEN);
        Descriptors {
            limit,
            unfinished,
            half_open,
            connections: free.saturating_sub(unfinished + half_open).max(8),
        }
    }
}

/// One bound, for people and programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// In snake case; never changes its meaning.
    pub name: &'static str,
    /// At most so many.
    pub limit: u64,
    /// Of what.
    pub unit: &'static str,
}

/// Every bound, under this limit of descriptors.
pub fn all(files: Option<u64>) -> Vec<Budget> {
    let shares = Descriptors::of(files);
    let size = |count: usize| count as u64;
    [
        ("descriptors", shares.limit, "descriptors"),
        (
            "descriptors_reserved",
            size(DESCRIPTORS_RESERVED),
            "descriptors",
        ),
        ("open_files", size(OPEN_FILES), "files a torrent"),
        ("connections", size(shares.connections), "connections"),
        (
            "connections_per_torrent",
            size(CONNECTIONS_PER_TORRENT.min(shares.connections)),
            "connections",
        ),
        (
            "network_share",
            size(NETWORK_SHARE),
            "percent of a full torrent's connections",
        ),
        ("half_open", size(shares.half_open), "connections opening"),
        (
            "half_open_per_torrent",
            size(HALF_OPEN_PER_TORRENT),
            "connections opening",
        ),
        (
            "half_open_per_network",
            size(HALF_OPEN_PER_NETWORK),
            "connections opening into a /24 or /48",
        ),
        (
            "hearsay_dials",
            size(HEARSAY_DIALS_PER_SECOND),
            "attempts a second",
        ),
        ("unfinished", size(shares.unfinished), "callers"),
        (
            "unfinished_per_host",
            size(UNFINISHED_PER_HOST.min(shares.unfinished)),
            "callers",
        ),
        ("requests_per_peer", size(REQUESTS_PER_PEER), "requests"),
        ("unsent_per_peer", size(UNSENT_PER_PEER), "bytes"),
        ("backlog_per_peer", size(BACKLOG_PER_PEER), "bytes"),
        ("pieces_in_memory", PIECES_IN_MEMORY, "bytes a torrent"),
        ("metadata_copies", size(METADATA_COPIES), "bytes a torrent"),
        ("disk_jobs", size(DISK_JOBS), "jobs a torrent"),
        (
            "unproven_reply_bytes",
            UNPROVEN_REPLY_BYTES,
            "UDP bytes a second",
        ),
        ("replies", REPLIES_PER_SECOND, "UDP replies a second"),
    ]
    .into_iter()
    .map(|(name, limit, unit)| Budget { name, limit, unit })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows S16: whatever the limit, what must go on has its descriptors.
    #[test]
    fn shares_never_exceed_the_limit() {
        for limit in [128, 200, 256, 512, 1_024, 4_096, 1 << 20] {
            let shares = Descriptors::of(Some(limit));
            let sum = shares.unfinished + shares.half_open + shares.connections;
            let all = usize::try_from(limit).expect("small");
            assert!(sum + DESCRIPTORS_RESERVED + OPEN_FILES <= all, "{shares:?}");
        }
        let few = Descriptors::of(Some(256));
        assert_eq!(
            (few.unfinished, few.half_open, few.connections),
            (32, 32, 96)
        );
        let usual = Descriptors::of(Some(4_096));
        assert_eq!((usual.unfinished, usual.half_open), (UNFINISHED, HALF_OPEN));
        assert!(Descriptors::of(Some(0)).connections > 0);
        assert_eq!(Descriptors::of(None).limit, DESCRIPTORS_UNLIMITED);
    }

    #[test]
    fn names_are_unique_and_limits_are_limits() {
        let all = all(Some(1_024));
        let names: std::collections::BTreeSet<_> = all.iter().map(|budget| budget.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(
            all.iter()
                .all(|budget| budget.limit > 0 && !budget.unit.is_empty())
        );
    }

    /// The storage counts its files and jobs by constants of its own.
    #[test]
    fn the_storage_keeps_to_what_is_said_here() {
        let files = include_str!("../storage/files.rs");
        assert!(files.contains(&format!("NonZeroUsize::new({OPEN_FILES})")));
        let jobs = include_str!("../io/disk.rs");
        assert!(jobs.contains("const QUEUE: usize = 16_384;") && DISK_JOBS == 16_384);
    }
}
