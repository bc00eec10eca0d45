//! How a command ends: the exit codes of the contract (`cli.md`), and the one error type that
//! carries a code, a sentence and a hint to the terminal or into the `error` event.
//!
//! Numbers and names are stable: scripts compare them. A new one may be added, none may change.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::format::escape;
use super::json;

/// How the process ends. The number is the exit code, the name stands in `error.code`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ExitCode {
    /// Everything asked for is complete.
    Ok = 0,
    /// Anything that has no code of its own.
    Failure = 1,
    /// The command line or the configuration file is wrong.
    Usage = 2,
    /// Magnet link, torrent file or hash is not valid.
    BadInput = 3,
    /// No bootstrap node reachable.
    NoNetwork = 4,
    /// `--timeout` passed without metadata or without a peer.
    NoPeers = 5,
    /// No space left.
    DiskFull = 6,
    /// Permission, read-only file system, path.
    Io = 7,
    /// `torrent verify` found damage, or data never passes its hash.
    VerifyFailed = 8,
    /// The daemon cannot be reached.
    Daemon = 9,
    /// Locked by another instance, or other data in the way without `--force`.
    Conflict = 10,
    /// `--stall-timeout` passed with a partial file.
    Stalled = 11,
    /// An id, hash or file pattern matches nothing.
    NotFound = 12,
    /// SIGINT; partial data is kept.
    Interrupted = 130,
    /// SIGTERM; partial data is kept.
    Terminated = 143,
}

impl ExitCode {
    /// The code's name as in `error.code`.
    pub fn name(self) -> &'static str {
        match self {
            ExitCode::Ok => "ok",
            ExitCode::Failure => "failure",
            ExitCode::Usage => "usage",
            ExitCode::BadInput => "bad_input",
            ExitCode::NoNetwork => "no_network",
            ExitCode::NoPeers => "no_peers",
            ExitCode::DiskFull => "disk_full",
            ExitCode::Io => "io",
            ExitCode::VerifyFailed => "verify_failed",
            ExitCode::Daemon => "daemon",
            ExitCode::Conflict => "conflict",
            ExitCode::Stalled => "stalled",
            ExitCode::NotFound => "not_found",
            ExitCode::Interrupted | ExitCode::Terminated => "interrupted",
        }
    }

    /// The worse of two ends of one command: that of several torrents is the worst of theirs.
    ///
    /// What the user did counts most; then what needs his hands (the disk, the files), then what may pass by
    /// itself (the network, the peers).
    #[must_use]
    pub fn worse(self, other: ExitCode) -> ExitCode {
        let rank = |code: ExitCode| match code {
            ExitCode::Ok => 0,
            ExitCode::Stalled => 1,
            ExitCode::NoPeers => 2,
            ExitCode::NoNetwork => 3,
            ExitCode::Daemon => 4,
            ExitCode::NotFound => 5,
            ExitCode::Usage => 6,
            ExitCode::BadInput => 7,
            ExitCode::Conflict => 8,
            ExitCode::VerifyFailed => 9,
            ExitCode::Failure => 10,
            ExitCode::Io => 11,
            ExitCode::DiskFull => 12,
            ExitCode::Interrupted => 13,
            ExitCode::Terminated => 14,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }

    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// The part of an input that is wrong, to be shown with carets under it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caret {
    /// The whole input, as typed.
    pub line: String,
    /// Byte offset of the fault; beyond the end means "at the end".
    pub offset: usize,
    /// Bytes of the fault; at least one caret is drawn.
    pub length: usize,
}

/// Why a command failed, for people and for scripts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// How the process will end.
    pub code: ExitCode,
    /// One sentence without a full stop, starting in lower case.
    pub message: String,
    /// What to try next.
    pub hint: Option<String>,
    /// Where in the input.
    pub caret: Option<Caret>,
}

impl Failure {
    /// A failure with a sentence.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            caret: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with carets under a part of the input.
    #[must_use]
    pub fn caret(mut self, line: impl Into<String>, offset: usize, length: usize) -> Self {
        self.caret = Some(Caret {
            line: line.into(),
            offset,
            length,
        });
        self
    }

    /// A failed file operation: full disks, missing files and the rest get their own codes.
    pub fn io(doing: impl fmt::Display, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ExitCode::DiskFull,
            _ => ExitCode::Io,
        };
        Self::new(code, format!("{doing}: {}", reason(error)))
    }

    /// Writes it as lines for people.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_lines(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "error: {}", escape(&self.message))?;
        if let Some(caret) = &self.caret {
            let (shown, from, width) = window(caret);
            writeln!(to, "  {shown}")?;
            writeln!(to, "  {}{} here", " ".repeat(from), "^".repeat(width))?;
        }
        match &self.hint {
            Some(hint) => writeln!(to, "hint: {}", escape(hint)),
            None => Ok(()),
        }
    }

    /// Writes it as the `error` event, of a torrent (lower hex) or of the whole command.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_json(&self, to: &mut dyn Write, info_hash: Option<&str>) -> io::Result<()> {
        json::write(
            to,
            &json::Event::Error {
                info_hash,
                code: self.code.name(),
                exit_code: self.code.number(),
                message: &self.message,
                hint: self.hint.as_deref(),
            },
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The system's own words without Rust's "(os error 2)".
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_lowercase(),
        None => text,
    }
}

/// Columns of the input shown left and right of the fault.
const CONTEXT: usize = 32;
/// Longest run of carets.
const CARETS: usize = 40;

/// The piece of the line to show, the column of the fault in it, and how many carets to draw.
/// Works in characters, so that a fault behind umlauts still has its caret below it.
fn window(caret: &Caret) -> (String, usize, usize) {
    let columns = |end: usize| {
        caret
            .line
            .char_indices()
            .take_while(|(offset, _)| *offset < end)
            .count()
    };
    let total = caret.line.chars().count();
    let fault = columns(caret.offset).min(total);
    let end = columns(caret.offset.saturating_add(caret.length)).min(total);
    let width = end.saturating_sub(fault).clamp(1, CARETS);
    let from = fault.saturating_sub(CONTEXT);
    let until = fault
        .saturating_add(width)
        .saturating_add(CONTEXT)
        .min(total);
    let middle: String = caret
        .line
        .chars()
        .skip(from)
        .take(until.saturating_sub(from))
        .map(visible)
        .collect();
    let left = if from > 0 { "…" } else { "" };
    let right = if until < total { "…" } else { "" };
    let column = fault
        .saturating_sub(from)
        .saturating_add(left.chars().count());
    (format!("{left}{middle}{right}"), column, width)
}

/// One column for one character, whatever it is.
fn visible(character: char) -> char {
    if super::format::is_harmless(character) {
        character
    } else {
        '\u{fffd}'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.write_lines(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_and_names_are_those_of_the_contract() {
        let contract = [
            (ExitCode::Ok, 0, "ok"),
            (ExitCode::Failure, 1, "failure"),
            (ExitCode::Usage, 2, "usage"),
            (ExitCode::BadInput, 3, "bad_input"),
            (ExitCode::NoNetwork, 4, "no_network"),
            (ExitCode::NoPeers, 5, "no_peers"),
            (ExitCode::DiskFull, 6, "disk_full"),
            (ExitCode::Io, 7, "io"),
            (ExitCode::VerifyFailed, 8, "verify_failed"),
            (ExitCode::Daemon, 9, "daemon"),
            (ExitCode::Conflict, 10, "conflict"),
            (ExitCode::Stalled, 11, "stalled"),
            (ExitCode::NotFound, 12, "not_found"),
            (ExitCode::Interrupted, 130, "interrupted"),
            (ExitCode::Terminated, 143, "interrupted"),
        ];
        for (code, number, name) in contract {
            assert_eq!((code.number(), code.name()), (number, name));
        }
    }

    #[test]
    fn the_worst_of_several_ends_is_the_end() {
        let worst = |codes: &[ExitCode]| codes.iter().copied().fold(ExitCode::Ok, ExitCode::worse);
        assert_eq!(worst(&[ExitCode::Ok, ExitCode::Ok]), ExitCode::Ok);
        assert_eq!(worst(&[ExitCode::NoPeers, ExitCode::Ok]), ExitCode::NoPeers);
        let codes = [ExitCode::DiskFull, ExitCode::NoPeers, ExitCode::Stalled];
        assert_eq!(worst(&codes), ExitCode::DiskFull);
        assert_eq!(
            worst(&[ExitCode::Interrupted, ExitCode::Io]),
            ExitCode::Interrupted
        );
    }

    #[test]
    fn lines_for_people() {
        let failure = Failure::new(ExitCode::BadInput, "the info hash is too short")
            .caret("magnet:?xt=urn:btih:3b24", 20, 4)
            .hint("was the end of the link cut off?");
        assert_eq!(
            lines(&failure),
            "error: the info hash is too short\n  magnet:?xt=urn:btih:3b24\n\
             \u{20}                     ^^^^ here\nhint: was the end of the link cut off?\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_fault() {
        let line = format!("{}X{}", "a".repeat(100), "b".repeat(100));
        let text = lines(&Failure::new(ExitCode::BadInput, "m").caret(line, 100, 1));
        let mut shown = text.lines().skip(1);
        let (line, carets) = (shown.next().unwrap(), shown.next().unwrap());
        assert_eq!(line.chars().count(), 2 + 1 + CONTEXT + 1 + CONTEXT + 1);
        assert_eq!(
            line.chars().position(|c| c == 'X'),
            carets.chars().position(|c| c == '^')
        );
    }

    #[test]
    fn a_caret_anywhere_is_drawn_without_a_panic() {
        for line in ["", "ä", "äöü", "a\u{202e}b\x1b["] {
            for offset in [0, 1, 2, 3, 50, usize::MAX] {
                for length in [0, 1, 5, usize::MAX] {
                    let text =
                        lines(&Failure::new(ExitCode::Usage, "m").caret(line, offset, length));
                    assert!(text.contains('^') && !text.contains('\x1b'), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn the_json_event() {
        let mut out = Vec::new();
        let failure = Failure::new(ExitCode::NoPeers, "nobody has it").hint("try later");
        failure.write_json(&mut out, None).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"v\":1,\"type\":\"error\",\"code\":\"no_peers\",\"exit_code\":5,\
             \"message\":\"nobody has it\",\"hint\":\"try later\"}\n"
        );
    }

    #[test]
    fn system_errors_have_their_codes_and_words() {
        let full = Failure::io("cannot write x", &io::Error::from_raw_os_error(28));
        assert_eq!(full.code, ExitCode::DiskFull);
        assert_eq!(full.message, "cannot write x: no space left on device");
        let denied = Failure::io("cannot read x", &io::Error::from_raw_os_error(13));
        assert_eq!(
            (denied.code, denied.message.as_str()),
            (ExitCode::Io, "cannot read x: permission denied")
        );
    }

    #[test]
    fn control_characters_in_a_message_do_not_reach_the_terminal() {
        assert!(!lines(&Failure::new(ExitCode::Io, "bad \x1b[2J name")).contains('\x1b'));
    }
}
