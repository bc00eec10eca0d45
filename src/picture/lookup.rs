//! A lookup on its way: each node's answer by when it came and how close the node is.
//!
//! At most [`MAX_DOTS`] answers are drawn. Knows nothing of who answered.

use std::time::Duration;

use super::{AMBER, BLUE, BRIGHT, FIELD, GREEN, GRID, MUTED, RED, Svg};

/// Later answers are left out.
pub const MAX_DOTS: usize = 2000;

/// What came of asking a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It named nodes that are closer.
    Nodes,
    /// It named peers.
    Peers,
    /// It did not answer in time.
    TimedOut,
}

/// One asked node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dot {
    /// Since the lookup began.
    pub at: Duration,
    /// Bits that the node's id shares with the target, 0 to 160.
    pub bits: usize,
    /// What came of it.
    pub kind: Kind,
}

/// A lookup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// What was looked up.
    pub target: String,
    /// In any order.
    pub dots: Vec<Dot>,
}

const LEFT: f64 = 60.0;
const TOP: f64 = 76.0;
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 330.0;

impl Trace {
    /// The picture.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut dots = self.dots.clone();
        dots.sort_by_key(|dot| (dot.at, dot.bits));
        dots.truncate(MAX_DOTS);
        let end = dots.last().map_or(0.0, |dot| dot.at.as_secs_f64());
        let end = (end * 1.05).max(0.1);
        let deepest = dots.iter().map(|dot| dot.bits).max().unwrap_or(0);
        let deepest = (deepest + 1).next_multiple_of(4);
        let place = |at: Duration, bits: usize| {
            let x = LEFT + at.as_secs_f64() / end * WIDTH;
            (x, TOP + bits as f64 / deepest as f64 * HEIGHT)
        };
        let title = format!(
            "Lookup of {}: bits shared with it, answer by answer",
            self.target
        );
        let mut svg = Svg::new(720, 440, &title);
        svg.rect((LEFT, TOP), (WIDTH, HEIGHT), FIELD);
        for bits in (0..=deepest).step_by((deepest / 8).next_multiple_of(4).max(4)) {
            let (x, y) = place(Duration::ZERO, bits);
            svg.path(&[(x, y), (x + WIDTH, y)], 1, GRID);
            svg.text((x - 8.0, y + 4.0), "end", MUTED, &bits.to_string());
        }
        for part in 0..=5 {
            let part = f64::from(part) / 5.0;
            let at = (LEFT + part * WIDTH, TOP + HEIGHT + 18.0);
            svg.text(at, "middle", MUTED, &format!("{:.2} s", part * end));
        }
        svg.path(&closest(&dots, place), 2, GREEN);
        for dot in &dots {
            svg.circle(place(dot.at, dot.bits), colour(dot.kind));
        }
        legend(&mut svg, &dots);
        svg.finish()
    }
}

fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Nodes => BLUE,
        Kind::Peers => AMBER,
        Kind::TimedOut => RED,
    }
}

/// The steps of the closest node that has answered so far.
fn closest(dots: &[Dot], place: impl Fn(Duration, usize) -> (f64, f64)) -> Vec<(f64, f64)> {
    let (mut best, mut path) = (0, vec![place(Duration::ZERO, 0)]);
    let answered = dots.iter().filter(|dot| dot.kind != Kind::TimedOut);
    for dot in answered {
        if dot.bits > best {
            path.extend([place(dot.at, best), place(dot.at, dot.bits)]);
            best = dot.bits;
        }
    }
    let y = place(Duration::ZERO, best).1;
    path.push((LEFT + WIDTH, y));
    path
}

/// Words and counts; the kinds that did not occur are left out.
fn legend(svg: &mut Svg, dots: &[Dot]) {
    svg.rect((LEFT, 50.0), (14.0, 3.0), GREEN);
    svg.text((LEFT + 20.0, 56.0), "start", BRIGHT, "closest so far");
    let mut x = LEFT + 130.0;
    let kinds = [
        (Kind::Nodes, "answered with nodes"),
        (Kind::Peers, "answered with peers"),
        (Kind::TimedOut, "timed out"),
    ];
    for (kind, words) in kinds {
        let count = dots.iter().filter(|dot| dot.kind == kind).count();
        if count > 0 {
            svg.rect((x, 48.0), (8.0, 8.0), colour(kind));
            svg.text(
                (x + 14.0, 56.0),
                "start",
                BRIGHT,
                &format!("{words}: {count}"),
            );
            x += 180.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(at: u64, bits: usize, kind: Kind) -> Dot {
        let at = Duration::from_millis(at);
        Dot { at, bits, kind }
    }

    #[test]
    fn each_answer_is_a_dot_and_timeouts_are_not_closer() {
        let trace = Trace {
            target: "a<b".to_owned(),
            dots: vec![
                dot(300, 9, Kind::TimedOut),
                dot(100, 3, Kind::Nodes),
                dot(200, 7, Kind::Peers),
            ],
        };
        let svg = trace.to_svg();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("a&lt;b") && svg.contains("timed out: 1"));
        let (place, none) = (|_: Duration, bits: usize| (0.0, bits as f64), Vec::new());
        assert_eq!(closest(&none, place).len(), 2);
        let path = closest(&trace.dots, place);
        assert!(path.iter().all(|(_, y)| *y <= 7.0));
    }

    #[test]
    fn nothing_and_too_much_can_be_drawn() {
        let empty = Trace::default().to_svg();
        assert!(!empty.contains("NaN") && !empty.contains("inf"));
        let dots = (0..5000).map(|i| dot(i, 160, Kind::Nodes)).collect();
        let full = Trace {
            target: String::new(),
            dots,
        }
        .to_svg();
        assert_eq!(full.matches("<circle").count(), MAX_DOTS);
    }
}
