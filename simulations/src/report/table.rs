//! A table of results: aligned text, CSV and HTML from the same cells.
//!
//! Each row has as many cells as there are columns; `push` fills up with `Missing`. Knows nothing
//! of scenarios.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// A column's heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What the column holds; the key in JSON.
    pub name: String,
    /// In what it is counted; empty if nothing needs to be said.
    pub unit: String,
}

impl Column {
    /// A column in this unit.
    #[must_use]
    pub fn new(name: &str, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
        }
    }

    fn heading(&self) -> String {
        if self.unit.is_empty() {
            return self.name.clone();
        }
        format!("{} ({})", self.name, self.unit)
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words, left aligned.
    Text(String),
    /// A count.
    Integer(u64),
    /// A number shown with so many digits after the point.
    Number(f64, usize),
    /// A part of the whole, 0 to 1; shown as per cent.
    Percent(f64),
    /// A span; shown in its own unit, seconds in CSV and JSON.
    Time(Duration),
    /// Nothing was measured.
    Missing,
}

impl Cell {
    /// The number or `Missing`.
    #[must_use]
    pub fn number(value: Option<f64>, digits: usize) -> Self {
        value.map_or(Self::Missing, |value| Self::Number(value, digits))
    }

    /// So many seconds or `Missing`; also what is negative or not finite is missing.
    #[must_use]
    pub fn seconds(value: Option<f64>) -> Self {
        let span = value.and_then(|v| Duration::try_from_secs_f64(v).ok());
        span.map_or(Self::Missing, Self::Time)
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Integer(n) => n.to_string(),
            Self::Number(n, _) | Self::Percent(n) if n.is_finite() => n.to_string(),
            Self::Time(span) => span.as_secs_f64().to_string(),
            Self::Number(..) | Self::Percent(_) | Self::Missing => String::new(),
        }
    }

    /// Numbers are numbers, `Missing` is null.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Integer(n) => json!(n),
            Self::Number(n, _) | Self::Percent(n) => json!(n),
            Self::Time(span) => json!(span.as_secs_f64()),
            Self::Missing => Value::Null,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Number(n, digits) if n.is_finite() => write!(f, "{n:.digits$}"),
            Self::Percent(n) if n.is_finite() => write!(f, "{:.1} %", n * 100.0),
            Self::Time(span) => f.write_str(&time(*span)),
            Self::Number(..) | Self::Percent(_) | Self::Missing => f.write_str("-"),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Integer(n)
    }
}

impl From<u32> for Cell {
    fn from(n: u32) -> Self {
        Self::Integer(n.into())
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Self::Integer(n as u64)
    }
}

impl From<Duration> for Cell {
    fn from(span: Duration) -> Self {
        Self::Time(span)
    }
}

/// A span with three digits or so in the unit that fits.
#[must_use]
pub fn time(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        s if s < 0.001 => format!("{} µs", span.as_micros()),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What is counted, in a few words; the value of `table` in JSON.
    pub title: String,
    /// The headings.
    pub columns: Vec<Column>,
    /// The values, as many in each row as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows; columns are (name, unit).
    #[must_use]
    pub fn new(title: &str, columns: &[(&str, &str)]) -> Self {
        let columns = columns.iter().map(|(name, unit)| Column::new(name, unit));
        Self {
            title: title.to_owned(),
            columns: columns.collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the columns are dropped, missing ones are `Missing`.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Cell> = row.into_iter().collect();
        row.resize(self.columns.len(), Cell::Missing);
        self.rows.push(row);
    }

    /// Whether the column holds words, which stand on the left.
    fn is_text(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.any(|cell| matches!(cell, Cell::Text(_)))
    }

    /// Headings, then rows, by RFC 4180 but with `\n`; spans in seconds, parts as 0 to 1.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let heading = |column: &Column| quoted(&column.heading());
        let mut text = self
            .columns
            .iter()
            .map(heading)
            .collect::<Vec<_>>()
            .join(",");
        for row in &self.rows {
            text.push('\n');
            text += &row.iter().map(Cell::csv).collect::<Vec<_>>().join(",");
        }
        text.push('\n');
        text
    }

    /// One object a row: `table` and a key for each column.
    pub fn to_json(&self) -> impl Iterator<Item = Value> {
        self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row);
            let mut object: Map<String, Value> = cells
                .map(|(column, cell)| (column.name.clone(), cell.json()))
                .collect();
            object.insert("table".to_owned(), json!(self.title));
            Value::Object(object)
        })
    }

    /// A `<table>` with its title as caption.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut html = format!("<table><caption>{}</caption>\n<tr>", escape(&self.title));
        let class = |i| if self.is_text(i) { "" } else { " class=\"n\"" };
        for (i, column) in self.columns.iter().enumerate() {
            html += &format!("<th{}>{}</th>", class(i), escape(&column.heading()));
        }
        for row in &self.rows {
            html += "</tr>\n<tr>";
            for (i, cell) in row.iter().enumerate() {
                html += &format!("<td{}>{}</td>", class(i), escape(&cell.to_string()));
            }
        }
        html + "</tr>\n</table>\n"
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings: Vec<String> = self.columns.iter().map(Column::heading).collect();
        let shown = |row: &Vec<Cell>| row.iter().map(ToString::to_string).collect();
        let mut lines: Vec<Vec<String>> = vec![headings];
        lines.extend(self.rows.iter().map(shown));
        writeln!(f, "{}", self.title)?;
        for line in &lines {
            let mut text = String::new();
            for (i, cell) in line.iter().enumerate() {
                let widths = lines.iter().filter_map(|line| line.get(i));
                let width = widths.map(|cell| cell.chars().count()).max().unwrap_or(0);
                text += &if self.is_text(i) {
                    format!("  {cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

/// Text that stands for itself in HTML and XML.
#[must_use]
pub fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(
            "lookups",
            &[("name, all", ""), ("time", ""), ("found", "%")],
        );
        table.push([
            "a<b".into(),
            Duration::from_millis(1500).into(),
            Cell::Percent(0.5),
        ]);
        table.push(["c".into()]);
        table
    }

    #[test]
    fn text_is_aligned() {
        let text = "lookups\n  name, all    time  found (%)\n  a<b        1.50 s     50.0 %\n  \
                    c               -          -\n";
        assert_eq!(table().to_string(), text);
    }

    #[test]
    fn csv_is_quoted_and_in_seconds() {
        let csv = "\"name, all\",time,found (%)\na<b,1.5,0.5\nc,,\n";
        assert_eq!(table().to_csv(), csv);
    }

    #[test]
    fn html_is_escaped_and_json_has_null() {
        assert!(table().to_html().contains("<td>a&lt;b</td>"));
        let rows: Vec<Value> = table().to_json().collect();
        assert_eq!(rows[1]["time"], Value::Null);
        assert_eq!(rows[0]["table"], "lookups");
    }
}
