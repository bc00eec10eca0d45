//! Datagrams as they go over the wire, and conversations of neighbours in virtual time.

use super::*;

const HOME: &str = "192.168.1.0/24";

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn second(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A machine on the home network, in these torrents.
fn home(now: Instant, torrents: &[u8]) -> Lsd {
    let mut lsd = Lsd::new(6881, [9; 32], now);
    lsd.set_links(now, vec![HOME.parse().unwrap()], vec![Family::V4]);
    for number in torrents {
        lsd.add(now, hash(*number));
    }
    lsd
}

/// A neighbour's announce.
fn announce(port: u16, torrents: &[u8]) -> Vec<u8> {
    let announce = Announce {
        port,
        torrents: torrents.iter().map(|number| hash(*number)).collect(),
        cookie: Some("neighbour".to_owned()),
    };
    announce.write(Family::V4)
}

fn found(lsd: &mut Lsd) -> Vec<Found> {
    std::iter::from_fn(|| lsd.poll_event()).collect()
}

fn sent(lsd: &mut Lsd) -> Vec<(To, Announce)> {
    std::iter::from_fn(|| lsd.poll_transmit())
        .map(|transmit| (transmit.to, Announce::parse(&transmit.payload).unwrap()))
        .collect()
}

/// What is told to everybody from `from` for `length`: when, and which torrents.
fn told(lsd: &mut Lsd, from: Instant, length: Duration) -> Vec<(Duration, Vec<InfoHash>)> {
    let mut all = Vec::new();
    while let Some(due) = lsd.next_timeout().filter(|due| *due <= from + length) {
        lsd.handle_timeout(due);
        for (to, announce) in sent(lsd) {
            assert_eq!(to, To::Everybody(Family::V4));
            all.push((due - from, announce.torrents));
        }
    }
    all
}

#[test]
fn the_datagrams_are_those_of_the_bep() {
    let torrents = vec![hash(0xab), hash(1)];
    let cookie = Some("0badcafe".to_owned());
    let announce = Announce {
        port: 6881,
        torrents,
        cookie,
    };
    let (ab, one) = ("ab".repeat(20), "01".repeat(20));
    for (family, host) in [
        (Family::V4, "239.192.152.143:6771"),
        (Family::V6, "[ff15::efc0:988f]:6771"),
    ] {
        let golden = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: {host}\r\nPort: 6881\r\nInfohash: {ab}\r\n\
             Infohash: {one}\r\ncookie: 0badcafe\r\n\r\n\r\n"
        );
        assert_eq!(String::from_utf8(announce.write(family)).unwrap(), golden);
        assert_eq!(Announce::parse(golden.as_bytes()), Some(announce.clone()));
    }
}

#[test]
fn the_fullest_datagram_fits_and_is_read() {
    let announce = Announce {
        port: 65_535,
        torrents: (0..=u8::MAX).map(hash).collect(),
        cookie: Some("ffffffff".to_owned()),
    };
    let datagram = announce.write(Family::V6);
    assert!(datagram.len() <= MAX_WRITTEN, "{}", datagram.len());
    assert!(datagram.len() + 52 > MAX_WRITTEN, "room for one more");
    let read = Announce::parse(&datagram).unwrap();
    assert_eq!(read.torrents, announce.torrents[..MAX_HASHES]);
}

#[test]
fn what_other_clients_send_is_read() {
    let digits = "0123456789ABCDEF0123456789abcdef01234567";
    // libtorrent: capital B in its host line, a cookie in hex; Transmission: no cookie; some: bare line ends.
    for text in [
        format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\n\
             Infohash: {digits}\r\ncookie: 4a2f\r\n\r\n\r\n"
        ),
        format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\n\
             Infohash: {digits}\r\n\r\n\r\n"
        ),
        format!("bt-search * http/1.1\nPORT:51413\nX-New: a:b\nINFOHASH:{digits}\n\n"),
    ] {
        let announce = Announce::parse(text.as_bytes()).expect(&text);
        assert_eq!(announce.port, 51_413);
        assert_eq!(announce.torrents, [digits.parse().unwrap()]);
    }
}

#[test]
fn what_is_no_announce_is_refused() {
    let digits = "01".repeat(20);
    let lines = |count: usize| "X: y\r\n".repeat(count);
    let hashes = |count: u8| -> String {
        let line = |number: u8| format!("Infohash: {}\r\n", hash(number));
        (0..count).map(line).collect()
    };
    let head = "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n";
    for (what, text) in [
        ("empty", String::new()),
        (
            "another method",
            format!("M-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: {digits}\r\n\r\n"),
        ),
        (
            "no port",
            format!("BT-SEARCH * HTTP/1.1\r\nInfohash: {digits}\r\n\r\n"),
        ),
        (
            "port 0",
            format!("BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: {digits}\r\n\r\n"),
        ),
        (
            "port 65536",
            format!("BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: {digits}\r\n\r\n"),
        ),
        (
            "a signed port",
            format!("BT-SEARCH * HTTP/1.1\r\nPort: +1\r\nInfohash: {digits}\r\n\r\n"),
        ),
        ("no torrent", format!("{head}\r\n")),
        (
            "39 digits",
            format!("{head}Infohash: {}\r\n\r\n", &digits[1..]),
        ),
        (
            "base32",
            format!("{head}Infohash: {}\r\n\r\n", "a".repeat(32)),
        ),
        (
            "no digits",
            format!("{head}Infohash: {}\r\n\r\n", "x".repeat(40)),
        ),
        ("no header", format!("{head}Infohash {digits}\r\n\r\n")),
        (
            "65 lines",
            format!("{head}{}Infohash: {digits}\r\n\r\n", lines(64)),
        ),
        ("26 torrents", format!("{head}{}\r\n", hashes(26))),
        (
            "1501 bytes",
            format!(
                "{head}Infohash: {digits}\r\nX: {}\r\n\r\n",
                "y".repeat(1_500)
            ),
        ),
    ] {
        assert_eq!(Announce::parse(text.as_bytes()), None, "{what}");
    }
    assert_eq!(Announce::parse(&[0xff; 64]), None, "not UTF-8");
    let most = format!("{head}{}\r\n", hashes(25));
    assert_eq!(Announce::parse(most.as_bytes()).unwrap().torrents.len(), 25);
    let most = format!("{head}{}Infohash: {digits}\r\n\r\n", lines(60));
    assert!(Announce::parse(most.as_bytes()).is_some(), "62 lines");
}

proptest::proptest! {
    #[test]
    fn no_datagram_breaks_the_parser(
        start in "(BT-SEARCH \\* HTTP/1.1\r\n)?",
        lines in "((Port|Infohash|cookie|.{0,5}): ?[0-9a-f]{0,41}\r?\n){0,70}",
        noise in proptest::collection::vec(0_u8.., 0..40),
    ) {
        let mut datagram = format!("{start}{lines}").into_bytes();
        datagram.extend(noise);
        if let Some(announce) = Announce::parse(&datagram) {
            assert!(announce.port != 0 && (1..=MAX_HASHES).contains(&announce.torrents.len()));
            assert_eq!(Announce::parse(&announce.write(Family::V4)).unwrap().torrents, announce.torrents);
        }
    }
}

#[test]
fn torrents_added_together_are_told_together_and_again_after_five_minutes() {
    let now = Instant::now();
    let mut lsd = home(now, &[1, 2, 3]);
    let all = told(&mut lsd, now, second(601));
    let times: Vec<u64> = all.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 300, 600]);
    assert!(all.iter().all(|(_, torrents)| torrents.len() == 3));
    let leaders: Vec<InfoHash> = all.iter().map(|(_, torrents)| torrents[0]).collect();
    assert_eq!(
        leaders,
        [hash(1), hash(2), hash(3)],
        "each leads once, for clients that read one"
    );
}

#[test]
fn everybody_is_told_at_most_once_a_minute() {
    let now = Instant::now();
    let mut lsd = home(now, &[]);
    for number in 0..=200 {
        lsd.add(now, hash(number));
    }
    let all = told(&mut lsd, now, second(1_800));
    let gaps = all.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.min().unwrap() >= PAUSE);
    // Nine datagrams for 201 torrents: each has its turn every nine minutes, none is left out.
    let early = &all[..9];
    let mut names: Vec<InfoHash> = early
        .iter()
        .flat_map(|(_, torrents)| torrents.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 201);
}

#[test]
fn a_torrent_added_later_waits_for_the_minute_and_one_removed_is_not_told() {
    let now = Instant::now();
    let mut lsd = home(now, &[1]);
    assert_eq!(told(&mut lsd, now, second(1)).len(), 1);
    lsd.add(now + second(5), hash(2));
    lsd.add(now + second(6), hash(3));
    lsd.remove(&hash(3));
    let next = told(&mut lsd, now, second(200));
    assert_eq!(next, [(PAUSE + GATHER, vec![hash(2)])]);
    lsd.remove(&hash(1));
    lsd.remove(&hash(2));
    assert_eq!(lsd.next_timeout(), None);
}

#[test]
fn a_neighbour_with_a_torrent_of_ours_is_found_where_its_datagram_came_from() {
    let now = Instant::now();
    let mut lsd = home(now, &[1, 2]);
    lsd.handle_datagram(now, ip("192.168.1.7"), &announce(7000, &[2, 3]));
    let peer = "192.168.1.7:7000".parse().unwrap();
    assert_eq!(
        found(&mut lsd),
        [Found {
            info_hash: hash(2),
            peer
        }]
    );
}

#[test]
fn our_own_datagrams_are_recognised() {
    let now = Instant::now();
    let mut lsd = home(now, &[1]);
    lsd.handle_timeout(now + GATHER);
    let ours = lsd.poll_transmit().unwrap().payload;
    lsd.handle_datagram(now, ip("192.168.1.2"), &ours);
    assert_eq!((found(&mut lsd), sent(&mut lsd)), (vec![], vec![]));
    assert_eq!(lsd.stats().own, 1);
    // Another client on this very host is somebody else.
    let mut other = Lsd::new(6882, [8; 32], now);
    other.set_links(now, vec![HOME.parse().unwrap()], vec![Family::V4]);
    other.add(now, hash(1));
    other.handle_datagram(now, ip("192.168.1.2"), &ours);
    assert_eq!(found(&mut other).len(), 1);
}

#[test]
fn nobody_from_beyond_our_links_is_heard_or_answered() {
    let now = Instant::now();
    let mut lsd = home(now, &[1]);
    for from in ["192.168.2.7", "8.8.8.8", "127.0.0.1", "fe80::1"] {
        lsd.handle_datagram(now + second(100), ip(from), &announce(7000, &[1]));
    }
    assert_eq!((found(&mut lsd), sent(&mut lsd)), (vec![], vec![]));
    assert_eq!(lsd.stats().distant, 4);
}

#[test]
fn a_newcomer_is_answered_once_a_minute_and_an_answer_never() {
    let now = Instant::now();
    let mut ours = home(now, &[1, 2]);
    told(&mut ours, now, second(1));
    // Half a minute later somebody comes who missed that.
    let later = now + second(30);
    let mut theirs = home(later, &[2, 9]);
    theirs.handle_timeout(later + GATHER);
    let question = theirs.poll_transmit().unwrap().payload;
    // Another seed, hence another cookie, would be needed to be heard by `ours`; this is the same text.
    let question = String::from_utf8(question).unwrap();
    let question = question.replace(&ours.cookie, "stranger").into_bytes();
    ours.handle_datagram(later, ip("192.168.1.7"), &question);
    let answers = sent(&mut ours);
    let [(To::One(to), answer)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert_eq!((*to, answer.port), (ip("192.168.1.7"), 6881));
    assert_eq!(
        answer.torrents,
        [hash(2)],
        "of what we share and of nothing else"
    );

    let answer = announce(6881, &[2]);
    theirs.handle_datagram(later + second(1), ip("192.168.1.2"), &answer);
    assert_eq!(found(&mut theirs).len(), 1);
    assert_eq!(sent(&mut theirs), [], "an answer to what was just told");

    ours.handle_datagram(later + second(59), ip("192.168.1.7"), &question);
    assert_eq!(sent(&mut ours), [], "asked again within the minute");
    ours.handle_datagram(later + second(61), ip("192.168.1.7"), &question);
    assert_eq!(sent(&mut ours).len(), 1);
}

#[test]
fn answers_to_many_are_paced() {
    let now = Instant::now();
    let mut lsd = home(now, &[1]);
    told(&mut lsd, now, second(1));
    let later = now + second(20);
    for host in 2..=100 {
        let from = ip(&format!("192.168.1.{host}"));
        lsd.handle_datagram(later, from, &announce(7000, &[1]));
    }
    assert_eq!(sent(&mut lsd).len(), ANSWERS as usize);
    assert_eq!(found(&mut lsd).len(), 99, "found all the same");
    lsd.handle_datagram(
        later + ANSWER_PACE,
        ip("192.168.1.101"),
        &announce(7000, &[1]),
    );
    assert_eq!(sent(&mut lsd).len(), 1);
}

#[test]
fn askers_are_bounded() {
    let now = Instant::now();
    let mut lsd = Lsd::new(6881, [9; 32], now);
    lsd.set_links(now, vec!["10.0.0.0/8".parse().unwrap()], vec![Family::V4]);
    lsd.add(now, hash(1));
    for host in 0..1_000_u32 {
        let from = std::net::Ipv4Addr::from_bits(0x0a00_0001 + host);
        let at = now + second(20) + ANSWER_PACE * host;
        lsd.handle_datagram(at, from.into(), &announce(7000, &[1]));
    }
    assert_eq!(lsd.stats().answered, 1_000);
    assert_eq!(lsd.askers.len(), MAX_ASKERS);
}

#[test]
fn a_flood_is_not_read() {
    let now = Instant::now();
    let mut lsd = home(now, &[1]);
    for _ in 0..1_000 {
        lsd.handle_datagram(now, ip("192.168.1.7"), &announce(7000, &[1]));
    }
    assert_eq!(found(&mut lsd).len(), BURST as usize);
    assert_eq!(lsd.stats().flood, 800);
    lsd.handle_datagram(now + second(1), ip("192.168.1.7"), &announce(7000, &[1]));
    assert_eq!(found(&mut lsd).len(), 1, "and afterwards it goes on");
}

#[test]
fn without_a_link_nothing_is_sent_and_on_a_new_one_everything_at_once() {
    let now = Instant::now();
    let mut lsd = Lsd::new(6881, [9; 32], now);
    lsd.add(now, hash(1));
    assert_eq!(lsd.next_timeout(), None);
    let v4: Cidr = HOME.parse().unwrap();
    lsd.set_links(now + second(40), vec![v4], vec![Family::V4]);
    assert_eq!(told(&mut lsd, now, second(41)).len(), 1);
    // The same links again are no news.
    lsd.set_links(now + second(90), vec![v4], vec![Family::V4]);
    assert_eq!(told(&mut lsd, now, second(120)).len(), 0);
    // A cable is plugged in.
    let both = vec![v4, "fd00:1::/64".parse().unwrap()];
    lsd.set_links(now + second(120), both, vec![Family::V4, Family::V6]);
    lsd.handle_timeout(now + second(120) + GATHER);
    let groups: Vec<To> = sent(&mut lsd).into_iter().map(|(to, _)| to).collect();
    assert_eq!(
        groups,
        [To::Everybody(Family::V4), To::Everybody(Family::V6)]
    );
    lsd.handle_datagram(now + second(121), ip("fd00:1::7"), &announce(7000, &[1]));
    assert_eq!(found(&mut lsd).len(), 1);
}

#[test]
fn ranges_are_bounded() {
    let now = Instant::now();
    let mut lsd = home(now, &[]);
    let many = (0..=255)
        .map(|net| format!("10.{net}.0.0/16").parse().unwrap())
        .collect();
    lsd.set_links(now, many, vec![Family::V4]);
    assert_eq!(lsd.ranges().len(), MAX_RANGES);
}
