//! What the options of `dht get` and `dht put` mean: targets, keys and values (BEP 44, BEP 46).
//!
//! Every size is checked here, before a socket opens. Keys are files of 64 hexadecimal digits: the
//! seed that ed25519 makes both halves of.

use std::path::Path;

use dht::items::{MAX_SALT, mutable_target};
use dht::{BadItem, Item};

use super::super::super::args::{GetItemArgs, PutArgs};
use super::super::super::exit::{ExitCode, Failure};
use super::super::super::input::Input;
use super::super::super::plan::{
    DhtPlan, Existing, GetItemPlan, KeySource, PutPlan, Secret, Stored, Wanted,
};
use super::super::super::torrent;
use super::super::Background;
use crate::metainfo::{InfoHash, Publisher, published_value};

/// Longest key file that is read: 64 digits, and a line end of any kind.
const MAX_KEY_FILE: usize = 80;

impl Background<'_> {
    /// The plan of `dht get`.
    pub(super) fn item(&self, args: GetItemArgs) -> Result<GetItemPlan, Failure> {
        Ok(GetItemPlan {
            wanted: wanted(&args.target, args.salt)?,
            output: args.output,
            existing: if args.force {
                Existing::Overwrite
            } else {
                Existing::Keep
            },
            network: self.network(args.network)?,
        })
    }

    /// The plan of `dht put`.
    pub(super) fn put(&self, args: PutArgs) -> Result<DhtPlan, Failure> {
        let form = if args.bencoded {
            Form::Bencode
        } else {
            Form::Bytes
        };
        let torrent = args.torrent.as_deref().map(torrent_of).transpose()?;
        let content = match (args.value, &args.file, torrent) {
            (_, _, Some(info_hash)) => published_value(info_hash),
            (Some(text), _, _) => encode(text.into_bytes(), form),
            (None, Some(file), _) => encode(read(file)?, form),
            (None, None, None) => {
                let none =
                    || Failure::new(ExitCode::Usage, "put needs a value, --file or --torrent");
                return args.generate_key.map(DhtPlan::NewKey).ok_or_else(none);
            }
        };
        let Item::Immutable { value } = Item::immutable(content).map_err(bad)? else {
            unreachable!("it was made as one")
        };
        let key = match (args.key, args.generate_key) {
            (Some(file), _) => Some(KeySource::Read(secret(&file)?)),
            (None, Some(file)) => Some(KeySource::New(file)),
            (None, None) => None,
        };
        let stored = match key {
            None => Stored::Immutable,
            Some(key) => Stored::Mutable {
                key,
                salt: salt(args.salt)?,
                seq: args.seq,
                cas: args.cas,
            },
        };
        Ok(DhtPlan::Put(PutPlan {
            value,
            torrent,
            stored,
            network: self.network(args.network)?,
        }))
    }
}

/// 40 digits are a target, 64 a key; a magnet link may name a key.
fn wanted(text: &str, given: Option<String>) -> Result<Wanted, Failure> {
    let publisher = Publisher::parse(text).map_err(|error| {
        let failure = Failure::new(ExitCode::BadInput, error.to_string());
        failure.caret(text, error.offset, error.length)
    })?;
    if let Some(Publisher { key, salt, .. }) = publisher {
        let target = mutable_target(&key, &salt);
        return Ok(Wanted { target, salt });
    }
    let salt = salt(given)?;
    if let Ok(target) = text.parse() {
        return Ok(Wanted { target, salt });
    }
    let mut key = [0; 32];
    match hex::decode_to_slice(text, &mut key) {
        Ok(()) => Ok(Wanted {
            target: mutable_target(&key, &salt),
            salt,
        }),
        Err(_) => {
            let message = "this is neither a target (40 hexadecimal digits) nor a public key (64)";
            Err(Failure::new(ExitCode::BadInput, message).caret(text, 0, text.len()))
        }
    }
}

fn salt(given: Option<String>) -> Result<Vec<u8>, Failure> {
    let salt = given.unwrap_or_default().into_bytes();
    if salt.len() > MAX_SALT {
        return Err(bad(BadItem::Salt));
    }
    Ok(salt)
}

fn bad(error: BadItem) -> Failure {
    Failure::new(ExitCode::BadInput, error.to_string())
}

/// What the given text or file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The content of a string.
    Bytes,
    /// A value of any kind, encoded.
    Bencode,
}

fn encode(content: Vec<u8>, form: Form) -> Vec<u8> {
    if form == Form::Bencode {
        return content;
    }
    let mut writer = bencode::Writer::new();
    writer.bytes(content);
    writer.into_bytes()
}

/// The value's file. Longer ones than can be stored are read a little beyond that only.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut content = Vec::new();
    let limit = dht::items::MAX_VALUE as u64 + 1;
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut content))
        .map_err(|error| Failure::io(format!("cannot read {}", path.display()), &error))?;
    Ok(content)
}

fn secret(path: &Path) -> Result<Secret, Failure> {
    let content = read(path)?;
    let text = std::str::from_utf8(&content).ok();
    let text = text.filter(|text| text.len() <= MAX_KEY_FILE);
    let mut seed = [0; 32];
    match text.map(|text| hex::decode_to_slice(text.trim(), &mut seed)) {
        Some(Ok(())) => Ok(Secret(seed)),
        _ => {
            let message = format!("{} holds no key of 64 hexadecimal digits", path.display());
            Err(Failure::new(ExitCode::BadInput, message)
                .hint("`trackless dht put --generate-key FILE VALUE` makes one"))
        }
    }
}

/// The torrent to publish: a file that lies here, a hash or a magnet link.
fn torrent_of(text: &str) -> Result<InfoHash, Failure> {
    match Input::parse(text)? {
        Input::TorrentFile(path) => Ok(torrent::load(&path)?.info.info_hash()),
        input => input.info_hash().ok_or_else(|| {
            let message = "--torrent needs a torrent file, an info hash or a magnet link";
            Failure::new(ExitCode::BadInput, message)
        }),
    }
}
