//! How outcomes are shown: tables, charts, sentences, and which run they come from.
//!
//! A scenario's outcome says what to show ([`Outcome::report`]); everything here but
//! [`output::write`] is pure, and the same report gives the same bytes. Knows no scenario.

pub mod axis;
pub mod chart;
pub mod distribution;
pub mod output;
pub mod page;
mod scale;
pub mod table;

use std::fmt;
use std::time::Duration;

use serde_json::json;

pub use axis::{Axis, Format, Scale};
pub use chart::{Chart, Series, Style};
pub use distribution::{Distribution, quantile};
pub use output::{Json, Outputs, write};
pub use page::page;
pub use table::{Cell, Column, Table};

/// What a scenario measured and can show.
pub trait Outcome {
    /// What there is to show of it.
    fn report(&self) -> Report;
}

/// Which run it was, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// What determined it, with the parameters.
    pub seed: u64,
    /// The fingerprint of everything that happened.
    pub digest: u64,
    /// How many things happened.
    pub events: u64,
    /// How long it took here; the only value that differs between two equal runs.
    pub wall: Duration,
    /// How long it took in virtual time.
    pub virtual_time: Duration,
    /// Memory of one node, if it was measured.
    pub bytes_per_node: Option<u64>,
}

/// Everything that is shown of one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The scenario's name on the command line.
    pub scenario: &'static str,
    /// Which question it answers, in one to three sentences.
    pub about: String,
    /// Options of the command line (without dashes) and their values, in order.
    pub parameters: Vec<(String, String)>,
    /// The numbers.
    pub tables: Vec<Table>,
    /// The pictures.
    pub charts: Vec<Chart>,
    /// Sentences computed from the rows.
    pub findings: Vec<String>,
    /// The run.
    pub run: Run,
}

impl Report {
    /// The command that makes this report again.
    #[must_use]
    pub fn command(&self) -> String {
        let options = self.parameters.iter().filter(|(name, _)| name != "seed");
        let options = options.map(|(name, value)| format!(" --{name} {value}"));
        let options: String = options.collect();
        // The lab plays in real time and is a command of its own.
        let verb = if self.scenario == "lab" { "" } else { "run " };
        format!(
            "trackless-sim {verb}{}{options} --seed {}",
            self.scenario, self.run.seed
        )
    }

    /// A JSON object a line: each row of each table, then the run.
    #[must_use]
    pub fn json_lines(&self) -> String {
        let rows = self.tables.iter().flat_map(Table::to_json);
        let mut text: String = rows.map(|row| format!("{row}\n")).collect();
        let run = &self.run;
        let last = json!({
            "scenario": self.scenario,
            "digest": format!("{:016x}", run.digest),
            "events": run.events,
            "wall": run.wall.as_secs_f64(),
            "virtual": run.virtual_time.as_secs_f64(),
            "bytes_per_node": run.bytes_per_node,
            "seed": run.seed,
        });
        text += &format!("{last}\n");
        text
    }

    /// All tables as CSV, a blank line between two.
    #[must_use]
    pub fn csv(&self) -> String {
        let tables: Vec<String> = self.tables.iter().map(Table::to_csv).collect();
        tables.join("\n")
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, played) = (table::time(self.wall), table::time(self.virtual_time));
        write!(
            f,
            "seed {} · digest {:016x} · {} events · ",
            self.seed, self.digest, self.events
        )?;
        write!(f, "{played} of virtual time in {wall}")?;
        match self.bytes_per_node {
            Some(bytes) => write!(f, " · {bytes} bytes a node"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.scenario, self.about)?;
        for (name, value) in &self.parameters {
            writeln!(f, "  {name} = {value}")?;
        }
        for table in &self.tables {
            write!(f, "\n{table}")?;
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        for finding in &self.findings {
            writeln!(f, "- {finding}")?;
        }
        writeln!(f, "\n{}", self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_json_line_is_the_run() {
        let mut table = Table::new("t", &[("n", "")]);
        table.push([Cell::Integer(3)]);
        let report = Report {
            scenario: "join",
            parameters: vec![("nodes".into(), "9".into()), ("seed".into(), "7".into())],
            tables: vec![table],
            run: Run {
                seed: 7,
                digest: 255,
                ..Run::default()
            },
            ..Report::default()
        };
        let text = report.json_lines();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"n":3,"table":"t"}"#);
        assert!(
            lines[1].contains(r#""digest":"00000000000000ff""#),
            "{}",
            lines[1]
        );
        assert!(lines[1].contains(r#""scenario":"join""#), "{}", lines[1]);
        assert!(report.to_string().contains("\n  nodes = 9\n"));
        assert_eq!(
            report.command(),
            "trackless-sim run join --nodes 9 --seed 7"
        );
    }
}
