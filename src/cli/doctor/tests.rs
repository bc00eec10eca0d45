//! How findings are told, and what they make of the exit code.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::super::plan::{Families, Switch};
use super::*;
use crate::cli::plan::NetworkPlan;

/// A network that nobody is in.
pub(super) fn network() -> NetworkPlan {
    NetworkPlan {
        port: 0,
        bind: None,
        families: Families::Both,
        bootstrap: Vec::new(),
        peers: Vec::new(),
        allowed: Vec::new(),
        dht: Switch::Off,
        pex: Switch::Off,
        lsd: Switch::Off,
        trackers: Switch::Off,
        confine: Switch::On,
        state_dir: ".".into(),
    }
}

/// Stdout that can be read afterwards.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn told(style: Style, finding: Finding) -> String {
    let page = Page::default();
    let mut reporter =
        Reporter::with_writers(style, Box::new(page.clone()), Box::new(std::io::sink()));
    let mut chart = Chart {
        reporter: &mut reporter,
        findings: Vec::new(),
    };
    chart.add(finding);
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_finding_is_one_line_and_its_hint_another() {
    let finding = Finding::warning("port", "closed \x1b").hint("open it");
    assert_eq!(
        told(Style::Lines, finding.clone()),
        "warning  port       closed \\u{1b}\n                    hint: open it\n"
    );
    let event: serde_json::Value = serde_json::from_str(&told(Style::Json, finding)).unwrap();
    assert_eq!(event["type"], "check");
    assert_eq!(event["verdict"], "warning");
    assert_eq!(event["hint"], "open it");
}

#[test]
fn without_the_network_the_rest_is_still_checked() {
    let page = Page::default();
    let mut reporter = Reporter::with_writers(
        Style::Json,
        Box::new(page.clone()),
        Box::new(std::io::sink()),
    );
    let dir = tempfile::tempdir().unwrap();
    let plan = |output: &str| DoctorPlan {
        output: dir.path().join(output),
        patience: std::time::Duration::from_secs(1),
        network: network(),
    };
    assert_eq!(run(plan("new"), &mut reporter), Ok(ExitCode::Ok));
    let bytes = page.0.lock().unwrap().clone();
    let events = String::from_utf8(bytes).unwrap();
    for name in ["clock", "dns", "udp", "ipv6", "disk", "state", "limits"] {
        assert!(events.contains(&format!("\"name\":\"{name}\"")), "{events}");
    }
    std::fs::write(dir.path().join("file"), "").unwrap();
    let failure = run(plan("file"), &mut reporter).unwrap_err();
    assert_eq!(failure.code, ExitCode::Io);
    assert!(failure.message.contains("disk first"), "{failure}");
}
