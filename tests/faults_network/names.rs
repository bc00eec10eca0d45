//! Names and addresses of trackers that lead where they must not, and resolvers that lie or are silent (reliability.md
//! N13, A20). The resolver is a stub of ours; what counts is whom the program calls, by the ears of those who are called.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::lab::{Host, Lab};
use crate::stage::{can_run, get, host, inside, tcp, udp};
use crate::support::http::escaped;
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

type Heard = Arc<Mutex<Vec<String>>>;

/// A resolver for one host, told to it by `/etc/netns/NAME/resolv.conf`, which ends with the value.
struct Resolver {
    folder: PathBuf,
    asked: Heard,
}

impl Resolver {
    /// Answers on `on` for `us`: per name what each further question gets; silence for other names.
    fn start(
        on: &Host,
        at: &str,
        us: &Host,
        zone: BTreeMap<&'static str, Vec<Vec<IpAddr>>>,
    ) -> Resolver {
        let folder = PathBuf::from("/etc/netns").join(us.namespace());
        fs::create_dir_all(&folder).expect("root");
        let options = "options timeout:20 attempts:2\n";
        fs::write(
            folder.join("resolv.conf"),
            format!("nameserver {at}\n{options}"),
        )
        .expect("written");
        let asked = Heard::default();
        let (socket, shared) = (udp(on, &format!("{at}:53")), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some((name, kind)) = question(&buffer[..length]) else {
                    continue;
                };
                shared.lock().expect("no panic").push(name.clone());
                let Some(answers) = zone.get(name.as_str()) else {
                    continue;
                };
                let count = counts.entry(format!("{name} {kind}")).or_default();
                let ips = answers
                    .get(*count)
                    .or(answers.last())
                    .cloned()
                    .unwrap_or_default();
                *count += 1;
                let _ = socket.send_to(&answer(&buffer[..length], kind, &ips), from);
            }
        });
        Resolver { folder, asked }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Name and type of a question (RFC 1035 §4.1.2).
fn question(datagram: &[u8]) -> Option<(String, u16)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*datagram.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(datagram.get(at + 1..at + 1 + length)?).into_owned());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([*datagram.get(at + 1)?, *datagram.get(at + 2)?]);
    Some((labels.join("."), kind))
}

/// The answer with the addresses of the type asked for, to be kept for 0 s; with none at all the name does not exist.
fn answer(datagram: &[u8], kind: u16, ips: &[IpAddr]) -> Vec<u8> {
    let records: Vec<Vec<u8>> = ips
        .iter()
        .filter_map(|ip| match (ip, kind) {
            (IpAddr::V4(ip), 1) => Some(ip.octets().to_vec()),
            (IpAddr::V6(ip), 28) => Some(ip.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut out = datagram[..2].to_vec();
    let code = if ips.is_empty() { 3 } else { 0 };
    out.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(records.len()).expect("few"),
        0,
        0,
        0,
        0,
    ]);
    let mut end = 12;
    while datagram[end] != 0 {
        end += 1 + usize::from(datagram[end]);
    }
    out.extend(&datagram[12..end + 5]);
    for record in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            u8::try_from(record.len()).expect("16 at most"),
        ]);
        out.extend(record);
    }
    out
}

/// Notes every connection with its first line; `reply` makes the answer for a target.
fn ears(listener: TcpListener, heard: &Heard, reply: impl Fn(&str) -> String + Send + 'static) {
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 2048];
            let length = stream.read(&mut buffer).unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let target = text.split(' ').nth(1).unwrap_or_default().to_owned();
            heard.lock().expect("no panic").push(target.clone());
            let _ = stream.write_all(reply(&target).as_bytes());
        }
    });
}

fn listen(socket: UdpSocket, heard: &Heard) {
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, _)) = socket.recv_from(&mut buffer) {
            heard
                .lock()
                .expect("no panic")
                .push(format!("{length} bytes over UDP"));
        }
    });
}

const NO_PEERS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nd8:intervali1800e5:peers0:e";

/// Where a request for `/to/N` of the honest tracker is sent.
const REDIRECTS: [&str; 8] = [
    "http://127.0.0.1:8080/announce",
    "http://[::1]:8080/announce",
    "http://localhost:8080/announce",
    "http://loop.test:8080/announce",
    "//2130706433:8080/announce",
    "http://[::ffff:127.0.0.1]:8080/announce",
    "http://169.254.169.254/latest/meta-data/",
    "http://11.0.0.1:8080/announce",
];

/// Ways to say this machine, its network, the metadata service: none may be called. Names are the stub's.
const FORMS: [&str; 46] = [
    "http://127.0.0.1:8080/announce",
    "http://127.1:8080/announce",
    "http://127.0.1:8080/announce",
    "http://2130706433:8080/announce",
    "http://0x7f000001:8080/announce",
    "http://0x7f.0.0.1:8080/announce",
    "http://0177.0.0.1:8080/announce",
    "http://0177.0x0.0.1:8080/announce",
    "http://017700000001:8080/announce",
    "http://127.0.0.1.:8080/announce",
    "http://127.255.255.254:8080/announce",
    "http://0:8080/announce",
    "http://0.0.0.0:8080/announce",
    "http://[::1]:8080/announce",
    "http://[0:0:0:0:0:0:0:1]:8080/announce",
    "http://[::]:8080/announce",
    "http://[::127.0.0.1]:8080/announce",
    "http://[::ffff:127.0.0.1]:8080/announce",
    "http://[::ffff:7f00:1]:8080/announce",
    "http://[64:ff9b::7f00:1]:8080/announce",
    "http://[2002:7f00:1::]:8080/announce",
    "http://[2001:0:7f00:1::]:8080/announce",
    "http://[fe80::1]:8080/announce",
    "http://[fd00::1]:8080/announce",
    "http://localhost:8080/announce",
    "http://LOCALHOST:8080/announce",
    "http://localhost.:8080/announce",
    "http://a.localhost:8080/announce",
    "http://loop.test:8080/announce",
    "http://loop6.test:8080/announce",
    "http://mapped.test:8080/announce",
    "http://lan.test:8080/announce",
    "http://meta.test/announce",
    "http://169.254.169.254/announce",
    "http://user:password@127.0.0.1:8080/announce",
    "http://11.3.0.2@127.0.0.1:8080/announce",
    "http://127.0.0.1:8080#@11.3.0.2/announce",
    "http:\\\\127.0.0.1:8080\\announce",
    "http:127.0.0.1:8080/announce",
    "http:///127.0.0.1:8080/announce",
    "https://127.0.0.1:8080/announce",
    "udp://127.0.0.1:8080/announce",
    "udp://[::1]:8080/announce",
    "udp://2130706433:8080/announce",
    "udp://loop.test:8080/announce",
    "udp://localhost:8080/announce",
];

fn zone() -> BTreeMap<&'static str, Vec<Vec<IpAddr>>> {
    let ips = |texts: &[&str]| -> Vec<IpAddr> {
        texts
            .iter()
            .map(|it| it.parse().expect("an address"))
            .collect()
    };
    let many: Vec<String> = (0..28).map(|n| format!("11.6.{n}.9")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    BTreeMap::from([
        ("loop.test", vec![ips(&["127.0.0.1"])]),
        ("loop6.test", vec![ips(&["::1"])]),
        ("mapped.test", vec![ips(&["::ffff:127.0.0.1"])]),
        (
            "lan.test",
            vec![ips(&["192.168.1.1", "10.0.0.1", "127.0.0.1"])],
        ),
        ("meta.test", vec![ips(&["169.254.169.254"])]),
        ("mixed.test", vec![ips(&["127.0.0.1", "11.3.0.2"])]),
        ("rebind.test", vec![ips(&["11.3.0.2"]), ips(&["127.0.0.1"])]),
        ("many.test", vec![ips(&many)]),
        ("gone.test", vec![Vec::new()]),
        ("a.localhost", vec![Vec::new()]),
        ("localhost", vec![Vec::new()]),
    ])
}

/// Magnet links whose trackers are all of them; the last tracker of each is good. One link names few trackers.
fn magnets() -> Vec<String> {
    let mut urls: Vec<String> = FORMS.map(str::to_owned).into();
    urls.extend((0..REDIRECTS.len()).map(|n| format!("http://11.3.0.2:8080/to/{n}")));
    for name in ["rebind.test", "rebind.test", "mixed.test", "mixed.test"] {
        urls.push(format!("http://{name}:8080/fails/{}", urls.len()));
    }
    urls.push("http://gone.test:8080/announce".to_owned());
    let link = |(number, urls): (usize, &[String])| {
        let last = format!("http://11.3.0.2:8080/last/{number}");
        let trackers = urls
            .iter()
            .chain([&last])
            .map(|url| format!("&tr={}", escaped(url)));
        let trackers: String = trackers.collect();
        format!("magnet:?xt=urn:btih:{:040x}{trackers}", number + 1)
    };
    urls.chunks(20).enumerate().map(link).collect()
}

/// Rows A20, N13, A25: forty-six addresses, eight redirects and a name that changes its mind lead nobody into the
/// user's own network; a name of many addresses is tried at few of them.
#[test]
fn nobody_is_led_home() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let [us, world] =
        [("us", "11.2.0.2"), ("world", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
    let resolver = Resolver::start(&world, "11.3.0.2", &us, zone());
    let (home, tracker) = (Heard::default(), Heard::default());
    for address in ["0.0.0.0:8080", "[::1]:8080", "127.0.0.1:80"] {
        ears(tcp(&us, address), &home, |_| NO_PEERS.to_owned());
    }
    for address in ["0.0.0.0:8080", "[::1]:8080"] {
        listen(udp(&us, address), &home);
    }
    ears(tcp(&world, "11.3.0.2:8080"), &tracker, |target| {
        let number = target
            .strip_prefix("/to/")
            .and_then(|rest| rest.split('?').next()?.parse::<usize>().ok());
        match number.and_then(|number| REDIRECTS.get(number)) {
            Some(to) => {
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
            }
            None if target.starts_with("/fails") => {
                "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            None => NO_PEERS.to_owned(),
        }
    });
    let all = magnets();
    let mut how = all[1..].to_vec();
    how.extend(["--no-dht", "--no-lsd"].map(str::to_owned));
    let getting = get(&us, &all[0], &how);
    let asked = |what: &str| {
        tracker
            .lock()
            .expect("no panic")
            .iter()
            .filter(|it| it.starts_with(what))
            .count()
    };
    let done = wait_until(seconds(60), || asked("/last/") >= all.len());
    let seen = tracker.lock().expect("no panic").clone();
    assert!(done.is_some(), "{seen:?} {}", getting.stderr());
    let home = home.lock().expect("no panic").clone();
    assert!(home.is_empty(), "called at home: {home:?}");
    assert_eq!(asked("/to/"), REDIRECTS.len(), "{seen:?}");
    // Asked twice, checked twice: the address that was checked is the one that is called.
    assert!(asked("/fails/") >= 2, "{seen:?}");
    assert!(
        resolver
            .asked
            .lock()
            .expect("no panic")
            .iter()
            .any(|name| name == "rebind.test")
    );
    // The ears do hear.
    let called = inside(&us, || {
        std::net::TcpStream::connect("127.0.0.1:8080").is_ok()
    });
    assert!(called);
}

/// Rows N13: of a name with twenty-eight addresses sixteen are used.
#[test]
fn a_name_with_many_addresses() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "many", 100_000, 65_536);
    let [us, world] =
        [("us", "11.2.0.2"), ("world", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
    let _resolver = Resolver::start(&world, "11.3.0.2", &us, zone());
    let how = crate::stage::by_peers(&["many.test:6881".to_owned()]);
    let getting = get(&us, &sample.magnet(), &how);
    let tried = || {
        let text = getting.stdout();
        let events = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let peers = events.filter(|event| event["type"] == "peers");
        peers
            .filter_map(|event| event["found"].as_u64())
            .sum::<u64>()
    };
    let found = wait_until(seconds(15), || tried() > 0);
    assert!(found.is_some(), "{}", getting.stdout());
    let more = wait_until(seconds(1), || tried() > 16);
    assert!(more.is_none() && tried() == 16, "{}", getting.stdout());
}

/// Rows N13: a resolver that says nothing holds up neither the DHT's way in nor the end.
#[test]
fn a_silent_resolver_holds_up_nothing() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = crate::stage::Nodes::start(&lab);
    let sample = Sample::single(lab.folder(), "silent", 300_000, 65_536);
    let names = [
        ("us", "11.2.0.2"),
        ("world", "11.3.0.2"),
        ("seeder", "11.4.0.2"),
    ];
    let [us, world, seeder] = names.map(|(name, at)| host(&lab, name, at));
    let resolver = Resolver::start(&world, "11.3.0.2", &us, BTreeMap::new());
    let by_dht = crate::stage::by_dht(&nodes.entry());
    let _seeding = crate::stage::seed(&seeder, &sample, "100k", &by_dht);
    let magnet = format!(
        "{}&tr=http%3A%2F%2Fsilent.test%3A8080%2Fannounce",
        sample.magnet()
    );
    let mut how: Vec<String> = ["--no-lsd", "--bootstrap", "silent.example:6881"]
        .map(str::to_owned)
        .into();
    how.extend(["--bootstrap".to_owned(), nodes.entry()]);
    let mut getting = get(&us, &magnet, &how);
    let began = wait_until(seconds(15), || crate::stage::have(&getting) > 0);
    let began = began.unwrap_or_else(|| panic!("no data: {}", getting.stdout()));
    assert!(!resolver.asked.lock().expect("no panic").is_empty());
    getting.signal("TERM");
    let ended = wait_until(seconds(20), || getting.ended().is_some()).expect("it ends");
    println!(
        "silent resolver: first data {:.1} s, SIGTERM to exit {:.1} s",
        began.as_secs_f64(),
        ended.as_secs_f64()
    );
    assert!(ended < seconds(4), "{ended:?}");
}
