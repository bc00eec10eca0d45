//! The rules of the design that a compiler does not keep: which crate and module may use which,
//! how long a file may be, what may not stand in pure code. They run with `cargo test`.

#[path = "support/sources.rs"]
mod sources;

use std::path::{Path, PathBuf};

use sources::{read, sources};

/// Longest file, tests and comments included.
const MAX_LINES: usize = 500;

/// A crate's folder and the workspace crates that it may depend on.
const CRATES: [(&str, &[&str]); 5] = [
    ("bencode", &[]),
    ("dht", &["bencode"]),
    ("pex", &["bencode"]),
    (".", &["bencode", "dht", "pex"]),
    ("simulations", &["bencode", "dht", "pex", "trackless"]),
];

/// The workspace's own crates as dependencies name them.
const OURS: [&str; 4] = ["bencode", "dht", "pex", "trackless"];

/// The root crate's modules in their order: each uses only those before it.
const MODULES: [&str; 9] = [
    "budget", "metainfo", "wire", "swarm", "tracker", "picture", "storage", "io", "cli",
];

/// Pure code: no clock, sockets, threads, global randomness or logging.
const PURE: [&str; 9] = [
    "src/budget",
    "bencode/src",
    "dht/src",
    "pex/src",
    "src/metainfo",
    "src/wire",
    "src/swarm",
    "src/tracker",
    "src/picture",
];

/// What pure code does not mention outside its tests.
const IMPURE: [&str; 12] = [
    "Instant::now",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::env",
    "tokio",
    "UdpSocket",
    "TcpStream",
    "HashMap",
    "HashSet",
    "tracing::",
    "rand::rng()",
];

fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs")
    })
}

/// The files of `folder` that ship, with their text less comments and less the `#[cfg(test)]` tail.
fn shipped(folder: &str) -> impl Iterator<Item = (PathBuf, String)> {
    sources(folder)
        .into_iter()
        .filter(|path| !is_test(path))
        .map(|path| {
            let text = read(&path);
            let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            let code: Vec<&str> = code
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default())
                .collect();
            (path, code.join("\n"))
        })
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n  {}\n", problems.join("\n  "));
}

#[test]
fn crates_depend_only_downwards() {
    let mut problems = Vec::new();
    for (folder, allowed) in CRATES {
        let manifest = read(&Path::new(folder).join("Cargo.toml"));
        let section = manifest
            .split("\n[dependencies]")
            .nth(1)
            .unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        let dependencies = section
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next());
        for name in dependencies.filter(|name| OURS.contains(name) && !allowed.contains(name)) {
            problems.push(format!("{folder} must not depend on {name}"));
        }
    }
    report(&problems);
}

#[test]
fn modules_use_only_those_before_them() {
    let mut problems = Vec::new();
    for (place, module) in MODULES.iter().enumerate() {
        for (path, code) in shipped(&format!("src/{module}")) {
            for later in &MODULES[place + 1..] {
                if code.contains(&format!("crate::{later}")) {
                    problems.push(format!(
                        "{} uses {later}, which stands above",
                        path.display()
                    ));
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn simulations_never_import_io() {
    let problems: Vec<String> = shipped("simulations/src")
        .filter(|(_, code)| code.contains("trackless::io"))
        .map(|(path, _)| format!("{} imports io", path.display()))
        .collect();
    report(&problems);
}

#[test]
fn the_order_stands_in_lib_rs() {
    let lib = read(Path::new("src/lib.rs"));
    let places: Vec<usize> = MODULES
        .iter()
        .map(|module| {
            lib.find(&format!("pub mod {module};"))
                .unwrap_or_else(|| panic!("{module}"))
        })
        .collect();
    assert!(
        places.is_sorted(),
        "src/lib.rs lists the modules in another order"
    );
}

#[test]
fn pure_code_mentions_nothing_impure() {
    let mut problems = Vec::new();
    for (path, code) in PURE.into_iter().flat_map(shipped) {
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            problems.push(format!("{} mentions {word}", path.display()));
        }
    }
    report(&problems);
}

#[test]
fn files_are_short_and_open_with_a_tour() {
    let mut problems = Vec::new();
    let folders = [
        "bencode",
        "dht",
        "pex",
        "src",
        "simulations",
        "tests",
        "benches",
        "fuzz",
    ];
    for path in folders.into_iter().flat_map(sources) {
        let text = read(&path);
        let lines = text.lines().count();
        if lines > MAX_LINES {
            problems.push(format!("{} has {lines} lines", path.display()));
        }
        if !text.starts_with("//!") && !text.starts_with("#!") {
            problems.push(format!("{} does not say what it is", path.display()));
        }
    }
    report(&problems);
}

#[test]
fn names_say_what_they_are() {
    let mut problems = Vec::new();
    let folders = [
        "bencode/src",
        "dht/src",
        "pex/src",
        "src",
        "simulations/src",
    ];
    for (path, code) in folders.into_iter().flat_map(shipped) {
        for line in code.lines() {
            let vague = ["Manager", "Helper", "mod util"]
                .iter()
                .any(|word| line.contains(word));
            // `get_peers` is the BEP's own name of a query.
            let getter = line.contains("fn get_") && !line.contains("fn get_peers");
            if vague || getter {
                problems.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    report(&problems);
}
