//! What churn does, as tables and charts.

use super::{Freshness, Outcome, Plan, Repetition};
use crate::report::{Axis, Cell, Chart, Format, Report, Run, Series, Style, Table};

impl Outcome {
    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "churn",
            about: "While people come and go: how long is an announced peer found, how often must \
                    it be announced again, how many contacts in tables are alive, and what does an \
                    idle node cost?"
                .to_owned(),
            parameters: vec![
                ("nodes".to_owned(), plan.nodes.to_string()),
                ("seed".to_owned(), plan.seed.to_string()),
            ],
            tables: vec![
                self.survivals(),
                self.repetitions(),
                self.freshnesses(),
                self.upkeeps(),
            ],
            charts: vec![self.decay(), self.sweep(), self.contacts()],
            findings: self.findings(),
            run: Run {
                seed: plan.seed,
                digest: self.digest,
                events: self.events,
                virtual_time: self.virtual_time,
                ..Run::default()
            },
        }
    }

    fn survivals(&self) -> Table {
        let columns = [
            ("minutes", ""),
            ("found", ""),
            ("of 8 closest alive", ""),
            ("any alive", ""),
        ];
        let mut table = Table::new("Announced once: found after", &columns);
        for row in &self.survival {
            table.push([
                row.minute.into(),
                Cell::Percent(row.found),
                Cell::Number(row.holders, 2),
                Cell::Percent(row.any),
            ]);
        }
        table
    }

    fn repetitions(&self) -> Table {
        let columns = [
            ("announced every", "min"),
            ("lookups", ""),
            ("found a member", ""),
            ("members found", ""),
            ("stale peers", ""),
            ("announcements", ""),
        ];
        let mut table = Table::new(
            "Announced again: swarms with members that come and go",
            &columns,
        );
        for row in &self.repetition {
            table.push([
                row.interval.into(),
                row.lookups.into(),
                Cell::Percent(row.hit),
                Cell::Percent(row.coverage),
                Cell::Percent(row.stale),
                row.announcements.into(),
            ]);
        }
        table
    }

    fn freshnesses(&self) -> Table {
        let columns = [
            ("minute", ""),
            ("nodes", ""),
            ("contacts", ""),
            ("near alive", ""),
            ("near reachable", ""),
            ("far alive", ""),
            ("far reachable", ""),
        ];
        let mut table = Table::new("Contacts in the tables of shipping nodes", &columns);
        for row in &self.freshness {
            table.push([
                row.minute.into(),
                row.nodes.into(),
                Cell::Number(row.contacts, 1),
                Cell::Percent(row.near.0),
                Cell::Percent(row.near.1),
                Cell::Percent(row.far.0),
                Cell::Percent(row.far.1),
            ]);
        }
        table
    }

    fn upkeeps(&self) -> Table {
        let columns = [
            ("class", ""),
            ("nodes", ""),
            ("out", "B/s"),
            ("in", "B/s"),
            ("out", "datagrams/s"),
            ("in", "datagrams/s"),
            ("asks", "/s"),
        ];
        let mut table = Table::new("An idle node: it answers, but looks for nothing", &columns);
        for row in &self.upkeep {
            table.push([
                format!("{:?}", row.class).to_lowercase().into(),
                row.nodes.into(),
                Cell::Number(row.bytes.0, 1),
                Cell::Number(row.bytes.1, 1),
                Cell::Number(row.datagrams.0, 3),
                Cell::Number(row.datagrams.1, 3),
                Cell::Number(row.questions, 3),
            ]);
        }
        table
    }

    fn decay(&self) -> Chart {
        let points = |of: fn(&super::Survival) -> f64| {
            let rows = self.survival.iter();
            rows.map(|row| (f64::from(row.minute), of(row))).collect()
        };
        Chart {
            title: "Peers that were announced once".to_owned(),
            x: Axis::linear("minutes after the announcement"),
            y: Axis::share("share"),
            series: vec![
                Series::new("found", Style::Line, points(|row| row.found)),
                Series::new(
                    "of the 8 closest nodes alive",
                    Style::Dashed,
                    points(|row| row.holders / 8.0),
                ),
            ],
            notes: vec!["Nodes forget an announcement after 30 to 60 minutes.".to_owned()],
        }
    }

    fn sweep(&self) -> Chart {
        let points = |of: fn(&Repetition) -> f64| {
            let rows = self.repetition.iter();
            rows.map(|row| (f64::from(row.interval), of(row))).collect()
        };
        Chart {
            title: "How often a peer announces itself".to_owned(),
            x: Axis::linear("minutes between announcements"),
            y: Axis::share("share"),
            series: vec![
                Series::new("a living peer found", Style::Line, points(|row| row.hit)),
                Series::new(
                    "living peers found",
                    Style::Line,
                    points(|row| row.coverage),
                ),
                Series::new(
                    "found peers that left",
                    Style::Line,
                    points(|row| row.stale),
                ),
            ],
            notes: Vec::new(),
        }
    }

    fn contacts(&self) -> Chart {
        let points = |of: fn(&Freshness) -> f64| {
            let rows = self.freshness.iter();
            rows.map(|row| (f64::from(row.minute), of(row))).collect()
        };
        Chart {
            title: "Contacts that are alive".to_owned(),
            x: Axis::linear("minutes"),
            y: Axis::linear("share").with(Format::Share).between(0.0, 1.0),
            series: vec![
                Series::new("16 closest", Style::Line, points(|row| row.near.0)),
                Series::new("others", Style::Line, points(|row| row.far.0)),
            ],
            notes: Vec::new(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        if let Some(row) = self.survival.iter().find(|row| row.found < 0.5) {
            findings.push(format!(
                "After {} minutes most peers that were announced once are forgotten, although \
                 {:.1} of the 8 closest nodes still run: lifetimes end it, not churn.",
                row.minute, row.holders
            ));
        }
        let best = self.repetition.iter().filter(|row| row.hit > 0.99);
        if let Some(row) = best.max_by_key(|row| row.interval) {
            findings.push(format!(
                "Announcing every {} minutes is enough for 99 % of lookups to find a member.",
                row.interval
            ));
        }
        findings
    }
}
