//! The sentences, as users and their scripts see them.

use super::*;

fn transfer() -> Transfer {
    Transfer {
        name: "debian-13.iso".to_owned(),
        have: 355_783_680,
        size: 827_326_464,
        down: 13_002_342,
        up: 41_200,
        eta: Some(Duration::from_secs(36)),
        peers: 24,
    }
}

#[test]
fn searching_is_told_in_figures() {
    let second = Duration::from_secs(1);
    for (update, text) in [
        (
            Update::Joining {
                nodes: 0,
                elapsed: second,
            },
            "Joining the DHT … no answer yet (1.0 s)",
        ),
        (
            Update::Joined {
                nodes: 61,
                elapsed: second,
            },
            "Joining the DHT … 61 nodes in 1.0 s",
        ),
        (
            Update::LookingUp {
                asked: 38,
                answered: 31,
                closest_bits: 21,
                peers: 57,
                elapsed: second,
            },
            "Looking up … asked 38, answered 31, closest 21/160 bits, 57 peers",
        ),
        (
            Update::PeersFound {
                source: Source::Pex,
                found: 1,
            },
            "1 peer from other peers",
        ),
        (
            Update::Connecting {
                connected: 1,
                tried: 9,
                refused: 3,
                timed_out: 2,
            },
            "Connecting … 1 peer of 9 tried, 3 refused, 2 timed out",
        ),
        (Update::Metadata { have: 0, total: 0 }, "Metadata … asked"),
        (Update::Metadata { have: 1, total: 2 }, "Metadata … 1/2"),
    ] {
        assert_eq!(update.line(), text);
    }
}

#[test]
fn sentences_with_a_name_or_a_reason() {
    let second = Duration::from_secs(1);
    for (update, text) in [
        (
            Update::MetadataDone {
                name: "debian-13.iso".to_owned(),
                files: 1,
                size: 827_326_464,
                free: Some(44_239_375_564),
            },
            "Metadata … debian-13.iso, 1 file, 789.0 MiB (free: 41.2 GiB)",
        ),
        (
            Update::Checking {
                name: "a".to_owned(),
                done: 1,
                total: 2,
            },
            "Checking a … 50 % of 2 B",
        ),
        (
            Update::Downloading(transfer()),
            "debian-13.iso  43 %  339.3/789.0 MiB  12.3 MiB/s  ETA 36 s  24 peers",
        ),
        (
            Update::Seeding {
                name: "a".to_owned(),
                uploaded: 1024,
                up: 10,
                ratio: 0.5,
                peers: 2,
            },
            "Seeding a … uploaded 1.0 KiB (ratio 0.50), 10 B/s, 2 peers",
        ),
        (
            Update::Paused {
                reason: "the disk is full".to_owned(),
                retry_in: Some(second * 30),
            },
            "Paused: the disk is full. Trying again in 30 s",
        ),
        (
            Update::Paused {
                reason: "x".to_owned(),
                retry_in: None,
            },
            "Paused: x",
        ),
        (
            Update::Note("nobody announces this".to_owned()),
            "nobody announces this",
        ),
    ] {
        assert_eq!(update.line(), text);
    }
}

#[test]
fn the_live_line_has_a_bar() {
    assert_eq!(
        Update::Downloading(transfer()).live_line(Paint::Plain),
        "debian-13.iso  43 % ━━━━━━━━━━╸─────────────  339.3/789.0 MiB  12.3 MiB/s  ETA 36 s  \
         24 peers (↑ 40.2 KiB/s)"
    );
    assert!(
        Update::Downloading(transfer())
            .live_line(Paint::Colour)
            .contains("\x1b[32m━")
    );
    let checking = Update::Checking {
        name: "a".to_owned(),
        done: 1,
        total: 2,
    };
    assert_eq!(
        checking.live_line(Paint::Plain),
        "Checking a  50 % ━━━━━━━━━━━━╸───────────  1/2 B"
    );
}

#[test]
fn names_from_the_network_are_escaped_in_every_text() {
    let name = "\x1b[2J\u{202e}\n".to_owned();
    let updates = [
        Update::MetadataDone {
            name: name.clone(),
            files: 1,
            size: 1,
            free: None,
        },
        Update::Checking {
            name: name.clone(),
            done: 0,
            total: 1,
        },
        Update::Downloading(Transfer {
            name: name.clone(),
            ..transfer()
        }),
        Update::Seeding {
            name: name.clone(),
            uploaded: 0,
            up: 0,
            ratio: 0.0,
            peers: 0,
        },
        Update::Paused {
            reason: name.clone(),
            retry_in: None,
        },
        Update::Note(name),
    ];
    for update in updates {
        for text in [update.line(), update.live_line(Paint::Plain)] {
            assert!(
                text.chars().all(super::super::format::is_harmless),
                "{text:?}"
            );
        }
    }
}

#[test]
fn the_summary() {
    let done = Done {
        size: 827_326_464,
        downloaded: 827_326_464,
        uploaded: 64_172_851,
        elapsed: Duration::from_secs(64),
        timeline: Timeline {
            first_node: Some(Duration::from_millis(31)),
            metadata: Some(Duration::from_millis(1204)),
            ..Timeline::default()
        },
        ..Done::default()
    };
    assert_eq!(
        done.lines(),
        "Done: 789.0 MiB in 1 m 04 s, 12.3 MiB/s, uploaded 61.1 MiB, all pieces verified\n\
         Timeline: first node 0.031 s · metadata 1.204 s"
    );
    let again = Done {
        size: 1024,
        ..Done::default()
    };
    assert_eq!(
        again.lines(),
        "Done: 1.0 KiB were complete already, all pieces verified"
    );
}
