//! Announcements as a table, curves of the largest network, and sentences.

use super::{Outcome, Plan, Row, Time};
use crate::report::{Axis, Cell, Chart, Format, Report, Series, Style, Table};
use crate::watch::Client;

impl Time {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Time::First => "first",
            Time::Again => "25 min later",
        }
    }
}

impl Outcome {
    /// The row of a cell that belongs to this client.
    #[must_use]
    pub fn row(&self, (nodes, dead): (u32, f64), time: Time, client: Client) -> Option<&Row> {
        let same = |row: &&Row| row.nodes == nodes && (row.dead - dead).abs() < 1e-9;
        let mut rows = self.rows.iter().filter(same);
        rows.find(|row| row.client == client && row.time == time)
    }

    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        let most = plan.cells.iter().map(|cell| cell.0).max().unwrap_or(0);
        Report {
            scenario: "announce",
            about: "How long does it take until eight nodes store an announcement, are they the \
                    truly closest, how many questions does it cost, and what does repeating it \
                    cost, when a share of all contacts is dead?"
                .to_owned(),
            parameters: vec![
                ("nodes".to_owned(), most.to_string()),
                ("seeds".to_owned(), plan.seeds.to_string()),
            ],
            tables: vec![self.table()],
            charts: [Time::First, Time::Again]
                .into_iter()
                .filter_map(|time| self.curves(plan, time))
                .collect(),
            findings: self.findings(plan),
            run: self.run.clone(),
        }
    }

    fn table(&self) -> Table {
        let columns = [
            ("nodes", ""),
            ("dead", ""),
            ("time", ""),
            ("client", ""),
            ("announcements", ""),
            ("closed p50", ""),
            ("closed p90", ""),
            ("closed p99", ""),
            ("by eight", ""),
            ("done p50", ""),
            ("acknowledged", "nodes"),
            ("recall", "of the true 8"),
            ("recall when closed", ""),
            ("asked", "nodes"),
            ("questions caused", ""),
            ("p99", "questions"),
        ];
        let mut table = Table::new("Announcements by size, dead share and client", &columns);
        for row in &self.rows {
            table.push([
                row.nodes.into(),
                Cell::Percent(row.dead),
                row.time.name().into(),
                row.client.to_string().into(),
                row.announcements.into(),
                Cell::seconds(row.closed.median()),
                Cell::seconds(row.closed.quantile(0.9)),
                Cell::seconds(row.closed.quantile(0.99)),
                Cell::Percent(row.eighth),
                Cell::seconds(row.whole.median()),
                Cell::Number(row.acknowledged, 2),
                Cell::Number(row.recall, 3),
                Cell::Number(row.recall_closed, 3),
                Cell::Number(row.asked, 1),
                Cell::Number(row.sent, 1),
                Cell::number(row.questions.quantile(0.99), 0),
            ]);
        }
        table
    }

    /// The curves of the largest network at the smaller dead share.
    fn curves(&self, plan: &Plan, time: Time) -> Option<Chart> {
        let cell = largest(plan)?;
        let of = |client: &Client| {
            let row = self.row(cell, time, *client)?;
            let points = row.closed.cdf_of(row.announcements);
            Some(Series::new(&client.to_string(), Style::Steps, points))
        };
        let (nodes, dead) = cell;
        let dead = dead * 100.0;
        Some(Chart {
            title: format!(
                "Announcements closed, {}, {nodes} nodes, {dead:.0} % dead",
                time.name()
            ),
            x: Axis::log("seconds")
                .with(Format::Seconds)
                .between(0.1, 30.0),
            y: Axis::share("announcements that are closed"),
            series: plan.clients.iter().filter_map(of).collect(),
            notes: vec!["Closed: eight nodes acknowledged it, or no more will.".to_owned()],
        })
    }

    fn findings(&self, plan: &Plan) -> Vec<String> {
        let ours = |time| self.row(largest(plan)?, time, Client::Ours);
        let first = ours(Time::First).map(|row| {
            format!(
                "Ours are closed after {:.2} s, in 99 of 100 cases after {:.2} s, by {:.3} of the \
                 truly closest eight, for {:.1} questions.",
                row.closed.median().unwrap_or(f64::NAN),
                row.closed.quantile(0.99).unwrap_or(f64::NAN),
                row.recall,
                row.sent
            )
        });
        let again = ours(Time::Again).map(|row| {
            format!(
                "Repeated after 25 minutes they cost {:.1} questions and reach {:.3} of them.",
                row.sent, row.recall
            )
        });
        first.into_iter().chain(again).collect()
    }
}

/// The largest network at the smallest dead share that it is played with.
fn largest(plan: &Plan) -> Option<(u32, f64)> {
    let most = plan.cells.iter().map(|cell| cell.0).max()?;
    plan.cells.iter().copied().find(|cell| cell.0 == most)
}
