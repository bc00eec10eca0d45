//! The rows of dht.md §1 as values of `Policy`, one a kind.
//!
//! Deviation: where a row is silent, the value of BEP 5 or the plainest one stands. Full buckets
//! have no replacement caches; a bucket is a shared prefix, so that none is ever split.

use std::time::Duration;

use super::Kind;
use super::policy::{
    Ending, Extra, Full, Insert, Policy, Probe, Quota, Slots, Spread, Stall, Storage, Upkeep,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

impl Kind {
    /// How this kind behaves.
    #[must_use]
    pub fn policy(self) -> &'static Policy {
        match self {
            // A client behind a NAT does not know it; the NAT itself is the world's.
            Kind::Libtorrent | Kind::Natted => &LIBTORRENT,
            Kind::Mldht => &MLDHT,
            Kind::Jech => &JECH,
            Kind::Flood => &FLOOD,
            Kind::Bep5 => &BEP5,
        }
    }
}

/// libtorrent 2.1.
static LIBTORRENT: Policy = Policy {
    version: *b"LT\x02\x01",
    k: 8,
    slots: Slots::Ahead(5),
    candidates: 100,
    stall: Stall::Fixed(secs(1)),
    timeout: secs(15),
    sends: 1,
    ending: Ending::NothingAhead,
    extra: Extra::None,
    announces: 8,
    capacities: &[128, 64, 32, 16, 8],
    insert: Insert::Answered,
    spread: Spread::Subnet,
    handed_below: 1,
    replaced_at: 1,
    evicted_at: 20,
    upkeep: Upkeep {
        busy: (secs(5), secs(5)),
        calm: (secs(5), secs(10)),
        silent: Duration::ZERO,
        burst: 1,
        probe: Probe::PeersOrPing,
        own: Some(mins(10)),
        own_below: 4,
        random: None,
    },
    storage: Storage {
        hashes: 2_000,
        peers: 500,
        lifetime: mins(45),
        values: 100,
        full: Full::Refuse,
    },
    quota: Quota::Bytes(8_000, 24_000),
};

/// mldht. Deviation: its store has no bound of hashes; here one bounds the run's memory.
static MLDHT: Policy = Policy {
    version: *b"ml\x00\x01",
    k: 8,
    slots: Slots::Homing(10),
    candidates: 200,
    stall: Stall::Learned,
    timeout: secs(10),
    // Its retransmits need several sources of a contact, which are not counted here.
    sends: 1,
    ending: Ending::Idle,
    extra: Extra::None,
    announces: 8,
    capacities: &[8],
    insert: Insert::Answered,
    spread: Spread::Ip,
    handed_below: 2,
    replaced_at: 3,
    evicted_at: 6,
    upkeep: Upkeep {
        busy: (secs(5), secs(10)),
        calm: (secs(30), secs(60)),
        silent: mins(15),
        burst: 1,
        probe: Probe::Ping,
        own: Some(mins(30)),
        own_below: 161,
        random: Some(mins(10)),
    },
    storage: Storage {
        hashes: 20_000,
        peers: 6_000,
        lifetime: mins(60),
        values: 50,
        full: Full::Oldest,
    },
    quota: Quota::None,
};

/// jech/dht, the DHT of Transmission.
static JECH: Policy = Policy {
    version: *b"JC\x00\x00",
    k: 8,
    slots: Slots::Reply(4),
    candidates: 14,
    // Its slots are counted anew at each step, where what is out for longer than this is not.
    stall: Stall::Fixed(secs(10)),
    timeout: secs(10),
    sends: 3,
    ending: Ending::Step(secs(10), secs(20)),
    extra: Extra::None,
    announces: 8,
    capacities: &[128, 64, 32, 16, 8],
    insert: Insert::AnySender,
    spread: Spread::Endpoint,
    handed_below: 3,
    replaced_at: 3,
    evicted_at: 4,
    upkeep: Upkeep {
        busy: (secs(5), secs(15)),
        calm: (secs(60), secs(180)),
        silent: mins(10),
        burst: 1,
        probe: Probe::Nodes,
        own: None,
        own_below: 0,
        random: None,
    },
    storage: Storage {
        hashes: 16_384,
        peers: 2_048,
        lifetime: mins(32),
        values: 50,
        full: Full::Refuse,
    },
    quota: Quota::Replies(100, 400),
};

/// pubky's mainline 7.
static FLOOD: Policy = Policy {
    version: *b"RS\x00\x07",
    k: 20,
    slots: Slots::All,
    candidates: 200,
    stall: Stall::Never,
    timeout: secs(2),
    sends: 1,
    ending: Ending::Idle,
    extra: Extra::Ping,
    announces: 20,
    capacities: &[20],
    insert: Insert::Answered,
    spread: Spread::Ip,
    handed_below: 2,
    replaced_at: 1,
    evicted_at: 2,
    upkeep: Upkeep {
        busy: (mins(5), mins(5)),
        calm: (mins(5), mins(5)),
        silent: secs(10),
        burst: 400,
        probe: Probe::Ping,
        own: Some(mins(15)),
        own_below: 161,
        random: None,
    },
    storage: Storage {
        hashes: 2_000,
        peers: 500,
        // It forgets only for want of room; a day is longer than any run's announcement matters.
        lifetime: mins(24 * 60),
        values: 10,
        full: Full::Oldest,
    },
    quota: Quota::None,
};

/// BEP 5 to the letter, with the usual α of 3 and 2 s.
static BEP5: Policy = Policy {
    version: *b"B5\x00\x00",
    k: 8,
    slots: Slots::Total(3),
    candidates: 100,
    stall: Stall::Never,
    timeout: secs(2),
    sends: 1,
    ending: Ending::Idle,
    extra: Extra::None,
    announces: 8,
    capacities: &[8],
    insert: Insert::Answered,
    spread: Spread::Endpoint,
    handed_below: 1,
    replaced_at: 2,
    evicted_at: 5,
    upkeep: Upkeep {
        busy: (secs(5), secs(10)),
        calm: (secs(30), secs(60)),
        silent: mins(15),
        burst: 1,
        probe: Probe::Ping,
        own: None,
        own_below: 0,
        random: Some(mins(15)),
    },
    storage: Storage {
        hashes: 2_000,
        peers: 500,
        lifetime: mins(30),
        values: 50,
        full: Full::Oldest,
    },
    quota: Quota::None,
};
