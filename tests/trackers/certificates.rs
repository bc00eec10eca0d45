//! Certificates of HTTPS trackers by the shipped program, with an authority of the test's own in place of the system's.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::scripted::closed_port;
use crate::support::network::trackless;
use crate::support::process::Process;
use crate::support::{seconds, wait_until};

const CONFIGURATION: &str = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n\
    certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n";

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder)
        .output();
    let output = output.expect("openssl");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {line}: {error}");
}

/// A certificate for this name, good from and to these dates, signed by the authority in the folder.
fn certify(folder: &Path, file: &str, name: &str, dates: [&str; 2]) {
    fs::write(
        folder.join(format!("{file}.ext")),
        format!("subjectAltName={name}\n"),
    )
    .expect("written");
    openssl(
        folder,
        &format!("req -newkey rsa:2048 -nodes -keyout {file}.key -out {file}.csr -subj /CN=t"),
    );
    let [from, to] = dates;
    openssl(
        folder,
        &format!(
            "ca -batch -notext -config ca.cnf -in {file}.csr -out {file}.pem -startdate {from} -enddate {to} -extfile {file}.ext"
        ),
    );
}

/// An HTTPS server that answers with a page: who reads it has trusted it.
fn serve(folder: &Path, file: &str, more: &[&str]) -> (Process, u16) {
    let port = closed_port();
    let mut command = Command::new("openssl");
    let at = format!("127.0.0.1:{port}");
    let (cert, key) = (format!("{file}.pem"), format!("{file}.key"));
    command.args([
        "s_server", "-www", "-accept", &at, "-cert", &cert, "-key", &key,
    ]);
    command.args(more).current_dir(folder);
    let server = Process::start(&format!("server-{port}"), folder, command);
    let up = wait_until(seconds(10), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(up.is_some(), "openssl listens");
    (server, port)
}

/// What the program says about the tracker at this port.
fn verdict(folder: &Path, port: u16) -> String {
    let magnet =
        format!("magnet:?xt=urn:btih:{port:040x}&tr=https%3A%2F%2F127.0.0.1%3A{port}%2Fannounce");
    let mut command = trackless(folder, &["get", &magnet, "-vv", "--no-dht", "--no-lsd"]);
    command.args([
        "--bind",
        "127.0.0.1",
        "--port",
        "0",
        "--state-dir",
        "state",
        "-o",
        "out",
    ]);
    command.env("SSL_CERT_FILE", folder.join("ca.pem"));
    let getting = Process::start(&format!("get-{port}"), folder, command);
    let line = || {
        getting
            .stderr()
            .lines()
            .find(|line| line.contains("a tracker failed"))
            .map(str::to_owned)
    };
    let told = wait_until(seconds(20), || line().is_some());
    assert!(told.is_some(), "{}", getting.stderr());
    line().expect("just seen")
}

/// Rows A24: another name, another time, nobody's signature and an old protocol are refused; with the right certificate
/// the answer is read.
#[test]
fn only_a_right_certificate_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing");
        return;
    }
    for (file, text) in [("ca.cnf", CONFIGURATION), ("index", ""), ("serial", "01\n")] {
        fs::write(folder.join(file), text).expect("written");
    }
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 9 -subj /CN=authority",
    );
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -days 9 -subj /CN=t -addext subjectAltName=IP:127.0.0.1",
    );
    let now = ["20250101000000Z", "20491231000000Z"];
    certify(folder, "good", "IP:127.0.0.1", now);
    certify(folder, "other", "DNS:other.example", now);
    certify(
        folder,
        "expired",
        "IP:127.0.0.1",
        ["20200101000000Z", "20200201000000Z"],
    );
    certify(
        folder,
        "future",
        "IP:127.0.0.1",
        ["20480101000000Z", "20490201000000Z"],
    );
    for (file, more, read) in [
        ("good", &[][..], true),
        ("other", &[][..], false),
        ("expired", &[][..], false),
        ("future", &[][..], false),
        ("self", &[][..], false),
        ("good", &["-tls1_1", "-cipher", "ALL@SECLEVEL=0"][..], false),
    ] {
        let (_server, port) = serve(folder, file, more);
        let told = verdict(folder, port);
        assert_eq!(
            told.contains("no tracker's answer"),
            read,
            "{file} {more:?}: {told}"
        );
    }
}
