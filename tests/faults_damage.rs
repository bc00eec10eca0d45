//! Data that changes under a seed, and much of it after a kill: never a wrong byte goes out, and nobody waits for hashing.
//!
//! `TRACKLESS_FAULTS=long` damages 50 times instead of 10 and restarts with 10 GiB instead of 1.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes run on the real clock"
)]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};
use support::client::{Bench, STUCK, leech, seed, served};
use support::line::{Has, Line};
use support::peer::{Conduct, Peer};
use support::torrent::{Sample, noise, string, torrent_file};
use support::{seconds, wait_until};

const PIECE: usize = 65_536;
const BLOCK: u32 = 16_384;

fn long() -> bool {
    std::env::var_os("TRACKLESS_FAULTS").is_some_and(|value| value == "long")
}

/// Rows S8, S9: bytes of a file that is shared are changed, a hole is made or its end cut off, at random times and places, and
/// all blocks around are asked for: not one wrong byte is sent, what is right still is.
#[test]
fn no_wrong_byte_of_damaged_data_is_ever_sent() {
    let mut random = ChaCha8Rng::seed_from_u64(0x6461_6d61);
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "shared.bin", 60 * PIECE, PIECE);
    let path = sample.data.join("shared.bin");
    bench.use_output(&sample.data);
    let (_process, port) = seed(&mut bench, &sample.torrent, &[]);
    let mut line = leech(port, &sample.info_hash);
    let (mut sent, mut refused) = (0, 0);
    // Given up when damage was met; nobody is there to fetch them from.
    let mut gone = BTreeSet::new();
    for round in 0..if long() { 50 } else { 10 } {
        let mut piece = random.random_range(0..sample.pieces());
        while gone.contains(&piece) {
            piece = (piece + 1) % sample.pieces();
        }
        let at = piece * PIECE + random.random_range(0..PIECE - 4_096);
        let length = random.random_range(1..4_096);
        // Sometimes asked for before, so that it was hashed and is warm.
        let first = u32::try_from(piece).expect("small");
        if random.random_bool(0.5) {
            let _ = line.block(first, 0, BLOCK);
        }
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the file");
        match round % 3 {
            0 => file.write_all_at(&vec![0; length], at as u64),
            1 => file.write_all_at(&noise(&round.to_string(), length), at as u64),
            _ => file.set_len(at as u64),
        }
        .expect("it can be changed");
        for begin in (0..4).map(|block| block * BLOCK) {
            match line.block(first, begin, BLOCK) {
                Some(block) => {
                    let from = piece * PIECE + begin as usize;
                    let right = &sample.content[from..from + BLOCK as usize];
                    assert!(
                        block == right,
                        "round {round}: a wrong block of piece {piece}"
                    );
                    sent += 1;
                }
                None => {
                    gone.insert(piece);
                    refused += 1;
                }
            }
        }
        let healthy = (piece + 1) % sample.pieces();
        if round % 3 != 2 && !gone.contains(&healthy) {
            let block = line.block(u32::try_from(healthy).expect("small"), 0, BLOCK);
            assert!(block.is_some(), "round {round}: what is right is not sent");
        }
        // Mended by its owner.
        fs::write(&path, &sample.content).expect("the content");
    }
    println!("{sent} blocks sent, {refused} refused");
    assert!(refused > 0, "no damage was met: no proof");
}

/// A torrent of `pieces` equal pieces of 16 MiB of zeros and one last one that nobody has; the file is sparse.
fn vast(folder: &Path, pieces: usize) -> (String, std::path::PathBuf) {
    const VAST: usize = 16 << 20;
    let zeros = Sha1::digest(vec![0; VAST]);
    let last = Sha1::digest(noise("last", VAST));
    let mut hashes = zeros.repeat(pieces);
    hashes.extend_from_slice(&last);
    let length = (pieces + 1) * VAST;
    let mut info =
        format!("d6:lengthi{length}e4:name4:vast12:piece lengthi{VAST}e6:pieces").into_bytes();
    info.extend(string(&hashes));
    info.push(b'e');
    let torrent = folder.join("vast.torrent");
    fs::write(&torrent, torrent_file(&info, &[])).expect("the torrent file");
    let part = File::create(folder.join("out/vast.part")).expect("a file");
    part.set_len(length as u64).expect("its length");
    for piece in 0..pieces {
        // A byte of each piece is written: what is only a hole is not taken for content.
        part.write_all_at(&[0], (piece * VAST) as u64)
            .expect("a byte");
    }
    (hex::encode(Sha1::digest(&info)), torrent)
}

/// Waits for a connection and for the first request on it.
fn first_request(listener: &TcpListener, hash: &str) -> Vec<u8> {
    listener.set_nonblocking(true).expect("a socket");
    let mut stream = None;
    wait_until(seconds(120), || {
        stream = listener.accept().ok();
        stream.is_some()
    });
    let (stream, _) = stream.expect("a connection");
    stream.set_nonblocking(false).expect("a socket");
    let mut line = Line::greet(stream, hash, Has::All).expect("a handshake");
    line.send(1, &[]).expect("unchoke");
    line.wait_for(6).expect("a request")
}

/// Rows S1: killed with a gigabyte recorded, it asks for what is missing within three seconds of its next start.
#[test]
fn after_a_kill_much_that_is_recorded_keeps_nobody_waiting() {
    let pieces = if long() { 640 } else { 64 };
    let mut bench = Bench::new();
    let (hash, torrent) = vast(bench.folder(), pieces);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = listener.local_addr().expect("an address").to_string();
    let mut run = || {
        let mut command = bench.get(torrent.to_str().expect("ASCII"), &[]);
        command.args(["--peer", &peer]);
        let start = Instant::now();
        let mut process = bench.start(command);
        let request = first_request(&listener, &hash);
        let last = u32::try_from(pieces).expect("small").to_be_bytes();
        assert_eq!(request[..4], last, "it asks for something it has");
        let took = start.elapsed();
        process.kill();
        took
    };
    let first = run();
    let second = run();
    println!("{pieces} pieces of 16 MiB: first {first:?}, after a kill {second:?}");
    assert!(second < Duration::from_secs(3), "{second:?}");
}

/// Rows S9: a piece of an unfinished file is changed behind the program's back: it is found before the file gets its name,
/// fetched again in the same run, and nothing else is.
#[test]
fn what_is_spoilt_while_it_is_fetched_is_fetched_again() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "spoilt.bin", 60 * PIECE, PIECE);
    let slow = Conduct {
        pause: Duration::from_millis(3),
        ..Conduct::HONEST
    };
    let peer = Peer::start(110, &sample, slow);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(served(&peer, 80, &mut process), "it ended too early");
    // The first of which all four blocks were sent, more than a megabyte ago: it is on the disk.
    let sent = |piece: usize| {
        peer.seen()
            .blocks
            .iter()
            .filter(|it| **it / 4 == piece)
            .count()
    };
    let piece = (0..60)
        .find(|piece| sent(*piece) == 4)
        .expect("one is there");
    let part = bench.output().join("spoilt.bin.part");
    let file = OpenOptions::new().write(true).open(part).expect("the file");
    let at = (piece * PIECE + 1_000) as u64;
    file.write_all_at(b"somebody else was here", at)
        .expect("written");
    assert_eq!(process.wait(STUCK).code(), Some(0), "{}", process.stdout());
    assert!(sample.is_complete_in(bench.output()), "the file differs");
    let twice: Vec<usize> = (0..60).filter(|piece| sent(*piece) > 4).collect();
    assert_eq!(twice, [piece]);
}

/// Rows S9: a seed that meets damage fetches the piece from whoever has it, and gives it away again.
#[test]
fn a_seed_mends_what_it_finds_damaged() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "mended.bin", 20 * PIECE, PIECE);
    let peer = Peer::start(111, &sample, Conduct::HONEST);
    bench.finish(&sample, &[&peer]);
    let before = peer.seen().blocks.len();
    let endpoint = peer.endpoint();
    let (_process, port) = seed(&mut bench, &sample.torrent, &["--peer", &endpoint]);
    let mut line = leech(port, &sample.info_hash);
    let path = bench.output().join("mended.bin");
    let file = OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the file");
    file.write_all_at(b"rust", (7 * PIECE + 5) as u64)
        .expect("written");
    assert_eq!(line.block(7, 0, BLOCK), None, "damaged, and sent");
    let mended = wait_until(STUCK, || line.block(7, 0, BLOCK).is_some());
    println!("mended after {:?}", mended.expect("it was never mended"));
    assert!(sample.is_complete_in(bench.output()), "the file differs");
    let fetched = peer.seen().blocks.len() - before;
    assert_eq!(fetched, 4, "blocks fetched to mend a piece of four");
}
