//! `dht get`: a stored value (BEP 44). The DHT's node has checked hash and signature.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use dht::Item;

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::{GetItemPlan, Wanted};
use super::super::report::{Reporter, Style};
use super::super::torrent;
use super::lookup::progress;
use super::{Session, ended, value};
use crate::io::{DhtHandle, Search, SearchEvent, Trace};

/// Runs it.
///
/// # Errors
/// [`ExitCode::NotFound`] when nobody has it; a file in the way.
pub(super) async fn run(plan: &GetItemPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let session = Session::joined(&plan.network, reporter).await?;
    let started = Instant::now();
    let found = newest(&session.dht, &plan.wanted, reporter).await?;
    session.close().await;
    let Some((item, from)) = found else {
        let message = format!("no node has a value at {}", plan.wanted.target);
        let failure = Failure::new(ExitCode::NotFound, message);
        return Err(failure.hint("a value that was stored with a salt needs --salt"));
    };
    if let Some(path) = &plan.output {
        torrent::save(path, value::content(item.value()), plan.existing)?;
    }
    tell(&item, from, started.elapsed(), plan, reporter);
    Ok(ExitCode::Ok)
}

/// The newest item there and one node that has it; an immutable one is taken as soon as it comes.
///
/// # Errors
/// That the DHT ended.
pub(in crate::cli) async fn newest(
    dht: &DhtHandle,
    wanted: &Wanted,
    reporter: &mut Reporter,
) -> Result<Option<(Item, Endpoint)>, Failure> {
    let search = Search::Item {
        target: wanted.target,
        salt: wanted.salt.clone(),
    };
    let mut events = dht.search(search, Trace::Off).await;
    let mut found = None;
    loop {
        match events.recv().await.ok_or_else(ended)? {
            SearchEvent::Item { from, item } => {
                let is_final = item.seq().is_none();
                found = Some((item, from));
                if is_final {
                    return Ok(found);
                }
            }
            SearchEvent::Progress(report) => reporter.state(Instant::now(), &progress(&report)),
            SearchEvent::Done(_) => return Ok(found),
            _ => {}
        }
    }
}

fn tell(
    item: &Item,
    from: Endpoint,
    elapsed: Duration,
    plan: &GetItemPlan,
    reporter: &mut Reporter,
) {
    let (key, salt) = match item {
        Item::Immutable { .. } => (None, None),
        Item::Mutable { key, salt, .. } => (Some(hex::encode(key)), Some(hex::encode(salt))),
    };
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "item", "target": item.target().to_string(),
            "value": value::to_json(item.value()), "bencoded": hex::encode(item.value()),
            "key": key, "salt": salt, "seq": item.seq(), "node": from.to_string(),
            "path": plan.output.as_ref().map(|path| path.display().to_string()),
            "elapsed": elapsed.as_secs_f64(),
        }));
        return;
    }
    match &plan.output {
        Some(path) => reporter.print(&format!("{}\n", path.display())),
        None => reporter.print(&value::to_lines(item.value())),
    }
    let version = item.seq().map(|seq| format!("version {seq}, "));
    let (version, elapsed) = (version.unwrap_or_default(), duration(elapsed));
    reporter.note(Instant::now(), format!("{version}from {from} in {elapsed}"));
}
