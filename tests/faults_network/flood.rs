//! A flood of questions to a node over real sockets (reliability.md A3, G11): what it costs others, and whom it holds up.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::stage::{Nodes, PORT, can_run, host, is_long, settle, udp};

/// Questions of the flood a second.
const RATE: u64 = 3_000;

/// Honest askers, each from an address of its own, and their questions.
const ASKERS: u8 = 40;
const QUESTIONS: u8 = 5;

/// How long the flood lasts.
fn span() -> Duration {
    Duration::from_secs(if is_long() { 60 } else { 5 })
}

fn query(method: &str, arguments: &str, transaction: [u8; 2]) -> Vec<u8> {
    let id = "abcdefghij0123456789";
    let mut out = format!(
        "d1:ad2:id20:{id}{arguments}e1:q{}:{method}1:t2:",
        method.len()
    )
    .into_bytes();
    out.extend(transaction);
    out.extend(b"1:y1:qe");
    out
}

/// Every question that a node may be asked without a token, by its name.
fn questions() -> BTreeMap<&'static str, Vec<u8>> {
    let target = "mnopqrstuvwxyz123456";
    let hash = format!("9:info_hash20:{target}");
    let both = "4:wantl2:n42:n6e";
    BTreeMap::from([
        ("ping", query("ping", "", *b"p1")),
        (
            "find_node",
            query("find_node", &format!("6:target20:{target}"), *b"f1"),
        ),
        (
            "find_node of both families",
            query("find_node", &format!("6:target20:{target}{both}"), *b"f2"),
        ),
        ("get_peers", query("get_peers", &hash, *b"g1")),
        (
            "get_peers of both families",
            query("get_peers", &format!("{hash}{both}"), *b"g2"),
        ),
        (
            "get_peers with filters",
            query("get_peers", &format!("{hash}6:scrapei1e"), *b"g3"),
        ),
        ("get", query("get", &format!("6:target20:{target}"), *b"i1")),
        (
            "sample_infohashes",
            query("sample_infohashes", &format!("6:target20:{target}"), *b"s1"),
        ),
        ("nonsense", query("nonsense", "", *b"n1")),
    ])
}

fn receive(socket: &UdpSocket, wait: Duration) -> Option<usize> {
    let mut buffer = [0; 4096];
    socket.set_read_timeout(Some(wait)).expect("an option");
    socket.recv(&mut buffer).ok()
}

/// Rows A3, N15: a stranger's question brings at most four times its length, in datagrams of at most 1,024 bytes.
#[test]
fn one_question_one_small_answer() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let asker = host(&lab, "asker", "11.50.1.2");
    let mut worst: f64 = 0.0;
    for (number, (name, question)) in questions().into_iter().enumerate() {
        let address = format!("11.50.{}.2", number + 2);
        settle(&asker, &address);
        let socket = udp(&asker, &format!("{address}:0"));
        let to = (nodes.addresses[2].as_str(), PORT);
        socket.send_to(&question, to).expect("sent");
        let mut answers: Vec<usize> = receive(&socket, Duration::from_secs(2))
            .into_iter()
            .collect();
        // What is large waits until we prove to be there, and the question for that comes first.
        answers.extend(receive(&socket, Duration::from_millis(300)));
        assert_eq!(
            receive(&socket, Duration::from_millis(100)),
            None,
            "{name}: {answers:?}"
        );
        let answer: usize = answers.iter().sum();
        let ratio = answer as f64 / question.len() as f64;
        println!(
            "{name}: {} bytes, {answer} back, {ratio:.2}",
            question.len()
        );
        worst = worst.max(ratio);
        assert!(
            answers.iter().all(|length| *length <= 1_024),
            "{name}: {answers:?}"
        );
    }
    assert!(worst > 0.5, "it answers");
    assert!(worst <= 4.0, "{worst}");
}

/// Rows A3: three thousand questions a second from one source: a twentieth comes back, and others are answered.
#[test]
fn a_flood_from_one_source() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let [flooder, asker] =
        [("flooder", "11.40.0.2"), ("asker", "11.50.0.2")].map(|(name, at)| host(&lab, name, at));
    let to = format!("{}:{PORT}", nodes.addresses[2]);
    let over = Arc::new(AtomicBool::new(false));
    let (sent, back) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let socket = udp(&flooder, "11.40.0.2:0");
    let (ears, heard, end) = (
        socket.try_clone().expect("a copy"),
        Arc::clone(&back),
        Arc::clone(&over),
    );
    let listening = std::thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            let length = receive(&ears, Duration::from_millis(100)).unwrap_or(0);
            heard.fetch_add(length, Ordering::Relaxed);
        }
    });
    let (count, end, target) = (Arc::clone(&sent), Arc::clone(&over), to.clone());
    let flooding = std::thread::spawn(move || {
        let (start, mut number) = (Instant::now(), 0_u64);
        let questions: Vec<Vec<u8>> = questions().into_values().collect();
        while !end.load(Ordering::Relaxed) {
            let due = u64::try_from(start.elapsed().as_millis()).expect("short") * RATE / 1_000;
            while number < due {
                let question = &questions[usize::try_from(number).expect("few") % questions.len()];
                if socket.send_to(question, &target).is_ok() {
                    count.fetch_add(question.len(), Ordering::Relaxed);
                }
                number += 1;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        number
    });
    let (mut asked, mut answered) = (0, 0);
    let pause = span() / u32::from(ASKERS);
    for address in (1..=ASKERS).map(|n| format!("11.50.{n}.2")) {
        let begun = Instant::now();
        settle(&asker, &address);
        let socket = udp(&asker, &format!("{address}:0"));
        for number in 0..QUESTIONS {
            let transaction = [b'a', number];
            let hash = "9:info_hash20:mnopqrstuvwxyz123456";
            socket
                .send_to(&query("get_peers", hash, transaction), &to)
                .expect("sent");
            asked += 1;
            answered += usize::from(receive(&socket, Duration::from_secs(1)).is_some());
        }
        std::thread::sleep(pause.saturating_sub(begun.elapsed()));
    }
    over.store(true, Ordering::Relaxed);
    let flood = flooding.join().expect("no panic");
    listening.join().expect("no panic");
    let (sent, back) = (sent.load(Ordering::Relaxed), back.load(Ordering::Relaxed));
    let share = back as f64 * 100.0 / sent as f64;
    println!(
        "{flood} questions, {sent} bytes in, {back} out: {share:.2} %; others: {answered} of {asked} answered"
    );
    assert!(flood > RATE, "a flood");
    assert!(back > 0, "it is answered at first");
    assert!(share <= 5.0, "{share:.2} %");
    assert!(answered * 100 >= asked * 95, "{answered} of {asked}");
}
