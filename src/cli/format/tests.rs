//! Parse tables, rendering tables, and the properties that tie them together.

use proptest::prelude::*;

use super::*;

#[test]
fn sizes() {
    for (text, expected) in [
        ("0", 0),
        ("17", 17),
        ("500k", 500 << 10),
        ("500K", 500 << 10),
        ("2.5M", 5 << 19),
        ("1GiB", 1 << 30),
        ("64 KiB", 64 << 10),
        ("1.5 MB", 1_500_000),
        ("2M/s", 2 << 20),
        (" 3b ", 3),
        (".5k", 512),
        ("1T", 1 << 40),
        ("16777215T", 16_777_215 << 40),
    ] {
        assert_eq!(parse_bytes(text), Ok(expected), "{text}");
    }
    for text in [
        "",
        "k",
        "-1",
        "1.2.3",
        "1e3",
        "5 parsecs",
        "1 k k",
        "16777216T",
        "99999999999999999999",
        "٣k",
        "1,5k",
    ] {
        assert!(parse_bytes(text).is_err(), "{text}");
    }
}

#[test]
fn durations() {
    for (text, millis) in [
        ("90s", 90_000),
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        ("2d", 172_800_000),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        ("7", 7_000),
        ("0", 0),
    ] {
        assert_eq!(
            parse_duration(text),
            Ok(Duration::from_millis(millis)),
            "{text}"
        );
    }
    for text in [
        "",
        "s",
        "soon",
        "-5s",
        "5 weeks",
        "1.2.3s",
        "99999999999999999999d",
        "213503982335d",
    ] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn ratios() {
    assert_eq!(parse_ratio("1.5"), Ok(1.5));
    for text in ["-1", "nan", "inf", "", "x"] {
        assert!(parse_ratio(text).is_err(), "{text}");
    }
}

#[test]
fn sizes_for_people() {
    for (count, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (22_630, "22.0 KiB"),
        (827_326_464, "789.0 MiB"),
        ((1 << 30) - 1, "1023.9 MiB"),
        (1 << 30, "1.0 GiB"),
        (3 << 39, "1.5 TiB"),
        (u64::MAX, "16777215.9 TiB"),
    ] {
        assert_eq!(bytes(count), text);
    }
    assert_eq!(bytes_of(355_783_680, 827_326_464), "339.3/789.0 MiB");
    assert_eq!(bytes_of(0, 10), "0/10 B");
    assert_eq!(rate(13_002_342), "12.3 MiB/s");
}

#[test]
fn times_for_people() {
    for (millis, text) in [
        (0, "0.0 s"),
        (432, "0.4 s"),
        (9_999, "9.9 s"),
        (36_000, "36 s"),
        (64_000, "1 m 04 s"),
        (7_500_000, "2 h 05 m"),
        (273_600_000, "3 d 04 h"),
    ] {
        assert_eq!(duration(Duration::from_millis(millis)), text);
    }
    assert_eq!(eta(None), "—");
    assert_eq!(eta(Some(Duration::from_millis(2_900))), "2 s");
}

#[test]
fn a_hundred_per_cent_is_never_early() {
    assert_eq!(percent(999_999, 1_000_000), 99);
    assert_eq!(percent(1_000_000, 1_000_000), 100);
    assert_eq!(percent(0, 0), 100);
    assert_eq!(percent(u64::MAX, 1), 100);
}

#[test]
fn bars() {
    assert_eq!(bar(0, 100, 4), ("╸".to_owned(), "───".to_owned()));
    assert_eq!(bar(50, 100, 4), ("━━╸".to_owned(), "─".to_owned()));
    assert_eq!(bar(99, 100, 4), ("━━━╸".to_owned(), String::new()));
    assert_eq!(bar(100, 100, 4), ("━━━━".to_owned(), String::new()));
    assert_eq!(bar(5, 0, 0), (String::new(), String::new()));
}

/// Rows A15: a name that reads backwards, one with invisible letters, one whose end is far away.
#[test]
fn a_name_shows_what_it_ends_with() {
    assert_eq!(escape("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
    assert_eq!(
        escape("a.jpg\u{200b}\u{2800}\u{3164}"),
        "a.jpg\\u{200b}\\u{2800}\\u{3164}"
    );
    let far = format!("photo.jpg{}.exe", " ".repeat(500));
    assert_eq!(escape(&far), "photo.jpg [500 blanks] .exe");
    let wide = format!("photo.jpg{}.exe", "\u{a0}\u{3000}".repeat(100));
    assert_eq!(escape(&wide), "photo.jpg [200 blanks] .exe");
    assert_eq!(escape("two  blanks and   three"), "two  blanks and   three");
}

#[test]
fn names_from_the_network_cannot_drive_a_terminal() {
    assert_eq!(escape("a\x1b[2Jb"), "a\\u{1b}[2Jb");
    assert_eq!(escape("gpj.\u{202e}exe\n"), "gpj.\\u{202e}exe\\u{a}");
    assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m", "C1 controls count too");
    assert_eq!(
        escape("ein schöner Film – 日本語.mkv"),
        "ein schöner Film – 日本語.mkv"
    );
}

#[test]
fn distances() {
    for (a, b, expected) in [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("prot", "port", 2),
        ("kitten", "sitting", 3),
    ] {
        assert_eq!(distance(a, b), expected, "{a} {b}");
    }
}

proptest! {
    #[test]
    fn parsers_never_panic(text in ".{0,24}") {
        let _ = (parse_bytes(&text), parse_duration(&text), parse_ratio(&text));
    }

    #[test]
    fn what_is_shown_parses_back_to_at_most_the_same(count in any::<u64>()) {
        let back = parse_bytes(&bytes(count)).unwrap();
        prop_assert!(back <= count);
        prop_assert!(count - back <= count / 10 + 1);
    }

    #[test]
    fn a_bar_is_as_wide_as_it_was_asked(have in any::<u64>(), total in any::<u64>(), width in 0usize..200) {
        let (full, open) = bar(have, total, width);
        prop_assert_eq!(full.chars().count() + open.chars().count(), width);
    }

    #[test]
    fn escaped_names_are_harmless(name in any::<String>()) {
        prop_assert!(escape(&name).chars().all(is_harmless));
    }

    #[test]
    fn distance_is_symmetric_and_bounded(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
        prop_assert_eq!(distance(&a, &b), distance(&b, &a));
        prop_assert!(distance(&a, &b) <= a.len().max(b.len()));
        prop_assert_eq!(distance(&a, &b) == 0, a == b);
    }
}
