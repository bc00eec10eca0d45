//! `trackless demo`: the whole story on loopback. A private DHT, three holders of different parts and
//! one whole copy, a magnet link without trackers, one download shown live, every byte compared.
//!
//! Everything in it is the shipping client; only the network is small.
#![allow(clippy::indexing_slicing, reason = "what it indexes it made itself")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{sleep, timeout};

use super::exit::{ExitCode, Failure};
use super::follow::{End, Findings, Follow, Goal};
use super::format::{bytes, duration};
use super::get;
use super::network;
use super::plan::{DemoPlan, Patience};
use super::report::{Reporter, Style};
use super::signals::Signals;
use super::together::Slot;
use super::torrent::{Choices, magnet_of, make};
use crate::io::{
    Bind, Client, ClientConfig, Destination, LocalDiscovery, Port, Source, Status, TorrentHandle,
    TorrentSpec,
};
use crate::metainfo::Info;
use crate::storage::{Location, OpenMode};
use crate::swarm::{Bitfield, Mode, Settings};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Holders of a part each; together they have everything once.
const PARTS: usize = 3;

/// What one holder sends at most: slow enough to be seen, fast enough for a coffee-less demo.
const HOLDER_RATE: u64 = 4 << 20;

/// How long the private DHT and the announces may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it.
///
/// # Errors
/// Whatever does not work; nothing of it should.
pub(super) fn run(plan: DemoPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let folder = std::env::temp_dir().join(format!("trackless-demo-{}", std::process::id()));
    let ended = network::block_on(play(&plan, &folder, reporter));
    // What is left behind lies in the system's folder for temporary files.
    let _ = fs::remove_dir_all(&folder);
    ended
}

async fn play(
    plan: &DemoPlan,
    folder: &Path,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let mut signals = Signals::new()?;
    let original = folder.join("original").join("trackless-demo");
    write_original(&original, plan.size)?;
    let torrent = make(&original, &Choices::default(), reporter)?;
    let (info, magnet) = (Arc::clone(&torrent.info), magnet_of(&torrent).to_string());

    let nodes = private_dht(plan.nodes, reporter).await?;
    let bootstrap = format!("{LOOPBACK}:{}", nodes[0].port());
    let holders = holders(&info, &original, folder, &bootstrap, reporter).await?;

    reporter.note(Instant::now(), format!("The magnet link: {magnet}"));
    let before = Instant::now();
    let client = client(&bootstrap).await?;
    let output = folder.join("download");
    let spec = TorrentSpec {
        source: Source::Hash(info.info_hash()),
        destination: Destination::Files(location(&output), OpenMode::Resume),
        select: None,
        peers: Vec::new(),
        trackers: Vec::new(),
        settings: Settings::default(),
    };
    let mut handle = add(&client, spec).await?;
    reporter.about(info.info_hash());
    let mut findings = Findings::default();
    let followed = Follow {
        client: &client,
        handle: &mut handle,
        reporter,
        signals: &mut signals,
        slot: &mut Slot::alone(),
        goal: Goal::Complete,
        patience: Patience {
            start: Some(PATIENCE),
            stall: Some(PATIENCE),
        },
        bootstrap: 1,
        output: Some(output.clone()),
        name: None,
    }
    .run(&mut findings)
    .await;
    let status = handle.stop().await;
    let elapsed = before.elapsed();
    client.shutdown().await;
    for holder in holders {
        let _ = holder.handle.stop().await;
        holder.client.shutdown().await;
    }
    for node in nodes {
        node.shutdown().await;
    }
    if let End::Interrupted(code) = followed? {
        return Ok(code);
    }
    compare(&original, &output.join("trackless-demo"))?;
    summary(&status, elapsed, started, reporter);
    if reporter.style() == Style::Json {
        // The copy is about to be removed: there is no path to tell.
        findings.paths.clear();
        reporter.done(&get::done(elapsed, &status, &findings));
    }
    Ok(ExitCode::Ok)
}

/// Three files of random bytes, `size` in all, the same in every run.
fn write_original(folder: &Path, size: u64) -> Result<(), Failure> {
    let cannot = |error| Failure::io("the demo's files cannot be written", &error);
    fs::create_dir_all(folder.join("more")).map_err(cannot)?;
    let mut rng = ChaCha8Rng::from_seed([7; 32]);
    let sizes = [size / 2, size / 3, size - size / 2 - size / 3];
    for (name, size) in ["film.bin", "more/sound.bin", "more/notes.bin"]
        .into_iter()
        .zip(sizes)
    {
        let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        rng.fill_bytes(&mut content);
        fs::write(folder.join(name), content).map_err(cannot)?;
    }
    Ok(())
}

async fn client(bootstrap: &str) -> Result<Client, Failure> {
    let config = ClientConfig {
        bind: Bind::Address(LOOPBACK),
        port: Port::Any,
        bootstrap: vec![bootstrap.to_owned()],
        // The story is that of the DHT: nobody is to be found on another way.
        lsd: LocalDiscovery::Off,
        ..ClientConfig::default()
    };
    Client::start(config)
        .await
        .map_err(|error| Failure::io("loopback cannot be used", &error))
}

async fn add(client: &Client, spec: TorrentSpec) -> Result<TorrentHandle, Failure> {
    client
        .add(spec)
        .await
        .map_err(|error| Failure::io("the torrent cannot be started", &error))
}

fn location(output: &Path) -> Location {
    Location {
        output: output.to_owned(),
        state: None,
    }
}

/// Starts the nodes and waits until each knows somebody.
async fn private_dht(count: u16, reporter: &mut Reporter) -> Result<Vec<Client>, Failure> {
    let started = Instant::now();
    let mut nodes = vec![client(&format!("{LOOPBACK}:1")).await?];
    let first = format!("{LOOPBACK}:{}", nodes[0].port());
    for _ in 1..count {
        nodes.push(client(&first).await?);
    }
    for node in nodes.iter().filter_map(Client::dht) {
        let mut status = node.status();
        // A node that stays alone does not spoil the story: there are others.
        let _ = timeout(PATIENCE, status.wait_for(|status| status.joined)).await;
    }
    let contacts: usize = nodes
        .iter()
        .filter_map(Client::dht)
        .map(|node| node.status().borrow().nodes)
        .sum();
    reporter.note(
        Instant::now(),
        format!(
            "A private DHT: {} nodes, {} contacts each on average, joined in {}",
            nodes.len(),
            contacts / nodes.len().max(1),
            duration(started.elapsed())
        ),
    );
    Ok(nodes)
}

/// Somebody who has something.
struct Holder {
    client: Client,
    handle: TorrentHandle,
}

/// Starts the holders and waits until all have announced themselves in the DHT.
async fn holders(
    info: &Arc<Info>,
    original: &Path,
    folder: &Path,
    bootstrap: &str,
    reporter: &mut Reporter,
) -> Result<Vec<Holder>, Failure> {
    let mut holders = Vec::new();
    for part in 0..=PARTS {
        let (output, share) = if part == PARTS {
            (folder.join("original"), None)
        } else {
            let output = folder.join(format!("part{part}"));
            (
                output.clone(),
                Some(write_part(info, original, &output, part)?),
            )
        };
        let client = client(bootstrap).await?;
        let spec = TorrentSpec {
            source: Source::Info(Arc::clone(info)),
            destination: Destination::Files(location(&output), OpenMode::Check),
            // A holder of a part wants no more than it has: a partial seed (BEP 21).
            select: share.map(|share| -> crate::io::Select { Box::new(|_| Ok(Some(share))) }),
            peers: Vec::new(),
            trackers: Vec::new(),
            settings: Settings {
                mode: Mode::Seed,
                limit_up: HOLDER_RATE,
                ..Settings::default()
            },
        };
        let handle = add(&client, spec).await?;
        holders.push(Holder { client, handle });
    }
    let deadline = Instant::now() + PATIENCE;
    for holder in &holders {
        while holder.handle.status().search.ended == 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
    }
    reporter.note(
        Instant::now(),
        format!("{PARTS} holders of a third each and one whole copy have announced themselves"),
    );
    Ok(holders)
}

/// Copies the pieces that one holder has, with holes for the rest; returns which they are.
fn write_part(
    info: &Info,
    original: &Path,
    output: &Path,
    part: usize,
) -> Result<Bitfield, Failure> {
    use std::os::unix::fs::FileExt;

    let cannot = |error| Failure::io("the demo's files cannot be written", &error);
    let mut share = Bitfield::new(info.piece_count());
    (0..info.piece_count())
        .filter(|piece| *piece as usize % PARTS == part)
        .for_each(|piece| {
            share.set(piece);
        });
    let length = u64::from(info.piece_length());
    let above = original.parent().unwrap_or(original);
    for file in info.files().iter().filter(|file| file.is_data()) {
        let (from, to) = (
            above.join(file.path.to_string()),
            output.join(file.path.to_string()),
        );
        let content = fs::read(from).map_err(cannot)?;
        fs::create_dir_all(to.parent().unwrap_or(output)).map_err(cannot)?;
        let copy = fs::File::create(to).map_err(cannot)?;
        copy.set_len(file.length).map_err(cannot)?;
        for piece in (0..info.piece_count()).filter(|piece| share.has(*piece)) {
            let start = (u64::from(piece) * length).max(file.offset);
            let end = ((u64::from(piece) + 1) * length).min(file.offset + file.length);
            if start < end {
                let range = (start - file.offset) as usize..(end - file.offset) as usize;
                copy.write_all_at(&content[range], start - file.offset)
                    .map_err(cannot)?;
            }
        }
    }
    Ok(share)
}

/// Compares every byte of every file.
fn compare(original: &Path, copy: &Path) -> Result<(), Failure> {
    for name in ["film.bin", "more/sound.bin", "more/notes.bin"] {
        let read = |path: PathBuf| {
            fs::read(&path).map_err(|e| Failure::io(format!("{} is missing", path.display()), &e))
        };
        if read(original.join(name))? != read(copy.join(name))? {
            return Err(Failure::new(
                ExitCode::VerifyFailed,
                format!("{name} differs"),
            ));
        }
    }
    Ok(())
}

fn summary(status: &Status, elapsed: Duration, started: Instant, reporter: &mut Reporter) {
    let now = Instant::now();
    let after = |time: Option<Duration>| time.map_or("never".to_owned(), seconds);
    let timeline = status.timeline;
    let snapshot = &status.snapshot;
    let lookup = status
        .search
        .last
        .as_ref()
        .or(status.search.running.as_ref());
    reporter.note(
        now,
        format!(
            "first node {} · first answer with peers {} · first handshake {} · metadata {} · \
         first piece {} · done {}",
            after(timeline.first_node),
            after(timeline.first_peers),
            after(timeline.first_handshake),
            after(timeline.metadata),
            after(timeline.first_piece),
            after(timeline.done),
        ),
    );
    if let Some(report) = lookup {
        reporter.note(
            now,
            format!(
                "lookup: {} nodes asked, {} answered, {} hops, closest {} shared bits",
                report.asked, report.answered, report.hops, report.closest_bits
            ),
        );
    }
    let by = snapshot.peers.by_source;
    reporter.note(
        now,
        format!(
            "peers by source: DHT {}, PEX {}, incoming {}; trackers asked: 0",
            by.dht, by.pex, by.incoming
        ),
    );
    reporter.note(
        now,
        format!(
            "{} downloaded and every byte compared in {}; the whole demo took {}",
            bytes(snapshot.have_bytes),
            seconds(elapsed),
            seconds(started.elapsed())
        ),
    );
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
