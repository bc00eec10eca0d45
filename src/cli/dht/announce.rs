//! `dht announce`: tells the nodes closest to a torrent that a peer is at our address and `--port`.
//!
//! Nothing listens at the port on behalf of this command, and what was told lives 30 to 45 minutes.

use std::time::Instant;

use dht::Part;

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::AnnouncePlan;
use super::super::report::{Reporter, Style};
use super::super::wording::count;
use super::Session;
use super::lookup::effort;
use crate::io::{Search, Trace};

/// Runs it.
///
/// # Errors
/// [`ExitCode::Failure`] when no node acknowledged.
pub(super) async fn run(plan: &AnnouncePlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    reporter.about(plan.info_hash);
    let session = Session::joined(&plan.network, reporter).await?;
    let port = plan.port.unwrap_or_else(|| session.client.port());
    let search = Search::Announce(plan.info_hash, port, Part::Peer);
    let report = session.search(search, Trace::Off, reporter, |_, _| ());
    let report = report.await?;
    session.close().await;
    let (nodes, elapsed) = (report.announced, duration(report.elapsed));
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "announced", "info_hash": report.target.to_string(),
            "port": port, "acknowledged": nodes,
            "asked": report.asked, "answered": report.answered, "timed_out": report.timed_out,
            "elapsed": report.elapsed.as_secs_f64(),
        }));
    } else if nodes > 0 {
        let nodes = count(nodes, "node");
        reporter.print(&format!("port {port} acknowledged by {nodes}\n"));
        let text = format!("announced in {elapsed} ({})", effort(&report));
        reporter.note(Instant::now(), text);
    }
    if nodes == 0 {
        let message = format!("no node acknowledged ({})", effort(&report));
        return Err(Failure::new(ExitCode::Failure, message));
    }
    Ok(ExitCode::Ok)
}
