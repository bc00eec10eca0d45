//! What the program says of itself: version, manual pages, completion scripts. All three are made
//! from the very command tree that parses, so they cannot fall behind it.

use std::io;

use serde::Serialize;

use super::args;
use super::exit::{ExitCode, Failure};
use super::report::{Reporter, Style};

/// The `version` object.
#[derive(Serialize)]
struct Version {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    version: &'static str,
    /// Operating system and processor.
    target: String,
}

/// `trackless version`.
pub(super) fn version(reporter: &mut Reporter) -> ExitCode {
    let version = Version {
        kind: "version",
        name: "trackless",
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    match reporter.style() {
        Style::Json => reporter.print_json(&version),
        _ => reporter.print(&format!(
            "{} {} ({})\n",
            version.name, version.version, version.target
        )),
    }
    ExitCode::Ok
}

/// `trackless completions SHELL`.
pub(super) fn completions(shell: clap_complete::Shell, reporter: &mut Reporter) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "trackless", &mut script);
    reporter.print(&String::from_utf8_lossy(&script));
    ExitCode::Ok
}

/// `trackless man [COMMAND]…`.
///
/// # Errors
/// [`ExitCode::NotFound`] for a command that does not exist.
pub(super) fn man(path: &[String], reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut command = args::command();
    // Without this the pages of subcommands lack the global options and the full name.
    command.build();
    let mut found = &command;
    for word in path {
        found = found.find_subcommand(word).ok_or_else(|| {
            Failure::new(
                ExitCode::NotFound,
                format!("there is no command `{}`", path.join(" ")),
            )
            .hint("`trackless --help` lists them")
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(found.clone())
        .render(&mut page)
        .map_err(|error: io::Error| Failure::io("cannot make the manual page", &error))?;
    reporter.print(&String::from_utf8_lossy(&page));
    Ok(ExitCode::Ok)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What a call of the reporter wrote on stdout.
    fn printed(style: Style, run: impl FnOnce(&mut Reporter)) -> String {
        #[derive(Clone, Default)]
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let out = Shared::default();
        run(&mut Reporter::with_writers(
            style,
            Box::new(out.clone()),
            Box::new(io::sink()),
        ));
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_version_for_people_and_for_scripts() {
        let text = printed(Style::Lines, |reporter| {
            version(reporter);
        });
        assert!(text.starts_with(concat!("trackless ", env!("CARGO_PKG_VERSION"), " (")));
        let json = printed(Style::Json, |reporter| {
            version(reporter);
        });
        assert!(
            json.starts_with("{\"v\":1,\"type\":\"version\",\"name\":\"trackless\""),
            "{json}"
        );
    }

    #[test]
    fn a_script_for_every_shell() {
        for shell in [
            clap_complete::Shell::Bash,
            clap_complete::Shell::Zsh,
            clap_complete::Shell::Fish,
            clap_complete::Shell::Elvish,
            clap_complete::Shell::PowerShell,
        ] {
            let script = printed(Style::Lines, |reporter| {
                completions(shell, reporter);
            });
            assert!(script.contains("stall-timeout"), "{shell}");
        }
    }

    #[test]
    fn manual_pages_of_commands_and_subcommands() {
        for (path, word) in [
            (vec![], "verify_failed"),
            (vec!["get"], "sequential"),
            (vec!["torrent", "create"], "piece"),
        ] {
            let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
            let page = printed(Style::Lines, |reporter| {
                man(&path, reporter).unwrap();
            });
            assert!(page.contains(".TH") && page.contains(word), "{path:?}");
        }
        let mut nowhere =
            Reporter::with_writers(Style::Lines, Box::new(io::sink()), Box::new(io::sink()));
        let failure = man(&["gte".to_owned()], &mut nowhere).unwrap_err();
        assert_eq!(failure.code, ExitCode::NotFound);
    }
}
