//! Every byte that the reporter writes, in every style.

use std::sync::{Arc, Mutex};

use super::super::exit::ExitCode;
use super::super::update::{Source, Timeline, Transfer};
use super::*;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Scene {
    reporter: Reporter,
    out: Shared,
    err: Shared,
    start: Instant,
}

fn scene(style: Style) -> Scene {
    let (out, err) = (Shared::default(), Shared::default());
    let reporter = Reporter::with_writers(style, Box::new(out.clone()), Box::new(err.clone()));
    Scene {
        reporter,
        out,
        err,
        start: Instant::now(),
    }
}

impl Scene {
    fn at(&mut self, millis: u64, update: &Update) {
        self.reporter
            .state(self.start + Duration::from_millis(millis), update);
    }
}

fn joining(nodes: u32) -> Update {
    Update::Joining {
        nodes,
        elapsed: Duration::from_millis(400),
    }
}

fn looking(asked: u32) -> Update {
    let elapsed = Duration::from_millis(1210);
    Update::LookingUp {
        asked,
        answered: 31,
        closest_bits: 21,
        peers: 57,
        elapsed,
    }
}

fn downloading(have: u64) -> Update {
    let name = "a.iso".to_owned();
    Update::Downloading(Transfer {
        name,
        have,
        size: 1000,
        ..Transfer::default()
    })
}

#[test]
fn lines_come_per_change_and_every_ten_seconds() {
    let mut scene = scene(Style::Lines);
    scene.at(0, &joining(0));
    scene.at(100, &joining(3));
    scene.at(200, &looking(1));
    scene.at(300, &looking(38));
    for second in 1..=25 {
        scene.at(second * 1000, &downloading(second));
    }
    assert_eq!(
        scene.err.text(),
        "Joining the DHT … no answer yet (0.4 s)\n\
         Looking up … asked 1, answered 31, closest 21/160 bits, 57 peers\n\
         Looking up … asked 38, answered 31, closest 21/160 bits, 57 peers\n\
         a.iso  0 %  1/1000 B  0 B/s  ETA —  0 peers\n\
         a.iso  1 %  11/1000 B  0 B/s  ETA —  0 peers\n\
         a.iso  2 %  21/1000 B  0 B/s  ETA —  0 peers\n"
    );
    assert_eq!(scene.out.text(), "");
}

#[test]
fn events_between_states_do_not_repeat_the_state() {
    let mut scene = scene(Style::Lines);
    scene.at(0, &looking(1));
    scene.at(
        10,
        &Update::PeersFound {
            source: Source::Dht,
            found: 5,
        },
    );
    scene.at(20, &looking(2));
    assert_eq!(scene.err.text().lines().count(), 2);
}

#[test]
fn json_lines_are_those_of_the_contract() {
    let mut scene = scene(Style::Json);
    scene.at(
        0,
        &Update::Joined {
            nodes: 61,
            elapsed: Duration::from_millis(400),
        },
    );
    scene.at(1, &looking(38));
    scene.reporter.about(InfoHash([0xab; 20]));
    scene.at(
        2,
        &Update::PeersFound {
            source: Source::Dht,
            found: 57,
        },
    );
    scene.at(
        3,
        &Update::Connecting {
            connected: 1,
            tried: 4,
            refused: 2,
            timed_out: 1,
        },
    );
    scene.at(
        4,
        &Update::MetadataDone {
            name: "a\n".to_owned(),
            files: 2,
            size: 9,
            free: Some(1),
        },
    );
    scene.at(5, &downloading(7));
    scene.at(
        6,
        &Update::Paused {
            reason: "full".to_owned(),
            retry_in: Some(Duration::from_secs(5)),
        },
    );
    scene.reporter.note(scene.start, "why");
    let hash = "ab".repeat(20);
    let expected = [
        r#"{"v":1,"type":"joined","nodes":61,"elapsed":0.4}"#.to_owned(),
        r#"{"v":1,"type":"lookup","info_hash":null,"asked":38,"answered":31,"closest_bits":21,"peers":57,"elapsed":1.21}"#.to_owned(),
        format!(r#"{{"v":1,"type":"peers","info_hash":"{hash}","source":"dht","found":57}}"#),
        format!(r#"{{"v":1,"type":"progress","info_hash":"{hash}","state":"connecting","have":null,"size":null,"down":null,"up":null,"peers":1,"eta":null,"attempts":{{"tried":4,"refused":2,"timed_out":1}}}}"#),
        format!(r#"{{"v":1,"type":"metadata","info_hash":"{hash}","name":"a\n","files":2,"size":9}}"#),
        format!(r#"{{"v":1,"type":"progress","info_hash":"{hash}","state":"downloading","have":7,"size":1000,"down":0,"up":0,"peers":0,"eta":null}}"#),
        format!(r#"{{"v":1,"type":"progress","info_hash":"{hash}","state":"paused","have":null,"size":null,"down":null,"up":null,"peers":null,"eta":null,"reason":"full","retry_in":5.0}}"#),
        format!(r#"{{"v":1,"type":"note","info_hash":"{hash}","message":"why"}}"#),
    ];
    assert_eq!(scene.out.text().lines().collect::<Vec<_>>(), expected);
    assert_eq!(scene.err.text(), "");
}

#[test]
fn json_events_of_one_state_come_once_a_second() {
    let mut scene = scene(Style::Json);
    for tenth in 0..=30 {
        scene.at(tenth * 100, &downloading(tenth));
    }
    assert_eq!(scene.out.text().lines().count(), 4);
}

#[test]
fn the_end_puts_paths_and_nothing_else_on_stdout() {
    let done = Done {
        paths: vec!["./a.iso".into(), "./b".into()],
        size: 3,
        ..Done::default()
    };
    for style in [Style::Lines, Style::Quiet, Style::Terminal(Paint::Plain)] {
        let mut scene = scene(style);
        scene.at(0, &downloading(3));
        scene.reporter.done(&done);
        assert_eq!(scene.out.text(), "./a.iso\n./b\n");
        assert_eq!(scene.err.text().contains("Done:"), style != Style::Quiet);
    }
}

#[test]
fn the_done_event_has_the_timeline() {
    let mut scene = scene(Style::Json);
    let timeline = Timeline {
        first_node: Some(Duration::from_millis(31)),
        ..Timeline::default()
    };
    let elapsed = Duration::from_millis(64_200);
    let (downloaded, paths) = (5, vec!["./a".into()]);
    scene.reporter.done(&Done {
        paths,
        elapsed,
        downloaded,
        timeline,
        ..Done::default()
    });
    assert_eq!(
        scene.out.text(),
        "{\"v\":1,\"type\":\"done\",\"info_hash\":null,\"paths\":[\"./a\"],\"elapsed\":64.2,\
         \"downloaded\":5,\"uploaded\":0,\"timeline\":{\"first_node\":0.031,\"first_peers\":null,\
         \"first_handshake\":null,\"metadata\":null,\"first_piece\":null,\"done\":null}}\n"
    );
}

#[test]
fn failures_are_shown_in_every_style() {
    let failure = Failure::new(ExitCode::NoPeers, "nobody has it");
    for style in [Style::Lines, Style::Quiet, Style::Terminal(Paint::Plain)] {
        let mut scene = scene(style);
        scene.reporter.fail(&failure);
        assert_eq!(
            (scene.out.text(), scene.err.text()),
            (String::new(), "error: nobody has it\n".into())
        );
    }
    let mut scene = scene(Style::Json);
    scene.reporter.fail(&failure);
    assert!(
        scene
            .out
            .text()
            .contains("\"code\":\"no_peers\",\"exit_code\":5")
    );
    assert_eq!(scene.err.text(), "");
}

#[test]
fn finished_steps_stay_on_a_terminal() {
    let mut scene = scene(Style::Terminal(Paint::Plain));
    scene.at(0, &joining(0));
    scene.at(
        1,
        &Update::Joined {
            nodes: 61,
            elapsed: Duration::from_millis(400),
        },
    );
    scene.at(2, &looking(1));
    scene.at(3, &looking(38));
    scene.at(4, &downloading(1));
    assert_eq!(
        scene.err.text(),
        "Joining the DHT … 61 nodes in 0.4 s\n\
         Looking up … asked 38, answered 31, closest 21/160 bits, 57 peers\n"
    );
}

#[test]
fn quiet_is_quiet() {
    let mut scene = scene(Style::Quiet);
    scene.at(0, &downloading(1));
    scene.reporter.note(scene.start, "x");
    assert_eq!(scene.out.text() + &scene.err.text(), "");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    for style in [Style::Lines, Style::Json] {
        let mut reporter = Reporter::with_writers(style, Box::new(Closed), Box::new(Closed));
        reporter.state(Instant::now(), &downloading(1));
        reporter.print("x");
        reporter.done(&Done {
            paths: vec!["x".into()],
            ..Done::default()
        });
        reporter.fail(&Failure::new(ExitCode::Io, "x"));
    }
}
