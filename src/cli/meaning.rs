//! What the typed options mean: every command's plan, with flags, environment, file and defaults
//! laid over each other in that order. Nothing here opens a socket or changes a file.
//!
//! Flags and environment arrive already merged (clap does that), so `flag.or(file).unwrap_or(..)`
//! is the whole rule.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::{
    DemoArgs, FetchArgs, GetArgs, LimitArgs, NetworkArgs, PatienceArgs, SeedArgs, SeedStopArgs,
    ShareArgs, ShowArgs,
};
use super::config::Config;
use super::exit::{ExitCode, Failure};
use super::hosts::HostPort;
use super::input::{self, Input};
use super::network::folder_of;
use super::plan::{
    After, Check, DemoPlan, Existing, Families, FetchPlan, FileList, GetPlan, GetTask, Hook,
    Limits, NetworkPlan, Patience, PieceOrder, SeedPlan, SeedStop, SeedTask, SharePlan, ShowPlan,
    Switch,
};
use super::selection::Selection;
use crate::io::BOOTSTRAP;

mod dht;
mod tracker;

pub use tracker::allowed;

/// Enough for lookups of several hops, few enough to start at once.
const DEMO_NODES: u16 = 50;
/// Long enough to be seen, short enough to be waited for.
const DEMO_BYTES: u64 = 64 << 20;

/// What lies below the flags: the file, and the process's environment for the folders.
pub struct Background<'a> {
    /// The configuration file.
    pub config: &'a Config,
    /// Reads a variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Background<'_> {
    /// The plan of `get`.
    ///
    /// # Errors
    /// Inputs that are none of the known kinds, patterns that are none, a folder that cannot be
    /// written.
    pub fn get(&self, args: GetArgs) -> Result<GetPlan, Failure> {
        let output = args
            .output
            .or_else(|| {
                self.config
                    .download_dir
                    .as_deref()
                    .map(|dir| self.at_home(dir))
            })
            .unwrap_or_else(|| PathBuf::from("."));
        let stop = self.stop(&args.stop);
        // A goal for seeding is a wish to seed.
        // (One that stands in the file is only a default for those who do.)
        let wants_seeding = args.seed
            || args
                .stop
                .seed_ratio
                .or(args.stop.seed_time.map(|_| 0.0))
                .is_some();
        let file_hook = self
            .config
            .hooks
            .on_complete
            .clone()
            .filter(|words| !words.is_empty());
        let plan = GetPlan {
            inputs: input::all(&args.input)?,
            selection: Selection::parse(&args.files)?,
            task: if args.list {
                GetTask::List
            } else {
                GetTask::Download
            },
            after: if wants_seeding {
                After::Seed(stop)
            } else {
                After::Leave
            },
            limits: self.limits(&args.limits),
            patience: self.patience(&args.patience),
            on_complete: args
                .on_complete
                .map(Hook::Shell)
                .or(file_hook.map(Hook::Program)),
            check: if args.disk.check {
                Check::Rehash
            } else {
                Check::Resume
            },
            existing: if args.disk.force {
                Existing::Overwrite
            } else {
                Existing::Keep
            },
            order: if args.sequential {
                PieceOrder::Sequential
            } else {
                PieceOrder::Rarest
            },
            network: self.network(args.network)?,
            output,
        };
        // Last, so that a bad input is told before a bad folder; a list needs no folder at all.
        if plan.task == GetTask::Download {
            check_folder(&plan.output)?;
        }
        Ok(plan)
    }

    /// The plan of `seed`.
    ///
    /// # Errors
    /// Ranges that are none, missing files.
    pub fn seed(&self, args: SeedArgs) -> Result<SeedPlan, Failure> {
        let task = |torrent: PathBuf| {
            let data = args.data.clone();
            let data = data.unwrap_or_else(|| folder_of(&torrent));
            exists(&torrent)?;
            exists(&data)?;
            Ok(SeedTask { torrent, data })
        };
        let tasks = args.torrent.into_iter().map(task);
        let tasks = tasks.collect::<Result<Vec<SeedTask>, Failure>>()?;
        Ok(SeedPlan {
            tasks,
            check: if args.check {
                Check::Rehash
            } else {
                Check::Resume
            },
            stop: self.stop(&args.stop),
            limits: self.limits(&args.limits),
            network: self.network(args.network)?,
        })
    }

    /// The plan of `share`.
    ///
    /// # Errors
    /// Ranges that are none, missing files.
    pub fn share(&self, args: ShareArgs) -> Result<SharePlan, Failure> {
        args.path.iter().try_for_each(|path| exists(path))?;
        Ok(SharePlan {
            paths: args.path,
            trackers: args.tracker,
            everywhere: if args.private {
                Switch::Off
            } else {
                Switch::On
            },
            stop: self.stop(&args.stop),
            limits: self.limits(&args.limits),
            network: self.network(args.network)?,
        })
    }

    /// The plan of `show`.
    ///
    /// # Errors
    /// An input that is none of the known kinds.
    pub fn show(&self, args: ShowArgs) -> Result<ShowPlan, Failure> {
        Ok(ShowPlan {
            input: Input::parse(&args.input)?,
            files: if args.files {
                FileList::All
            } else {
                FileList::Count
            },
            patience: self.patience(&args.patience),
            network: self.network(args.network)?,
        })
    }

    /// The plan of `fetch`.
    ///
    /// # Errors
    /// An input that is neither magnet link nor hash, a folder that cannot be written.
    pub fn fetch(&self, args: FetchArgs) -> Result<FetchPlan, Failure> {
        let input = Input::parse(&args.input)?;
        if !matches!(
            input,
            Input::Magnet(_) | Input::Publisher(_) | Input::Hash(_)
        ) {
            let message = "fetch needs a magnet link or an info hash";
            return Err(Failure::new(ExitCode::BadInput, message));
        }
        let folder = args
            .output
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new("."));
        check_folder(folder)?;
        Ok(FetchPlan {
            input,
            output: args.output,
            existing: if args.force {
                Existing::Overwrite
            } else {
                Existing::Keep
            },
            patience: self.patience(&args.patience),
            network: self.network(args.network)?,
        })
    }

    /// The plan of `demo`.
    pub fn demo(&self, args: &DemoArgs) -> DemoPlan {
        DemoPlan {
            nodes: args.nodes.unwrap_or(DEMO_NODES),
            size: args.size.unwrap_or(DEMO_BYTES),
        }
    }

    /// The network part of any plan.
    ///
    /// # Errors
    /// `--allow-net` that is no range; no folder for the state.
    pub fn network(&self, args: NetworkArgs) -> Result<NetworkPlan, Failure> {
        let file = &self.config.network;
        let dht = &self.config.dht;
        let families = match (args.ipv4, args.ipv6) {
            (true, _) => Families::V4,
            (_, true) => Families::V6,
            _ => Families::Both,
        };
        let ranges = non_empty(args.allow_net)
            .or_else(|| file.allow.clone())
            .unwrap_or_default();
        Ok(NetworkPlan {
            port: args.port.or(file.port).unwrap_or(0),
            bind: args.bind.or_else(|| file.bind.clone()),
            families,
            bootstrap: non_empty(args.bootstrap)
                .or_else(|| dht.bootstrap.clone().and_then(non_empty))
                .unwrap_or_else(built_in_nodes),
            peers: non_empty(args.peer)
                .or_else(|| file.peers.clone())
                .unwrap_or_default(),
            allowed: ranges
                .iter()
                .map(|text| range(text))
                .collect::<Result<_, _>>()?,
            dht: if !args.no_dht && dht.enabled != Some(false) {
                Switch::On
            } else {
                Switch::Off
            },
            pex: if !args.no_pex && file.pex != Some(false) {
                Switch::On
            } else {
                Switch::Off
            },
            lsd: if !args.no_lsd && file.lsd != Some(false) {
                Switch::On
            } else {
                Switch::Off
            },
            trackers: if !args.no_trackers && file.trackers != Some(false) {
                Switch::On
            } else {
                Switch::Off
            },
            confine: if !args.no_confine && file.confine != Some(false) {
                Switch::On
            } else {
                Switch::Off
            },
            state_dir: self.state_dir(args.state_dir)?,
        })
    }

    /// `--state-dir`, the file's `state_dir`, systemd's `STATE_DIRECTORY`,
    /// `$XDG_STATE_HOME/trackless`, `~/.local/state/trackless`.
    fn state_dir(&self, flag: Option<PathBuf>) -> Result<PathBuf, Failure> {
        let set = |name: &str| (self.variable)(name).filter(|value| !value.is_empty());
        // systemd separates several folders with colons; the first is ours.
        let systemd = || std::env::split_paths(&set("STATE_DIRECTORY")?).next();
        flag.or_else(|| {
            self.config
                .state_dir
                .as_deref()
                .map(|dir| self.at_home(dir))
        })
        .or_else(systemd)
        .or_else(|| set("XDG_STATE_HOME").map(|base| Path::new(&base).join("trackless")))
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state/trackless")))
        .ok_or_else(|| {
            Failure::new(
                ExitCode::Usage,
                "no folder for resume data: HOME is not set",
            )
            .hint("name one with --state-dir")
        })
    }

    /// `~/x` of the configuration file; a shell never sees that file.
    fn at_home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), (self.variable)("HOME")) {
            (Ok(rest), Some(home)) => Path::new(&home).join(rest),
            _ => path.to_path_buf(),
        }
    }

    /// 0 on the command line lifts a limit of the file, because 0 is a value and not an absence.
    fn limits(&self, args: &LimitArgs) -> Limits {
        let file = &self.config.limits;
        Limits {
            down: args.limit_down.or(file.down).unwrap_or(0),
            up: args.limit_up.or(file.up).unwrap_or(0),
        }
    }

    /// Both goals count, whichever is reached first.
    fn stop(&self, args: &SeedStopArgs) -> SeedStop {
        let file = &self.config.seed;
        // A goal on the command line replaces both of the file, not only its own kind.
        match (args.seed_ratio, args.seed_time) {
            (None, None) => SeedStop {
                ratio: file.ratio,
                time: file.time,
            },
            (ratio, time) => SeedStop { ratio, time },
        }
    }

    /// People wait without an end unless they say otherwise; scripts give `--timeout`.
    fn patience(&self, args: &PatienceArgs) -> Patience {
        let file = &self.config.get;
        Patience {
            start: args.timeout.or(file.timeout),
            stall: args.stall_timeout.or(file.stall_timeout),
        }
    }
}

/// A repeatable option that was not given arrives as an empty list.
fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// [`BOOTSTRAP`] as if it had been typed.
fn built_in_nodes() -> Vec<HostPort> {
    BOOTSTRAP
        .iter()
        .filter_map(|node| node.parse().ok())
        .collect()
}

/// One value of `--allow-net`.
fn range(text: &str) -> Result<bencode::Cidr, Failure> {
    text.parse().map_err(|error: bencode::CidrError| {
        Failure::new(
            ExitCode::Usage,
            format!("`{text}` is no address range: {error}"),
        )
        .hint("for example --allow-net 192.168.0.0/16")
    })
}

/// A path that must be there.
fn exists(path: &Path) -> Result<(), Failure> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::io(
            format_args!("cannot open {}", path.display()),
            &error,
        )),
    }
}

/// Whether files can be written below this folder. It need not exist yet: then its nearest
/// ancestor that does must be a writable folder. Creates nothing.
///
/// # Errors
/// [`ExitCode::Io`] with the path at fault.
pub fn check_folder(folder: &Path) -> Result<(), Failure> {
    let mut nearest = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    loop {
        match std::fs::metadata(nearest) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => {
                let message = format!("{} is not a folder", nearest.display());
                return Err(Failure::new(ExitCode::Io, message));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                nearest = match nearest.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => Path::new("."),
                };
            }
            Err(error) => {
                return Err(Failure::io(
                    format_args!("cannot use {}", nearest.display()),
                    &error,
                ));
            }
        }
    }
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(nearest, access).map_err(|error| {
        Failure::io(
            format_args!("cannot write to {}", nearest.display()),
            &error.into(),
        )
    })
}

#[cfg(test)]
mod tests;
