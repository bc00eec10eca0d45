//! `dht node`: a bare node until a signal comes, with a line every 10 s and, if asked for, counters
//! over HTTP.

use std::time::{Duration, Instant};

use dht::Role;
use tokio::time::interval;

use super::super::exit::{ExitCode, Failure};
use super::super::format::bytes;
use super::super::plan::NodePlan;
use super::super::report::Reporter;
use super::super::signals::Signals;
use super::{Session, metrics};
use crate::io::{DhtHandle, TextServer, View};

/// Between two lines.
const REPORT: Duration = Duration::from_secs(10);

/// Runs it.
///
/// # Errors
/// Ports that cannot be bound.
pub(super) async fn run(plan: &NodePlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    // Before the node, so that it is not started in vain.
    let server =
        match plan.metrics {
            None => None,
            Some(address) => Some(TextServer::bind(address).await.map_err(|error| {
                Failure::io(format!("cannot serve metrics at {address}"), &error)
            })?),
        };
    let session = Session::open_as(&plan.network, Role::Full).await?;
    let text = format!("a DHT node on UDP port {}", session.client.port());
    reporter.note(Instant::now(), text);
    if let Some(server) = &server {
        let text = format!("metrics at http://{}/metrics", server.address());
        reporter.note(Instant::now(), text);
    }
    let serving = serve(server, session.dht.clone());
    tokio::pin!(serving);
    let mut ticks = interval(REPORT);
    let code = loop {
        tokio::select! {
            code = signals.first() => break code,
            // Without metrics to serve it never ends.
            () = &mut serving => {}
            _ = ticks.tick() => {
                if let Some(view) = session.dht.view().await {
                    reporter.note(Instant::now(), line(&view));
                }
            }
        }
    };
    session.close().await;
    Ok(code)
}

async fn serve(server: Option<TextServer>, dht: DhtHandle) {
    let Some(server) = server else {
        return std::future::pending().await;
    };
    let text = move || {
        let dht = dht.clone();
        async move {
            let view = dht.view().await?;
            Some(metrics::prometheus(&metrics::of(&view)))
        }
    };
    server.run("/metrics", text).await;
}

fn line(view: &View) -> String {
    let tables = view.tables.iter().flat_map(|(_, table)| table);
    let nodes: usize = tables.map(Vec::len).sum();
    let stats = view.stats;
    format!(
        "{} · {nodes} contacts · {} peers of {} torrents stored · received {} in {} datagrams, \
         sent {} in {}",
        view.id,
        view.stored.1,
        view.stored.0,
        bytes(stats.bytes_in),
        stats.datagrams_in,
        bytes(stats.bytes_out),
        stats.datagrams_out,
    )
}
