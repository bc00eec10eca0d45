//! From an input to a torrent that the client can be given: a magnet link, a hash or a file become one
//! [`Target`].

use std::path::Path;
use std::sync::Arc;

use super::exit::{ExitCode, Failure};
use super::input::Input;
use super::plan::{Limits, NetworkPlan, Switch};
use super::publisher;
use super::report::Reporter;
use super::selection::Selection;
use super::signals::Signals;
use super::torrent;
use crate::io::{Client, Select, Source, resolve};
use crate::metainfo::{Info, InfoHash, Magnet, Publisher, Torrent};
use crate::storage::saved_info;
use crate::swarm::{Bitfield, Geometry, Pex, Settings};

/// What an input says about a torrent.
pub(super) struct Target {
    /// Its name in the network.
    pub(super) info_hash: InfoHash,
    /// Its files, if they are known already.
    pub(super) info: Option<Arc<Info>>,
    /// What the magnet link calls it.
    pub(super) name: Option<String>,
    /// Peers that the magnet link names.
    pub(super) peers: Vec<String>,
    /// Tiers of trackers that the link or the file names (BEP 12).
    pub(super) trackers: Vec<Vec<String>>,
    /// DHT nodes that the torrent file names (BEP 5 "torrent file extensions").
    pub(super) nodes: Vec<String>,
    /// Files that the magnet link selects (BEP 53).
    pub(super) select: Option<Vec<std::ops::RangeInclusive<u32>>>,
}

/// An input as far as it can be followed without a network.
pub(super) enum Named {
    /// It names a torrent.
    Torrent(Target),
    /// It names whoever publishes one (BEP 46).
    Publisher(Publisher),
}

impl Named {
    /// Reads the input.
    ///
    /// # Errors
    /// As [`Target::read`].
    pub(super) fn read(input: &Input, state: &Path) -> Result<Named, Failure> {
        match input {
            Input::Publisher(publisher) => Ok(Named::Publisher(publisher.clone())),
            input => Target::read(input, state).map(Named::Torrent),
        }
    }

    /// What people may call it: its name, or the beginning of its hash or key.
    pub(super) fn name(&self) -> String {
        match self {
            Named::Torrent(target) => match (&target.name, &target.info) {
                (_, Some(info)) => info.name().to_owned(),
                (Some(name), None) => name.clone(),
                (None, None) => short(&target.info_hash.to_string()),
            },
            Named::Publisher(publisher) => match &publisher.name {
                Some(name) => name.clone(),
                None => short(&hex::encode(publisher.key)),
            },
        }
    }

    /// Asks the DHT for the publisher's current torrent, if one is named; the inner error is the code of
    /// the signal that came first.
    ///
    /// # Errors
    /// No network; nothing is published.
    pub(super) async fn follow(
        self,
        client: &Client,
        plan: &NetworkPlan,
        reporter: &mut Reporter,
        signals: &mut Signals,
    ) -> Result<Result<Target, ExitCode>, Failure> {
        let publisher = match self {
            Named::Torrent(target) => return Ok(Ok(target)),
            Named::Publisher(publisher) => publisher,
        };
        tokio::select! {
            code = signals.first() => Ok(Err(code)),
            found = publisher::current(&publisher, client, plan, reporter) => {
                let mut target = Target::read(&Input::Hash(found?), &plan.state_dir)?;
                target.name = publisher.name;
                Ok(Ok(target))
            }
        }
    }
}

/// Enough of a long number to tell it from a few others.
fn short(digits: &str) -> String {
    format!("{}…", digits.get(..8).unwrap_or(digits))
}

impl Target {
    /// Reads the input; for magnets and hashes also what an earlier run has kept of the files.
    ///
    /// # Errors
    /// [`ExitCode::BadInput`] for what is no magnet or torrent, [`ExitCode::Io`] for unreadable files.
    pub(super) fn read(input: &Input, state: &Path) -> Result<Target, Failure> {
        let mut target = match input {
            Input::Magnet(magnet) => Target::of_magnet(magnet),
            Input::Hash(info_hash) => Target {
                info_hash: *info_hash,
                info: None,
                name: None,
                peers: Vec::new(),
                trackers: Vec::new(),
                nodes: Vec::new(),
                select: None,
            },
            Input::TorrentFile(path) => return Ok(Target::of_torrent(&torrent::load(path)?)),
            Input::Publisher(_) => {
                let message = "a publisher's link has to be followed in the DHT first";
                return Err(Failure::new(ExitCode::Usage, message));
            }
            Input::Url(_) => {
                return Err(Failure::new(
                    ExitCode::Usage,
                    "torrent files by URL are not built yet",
                )
                .hint("download it with another program and pass the file"));
            }
            Input::Stdin => unreachable!("`-` was replaced by its lines"),
        };
        if let Some(raw) = saved_info(state, target.info_hash) {
            // What was kept is checked like what comes from a peer; damaged means asking again.
            target.info = Info::from_bytes(raw).ok().map(Arc::new);
        }
        Ok(target)
    }

    fn of_magnet(magnet: &Magnet) -> Target {
        Target {
            info_hash: magnet.info_hash,
            info: None,
            name: magnet.name.clone(),
            peers: magnet
                .peers
                .iter()
                .map(|(host, port)| host_port(host, *port))
                .collect(),
            // A link knows no tiers. One for each keeps its order, as most clients have it.
            trackers: magnet
                .trackers
                .iter()
                .map(|url| vec![url.clone()])
                .collect(),
            nodes: Vec::new(),
            select: magnet.select.clone(),
        }
    }

    /// A torrent file.
    fn of_torrent(torrent: &Torrent) -> Target {
        let nodes = torrent
            .nodes
            .iter()
            .map(|(host, port)| host_port(host, *port));
        Target {
            info_hash: torrent.info.info_hash(),
            name: Some(torrent.info.name().to_owned()),
            info: Some(Arc::clone(&torrent.info)),
            peers: Vec::new(),
            trackers: torrent.trackers.clone(),
            nodes: nodes.collect(),
            select: None,
        }
    }

    /// For the client.
    pub(super) fn source(&self) -> Source {
        match &self.info {
            Some(info) => Source::Info(Arc::clone(info)),
            None => Source::Hash(self.info_hash),
        }
    }
}

/// As `resolve` takes it.
pub(super) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Asks the nodes that a torrent file names, beside the bootstrap nodes, without waiting for them.
pub(super) fn ask_nodes(client: &Client, nodes: impl IntoIterator<Item = String>) {
    let Some(dht) = client.dht() else { return };
    for node in nodes {
        let dht = dht.clone();
        tokio::spawn(async move { dht.join(resolve(&node).await).await });
    }
}

/// The trackers to ask: none with `--no-trackers`.
pub(super) fn trackers(network: &NetworkPlan, tiers: &[Vec<String>]) -> Vec<Vec<String>> {
    match network.trackers {
        Switch::On => tiers.to_vec(),
        Switch::Off => Vec::new(),
    }
}

/// The machine's settings from a plan.
pub(super) fn settings(network: &NetworkPlan, limits: Limits) -> Settings {
    Settings {
        pex: if network.pex == Switch::On {
            Pex::On
        } else {
            Pex::Off
        },
        limit_down: limits.down,
        limit_up: limits.up,
        ..Settings::default()
    }
}

/// The wanted pieces as the user and the magnet link select files; `None`: all.
pub(super) fn select(
    selection: Selection,
    by_magnet: Option<Vec<std::ops::RangeInclusive<u32>>>,
) -> Option<Select> {
    if matches!(selection, Selection::All) && by_magnet.is_none() {
        return None;
    }
    Some(Box::new(move |info: &Info| {
        // BEP 53 counts every file, the list that people see only those with data.
        let picked = |index: u32, shown: u32, path: &str| match (&selection, &by_magnet) {
            (Selection::All, Some(ranges)) => ranges.iter().any(|range| range.contains(&index)),
            (selection, _) => selection.picks(shown, path),
        };
        let geometry = Geometry::new(info.piece_length(), info.total_length());
        let mut wanted = Bitfield::new(geometry.piece_count());
        let mut any = false;
        let data = (0_u32..)
            .zip(info.files())
            .filter(|(_, file)| file.is_data());
        for (shown, (index, file)) in (0_u32..).zip(data) {
            if !picked(index, shown, &file.path.to_string()) {
                continue;
            }
            any = true;
            if file.length > 0 {
                let length = u64::from(info.piece_length());
                let last = (file.offset + file.length - 1) / length;
                for piece in file.offset / length..=last {
                    wanted.set(u32::try_from(piece).unwrap_or(u32::MAX));
                }
            }
        }
        if any {
            Ok(Some(wanted))
        } else {
            Err("no file of this torrent is selected".to_owned())
        }
    }))
}
