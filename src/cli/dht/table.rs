//! `dht table`: joins, then shows who is in the routing table.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use dht::{Entry, Health};

use super::super::drawing;
use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::{Session, ended};
use crate::io::View;

/// Runs it.
///
/// # Errors
/// No network, or a picture that cannot be written.
pub(super) async fn run(
    svg: Option<&Path>,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let session = Session::settled(plan, reporter).await?;
    let view = session.dht.view().await.ok_or_else(ended)?;
    tell_table(&view, Instant::now(), reporter);
    session.close().await;
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
            "type": "table", "id": view.id.to_string(), "contacts": contacts,
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
