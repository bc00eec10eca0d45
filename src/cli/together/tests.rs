//! Jobs without a network: who runs when, and how it all ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::super::report::Style;
use super::*;

/// Runs jobs of these codes on a runtime of one thread; the exit code, and what stood on stderr.
fn run<R>(codes: &[ExitCode], work: impl Fn(usize, ExitCode, Part) -> R) -> (ExitCode, String)
where
    R: Future<Output = Ended> + Send + 'static,
{
    let err = Text::default();
    let mut reporter = Reporter::with_writers(
        Style::Lines,
        Box::new(Text::default()),
        Box::new(err.clone()),
    );
    let jobs = codes.iter().enumerate();
    let jobs = jobs.map(|(number, code)| (format!("job{number}"), (number, *code)));
    let jobs = jobs.collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let code = runtime.expect("a runtime").block_on(async {
        let signals = Signals::new().expect("handlers");
        all(jobs, &mut reporter, &signals, |(number, code), part| {
            work(number, code, part)
        })
        .await
    });
    let text = err.0.lock().expect("no panic").clone();
    (code, String::from_utf8(text).expect("text"))
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ended(part: Part, code: ExitCode) -> Ended {
    let result = match code {
        ExitCode::Ok => Ok(code),
        code => Err(Failure::new(code, format!("it is {}", code.name()))),
    };
    (part.reporter, result)
}

#[test]
fn one_failure_does_not_stop_the_others_and_the_worst_counts() {
    let done = Arc::new(AtomicUsize::new(0));
    let codes = [
        ExitCode::NoPeers,
        ExitCode::Ok,
        ExitCode::DiskFull,
        ExitCode::Ok,
        ExitCode::Stalled,
    ];
    let (code, text) = run(&codes, |_, code, part| {
        let done = Arc::clone(&done);
        async move {
            done.fetch_add(1, Ordering::Relaxed);
            ended(part, code)
        }
    });
    assert_eq!(
        (code, done.load(Ordering::Relaxed)),
        (ExitCode::DiskFull, 5)
    );
    assert_eq!(
        text,
        "error: job0: it is no_peers\nerror: job2: it is disk_full\nerror: job4: it is stalled\n\
         5 torrents: 2 done, 3 failed\n"
    );
}

#[test]
fn a_single_one_is_not_named() {
    let (code, text) = run(&[ExitCode::NoPeers], |_, code, part| async move {
        ended(part, code)
    });
    assert_eq!(
        (code, text.as_str()),
        (ExitCode::NoPeers, "error: it is no_peers\n")
    );
}

#[test]
fn five_are_at_work_at_once_and_who_makes_room_goes_on() {
    let (at_work, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (stalled, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let codes = [ExitCode::Ok; 20];
    let (code, _) = run(&codes, |number, code, mut part| {
        let (at_work, most, stalled) = (
            Arc::clone(&at_work),
            Arc::clone(&most),
            Arc::clone(&stalled),
        );
        let last = Arc::clone(&last);
        async move {
            let now = at_work.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(now, Ordering::Relaxed);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            at_work.fetch_sub(1, Ordering::Relaxed);
            part.slot.make_room();
            if number < 10 {
                // Ten that never end by themselves would block the others if they kept their places.
                stalled.fetch_add(1, Ordering::Relaxed);
                last.notified().await;
            } else if number == 19 {
                while stalled.load(Ordering::Relaxed) < 10 {
                    tokio::task::yield_now().await;
                }
                last.notify_waiters();
            }
            ended(part, code)
        }
    });
    assert_eq!(
        (code, most.load(Ordering::Relaxed)),
        (ExitCode::Ok, AT_WORK)
    );
}
