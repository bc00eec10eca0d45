//! Pictures of the keyspace as SVG: a lookup on its way, a routing table.
//!
//! Pure: what is drawn comes in as plain values, the same values give the same bytes. All text is
//! escaped and every picture has a bounded size. Knows nothing of nodes, files or commands.

pub mod lookup;
pub mod table;

use std::fmt::Write;

const GROUND: &str = "#0f1419";
const FIELD: &str = "#151b23";
const GRID: &str = "#242c37";
const MUTED: &str = "#969faa";
const BRIGHT: &str = "#dee4eb";
const GREEN: &str = "#5fd38d";
const BLUE: &str = "#4ea3e6";
const AMBER: &str = "#e8b64a";
const RED: &str = "#e96464";

/// An SVG file being written; lengths are pixels.
struct Svg(String);

impl Svg {
    fn new(width: u32, height: u32, title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n"
        ));
        svg.rect((0.0, 0.0), (f64::from(width), f64::from(height)), GROUND);
        svg.text((60.0, 28.0), "start", BRIGHT, title);
        svg
    }

    fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" \
             fill=\"{fill}\"/>\n"
        ));
    }

    fn circle(&mut self, (x, y): (f64, f64), fill: &str) {
        self.put(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{fill}\" fill-opacity=\"0.85\"/>\n"
        ));
    }

    fn path(&mut self, points: &[(f64, f64)], width: u32, stroke: &str) {
        let mut list = String::new();
        for (x, y) in points {
            // Writing to a String cannot fail.
            let _ = write!(list, "{x:.1},{y:.1} ");
        }
        let list = list.trim_end();
        self.put(format_args!(
            "<polyline points=\"{list}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\"/>\n"
        ));
    }

    /// `anchor`: start, middle or end.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, fill: &str, text: &str) {
        let text = escape(text);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{text}</text>\n"
        ));
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(arguments);
    }

    fn finish(self) -> String {
        self.0 + "</svg>\n"
    }
}

/// Text that stands for itself in XML; control characters, which XML forbids, become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_escaped() {
        assert_eq!(super::escape("<a&\u{1}\">"), "&lt;a&amp; &quot;&gt;");
    }
}
