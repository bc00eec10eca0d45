//! A routing table: a row of seats for each number of bits shared with the own id.
//!
//! At most 160 rows and [`MAX_SEATS`] seats a row are drawn. Knows nothing of who sits there.

use std::time::{Duration, Instant};

use dht::{Entry, Health};

use super::{AMBER, BLUE, BRIGHT, GREEN, GRID, MUTED, RED, Svg};

/// Seats that a row has at least (BEP 5: buckets of 8).
const SEATS: usize = 8;
/// Seats of a row that are drawn at most.
pub const MAX_SEATS: usize = 32;
/// Wide enough for the words beside the seats, whatever the estimate.
const WIDTH: u32 = 700;
/// Rows that are drawn at most.
const MAX_ROWS: usize = 160;

/// How the node in a seat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// Heard less than 2 minutes ago.
    Fresh,
    /// Good (heard less than 15 minutes ago, BEP 5).
    Good,
    /// Silent for longer.
    Questionable,
    /// It does not answer.
    Failing,
}

impl Seat {
    /// The seat of a table's entry.
    #[must_use]
    pub fn of(entry: &Entry, now: Instant) -> Self {
        let silent = now.saturating_duration_since(entry.heard);
        match entry.health(now) {
            Health::Good if silent < Duration::from_secs(120) => Self::Fresh,
            Health::Good => Self::Good,
            Health::Questionable => Self::Questionable,
            Health::Bad => Self::Failing,
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Fresh => GREEN,
            Self::Good => BLUE,
            Self::Questionable => AMBER,
            Self::Failing => RED,
        }
    }
}

/// A routing table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seats {
    /// The own id, or its beginning.
    pub id: String,
    /// Estimated nodes of the network, if known.
    pub nodes: Option<u64>,
    /// The taken seats by bits shared with the own id, from 0.
    pub rows: Vec<Vec<Seat>>,
}

impl Seats {
    /// The seats of a table's buckets, which stand by shared bits.
    #[must_use]
    pub fn of(id: String, nodes: Option<u64>, buckets: &[Vec<Entry>], now: Instant) -> Self {
        let row = |bucket: &Vec<Entry>| bucket.iter().map(|entry| Seat::of(entry, now)).collect();
        Self {
            id,
            nodes,
            rows: buckets.iter().map(row).collect(),
        }
    }

    /// The picture: down to the last row with a taken seat.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let used = self.rows.iter().rposition(|row| !row.is_empty());
        let count = used.map_or(0, |last| last + 1).min(MAX_ROWS);
        let rows = self.rows.get(..count).unwrap_or_default();
        let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let seats = widest.clamp(SEATS, MAX_SEATS);
        let width = 352.0 / seats as f64;
        let height = 60 + 15 * rows.len().max(12) as u32;
        let mut svg = Svg::new(
            WIDTH,
            height,
            "Routing table: seats by distance, coloured by age",
        );
        for (bits, row) in rows.iter().enumerate() {
            let y = 48.0 + 15.0 * bits as f64;
            svg.text((52.0, y + 11.0), "end", MUTED, &bits.to_string());
            for seat in 0..seats {
                let colour = row.get(seat).map_or(GRID, |seat| seat.colour());
                svg.rect((60.0 + width * seat as f64, y), (width - 3.0, 12.0), colour);
            }
        }
        self.legend(&mut svg);
        svg.finish()
    }

    fn legend(&self, svg: &mut Svg) {
        let words = [
            (GREEN, "answered < 2 min"),
            (BLUE, "< 15 min"),
            (AMBER, "questionable"),
            (RED, "failing"),
            (GRID, "empty seat"),
        ];
        for (i, (colour, words)) in words.into_iter().enumerate() {
            let y = 48.0 + 19.0 * i as f64;
            svg.rect((434.0, y), (12.0, 12.0), colour);
            svg.text((454.0, y + 10.0), "start", BRIGHT, words);
        }
        let id: String = self.id.chars().take(12).collect();
        let id = format!("rows: bits shared with {id}…");
        svg.text((434.0, 164.0), "start", MUTED, &id);
        if let Some(nodes) = self.nodes {
            let nodes = format!("estimated network: {} nodes", round(nodes));
            svg.text((434.0, 184.0), "start", BRIGHT, &nodes);
        }
    }
}

/// One digit after the point and the letter of a thousand's power: an estimate is no closer.
fn round(nodes: u64) -> String {
    match nodes {
        0..10_000 => nodes.to_string(),
        10_000..1_000_000 => format!("{:.1} k", nodes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", nodes as f64 / 1e6),
        _ => format!("{:.1} G", nodes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seat_is_drawn_taken_or_empty() {
        let seats = Seats {
            id: "<00>".to_owned(),
            nodes: Some(9_400_000),
            rows: vec![vec![Seat::Fresh; 8], vec![], vec![Seat::Failing], vec![]],
        };
        let svg = seats.to_svg();
        // The ground, five keys, three rows of eight.
        assert_eq!(svg.matches("<rect").count(), 1 + 5 + 24);
        assert_eq!(svg.matches(RED).count(), 2);
        assert!(svg.contains("&lt;00&gt;") && svg.contains("9.4 M nodes"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn the_size_is_bounded() {
        let rows = vec![vec![Seat::Good; 500]; 500];
        let seats = Seats {
            rows,
            ..Seats::default()
        };
        let rects = seats.to_svg().matches("<rect").count();
        assert_eq!(rects, 6 + MAX_ROWS * MAX_SEATS);
        assert!(!Seats::default().to_svg().contains("NaN"));
    }
}
