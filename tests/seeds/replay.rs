//! Every fuzz target over its seeds, on a stable compiler: `fuzz/seeds/TARGET` holds one input a file.
//!
//! What fuzzing found stands there too, so that it stays repaired. Invariant: a target without seeds, and seeds
//! without a target, are failures.
#![allow(
    clippy::disallowed_methods,
    clippy::duplicate_mod,
    reason = "the targets start their virtual time somewhere and share their support"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/fuzz_targets/bencode.rs"]
mod bencode;
#[path = "../../fuzz/fuzz_targets/exchange.rs"]
mod exchange;
#[path = "../../fuzz/fuzz_targets/extension.rs"]
mod extension;
#[path = "../../fuzz/fuzz_targets/handshake.rs"]
mod handshake;
#[path = "../../fuzz/fuzz_targets/http_tracker.rs"]
mod http_tracker;
#[path = "../../fuzz/fuzz_targets/journal.rs"]
mod journal;
#[path = "../../fuzz/fuzz_targets/krpc.rs"]
mod krpc;
#[path = "../../fuzz/fuzz_targets/lsd.rs"]
mod lsd;
#[path = "../../fuzz/fuzz_targets/machine.rs"]
mod machine;
#[path = "../../fuzz/fuzz_targets/magnet.rs"]
mod magnet;
#[path = "../../fuzz/fuzz_targets/metadata.rs"]
mod metadata;
#[path = "../../fuzz/fuzz_targets/node.rs"]
mod node;
#[path = "../../fuzz/fuzz_targets/path.rs"]
mod path;
#[path = "../../fuzz/fuzz_targets/pex.rs"]
mod pex;
#[path = "../../fuzz/fuzz_targets/picker.rs"]
mod picker;
#[path = "../../fuzz/fuzz_targets/saved.rs"]
mod saved;
#[path = "../../fuzz/fuzz_targets/server.rs"]
mod server;
#[path = "../../fuzz/fuzz_targets/session.rs"]
mod session;
#[path = "../../fuzz/fuzz_targets/torrent.rs"]
mod torrent;
#[path = "../../fuzz/fuzz_targets/udp_tracker.rs"]
mod udp_tracker;
#[path = "../../fuzz/fuzz_targets/url.rs"]
mod url;
#[path = "../../fuzz/fuzz_targets/wire.rs"]
mod wire;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 22] = [
    ("bencode", bencode::run),
    ("exchange", exchange::run),
    ("extension", extension::run),
    ("handshake", handshake::run),
    ("http_tracker", http_tracker::run),
    ("journal", journal::run),
    ("krpc", krpc::run),
    ("lsd", lsd::run),
    ("machine", machine::run),
    ("magnet", magnet::run),
    ("metadata", metadata::run),
    ("node", node::run),
    ("path", path::run),
    ("pex", pex::run),
    ("picker", picker::run),
    ("saved", saved::run),
    ("server", server::run),
    ("session", session::run),
    ("torrent", torrent::run),
    ("udp_tracker", udp_tracker::run),
    ("url", url::run),
    ("wire", wire::run),
];

/// The folder `fuzz`, whichever of the two packages this is built for.
fn fuzz() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if package.ends_with("fuzz") {
        package.to_owned()
    } else {
        package.join("fuzz")
    }
}

/// The names in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            entry
                .expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn every_target_survives_its_seeds() {
    let seeds = fuzz().join("seeds");
    let mut inputs = 0;
    for (name, run) in TARGETS {
        for input in names(&seeds.join(name)) {
            let data = fs::read(seeds.join(name).join(&input)).expect("a seed");
            println!("{name}/{input}");
            run(&data);
            inputs += 1;
        }
        run(&[]);
    }
    println!("{inputs} inputs, {} targets", TARGETS.len());
}

#[test]
fn every_target_is_replayed() {
    let fuzz = fuzz();
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = names(&fuzz.join("fuzz_targets"))
        .iter()
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    assert_eq!(known, files);
    assert_eq!(known, names(&fuzz.join("seeds")));
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("a manifest");
    for name in &known {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not built"
        );
    }
}
