//! Any text as a tracker's URL and as redirects from there (reliability.md A20-A23, A25).
//!
//! What is accepted has a host, a port that may be asked and one of three schemes; what is shown of it hides the path;
//! an address that it names is judged the same however it is spelled.
#![cfg_attr(fuzzing, no_main)]

use std::net::IpAddr;

use bencode::{AddressPolicy, Endpoint};
use trackless::tracker::url::MAX_URL;
use trackless::tracker::{Scheme, TrackerUrl};

/// One input: a URL, and behind each line break where it redirects to.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let Some(Ok(mut url)) = lines.next().map(TrackerUrl::parse) else {
        return;
    };
    if url.to_string().len() <= MAX_URL {
        let again = TrackerUrl::parse(&url.to_string());
        assert_eq!(again.as_ref(), Ok(&url), "it was accepted");
    }
    check(&url);
    // More than a tracker may follow.
    for location in lines.take(4) {
        let Ok(next) = url.redirect(location) else {
            continue;
        };
        assert!(url.scheme() != Scheme::Https || next.scheme() == Scheme::Https);
        assert!(next.scheme() != Scheme::Udp);
        check(&next);
        url = next;
    }
}

fn check(url: &TrackerUrl) {
    assert_ne!(url.port(), 0);
    assert!(!url.host().is_empty() && url.host().is_ascii());
    let whole = url.to_string();
    // A redirect may name what an announce says, a torrent's URL may not: then it is not accepted again.
    if let Ok(again) = TrackerUrl::parse(&whole) {
        assert_eq!(
            (again.scheme(), again.port(), again.ip()),
            (url.scheme(), url.port(), url.ip())
        );
    }
    let name = url.name();
    assert!(
        name.ends_with(&format!(":{}", url.port())) && !name.contains(['?', '#', '@']),
        "{name}"
    );
    assert!(!url.url_data().contains(&b'#'));
    let asked = url.with_query("info_hash=x");
    assert!(
        asked.ends_with("info_hash=x") && !asked.contains(['#', '\n', '\r', ' ']),
        "{asked}"
    );
    if let Some(scrape) = url.scrape() {
        assert_eq!(
            (scrape.scheme(), scrape.port(), scrape.host()),
            (url.scheme(), url.port(), url.host())
        );
    }
    if let Some(ip) = url.ip() {
        judge(ip, url.port());
    }
}

/// Nothing special is let through, also not inside an IPv6 address.
fn judge(ip: IpAddr, port: u16) {
    let policy = AddressPolicy::default();
    let admitted = policy.admits(Endpoint::new(ip, port));
    let plain = ip.to_canonical();
    assert_eq!(admitted, policy.admits(Endpoint::new(plain, port)), "{ip}");
    let special = match plain {
        IpAddr::V4(ip) => {
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    };
    assert!(!(special && admitted), "{ip}");
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
