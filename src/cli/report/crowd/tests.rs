//! Lines of several torrents, and the line for all.

use std::io::Write;
use std::time::{Duration, Instant};

use super::*;
use crate::cli::exit::{ExitCode, Failure};
use crate::cli::report::Style;
use crate::cli::update::{Done, Transfer};

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Text {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

fn crowd(style: Style, all: usize) -> (Crowd, Text, Text) {
    let (out, err) = (Text::default(), Text::default());
    let reporter = Reporter::with_writers(style, Box::new(out.clone()), Box::new(err.clone()));
    (reporter.crowd(all), out, err)
}

fn downloading(name: &str, have: u64) -> Update {
    Update::Downloading(Transfer {
        name: name.to_owned(),
        have,
        size: 1_000,
        down: 512,
        ..Transfer::default()
    })
}

fn joined() -> Update {
    let elapsed = Duration::from_millis(400);
    Update::Joined { nodes: 3, elapsed }
}

#[test]
fn lines_begin_with_the_name_and_what_concerns_all_is_said_once() {
    let (crowd, out, err) = crowd(Style::Lines, 2);
    let now = Instant::now();
    let (mut a, mut b) = (
        crowd.member(0, "3b24…".into()),
        crowd.member(1, "b.iso".into()),
    );
    let joining = Update::Joining {
        nodes: 0,
        elapsed: Duration::ZERO,
    };
    for update in [joining, joined()] {
        a.state(now, &update);
        b.state(now, &update);
    }
    a.note(now, "nobody announces this torrent");
    a.rename("a\x1b.iso");
    a.state(now, &downloading("a.iso", 500));
    b.note(now, "why");
    let done = Done {
        paths: vec!["/dl/a.iso".into()],
        size: 1_000,
        ..Done::default()
    };
    a.done(&done);
    b.fail(&Failure::new(ExitCode::NoPeers, "gave up"));
    let lines = err.take();
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "Joining the DHT … no answer yet (0.0 s)",
            "Joining the DHT … 3 nodes in 0.4 s",
            "3b24…: nobody announces this torrent",
            "a.iso  50 %  500/1000 B  512 B/s  ETA —  0 peers",
            "b.iso: why",
            "a\\u{1b}.iso: Done: 1000 B were complete already, all pieces verified",
            "error: b.iso: gave up",
        ]
    );
    assert_eq!(out.take(), "/dl/a.iso\n");
    crowd.ended(a, Outcome::Done);
    crowd.ended(b, Outcome::Failed);
    assert_eq!(crowd.close(), "2 torrents: 1 done, 1 failed");
}

#[test]
fn events_for_programs_say_which_torrent() {
    let (crowd, out, _) = crowd(Style::Json, 2);
    let now = Instant::now();
    let mut members: Vec<Reporter> = (0..2).map(|n| crowd.member(n, n.to_string())).collect();
    for (number, member) in members.iter_mut().enumerate() {
        member.about(crate::metainfo::InfoHash([number as u8; 20]));
        member.state(now, &joined());
        member.state(now, &downloading("x", 1));
        member.note(now, "why");
        member.fail(&Failure::new(ExitCode::NoPeers, "gave up"));
    }
    let text = out.take();
    let hashes = |kind: &str| -> Vec<String> {
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let events = events.filter(|event| event["type"] == kind);
        events
            .map(|event| event["info_hash"].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    let both = ["00".repeat(20), "01".repeat(20)];
    for kind in ["progress", "note", "error"] {
        assert_eq!(hashes(kind), both, "{kind}");
    }
    assert_eq!(hashes("joined"), ["none"], "the node is one for all");
}

#[test]
fn the_line_for_all_adds_up() {
    let (crowd, _, _) = crowd(Style::Lines, 20);
    let now = Instant::now();
    let mut members: Vec<Reporter> = (0..3).map(|n| crowd.member(n, n.to_string())).collect();
    members[0].state(now, &downloading("a", 250));
    members[1].state(now, &downloading("b", 250));
    members[2].state(
        now,
        &Update::Seeding {
            name: "c".into(),
            uploaded: 9,
            up: 2_048,
            ratio: 1.0,
            peers: 1,
        },
    );
    let line = crowd.board.state().line();
    assert_eq!(
        line,
        "0 of 20 ended · 2 at work · 1 seeding · 17 waiting · 0.4/1.9 KiB · \
         1.0 KiB/s down, 2.0 KiB/s up"
    );
    crowd.ended(members.remove(0), Outcome::Done);
    let mut joins = crowd.member(3, "d".into());
    let elapsed = Duration::ZERO;
    joins.state(now, &Update::Joining { nodes: 0, elapsed });
    let line = crowd.board.state().line();
    let start = "1 of 20 ended · 2 at work · 1 seeding · 16 waiting";
    assert!(line.starts_with(start), "{line}");
}

#[test]
fn whoever_is_stopped_has_not_failed() {
    let (crowd, _, _) = crowd(Style::Lines, 3);
    crowd.ended(crowd.member(0, "a".into()), Outcome::Stopped);
    crowd.ended(crowd.member(1, "b".into()), Outcome::Failed);
    // The third one's turn did not come.
    assert_eq!(crowd.close(), "3 torrents: 0 done, 1 failed, 2 stopped");
}
