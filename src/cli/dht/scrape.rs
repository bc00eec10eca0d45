//! `dht scrape`: how many seeds and peers has a torrent (BEP 33)?
//!
//! Nodes answer with filters of addresses; united, an address that several nodes know counts once.

use std::time::Instant;

use dht::Bloom;

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::super::wording::count;
use super::Session;
use super::lookup::effort;
use crate::io::{Search, SearchEvent, Trace};
use crate::metainfo::InfoHash;

/// Runs it.
///
/// # Errors
/// [`ExitCode::NoPeers`] when no node counted anybody.
pub(super) async fn run(
    info_hash: InfoHash,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    reporter.about(info_hash);
    let session = Session::joined(plan, reporter).await?;
    let search = Search::Scrape(info_hash);
    let (mut all, mut nodes) = ((Bloom::default(), Bloom::default()), 0);
    let heard = |event, _: &mut Reporter| {
        if let SearchEvent::Scraped { seeds, peers } = event {
            nodes += 1;
            all = (all.0.union(&seeds), all.1.union(&peers));
        }
    };
    let report = session.search(search, Trace::Off, reporter, heard).await?;
    session.close().await;
    let (seeds, peers) = (all.0.estimate().round(), all.1.estimate().round());
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "scrape", "info_hash": info_hash.to_string(),
            "seeds": seeds, "downloaders": peers, "counted_by": nodes,
            "asked": report.asked, "answered": report.answered, "timed_out": report.timed_out,
            "elapsed": report.elapsed.as_secs_f64(),
        }));
    } else {
        reporter.print(&format!("{seeds} seeds, {peers} downloaders\n"));
        let elapsed = duration(report.elapsed);
        let text = format!(
            "counted by {} in {elapsed} ({})",
            count(nodes, "node"),
            effort(&report)
        );
        reporter.note(Instant::now(), text);
    }
    if seeds + peers < 1.0 {
        let message = "no node counted anybody who announces this torrent";
        return Err(Failure::new(ExitCode::NoPeers, message));
    }
    Ok(ExitCode::Ok)
}
