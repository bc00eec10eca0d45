//! Which rows of RELIABILITY.md have a test. A test says it in the first line of its doc comment: `/// Rows S1, S2: …`.
//!
//! Invariant: a row that the page calls tested has a test that names it, and no test names a row that the page does not
//! have. Not known here: whether a test is a good one.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "reads the repository"
)]

#[path = "support/sources.rs"]
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use sources::{read, sources};

/// Folders with tests.
const FOLDERS: [&str; 6] = ["bencode", "dht", "pex", "simulations", "src", "tests"];

/// What the page says of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Tested,
    Partly,
    /// Not done, or nothing of ours that it could happen to.
    Open,
}

/// A row's name: a letter and a number.
fn is_row(text: &str) -> bool {
    let number = text.strip_prefix(['S', 'N', 'P', 'C', 'A']);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The page's rows. A row of a table begins with its name and ends with its state.
fn page() -> BTreeMap<String, State> {
    let text = read(Path::new("RELIABILITY.md"));
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Some((name, state)) = cells
            .first()
            .zip(cells.last())
            .filter(|(name, _)| is_row(name))
        else {
            continue;
        };
        let state = match state.split(':').next() {
            Some("tested") => State::Tested,
            Some("partly") => State::Partly,
            Some("open" | "does not apply") => State::Open,
            _ => panic!("row {name}: {state:?} is no state"),
        };
        assert_eq!(
            rows.insert((*name).to_owned(), state),
            None,
            "row {name} stands there twice"
        );
    }
    rows
}

/// Rows that a file's tests name, with the test's name.
fn named(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("/// Rows ");
        let Some((rows, _)) = comment.and_then(|comment| comment.split_once(':')) else {
            continue;
        };
        // Other sentences begin like this too.
        if !rows.split(", ").next().is_some_and(is_row) {
            continue;
        }
        let test = lines
            .by_ref()
            .take(30)
            .find_map(|line| line.split_once("fn ")?.1.split(['(', '<']).next());
        let test = test.unwrap_or_else(|| panic!("no test below {line}"));
        for row in rows.split(", ") {
            assert!(is_row(row), "{row:?} is no row: {line}");
            found.push((row.to_owned(), test.to_owned()));
        }
    }
    found
}

#[test]
fn every_row_that_is_called_tested_has_a_test() {
    let page = page();
    let mut tests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let files = FOLDERS.into_iter().flat_map(sources);
    for file in files.filter(|file| !file.ends_with("tests/rows.rs")) {
        for (row, test) in named(&read(&file)) {
            assert!(
                page.contains_key(&row),
                "{test} names row {row}, which the page does not have"
            );
            tests.entry(row).or_default().insert(test);
        }
    }
    let count = |wanted| page.values().filter(|state| **state == wanted).count();
    let mut report = format!(
        "rows of RELIABILITY.md: {} tested, {} partly, {} open, by {} tests\n",
        count(State::Tested),
        count(State::Partly),
        count(State::Open),
        tests.values().flatten().collect::<BTreeSet<_>>().len(),
    );
    let mut missing = Vec::new();
    let number = |row: &str| (row.as_bytes()[0], row[1..].parse::<u8>().ok());
    let mut rows: Vec<_> = page.iter().collect();
    rows.sort_by_key(|(row, _)| number(row));
    for (row, state) in rows {
        let by = tests
            .get(row)
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>();
        report += &format!(
            "  {row:<4}{:<8}{}\n",
            format!("{state:?}").to_lowercase(),
            by.join(", ")
        );
        if *state != State::Open && by.is_empty() {
            missing.push(row.as_str());
        }
    }
    // Not by a macro: what a test that passes prints is not shown.
    std::io::stderr()
        .write_all(report.as_bytes())
        .expect("somewhere to print");
    assert!(
        missing.is_empty(),
        "no test names the rows {}",
        missing.join(", ")
    );
}
