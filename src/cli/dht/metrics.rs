//! A node's counters under stable names: the rows of `dht stats` and the Prometheus text of
//! `dht node --metrics` (text exposition format 0.0.4).
//!
//! Invariant: metrics of one name stand together, and no label holds text from the network.

use std::fmt::Write;

use dht::{Queries, Stats};

use crate::io::View;

/// What every name starts with in the Prometheus text.
const PREFIX: &str = "trackless_dht_";

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    /// Without prefix and suffix.
    pub(super) name: &'static str,
    /// Distinguishes metrics of one name.
    pub(super) label: Option<(&'static str, &'static str)>,
    /// The count.
    pub(super) value: u64,
    kind: Kind,
    help: &'static str,
}

/// How a value moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Up only.
    Counter,
    /// Up and down.
    Gauge,
}

impl Metric {
    /// `queries in: ping`.
    pub(super) fn words(&self) -> String {
        let name = self.name.replace('_', " ");
        match self.label {
            None => name,
            Some((_, value)) => format!("{name}: {}", value.replace('_', " ")),
        }
    }
}

/// The numbers of a view: gauges first, then counters.
pub(super) fn of(view: &View) -> Vec<Metric> {
    let mut all = gauges(view);
    all.extend(counters(&view.stats));
    all
}

fn gauges(view: &View) -> Vec<Metric> {
    let mut all = Vec::new();
    let mut add = |name, label, value: usize, help| {
        all.push(Metric {
            name,
            label,
            value: value as u64,
            kind: Kind::Gauge,
            help,
        });
    };
    for ((_, table), family) in view.tables.iter().zip(["v4", "v6"]) {
        let contacts = table.iter().map(Vec::len).sum();
        let help = "Contacts in the routing table.";
        add("contacts", Some(("family", family)), contacts, help);
    }
    let help = "Contacts remembered beside the routing table.";
    add("pool", None, view.pool, help);
    let help = "Nodes in the network, estimated from lookups; 0 before the first.";
    for ((_, size), family) in view.sizes.iter().zip(["v4", "v6"]) {
        let nodes = size.map_or(0.0, |size| size.nodes.round());
        add(
            "network_size",
            Some(("family", family)),
            nodes as usize,
            help,
        );
    }
    let (items, item_bytes) = view.items;
    add("stored_items", None, items, "Items stored for others.");
    add(
        "stored_item_bytes",
        None,
        item_bytes,
        "Bytes of these items.",
    );
    let (torrents, peers) = view.stored;
    let help = "Torrents announced to this node.";
    add("stored_torrents", None, torrents, help);
    add("stored_peers", None, peers, "Peers announced to this node.");
    all
}

fn counters(stats: &Stats) -> Vec<Metric> {
    let mut all = Vec::new();
    let mut add = |name, label, value, help| {
        all.push(Metric {
            name,
            label,
            value,
            kind: Kind::Counter,
            help,
        });
    };
    for (name, value, help) in [
        ("datagrams_in", stats.datagrams_in, "Datagrams received."),
        ("datagrams_out", stats.datagrams_out, "Datagrams sent."),
        ("bytes_in", stats.bytes_in, "Payload bytes received."),
        ("bytes_out", stats.bytes_out, "Payload bytes sent."),
    ] {
        add(name, None, value, help);
    }
    for (method, value) in methods(&stats.queries_in) {
        let label = Some(("method", method));
        add("queries_in", label, value, "Queries answered.");
    }
    for (method, value) in methods(&stats.queries_out) {
        let label = Some(("method", method));
        add("queries_out", label, value, "Queries sent.");
    }
    let named = [
        (
            "responses",
            stats.responses,
            "Answers that matched a question.",
        ),
        (
            "failures",
            stats.failures,
            "Errors that matched a question.",
        ),
        (
            "timeouts",
            stats.timeouts,
            "Questions that nobody answered.",
        ),
        (
            "impostors",
            stats.impostors,
            "Answers from another node than expected.",
        ),
    ];
    for (name, value, help) in named {
        add(name, None, value, help);
    }
    for (reason, value) in dropped(stats) {
        let label = Some(("reason", reason));
        add("dropped", label, value, "Datagrams dropped.");
    }
    all
}

fn methods(queries: &Queries) -> [(&'static str, u64); 8] {
    [
        ("ping", queries.ping),
        ("find_node", queries.find_node),
        ("get_peers", queries.get_peers),
        ("announce_peer", queries.announce_peer),
        ("get", queries.get),
        ("put", queries.put),
        ("sample_infohashes", queries.sample_infohashes),
        ("other", queries.other),
    ]
}

fn dropped(stats: &Stats) -> [(&'static str, u64); 8] {
    let dropped = &stats.dropped;
    [
        ("not_krpc", dropped.not_krpc),
        ("bencode", dropped.bencode),
        ("incomplete", dropped.incomplete),
        ("address", dropped.address),
        ("own_id", dropped.own_id),
        ("unasked", dropped.unasked),
        ("limited", dropped.limited),
        ("read_only", dropped.read_only),
    ]
}

/// The text that Prometheus reads.
pub(super) fn prometheus(metrics: &[Metric]) -> String {
    let mut text = String::new();
    let mut before = None;
    for metric in metrics {
        let (kind, suffix) = match metric.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let name = format!("{PREFIX}{}{suffix}", metric.name);
        // Writing to a String cannot fail.
        if before.replace(metric.name) != Some(metric.name) {
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
        }
        let _ = match metric.label {
            None => writeln!(text, "{name} {}", metric.value),
            Some((key, label)) => writeln!(text, "{name}{{{key}=\"{label}\"}} {}", metric.value),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &'static str, label: Option<&'static str>, kind: Kind) -> Metric {
        Metric {
            name,
            label: label.map(|label| ("method", label)),
            value: 7,
            kind,
            help: "Help.",
        }
    }

    #[test]
    fn a_name_is_explained_once_and_counters_end_in_total() {
        let text = prometheus(&[
            metric("contacts", None, Kind::Gauge),
            metric("queries_in", Some("ping"), Kind::Counter),
            metric("queries_in", Some("find_node"), Kind::Counter),
        ]);
        let expected = "# HELP trackless_dht_contacts Help.\n# TYPE trackless_dht_contacts gauge\n\
            trackless_dht_contacts 7\n\
            # HELP trackless_dht_queries_in_total Help.\n\
            # TYPE trackless_dht_queries_in_total counter\n\
            trackless_dht_queries_in_total{method=\"ping\"} 7\n\
            trackless_dht_queries_in_total{method=\"find_node\"} 7\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn words_are_readable() {
        let words = metric("queries_in", Some("find_node"), Kind::Counter).words();
        assert_eq!(words, "queries in: find node");
    }
}
