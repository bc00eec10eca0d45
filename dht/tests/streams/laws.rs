//! What holds after every step of every life: what the node sends, tells, counts and keeps.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bencode::{AddressPolicy, Endpoint, Limits, Value};
use trackless_dht::{CAPACITIES, Event, Family, K, Node, Stats, Transmit, items};

/// Longest datagram of ours (`Transmit::payload`).
const MAX_PAYLOAD: usize = 1_400;
/// Most hashes and peers stored, a generous reading of the store's own bounds.
const MAX_STORED: (usize, usize) = (10_000, 100_000);
/// Peers of one event: those of one answer, or of our own store.
const MAX_PEERS: usize = 2_000;

fn dict(payload: &[u8]) -> Value<'_> {
    bencode::parse(payload, &Limits::KRPC).expect("the node writes well")
}

/// The `t` of a message of ours.
pub(crate) fn transaction(payload: &[u8]) -> Vec<u8> {
    let t = dict(payload).get("t").and_then(|t| t.as_bytes());
    t.expect("every message has one").to_vec()
}

/// The laws, and what they need to remember.
pub(crate) struct Laws {
    policy: AddressPolicy,
    digest: u64,
    token: Option<Vec<u8>>,
    /// Queries without a reply so far, by who sent them and as what transaction.
    unanswered: BTreeMap<(SocketAddr, Vec<u8>), usize>,
    counted: u64,
}

impl Laws {
    pub(crate) fn new() -> Laws {
        Laws {
            policy: AddressPolicy::new(Vec::new()),
            digest: 0xcbf2_9ce4_8422_2325,
            token: None,
            unanswered: BTreeMap::new(),
            counted: 0,
        }
    }

    /// FNV-1a of all that was said and told.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// The token of the last answer that had one.
    pub(crate) fn last_token(&self) -> Option<&[u8]> {
        self.token.as_deref()
    }

    /// A step begins: this datagram was handled, or none.
    pub(crate) fn begin(&mut self, heard: Option<(SocketAddr, &[u8])>) {
        let Some((from, payload)) = heard else {
            return;
        };
        self.counted += 1;
        let Ok(root) = bencode::parse(payload, &Limits::KRPC) else {
            return;
        };
        let text = |key| root.get(key).and_then(|value| value.as_bytes());
        if let (Some(b"q"), Some(t)) = (text("y"), text("t")) {
            *self.unanswered.entry((from, t.to_vec())).or_default() += 1;
        }
    }

    /// The node sends this. Whether it is a question.
    pub(crate) fn said(&mut self, transmit: &Transmit) -> bool {
        let payload = &transmit.payload;
        assert!(payload.len() <= MAX_PAYLOAD, "{} bytes", payload.len());
        let to = Endpoint::from(transmit.to);
        assert!(self.policy.admits(to), "sends to {to}");
        self.note(payload);
        let root = dict(payload);
        let kind = root.get("y").and_then(|y| y.as_bytes());
        if kind == Some(b"q") {
            return true;
        }
        // A reply may wait until its asker has proved its address, so it need not follow its query at once.
        let asked = self
            .unanswered
            .get_mut(&(transmit.to, transaction(payload)));
        match asked {
            Some(queries) if *queries > 0 => *queries -= 1,
            _ => panic!("a reply to {to} that nobody asked for, or the second one"),
        }
        let token = root.get("r").and_then(|r| r.get("token")?.as_bytes());
        if let Some(token) = token {
            self.token = Some(token.to_vec());
        }
        false
    }

    /// The node tells its owner this.
    pub(crate) fn told(&mut self, event: &Event) {
        self.note(format!("{event:?}").as_bytes());
        match event {
            Event::Peers { peers, .. } => {
                assert!(!peers.is_empty() && peers.len() <= MAX_PEERS);
                assert!(peers.iter().all(|peer| self.policy.admits(*peer)));
            }
            Event::LookupDone { report, .. } => {
                assert!(report.closest.len() <= 2 * K);
                assert!(report.answered + report.timed_out <= report.asked);
            }
            Event::Item { item, .. } => assert_eq!(item.verify(), Ok(()), "a forged item"),
            Event::Samples { hashes, .. } => assert!(hashes.len() <= 64),
            Event::ExternalAddress(ip) => assert!(self.policy.admits_ip(*ip), "we are {ip}?"),
            _ => {}
        }
    }

    /// A step ends.
    pub(crate) fn end(&mut self, node: &Node) {
        let stats = node.stats();
        assert_eq!(stats.datagrams_in, self.counted);
        assert_eq!(
            accounted(stats),
            self.counted,
            "each datagram has one fate: {stats:?}"
        );
        for family in [Family::V4, Family::V6] {
            let [.., last] = CAPACITIES;
            for (bits, bucket) in node.buckets(family).enumerate() {
                let capacity = CAPACITIES.get(bits).copied().unwrap_or(last);
                assert!(
                    bucket.len() <= capacity,
                    "bucket {bits} holds {}",
                    bucket.len()
                );
                let admitted =
                    |entry: &trackless_dht::Entry| self.policy.admits(entry.contact.endpoint);
                assert!(bucket.iter().all(admitted));
            }
        }
        let (hashes, peers) = node.stored();
        assert!(hashes <= MAX_STORED.0 && peers <= MAX_STORED.1);
        let (items, bytes) = node.stored_items();
        assert!(items <= items::MAX_ITEMS && bytes <= items::MAX_BYTES);
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Datagrams of which it is known what became of them. A new reason to drop one belongs in here.
fn accounted(stats: &Stats) -> u64 {
    let dropped = &stats.dropped;
    let queries = &stats.queries_in;
    let answered = queries.ping
        + queries.find_node
        + queries.get_peers
        + queries.announce_peer
        + queries.get
        + queries.put
        + queries.sample_infohashes
        + queries.other;
    let unread = dropped.not_krpc + dropped.bencode + dropped.incomplete + dropped.address;
    let refused = dropped.own_id + dropped.unasked + dropped.limited + dropped.read_only;
    answered + unread + refused + stats.responses + stats.failures + stats.impostors
}
