//! `dht sample`: which torrents do the nodes on the way to an id store (BEP 51)?

use std::collections::BTreeSet;
use std::time::Instant;

use dht::{Id, LookupReport};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::Session;
use super::lookup::effort;
use crate::io::{self, Sample, Search, SearchEvent, Trace};

/// Runs it; a hash that several nodes store is printed once.
///
/// # Errors
/// [`ExitCode::NotFound`] when nobody named a torrent.
pub(super) async fn run(
    target: Option<Id>,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let seed = io::seed().map_err(|error| Failure::io("the system has no randomness", &error))?;
    let target = target.unwrap_or_else(|| Id::random(&mut ChaCha8Rng::from_seed(seed)));
    let session = Session::joined(plan, reporter).await?;
    let mut samples = Vec::new();
    let heard = |event, _: &mut Reporter| {
        if let SearchEvent::Samples(sample) = event {
            samples.push(sample);
        }
    };
    let search = Search::Sample(target);
    let report = session.search(search, Trace::Off, reporter, heard).await?;
    session.close().await;
    let hashes: BTreeSet<Id> = samples.iter().flat_map(|it| it.hashes.clone()).collect();
    tell(&samples, &hashes, &report, reporter);
    if hashes.is_empty() {
        let nodes = samples.len();
        let message = format!("no torrent named; {nodes} nodes know this method");
        return Err(Failure::new(ExitCode::NotFound, message));
    }
    Ok(ExitCode::Ok)
}

fn tell(samples: &[Sample], hashes: &BTreeSet<Id>, report: &LookupReport, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        let node = |sample: &Sample| {
            serde_json::json!({
                "node": sample.from.endpoint.to_string(), "id": sample.from.id.to_string(),
                "named": sample.hashes.len(), "stored": sample.stored,
                "interval": sample.interval.as_secs_f64(),
            })
        };
        reporter.print_json(&serde_json::json!({
            "type": "sample", "target": report.target.to_string(),
            "info_hashes": hashes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "nodes": samples.iter().map(node).collect::<Vec<_>>(),
            "asked": report.asked, "answered": report.answered,
            "elapsed": report.elapsed.as_secs_f64(),
        }));
        return;
    }
    let list = hashes.iter().map(|hash| format!("{hash}\n"));
    reporter.print(&list.collect::<String>());
    // Threat: a node may say that it stores any number.
    let stored = samples
        .iter()
        .fold(0_u64, |sum, it| sum.saturating_add(it.stored));
    let text = format!(
        "{} torrents named by {} nodes, which store {stored}, in {} ({})",
        hashes.len(),
        samples.len(),
        duration(report.elapsed),
        effort(report)
    );
    reporter.note(Instant::now(), text);
}
