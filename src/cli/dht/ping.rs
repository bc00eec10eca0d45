//! `dht ping`: asks nodes for a sign of life.

use bencode::Endpoint;

use super::super::exit::{ExitCode, Failure};
use super::super::hosts::HostPort;
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::Session;
use crate::io::{self, resolve};

/// Pings each node; succeeds if one answers.
///
/// # Errors
/// [`ExitCode::NoNetwork`] when none does.
pub(super) async fn run(
    nodes: &[HostPort],
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    // Nobody else is to be asked: the answers are to be those of these nodes.
    let session = Session::open(&NetworkPlan {
        bootstrap: Vec::new(),
        ..plan.clone()
    })
    .await?;
    let mut answered = 0;
    for name in nodes.iter().map(ToString::to_string) {
        let endpoints = resolve(&name).await;
        if endpoints.is_empty() {
            tell_unresolved(&name, reporter);
        }
        for endpoint in endpoints {
            let pong = session.dht.ping(endpoint).await;
            answered += usize::from(pong.is_some());
            tell_pong(&name, endpoint, pong, reporter);
        }
    }
    session.close().await;
    if answered == 0 {
        return Err(Failure::new(ExitCode::NoNetwork, "no node answered"));
    }
    Ok(ExitCode::Ok)
}

fn tell_unresolved(name: &str, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "pong", "node": name, "id": null, "rtt": null,
        }));
    } else {
        reporter.print(&format!("{name}: the name does not resolve\n"));
    }
}

fn tell_pong(name: &str, endpoint: Endpoint, pong: Option<io::Pong>, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "pong", "node": endpoint.to_string(),
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
