//! Idle nodes as tables over clients and time, and charts of what they pay for what.

use super::{Outcome, Plan, Rate, Row};
use crate::model::nat::HostClass;
use crate::report::{Axis, Cell, Chart, Format, Report, Series, Style, Table};
use crate::watch::Client;

impl Row {
    /// Out and in together, of its own upkeep.
    #[must_use]
    pub fn upkeep(&self) -> Rate {
        let [out, into] = self.own;
        Rate {
            packets: out.packets + into.packets,
            bytes: out.bytes + into.bytes,
        }
    }

    /// Shares of its contacts that are dead: near, far.
    #[must_use]
    pub fn dead(&self) -> (f64, f64) {
        (1.0 - self.tables.near.0, 1.0 - self.tables.far.0)
    }

    /// Who it is, in words.
    fn name(&self) -> String {
        match self.class {
            HostClass::Open => self.client.to_string(),
            _ => format!("{}, behind a NAT", self.client),
        }
    }
}

impl Outcome {
    /// What was seen last, by client: at rest.
    pub fn at_rest(&self) -> impl Iterator<Item = &Row> {
        let last = self.rows.iter().map(|row| row.tables.minute).max();
        self.rows
            .iter()
            .filter(move |row| Some(row.tables.minute) == last)
    }

    /// The row at rest of this client.
    #[must_use]
    pub fn row(&self, client: Client, class: HostClass) -> Option<&Row> {
        self.at_rest()
            .find(|row| row.client == client && row.class == class)
    }

    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "upkeep",
            about:
                "What does a node exchange that looks for nothing, how many of its contacts are \
                    dead, and does it find the truly closest nodes with them?"
                    .to_owned(),
            parameters: vec![("nodes".to_owned(), plan.nodes.to_string())],
            tables: vec![self.table()],
            charts: vec![
                self.chart(
                    "Own upkeep, out and in",
                    Axis::log("bytes a second"),
                    |row| row.upkeep().bytes,
                ),
                self.chart(
                    "Dead contacts far away",
                    Axis::linear("of all contacts but the 16 closest").with(Format::Share),
                    |row| row.dead().1,
                ),
                self.chart(
                    "What idle nodes find",
                    Axis::share("of the truly closest eight"),
                    |row| row.recall,
                ),
            ],
            findings: self.findings(),
            run: self.run.clone(),
        }
    }

    fn table(&self) -> Table {
        let columns = [
            ("client", ""),
            ("minute", ""),
            ("contacts", ""),
            ("near dead", ""),
            ("far dead", ""),
            ("near unreachable", ""),
            ("far unreachable", ""),
            ("upkeep", "B/s"),
            ("asks", "B/s"),
            ("hears", "B/s"),
            ("asks", "packets/s"),
            ("hears", "packets/s"),
            ("answers", "B/s"),
            ("is asked", "B/s"),
            ("answers", "packets/s"),
            ("is asked", "packets/s"),
            ("recall", "of the true 8"),
            ("lookups", ""),
        ];
        let title =
            "Idle nodes: their own questions and what they do for others, since the row before";
        let mut table = Table::new(title, &columns);
        for row in &self.rows {
            let (near, far) = row.dead();
            let [[out, into], [gives, takes]] = [row.own, row.service];
            table.push([
                row.name().into(),
                u64::from(row.tables.minute).into(),
                Cell::Number(row.tables.contacts, 0),
                Cell::Percent(near),
                Cell::Percent(far),
                Cell::Percent(1.0 - row.tables.near.1),
                Cell::Percent(1.0 - row.tables.far.1),
                Cell::Number(row.upkeep().bytes, 1),
                Cell::Number(out.bytes, 1),
                Cell::Number(into.bytes, 1),
                Cell::Number(out.packets, 3),
                Cell::Number(into.packets, 3),
                Cell::Number(gives.bytes, 1),
                Cell::Number(takes.bytes, 1),
                Cell::Number(gives.packets, 3),
                Cell::Number(takes.packets, 3),
                Cell::Number(row.recall, 3),
                row.lookups.into(),
            ]);
        }
        table
    }

    /// A line over time for each client.
    fn chart(&self, title: &str, y: Axis, value: impl Fn(&Row) -> f64) -> Chart {
        let series = self.at_rest().map(|last| {
            let own = |row: &&Row| (row.client, row.class) == (last.client, last.class);
            let rows = self.rows.iter().filter(own);
            let points = rows.map(|row| (f64::from(row.tables.minute), value(row)));
            Series::new(&last.name(), Style::LinePoints, points.collect())
        });
        Chart {
            title: title.to_owned(),
            x: Axis::linear("minutes after it joined"),
            y,
            series: series.collect(),
            notes: Vec::new(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let sentence = |row: &Row| {
            let (near, far) = row.dead();
            format!(
                "At rest an idle node of {} exchanges {:.1} B/s in {:.3} packets/s for itself; {:.1} % of \
                 its near and {:.1} % of its far contacts are dead; it finds {:.3} of the closest.",
                row.name(),
                row.upkeep().bytes,
                row.upkeep().packets,
                near * 100.0,
                far * 100.0,
                row.recall
            )
        };
        self.at_rest().map(sentence).collect()
    }
}
