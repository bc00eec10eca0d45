//! A sweep as one table, a chart for each parameter, and what was best.

use super::{Outcome, Plan, Row};
use crate::report::{Axis, Cell, Chart, Format, Report, Series, Style, Table};

/// A quantile of a row's times.
type Quantile = fn(&Row) -> Option<f64>;

/// The quantiles that charts show.
const TIMES: [(&str, Quantile); 4] = [
    ("first peer p50", |row| row.lookups.first_within(0.5)),
    ("first peer p99", |row| row.lookups.first_within(0.99)),
    ("announcement closed p50", |row| {
        row.announcements.closed.median()
    }),
    ("announcement closed p99", |row| {
        row.announcements.closed.quantile(0.99)
    }),
];

impl Outcome {
    /// The rows of one parameter at the first dead share, by value.
    pub fn of(&self, parameter: &str) -> impl Iterator<Item = &Row> {
        let dead = self.rows.first().map_or(0.0, |row| row.lookups.dead);
        let here = move |row: &&Row| (row.lookups.dead - dead).abs() < 1e-9;
        let rows = self.rows.iter().filter(here);
        rows.filter(move |row| row.parameter == parameter)
    }

    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        let names = plan.sweeps.iter().map(|(parameter, _)| parameter.name);
        let mut charts: Vec<Chart> = names.map(|name| self.times(name)).collect();
        charts.push(self.prices(plan));
        Report {
            scenario: "sweep",
            about:
                "Which values should the parameters of our lookups have? One is changed at a time; \
                    all variants of the node look up the same hashes in the same network."
                    .to_owned(),
            parameters: vec![
                ("nodes".to_owned(), plan.nodes.to_string()),
                ("seeds".to_owned(), plan.seeds.to_string()),
            ],
            tables: vec![self.table()],
            charts,
            findings: self.findings(plan),
            run: self.run.clone(),
        }
    }

    fn table(&self) -> Table {
        let columns = [
            ("dead", ""),
            ("parameter", ""),
            ("value", ""),
            ("ships", ""),
            ("lookups", ""),
            ("found", ""),
            ("first p50", ""),
            ("first p90", ""),
            ("first p99", ""),
            ("whole p50", ""),
            ("whole p99", ""),
            ("asked", "nodes"),
            ("caused", "questions"),
            ("hops", ""),
            ("recall", "of the true 8"),
            ("closed p50", ""),
            ("closed p99", ""),
            ("announcement caused", "questions"),
            ("announcement recall", ""),
        ];
        let mut table = Table::new("Lookups and announcements by parameter and value", &columns);
        for row in &self.rows {
            let (lookup, announcement) = (&row.lookups, &row.announcements);
            table.push([
                Cell::Percent(lookup.dead),
                row.parameter.into(),
                row.value.into(),
                if row.ships() { "yes" } else { "" }.into(),
                lookup.lookups.into(),
                Cell::Number(lookup.success(), 5),
                Cell::seconds(lookup.first_within(0.5)),
                Cell::seconds(lookup.first_within(0.9)),
                Cell::seconds(lookup.first_within(0.99)),
                Cell::seconds(lookup.whole.median()),
                Cell::seconds(lookup.whole.quantile(0.99)),
                Cell::Number(lookup.asked, 1),
                Cell::Number(lookup.sent, 1),
                Cell::Number(lookup.hops, 2),
                Cell::Number(lookup.recall, 3),
                Cell::seconds(announcement.closed.median()),
                Cell::seconds(announcement.closed.quantile(0.99)),
                Cell::Number(announcement.sent, 1),
                Cell::Number(announcement.recall, 3),
            ]);
        }
        table
    }

    fn times(&self, parameter: &str) -> Chart {
        let series = TIMES.iter().map(|(name, quantile)| {
            let point = |row: &Row| Some((row.value as f64, quantile(row)?));
            let points = self.of(parameter).filter_map(point).collect();
            Series::new(name, Style::LinePoints, points)
        });
        Chart {
            title: format!("Times by {parameter}"),
            x: Axis::linear(parameter),
            y: Axis::log("seconds").with(Format::Seconds),
            series: series.collect(),
            notes: self.conditions(),
        }
    }

    /// What a faster first peer costs.
    fn prices(&self, plan: &Plan) -> Chart {
        let series = plan.sweeps.iter().map(|(parameter, _)| {
            let point = |row: &Row| Some((row.lookups.sent, row.lookups.first_within(0.9)?));
            let points = self.of(parameter.name).filter_map(point).collect();
            Series::new(parameter.name, Style::LinePoints, points)
        });
        Chart {
            title: "What a faster first peer costs others".to_owned(),
            x: Axis::linear("questions caused by a lookup"),
            y: Axis::linear("90 % of all lookups have a peer after").with(Format::Seconds),
            series: series.collect(),
            notes: self.conditions(),
        }
    }

    fn conditions(&self) -> Vec<String> {
        let row = self.rows.first();
        let text = |row: &Row| {
            let (nodes, dead) = (row.lookups.nodes, row.lookups.dead * 100.0);
            format!("{nodes} nodes, {dead:.0} % dead; the other parameters as they ship.")
        };
        row.map(text).into_iter().collect()
    }

    fn findings(&self, plan: &Plan) -> Vec<String> {
        let best = |name: &str, what: &str, value: &dyn Fn(&Row) -> Option<f64>| {
            let measured = self.of(name).filter_map(|row| Some((value(row)?, row)));
            let best = measured.min_by(|a, b| a.0.total_cmp(&b.0));
            best.map(|(least, row)| {
                format!("{name}: {what} is least at {}: {least:.3} s.", row.value)
            })
        };
        let mut findings = Vec::new();
        for (parameter, _) in &plan.sweeps {
            let name = parameter.name;
            let first = |row: &Row| row.lookups.first_within(0.5);
            let late = |row: &Row| row.lookups.first_within(0.99);
            let closed = |row: &Row| row.announcements.closed.quantile(0.99);
            findings.extend(best(name, "half of the first peers", &first));
            findings.extend(best(name, "99 of 100 first peers", &late));
            findings.extend(best(name, "99 of 100 announcements closed", &closed));
        }
        let ours = self.rows.iter().find(|row| row.ships());
        findings.extend(ours.map(|row| {
            format!(
                "The floor of what ships, by floods with the same contacts: {:.3} s for half, {:.3} s for 99 of 100.",
                row.lookups.floor_within(0.5).unwrap_or(f64::NAN),
                row.lookups.floor_within(0.99).unwrap_or(f64::NAN)
            )
        }));
        findings
    }
}
