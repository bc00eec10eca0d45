//! What the options of `trackless dht …` and `trackless doctor` mean.

use std::path::PathBuf;
use std::time::Duration;

use dht::Id;

use super::super::args::{AnnounceArgs, DhtCommand, DoctorArgs, IdArgs, LookupArgs};
use super::super::exit::{ExitCode, Failure};
use super::super::input::Input;
use super::super::plan::{
    AnnouncePlan, DhtPlan, DoctorPlan, FindPlan, IdPlan, LookupPlan, NodePlan, Trace,
};
use super::{Background, non_empty};
use crate::metainfo::InfoHash;

mod item;

/// 16 × 8 distances: the estimate's standard error is 9 %.
const SIZE_LOOKUPS: u16 = 16;

/// Long enough for a cold bootstrap and for strangers to come by.
const DOCTOR_PATIENCE: Duration = Duration::from_secs(10);

impl Background<'_> {
    /// The plan of `dht …`.
    ///
    /// # Errors
    /// What should be an id, a hash or a range and is none; files that are missing or in the way.
    pub fn dht(&self, command: DhtCommand) -> Result<DhtPlan, Failure> {
        Ok(match command {
            DhtCommand::Node(args) => DhtPlan::Node(NodePlan {
                metrics: args.metrics,
                network: self.network(args.network)?,
            }),
            DhtCommand::Lookup(args) => DhtPlan::Lookup(self.lookup(args)?),
            DhtCommand::Ping { node, network } => {
                let network = self.network(network)?;
                let nodes = non_empty(node).unwrap_or_else(|| network.bootstrap.clone());
                DhtPlan::Ping { nodes, network }
            }
            DhtCommand::Find {
                target,
                trace,
                network,
            } => DhtPlan::Find(FindPlan {
                target: Id::from(info_hash(&target, "an id, an info hash or a magnet link")?.0),
                trace: if trace { Trace::On } else { Trace::Off },
                network: self.network(network)?,
            }),
            DhtCommand::Announce(args) => DhtPlan::Announce(self.announce(args)?),
            DhtCommand::Scrape { input, network } => DhtPlan::Scrape {
                info_hash: info_hash(&input, "an info hash or a magnet link")?,
                network: self.network(network)?,
            },
            DhtCommand::Get(args) => DhtPlan::Get(self.item(args)?),
            DhtCommand::Put(args) => self.put(args)?,
            DhtCommand::Sample { target, network } => DhtPlan::Sample {
                target: target.as_deref().map(id).transpose()?,
                network: self.network(network)?,
            },
            DhtCommand::Table { svg, network } => DhtPlan::Table {
                svg,
                network: self.network(network)?,
            },
            DhtCommand::Stats { network } => DhtPlan::Stats(self.network(network)?),
            DhtCommand::Size { lookups, network } => DhtPlan::Size {
                lookups: lookups.unwrap_or(SIZE_LOOKUPS),
                network: self.network(network)?,
            },
            DhtCommand::Id(args) => DhtPlan::Id(self.id(args)?),
        })
    }

    /// The plan of `doctor`.
    ///
    /// # Errors
    /// `--allow-net` that is no range; no folder for the state. (A folder that cannot be written is
    /// a finding.)
    pub fn doctor(&self, args: DoctorArgs) -> Result<DoctorPlan, Failure> {
        let configured = self.config.download_dir.as_deref();
        Ok(DoctorPlan {
            output: args
                .output
                .or_else(|| configured.map(|dir| self.at_home(dir)))
                .unwrap_or_else(|| PathBuf::from(".")),
            patience: args.timeout.unwrap_or(DOCTOR_PATIENCE),
            network: self.network(args.network)?,
        })
    }

    fn lookup(&self, args: LookupArgs) -> Result<LookupPlan, Failure> {
        Ok(LookupPlan {
            info_hash: info_hash(&args.input, "an info hash or a magnet link")?,
            trace: if args.trace { Trace::On } else { Trace::Off },
            svg: args.svg,
            network: self.network(args.network)?,
        })
    }

    /// The port is that of a peer, which holds it already: ours is another one.
    fn announce(&self, args: AnnounceArgs) -> Result<AnnouncePlan, Failure> {
        let info_hash = info_hash(&args.input, "an info hash or a magnet link")?;
        let network = self.network(args.network)?;
        Ok(AnnouncePlan {
            info_hash,
            port: Some(network.port).filter(|port| *port != 0),
            network: super::NetworkPlan { port: 0, ..network },
        })
    }

    fn id(&self, args: IdArgs) -> Result<IdPlan, Failure> {
        Ok(match (args.ip, args.check) {
            (None, _) => IdPlan::Ours(self.network(args.network)?),
            (Some(ip), None) => IdPlan::Make(ip),
            (Some(ip), Some(text)) => IdPlan::Check(ip, id(&text)?),
        })
    }
}

fn id(text: &str) -> Result<Id, Failure> {
    text.parse().map_err(|error: dht::BadId| {
        Failure::new(ExitCode::BadInput, error.to_string()).caret(text, 0, text.len())
    })
}

/// The info hash that `text` names, in whatever form.
fn info_hash(text: &str, expected: &str) -> Result<InfoHash, Failure> {
    let none = || Failure::new(ExitCode::BadInput, format!("this command needs {expected}"));
    Input::parse(text)?.info_hash().ok_or_else(none)
}

#[cfg(test)]
mod tests;
