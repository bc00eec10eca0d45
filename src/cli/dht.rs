//! `trackless dht …`: looking into the DHT, and taking part in it.
//!
//! One file a family of commands; here is what they share: a client whose only task is the DHT, and
//! the wait for a first node. A command's answer goes to stdout, all else to stderr; a command that
//! found nothing says so with its exit code.

mod announce;
mod find;
mod get;
mod id;
mod key;
mod lookup;
mod metrics;
mod node;
mod ping;
mod put;
mod sample;
mod scrape;
mod size;
mod stats;
mod table;
mod value;

use std::time::{Duration, Instant};

use dht::{LookupReport, Role};
use tokio::time::timeout;

use super::exit::{ExitCode, Failure};
use super::network;
use super::plan::{DhtPlan, IdPlan, NetworkPlan};
use super::report::Reporter;
use super::update::Update;
use crate::io::{Client, DhtHandle, Search, SearchEvent, Trace};

pub(super) use get::newest;
use lookup::progress;

/// How long a command waits for a first node, and then for a table.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs it.
///
/// # Errors
/// No network, nobody answers, or nothing is found.
pub(super) fn run(plan: DhtPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    if let DhtPlan::Node(plan) = &plan {
        network::confine(&plan.network, Vec::new())?;
    }
    network::block_on(async move {
        match plan {
            DhtPlan::Node(plan) => node::run(&plan, reporter).await,
            DhtPlan::Lookup(plan) => lookup::run(&plan, reporter).await,
            DhtPlan::Ping { nodes, network } => ping::run(&nodes, &network, reporter).await,
            DhtPlan::Find(plan) => find::run(&plan, reporter).await,
            DhtPlan::Announce(plan) => announce::run(&plan, reporter).await,
            DhtPlan::Scrape { info_hash, network } => {
                scrape::run(info_hash, &network, reporter).await
            }
            DhtPlan::Get(plan) => get::run(&plan, reporter).await,
            DhtPlan::Put(plan) => put::run(&plan, reporter).await,
            DhtPlan::NewKey(file) => key::run(&file, reporter),
            DhtPlan::Sample { target, network } => sample::run(target, &network, reporter).await,
            DhtPlan::Table { svg, network } => table::run(svg.as_deref(), &network, reporter).await,
            DhtPlan::Stats(network) => stats::run(&network, reporter).await,
            DhtPlan::Size { lookups, network } => size::run(lookups, &network, reporter).await,
            DhtPlan::Id(IdPlan::Ours(network)) => id::ours(&network, reporter).await,
            DhtPlan::Id(IdPlan::Make(ip)) => id::make(ip, reporter),
            DhtPlan::Id(IdPlan::Check(ip, id)) => id::check(ip, id, reporter),
        }
    })
}

/// A client that is there for its DHT.
struct Session {
    client: Client,
    dht: DhtHandle,
}

impl Session {
    /// Opens the sockets; nobody has answered yet. Whoever leaves in a moment asks and does not answer
    /// (BEP 43), so that he does not stay behind as a dead contact of others.
    async fn open(plan: &NetworkPlan) -> Result<Session, Failure> {
        Session::open_as(plan, Role::ReadOnly).await
    }

    async fn open_as(plan: &NetworkPlan, role: Role) -> Result<Session, Failure> {
        let off = || {
            Failure::new(
                ExitCode::Usage,
                "`dht` commands and --no-dht exclude each other",
            )
        };
        let client = network::start_as(plan, role).await?;
        let dht = client.dht().cloned().ok_or_else(off)?;
        Ok(Session { client, dht })
    }

    /// Opens the sockets and waits until one node has answered.
    async fn joined(plan: &NetworkPlan, reporter: &mut Reporter) -> Result<Session, Failure> {
        let session = Session::open(plan).await?;
        join(&session.dht, plan, reporter).await?;
        Ok(session)
    }

    /// The same, and waits for a table; one that is still growing after a while is taken as it is.
    async fn settled(plan: &NetworkPlan, reporter: &mut Reporter) -> Result<Session, Failure> {
        let session = Session::joined(plan, reporter).await?;
        let mut status = session.dht.status();
        let _ = timeout(JOIN_TIMEOUT, status.wait_for(|status| status.joined)).await;
        Ok(session)
    }

    /// Runs a search to its end and shows how far it is; `heard` gets everything else that is found.
    async fn search(
        &self,
        search: Search,
        trace: Trace,
        reporter: &mut Reporter,
        mut heard: impl FnMut(SearchEvent, &mut Reporter),
    ) -> Result<LookupReport, Failure> {
        let mut events = self.dht.search(search, trace).await;
        loop {
            match events.recv().await.ok_or_else(ended)? {
                SearchEvent::Progress(report) => reporter.state(Instant::now(), &progress(&report)),
                SearchEvent::Done(report) => return Ok(report),
                event => heard(event, reporter),
            }
        }
    }

    async fn close(self) {
        self.client.shutdown().await;
    }
}

/// Waits until one node has answered.
///
/// # Errors
/// [`ExitCode::NoNetwork`] when nobody does.
pub(super) async fn join(
    dht: &DhtHandle,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
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
        .hint("`trackless doctor` says why; --bootstrap HOST:PORT names other nodes"));
    }
    let (nodes, elapsed) = (dht.status().borrow().nodes, started.elapsed());
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    reporter.state(Instant::now(), &Update::Joined { nodes, elapsed });
    Ok(())
}

/// A task that is gone answers nothing; it ends only with the client.
fn ended() -> Failure {
    Failure::new(ExitCode::Failure, "the DHT ended before it answered")
}
