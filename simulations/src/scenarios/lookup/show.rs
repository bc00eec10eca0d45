//! The comparison of lookups as tables and charts. What is extrapolated is marked as such.
//!
//! A lookup's way grows with the logarithm of the network's size, so times and questions are a
//! straight line over it; the line of the measured sizes, drawn on to ten million nodes, is an
//! expectation and no measurement.

use super::{Outcome, Plan, Row};
use crate::report::{Axis, Cell, Chart, Format, Report, Series, Style, Table};
use crate::watch::Client;

/// The size of the real network, to which trends are drawn, and one on the way there.
const WORLD: f64 = 1e7;
const MILLION: f64 = 1e6;
/// The dead share that is compared over sizes: about what crawls of the real network find.
const USUAL: f64 = 0.4;

/// A flood starts beside its host, so its pairs of hosts are others: medians differ by chance.
const SLACK: f64 = 0.05;

/// How charts call the floor of the shipping node.
const FLOOR: &str = "floor of trackless";

/// The line through points, by least squares: its height at 0 and its slope.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let sum = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>();
    let [x, y] = [sum(|p| p.0) / count, sum(|p| p.1) / count];
    let spread: f64 = points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
    slope.is_finite().then_some((y - slope * x, slope))
}

/// The trend of a value over the size, in log2 of the size.
fn trend(rows: &[&Row], value: impl Fn(&Row) -> Option<f64>) -> Option<(f64, f64)> {
    let of = |row: &&Row| Some((libm::log2(f64::from(row.nodes)), value(row)?));
    let points: Vec<(f64, f64)> = rows.iter().filter_map(of).collect();
    line(&points)
}

fn at(trend: Option<(f64, f64)>, nodes: f64) -> Option<f64> {
    trend.map(|(base, slope)| base + slope * libm::log2(nodes))
}

impl Outcome {
    /// The row of a cell that belongs to this client.
    #[must_use]
    pub fn row(&self, (nodes, dead): (u32, f64), client: Client) -> Option<&Row> {
        let same = |row: &&Row| row.nodes == nodes && (row.dead - dead).abs() < 1e-9;
        self.rows
            .iter()
            .filter(same)
            .find(|row| row.client == client)
    }

    /// Everything to show.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        let clients = &plan.clients;
        let most = plan.cells.iter().map(|cell| cell.0).max().unwrap_or(0);
        Report {
            scenario: "lookup",
            about: "How long does a lookup take until the first peer, how many questions does it \
                    cost, and does it find the nodes that are truly closest, when a share of all \
                    contacts is dead?"
                .to_owned(),
            parameters: vec![
                ("nodes".to_owned(), most.to_string()),
                ("seeds".to_owned(), plan.seeds.to_string()),
            ],
            tables: vec![self.measured(), self.expected(clients)],
            charts: self.charts(clients),
            findings: self.findings(),
            run: self.run.clone(),
        }
    }

    fn measured(&self) -> Table {
        let columns = [
            ("nodes", ""),
            ("dead", ""),
            ("client", ""),
            ("contacts", ""),
            ("lookups", ""),
            ("found", ""),
            ("first p50", ""),
            ("first p90", ""),
            ("first p99", ""),
            ("floor p50", ""),
            ("over floor", ""),
            ("whole p50", ""),
            ("whole p99", ""),
            ("asked", ""),
            ("questions caused", ""),
            ("unanswered", ""),
            ("hops", ""),
            ("recall of 8", ""),
        ];
        let mut table = Table::new("Lookups by size, dead share and client", &columns);
        for row in &self.rows {
            let floor = row.floor_within(0.5);
            let over = row.first_within(0.5).zip(floor).map(|(own, low)| own / low);
            let hops = (row.hops > 0.0).then_some(row.hops);
            table.push([
                row.nodes.into(),
                Cell::Percent(row.dead),
                row.client.to_string().into(),
                Cell::Number(row.contacts, 0),
                row.lookups.into(),
                Cell::Number(row.success(), 5),
                Cell::seconds(row.first_within(0.5)),
                Cell::seconds(row.first_within(0.9)),
                Cell::seconds(row.first_within(0.99)),
                Cell::seconds(floor),
                Cell::number(over, 2),
                Cell::seconds(row.whole.median()),
                Cell::seconds(row.whole.quantile(0.99)),
                Cell::Number(row.asked, 1),
                Cell::Number(row.sent, 1),
                Cell::Percent(row.unanswered),
                Cell::number(hops, 1),
                Cell::Percent(row.recall),
            ]);
        }
        table
    }

    /// The rows at the usual dead share, by size.
    fn usual(&self, client: Client) -> Vec<&Row> {
        let of = |row: &&Row| row.client == client && (row.dead - USUAL).abs() < 1e-9;
        self.rows.iter().filter(of).collect()
    }

    fn expected(&self, clients: &[Client]) -> Table {
        let mut table = Table::new(
            "Expected in larger networks, 40 % dead: EXTRAPOLATED by a line in log2 of the size",
            &[
                ("nodes", ""),
                ("client", ""),
                ("sizes", ""),
                ("first p50", ""),
                ("first p90", ""),
                ("first p99", ""),
                ("asked", ""),
                ("questions caused", ""),
            ],
        );
        for (nodes, client) in [MILLION, WORLD]
            .into_iter()
            .flat_map(|nodes| clients.iter().map(move |client| (nodes, client)))
        {
            let rows = self.usual(*client);
            if rows.len() < 2 {
                continue;
            }
            let first = |part| at(trend(&rows, |row| row.first_within(part)), nodes);
            table.push([
                Cell::Number(nodes, 0),
                client.to_string().into(),
                rows.len().into(),
                Cell::seconds(first(0.5)),
                Cell::seconds(first(0.9)),
                Cell::seconds(first(0.99)),
                Cell::number(at(trend(&rows, |row| Some(row.asked)), nodes), 0),
                Cell::number(at(trend(&rows, |row| Some(row.sent)), nodes), 0),
            ]);
        }
        table
    }

    fn charts(&self, clients: &[Client]) -> Vec<Chart> {
        let mut charts = vec![self.over_sizes(clients), self.over_deaths(clients)];
        // A trend needs two points.
        charts.retain(|chart| chart.series.iter().any(|series| series.points.len() > 1));
        charts.extend(self.curves(clients));
        charts
    }

    fn over_sizes(&self, clients: &[Client]) -> Chart {
        let mut series = Vec::new();
        for client in clients {
            let rows = self.usual(*client);
            let point = |row: &&Row| Some((f64::from(row.nodes), row.first_within(0.5)?));
            let points: Vec<(f64, f64)> = rows.iter().filter_map(point).collect();
            series.push(Series::new(&client.to_string(), Style::Line, points));
            let line = trend(&rows, |row| row.first_within(0.5));
            let ends = rows.last().map(|row| [f64::from(row.nodes), WORLD]);
            let ends = ends.into_iter().flatten();
            let points: Vec<(f64, f64)> = ends.filter_map(|n| Some((n, at(line, n)?))).collect();
            if !points.is_empty() {
                series.push(Series::new(&client.to_string(), Style::Dashed, points));
            }
        }
        let rows = self.usual(Client::Ours);
        let point = |row: &&Row| Some((f64::from(row.nodes), row.floor_within(0.5)?));
        let points: Vec<(f64, f64)> = rows.iter().filter_map(point).collect();
        series.push(Series::new(FLOOR, Style::Points, points));
        Chart {
            title: "First peer by size of the network, 40 % dead".to_owned(),
            x: Axis::log("nodes"),
            y: Axis::log("half of all lookups have a peer after").with(Format::Seconds),
            series,
            notes: vec!["Dashed: extrapolated, not measured.".to_owned()],
        }
    }

    fn over_deaths(&self, clients: &[Client]) -> Chart {
        let all = self.rows.iter().filter(|row| row.dead < 1e-9);
        let nodes = all.map(|row| row.nodes).max().unwrap_or(0);
        let of = |client: &Client| {
            let rows = self.rows.iter();
            let rows = rows.filter(|row| row.client == *client && row.nodes == nodes);
            let points = rows.filter_map(|row| Some((row.dead, row.first_within(0.9)?)));
            Series::new(&client.to_string(), Style::Line, points.collect())
        };
        Chart {
            title: format!("First peer by dead share, {nodes} nodes"),
            x: Axis::linear("nodes that died just before").with(Format::Share),
            y: Axis::log("90 % of all lookups have a peer after").with(Format::Seconds),
            series: clients.iter().map(of).collect(),
            notes: Vec::new(),
        }
    }

    /// The curves of the largest network at the usual dead share.
    fn curves(&self, clients: &[Client]) -> Option<Chart> {
        let nodes = self.rows.last()?.nodes;
        let of = |client: &Client| {
            let row = self.row((nodes, USUAL), *client)?;
            let points = row.first.cdf_of(row.lookups);
            Some(Series::new(&client.to_string(), Style::Steps, points))
        };
        let floor = self.row((nodes, USUAL), Client::Ours).map(|row| {
            let points = row.floor.cdf_of(row.lookups);
            Series::new(FLOOR, Style::Steps, points)
        });
        let seconds = Axis::linear("seconds").with(Format::Seconds);
        Some(Chart {
            title: format!("Time to the first peer, {nodes} nodes, 40 % dead"),
            x: seconds.between(0.0, 3.0),
            y: Axis::share("lookups with a peer"),
            series: clients.iter().filter_map(of).chain(floor).collect(),
            notes: Vec::new(),
        })
    }

    fn findings(&self) -> Vec<String> {
        let below = self.rows.iter().filter(|row| {
            let own = row.first_within(0.5);
            let floor = row.floor_within(0.5).map(|floor| floor * (1.0 - SLACK));
            own.is_some() && own < floor
        });
        vec![
            format!(
                "A hash was stored by {:.2} of the 8 closest living nodes on average.",
                self.holders
            ),
            format!(
                "Medians more than 5 % below that of their floor (gate C8 allows none): {}.",
                below.count()
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points() {
        let (base, slope) = line(&[(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]).expect("three points");
        assert!((base - 1.0).abs() < 1e-9 && (slope - 2.0).abs() < 1e-9);
        assert_eq!(line(&[(1.0, 3.0)]), None);
        assert_eq!(line(&[]), None);
    }
}
