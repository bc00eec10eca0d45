//! A chart as SVG: lines, points, dashes and steps over two axes.
//!
//! Everything is placed by rules and whole pixels, so the same chart gives the same bytes; points
//! are thinned so that a file stays small (below 40 kB with five series). Knows no scenario.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::scale::Range;

/// Points of one line at most.
const LINE_POINTS: usize = 500;
/// Dots of a whole chart at most: a dot takes ten times the bytes of a line's point.
const DOTS: usize = 220;
const WIDTH: i32 = 820;
const HEIGHT: i32 = 440;
const LEFT: i32 = 78;
const RIGHT: i32 = 24;
const BOTTOM: i32 = 56;

const GROUND: RGBColor = RGBColor(15, 20, 25);
const PLOT: RGBColor = RGBColor(21, 27, 35);
const GRID: RGBColor = RGBColor(36, 44, 55);
const MUTED: RGBColor = RGBColor(150, 159, 170);
const BRIGHT: RGBColor = RGBColor(222, 228, 235);
const COLOURS: [RGBColor; 7] = [
    RGBColor(95, 211, 141),
    RGBColor(78, 163, 230),
    RGBColor(232, 182, 74),
    RGBColor(233, 100, 100),
    RGBColor(184, 146, 245),
    RGBColor(240, 145, 200),
    RGBColor(170, 178, 190),
];

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line through the points.
    Line,
    /// The same with a dot at each point: few measurements, as of a sweep.
    LinePoints,
    /// A dot each.
    Points,
    /// A broken line: what is expected, or another's figures.
    Dashed,
    /// A value holds until the next one: cumulative curves.
    Steps,
}

/// Points of one colour.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is, in the legend. A second series of this name has its colour, and no key of its own.
    pub name: String,
    /// (x, y); points without a place on the axes are left out.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: Style,
}

impl Series {
    /// A series.
    #[must_use]
    pub fn new(name: &str, style: Style, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points,
            style,
        }
    }
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is drawn, the first below.
    pub series: Vec<Series>,
    /// Small print below.
    pub notes: Vec<String>,
}

impl Chart {
    /// The chart as an SVG file.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        let hues = self.hues();
        let named = hues
            .iter()
            .enumerate()
            .filter(|(i, hue)| self.opens(*i, **hue));
        let named: Vec<(&Series, usize)> = named.map(|(i, hue)| (&self.series[i], *hue)).collect();
        let legend = legend(&named);
        let rows = legend.last().map_or(0, |(_, row)| row + 1);
        let top = 44 + rows * 20;
        let notes = self.notes.len() as i32 * 18;
        let frame = Frame {
            x: Range::new(&self.x, self.values().map(|p| p.0)),
            y: Range::new(&self.y, self.values().map(|p| p.1)),
            top: top + 8,
            bottom: top + HEIGHT - 44 - BOTTOM,
        };
        let height = frame.bottom + BOTTOM + notes;
        {
            let backend = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32));
            let area = backend.into_drawing_area();
            let pen = Pen(&area);
            pen.rectangle((0, 0), (WIDTH, height), GROUND);
            pen.text((LEFT, 16), &self.title, (17, BRIGHT), HPos::Left);
            for ((series, hue), (left, row)) in named.iter().zip(&legend) {
                pen.key(series, (*left, 46 + row * 20), colour(*hue));
            }
            frame.draw(self, &pen);
            let dotted = |s: &&Series| matches!(s.style, Style::Points | Style::LinePoints);
            let dots = DOTS / self.series.iter().filter(dotted).count().max(1);
            for (series, hue) in self.series.iter().zip(&hues) {
                frame.series(series, dots, colour(*hue), &pen);
            }
            for (i, note) in self.notes.iter().enumerate() {
                let y = frame.bottom + BOTTOM - 8 + i as i32 * 18;
                pen.text((LEFT, y), note, (12, MUTED), HPos::Left);
            }
        }
        svg
    }

    /// The colour of each series by number: one of the same name has the same.
    fn hues(&self) -> Vec<usize> {
        let mut names: Vec<&str> = Vec::new();
        let mut hues = Vec::new();
        for series in &self.series {
            let known = names.iter().position(|name| *name == series.name);
            hues.push(known.unwrap_or(names.len()));
            if known.is_none() {
                names.push(&series.name);
            }
        }
        hues
    }

    /// Whether series `i` is the first of its colour: only that one stands in the legend.
    fn opens(&self, i: usize, hue: usize) -> bool {
        self.hues().iter().position(|other| *other == hue) == Some(i)
    }

    fn values(&self) -> impl Iterator<Item = (f64, f64)> {
        self.series.iter().flat_map(|s| s.points.iter().copied())
    }
}

fn colour(i: usize) -> RGBColor {
    COLOURS[i % COLOURS.len()]
}

/// Left edge and row of each key.
fn legend(named: &[(&Series, usize)]) -> Vec<(i32, i32)> {
    let (mut left, mut row) = (LEFT, 0);
    let mut places = Vec::new();
    for (one, _) in named {
        let width = 48 + one.name.chars().count() as i32 * 7;
        if left > LEFT && left + width > WIDTH - RIGHT {
            (left, row) = (LEFT, row + 1);
        }
        places.push((left, row));
        left += width;
    }
    places
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws on memory, where nothing fails.
struct Pen<'a, 'b>(&'a Area<'b>);

impl Pen<'_, '_> {
    fn rectangle(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) {
        let _ = self.0.draw(&Rectangle::new([from, to], colour.filled()));
    }

    fn line(&self, points: Vec<(i32, i32)>, width: u32, colour: RGBColor) {
        let style = colour.stroke_width(width);
        let _ = self.0.draw(&PathElement::new(points, style));
    }

    fn dot(&self, at: (i32, i32), radius: i32, colour: RGBColor) {
        let _ = self.0.draw(&Circle::new(at, radius, colour.filled()));
    }

    fn text(&self, at: (i32, i32), text: &str, (size, colour): (i32, RGBColor), side: HPos) {
        let style = TextStyle::from(("sans-serif", size).into_font()).color(&colour);
        let style = style.pos(Pos::new(side, VPos::Top));
        let _ = self.0.draw(&Text::new(text.to_owned(), at, style));
    }

    fn upright(&self, at: (i32, i32), text: &str) {
        let font = ("sans-serif", 13)
            .into_font()
            .transform(FontTransform::Rotate270);
        let style = TextStyle::from(font).color(&MUTED);
        let style = style.pos(Pos::new(HPos::Center, VPos::Top));
        let _ = self.0.draw(&Text::new(text.to_owned(), at, style));
    }

    fn dashes(&self, points: &[(i32, i32)], colour: RGBColor) {
        for dash in dashes(points) {
            self.line(dash, 2, colour);
        }
    }

    fn key(&self, series: &Series, (x, y): (i32, i32), colour: RGBColor) {
        match series.style {
            Style::Points => self.dot((x + 9, y + 6), 4, colour),
            Style::Dashed => self.dashes(&[(x, y + 6), (x + 24, y + 6)], colour),
            Style::Line | Style::LinePoints | Style::Steps => {
                self.line(vec![(x, y + 6), (x + 20, y + 6)], 3, colour);
            }
        }
        if series.style == Style::LinePoints {
            self.dot((x + 10, y + 6), 4, colour);
        }
        self.text((x + 28, y), &series.name, (13, BRIGHT), HPos::Left);
    }
}

/// The field between the axes.
struct Frame {
    x: Range,
    y: Range,
    top: i32,
    bottom: i32,
}

impl Frame {
    fn across(&self, at: f64) -> i32 {
        LEFT + libm::round(at * f64::from(WIDTH - LEFT - RIGHT)) as i32
    }

    fn up(&self, at: f64) -> i32 {
        self.bottom - libm::round(at * f64::from(self.bottom - self.top)) as i32
    }

    fn draw(&self, chart: &Chart, pen: &Pen<'_, '_>) {
        let right = WIDTH - RIGHT;
        pen.rectangle((LEFT, self.top), (right, self.bottom), PLOT);
        for (at, word) in self.y.ticks() {
            let y = self.up(at);
            pen.line(vec![(LEFT, y), (right, y)], 1, GRID);
            pen.text((LEFT - 8, y - 6), &word, (12, MUTED), HPos::Right);
        }
        for (at, word) in self.x.ticks() {
            let x = self.across(at);
            pen.line(vec![(x, self.top), (x, self.bottom)], 1, GRID);
            pen.text((x, self.bottom + 7), &word, (12, MUTED), HPos::Center);
        }
        let middle = i32::midpoint(LEFT, right);
        pen.text(
            (middle, self.bottom + 27),
            &chart.x.label,
            (13, MUTED),
            HPos::Center,
        );
        pen.upright((12, i32::midpoint(self.top, self.bottom)), &chart.y.label);
    }

    fn series(&self, series: &Series, dots: usize, colour: RGBColor, pen: &Pen<'_, '_>) {
        let place = |(x, y): &(f64, f64)| {
            Some((self.across(self.x.place(*x)?), self.up(self.y.place(*y)?)))
        };
        let points: Vec<(i32, i32)> = series.points.iter().filter_map(place).collect();
        match series.style {
            Style::Points => thin(points, dots)
                .into_iter()
                .for_each(|at| pen.dot(at, 3, colour)),
            Style::Line => pen.line(thin(points, LINE_POINTS), 2, colour),
            Style::LinePoints => {
                thin(points.clone(), dots)
                    .into_iter()
                    .for_each(|at| pen.dot(at, 4, colour));
                pen.line(thin(points, LINE_POINTS), 2, colour);
            }
            Style::Dashed => pen.dashes(&thin(points, LINE_POINTS), colour),
            Style::Steps => {
                let mut path: Vec<(i32, i32)> = Vec::new();
                for (x, y) in thin(points, LINE_POINTS / 2) {
                    path.extend(path.last().map(|last| (x, last.1)));
                    path.push((x, y));
                }
                path.dedup();
                pen.line(path, 2, colour);
            }
        }
    }
}

/// The drawn parts of a broken line: 9 pixels each, 7 apart.
fn dashes(points: &[(i32, i32)]) -> Vec<Vec<(i32, i32)>> {
    const DASH: f64 = 9.0;
    const PERIOD: f64 = 16.0;
    let mut parts: Vec<Vec<(i32, i32)>> = Vec::new();
    let (mut along, mut drawing) = (0.0, false);
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        // One pixel a step.
        let steps = libm::ceil(libm::sqrt(dx * dx + dy * dy)).max(1.0);
        for step in 0..steps as i32 {
            let part = f64::from(step) / steps;
            let x = from.0 + libm::round(dx * part) as i32;
            let y = from.1 + libm::round(dy * part) as i32;
            let draws = along % PERIOD < DASH;
            match parts.last_mut().filter(|_| drawing) {
                Some(dash) if draws && dash.len() > 1 => dash[1] = (x, y),
                Some(dash) if draws => dash.push((x, y)),
                _ if draws => parts.push(vec![(x, y)]),
                _ => {}
            }
            drawing = draws;
            along += 1.0;
        }
    }
    parts.retain(|dash| dash.len() > 1);
    parts
}

/// At most `limit` of the points, evenly chosen, the first and the last among them.
fn thin(mut points: Vec<(i32, i32)>, limit: usize) -> Vec<(i32, i32)> {
    points.dedup();
    let count = points.len();
    if count <= limit || limit < 2 {
        points.truncate(limit.max(1));
        return points;
    }
    (0..limit)
        .map(|i| points[i * (count - 1) / (limit - 1)])
        .collect()
}

#[cfg(test)]
mod tests;
