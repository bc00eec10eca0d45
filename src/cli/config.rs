//! The configuration file: `$XDG_CONFIG_HOME/trackless/config.toml`, or the file that `--config`
//! names. Read, never written.
//!
//! A key that does not exist is an error with the line and the nearest key that does: a misspelt
//! `limt_up` that is silently ignored costs more than a command that does not start. Values are
//! checked here in shape only; `meaning` lays flags and environment over them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use super::args::parse_listen;
use super::exit::{ExitCode, Failure};
use super::format::{distance, parse_bytes, parse_duration, parse_ratio};
use super::hosts::{Bind, HostPort};
use crate::io::Listen;

/// The largest file that is read; a real one has a few hundred bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Everything the file can say. Absent keys stay absent.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Default of `--output`; `~/` is the home directory.
    pub download_dir: Option<PathBuf>,
    /// Default of `--state-dir`; `~/` is the home directory.
    pub state_dir: Option<PathBuf>,
    /// Ports, addresses and where peers come from.
    pub network: NetworkConfig,
    /// The DHT.
    pub dht: DhtConfig,
    /// Speed limits.
    pub limits: LimitConfig,
    /// When seeding ends.
    pub seed: SeedConfig,
    /// How long `get` waits.
    pub get: GetConfig,
    /// Commands to run.
    pub hooks: HookConfig,
    /// The tracker server.
    pub tracker: TrackerConfig,
}

/// `[network]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// `--port`
    pub port: Option<u16>,
    /// `--bind`; empty is no address.
    #[serde(deserialize_with = "bind")]
    pub bind: Option<Bind>,
    /// Peer exchange; `false` is `--no-pex`.
    pub pex: Option<bool>,
    /// Local discovery; `false` is `--no-lsd`.
    pub lsd: Option<bool>,
    /// Trackers; `false` is `--no-trackers`.
    pub trackers: Option<bool>,
    /// Self-restraint; `false` is `--no-confine`.
    pub confine: Option<bool>,
    /// `--allow-net`
    pub allow: Option<Vec<String>>,
    /// `--peer`
    pub peers: Option<Vec<HostPort>>,
}

/// `[dht]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DhtConfig {
    /// `false` is `--no-dht`.
    pub enabled: Option<bool>,
    /// `--bootstrap`
    pub bootstrap: Option<Vec<HostPort>>,
}

/// `[limits]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitConfig {
    /// `--limit-down`
    #[serde(deserialize_with = "size")]
    pub down: Option<u64>,
    /// `--limit-up`
    #[serde(deserialize_with = "size")]
    pub up: Option<u64>,
}

/// `[seed]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedConfig {
    /// `--seed-ratio`
    #[serde(deserialize_with = "ratio")]
    pub ratio: Option<f64>,
    /// `--seed-time`
    #[serde(deserialize_with = "span")]
    pub time: Option<std::time::Duration>,
}

/// `[get]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GetConfig {
    /// `--timeout`
    #[serde(deserialize_with = "span")]
    pub timeout: Option<std::time::Duration>,
    /// `--stall-timeout`
    #[serde(deserialize_with = "span")]
    pub stall_timeout: Option<std::time::Duration>,
}

/// `[hooks]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HookConfig {
    /// Program and arguments, run without a shell when a `get` is complete.
    pub on_complete: Option<Vec<String>>,
}

/// `[tracker]`
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackerConfig {
    /// `--http`
    #[serde(deserialize_with = "places")]
    pub http: Option<Vec<Listen>>,
    /// `--udp`
    #[serde(deserialize_with = "places")]
    pub udp: Option<Vec<Listen>>,
    /// `--db`; `~/` is the home directory.
    pub db: Option<PathBuf>,
    /// `--allow-list`; `~/` is the home directory.
    pub allow_list: Option<PathBuf>,
    /// `--interval`
    #[serde(deserialize_with = "span")]
    pub interval: Option<std::time::Duration>,
    /// `--reply-peers`
    pub reply_peers: Option<u16>,
}

/// Ports and addresses.
fn places<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Listen>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let places: Result<_, _> = texts.iter().map(|text| parse_listen(text)).collect();
    places.map(Some).map_err(serde::de::Error::custom)
}

/// `"500k"` or a plain number.
fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    parsed(from, parse_bytes)
}

/// `"90s"` or a plain number of seconds.
fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<std::time::Duration>, D::Error> {
    parsed(from, parse_duration)
}

/// A number that can be reached.
fn ratio<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let number = f64::deserialize(from)?;
    parse_ratio(&number.to_string())
        .map(Some)
        .map_err(serde::de::Error::custom)
}

/// An address, an interface, or nothing.
fn bind<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bind>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

fn parsed<'de, D: Deserializer<'de>, T>(
    from: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    let text = match Written::deserialize(from)? {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    };
    parse(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Reads the file that `--config` named, or the usual one if it exists.
///
/// # Errors
/// [`ExitCode::Usage`] with file, line and key if it cannot be understood; a file that was named
/// must exist.
pub fn load(
    named: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Config, Failure> {
    let Some(path) = named
        .map(Path::to_path_buf)
        .or_else(|| usual_path(variable))
    else {
        return Ok(Config::default());
    };
    match std::fs::metadata(&path) {
        Ok(found) if found.len() > MAX_BYTES => {
            let message = format!("{} is too large for a configuration file", path.display());
            return Err(Failure::new(ExitCode::Usage, message));
        }
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Config::default());
        }
        _ => {}
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::io(format_args!("cannot read {}", path.display()), &error))?;
    from_text(&text, &path.display().to_string())
}

/// `$CONFIGURATION_DIRECTORY` (systemd), else `$XDG_CONFIG_HOME/trackless`, else `~/.config/…`.
fn usual_path(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = set("CONFIGURATION_DIRECTORY")
        .or_else(|| set("XDG_CONFIG_HOME").map(|base| base.join("trackless")))
        .or_else(|| set("HOME").map(|home| home.join(".config/trackless")))?;
    Some(folder.join("config.toml"))
}

/// Parses the file's text. `name` stands in the errors.
///
/// # Errors
/// As [`load`].
pub fn from_text(text: &str, name: &str) -> Result<Config, Failure> {
    toml::from_str(text).map_err(|error| {
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let message = error
            .message()
            .lines()
            .next()
            .unwrap_or("not valid")
            .to_owned();
        let failure = Failure::new(ExitCode::Usage, format!("{name}, line {line}: {message}"));
        match nearest_key(&message) {
            Some(key) => failure.hint(format!("did you mean `{key}`?")),
            None => failure,
        }
    })
}

/// The known key that is nearest to the unknown one. serde's message holds all that it needs:
/// "unknown field `a`, expected one of `b`, `c`".
fn nearest_key(message: &str) -> Option<&str> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    let (best, key) = quoted.map(|key| (distance(unknown, key), key)).min()?;
    // Farther than half of the word is a guess, not help.
    (best * 2 <= unknown.chars().count().max(4)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys() {
        let config = from_text(
            r#"
download_dir = "~/Downloads"
state_dir = "/var/lib/trackless"
[network]
port = 51413
bind = "eth0"
pex = false
lsd = false
trackers = true
confine = true
allow = ["198.18.0.0/15"]
peers = ["10.0.0.1:6881"]
[dht]
enabled = true
bootstrap = ["router.bittorrent.com:6881"]
[limits]
down = "2.5M"
up = 1000
[seed]
ratio = 1.5
time = "2h"
[get]
timeout = "5m"
stall_timeout = 90
[hooks]
on_complete = ["notify-send", "done"]
"#,
            "config.toml",
        )
        .unwrap();
        assert_eq!(config.network.bind, Some(Bind::Interface("eth0".into())));
        assert_eq!(config.limits.down, Some(5 << 19));
        assert_eq!(config.limits.up, Some(1000));
        assert_eq!(config.get.stall_timeout.unwrap().as_secs(), 90);
        assert_eq!(config.seed.time.unwrap().as_secs(), 7200);
        assert_eq!(config.dht.bootstrap.unwrap().len(), 1);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_suggestion() {
        let failure = from_text("[network]\n\nprot = 1\n", "c.toml").unwrap_err();
        assert_eq!(failure.code, ExitCode::Usage);
        assert!(
            failure
                .message
                .starts_with("c.toml, line 3: unknown field `prot`"),
            "{failure}"
        );
        assert_eq!(failure.hint.as_deref(), Some("did you mean `port`?"));
        let failure = from_text("[netwrok]\n", "c").unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `network`?"));
        assert_eq!(from_text("zzzzzzzzzzzz = 1", "c").unwrap_err().hint, None);
    }

    #[test]
    fn wrong_values_name_their_line() {
        for (text, line, word) in [
            ("[network]\nport = 70000\n", 2, "70000"),
            ("[limits]\ndown = \"5 parsecs\"\n", 2, "parsecs"),
            ("[seed]\ntime = \"soon\"\n", 2, "soon"),
            ("[dht]\nbootstrap = [\"nohost\"]\n", 2, "nohost"),
            ("[seed]\nratio = nan\n", 2, "ratio"),
            ("[seed]\nratio = -1\n", 2, "ratio"),
            ("x = = 1", 1, ""),
        ] {
            let failure = from_text(text, "c").unwrap_err();
            assert!(
                failure.message.contains(&format!("line {line}:")),
                "{failure}"
            );
            assert!(failure.message.contains(word), "{failure}");
        }
    }

    #[test]
    fn the_file_is_looked_for_where_systemd_and_xdg_say() {
        let only = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| OsString::from(value))
        };
        let path = |name, value| usual_path(&only(name, value)).map(|p| p.display().to_string());
        assert_eq!(
            path("XDG_CONFIG_HOME", "/c").unwrap(),
            "/c/trackless/config.toml"
        );
        assert_eq!(
            path("HOME", "/h").unwrap(),
            "/h/.config/trackless/config.toml"
        );
        assert_eq!(
            path("CONFIGURATION_DIRECTORY", "/etc/t").unwrap(),
            "/etc/t/config.toml"
        );
        assert_eq!(path("XDG_CONFIG_HOME", ""), None);
    }

    #[test]
    fn a_missing_file_is_an_error_only_if_it_was_named() {
        let none = |_: &str| Some(OsString::from("/nonexistent"));
        assert_eq!(load(None, &none).unwrap(), Config::default());
        assert_eq!(
            load(Some(Path::new("/nonexistent")), &none)
                .unwrap_err()
                .code,
            ExitCode::Io
        );
    }
}
