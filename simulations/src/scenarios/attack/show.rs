//! The attacks' outcomes as tables and charts.

use super::amplify::{DRUMMING, DRUMS};
use super::routing::{Door, NETWORKS};
use super::{Gets, Outcome, Plan};
use crate::report::{Axis, Cell, Chart, Report, Series, Style, Table};

impl Outcome {
    /// Shows it.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "attack",
            about:
                "What do attackers achieve against the nodes that ship: among all nodes, around a \
                    torrent, around one node, and against what one node does for others?"
                    .into(),
            parameters: vec![("nodes".into(), plan.nodes.to_string())],
            tables: vec![
                self.poisoned(),
                self.surrounded(),
                self.eclipsed(),
                self.tokens(),
                self.amplified(),
                self.flooded(),
            ],
            charts: vec![self.poison_chart(), self.sybil_chart()],
            findings: self.findings(),
            run: self.run.clone(),
        }
    }

    fn poisoned(&self) -> Table {
        let mut table = Table::new(
            "attackers among all nodes that name each other only",
            &[
                ("attackers", ""),
                ("of all tables", ""),
                ("lookups", ""),
                ("found peers", ""),
                ("first peer p50", ""),
                ("p99", ""),
                ("p50", "times that without attackers"),
            ],
        );
        let calm = self.poisoned.first();
        let calm = calm.and_then(|row| row.gets.first.median());
        for row in &self.poisoned {
            let median = row.gets.first.median();
            table.push([
                Cell::Percent(row.share),
                Cell::Percent(row.tables),
                row.gets.asked.into(),
                Cell::Number(row.gets.success(), 5),
                Cell::seconds(median),
                Cell::seconds(row.gets.first.quantile(0.99)),
                Cell::number(median.zip(calm).map(|(own, calm)| own / calm), 2),
            ]);
        }
        table
    }

    fn surrounded(&self) -> Table {
        let title = format!("Sybils next to one torrent, in {NETWORKS} /24 networks");
        let mut table = Table::new(
            &title,
            &[
                ("sybils", ""),
                ("published before: found", ""),
                ("first peer p50", ""),
                ("published after: found", ""),
                ("first peer p50 ", ""),
                ("lookups", ""),
            ],
        );
        for row in &self.surrounded {
            let median = |gets: &Gets| Cell::seconds(gets.first.median());
            table.push([
                row.sybils.into(),
                Cell::Number(row.before.success(), 5),
                median(&row.before),
                Cell::Number(row.after.success(), 5),
                median(&row.after),
                row.after.asked.into(),
            ]);
        }
        table
    }

    fn eclipsed(&self) -> Table {
        let mut table = Table::new(
            "attackers around one newcomer that talk to it first",
            &[
                ("joins through", ""),
                ("attackers", ""),
                ("of its table", ""),
                ("of a lookup's first 16", ""),
                ("of its 8 neighbours", ""),
                ("its lookups", ""),
                ("found peers", ""),
            ],
        );
        for row in &self.eclipsed {
            let door = match row.door {
                Door::Honest => "bootstrap nodes",
                Door::Attacker => "an attacker",
            };
            table.push([
                door.into(),
                row.attackers.into(),
                Cell::Percent(row.table),
                Cell::Percent(row.seeds),
                Cell::Percent(row.near),
                row.gets.asked.into(),
                Cell::Percent(row.gets.success()),
            ]);
        }
        table
    }

    fn tokens(&self) -> Table {
        let columns = [("token", ""), ("announcements", ""), ("stored", "")];
        let mut table = Table::new("announcements by their tokens", &columns);
        for row in &self.tokens {
            table.push([row.token.into(), row.sent.into(), row.stored.into()]);
        }
        table
    }

    fn amplified(&self) -> Table {
        let title = format!("{DRUMS} queries a second from a forged source for {DRUMMING} s");
        let mut table = Table::new(
            &title,
            &[
                ("query", ""),
                ("its length", "bytes"),
                ("first answer", "times its query"),
                ("longest answer", "times its query"),
                ("sent", "bytes"),
                ("victim gets", "bytes"),
                ("victim gets", "datagrams"),
                ("amplification", "times"),
            ],
        );
        for row in &self.amplified {
            table.push([
                row.query.into(),
                row.length.into(),
                Cell::Number(row.once, 2),
                Cell::Number(row.worst, 2),
                row.sent.bytes.into(),
                row.got.bytes.into(),
                row.got.datagrams.into(),
                Cell::Number(row.got.bytes as f64 / row.sent.bytes as f64, 3),
            ]);
        }
        table
    }

    fn flooded(&self) -> Table {
        let mut table = Table::new(
            "announcements to one node, with good tokens",
            &[
                ("who", ""),
                ("announcements", ""),
                ("hashes stored", ""),
                ("peers stored", ""),
                ("the peer before still there", ""),
                ("the peer after stored", ""),
            ],
        );
        for row in &self.flooded {
            table.push([
                row.who.into(),
                row.sent.into(),
                row.hashes.into(),
                row.peers.into(),
                row.kept.name().into(),
                row.admitted.name().into(),
            ]);
        }
        table
    }

    fn poison_chart(&self) -> Chart {
        let found = self
            .poisoned
            .iter()
            .map(|row| (row.share, row.gets.success()));
        let tables = self.poisoned.iter().map(|row| (row.share, row.tables));
        Chart {
            title: "Attackers among all nodes".into(),
            x: Axis::share("attackers of all nodes").between(0.0, 0.3),
            y: Axis::share("of all"),
            series: vec![
                Series::new("lookups that found peers", Style::Line, found.collect()),
                Series::new("attackers in tables", Style::Line, tables.collect()),
            ],
            notes: Vec::new(),
        }
    }

    fn sybil_chart(&self) -> Chart {
        let line = |of: fn(&super::Surrounded) -> &Gets| {
            let rows = self.surrounded.iter();
            rows.map(|row| (f64::from(row.sybils), of(row).success()))
                .collect()
        };
        Chart {
            title: "Sybils next to one torrent".into(),
            x: Axis::linear("sybils"),
            y: Axis::share("lookups that found an honest peer"),
            series: vec![
                Series::new(
                    "published before they came",
                    Style::Line,
                    line(|row| &row.before),
                ),
                Series::new("published after", Style::Line, line(|row| &row.after)),
            ],
            notes: Vec::new(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        if let Some(row) = self.poisoned.last() {
            findings.push(format!(
                "with {:.0} % attackers among all nodes {:.1} % of lookups find peers",
                row.share * 100.0,
                row.gets.success() * 100.0
            ));
        }
        if let Some(row) = self.surrounded.last() {
            findings.push(format!(
                "{} Sybils next to a torrent leave {:.1} % of lookups a peer that was announced \
                 meanwhile",
                row.sybils,
                row.after.success() * 100.0
            ));
        }
        let forged = self.tokens.iter().skip(1);
        let stored: usize = forged.map(|row| row.stored).sum();
        findings.push(format!(
            "{stored} announcements with forged tokens were stored"
        ));
        let worst = self
            .amplified
            .iter()
            .map(|row| row.got.bytes as f64 / row.sent.bytes as f64)
            .fold(0.0, f64::max);
        findings.push(format!(
            "a forged source gets at most {worst:.2} times the bytes spent on it in a minute"
        ));
        let single = self.amplified.iter().map(|row| row.worst);
        findings.push(format!(
            "one answer to an unproven source has at most {:.2} times the bytes of its query",
            single.fold(0.0, f64::max)
        ));
        findings
    }
}
