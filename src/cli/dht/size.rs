//! `dht size`: how many nodes has the network?
//!
//! At random places of the key space the distance to the k-th closest node is measured: with N nodes
//! spread evenly it is about k ÷ N of the whole (dht.md §3). Every place gives one measurement, and
//! their sum the estimate. Counts nodes that answer: those behind closed firewalls are not seen.

use std::time::{Duration, Instant};

use bencode::Family;
use dht::{Contact, Id};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::Session;
use super::lookup::progress;
use crate::io::{self, Search, SearchEvent, Trace};

/// Lookups at once: few enough to be kind, enough to end soon.
const AT_ONCE: usize = 4;

/// The answer of a family.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    /// Most likely number.
    nodes: f64,
    /// Lower end of the range that holds the truth 19 times of 20.
    low: f64,
    /// Its upper end.
    high: f64,
}

/// What the lookups measured in one family.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// Nodes counted at all places.
    nodes: u32,
    /// Sum of the shares of the key space in which they were found.
    share: f64,
    /// Most that one place had.
    most: u32,
}

impl Measured {
    /// Takes the closest nodes to `target`.
    fn add<'a>(&mut self, target: &Id, closest: impl Iterator<Item = &'a Contact>) {
        let shares = closest.map(|node| share(target, &node.id));
        let (count, farthest) = shares.fold((0, 0.0_f64), |(n, most), it| (n + 1, most.max(it)));
        self.most = self.most.max(count);
        self.nodes += count;
        self.share += farthest;
    }

    /// `None` without a measurement.
    fn estimate(&self) -> Option<Estimate> {
        if self.nodes == 0 {
            return None;
        }
        // Fewer than a lookup asks for: these are all of them.
        let whole = usize::try_from(self.most).unwrap_or(usize::MAX) < dht::K;
        if whole || self.nodes < 3 {
            let nodes = f64::from(self.most);
            return Some(Estimate {
                nodes,
                low: nodes,
                high: nodes,
            });
        }
        // The sum of n such gaps is Gamma distributed: (n − 1) ÷ sum is its unbiased rate, with a
        // relative deviation of 1 ÷ √(n − 2).
        let nodes = f64::from(self.nodes - 1) / self.share;
        let spread = 1.96 / f64::from(self.nodes - 2).sqrt();
        Some(Estimate {
            nodes,
            low: nodes / (1.0 + spread),
            high: nodes * (1.0 + spread),
        })
    }
}

/// The distance between two ids as a share of the key space.
fn share(a: &Id, b: &Id) -> f64 {
    let bytes = a.as_bytes().iter().zip(b.as_bytes());
    // Eight bytes are more than the mantissa holds.
    bytes
        .take(8)
        .rev()
        .fold(0.0, |share, (a, b)| (share + f64::from(a ^ b)) / 256.0)
}

/// Runs it.
///
/// # Errors
/// [`ExitCode::NotFound`] when no lookup was answered.
pub(super) async fn run(
    lookups: u16,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let session = Session::settled(plan, reporter).await?;
    let started = Instant::now();
    let seed = io::seed().map_err(|error| Failure::io("the system has no randomness", &error))?;
    let mut rng = ChaCha8Rng::from_seed(seed);
    let targets: Vec<Id> = (0..lookups).map(|_| Id::random(&mut rng)).collect();
    let mut measured = [Family::V4, Family::V6].map(|family| (family, Measured::default()));
    let mut asked = 0;
    for some in targets.chunks(AT_ONCE) {
        let mut running = Vec::new();
        for target in some {
            running.push(session.dht.search(Search::Nodes(*target), Trace::Off).await);
        }
        for mut events in running {
            while let Some(event) = events.recv().await {
                match event {
                    SearchEvent::Progress(report) => {
                        reporter.state(Instant::now(), &progress(&report));
                    }
                    SearchEvent::Done(report) => {
                        asked += report.asked;
                        for (family, measured) in &mut measured {
                            let same = |node: &&Contact| node.endpoint.family() == *family;
                            measured.add(&report.target, report.closest.iter().filter(same));
                        }
                        break;
                    }
                    _ => {}
                }
            }
        }
    }
    session.close().await;
    let estimates = measured.map(|(family, measured)| (family, measured.estimate()));
    tell(estimates, lookups, (asked, started.elapsed()), reporter);
    if estimates.iter().all(|(_, estimate)| estimate.is_none()) {
        return Err(Failure::new(
            ExitCode::NotFound,
            "no node answered a lookup",
        ));
    }
    Ok(ExitCode::Ok)
}

fn tell(
    estimates: [(Family, Option<Estimate>); 2],
    lookups: u16,
    (asked, elapsed): (u32, Duration),
    reporter: &mut Reporter,
) {
    if reporter.style() == Style::Json {
        let [v4, v6] = estimates.map(|(_, estimate)| {
            estimate.map(|it| {
                serde_json::json!({
                    "nodes": it.nodes.round(), "low": it.low.round(), "high": it.high.round(),
                })
            })
        });
        reporter.print_json(&serde_json::json!({
            "type": "size", "v4": v4, "v6": v6, "lookups": lookups, "asked": asked,
            "elapsed": elapsed.as_secs_f64(),
        }));
        return;
    }
    for (family, estimate) in estimates {
        let family = if family == Family::V4 { "IPv4" } else { "IPv6" };
        if let Some(it) = estimate {
            let (nodes, low, high) = (it.nodes.round(), it.low.round(), it.high.round());
            reporter.print(&format!("{family}  {nodes} nodes ({low} to {high})\n"));
        }
    }
    let text = format!(
        "measured at {lookups} places in {} ({asked} nodes asked)",
        duration(elapsed)
    );
    reporter.note(Instant::now(), text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    fn network(nodes: usize, rng: &mut impl Rng) -> Vec<Contact> {
        let endpoint = "10.0.0.1:1".parse().expect("an endpoint");
        let node = |_| Contact {
            id: Id::random(rng),
            endpoint,
        };
        (0..nodes).map(node).collect()
    }

    fn measure(nodes: usize, places: usize, seed: u64) -> Estimate {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut all = network(nodes, &mut rng);
        let mut measured = Measured::default();
        for _ in 0..places {
            let target = Id::random(&mut rng);
            all.sort_by_key(|node| target.distance(&node.id));
            measured.add(&target, all.iter().take(dht::K));
        }
        measured.estimate().expect("nodes were found")
    }

    #[test]
    fn the_truth_lies_in_the_range_nearly_always() {
        let mut right = 0;
        for seed in 0..40 {
            let it = measure(3000, 16, seed);
            right += u32::from(it.low <= 3000.0 && 3000.0 <= it.high);
            assert!((1500.0..6000.0).contains(&it.nodes), "{it:?}");
        }
        assert!(right >= 35, "{right} of 40");
    }

    #[test]
    fn a_network_smaller_than_a_bucket_is_counted() {
        let it = measure(5, 3, 1);
        assert_eq!((it.nodes, it.low, it.high), (5.0, 5.0, 5.0));
        assert_eq!(Measured::default().estimate(), None);
    }

    #[test]
    fn a_share_is_that_of_the_key_space() {
        let zero = Id::new([0; 20]);
        let mut half = [0; 20];
        half[0] = 0x80;
        assert!((share(&zero, &Id::new(half)) - 0.5).abs() < 1e-12);
        assert!((share(&zero, &Id::new([0xff; 20])) - 1.0).abs() < 1e-12);
    }
}
