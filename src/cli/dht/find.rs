//! `dht find`: the nodes closest to an id, of each family, closest first.

use std::time::Instant;

use dht::{Contact, Id, LookupReport};

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::{FindPlan, Trace};
use super::super::report::{Reporter, Style};
use super::Session;
use super::lookup::{effort, tell_answer, tell_header};
use crate::io::{self, Search, SearchEvent};

/// Runs it.
///
/// # Errors
/// [`ExitCode::NotFound`] when no node answered the lookup.
pub(super) async fn run(plan: &FindPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let session = Session::joined(&plan.network, reporter).await?;
    let started = Instant::now();
    let tracing = match plan.trace {
        Trace::Off => io::Trace::Off,
        Trace::On => io::Trace::On,
    };
    tell_header(plan.trace, reporter);
    let heard = |event, reporter: &mut Reporter| {
        if let SearchEvent::Answered(answer) = event {
            tell_answer(started.elapsed(), &answer, reporter);
        }
    };
    let search = Search::Nodes(plan.target);
    let report = session.search(search, tracing, reporter, heard).await?;
    tell(&report, reporter);
    session.close().await;
    if report.closest.is_empty() {
        return Err(Failure::new(ExitCode::NotFound, "no node answered"));
    }
    Ok(ExitCode::Ok)
}

fn tell(report: &LookupReport, reporter: &mut Reporter) {
    let (target, closest) = (report.target, &report.closest);
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "nodes", "target": target.to_string(),
            "asked": report.asked, "answered": report.answered, "timed_out": report.timed_out,
            "hops": report.hops, "closest_bits": report.closest_bits,
            "nodes": closest.iter().map(|node| node_json(&target, node)).collect::<Vec<_>>(),
            "elapsed": report.elapsed.as_secs_f64(),
        }));
        return;
    }
    let row = |node: &Contact| {
        let bits = target.shared_bits(&node.id);
        format!("{}  {bits:3} bits  {}\n", node.id, node.endpoint)
    };
    reporter.print(&closest.iter().map(row).collect::<String>());
    let (count, elapsed) = (closest.len(), duration(report.elapsed));
    let text = format!("{count} closest nodes in {elapsed} ({})", effort(report));
    reporter.note(Instant::now(), text);
}

fn node_json(target: &Id, node: &Contact) -> serde_json::Value {
    serde_json::json!({
        "id": node.id.to_string(),
        "node": node.endpoint.to_string(),
        "bits": target.shared_bits(&node.id),
    })
}
