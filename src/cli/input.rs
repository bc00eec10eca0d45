//! The one positional argument that can be anything: a magnet link, an info hash, a torrent file,
//! a URL of one, or `-`. Decided by its looks, before a socket or a file is opened.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::exit::{ExitCode, Failure};
use crate::metainfo::{InfoHash, Magnet, MagnetErrorKind, Publisher};

/// The longest magnet link or URL that is read.
const MAX_LENGTH: usize = 64 << 10;

/// The longest list on stdin, in bytes.
const MAX_LIST: u64 = 1 << 20;

/// What the user wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A magnet link.
    Magnet(Magnet),
    /// A magnet link that names a publisher instead of a torrent (BEP 46).
    Publisher(Publisher),
    /// 40 hex digits or 32 base32 characters.
    Hash(InfoHash),
    /// A torrent file; it exists.
    TorrentFile(PathBuf),
    /// `http://` or `https://` of a torrent file.
    Url(String),
    /// `-`. Never in a plan of `get`: [`expand`] has put the lines of stdin in its place.
    Stdin,
}

impl Input {
    /// Decides what `text` is.
    ///
    /// # Errors
    /// [`ExitCode::BadInput`] with what is wrong and what it could have been.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if text.len() > MAX_LENGTH {
            return Err(Failure::new(
                ExitCode::BadInput,
                "this input is longer than 64 KiB",
            ));
        }
        let starts = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if starts("magnet:") {
            return magnet(text);
        }
        if starts("http://") || starts("https://") {
            return Ok(Self::Url(text.to_owned()));
        }
        // A file named like a hash still wins if it is there: what lies at hand is meant.
        if Path::new(text).exists() {
            return Ok(Self::TorrentFile(PathBuf::from(text)));
        }
        match hash(text) {
            Some(hash) => Ok(Self::Hash(hash)),
            None => Err(unknown(text)),
        }
    }
}

impl Input {
    /// The info hash, if it is named without opening anything.
    pub fn info_hash(&self) -> Option<InfoHash> {
        match self {
            Self::Hash(hash) => Some(*hash),
            Self::Magnet(magnet) => Some(magnet.info_hash),
            _ => None,
        }
    }
}

/// Puts the lines of `stdin` in the place of `-`: one input a line, empty lines and those that
/// start with `#` left out.
///
/// # Errors
/// [`ExitCode::BadInput`] if `-` stands twice, or the list is empty, not UTF-8 or endless.
pub fn expand(texts: Vec<String>, stdin: &mut dyn Read) -> Result<Vec<String>, Failure> {
    let dashes = texts.iter().filter(|text| *text == "-").count();
    match dashes {
        0 => return Ok(texts),
        1 => {}
        _ => {
            return Err(Failure::new(
                ExitCode::BadInput,
                "stdin can be read only once",
            ));
        }
    }
    let mut list = String::new();
    stdin
        .take(MAX_LIST)
        .read_to_string(&mut list)
        .map_err(|error| Failure::io("cannot read the list on stdin", &error))?;
    if list.len() as u64 >= MAX_LIST {
        return Err(Failure::new(
            ExitCode::BadInput,
            "the list on stdin is longer than 1 MiB",
        ));
    }
    let lines = list.lines().map(str::trim);
    let listed: Vec<String> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#') && *line != "-")
        .map(str::to_owned)
        .collect();
    let mut all = Vec::new();
    for text in texts {
        match text.as_str() {
            "-" => all.extend(listed.iter().cloned()),
            _ => all.push(text),
        }
    }
    if all.is_empty() {
        return Err(Failure::new(
            ExitCode::BadInput,
            "the list on stdin is empty",
        ));
    }
    Ok(all)
}

/// Decides for every argument.
///
/// # Errors
/// That of the first one that is wrong.
pub fn all(texts: &[String]) -> Result<Vec<Input>, Failure> {
    texts.iter().map(|text| Input::parse(text)).collect()
}

/// Reads the whole link now: a fault in it is told before anything is opened.
fn magnet(text: &str) -> Result<Input, Failure> {
    let parsed = Publisher::parse(text).and_then(|publisher| match publisher {
        Some(publisher) => Ok(Input::Publisher(publisher)),
        None => Magnet::parse(text).map(Input::Magnet),
    });
    parsed.map_err(|error| {
        let hint = match error.kind {
            MagnetErrorKind::Hash(_) | MagnetErrorKind::NoHash | MagnetErrorKind::Key => {
                "was the link cut off? Put it in single quotes, the shell splits it at `&`"
            }
            MagnetErrorKind::Scheme => "magnet links start with magnet:?xt=urn:btih:",
            _ => "copy the link again, and put it in single quotes",
        };
        Failure::new(ExitCode::BadInput, error.to_string())
            .caret(text, error.offset, error.length)
            .hint(hint)
    })
}

/// 40 hex digits or 32 base32 characters, in either case.
fn hash(text: &str) -> Option<InfoHash> {
    text.parse().ok()
}

/// Guesses what a word was meant to be.
fn unknown(text: &str) -> Failure {
    let hexadecimal = text.chars().all(|c| c.is_ascii_hexdigit());
    let count = text.chars().count();
    if hexadecimal && (20..=64).contains(&count) {
        let message =
            format!("this info hash has {count} characters, expected 40 (hex) or 32 (base32)");
        return Failure::new(ExitCode::BadInput, message)
            .caret(text, 40, count.saturating_sub(40))
            .hint("was it cut off, or is it a version 2 hash (64 characters)?");
    }
    if let Some(wrong) = text
        .find(|c: char| !c.is_ascii_hexdigit())
        .filter(|_| count == 40)
    {
        let message = "an info hash has the digits 0-9 and a-f only";
        return Failure::new(ExitCode::BadInput, message).caret(text, wrong, 1);
    }
    if text.ends_with(".torrent") || text.contains('/') {
        return Failure::new(ExitCode::Io, format!("there is no file {text}"));
    }
    let message = "this is no magnet link, info hash, torrent file or URL";
    Failure::new(ExitCode::BadInput, message)
        .caret(text, 0, text.len())
        .hint("magnet links start with magnet:?xt=urn:btih: and belong in single quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f";

    #[test]
    fn each_kind_is_recognised() {
        assert_eq!(Input::parse("-"), Ok(Input::Stdin));
        assert!(matches!(Input::parse(HEX), Ok(Input::Hash(hash)) if hash.to_string() == HEX));
        assert_eq!(Input::parse(&HEX.to_uppercase()), Input::parse(HEX));
        let base32 = data_encoding::BASE32.encode(&hex::decode(HEX).unwrap());
        assert_eq!(Input::parse(&base32), Input::parse(HEX));
        assert_eq!(Input::parse(&base32.to_lowercase()), Input::parse(HEX));
        assert!(matches!(
            Input::parse("HTTPS://h/x.torrent"),
            Ok(Input::Url(_))
        ));
        let publisher = format!("magnet:?xs=urn:btpk:{HEX}{}&s=6e", &HEX[..24]);
        assert!(matches!(Input::parse(&publisher), Ok(Input::Publisher(_))));
        let magnet = format!("Magnet:?xt=urn:btih:{HEX}");
        assert!(matches!(Input::parse(&magnet), Ok(Input::Magnet(_))));
        assert!(matches!(
            Input::parse("Cargo.toml"),
            Ok(Input::TorrentFile(_))
        ));
    }

    #[test]
    fn wrong_inputs_say_what_they_could_have_been() {
        for (text, code, words) in [
            (&HEX[..39], ExitCode::BadInput, "39 characters"),
            (&HEX.replace('4', "x"), ExitCode::BadInput, "0-9 and a-f"),
            ("no/such.torrent", ExitCode::Io, "no file"),
            ("debian", ExitCode::BadInput, "no magnet link"),
            ("", ExitCode::BadInput, "no magnet link"),
            ("ÄÖÜ", ExitCode::BadInput, "no magnet link"),
        ] {
            let failure = Input::parse(text).unwrap_err();
            assert_eq!(failure.code, code, "{text}");
            assert!(failure.message.contains(words), "{failure}");
        }
    }

    #[test]
    fn a_list_on_stdin_takes_the_place_of_the_dash() {
        let all = |texts: &[&str], mut stdin: &[u8]| {
            expand(
                texts.iter().map(|text| (*text).to_owned()).collect(),
                &mut stdin,
            )
        };
        let list = b"a\n\n# no\n  b  \n-\n";
        assert_eq!(all(&["x", "-", "y"], list).unwrap(), ["x", "a", "b", "y"]);
        assert_eq!(all(&["x"], list).unwrap(), ["x"]);
        assert_eq!(all(&["-", "-"], list).unwrap_err().code, ExitCode::BadInput);
        assert_eq!(all(&["-"], b"\n").unwrap_err().code, ExitCode::BadInput);
        assert_eq!(all(&["-"], &[0xff]).unwrap_err().code, ExitCode::Io);
        assert_eq!(
            all(&["-"], &vec![b'a'; 2 << 20]).unwrap_err().code,
            ExitCode::BadInput
        );
    }

    #[test]
    fn a_bad_magnet_has_its_caret_where_the_fault_is() {
        let link = "magnet:?dn=x&xt=urn:btih:3b24zz";
        let failure = Input::parse(link).unwrap_err();
        assert_eq!(failure.code, ExitCode::BadInput);
        let caret = failure.caret.unwrap();
        assert!(caret.offset >= link.find("3b24").unwrap(), "{caret:?}");
        assert!(failure.hint.unwrap().contains("single quotes"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_input_or_an_error(text in "(magnet:\\?)?(xt=urn:btih:)?.{0,60}") {
            if let Err(failure) = Input::parse(&text) {
                failure.write_lines(&mut Vec::new()).unwrap();
            }
        }
    }
}
