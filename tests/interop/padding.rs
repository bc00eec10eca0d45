//! A torrent with padding files (BEP 47) both ways between us and libtorrent: each sends the padding's zeros without having
//! them in a file, and neither writes them.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::can_run;
use crate::clients::{Client, LIBTORRENT_PEER, PORT};
use crate::exchange::{arrives, endpoint, get, lonely, seed};
use crate::lab::{Host, Lab};
use crate::support::process::Process;
use crate::support::torrent::{Sample, noise, string, torrent_file};
use crate::support::{seconds, wait_until};

const PIECE: usize = 65_536;

/// Three files that each begin a piece, and a last one of padding; what pads is named as other programs name it.
fn padded(folder: &Path) -> Sample {
    let name = "padded";
    let data = folder.join("padded.data");
    let lengths = [100_001, 7, 200_000];
    let bytes = noise(name, lengths.iter().sum());
    let (mut content, mut list, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut from = 0;
    for (n, length) in lengths.into_iter().enumerate() {
        let file = format!("{n}.bin");
        let relative = PathBuf::from(name).join(&file);
        let full = data.join(&relative);
        fs::create_dir_all(full.parent().expect("below data")).expect("a folder");
        fs::write(&full, &bytes[from..from + length]).expect("the content");
        content.extend_from_slice(&bytes[from..from + length]);
        from += length;
        list.extend_from_slice(format!("d6:lengthi{length}e4:pathl").as_bytes());
        list.extend_from_slice(&string(file.as_bytes()));
        list.extend_from_slice(b"ee");
        files.push(relative);
        let padding = content.len().next_multiple_of(PIECE) - content.len();
        content.resize(content.len() + padding, 0);
        let head = format!("d4:attr1:p6:lengthi{padding}e4:pathl4:.pad");
        list.extend_from_slice(head.as_bytes());
        list.extend_from_slice(&string(padding.to_string().as_bytes()));
        list.extend_from_slice(b"ee");
    }
    let hashes: Vec<u8> = content
        .chunks(PIECE)
        .flat_map(|piece| Sha1::digest(piece).to_vec())
        .collect();
    let mut info = b"d5:filesl".to_vec();
    info.extend_from_slice(&list);
    info.extend_from_slice(format!("e4:name6:{name}12:piece lengthi{PIECE}e6:pieces").as_bytes());
    info.extend_from_slice(&string(&hashes));
    info.push(b'e');
    let torrent = folder.join("padded.torrent");
    fs::write(&torrent, torrent_file(&info, &[])).expect("the torrent file");
    Sample {
        torrent,
        data,
        name: name.to_owned(),
        files,
        info_hash: hex::encode(Sha1::digest(&info)),
        info,
        content,
        piece_length: PIECE,
    }
}

/// libtorrent with the torrent and what lies in `folder`, called by us.
fn libtorrent(host: &Host, sample: &Sample, folder: &Path) -> Process {
    let arguments = [
        LIBTORRENT_PEER,
        host.address(),
        &PORT.to_string(),
        "off",
        folder.to_str().expect("ASCII"),
        sample.torrent.to_str().expect("ASCII"),
    ];
    host.start("libtorrent", "python3", &arguments)
}

/// Names below the torrent's folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("padded")).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().display().to_string())
        .collect();
    names.sort();
    names
}

/// Rows C3: from libtorrent to us and from us to libtorrent: the files are right, and padding lies nowhere.
#[test]
fn padding_goes_both_ways_with_libtorrent() {
    if !can_run(&[Client::Libtorrent]) {
        return;
    }
    let lab = Lab::new();
    let sample = padded(lab.folder());
    let [seeder, us] = ["padded-seeder", "padded-us"].map(|name| lab.host(name, 1));
    let seeding = libtorrent(&seeder, &sample, &sample.data);
    let mut getting = get(&us, &sample, &lonely(&us, &[&seeder]));
    arrives(&mut getting, &us, &sample);
    assert_eq!(
        names(&us.folder().join("downloads")),
        ["0.bin", "1.bin", "2.bin"]
    );
    drop((seeding, getting));

    let [we, leecher] = ["padded-we", "padded-leecher"].map(|name| lab.host(name, 1));
    let folder = leecher.new_folder("downloads");
    let _leeching = libtorrent(&leecher, &sample, &folder);
    let _seeding = seed(&we, &sample, &lonely(&we, &[&leecher]));
    let done = wait_until(seconds(30), || sample.is_complete_in(&folder));
    assert!(done.is_some(), "nothing arrives at {}", endpoint(&leecher));
}
