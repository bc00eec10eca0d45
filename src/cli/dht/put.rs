//! `dht put`: stores a value under its hash or under a key (BEP 44), or publishes a torrent under a
//! key (BEP 46). Nodes forget what is not stored again within two hours.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Instant;

use dht::items::mutable_target;
use dht::{Item, LookupReport};

use super::super::exit::{ExitCode, Failure};
use super::super::format::duration;
use super::super::plan::{KeySource, PutPlan, Secret, Stored, Wanted};
use super::super::report::{Reporter, Style};
use super::super::wording::count;
use super::lookup::effort;
use super::{Session, get, key};
use crate::io::{DhtHandle, Search, SearchEvent, Trace};
use crate::metainfo::Publisher;

/// BEP 44: another version is stored than `--cas` names.
const REFUSED_CAS: u16 = 301;

/// Runs it.
///
/// # Errors
/// [`ExitCode::Conflict`] when a newer or another version is stored; [`ExitCode::Failure`] when nobody
/// stores the value.
pub(super) async fn run(plan: &PutPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let made = match &plan.stored {
        Stored::Mutable {
            key: KeySource::New(path),
            ..
        } => Some(key::generate(path)?),
        _ => None,
    };
    let session = Session::joined(&plan.network, reporter).await?;
    let (item, cas) = item(plan, made, &session.dht, reporter).await?;
    let search = Search::Put {
        item: item.clone(),
        cas,
    };
    let mut outcome = Outcome::default();
    let heard = |event, _: &mut Reporter| match event {
        SearchEvent::Item { item, .. } => outcome.newer = outcome.newer.max(item.seq()),
        SearchEvent::Refused(code) => {
            outcome.refusals += 1;
            outcome.codes.insert(code);
        }
        _ => {}
    };
    let report = session.search(search, Trace::Off, reporter, heard).await?;
    session.close().await;
    tell(&item, plan, &outcome, &report, reporter);
    if report.announced == 0 {
        return Err(outcome.failure(&report));
    }
    Ok(ExitCode::Ok)
}

/// What nodes said to it.
#[derive(Debug, Default)]
struct Outcome {
    refusals: u32,
    codes: BTreeSet<u16>,
    /// The highest version that was met above ours.
    newer: Option<i64>,
}

impl Outcome {
    /// Why nobody stored it.
    fn failure(&self, report: &LookupReport) -> Failure {
        if let Some(seq) = self.newer {
            let message = format!("version {seq} is stored already");
            return Failure::new(ExitCode::Conflict, message)
                .hint("without --seq the next version is found");
        }
        if self.codes.contains(&REFUSED_CAS) {
            let message = "another version is stored than --cas names";
            return Failure::new(ExitCode::Conflict, message);
        }
        let codes: Vec<_> = self.codes.iter().map(ToString::to_string).collect();
        let refused = match self.refusals {
            0 => String::new(),
            count => format!(", {count} refused with error {}", codes.join(", ")),
        };
        let message = format!("no node stored the value ({}{refused})", effort(report));
        Failure::new(ExitCode::Failure, message)
    }
}

/// The item to store, and the version that it replaces.
async fn item(
    plan: &PutPlan,
    made: Option<Secret>,
    dht: &DhtHandle,
    reporter: &mut Reporter,
) -> Result<(Item, Option<i64>), Failure> {
    let bad = |error: dht::BadItem| Failure::new(ExitCode::BadInput, error.to_string());
    let value = plan.value.clone();
    let Stored::Mutable {
        key: source,
        salt,
        seq,
        cas,
    } = &plan.stored
    else {
        return Ok((Item::immutable(value).map_err(bad)?, None));
    };
    let read = match source {
        KeySource::Read(secret) => Some(secret.clone()),
        KeySource::New(_) => made,
    };
    let secret = read.ok_or_else(|| Failure::new(ExitCode::Failure, "there is no key"))?;
    let seq = match (seq, source) {
        (Some(seq), _) => *seq,
        // Nobody can have stored anything under a new key.
        (None, KeySource::New(_)) => 1,
        (None, KeySource::Read(_)) => {
            let target = mutable_target(&key::public(&secret), salt);
            let salt = salt.clone();
            let found = get::newest(dht, &Wanted { target, salt }, reporter).await?;
            let stored = found.and_then(|(item, _)| item.seq());
            stored.unwrap_or(0).saturating_add(1)
        }
    };
    let item = Item::signed(&secret.0, salt.clone(), seq, value).map_err(bad)?;
    Ok((item, *cas))
}

fn tell(
    item: &Item,
    plan: &PutPlan,
    outcome: &Outcome,
    report: &LookupReport,
    reporter: &mut Reporter,
) {
    let publisher = match item {
        Item::Immutable { .. } => None,
        Item::Mutable { key, salt, .. } => Some(Publisher {
            key: *key,
            salt: salt.clone(),
            name: None,
        }),
    };
    let magnet = publisher.as_ref().filter(|_| plan.torrent.is_some());
    let magnet = magnet.map(ToString::to_string);
    let key = publisher.as_ref().map(|it| hex::encode(it.key));
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "put", "target": report.target.to_string(),
            "key": key, "salt": publisher.map(|it| hex::encode(it.salt)), "seq": item.seq(),
            "info_hash": plan.torrent.map(|hash| hash.to_string()), "magnet": magnet,
            "stored": report.announced, "refused": outcome.refusals,
            "asked": report.asked, "answered": report.answered, "timed_out": report.timed_out,
            "elapsed": report.elapsed.as_secs_f64(),
        }));
        return;
    }
    if report.announced == 0 {
        return;
    }
    let mut text = format!("target  {}\n", report.target);
    // Writing to a String cannot fail.
    if let Some(key) = key {
        let _ = writeln!(text, "key     {key}");
    }
    if let Some(seq) = item.seq() {
        let _ = writeln!(text, "seq     {seq}");
    }
    if let Some(magnet) = magnet {
        let _ = writeln!(text, "magnet  {magnet}");
    }
    reporter.print(&text);
    let (nodes, elapsed) = (report.announced, duration(report.elapsed));
    let nodes = count(nodes, "node");
    let text = format!("stored by {nodes} in {elapsed} ({})", effort(report));
    reporter.note(Instant::now(), text);
}
