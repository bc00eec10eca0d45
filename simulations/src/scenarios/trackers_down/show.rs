//! The swarms without trackers as tables and charts. Sentences are computed from the rows.

use std::time::Duration;

use super::{Group, Outcome, Plan, Row, Sources};
use crate::report::{Axis, Cell, Chart, Distribution, Report, Run, Series, Style, Table};

impl Sources {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Sources::Tracker => "tracker only",
            Sources::Pex => "tracker + PEX",
            Sources::Dht => "tracker + DHT",
            Sources::Both => "tracker + both",
            Sources::Address => "tracker + address",
            Sources::AddressPex => "tracker + address + PEX",
            Sources::Alive => "tracker that lives",
        }
    }
}

impl Group {
    /// Completed, as a part of all.
    #[must_use]
    pub fn done(&self) -> f64 {
        self.took.len() as f64 / f64::from(self.peers.max(1))
    }

    fn took(&self, q: f64) -> Option<f64> {
        let took: Distribution = self.took.iter().copied().collect();
        took.quantile(q)
    }

    fn cells(&self) -> [Cell; 6] {
        [
            Cell::Text(format!("{} / {}", self.took.len(), self.peers)),
            Cell::seconds(self.took(0.5)),
            Cell::seconds(self.took(0.9)),
            Cell::number(mean(&self.known), 1),
            Cell::number(mean(&self.connected), 1),
            Cell::number(mean(&self.in_vain), 1),
        ]
    }
}

/// Of counts; none of no counts.
fn mean(counts: &[u32]) -> Option<f64> {
    let counts: Distribution = counts.iter().map(|count| f64::from(*count)).collect();
    counts.mean()
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

impl Outcome {
    /// The row of a variant.
    #[must_use]
    pub fn row(&self, sources: Sources) -> Option<&Row> {
        self.rows.iter().find(|row| row.sources == sources)
    }

    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "trackers-down",
            about: format!(
                "Does a swarm survive its trackers, and at what cost? {} peers come within {:.0} \
                 minutes; the only tracker dies after {:.0}. The same swarm with other sources of \
                 peers beside the tracker; one seeder stays, others leave {:.0} minutes after \
                 completing.",
                plan.peers,
                minutes(plan.arrival),
                minutes(plan.dies),
                minutes(plan.linger),
            ),
            parameters: vec![("nodes".to_owned(), plan.peers.to_string())],
            tables: vec![self.peers(plan), self.parts(), self.cost(plan)],
            charts: vec![self.completions(plan), self.times(plan)],
            findings: self.findings(plan),
            run: Run {
                seed: plan.seed,
                digest: self.digest,
                events: self.events,
                virtual_time: self.virtual_time,
                ..Run::default()
            },
        }
    }

    fn peers(&self, plan: &Plan) -> Table {
        let asked = format!("at {:.0} min", minutes(plan.asked));
        let mut table = Table::new(
            "who completes",
            &[
                ("peers from", ""),
                ("came", ""),
                ("done", ""),
                ("p50", "of those done"),
                ("p90", "of those done"),
                ("known", &asked),
                ("connected", &asked),
                ("calls in vain", &asked),
            ],
        );
        for row in &self.rows {
            for (name, group) in [("before", &row.before), ("after", &row.after)] {
                let head = [row.sources.name(), name].map(|name| Cell::Text(name.to_owned()));
                table.push(head.into_iter().chain(group.cells()));
            }
        }
        table
    }

    fn parts(&self) -> Table {
        let mut table = Table::new(
            "parts of the swarm",
            &[
                ("peers from", ""),
                ("time", ""),
                ("incomplete", "peers"),
                ("parts", ""),
                ("able", "parts with a full copy or a seeder"),
                ("cut off", "peers in the others"),
            ],
        );
        for row in &self.rows {
            for split in &row.splits {
                let counts = [split.peers, split.parts, split.able, split.cut_off];
                let head = [
                    Cell::Text(row.sources.name().to_owned()),
                    Cell::Time(split.at),
                ];
                let counts = counts.map(|count| Cell::Integer(u64::from(count)));
                table.push(head.into_iter().chain(counts));
            }
        }
        table
    }
}

impl Outcome {
    fn cost(&self, plan: &Plan) -> Table {
        let mut table = Table::new(
            "what the DHT costs a peer",
            &[
                ("peers from", ""),
                ("searches", "a peer"),
                ("datagrams", "a peer, both ways"),
                ("payload", "KiB a peer, both ways"),
                ("of the download", ""),
            ],
        );
        for row in self.rows.iter().filter(|row| row.spent.datagrams > 0) {
            // The seeder takes part.
            let peers = f64::from(plan.peers + 1);
            let bytes = row.spent.bytes as f64 / peers;
            table.push([
                Cell::Text(row.sources.name().to_owned()),
                Cell::Number(row.spent.searches as f64 / peers, 1),
                Cell::Number(row.spent.datagrams as f64 / peers, 0),
                Cell::Number(bytes / 1024.0, 1),
                Cell::Percent(bytes / plan.length as f64),
            ]);
        }
        table
    }

    fn completions(&self, plan: &Plan) -> Chart {
        let series = self.rows.iter().map(|row| {
            let done = row.completions.iter().zip(1_u32..);
            let done = done.map(|(at, count)| (minutes(*at), f64::from(count)));
            let last = (minutes(row.ended), row.completions.len() as f64);
            let points = [(0.0, 0.0)].into_iter().chain(done).chain([last]);
            Series::new(row.sources.name(), Style::Steps, points.collect())
        });
        Chart {
            title: "Completed peers; the tracker dies early".to_owned(),
            x: Axis::linear("minutes since the seeder came"),
            y: Axis::linear("peers"),
            series: series.collect(),
            notes: vec![format!(
                "{} peers come within {:.0} minutes, the tracker dies after {:.0}",
                plan.peers,
                minutes(plan.arrival),
                minutes(plan.dies)
            )],
        }
    }

    fn times(&self, plan: &Plan) -> Chart {
        let series = self.rows.iter().map(|row| {
            let took = row.before.took.iter().chain(&row.after.took);
            let took: Distribution = took.map(|took| minutes(*took)).collect();
            let all = plan.peers as usize;
            Series::new(row.sources.name(), Style::Steps, took.cdf_of(all))
        });
        Chart {
            title: "From arrival to completion".to_owned(),
            x: Axis::linear("minutes"),
            y: Axis::share("of all peers"),
            series: series.collect(),
            notes: vec!["a curve that ends below 100 %: the others never completed".to_owned()],
        }
    }

    fn findings(&self, plan: &Plan) -> Vec<String> {
        let mut findings: Vec<String> = self.rows.iter().map(Row::survival).collect();
        let both = self.row(Sources::Both).zip(self.row(Sources::Alive));
        if let Some((both, alive)) = both
            && let Some((here, there)) = both.after.took(0.5).zip(alive.after.took(0.5))
        {
            let peers = f64::from(plan.peers + 1);
            findings.push(format!(
                "With both, latecomers take {:.2} times as long (p50) as with a tracker that \
                 lives; the DHT costs {:.1} KiB a peer, {:.2} % of a download.",
                here / there.max(1e-9),
                both.spent.bytes as f64 / peers / 1024.0,
                both.spent.bytes as f64 / peers / plan.length as f64 * 100.0,
            ));
            if let Some((here, there)) = mean(&both.after.in_vain).zip(mean(&alive.after.in_vain)) {
                findings.push(format!(
                    "The DHT cannot be told that a peer has left: {:.0} minutes after arriving, \
                     latecomers have called {here:.1} times in vain; with a tracker that lives, \
                     {there:.1} times.",
                    minutes(plan.asked),
                ));
            }
        }
        let address = self
            .row(Sources::Address)
            .zip(self.row(Sources::AddressPex));
        if let Some((alone, exchanging)) = address {
            findings.push(format!(
                "Peer exchange introduces nobody to a swarm, but one known address is enough for \
                 it: with the seeder's, {} of {} latecomers complete; without peer exchange, {}.",
                exchanging.after.took.len(),
                exchanging.after.peers,
                alone.after.took.len(),
            ));
        }
        findings
    }
}

impl Row {
    /// One sentence: who completed, and how many were cut off at worst.
    fn survival(&self) -> String {
        let worst = self.splits.iter().max_by_key(|split| split.cut_off);
        let parts = match worst {
            Some(worst) if worst.cut_off > 0 => format!(
                "; at worst {} of {} incomplete peers are cut off, in {} parts (minute {:.0})",
                worst.cut_off,
                worst.peers,
                worst.parts - worst.able,
                minutes(worst.at),
            ),
            _ => "; nobody is cut off when parts are counted".to_owned(),
        };
        let (before, after) = (&self.before, &self.after);
        format!(
            "{}: {} of {} who came before the end of the tracker completed, {} of {} who came \
             after{parts}.",
            self.sources.name(),
            before.took.len(),
            before.peers,
            after.took.len(),
            after.peers,
        )
    }
}
