//! The checks of the network: names, UDP, bootstrap nodes, our port, IPv6.
//!
//! Everything is measured by a real node that joins the real DHT; no server of ours is asked.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use bencode::Endpoint;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use super::super::exit::ExitCode;
use super::super::format::duration;
use super::super::hosts::{self, HostPort};
use super::super::network;
use super::super::plan::{DoctorPlan, Families, NetworkPlan};
use super::{Chart, Finding};
use crate::io::{DhtHandle, Pong, resolve, source_towards};

/// Somewhere in the IPv6 internet (f.root-servers.net). Nothing is sent there.
const FAR: SocketAddr = SocketAddr::new(
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x500, 0x2f, 0, 0, 0, 0, 0xf)),
    53,
);

/// Does every check of this file.
pub(super) async fn examine(plan: &DoctorPlan, chart: &mut Chart<'_>) {
    let network = &plan.network;
    let found = names(&network.bootstrap, chart).await;
    if !network.dht.is_on() {
        chart.add(Finding::warning(
            "udp",
            "not checked: the DHT is switched off",
        ));
        chart.add(ipv6(network, 0));
        return;
    }
    let client = match network::start(network).await {
        Ok(client) => client,
        Err(failure) => {
            let hint = failure.hint.unwrap_or_else(|| "try `--port 0`".to_owned());
            chart.add(Finding::failure("port", failure.code, failure.message).hint(hint));
            chart.add(ipv6(network, 0));
            return;
        }
    };
    // `network::start` has opened the DHT: it is on.
    let Some(dht) = client.dht().cloned() else {
        return;
    };
    let deadline = tokio::time::Instant::now() + plan.patience;
    let pongs = ping_all(&dht, found, plan.patience).await;
    udp(&dht, &pongs, deadline, plan.patience, chart).await;
    bootstrap(&dht, &network.bootstrap, &pongs, chart);
    port(&dht, client.port(), deadline, plan.patience, chart).await;
    let contacts = match dht.view().await {
        Some(view) => view.tables[1].1.iter().map(Vec::len).sum(),
        None => 0,
    };
    chart.add(ipv6(network, contacts));
    client.shutdown().await;
}

/// Resolves every bootstrap host; each with its addresses.
async fn names(hosts: &[HostPort], chart: &mut Chart<'_>) -> Vec<(usize, Endpoint)> {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for (index, host) in hosts.iter().map(ToString::to_string).enumerate() {
        running.spawn(async move { (index, resolve(&host).await) });
    }
    let mut found = Vec::new();
    for (index, endpoints) in running.join_all().await {
        found.extend(endpoints.into_iter().map(|endpoint| (index, endpoint)));
    }
    found.sort();
    let is_name = |host: &HostPort| host.host.parse::<IpAddr>().is_err();
    let resolved = |index: usize| found.iter().any(|(it, _)| *it == index);
    let (mut names, mut missing) = (0, Vec::new());
    for (index, host) in hosts.iter().enumerate().filter(|(_, host)| is_name(host)) {
        names += 1;
        if !resolved(index) {
            missing.push(host.host.as_str());
        }
    }
    let elapsed = duration(started.elapsed());
    chart.add(match (names, missing.len()) {
        (0, _) => Finding::ok("dns", "not needed: every bootstrap node is an address"),
        (_, 0) => Finding::ok(
            "dns",
            format!("{names} of {names} names resolved in {elapsed}"),
        ),
        (_, lost) if lost == names => {
            let message = format!("none of {names} names resolved in {elapsed}");
            Finding::failure("dns", ExitCode::NoNetwork, message)
                .hint("look into /etc/resolv.conf; --bootstrap ADDRESS:PORT needs no names")
        }
        (_, lost) => {
            let message = format!("{} of {names} names resolved in {elapsed}", names - lost);
            Finding::warning("dns", message).hint(format!("not resolved: {}", missing.join(", ")))
        }
    });
    found
}

/// An answer of a bootstrap host's address, if one came.
struct Asked {
    host: usize,
    endpoint: Endpoint,
    pong: Option<Pong>,
}

async fn ping_all(dht: &DhtHandle, found: Vec<(usize, Endpoint)>, wait: Duration) -> Vec<Asked> {
    let mut running = JoinSet::new();
    for (host, endpoint) in found {
        let dht = dht.clone();
        running.spawn(async move {
            let pong = timeout(wait, dht.ping(endpoint)).await.ok().flatten();
            Asked {
                host,
                endpoint,
                pong,
            }
        });
    }
    let mut asked = running.join_all().await;
    asked.sort_by_key(|asked| (asked.host, asked.endpoint));
    asked
}

/// Whether any answer came through.
async fn udp(
    dht: &DhtHandle,
    pongs: &[Asked],
    deadline: tokio::time::Instant,
    patience: Duration,
    chart: &mut Chart<'_>,
) {
    let quickest = pongs
        .iter()
        .filter_map(|asked| Some((asked.pong?.rtt, asked.endpoint)))
        .min();
    if let Some((rtt, endpoint)) = quickest {
        let millis = rtt.as_secs_f64() * 1e3;
        let message = format!("{endpoint} answered in {millis:.1} ms");
        return chart.add(Finding::ok("udp", message));
    }
    let mut status = dht.status();
    let heard = timeout_at(deadline, status.wait_for(|status| status.received > 0))
        .await
        .is_ok_and(|heard| heard.is_ok());
    let (sent, received) = (status.borrow().sent, status.borrow().received);
    chart.add(if heard {
        Finding::ok("udp", format!("{received} datagrams came for {sent} sent"))
    } else {
        let message = format!(
            "{sent} datagrams sent, no answer within {}",
            duration(patience)
        );
        Finding::failure("udp", ExitCode::NoNetwork, message)
            .hint("is this machine offline, or does a firewall stop UDP?")
    });
}

fn bootstrap(dht: &DhtHandle, hosts: &[HostPort], pongs: &[Asked], chart: &mut Chart<'_>) {
    let answered = |host: usize| pongs.iter().any(|it| it.host == host && it.pong.is_some());
    let silent: Vec<_> = (0..)
        .zip(hosts)
        .filter(|(index, _)| !answered(*index))
        .map(|(_, host)| host.to_string())
        .collect();
    let contacts = dht.status().borrow().nodes;
    let message = format!(
        "{} of {} bootstrap nodes answered; {contacts} contacts",
        hosts.len() - silent.len(),
        hosts.len()
    );
    chart.add(match (silent.len() == hosts.len(), contacts) {
        (true, 0) => Finding::failure("bootstrap", ExitCode::NoNetwork, message)
            .hint("--bootstrap HOST:PORT names other nodes"),
        (true, _) => Finding::warning("bootstrap", message)
            .hint("contacts of earlier runs are enough; a new installation would not join"),
        (false, _) if silent.is_empty() => Finding::ok("bootstrap", message),
        (false, _) => Finding::ok("bootstrap", message + "; silent: " + &silent.join(", ")),
    });
}

/// Waits for someone to whom we did not write first.
async fn port(
    dht: &DhtHandle,
    port: u16,
    deadline: tokio::time::Instant,
    patience: Duration,
    chart: &mut Chart<'_>,
) {
    let mut status = dht.status();
    // Whether he came in time stands in the status too.
    let _ = timeout_at(
        deadline,
        status.wait_for(|status| status.stranger.is_some()),
    )
    .await;
    let stranger = status.borrow().stranger;
    chart.add(match stranger {
        Some(stranger) => {
            let message = format!("{stranger} reached UDP port {port} uninvited: it is open");
            Finding::ok("port", message)
        }
        None => {
            let wait = duration(patience);
            let message = format!("nobody reached UDP port {port} uninvited within {wait}");
            Finding::warning("port", message).hint(
                "a router may have to forward it (UDP and TCP); --timeout 2m waits for longer",
            )
        }
    });
}

/// Which address packets would leave from, and whether anybody answered there.
fn ipv6(network: &NetworkPlan, contacts: usize) -> Finding {
    let bound_to_v4 = matches!(&network.bind, Some(hosts::Bind::Address(ip)) if ip.is_ipv4());
    if network.families == Families::V4 || bound_to_v4 {
        return Finding::ok("ipv6", "not checked: only IPv4 was asked for");
    }
    match source_towards(&network::bind(network), FAR) {
        Err(error) => {
            // The system's words for it hardly help: "network is unreachable".
            let message = format!("no way into the IPv6 internet ({})", error.kind());
            Finding::warning("ipv6", message).hint("peers with IPv6 only will not be reached")
        }
        Ok(from) if contacts > 0 => {
            let message = format!("{contacts} contacts answered; packets leave from {from}");
            Finding::ok("ipv6", message)
        }
        Ok(from) => {
            let message = format!("packets leave from {from}, but no contact answered");
            Finding::warning("ipv6", message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::cli::doctor::tests::network;

    #[test]
    fn ipv6_is_not_missed_by_who_asked_for_ipv4() {
        let plan = NetworkPlan {
            families: Families::V4,
            ..network()
        };
        assert_eq!(ipv6(&plan, 0).verdict, Verdict::Ok);
        let plan = NetworkPlan {
            bind: Some(hosts::Bind::Address([127, 0, 0, 1].into())),
            ..network()
        };
        assert_eq!(ipv6(&plan, 0).verdict, Verdict::Ok);
    }
}
