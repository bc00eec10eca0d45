//! What the options of `trackless tracker` mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::args::{TRACKER_PORT, TrackerArgs};
use super::super::exit::{ExitCode, Failure};
use super::super::network::folder_of;
use super::super::plan::{AllowList, TrackerPlan};
use super::{Background, check_folder, exists, non_empty};
use crate::io::Listen;
use crate::tracker::server::{Allowed, MAX_REPLY_PEERS};

/// BEP 3 names none; half an hour is what trackers and clients are used to.
const INTERVAL: Duration = Duration::from_secs(1800);

/// Shorter, and clients would be most of the load of a tracker; longer, and swarms would be stale.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(24 * 3600);

/// BEP 3: "this value is defaulted to 50".
const REPLY_PEERS: u16 = 50;

/// The largest list that is read: a million lines with notes.
const MAX_LIST_BYTES: u64 = 256 << 20;

impl Background<'_> {
    /// The plan of `tracker`.
    ///
    /// # Errors
    /// A list that cannot be read, an interval that no client would keep, a folder that is none.
    pub fn tracker(&self, args: TrackerArgs) -> Result<TrackerPlan, Failure> {
        let file = &self.config.tracker;
        let mut http = non_empty(args.http)
            .or_else(|| file.http.clone())
            .unwrap_or_default();
        let mut udp = non_empty(args.udp)
            .or_else(|| file.udp.clone())
            .unwrap_or_default();
        if http.is_empty() && udp.is_empty() {
            http.push(Listen::Everywhere(TRACKER_PORT));
            udp.push(Listen::Everywhere(TRACKER_PORT));
        }
        let interval = args.interval.or(file.interval).unwrap_or(INTERVAL);
        if !INTERVALS.contains(&interval) {
            let message = "the interval has to be between 10 seconds and a day";
            return Err(Failure::new(ExitCode::Usage, message));
        }
        let at_home = |path: &PathBuf| self.at_home(path);
        let db = args.db.or_else(|| file.db.as_ref().map(at_home));
        if let Some(db) = &db {
            let folder = folder_of(db);
            exists(&folder)?;
            check_folder(&folder)?;
        }
        let list = args
            .allow_list
            .or_else(|| file.allow_list.as_ref().map(at_home));
        Ok(TrackerPlan {
            http,
            udp,
            db,
            // Whole seconds are what both protocols know.
            interval: Duration::from_secs(interval.as_secs()),
            allow_list: list.map(read_list).transpose()?,
            reply_peers: usize::from(args.reply_peers.or(file.reply_peers).unwrap_or(REPLY_PEERS))
                .min(MAX_REPLY_PEERS),
        })
    }
}

fn read_list(path: PathBuf) -> Result<AllowList, Failure> {
    let allowed = allowed(&path)?;
    Ok(AllowList { path, allowed })
}

/// Reads `--allow-list`.
///
/// # Errors
/// [`ExitCode::BadInput`] with the line at fault; the system's for a file that cannot be read.
pub fn allowed(path: &Path) -> Result<Allowed, Failure> {
    let shown = path.display();
    let failed = |error| Failure::io(format_args!("cannot read {shown}"), &error);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_LIST_BYTES {
        let message = format!("{shown} is too large for a list of info hashes");
        return Err(Failure::new(ExitCode::BadInput, message));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Allowed::parse(&text).map_err(|error| {
        Failure::new(ExitCode::BadInput, format!("{shown}: {error}"))
            .hint("one info hash a line, 40 hex digits; `#` begins a comment")
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::config;
    use super::*;

    fn plan(args: TrackerArgs, file: &str) -> Result<TrackerPlan, Failure> {
        let config = config::from_text(file, "c").unwrap();
        let variable = |name: &str| (name == "HOME").then(|| "/home/x".into());
        Background {
            config: &config,
            variable: &variable,
        }
        .tracker(args)
    }

    #[test]
    fn without_addresses_both_are_served_where_everybody_looks() {
        let plan = plan(TrackerArgs::default(), "").unwrap();
        assert_eq!(plan.http, [Listen::Everywhere(6969)]);
        assert_eq!(plan.udp, [Listen::Everywhere(6969)]);
        assert_eq!((plan.interval.as_secs(), plan.reply_peers), (1800, 50));
        assert!(plan.db.is_none() && plan.allow_list.is_none());
    }

    #[test]
    fn one_transport_alone_is_a_wish() {
        let args = TrackerArgs {
            udp: vec![Listen::Everywhere(1)],
            ..TrackerArgs::default()
        };
        let plan = plan(args, "").unwrap();
        assert_eq!((plan.http, plan.udp), (vec![], vec![Listen::Everywhere(1)]));
    }

    #[test]
    fn flags_stand_above_the_file() {
        let file = "[tracker]\nhttp = [\"127.0.0.1:80\"]\nudp = [\"81\"]\ninterval = \"5m\"\nreply_peers = 7\n";
        let both = plan(TrackerArgs::default(), file).unwrap();
        assert_eq!(both.http, [Listen::At("127.0.0.1:80".parse().unwrap())]);
        assert_eq!(
            (both.udp, both.interval.as_secs()),
            (vec![Listen::Everywhere(81)], 300)
        );
        assert_eq!(both.reply_peers, 7);
        let args = TrackerArgs {
            http: vec![Listen::Everywhere(9)],
            interval: Some(Duration::from_secs(60)),
            ..TrackerArgs::default()
        };
        let flags = plan(args, file).unwrap();
        assert_eq!(
            (flags.http, flags.interval.as_secs()),
            (vec![Listen::Everywhere(9)], 60)
        );
    }

    #[test]
    fn what_cannot_be_is_told_before_a_socket_opens() {
        let args = TrackerArgs {
            interval: Some(Duration::from_secs(9)),
            ..TrackerArgs::default()
        };
        assert_eq!(plan(args, "").unwrap_err().code, ExitCode::Usage);
        let args = TrackerArgs {
            db: Some("/proc/none/x.db".into()),
            ..TrackerArgs::default()
        };
        assert_eq!(plan(args, "").unwrap_err().code, ExitCode::Io);
        let list = |path: &Path| TrackerArgs {
            allow_list: Some(path.into()),
            ..TrackerArgs::default()
        };
        assert_eq!(
            plan(list(Path::new("/nonexistent")), "").unwrap_err().code,
            ExitCode::Io
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "# x\nnonsense\n").unwrap();
        let failure = plan(list(&path), "").unwrap_err();
        assert_eq!(failure.code, ExitCode::BadInput);
        assert!(failure.message.contains("line 2: "), "{failure}");
    }
}
