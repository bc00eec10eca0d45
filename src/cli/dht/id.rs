//! `dht id`: our ids, our address as others see it, and ids that suit an address (BEP 42).

use std::net::IpAddr;
use std::time::Instant;

use bencode::Family;
use dht::Id;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::exit::{ExitCode, Failure};
use super::super::plan::NetworkPlan;
use super::super::report::{Reporter, Style};
use super::{Session, ended};
use crate::io;

/// Joins, and tells who we are and whether others agree on where.
///
/// # Errors
/// No network.
pub(super) async fn ours(plan: &NetworkPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let session = Session::settled(plan, reporter).await?;
    let view = session.dht.view().await.ok_or_else(ended)?;
    session.close().await;
    let external = view.external;
    // An address says something about the id of its own family only.
    let suits = |family: Family, id: &Id| {
        let same = |ip: &IpAddr| ip.is_ipv4() == (family == Family::V4);
        external.filter(same).map(|ip| id.suits_address(ip))
    };
    if reporter.style() == Style::Json {
        let ids = view.ids.map(|(family, id)| {
            serde_json::json!({
                "family": if family == Family::V4 { "v4" } else { "v6" },
                "id": id.to_string(), "suits": suits(family, &id),
            })
        });
        reporter.print_json(&serde_json::json!({
            "type": "id", "external": external.map(|ip| ip.to_string()), "ids": ids,
        }));
        return Ok(ExitCode::Ok);
    }
    for (family, id) in view.ids {
        let words = match suits(family, &id) {
            Some(true) => "suits our address",
            Some(false) => "does not suit our address",
            None => "address not known",
        };
        let family = if family == Family::V4 { "IPv4" } else { "IPv6" };
        reporter.print(&format!("{family}  {id}  {words}\n"));
    }
    let seen = match external {
        Some(ip) => format!("other nodes see us at {ip}"),
        None => "too few nodes in different networks told us our address".to_owned(),
    };
    reporter.note(Instant::now(), seen);
    Ok(ExitCode::Ok)
}

/// Prints a new id that BEP 42 allows at `ip`. Opens no network.
///
/// # Errors
/// No randomness.
pub(super) fn make(ip: IpAddr, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let seed = io::seed().map_err(|error| Failure::io("the system has no randomness", &error))?;
    let id = Id::for_address(ip, &mut ChaCha8Rng::from_seed(seed));
    tell(ip, &id, reporter);
    Ok(ExitCode::Ok)
}

/// Says whether BEP 42 allows `id` at `ip`. Opens no network.
///
/// # Errors
/// [`ExitCode::VerifyFailed`] when it does not.
pub(super) fn check(ip: IpAddr, id: Id, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    if id.suits_address(ip) {
        tell(ip, &id, reporter);
        return Ok(ExitCode::Ok);
    }
    let message = format!("{id} does not suit {ip}");
    let hint = format!("`trackless dht id {ip}` makes one that does");
    Err(Failure::new(ExitCode::VerifyFailed, message).hint(hint))
}

/// An id that suits.
fn tell(ip: IpAddr, id: &Id, reporter: &mut Reporter) {
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "id", "external": ip.to_string(),
            "ids": [{
                "family": if ip.is_ipv4() { "v4" } else { "v6" },
                "id": id.to_string(), "suits": true,
            }],
        }));
    } else {
        reporter.print(&format!("{id}\n"));
    }
}
