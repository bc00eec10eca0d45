//! Thousands of announcements as a table and a chart of what a router sees.

use super::{Order, Outcome, Plan, Row};
use crate::report::{Axis, Cell, Chart, Report, Series, Style, Table};

impl Order {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Order::Ring => "by hash",
            Order::Chance => "by chance",
        }
    }
}

impl Outcome {
    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "bulk",
            about:
                "How long does a node need to announce thousands of torrents, what does it cost, \
                    and are they found afterwards?"
                    .to_owned(),
            parameters: vec![("nodes".to_owned(), plan.nodes.to_string())],
            tables: vec![self.table()],
            charts: vec![self.chart()],
            findings: self.rows.iter().map(sentence).collect(),
            run: self.run.clone(),
        }
    }

    fn table(&self) -> Table {
        let columns = [
            ("order", ""),
            ("torrents", ""),
            ("done", ""),
            ("took", ""),
            ("caused", "questions a torrent"),
            ("new destinations mean", "a second"),
            ("p99", "a second"),
            ("most", "a second"),
            ("different", "destinations"),
            ("closed p50", ""),
            ("closed p99", ""),
            ("by eight", ""),
            ("acknowledged", "nodes"),
            ("recall", "of the true 8"),
            ("looked up", ""),
            ("found", ""),
        ];
        let mut table = Table::new("All torrents of one node", &columns);
        for row in &self.rows {
            table.push([
                row.order.name().into(),
                row.torrents.into(),
                row.done.into(),
                Cell::Time(row.took),
                Cell::Number(row.sent, 1),
                Cell::number(row.destinations.mean(), 1),
                Cell::number(row.destinations.quantile(0.99), 0),
                Cell::number(row.destinations.quantile(1.0), 0),
                row.different.into(),
                Cell::seconds(row.closed.median()),
                Cell::seconds(row.closed.quantile(0.99)),
                Cell::Percent(row.eighth),
                Cell::Number(row.acknowledged, 2),
                Cell::Number(row.recall, 3),
                row.looked_up.into(),
                Cell::Percent(row.found()),
            ]);
        }
        table
    }

    fn chart(&self) -> Chart {
        let curve = |row: &Row| {
            let points = row.destinations.cdf();
            Series::new(row.order.name(), Style::Steps, points)
        };
        Chart {
            title: "New destinations a second".to_owned(),
            x: Axis::linear("destinations to which nothing was sent for a minute"),
            y: Axis::share("seconds with at most so many"),
            series: self.rows.iter().map(curve).collect(),
            notes: vec!["Home routers fail above about 100 a second.".to_owned()],
        }
    }
}

impl Row {
    /// Share of the torrents that were looked up for which the node was found.
    #[must_use]
    pub fn found(&self) -> f64 {
        self.found as f64 / self.looked_up.max(1) as f64
    }
}

fn sentence(row: &Row) -> String {
    format!(
        "{} torrents {} take {:.1} min, {:.1} questions each and at most {:.0} new destinations a second; \
         {:.1} % are found afterwards.",
        row.torrents,
        row.order.name(),
        row.took.as_secs_f64() / 60.0,
        row.sent,
        row.destinations.quantile(1.0).unwrap_or(f64::NAN),
        row.found() * 100.0
    )
}
