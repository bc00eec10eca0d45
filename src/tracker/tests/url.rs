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

/// Rows A21: ports of other protocols are not spoken to, below 1024 only 80 and 443 in HTTP.
#[test]
fn ports_of_other_protocols_are_not_spoken_to() {
    let allowed = |text: String| TrackerUrl::parse(&text).is_ok();
    let foreign = [
        21, 22, 23, 25, 53, 110, 143, 445, 465, 587, 993, 995, 2375, 3306, 5432, 6379, 6667, 9200,
        11211, 27017,
    ];
    for port in foreign {
        for scheme in ["http", "https", "udp"] {
            let text = format!("{scheme}://t.example:{port}/announce");
            assert!(!allowed(text.clone()), "{text}");
            assert!(url("http://t.example/").redirect(&text).is_err(), "{text}");
        }
    }
    for port in (1..1024).filter(|port| ![80, 443].contains(port)) {
        assert!(!allowed(format!("http://t.example:{port}/")), "{port}");
    }
    for text in [
        "http://t.example:443/",
        "https://t.example:80/",
        "udp://t.example:451/announce",
    ] {
        assert!(allowed(text.to_owned()), "{text}");
    }
    // A line break that would begin a command of another protocol is not sent as one.
    let told = url("http://t.example:1024/a\r\nQUIT?x=\r\ny").with_query("info_hash=x");
    assert_eq!(told, "http://t.example:1024/aQUIT?x=y&info_hash=x");
    let told = url("http://t.example:1024/a%0d%0aQUIT").to_string();
    assert_eq!(told, "http://t.example:1024/a%0d%0aQUIT");
}

/// Rows A22: a URL that brings the words of an announce does not speak in our name.
#[test]
fn a_url_does_not_bring_our_words() {
    for query in [
        "info_hash=%01",
        "a=b&peer_id=x",
        "passkey=1&port=25",
        "INFO_HASH=1",
        "info%5Fhash=1",
        "x;left=0",
        "event=stopped",
        "ip=192.0.2.1",
        "left",
    ] {
        let text = format!("http://t.example/announce?{query}");
        assert!(
            matches!(TrackerUrl::parse(&text), Err(Failure::Url(_))),
            "{text}"
        );
    }
    for query in ["passkey=left", "key=1", "reporting=1", "a=%26left=0"] {
        let text = format!("http://t.example/announce?{query}");
        assert!(TrackerUrl::parse(&text).is_ok(), "{text}");
    }
    // Where a tracker sends us it repeats what we said.
    let from = url("http://t.example/announce");
    assert!(
        from.redirect("https://t.example/announce?info_hash=%01&left=0")
            .is_ok()
    );
}

/// Rows A23: a host that looks like another one is not asked, and punycode is shown as it is.
#[test]
fn hosts_that_look_like_others() {
    for text in [
        "http://bt1.archiv\u{ff45}.org/announce",
        "http://tr\u{430}cker.example/announce",
        "udp://tr\u{430}cker.example:1/announce",
        "http://\u{2460}27.0.0.1/",
        "http://127\u{3002}0\u{3002}0\u{3002}1/",
        "http:\u{2f}\u{2f}user@b\u{fc}cher.example/",
        "http:\\\\b\u{fc}cher.example/",
        "http:b\u{fc}cher.example/",
        "http://%6c%6fcalhost/",
        "http://b%C3%BCcher.example/",
        "http://t\u{ad}.example/",
    ] {
        assert!(
            matches!(TrackerUrl::parse(text), Err(Failure::Url(_))),
            "{text}"
        );
    }
    let from = url("http://t.example/announce");
    for location in [
        "//b%C3%BCcher.example/",
        "http://%74.example/",
        "https://\u{ff54}.example/",
    ] {
        assert!(from.redirect(location).is_err(), "{location}");
    }
    assert!(from.redirect("/b%C3%BCcher?x=//%20").is_ok());
    let puny = url("http://xn--bcher-kva.example/announce");
    assert_eq!(puny.name(), "http://xn--bcher-kva.example:80");
    assert!(TrackerUrl::parse("http://t.example/b\u{fc}cher").is_ok());
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

/// Rows A25: a redirect goes neither back to http nor to another protocol, nor to one of its ports.
#[test]
fn redirects_stay_within_the_rules() {
    let from = url("https://t.example/x/announce?a=1");
    let to = |location: &str| from.redirect(location).map(|url| url.to_string());
    assert_eq!(to("/other?b"), Ok("https://t.example/other?b".into()));
    assert_eq!(
        to("https://u.example:1444/"),
        Ok("https://u.example:1444/".into())
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

/// Rows A23: what readers of URLs pass over hides no host.
#[test]
fn look_alikes_behind_what_is_passed_over() {
    let base = TrackerUrl::parse("http://tracker.example/announce").unwrap();
    for text in [
        "\0http://%74racker.example/announce",
        "\u{1f} http://%74racker.example/announce",
        "ht\ttp://%74racker.example/announce",
        "http\n://%74racker.example/announce",
        "http:/\t/%74racker.example/announce",
        "http://user@%74racker.example/announce",
        "\0udp://tr\u{430}cker.example:6969",
        "u\tdp://tr\u{430}cker.example:6969",
        "https:E\u{fffd}\u{ad}\u{fffd}%t?",
        // Ends the host for some readers only.
        "udp://t.e\\@t\u{fffd}a/",
        "http://tracker.example\\@other.example/",
    ] {
        let refused = Failure::Url("its host is not written in plain ASCII");
        assert_eq!(TrackerUrl::parse(text), Err(refused.clone()), "{text:?}");
        assert_eq!(base.redirect(text), Err(refused), "{text:?}");
    }
    for location in [
        "/\t/%74racker.example/",
        "/\\%74racker.example/",
        "\0//%74racker.example/",
    ] {
        assert!(base.redirect(location).is_err(), "{location:?}");
    }
    assert!(TrackerUrl::parse("http://%40user:p%20w@tracker.example/announce").is_ok());
}
