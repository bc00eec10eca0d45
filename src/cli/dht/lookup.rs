//! `dht lookup`: who has this torrent? Tells every answer with `--trace`, draws them with `--svg`.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use dht::LookupReport;
use serde::Serialize;

use super::super::drawing;
use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::{LookupPlan, Trace};
use super::super::report::{Reporter, Style};
use super::super::update::Update;
use super::Session;
use crate::io::{self, Answer, Search, SearchEvent};

/// Runs it.
///
/// # Errors
/// [`ExitCode::NoPeers`] when nobody announces the torrent.
pub(super) async fn run(plan: &LookupPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    reporter.about(plan.info_hash);
    let session = Session::joined(&plan.network, reporter).await?;
    let started = Instant::now();
    // A picture needs every answer, told or not.
    let tracing = match (plan.trace, &plan.svg) {
        (Trace::Off, None) => io::Trace::Off,
        (Trace::On, _) | (_, Some(_)) => io::Trace::On,
    };
    let mut picture = drawing::blank(plan.info_hash);
    let search = Search::Peers(plan.info_hash);
    let mut found = Vec::new();
    tell_header(plan.trace, reporter);
    let heard = |event, reporter: &mut Reporter| match event {
        SearchEvent::Peers(peers) => found.extend(peers),
        SearchEvent::Answered(answer) => {
            let elapsed = started.elapsed();
            picture.dots.push(drawing::dot(elapsed, &answer));
            if plan.trace == Trace::On {
                tell_answer(elapsed, &answer, reporter);
            }
        }
        // What only searches of other kinds tell.
        _ => {}
    };
    let report = session.search(search, tracing, reporter, heard).await?;
    tell_peers(&mut found, &report, reporter);
    session.close().await;
    if let Some(path) = &plan.svg {
        drawing::write(path, &[picture.to_svg()])?;
    }
    if found.is_empty() {
        return Err(Failure::new(
            ExitCode::NoPeers,
            format!(
                "asked {} nodes, {} answered, up to {} shared bits; nobody announces this torrent",
                report.asked, report.answered, report.closest_bits
            ),
        ));
    }
    Ok(ExitCode::Ok)
}

/// The live line of any lookup.
pub(super) fn progress(report: &LookupReport) -> Update {
    Update::LookingUp {
        asked: report.asked,
        answered: report.answered,
        closest_bits: report.closest_bits,
        peers: u32::try_from(report.peers).unwrap_or(u32::MAX),
        elapsed: report.elapsed,
    }
}

/// "38 asked, 31 answered, …": the end of every lookup's summary.
pub(super) fn effort(report: &LookupReport) -> String {
    format!(
        "{} asked, {} answered, {} timed out, {} hops, closest {} bits",
        report.asked, report.answered, report.timed_out, report.hops, report.closest_bits
    )
}

/// One line of `--trace --json`.
#[derive(Serialize)]
struct Answered {
    r#type: &'static str,
    elapsed: f64,
    bits: usize,
    node: String,
    id: String,
    nodes: usize,
    peers: usize,
    rtt: f64,
}

/// The head of the table of answers.
pub(super) fn tell_header(trace: Trace, reporter: &mut Reporter) {
    if trace == Trace::On && reporter.style() != Style::Json {
        reporter.print("   time  bits  node                                     answer\n");
    }
}

/// A row of the table of answers.
pub(super) fn tell_answer(elapsed: Duration, answer: &Answer, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        reporter.print_json(&Answered {
            r#type: "answer",
            elapsed: elapsed.as_secs_f64(),
            bits: answer.bits,
            node: answer.from.endpoint.to_string(),
            id: answer.from.id.to_string(),
            nodes: answer.nodes,
            peers: answer.peers,
            rtt: answer.rtt.as_secs_f64(),
        });
        return;
    }
    let said = match (answer.nodes, answer.peers) {
        (nodes, 0) => format!("{nodes} nodes"),
        (0, peers) => format!("{peers} peers"),
        (nodes, peers) => format!("{peers} peers, {nodes} nodes"),
    };
    let node = answer.from.endpoint.to_string();
    let seconds = elapsed.as_secs_f64();
    reporter.print(&format!(
        "{seconds:7.3}  {:4}  {node:40} {said}\n",
        answer.bits
    ));
}

fn tell_peers(found: &mut Vec<Endpoint>, report: &LookupReport, reporter: &mut Reporter) {
    found.sort();
    found.dedup();
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "lookup", "info_hash": report.target.to_string(),
            "asked": report.asked, "answered": report.answered, "timed_out": report.timed_out,
            "hops": report.hops, "closest_bits": report.closest_bits,
            "peers": found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "elapsed": report.elapsed.as_secs_f64(),
        }));
        return;
    }
    let list = found
        .iter()
        .fold(String::new(), |list, peer| list + &format!("{peer}\n"));
    reporter.print(&list);
    let (count, elapsed) = (found.len(), duration(report.elapsed));
    let text = format!("{count} peers in {elapsed} ({})", effort(report));
    reporter.note(Instant::now(), text);
}
