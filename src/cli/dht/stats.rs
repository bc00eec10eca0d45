//! `dht stats`: joins, then shows this node's counters, as `dht node` serves them.
#![allow(
    clippy::indexing_slicing,
    reason = "a key of a JSON object is made, it does not panic"
)]

use super::super::exit::{ExitCode, Failure};
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::metrics::{self, Metric};
use super::{Session, ended};

/// Runs it.
///
/// # Errors
/// No network.
pub(super) async fn run(plan: &NetworkPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let session = Session::settled(plan, reporter).await?;
    let view = session.dht.view().await.ok_or_else(ended)?;
    session.close().await;
    let metrics = metrics::of(&view);
    if reporter.style() == Style::Json {
        let mut object = serde_json::json!({
            "type": "stats", "id": view.id.to_string(),
            "external": view.external.map(|ip| ip.to_string()),
        });
        for metric in &metrics {
            place(&mut object, metric);
        }
        reporter.print_json(&object);
    } else {
        let row = |metric: &Metric| format!("{:<32} {:>10}\n", metric.words(), metric.value);
        reporter.print(&format!("id {}\n", view.id));
        reporter.print(&metrics.iter().map(row).collect::<String>());
    }
    Ok(ExitCode::Ok)
}

/// `queries_in {ping: 3}` for a metric with a label, `timeouts: 3` for one without.
fn place(object: &mut serde_json::Value, metric: &Metric) {
    match metric.label {
        None => object[metric.name] = metric.value.into(),
        Some((_, value)) => object[metric.name][value] = metric.value.into(),
    }
}
