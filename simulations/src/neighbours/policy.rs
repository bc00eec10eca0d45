//! What distinguishes the implementations, as data (dht.md §1a lookups, §1b tables, §1c serving).
//!
//! One `Policy` a kind; the machine reads it and knows no kinds. Knows no time and no network.

use std::time::Duration;

/// How many queries of a lookup may be out at once (§1a "α").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// So many that hold their slot, counted only among candidates ahead of the k-th live one.
    Ahead(usize),
    /// So many that hold their slot, wherever they are.
    Total(usize),
    /// Like `Total`, but while an answer nearer than all others may come, only such are asked.
    Homing(usize),
    /// So many at each step, and one more for each reply, the farthest that can be asked.
    Reply(usize),
    /// Every candidate among the closest k.
    All,
}

/// When a question stops to hold its slot, though its answer is still welcome (§1a "timeout").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// After this time.
    Fixed(Duration),
    /// After max(p10 + 100 ms, p90) of the round trips seen.
    Learned,
    /// Not before it has failed.
    Never,
}

/// When a lookup ends (§1a "Termination").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// k live ones with no question out ahead of the last; stalled ones count as out.
    NothingAhead,
    /// No question out at all, and no candidate closer than the k-th live one.
    Idle,
    /// At a step of this length, the longest first: the closest k that are not dead have replied.
    Step(Duration, Duration),
}

/// What else is sent to a node that a lookup visits (§1a "Extra traffic per visit").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    None,
    /// A ping.
    Ping,
}

/// Who gets into the table (§1b "Insert rule").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// Who answered a question of ours.
    Answered,
    /// Whoever sends anything, `ro` or not.
    AnySender,
}

/// How alike addresses in the table may be (§1b "Insert rule").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Any endpoint.
    Endpoint,
    /// One of an IP address.
    Ip,
    /// One of an IP address, and one of a /24 in a bucket.
    Subnet,
}

/// What an upkeep question asks (§1b "Refresh").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `get_peers` of a random id in the bucket if that has room, else a ping.
    PeersOrPing,
    /// `find_node` of a random id in the bucket; of the own id while the table grows.
    Nodes,
    /// A ping.
    Ping,
}

/// How a table is kept fresh (§1b "Refresh").
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// Between two probes, if there was something to do: drawn from this range.
    pub busy: (Duration, Duration),
    /// Between two looks, if there was nothing to do; not before something becomes due.
    pub calm: (Duration, Duration),
    /// Entries of which nothing was heard, and which were not asked, for so long are probed.
    pub silent: Duration,
    /// Most probes at one time.
    pub burst: usize,
    /// What is asked.
    pub probe: Probe,
    /// Between two lookups of the own id.
    pub own: Option<Duration>,
    /// The own id is looked up only if no entry shares so many bits with it (161: always).
    pub own_below: usize,
    /// Between two lookups of random ids.
    pub random: Option<Duration>,
}

/// What inbound queries are answered (§1c "Inbound limits").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// All.
    None,
    /// So many bytes of replies a second, and at most so many at once.
    Bytes(u32, u32),
    /// So many replies a second, and at most so many at once.
    Replies(u32, u32),
}

/// What happens to an announcement when the store is full (§1c "Peers stored").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// It is dropped, and no token is given out.
    Refuse,
    /// The oldest goes.
    Oldest,
}

/// How announced peers are kept (§1c).
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Torrents.
    pub hashes: usize,
    /// Peers of one torrent.
    pub peers: usize,
    /// How long an announcement counts ("TTL").
    pub lifetime: Duration,
    /// Peers in one reply ("Values per reply").
    pub values: usize,
    /// What happens when there is no room.
    pub full: Full,
}

/// How one implementation behaves.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `v` in its messages, so that captures can be told apart.
    pub version: [u8; 4],
    /// Contacts in a reply and live ones that a lookup wants (§1a "k").
    pub k: usize,
    /// Questions at once.
    pub slots: Slots,
    /// Candidates that a lookup remembers (§1a "Candidate list").
    pub candidates: usize,
    /// When a slot becomes free.
    pub stall: Stall,
    /// When a question has failed, or is sent again.
    pub timeout: Duration,
    /// How often one question is sent (§1a "Retransmit").
    pub sends: u8,
    /// When a lookup is over.
    pub ending: Ending,
    /// What goes along with each visit.
    pub extra: Extra,
    /// To how many an announcement goes; always after the end of the lookup.
    pub announces: usize,
    /// Room in buckets, from the one that shares no bit with us; the last is that of all further ones.
    pub capacities: &'static [usize],
    /// Who gets in.
    pub insert: Insert,
    /// How alike addresses may be.
    pub spread: Spread,
    /// Contacts with fewer failures, that have answered, are handed out (§1b "Liveness").
    pub handed_below: u8,
    /// From so many failures on, a contact gives way to a new one (§1b "Liveness").
    pub replaced_at: u8,
    /// With so many failures it goes (§1b "Liveness").
    pub evicted_at: u8,
    /// How the table is kept.
    pub upkeep: Upkeep,
    /// How peers are kept.
    pub storage: Storage,
    /// How much is answered.
    pub quota: Quota,
}
