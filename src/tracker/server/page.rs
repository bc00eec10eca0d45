//! A tracker's counters for people (HTML) and for Prometheus (text exposition format 0.0.4).
//!
//! Invariant: no text from the network stands in either, and no info hash: who may see how busy a tracker
//! is need not see with what. Knows no HTTP.

use std::fmt::Write;
use std::time::Duration;

use super::stats::Stats;
use super::words::Totals;

/// What every metric's name starts with.
const PREFIX: &str = "trackless_tracker_";

/// A number, how it moves and what it is.
struct Row {
    name: &'static str,
    labels: &'static str,
    kind: &'static str,
    help: &'static str,
    value: u64,
}

/// The rows in the order of the page. Those of one name stand together.
fn rows(totals: &Totals, stats: &Stats, uptime: Duration) -> Vec<Row> {
    let mut rows = gauges(totals, uptime);
    rows.extend(announces(stats));
    rows.extend(others(stats));
    rows
}

fn gauges(totals: &Totals, uptime: Duration) -> Vec<Row> {
    let size = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let row = |name, labels, value, help| Row {
        name,
        labels,
        kind: "gauge",
        help,
        value,
    };
    let peers = "Peers known, by what they are.";
    vec![
        row(
            "uptime_seconds",
            "",
            uptime.as_secs(),
            "Seconds since the start.",
        ),
        row("torrents", "", size(totals.torrents), "Torrents known."),
        row("peers", "part=\"seeder\"", size(totals.seeders), peers),
        row("peers", "part=\"leecher\"", size(totals.leechers), peers),
        row(
            "peers_v6",
            "",
            size(totals.v6),
            "Those of them with an IPv6 address.",
        ),
    ]
}

fn counter(name: &'static str, labels: &'static str, value: u64, help: &'static str) -> Row {
    Row {
        name,
        labels,
        kind: "counter",
        help,
        value,
    }
}

fn announces(stats: &Stats) -> impl Iterator<Item = Row> {
    let help = "Announces, refused ones included.";
    let rows = [
        ("via=\"udp\",family=\"v4\"", stats.announces_udp4),
        ("via=\"udp\",family=\"v6\"", stats.announces_udp6),
        ("via=\"http\",family=\"v4\"", stats.announces_http4),
        ("via=\"http\",family=\"v6\"", stats.announces_http6),
    ];
    rows.into_iter()
        .map(move |(labels, value)| counter("announces_total", labels, value, help))
}

fn others(stats: &Stats) -> Vec<Row> {
    let scrapes = "Scrapes, of any number of torrents.";
    let refused = "Announces and scrapes refused, by reason.";
    let not_kept = "Announces served but not kept, because a bound was reached.";
    vec![
        counter(
            "connects_total",
            "",
            stats.connects,
            "Connection ids issued (UDP).",
        ),
        counter("scrapes_total", "via=\"udp\"", stats.scrapes_udp, scrapes),
        counter("scrapes_total", "via=\"http\"", stats.scrapes_http, scrapes),
        counter(
            "completed_total",
            "",
            stats.completed,
            "Downloads completed.",
        ),
        counter(
            "refused_total",
            "reason=\"torrent\"",
            stats.refused_torrent,
            refused,
        ),
        counter(
            "refused_total",
            "reason=\"port\"",
            stats.refused_port,
            refused,
        ),
        counter(
            "refused_total",
            "reason=\"connection\"",
            stats.refused_connection,
            refused,
        ),
        counter(
            "malformed_total",
            "",
            stats.malformed,
            "Requests that could not be read.",
        ),
        counter("not_kept_total", "", stats.not_kept, not_kept),
    ]
}

/// The text for Prometheus.
pub fn prometheus(totals: &Totals, stats: &Stats, uptime: Duration) -> String {
    let mut text = String::new();
    let mut last = "";
    for row in rows(totals, stats, uptime) {
        // Writing to a string cannot fail.
        if row.name != last {
            let _ = writeln!(text, "# HELP {PREFIX}{} {}", row.name, row.help);
            let _ = writeln!(text, "# TYPE {PREFIX}{} {}", row.name, row.kind);
        }
        last = row.name;
        let _ = match row.labels {
            "" => writeln!(text, "{PREFIX}{} {}", row.name, row.value),
            labels => writeln!(text, "{PREFIX}{}{{{labels}}} {}", row.name, row.value),
        };
    }
    text
}

/// The page for people: one table, nothing to load.
pub fn html(totals: &Totals, stats: &Stats, uptime: Duration) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>trackless tracker</title>\
         <style>body{font-family:sans-serif;margin:2em}td{padding:.2em 1em}\
         td:last-child{text-align:right}</style><h1>trackless tracker</h1><table>\n",
    );
    for row in rows(totals, stats, uptime) {
        let name = row.name.trim_end_matches("_total").replace('_', " ");
        let labels = row.labels.replace('"', "").replace(',', ", ");
        let help = row.help;
        let _ = writeln!(
            page,
            "<tr title=\"{help}\"><td>{name}<td>{labels}<td>{}",
            row.value
        );
    }
    page.push_str("</table><p><a href=\"/metrics\">metrics</a></html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Totals, Stats) {
        let totals = Totals {
            torrents: 2,
            seeders: 3,
            leechers: 4,
            v6: 1,
        };
        let stats = Stats {
            announces_udp4: 5,
            refused_torrent: 6,
            ..Stats::default()
        };
        (totals, stats)
    }

    #[test]
    fn every_metric_is_described_once_and_before_its_values() {
        let (totals, stats) = sample();
        let text = prometheus(&totals, &stats, Duration::from_secs(7));
        let mut described = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().unwrap();
                assert!(described.insert(name.to_owned()), "{name} twice");
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert!(described.contains(name), "{line}");
            }
        }
        for line in [
            "trackless_tracker_uptime_seconds 7",
            "trackless_tracker_torrents 2",
            "trackless_tracker_peers{part=\"seeder\"} 3",
            "trackless_tracker_peers{part=\"leecher\"} 4",
            "trackless_tracker_announces_total{via=\"udp\",family=\"v4\"} 5",
            "trackless_tracker_refused_total{reason=\"torrent\"} 6",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn the_page_has_the_same_numbers() {
        let (totals, stats) = sample();
        let page = html(&totals, &stats, Duration::from_secs(7));
        assert!(page.starts_with("<!doctype html>"));
        assert!(page.contains("<td>torrents<td><td>2\n"), "{page}");
        assert!(
            page.contains("<td>announces<td>via=udp, family=v4<td>5\n"),
            "{page}"
        );
    }
}
