//! A torrent file and its bytes, made without `trackless::metainfo`: BEP 3 written a second time, on purpose small.
//!
//! Read BEP 3 first ("metainfo files"). Kept: the content depends on the name and the sizes alone, so a failed run can be
//! repeated. Not known here: trackers, BEP 52.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha1::{Digest, Sha1};

/// Where DHT nodes can be found, as BEP 5 writes it into a torrent file: host and port.
pub type Node = (String, u16);

/// A torrent on disk: the file that describes it and the folder that holds what it describes.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The torrent file.
    pub torrent: PathBuf,
    /// The folder in which `name` lies complete.
    pub data: PathBuf,
    /// File or folder name of the content.
    pub name: String,
    /// Paths of the files below `data`, each beginning with `name`.
    pub files: Vec<PathBuf>,
    /// Info hash, 40 lower hex digits.
    pub info_hash: String,
    /// Bytes of the `info` dictionary, as hashed.
    pub info: Vec<u8>,
    /// All content, in the order of the torrent.
    pub content: Vec<u8>,
    /// Bytes of one piece.
    pub piece_length: usize,
}

impl Sample {
    /// One file `name` of `length` bytes in `folder`.
    pub fn single(folder: &Path, name: &str, length: usize, piece_length: usize) -> Self {
        Self::make(folder, name, &[("", length)], piece_length, &[])
    }

    /// A folder `name` with files (path below it, bytes).
    pub fn multi(folder: &Path, name: &str, files: &[(&str, usize)], piece_length: usize) -> Self {
        Self::make(folder, name, files, piece_length, &[])
    }

    /// As [`Sample::multi`], or [`Sample::single`] when the only path is empty, with `nodes` (BEP 5) in the torrent file.
    pub fn make(
        folder: &Path,
        name: &str,
        files: &[(&str, usize)],
        piece_length: usize,
        nodes: &[Node],
    ) -> Self {
        let total = files.iter().map(|(_, length)| length).sum();
        let content = noise(name, total);
        let data = folder.join(format!("{name}.data"));
        let mut paths = Vec::new();
        let mut from = 0;
        for (path, length) in files {
            let relative = if path.is_empty() {
                PathBuf::from(name)
            } else {
                Path::new(name).join(path)
            };
            let full = data.join(&relative);
            fs::create_dir_all(full.parent().expect("below data"))
                .expect("a folder for the content");
            fs::write(&full, &content[from..from + length]).expect("the content");
            from += length;
            paths.push(relative);
        }
        let info = info_dictionary(name, files, piece_length, &content);
        let torrent = folder.join(format!("{name}.torrent"));
        fs::write(&torrent, torrent_file(&info, nodes)).expect("the torrent file");
        Self {
            torrent,
            data,
            name: name.to_owned(),
            files: paths,
            info_hash: hex::encode(Sha1::digest(&info)),
            info,
            content,
            piece_length,
        }
    }

    /// The magnet link: info hash and nothing else, so that everything else has to come from the network.
    pub fn magnet(&self) -> String {
        format!("magnet:?xt=urn:btih:{}", self.info_hash)
    }

    /// Whether `folder` holds every file of the torrent with the right SHA-256.
    pub fn is_complete_in(&self, folder: &Path) -> bool {
        // Sizes first: they are free, and a poll asks ten times a second.
        let same_size = |file: &PathBuf| {
            let length = |path: PathBuf| fs::metadata(path).map(|it| it.len()).ok();
            length(folder.join(file)) == length(self.data.join(file))
        };
        self.files.iter().all(same_size)
            && self
                .files
                .iter()
                .all(|file| sha256(&folder.join(file)) == sha256(&self.data.join(file)))
    }

    /// Number of pieces.
    pub fn pieces(&self) -> usize {
        self.content.len().div_ceil(self.piece_length)
    }
}

/// SHA-256 of a file by coreutils: not one line of ours decides whether a download is right.
pub fn sha256(path: &Path) -> Option<String> {
    let output = Command::new("sha256sum")
        .arg(path)
        .output()
        .expect("sha256sum");
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// `length` bytes that do not compress and do not repeat within 2^64 steps; `name` is the seed (xorshift64*).
pub fn noise(name: &str, length: usize) -> Vec<u8> {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A byte string in bencode.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{}:", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out
}

/// The `info` dictionary; keys in order because this function writes them in order.
fn info_dictionary(
    name: &str,
    files: &[(&str, usize)],
    piece_length: usize,
    content: &[u8],
) -> Vec<u8> {
    let mut out = b"d".to_vec();
    if let [("", length)] = files {
        out.extend_from_slice(format!("6:lengthi{length}e").as_bytes());
    } else {
        out.extend_from_slice(b"5:filesl");
        for (path, length) in files {
            out.extend_from_slice(format!("d6:lengthi{length}e4:pathl").as_bytes());
            for component in path.split('/') {
                out.extend_from_slice(&string(component.as_bytes()));
            }
            out.extend_from_slice(b"ee");
        }
        out.push(b'e');
    }
    out.extend_from_slice(b"4:name");
    out.extend_from_slice(&string(name.as_bytes()));
    out.extend_from_slice(format!("12:piece lengthi{piece_length}e6:pieces").as_bytes());
    let hashes: Vec<u8> = content
        .chunks(piece_length)
        .flat_map(|piece| Sha1::digest(piece).to_vec())
        .collect();
    out.extend_from_slice(&string(&hashes));
    out.push(b'e');
    out
}

/// The torrent file around an `info` dictionary.
pub fn torrent_file(info: &[u8], nodes: &[Node]) -> Vec<u8> {
    let mut out = b"d4:info".to_vec();
    out.extend_from_slice(info);
    if !nodes.is_empty() {
        out.extend_from_slice(b"5:nodesl");
        for (host, port) in nodes {
            out.push(b'l');
            out.extend_from_slice(&string(host.as_bytes()));
            out.extend_from_slice(format!("i{port}ee").as_bytes());
        }
        out.push(b'e');
    }
    out.push(b'e');
    out
}
