//! `trackless dht …`: looking into the DHT, and taking part in it.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use dht::{Entry, Health, LookupReport};
use serde::Serialize;
use tokio::time::{interval, timeout};

use super::drawing;
use super::exit::{ExitCode, Failure};
use super::format::{bytes, duration};
use super::network;
use super::plan::{DhtPlan, NetworkPlan, Trace};
use super::report::{Reporter, Style};
use super::signals::Signals;
use super::update::Update;
use crate::io::{self, Answer, Client, DhtHandle, Search, SearchEvent, View, resolve};
use crate::metainfo::InfoHash;

/// How long `lookup`, `ping` and `table` wait for a first node.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Between two lines of a bare node.
const NODE_REPORT: Duration = Duration::from_secs(10);

/// Runs it.
///
/// # Errors
/// No network, or nobody answers.
pub(super) fn run(plan: DhtPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    network::block_on(async move {
        match plan {
            DhtPlan::Node(network) => node(&network, reporter).await,
            DhtPlan::Lookup {
                info_hash,
                trace,
                svg,
                network,
            } => lookup(info_hash, trace, svg.as_deref(), &network, reporter).await,
            DhtPlan::Ping { nodes, network } => {
                let nodes = nodes.iter().map(ToString::to_string).collect();
                ping(nodes, &network, reporter).await
            }
            DhtPlan::Table { svg, network } => table(svg.as_deref(), &network, reporter).await,
        }
    })
}

/// The client's DHT, which these commands are about.
fn handle(client: &Client) -> Result<DhtHandle, Failure> {
    let off = || {
        Failure::new(
            ExitCode::Usage,
            "`dht` commands and --no-dht exclude each other",
        )
    };
    client.dht().cloned().ok_or_else(off)
}

/// Runs a bare node until a signal comes.
async fn node(plan: &NetworkPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    let client = network::start(plan).await?;
    let dht = handle(&client)?;
    let started = Instant::now();
    reporter.note(started, format!("a DHT node on UDP port {}", client.port()));
    let mut ticks = interval(NODE_REPORT);
    let code = loop {
        tokio::select! {
            code = signals.first() => break code,
            _ = ticks.tick() => {
                let Some(view) = dht.view().await else { continue };
                let nodes: usize = view.tables.iter().flat_map(|(_, table)| table).map(Vec::len).sum();
                let stats = view.stats;
                reporter.note(Instant::now(), format!(
                    "{} · {nodes} contacts · {} peers of {} torrents stored · received {} in {} \
                     datagrams, sent {} in {}",
                    view.id, view.stored.1, view.stored.0,
                    bytes(stats.bytes_in), stats.datagrams_in,
                    bytes(stats.bytes_out), stats.datagrams_out,
                ));
            }
        }
    };
    client.shutdown().await;
    Ok(code)
}

/// Waits until one node has answered.
async fn join(dht: &DhtHandle, plan: &NetworkPlan, reporter: &mut Reporter) -> Result<(), Failure> {
    let started = Instant::now();
    let mut status = dht.status();
    reporter.state(
        started,
        &Update::Joining {
            nodes: 0,
            elapsed: Duration::ZERO,
        },
    );
    let first = timeout(JOIN_TIMEOUT, status.wait_for(|status| status.nodes > 0)).await;
    if !matches!(first, Ok(Ok(_))) {
        let asked = plan.bootstrap.len();
        return Err(Failure::new(
            ExitCode::NoNetwork,
            format!("no UDP answer from any of {asked} bootstrap nodes"),
        )
        .hint("is this machine offline, or UDP blocked? --bootstrap HOST:PORT names other nodes"));
    }
    let (nodes, elapsed) = (dht.status().borrow().nodes, started.elapsed());
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    reporter.state(Instant::now(), &Update::Joined { nodes, elapsed });
    Ok(())
}

/// One line of `lookup --trace --json`.
#[derive(Serialize)]
struct Answered {
    v: u8,
    r#type: &'static str,
    elapsed: f64,
    bits: usize,
    node: String,
    id: String,
    nodes: usize,
    peers: usize,
    rtt: f64,
}

async fn lookup(
    info_hash: InfoHash,
    trace: Trace,
    svg: Option<&Path>,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let client = network::start(plan).await?;
    let dht = handle(&client)?;
    reporter.about(info_hash);
    join(&dht, plan, reporter).await?;
    let started = Instant::now();
    // A picture needs every answer, told or not.
    let tracing = match (trace, svg) {
        (Trace::Off, None) => io::Trace::Off,
        (Trace::On, _) | (_, Some(_)) => io::Trace::On,
    };
    let mut picture = drawing::blank(info_hash);
    let mut events = dht.search(Search::Peers(info_hash), tracing).await;
    let (mut found, mut last) = (Vec::new(), None);
    if trace == Trace::On && reporter.style() != Style::Json {
        reporter.print("   time  bits  node                                     answer\n");
    }
    while let Some(event) = events.recv().await {
        match event {
            SearchEvent::Peers(peers) => found.extend(peers),
            SearchEvent::Answered(answer) => {
                let elapsed = started.elapsed();
                picture.dots.push(drawing::dot(elapsed, &answer));
                if trace == Trace::On {
                    tell_answer(elapsed, &answer, reporter);
                }
            }
            SearchEvent::Progress(report) => {
                reporter.state(Instant::now(), &looking_up(&report));
            }
            SearchEvent::Done(report) => {
                last = Some(report);
                break;
            }
        }
    }
    let report = last.ok_or_else(|| Failure::new(ExitCode::Failure, "the lookup broke off"))?;
    tell_peers(&mut found, &report, reporter);
    client.shutdown().await;
    if let Some(path) = svg {
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

fn looking_up(report: &LookupReport) -> Update {
    Update::LookingUp {
        asked: report.asked,
        answered: report.answered,
        closest_bits: report.closest_bits,
        peers: u32::try_from(report.peers).unwrap_or(u32::MAX),
        elapsed: report.elapsed,
    }
}

fn tell_answer(elapsed: Duration, answer: &Answer, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        reporter.print_json(&Answered {
            v: 1,
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
            "v": 1, "type": "lookup", "info_hash": report.target.to_string(),
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
    reporter.note(
        Instant::now(),
        format!(
            "{} peers in {} ({} asked, {} answered, {} timed out, {} hops, closest {} bits)",
            found.len(),
            duration(report.elapsed),
            report.asked,
            report.answered,
            report.timed_out,
            report.hops,
            report.closest_bits
        ),
    );
}

/// Pings each node; succeeds if one answers.
async fn ping(
    nodes: Vec<String>,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    // Nobody else is to be asked: the answers are to be those of these nodes.
    let client = network::start(&NetworkPlan {
        bootstrap: Vec::new(),
        ..plan.clone()
    })
    .await?;
    let dht = handle(&client)?;
    let mut answered = 0;
    for name in &nodes {
        let endpoints = resolve(name).await;
        if endpoints.is_empty() {
            reporter.print(&format!("{name}: the name does not resolve\n"));
        }
        for endpoint in endpoints {
            let pong = dht.ping(endpoint).await;
            answered += usize::from(pong.is_some());
            tell_pong(name, endpoint, pong, reporter);
        }
    }
    client.shutdown().await;
    if answered == 0 {
        return Err(Failure::new(ExitCode::NoNetwork, "no node answered"));
    }
    Ok(ExitCode::Ok)
}

fn tell_pong(name: &str, endpoint: Endpoint, pong: Option<io::Pong>, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "v": 1, "type": "pong", "node": endpoint.to_string(),
            "id": pong.map(|pong| pong.id.to_string()),
            "rtt": pong.map(|pong| pong.rtt.as_secs_f64()),
        }));
        return;
    }
    let shown = if name == endpoint.to_string() {
        name.to_owned()
    } else {
        format!("{name} ({endpoint})")
    };
    reporter.print(&match pong {
        Some(pong) => {
            format!(
                "{shown}: {} in {:.1} ms\n",
                pong.id,
                pong.rtt.as_secs_f64() * 1e3
            )
        }
        None => format!("{shown}: no answer\n"),
    });
}

/// Joins, then shows who is in the routing table.
async fn table(
    svg: Option<&Path>,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let client = network::start(plan).await?;
    let dht = handle(&client)?;
    join(&dht, plan, reporter).await?;
    let mut status = dht.status();
    // A table that is still growing is shown as it is.
    let _ = timeout(JOIN_TIMEOUT, status.wait_for(|status| status.joined)).await;
    let view = dht
        .view()
        .await
        .ok_or_else(|| Failure::new(ExitCode::Failure, "the DHT ended"))?;
    tell_table(&view, Instant::now(), reporter);
    client.shutdown().await;
    if let Some(path) = svg {
        drawing::write(path, &drawing::tables(&view, Instant::now()))?;
    }
    Ok(ExitCode::Ok)
}

fn tell_table(view: &View, now: Instant, reporter: &mut Reporter) {
    let mut text = format!("id {}\n", view.id);
    for (family, table) in &view.tables {
        for (bits, bucket) in table
            .iter()
            .enumerate()
            .filter(|(_, bucket)| !bucket.is_empty())
        {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{family:?}, {bits} shared bits: {} contacts",
                bucket.len()
            );
            bucket.iter().for_each(|entry| text += &row(entry, now));
        }
    }
    if reporter.style() == Style::Json {
        let contacts = view
            .tables
            .iter()
            .flat_map(|(_, table)| table.iter().flatten());
        let contacts: Vec<_> = contacts
            .map(|entry| {
                serde_json::json!({
                    "id": entry.contact.id.to_string(),
                    "node": entry.contact.endpoint.to_string(),
                    "bits": view.id.shared_bits(&entry.contact.id),
                    "rtt": entry.rtt.as_secs_f64(),
                })
            })
            .collect();
        reporter.print_json(&serde_json::json!({
            "v": 1, "type": "table", "id": view.id.to_string(), "contacts": contacts,
        }));
    } else {
        reporter.print(&text);
    }
}

fn row(entry: &Entry, now: Instant) -> String {
    let health = match entry.health(now) {
        Health::Good => "good",
        Health::Questionable => "questionable",
        Health::Bad => "bad",
    };
    format!(
        "  {}  {:40} {:7.1} ms  heard {} ago  {health}\n",
        entry.contact.id,
        entry.contact.endpoint.to_string(),
        entry.rtt.as_secs_f64() * 1e3,
        duration(now.saturating_duration_since(entry.heard)),
    )
}
