//! The updates as sentences for people: one plain line each, and for a terminal the same with a
//! bar where there is an end.
//!
//! Every text is a true sentence with figures (rule 2 of `cli.md`); none promises anything. Names
//! from the network are escaped here, at the last door before the terminal.

use std::time::Duration;

use super::format::{bar, bytes, bytes_of, duration, escape, eta, percent, rate};
use super::update::{Done, Source, Timeline, Transfer, Update};

/// Columns of the bar on a terminal: with name, sizes, rate and time it fits into 100 columns,
/// and the live line is cut at the edge of a narrower one.
const BAR: usize = 24;

/// Whether text may hold colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Colour,
}

impl Update {
    /// The sentence for people, one line. Names are escaped.
    pub fn line(&self) -> String {
        match self {
            Update::Joining { nodes: 0, elapsed } => {
                format!("Joining the DHT … no answer yet ({})", duration(*elapsed))
            }
            Update::Joining { nodes, elapsed } | Update::Joined { nodes, elapsed } => {
                format!(
                    "Joining the DHT … {} in {}",
                    count(*nodes, "node"),
                    duration(*elapsed)
                )
            }
            Update::LookingUp {
                asked,
                answered,
                closest_bits,
                peers,
                ..
            } => format!(
                "Looking up … asked {asked}, answered {answered}, closest {closest_bits}/160 \
                 bits, {}",
                count(*peers, "peer")
            ),
            Update::PeersFound { source, found } => {
                format!("{} {}", count(*found, "peer"), whence(*source))
            }
            Update::Connecting {
                connected,
                tried,
                refused,
                timed_out,
            } => format!(
                "Connecting … {} of {tried} tried, {refused} refused, {timed_out} timed out",
                count(*connected, "peer")
            ),
            // The size is known only once a peer's extension handshake has told it.
            Update::Metadata { have: _, total: 0 } => "Metadata … asked".to_owned(),
            Update::Metadata { have, total } => format!("Metadata … {have}/{total}"),
            Update::MetadataDone { .. }
            | Update::Checking { .. }
            | Update::Hashing { .. }
            | Update::Seeding { .. } => self.line_with_name(),
            Update::Downloading(transfer) => transfer.line(),
            Update::Paused {
                reason,
                retry_in: Some(span),
            } => {
                format!(
                    "Paused: {}. Trying again in {}",
                    escape(reason),
                    eta(Some(*span))
                )
            }
            Update::Paused {
                reason,
                retry_in: None,
            } => format!("Paused: {}", escape(reason)),
            Update::Spoilt { reason, .. } => format!("No right data: {}", escape(reason)),
            Update::Note(text) => escape(text),
        }
    }

    /// The sentences that name the torrent.
    fn line_with_name(&self) -> String {
        match self {
            Update::MetadataDone {
                name,
                files,
                size,
                free,
            } => {
                let free =
                    free.map_or_else(String::new, |free| format!(" (free: {})", bytes(free)));
                let (name, files) = (escape(name), count(*files, "file"));
                format!("Metadata … {name}, {files}, {}{free}", bytes(*size))
            }
            Update::Checking { name, done, total } => format!(
                "Checking {} … {} % of {}",
                escape(name),
                percent(*done, *total),
                bytes(*total)
            ),
            Update::Hashing { name, done, total } => format!(
                "Hashing {} … {} % of {}",
                escape(name),
                percent(*done, *total),
                bytes(*total)
            ),
            Update::Seeding {
                name,
                uploaded,
                up,
                ratio,
                peers,
            } => format!(
                "Seeding {} … uploaded {} (ratio {ratio:.2}), {}, {}",
                escape(name),
                bytes(*uploaded),
                rate(*up),
                count(*peers, "peer")
            ),
            // Those without a name have theirs in `line`, which calls this only for the others.
            other => other.line(),
        }
    }

    /// The live line of a terminal: as [`Update::line`], with a bar where there is an end.
    pub fn live_line(&self, paint: Paint) -> String {
        match self {
            Update::Checking { name, done, total } => format!(
                "Checking {}  {:>2} % {}  {}",
                escape(name),
                percent(*done, *total),
                painted_bar(*done, *total, paint),
                bytes_of(*done, *total)
            ),
            Update::Hashing { name, done, total } => format!(
                "Hashing {}  {:>2} % {}  {}",
                escape(name),
                percent(*done, *total),
                painted_bar(*done, *total, paint),
                bytes_of(*done, *total)
            ),
            Update::Downloading(transfer) => transfer.live_line(paint),
            _ => self.line(),
        }
    }
}

/// A download has both a plain and a live form; the second ends with the upload rate, which would
/// only be noise in a log.
impl Transfer {
    fn line(&self) -> String {
        format!(
            "{}  {} %  {}  {}  ETA {}  {}",
            escape(&self.name),
            percent(self.have, self.size),
            bytes_of(self.have, self.size),
            rate(self.down),
            eta(self.eta),
            count(self.peers, "peer")
        )
    }

    fn live_line(&self, paint: Paint) -> String {
        format!(
            "{}  {:>2} % {}  {}  {}  ETA {}  {} (↑ {})",
            escape(&self.name),
            percent(self.have, self.size),
            painted_bar(self.have, self.size, paint),
            bytes_of(self.have, self.size),
            rate(self.down),
            eta(self.eta),
            count(self.peers, "peer"),
            rate(self.up)
        )
    }
}

impl Done {
    /// The summary for people: one line, and one with the start timeline if there is any.
    pub fn lines(&self) -> String {
        // Of the whole command, searching included: that is the time that the user waited.
        let seconds = self.elapsed.as_millis().max(1);
        let mean = u128::from(self.downloaded) * 1000 / seconds;
        let mean = u64::try_from(mean).unwrap_or(u64::MAX);
        let mut text = match self.downloaded {
            0 => format!(
                "Done: {} were complete already, all pieces verified",
                bytes(self.size)
            ),
            _ => format!(
                "Done: {} in {}, {}, uploaded {}, all pieces verified",
                bytes(self.downloaded),
                duration(self.elapsed),
                rate(mean),
                bytes(self.uploaded)
            ),
        };
        let steps: Vec<String> = self.timeline.steps().into_iter().flatten().collect();
        if !steps.is_empty() {
            text.push_str("\nTimeline: ");
            text.push_str(&steps.join(" · "));
        }
        text
    }
}

impl Timeline {
    /// Seconds with three decimals: the first steps differ in milliseconds.
    fn steps(&self) -> [Option<String>; 6] {
        let step = |name: &str, at: Option<Duration>| {
            at.map(|at| format!("{name} {}.{:03} s", at.as_secs(), at.subsec_millis()))
        };
        [
            step("first node", self.first_node),
            step("peers", self.first_peers),
            step("handshake", self.first_handshake),
            step("metadata", self.metadata),
            step("first piece", self.first_piece),
            step("done", self.done),
        ]
    }
}

/// The full part in green, the open one dim; without colour the shapes alone tell them apart.
fn painted_bar(have: u64, total: u64, paint: Paint) -> String {
    let (full, open) = bar(have, total, BAR);
    match paint {
        Paint::Plain => format!("{full}{open}"),
        Paint::Colour => format!("\x1b[32m{full}\x1b[0m\x1b[2m{open}\x1b[0m"),
    }
}

/// How a source reads behind "3 peers".
fn whence(source: Source) -> &'static str {
    match source {
        Source::Dht => "from the DHT",
        Source::Pex => "from other peers",
        Source::Tracker => "from a tracker",
        Source::Lsd => "in the local network",
        Source::Manual => "given",
        Source::Saved => "that worked in an earlier run",
    }
}

/// `1 peer`, `2 peers`.
pub(super) fn count(number: u32, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
