//! Lines that lose datagrams, carry one family, or short packets only (reliability.md N9, N10, N15).

use crate::lab::{Host, Lab};
use crate::stage::{Nodes, Pair, arrives, by_dht, can_run, filter, get, host, ip, seed, settle};
use crate::support::torrent::Sample;

/// A seeder and a downloader that meet in the DHT, on lines made by `spoil`.
fn transfer(name: &str, limit: u64, spoil: impl Fn(&Host)) {
    let Some(pair) = Pair::on_lines(name, 500_000, "10M", spoil) else {
        return;
    };
    let took = pair.arrives(&mut pair.get(), limit);
    println!("{name}: {:.1} s", took.as_secs_f64());
}

/// Rows N9: both sides lose three of ten datagrams that come in, and what the others lose of TCP comes again.
#[test]
fn three_of_ten_datagrams_are_lost() {
    transfer("loss-30", 40, |host| {
        let rule = "meta l4proto udp numgen random mod 100 < 30 drop";
        filter(
            host,
            &[
                ("input", rule),
                ("input", "tcp dport 1-65535 numgen random mod 100 < 5 drop"),
            ],
        );
    });
}

/// Rows N15: a line with an MTU of 576 bytes that drops every fragment.
#[test]
fn short_packets_only() {
    transfer("mtu-576", 30, |host| {
        ip(host, &["link", "set", "eth0", "mtu", "576"]);
        filter(
            host,
            &[
                ("input", "ip frag-off & 0x3fff != 0 drop"),
                ("output", "ip frag-off & 0x1fff != 0 drop"),
            ],
        );
    });
}

/// Rows N10: the same with IPv6 alone, and with both where all of IPv4 is swallowed, which costs no second.
#[test]
fn one_family_alone_or_the_other_swallowed() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let addresses = (1..=6).map(|n| format!("2a0f:1:{n}::2")).collect();
    let nodes = Nodes::at(host(&lab, "dht", "2a0f:1:1::2"), addresses);
    let sample = Sample::single(lab.folder(), "six", 500_000, 65_536);
    let [seeder, six] =
        [("seeder", "2a0f:2::2"), ("six", "2a0f:3::2")].map(|(name, at)| host(&lab, name, at));
    let _seeding = seed(&seeder, &sample, "10M", &by_dht(&nodes.entry()));
    nodes.learn(&sample, "2a0f:2::2");
    let mut getting = get(&six, &sample.magnet(), &by_dht(&nodes.entry()));
    let alone = arrives(&mut getting, &six, &sample, 30);
    let mut how = by_dht(&nodes.entry());
    how.extend(["--bootstrap".to_owned(), "11.1.1.2:6881".to_owned()]);
    // Nodes as young as these take other ids when they learn their addresses (BEP 42), and a lookup meanwhile may find
    // nobody, whatever the families: what IPv4 costs, it costs all of several newcomers.
    let swallowed = (1..=5).map(|n| {
        let both = host(&lab, &format!("both-{n}"), &format!("2a0f:4:{n}::2"));
        // IPv4 is there, and leads nowhere.
        settle(&both, "11.8.0.2");
        filter(
            &both,
            &[
                ("input", "meta nfproto ipv4 drop"),
                ("output", "meta nfproto ipv4 drop"),
            ],
        );
        let mut getting = get(&both, &sample.magnet(), &how);
        let took = arrives(&mut getting, &both, &sample, 60);
        println!("IPv4 swallowed: {:.1} s", took.as_secs_f64());
        took
    });
    let swallowed = swallowed.min().expect("five");
    println!("IPv6 alone: {:.1} s", alone.as_secs_f64());
    assert!(
        swallowed <= alone + crate::support::seconds(1),
        "{swallowed:?} and {alone:?}"
    );
}
