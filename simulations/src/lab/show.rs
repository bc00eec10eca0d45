//! What a lab measured, as tables and a chart.
//!
//! Knows how to show and nothing of how it was measured. Invariant: a share or quantile is of all
//! lookups that were ordered: those that found nothing never end.

use super::meter::Trial;
use super::{Outcome, Row};
use crate::report::{
    self, Axis, Cell, Chart, Distribution, Format, Report, Run, Series, Style, Table,
};

fn trials(row: &Row) -> &[Trial] {
    row.meter.trials()
}

fn mean(row: &Row, figure: impl Fn(&Trial) -> f64) -> Cell {
    let all = trials(row);
    let sum: f64 = all.iter().map(figure).sum();
    Cell::number((!all.is_empty()).then(|| sum / all.len() as f64), 1)
}

fn firsts(row: &Row) -> Distribution {
    trials(row)
        .iter()
        .filter_map(|trial| trial.first_values)
        .collect()
}

impl Outcome {
    fn lookups(&self) -> Table {
        let mut table = Table::new(
            "Lookups, seen at the router",
            &[
                ("client", ""),
                ("lookups", ""),
                ("asked at all", ""),
                ("found peers", ""),
                ("first values p50", "s"),
                ("p90", "s"),
                ("nodes asked", ""),
                ("unanswered", ""),
                ("packets about it", ""),
                ("bytes about it", "B"),
            ],
        );
        for row in &self.rows {
            let first = firsts(row);
            let (asked, answered) = trials(row).iter().fold((0, 0), |sum, trial| {
                (sum.0 + trial.nodes.len(), sum.1 + trial.answered.len())
            });
            let unanswered = (asked > 0).then(|| 1.0 - answered as f64 / asked as f64);
            let asking = trials(row)
                .iter()
                .filter(|trial| trial.asked.is_some())
                .count();
            table.push([
                Cell::Text(row.program.to_string()),
                Cell::Integer(trials(row).len() as u64),
                Cell::Integer(asking as u64),
                Cell::Integer(first.len() as u64),
                Cell::seconds(first.quantile_of(trials(row).len(), 0.5)),
                Cell::seconds(first.quantile_of(trials(row).len(), 0.9)),
                mean(row, |trial| trial.nodes.len() as f64),
                Cell::number(unanswered, 2),
                mean(row, |trial| (trial.out.packets + trial.back.packets) as f64),
                mean(row, |trial| (trial.out.bytes + trial.back.bytes) as f64),
            ]);
        }
        table
    }

    fn announcements(&self) -> Table {
        let mut table = Table::new(
            "Announcements, seen at the router",
            &[
                ("client", ""),
                ("announced to", "nodes"),
                ("acknowledged", "nodes"),
                ("last acknowledged p50", "s"),
                ("p90", "s"),
                ("all it sent a lookup", "packets"),
            ],
        );
        for row in &self.rows {
            let last: Distribution = trials(row)
                .iter()
                .filter_map(|trial| trial.last_ack)
                .collect();
            table.push([
                Cell::Text(row.program.to_string()),
                mean(row, |trial| trial.announced.len() as f64),
                mean(row, |trial| trial.acknowledged.len() as f64),
                Cell::seconds(last.quantile_of(trials(row).len(), 0.5)),
                Cell::seconds(last.quantile_of(trials(row).len(), 0.9)),
                mean(row, |trial| trial.all_out.packets as f64),
            ]);
        }
        table
    }

    fn tables(&self) -> Vec<Table> {
        let mut tables = vec![self.lookups(), self.announcements()];
        if !self.plan.idle.is_zero() {
            tables.push(self.upkeep());
        }
        tables
    }

    fn upkeep(&self) -> Table {
        let mut table = Table::new(
            "Upkeep without lookups, seen at the router",
            &[
                ("client", ""),
                ("sent", "B/s"),
                ("got", "B/s"),
                ("packets sent", "1/s"),
                ("packets got", "1/s"),
            ],
        );
        let seconds = self.plan.idle.as_secs_f64();
        for row in &self.rows {
            let [sent, got] = row.idle;
            let rate = |count: u64, digits| Cell::number(Some(count as f64 / seconds), digits);
            table.push([
                Cell::Text(row.program.to_string()),
                rate(sent.bytes, 0),
                rate(got.bytes, 0),
                rate(sent.packets, 2),
                rate(got.packets, 2),
            ]);
        }
        table
    }

    fn chart(&self) -> Chart {
        let curve = |row: &Row| {
            let points = firsts(row).cdf_of(trials(row).len());
            let points = points.into_iter().map(|(x, y)| (x * 1e3, y)).collect();
            Series::new(&row.program.to_string(), Style::Steps, points)
        };
        Chart {
            title: "Time to the first datagram with peers".to_owned(),
            x: Axis::log("ms since the first get_peers").with(Format::Plain),
            y: Axis::share("share of lookups"),
            series: self.rows.iter().map(curve).collect(),
            notes: Vec::new(),
        }
    }
}

impl report::Outcome for Outcome {
    fn report(&self) -> Report {
        let ground = &self.plan.ground;
        let parameters = [
            ("nodes", ground.nodes.to_string()),
            ("dead", ground.dead.to_string()),
            ("lookups", self.plan.lookups.to_string()),
            ("pause", self.plan.pause.as_secs().to_string()),
            ("joining", self.plan.joining.as_secs().to_string()),
            ("idle", self.plan.idle.as_secs().to_string()),
            ("seed", ground.seed.to_string()),
        ];
        let late = |q| self.lag.quantile(q).unwrap_or_default() * 1e3;
        Report {
            scenario: "lab",
            about: "How do real clients find peers in one and the same network? Measured on their \
                    wires, with their defaults."
                .to_owned(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            tables: self.tables(),
            charts: vec![self.chart()],
            findings: vec![format!(
                "{} of {} nodes died after the clients had joined. The router was late by {:.2} ms in \
                 the median, {:.2} ms at most once in a hundred datagrams, {:.1} ms once.",
                self.died,
                ground.nodes,
                late(0.5),
                late(0.99),
                late(1.0),
            )],
            run: Run {
                seed: ground.seed,
                digest: 0,
                events: self.events,
                wall: self.wall[1],
                virtual_time: self.virtual_time,
                bytes_per_node: None,
            },
        }
    }
}
