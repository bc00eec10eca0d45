//! Mixed networks as two tables and two charts: what we gain, and what others carry.

use super::{Load, Outcome, Plan, Side};
use crate::report::{Axis, Cell, Chart, Format, Report, Series, Style, Table};
use crate::scenarios::lookup;
use crate::watch::Client;

impl Side {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Ours => "ours",
            Side::Theirs => "others",
        }
    }
}

impl Outcome {
    /// The lookups of a client, by share.
    pub fn of(&self, client: Client) -> impl Iterator<Item = &(f64, lookup::Row)> {
        self.lookups
            .iter()
            .filter(move |(_, row)| row.client == client)
    }

    /// The load of a side, by share.
    pub fn carried(&self, side: Side) -> impl Iterator<Item = &Load> {
        self.loads.iter().filter(move |load| load.side == side)
    }

    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "mixed",
            about:
                "Do our lookups gain when few nodes are ours, and do others carry more when many \
                    are?"
                    .to_owned(),
            parameters: vec![
                ("nodes".to_owned(), plan.nodes.to_string()),
                ("seeds".to_owned(), plan.seeds.to_string()),
            ],
            tables: vec![self.times(), self.load()],
            charts: vec![self.gain(plan), self.burden()],
            findings: self.findings(),
            run: self.run.clone(),
        }
    }

    fn times(&self) -> Table {
        let columns = [
            ("ours", "of all nodes"),
            ("client", ""),
            ("lookups", ""),
            ("found", ""),
            ("first p50", ""),
            ("first p90", ""),
            ("first p99", ""),
            ("floor p50", ""),
            ("asked", "nodes"),
            ("caused", "questions"),
            ("recall", "of the true 8"),
        ];
        let mut table = Table::new("Lookups by the share of our nodes", &columns);
        for (share, row) in &self.lookups {
            table.push([
                Cell::Percent(*share),
                row.client.to_string().into(),
                row.lookups.into(),
                Cell::Number(row.success(), 5),
                Cell::seconds(row.first_within(0.5)),
                Cell::seconds(row.first_within(0.9)),
                Cell::seconds(row.first_within(0.99)),
                Cell::seconds(row.floor_within(0.5)),
                Cell::Number(row.asked, 1),
                Cell::Number(row.sent, 1),
                Cell::Number(row.recall, 3),
            ]);
        }
        table
    }

    fn load(&self) -> Table {
        let columns = [
            ("ours", "of all nodes"),
            ("whose", ""),
            ("nodes", "listened to"),
            ("is asked", "questions/h"),
            ("asks", "questions/h"),
            ("sends", "B/s"),
            ("receives", "B/s"),
        ];
        let title = "What a node carries, with a lookup an hour and node and nobody measuring";
        let mut table = Table::new(title, &columns);
        for load in self.loads.iter().filter(|load| load.nodes > 0) {
            table.push([
                Cell::Percent(load.share),
                load.side.name().into(),
                load.nodes.into(),
                Cell::Number(load.asked, 0),
                Cell::Number(load.asks, 0),
                Cell::Number(load.bytes.0, 1),
                Cell::Number(load.bytes.1, 1),
            ]);
        }
        table
    }

    fn gain(&self, plan: &Plan) -> Chart {
        let mut series = Vec::new();
        for client in &plan.clients {
            for (part, style) in [(0.5, Style::LinePoints), (0.99, Style::Dashed)] {
                let point =
                    |(share, row): &(f64, lookup::Row)| Some((*share, row.first_within(part)?));
                let points = self.of(*client).filter_map(point).collect();
                series.push(Series::new(&client.to_string(), style, points));
            }
        }
        Chart {
            title: format!("First peer, {} nodes, 40 % dead", plan.nodes),
            x: Axis::log("our nodes, of all").with(Format::Share),
            y: Axis::log("a part of all lookups has a peer after").with(Format::Seconds),
            series,
            notes: vec!["Line: half of all lookups; dashed: 99 of 100.".to_owned()],
        }
    }

    fn burden(&self) -> Chart {
        let line = |side: Side| {
            let loads = self.carried(side).filter(|load| load.nodes > 0);
            let points = loads.map(|load| (load.share, load.asked)).collect();
            Series::new(side.name(), Style::LinePoints, points)
        };
        Chart {
            title: "Questions that reach a node".to_owned(),
            x: Axis::log("our nodes, of all").with(Format::Share),
            y: Axis::linear("questions an hour"),
            series: vec![line(Side::Ours), line(Side::Theirs)],
            notes: Vec::new(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let ours: Vec<_> = self.of(Client::Ours).collect();
        if let [few, .., many] = &ours[..] {
            let half = |row: &lookup::Row| row.first_within(0.5).unwrap_or(f64::NAN);
            findings.push(format!(
                "Half of our lookups have a peer after {:.3} s when {} % of all nodes are ours, after \
                 {:.3} s when {} % are.",
                half(&few.1),
                few.0 * 100.0,
                half(&many.1),
                many.0 * 100.0
            ));
        }
        let theirs = self.carried(Side::Theirs);
        let asked: Vec<&Load> = theirs.filter(|load| load.nodes > 0).collect();
        if let [few, .., many] = &asked[..] {
            findings.push(format!(
                "Others' nodes are asked {:.0} questions an hour among few of ours, {:.0} among many.",
                few.asked, many.asked
            ));
        }
        findings
    }
}
