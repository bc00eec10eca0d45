//! The checks that need no network: clock, disks, limits of the process.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::exit::ExitCode;
use super::super::format::bytes;
use super::super::meaning::check_folder;
use super::Finding;

/// 2026-11-01: no copy of this program has ever run before.
const RELEASED: u64 = 1_793_491_200;

/// Twenty years later a clock is more likely wrong than this program still in use.
const RETIRED: u64 = RELEASED + 20 * 365 * 86_400;

/// Free space below which hardly any download fits.
const LITTLE: u64 = 1 << 30;

/// Fewest open files with which a busy swarm works: a connection each, and the torrent's files.
const FILES: u64 = 512;

/// Where Linux tells how large a socket's receive buffer may become.
const RECEIVE_BUFFER: &str = "/proc/sys/net/core/rmem_max";

/// The clock is used for dates in torrent files and for nothing else that others see.
pub(super) fn clock(now: SystemTime) -> Finding {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.unwrap_or(Duration::ZERO).as_secs();
    let shown = date(seconds);
    if (RELEASED..RETIRED).contains(&seconds) {
        let message = format!("{shown}; plausible, not compared with another clock");
        return Finding::ok("clock", message);
    }
    let side = if seconds < RELEASED {
        "before"
    } else {
        "twenty years after"
    };
    let message = format!("{shown} is {side} the release of this program");
    Finding::failure("clock", ExitCode::Failure, message).hint("set the clock, or let NTP do it")
}

/// `2026-11-21 12:30 UTC`, in the Gregorian calendar.
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day, and 400 of them always have 146,097 days.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month < 3);
    let (hour, minute) = (rest / 3_600, rest % 3_600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Whether files can be written below `folder`, and how much of them.
pub(super) fn disk(name: &'static str, folder: &Path) -> Finding {
    let shown = folder.display();
    if let Err(failure) = check_folder(folder) {
        return Finding::failure(name, failure.code, failure.message)
            .hint("another folder can be named, or its permissions changed");
    }
    // The nearest folder that exists is on the same disk.
    let found = folder.ancestors().find(|at| at.exists());
    let found = found.filter(|at| !at.as_os_str().is_empty());
    let free = match rustix::fs::statvfs(found.unwrap_or(Path::new("."))) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            let message = format!("{shown} is writable; its free space is not known: {error}");
            return Finding::warning(name, message);
        }
    };
    let message = format!("{shown} is writable, {} free", bytes(free));
    match free {
        0 => Finding::failure(name, ExitCode::DiskFull, message),
        free if free < LITTLE => Finding::warning(name, message).hint("most downloads need more"),
        _ => Finding::ok(name, message),
    }
}

/// Open files and the DHT's receive buffer.
pub(super) fn limits() -> Finding {
    let files = open_files();
    let buffer = std::fs::read_to_string(RECEIVE_BUFFER).ok();
    let buffer = buffer.and_then(|text| text.trim().parse().ok());
    limits_of(files, buffer)
}

/// Files that this process may have open; `None`: any number.
pub(super) fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// `None`: no limit, or not known.
fn limits_of(files: Option<u64>, buffer: Option<u64>) -> Finding {
    let files_said = match files {
        Some(files) => format!("{files} open files"),
        None => "any number of open files".to_owned(),
    };
    let buffer_said = match buffer {
        Some(buffer) => format!(", UDP receive buffers up to {}", bytes(buffer)),
        None => String::new(),
    };
    let message = files_said + &buffer_said;
    if files.is_some_and(|files| files < FILES) {
        return Finding::warning("limits", message).hint(format!(
            "`ulimit -n {FILES}` or more lets every peer connect"
        ));
    }
    Finding::ok("limits", message)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn at(seconds: u64) -> Finding {
        clock(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (RELEASED, "2026-11-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (4_107_542_399, "2100-02-28 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn a_clock_before_the_release_or_far_after_it_is_wrong() {
        assert_eq!(at(0).verdict, Verdict::Failure);
        assert_eq!(at(RELEASED).verdict, Verdict::Ok);
        assert_eq!(at(RETIRED).verdict, Verdict::Failure);
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_fine_and_a_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let finding = disk("disk", &dir.path().join("a/b"));
        assert_ne!(finding.verdict, Verdict::Failure, "{finding:?}");
        assert!(finding.message.contains("free"), "{finding:?}");
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let finding = disk("disk", &file);
        assert_eq!(
            (finding.verdict, finding.code),
            (Verdict::Failure, ExitCode::Io)
        );
    }

    #[test]
    fn few_open_files_are_a_warning() {
        assert_eq!(limits_of(Some(256), None).verdict, Verdict::Warning);
        assert_eq!(limits_of(Some(1024), Some(212_992)).verdict, Verdict::Ok);
        assert_eq!(limits_of(None, None).verdict, Verdict::Ok);
    }
}
