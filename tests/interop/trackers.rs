//! Our client with other people's trackers: opentracker over HTTP and UDP, nginx in front of one for
//! HTTPS, redirects and compression. No DHT, no PEX: what arrives, trackers have arranged.
//!
//! opentracker in Debian's build serves only the info hashes of a list (`-w`).

use std::path::Path;
use std::process::Command;

use crate::LIMIT;
use crate::clients::{Client, TRACKLESS};
use crate::lab::{Host, Lab};
use crate::support::process::Process;
use crate::support::torrent::{Sample, string};
use crate::support::{seconds, wait_until};

const PORT: &str = "6969";

/// Whether `programs` are there.
///
/// # Panics
/// When one is missing and `CI` is set.
fn has(programs: &[(&str, &str)]) -> bool {
    for (program, package) in programs {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if !found.is_ok_and(|found| found.status.success()) {
            assert!(
                std::env::var_os("CI").is_none(),
                "{program} is missing: apt-get install {package}"
            );
            eprintln!("skipped: {program} is missing; install with: apt-get install {package}");
            return false;
        }
    }
    true
}

/// opentracker on `host`, serving `sample` only.
fn opentracker(host: &Host, sample: &Sample) -> Process {
    let folder = host.new_folder("opentracker");
    std::fs::write(folder.join("list"), format!("{}\n", sample.info_hash)).expect("a list");
    let chroot = folder.to_str().expect("UTF-8");
    let arguments = [
        "-i",
        host.address(),
        "-p",
        PORT,
        "-P",
        PORT,
        "-d",
        chroot,
        "-u",
        "nobody",
        "-w",
        "list",
    ];
    let tracker = host.start("opentracker", "opentracker", &arguments);
    let stats = format!("http://{}:{PORT}/stats", host.address());
    let up = wait_until(seconds(10), || {
        host.run("curl", &["-s", "-m", "1", &stats]).is_some()
    });
    assert!(up.is_some(), "opentracker serves");
    tracker
}

/// The torrent file of `sample` with one tracker.
pub fn tracked(sample: &Sample, folder: &Path, url: &str) -> String {
    let plain = std::fs::read(&sample.torrent).expect("the torrent file");
    let file = [
        b"d8:announce".as_slice(),
        &string(url.as_bytes()),
        &plain[1..],
    ]
    .concat();
    let path = folder.join("tracked.torrent");
    std::fs::write(&path, file).expect("a torrent file");
    path.to_str().expect("UTF-8").to_owned()
}

/// `trackless` on `host` with trackers as the only source of peers.
fn trackless(host: &Host, name: &str, arguments: &[&str], trust: Option<&Path>) -> Process {
    let mut command = host.command(TRACKLESS);
    command
        .args(arguments)
        .args(["--bind", host.address(), "--no-dht", "--no-pex", "--no-lsd"]);
    if let Some(file) = trust {
        command.env("SSL_CERT_FILE", file);
    }
    Process::start(name, host.folder(), command)
}

/// One of us seeds with this announce URL and another downloads with that one.
fn meets(lab: &Lab, sample: &Sample, seeding: &str, getting: &str, trust: Option<&Path>) -> String {
    let name = getting.split(':').next().unwrap_or_default();
    let (from, to) = (
        lab.host(&format!("{name}-from"), 1),
        lab.host(&format!("{name}-to"), 1),
    );
    let torrent = tracked(sample, from.folder(), seeding);
    let data = sample.data.to_str().expect("UTF-8");
    let mut seeder = trackless(&from, "seed", &["seed", &torrent, "--data", data], trust);
    let announced = wait_until(seconds(20), || {
        seeder.stderr().contains(" peers") || seeder.ended().is_some()
    });
    assert!(
        announced.is_some(),
        "the seeder announces itself: {}",
        seeder.stderr()
    );
    let folder = to.new_folder("downloads");
    let magnet = format!("{}&tr={getting}", sample.magnet());
    let arguments = [
        "get",
        &magnet,
        "-o",
        folder.to_str().expect("UTF-8"),
        "--json",
    ];
    let mut getter = trackless(&to, "get", &arguments, trust);
    let start = std::time::Instant::now();
    assert_eq!(getter.wait(LIMIT).code(), Some(0), "trackless get");
    assert!(sample.is_complete_in(&folder));
    println!("by {getting}: {:.1} s", start.elapsed().as_secs_f64());
    let text = getter.stdout();
    assert!(text.contains("\"source\":\"tracker\""), "{text}");
    seeder.signal("INT");
    seeder.wait(seconds(10));
    text
}

#[test]
fn opentracker_over_http_and_udp_brings_us_together() {
    if !super::can_run(&[Client::Trackless]) || !has(&[("opentracker", "opentracker")]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "opentracked.bin", 2_000_001, 65_536);
    let host = lab.host("tracker", 1);
    let _tracker = opentracker(&host, &sample);
    let url = |scheme: &str| format!("{scheme}://{}:{PORT}/announce", host.address());
    meets(&lab, &sample, &url("http"), &url("http"), None);
    meets(&lab, &sample, &url("udp"), &url("udp"), None);
    // Everybody has said goodbye: the tracker knows nobody any more, and one download for each of both.
    let stats = format!("http://{}:{PORT}/stats?mode=scrp", host.address());
    let scrape = format!(
        "http://{}:{PORT}/scrape?info_hash={}",
        host.address(),
        escaped(&sample.info_hash)
    );
    let answer = host.run("curl", &["-s", &scrape]).unwrap_or_default();
    assert!(
        answer.contains("8:completei0e10:downloadedi2e10:incompletei0e"),
        "{answer:?} ({stats})"
    );
}

/// Hexadecimal digits as a query has them.
fn escaped(hex: &str) -> String {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| format!("%{}", String::from_utf8_lossy(pair)))
        .collect()
}

/// A CA, and a certificate of it for `address`.
fn certify(address: &str, folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output()
            .expect("openssl");
        assert!(output.status.success(), "{output:?}");
    };
    let name = format!("subjectAltName=IP:{address}");
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=a CA of this test",
    ]);
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "csr.pem",
        "-subj",
        "/CN=tracker",
    ]);
    std::fs::write(folder.join("ext"), &name).expect("a file");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "csr.pem",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-out",
        "cert.pem",
        "-extfile",
        "ext",
    ]);
}

/// nginx on `host`: http redirects to https, https hands announces to opentracker behind it, compressed.
fn nginx(host: &Host, folder: &Path) -> Process {
    let address = host.address();
    certify(address, folder);
    let path = folder.display();
    let config = format!(
        "daemon off; pid {path}/pid; error_log {path}/error.log; worker_processes 1; user root;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log {path}/access.log; gzip on; gzip_min_length 1; gzip_types *; default_type text/plain;\n\
         client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path}; uwsgi_temp_path {path}; \
         scgi_temp_path {path};\n\
         server {{ listen {address}:80; return 301 https://{address}$request_uri; }}\n\
         server {{ listen {address}:443 ssl; ssl_certificate {path}/cert.pem; ssl_certificate_key {path}/key.pem;\n\
         location = /announce {{ alias {path}/reply; }} }} }}\n"
    );
    std::fs::write(folder.join("nginx.conf"), config).expect("a configuration");
    let configuration = format!("{path}/nginx.conf");
    let server = host.start(
        "nginx",
        "nginx",
        &["-p", &path.to_string(), "-c", &configuration],
    );
    let up = wait_until(seconds(10), || {
        host.run("curl", &["-sk", "-m", "1", &format!("https://{address}/")])
            .is_some()
    });
    assert!(up.is_some(), "nginx serves");
    server
}

#[test]
fn https_redirects_and_compression_by_nginx() {
    let programs = [("nginx", "nginx-light"), ("openssl", "openssl")];
    if !super::can_run(&[Client::Trackless]) || !has(&programs) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "encrypted.bin", 1_000_001, 65_536);
    let (host, from, to) = (
        lab.host("tracker", 1),
        lab.host("from", 1),
        lab.host("to", 1),
    );
    let folder = host.new_folder("nginx");
    // The tracker knows one peer, the seeder, on a port that is fixed.
    let seeder: std::net::Ipv4Addr = from.address().parse().expect("IPv4");
    let peer = [&seeder.octets()[..], &6900_u16.to_be_bytes()].concat();
    let reply = [b"d8:intervali1800e5:peers6:".as_slice(), &peer, b"e"].concat();
    std::fs::write(folder.join("reply"), reply).expect("a reply");
    let _server = nginx(&host, &folder);
    let (torrent, data) = (
        sample.torrent.to_str().expect("UTF-8"),
        sample.data.to_str().expect("UTF-8"),
    );
    let _seeder = trackless(
        &from,
        "seed",
        &["seed", torrent, "--data", data, "--port", "6900"],
        None,
    );
    // Asked by http, redirected to https, answered compressed.
    let magnet = format!("{}&tr=http://{}/announce", sample.magnet(), host.address());
    let output = to.new_folder("downloads");
    let arguments = [
        "get",
        &magnet,
        "-o",
        output.to_str().expect("UTF-8"),
        "--timeout",
        "8s",
    ];
    let mut untrusting = trackless(&to, "untrusting", &arguments, None);
    assert_eq!(
        untrusting.wait(seconds(30)).code(),
        Some(5),
        "nobody vouches for the certificate"
    );
    assert!(
        untrusting.stderr().contains("certificate"),
        "{}",
        untrusting.stderr()
    );
    let mut trusting = trackless(&to, "trusting", &arguments, Some(&folder.join("ca.pem")));
    assert_eq!(trusting.wait(LIMIT).code(), Some(0), "trackless get");
    assert!(sample.is_complete_in(&output));
    let log = std::fs::read_to_string(folder.join("access.log")).expect("a log");
    assert!(log.contains("\" 301 ") && log.contains("\" 200 "), "{log}");
}
