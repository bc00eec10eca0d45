//! Which URLs are asked, what becomes of them, where redirects may lead.

use super::super::{Failure, Scheme, TrackerUrl};

fn url(text: &str) -> TrackerUrl {
    TrackerUrl::parse(text).unwrap_or_else(|failure| panic!("{text}: {failure}"))
}

#[test]
fn hosts_and_ports_as_sockets_take_them() {
    for (text, scheme, host, port, data) in [
        (
            "http://t.example/announce",
            Scheme::Http,
            "t.example",
            80,
            "/announce",
        ),
        (
            "HTTPS://T.example:8443/k?passkey=1",
            Scheme::Https,
            "t.example",
            8443,
            "/k?passkey=1",
        ),
        ("udp://t.example:6969", Scheme::Udp, "t.example", 6969, ""),
        (
            "udp://[2001:db8::1]:6969/announce",
            Scheme::Udp,
            "2001:db8::1",
            6969,
            "/announce",
        ),
        (
            "http://[2001:db8::1]/a",
            Scheme::Http,
            "2001:db8::1",
            80,
            "/a",
        ),
        ("udp://t.example/", Scheme::Udp, "t.example", 80, ""),
    ] {
        let url = url(text);
        assert_eq!(
            (url.scheme(), url.host(), url.port()),
            (scheme, host, port),
            "{text}"
        );
        assert_eq!(url.url_data(), data.as_bytes(), "{text}");
    }
    assert!(url("udp://[2001:db8::1]:1").ip().is_some());
    assert!(url("udp://192.0.2.1:1").ip().is_some());
    // Ways to write 127.0.0.1 that a blocklist of texts would miss.
    for text in ["http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/"] {
        assert_eq!(url(text).ip(), Some([127, 0, 0, 1].into()), "{text}");
    }
    assert_eq!(url("http://t.example/").ip(), None);
}

#[test]
fn what_is_not_asked() {
    for text in [
        "",
        "announce",
        "ftp://t.example/announce",
        "file:///etc/passwd",
        "wss://t.example/announce",
        "http://",
        "udp:///announce",
        "http://t.example:0/announce",
        "udp://t.example:0",
        "http://t.example:25/announce",
        "https://t.example:22/",
        "http://t.example:99999/",
    ] {
        assert!(
            matches!(TrackerUrl::parse(text), Err(Failure::Url(_))),
            "{text}"
        );
    }
    let long = format!("http://t.example/{}", "a".repeat(2100));
    assert_eq!(
        TrackerUrl::parse(&long),
        Err(Failure::Url("it is too long"))
    );
}

#[test]
fn a_query_goes_behind_the_one_that_is_there() {
    let with = |text: &str| url(text).with_query("info_hash=%FF%00");
    assert_eq!(with("http://t/a"), "http://t/a?info_hash=%FF%00");
    assert_eq!(
        with("http://t/a?key=%2F1#x"),
        "http://t/a?key=%2F1&info_hash=%FF%00"
    );
}

#[test]
fn redirects_stay_within_the_rules() {
    let from = url("https://t.example/x/announce?a=1");
    let to = |location: &str| from.redirect(location).map(|url| url.to_string());
    assert_eq!(to("/other?b"), Ok("https://t.example/other?b".into()));
    assert_eq!(
        to("https://u.example:444/"),
        Ok("https://u.example:444/".into())
    );
    assert_eq!(
        to("http://t.example/"),
        Err(Failure::Redirect("from https to http"))
    );
    assert_eq!(
        to("udp://t.example:1"),
        Err(Failure::Redirect("to another protocol"))
    );
    assert!(matches!(to("gopher://t.example/"), Err(Failure::Url(_))));
    assert!(matches!(to("https://t.example:25/"), Err(Failure::Url(_))));
    assert!(matches!(to("https://t.example:0/"), Err(Failure::Url(_))));
    let plain = url("http://t.example/announce");
    assert!(plain.redirect("https://t.example/announce").is_ok());
}

#[test]
fn scrapes_have_a_url_of_their_own_if_the_convention_holds() {
    let scrape = |text: &str| url(text).scrape().map(|url| url.to_string());
    // The examples of BEP 48's convention.
    assert_eq!(
        scrape("http://example.com/announce"),
        Some("http://example.com/scrape".into())
    );
    assert_eq!(
        scrape("http://example.com/x/announce"),
        Some("http://example.com/x/scrape".into())
    );
    assert_eq!(
        scrape("http://example.com/announce.php"),
        Some("http://example.com/scrape.php".into())
    );
    assert_eq!(scrape("http://example.com/a"), None);
    assert_eq!(
        scrape("http://example.com/announce?x2%0644"),
        Some("http://example.com/scrape?x2%0644".into())
    );
    assert_eq!(
        scrape("http://example.com/announce?x=2/4"),
        Some("http://example.com/scrape?x=2/4".into())
    );
    assert_eq!(scrape("http://example.com/x%064announce"), None);
    assert_eq!(
        scrape("udp://example.com:1/x"),
        Some("udp://example.com:1/x".into())
    );
}
