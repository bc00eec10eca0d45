//! Conversations with the server: BEP 15 datagrams as they stand on the wire, announces of either way.

use super::super::words::Counts;
use super::*;
use crate::wire::PeerId;

mod record;

const SECOND: Duration = Duration::from_secs(1);
const CLIENT: &str = "192.0.2.7:40000";

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn announce(torrent: u8, port: u16, left: u64, event: AnnounceEvent) -> Announce {
    Announce {
        info_hash: hash(torrent),
        peer_id: PeerId([b'x'; 20]),
        port,
        uploaded: 0,
        downloaded: 0,
        left,
        event,
        numwant: None,
        key: 0,
        tracker_id: None,
        ip: None,
    }
}

struct World {
    server: Server,
    now: Instant,
}

impl World {
    fn new(config: Config) -> World {
        let now = Instant::now();
        World {
            server: Server::new(config, [5; 32], now),
            now,
        }
    }

    /// Sends a datagram; what comes back, which has to go to its sender.
    fn ask(&mut self, from: &str, datagram: &[u8]) -> Option<Vec<u8>> {
        let from: SocketAddr = from.parse().unwrap();
        self.server.handle_datagram(self.now, from, datagram);
        let reply = self.server.poll_transmit()?;
        assert_eq!(reply.to, from);
        assert!(
            self.server.poll_transmit().is_none(),
            "one reply to one request"
        );
        Some(reply.payload)
    }

    fn request(&mut self, from: &str, request: &Request) -> Response {
        let mut datagram = Vec::new();
        request.write(&mut datagram);
        let reply = self.ask(from, &datagram).expect("a reply");
        let family = Endpoint::from(from.parse::<SocketAddr>().unwrap()).family();
        let response = Response::parse(&reply, family).expect("a response");
        assert_eq!(response.transaction(), request.transaction());
        response
    }

    fn connect(&mut self, from: &str) -> u64 {
        match self.request(from, &Request::Connect { transaction: 9 }) {
            Response::Connect { connection, .. } => connection,
            other => panic!("{other:?}"),
        }
    }

    fn announce(&mut self, from: &str, connection: u64, announce: Announce) -> Response {
        let request = Request::Announce {
            connection,
            transaction: 77,
            announce,
            url_data: Vec::new(),
        };
        self.request(from, &request)
    }

    /// Announces over HTTP.
    fn http(&mut self, from: &str, announce: &Announce) -> Reply {
        let from = from.parse().unwrap();
        self.server
            .handle_announce(self.now, from, announce, Via::Http)
            .expect("served")
    }

    fn counts(&mut self, torrent: u8) -> Counts {
        let counts = self.server.handle_scrape(&[hash(torrent)], Via::Http)[0];
        let ScrapeReply {
            seeders,
            completed,
            leechers,
        } = counts;
        Counts {
            seeders,
            leechers,
            completed,
        }
    }

    fn changes(&mut self) -> Vec<Change> {
        std::iter::from_fn(|| self.server.poll_change()).collect()
    }
}

fn refused(response: Response) -> String {
    match response {
        Response::Error { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_conversation_byte_by_byte() {
    let mut world = World::new(Config::default());
    let mut connect = 0x417_2710_1980_u64.to_be_bytes().to_vec();
    connect.extend([0, 0, 0, 0, 1, 2, 3, 4]);
    let reply = world.ask(CLIENT, &connect).unwrap();
    assert_eq!(
        (reply.len(), &reply[..8]),
        (16, &[0, 0, 0, 0, 1, 2, 3, 4][..])
    );
    let id = reply[8..].to_vec();

    let mut datagram = id.clone();
    datagram.extend([0, 0, 0, 1, 5, 6, 7, 8]);
    datagram.extend([1; 20]);
    datagram.extend([2; 20]);
    // downloaded, left, uploaded, event, ip, key, numwant, port
    datagram.extend([0; 8 + 8 + 8 + 4 + 4 + 4]);
    datagram.extend([0xff; 4]);
    datagram.extend(6881_u16.to_be_bytes());
    assert_eq!(datagram.len(), 98);
    let reply = world.ask(CLIENT, &datagram).unwrap();
    let mut expected = vec![0, 0, 0, 1, 5, 6, 7, 8];
    expected.extend(1800_u32.to_be_bytes());
    expected.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(reply, expected, "a seeder alone");

    // The next one hears of the first, and BEP 41's options do no harm.
    let other = "192.0.2.8:1";
    let id = world.connect(other);
    datagram[..8].copy_from_slice(&id.to_be_bytes());
    datagram[64..72].copy_from_slice(&1_u64.to_be_bytes());
    datagram.extend(b"\x02\x09/announce\x00");
    let reply = world.ask(other, &datagram).unwrap();
    expected.truncate(12);
    expected.extend([0, 0, 0, 1, 0, 0, 0, 1]);
    expected.extend([192, 0, 2, 7]);
    expected.extend(6881_u16.to_be_bytes());
    assert_eq!(reply, expected);

    let mut scrape = id.to_be_bytes().to_vec();
    scrape.extend([0, 0, 0, 2, 9, 9, 9, 9]);
    scrape.extend([1; 20]);
    scrape.extend([8; 20]);
    let reply = world.ask(other, &scrape).unwrap();
    let mut expected = vec![0, 0, 0, 2, 9, 9, 9, 9];
    expected.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend([0; 12]);
    assert_eq!(reply, expected);
}

#[test]
fn without_a_connection_id_of_its_own_nobody_is_served() {
    let mut world = World::new(Config::default());
    let id = world.connect(CLIENT);
    let hello = announce(1, 6881, 0, AnnounceEvent::Started);
    // Made up, flipped, and that of another address.
    for (from, id) in [
        (CLIENT, 0),
        (CLIENT, 0x417_2710_1980),
        (CLIENT, id ^ 8),
        ("192.0.2.99:40000", id),
    ] {
        assert_eq!(
            refused(world.announce(from, id, hello.clone())),
            "connection id mismatch"
        );
        let scrape = Request::Scrape {
            connection: id,
            transaction: 1,
            hashes: vec![hash(1)],
        };
        assert_eq!(
            refused(world.request(from, &scrape)),
            "connection id mismatch"
        );
    }
    assert_eq!(world.server.totals().peers(), 0);
    assert_eq!(world.server.stats().refused_connection, 8);
    // Another port of the same address is another socket of the same host.
    assert!(matches!(
        world.announce("192.0.2.7:1", id, hello.clone()),
        Response::Announce { .. }
    ));
    world.now += 119 * SECOND;
    assert!(matches!(
        world.announce(CLIENT, id, hello.clone()),
        Response::Announce { .. }
    ));
    world.now += 61 * SECOND;
    assert_eq!(
        refused(world.announce(CLIENT, id, hello)),
        "connection id mismatch"
    );
}

#[test]
fn what_is_no_request_is_dropped_and_counted() {
    let mut world = World::new(Config::default());
    let id = world.connect(CLIENT);
    let mut datagram = Vec::new();
    let announce = announce(1, 6881, 0, AnnounceEvent::None);
    Request::Announce {
        connection: id,
        transaction: 1,
        announce,
        url_data: Vec::new(),
    }
    .write(&mut datagram);
    for length in 0..datagram.len() {
        assert_eq!(
            world.ask(CLIENT, &datagram[..length]),
            None,
            "{length} bytes"
        );
    }
    for action in [3_u32, 4, 0x0100_0000, u32::MAX] {
        datagram[8..12].copy_from_slice(&action.to_be_bytes());
        assert_eq!(world.ask(CLIENT, &datagram), None, "action {action}");
    }
    // A connect without the magic number.
    assert_eq!(world.ask(CLIENT, &[0; 16]), None);
    assert_eq!(world.server.stats().malformed, datagram.len() as u64 + 5);
    assert_eq!(world.server.totals().peers(), 0);
}

#[test]
fn what_is_too_long_is_cut_to_what_is_allowed() {
    let mut world = World::new(Config::default());
    let id = world.connect(CLIENT);
    let mut datagram = id.to_be_bytes().to_vec();
    datagram.extend([0, 0, 0, 2, 0, 0, 0, 1]);
    datagram.extend(std::iter::repeat_n(7, 20 * 3000 + 13));
    let reply = world.ask(CLIENT, &datagram).expect("74 torrents");
    assert_eq!(reply.len(), 8 + 12 * 74);
}

#[test]
fn no_reply_is_longer_than_a_request_of_an_address_that_proved_nothing() {
    let mut world = World::new(Config::default());
    let announce = announce(1, 6881, 0, AnnounceEvent::None);
    let mut shortest = Vec::new();
    Request::Scrape {
        connection: 1,
        transaction: 2,
        hashes: vec![hash(1)],
    }
    .write(&mut shortest);
    let mut usual = Vec::new();
    Request::Announce {
        connection: 1,
        transaction: 2,
        announce,
        url_data: Vec::new(),
    }
    .write(&mut usual);
    let mut connect = Vec::new();
    Request::Connect { transaction: 1 }.write(&mut connect);
    for datagram in [shortest, usual, connect] {
        let reply = world.ask(CLIENT, &datagram).expect("a reply");
        assert!(
            reply.len() <= datagram.len(),
            "{} for {}",
            reply.len(),
            datagram.len()
        );
    }
}

#[test]
fn a_datagram_has_the_peers_of_its_family_and_fits_into_a_packet() {
    let mut world = World::new(Config::default());
    for number in 0..300_u16 {
        let v4 = format!("10.1.{}.{}", number / 256, number % 256);
        let v6 = format!("2001:db8:{number:x}::1");
        for from in [v4, v6] {
            world.http(&from, &announce(1, 6881, 1, AnnounceEvent::None));
        }
    }
    for (from, most) in [(CLIENT, 200), ("[2001:db8:ffff::1]:9", 66)] {
        let id = world.connect(from);
        let ask = |numwant| Announce {
            numwant,
            ..announce(1, 6881, 1, AnnounceEvent::None)
        };
        for (numwant, expected) in [
            (None, 50),
            (Some(3), 3),
            (Some(0), 0),
            (Some(100_000), most),
        ] {
            let Response::Announce {
                peers, leechers, ..
            } = world.announce(from, id, ask(numwant))
            else {
                panic!("refused")
            };
            assert_eq!(peers.len(), expected);
            let ip: SocketAddr = from.parse().unwrap();
            assert!(peers.iter().all(|peer| peer.ip.is_ipv4() == ip.is_ipv4()));
            assert!(leechers > 600, "all count");
            // 1,280 less the heads of IPv6 and UDP.
            assert!(20 + peers.len() * Endpoint::from(ip).family().compact_length() <= 1232);
        }
    }
}

#[test]
fn http_fills_up_with_the_other_family() {
    let mut world = World::new(Config::default());
    for number in 0..10 {
        world.http(
            &format!("10.1.0.{number}"),
            &announce(1, 6881, 1, AnnounceEvent::None),
        );
        world.http(
            &format!("2001:db8:{number:x}::1"),
            &announce(1, 6881, 1, AnnounceEvent::None),
        );
    }
    let reply = world.http("10.1.0.99", &announce(1, 6881, 1, AnnounceEvent::Started));
    assert_eq!(reply.peers.len(), 20);
    assert!(reply.peers[..10].iter().all(|peer| peer.ip.is_ipv4()));
    assert_eq!(reply.external_ip, Some([10, 1, 0, 99].into()));
    assert_eq!((reply.interval, reply.leechers), (1800 * SECOND, Some(21)));
    assert!(reply.min_interval.unwrap() <= reply.interval);
    let mapped = world.http(
        "::ffff:10.1.0.99",
        &announce(1, 6881, 1, AnnounceEvent::None),
    );
    assert_eq!(
        mapped.leechers,
        Some(21),
        "one host is one peer, however it came"
    );
}

#[test]
fn the_address_is_the_one_it_came_from() {
    let mut world = World::new(Config::default());
    let liar = Announce {
        ip: Some([203, 0, 113, 1].into()),
        ..announce(1, 80, 1, AnnounceEvent::None)
    };
    world.http("10.0.0.1", &liar);
    let reply = world.http("10.0.0.2", &announce(1, 6881, 1, AnnounceEvent::None));
    assert_eq!(reply.peers, ["10.0.0.1:80".parse().unwrap()]);
}

#[test]
fn a_life_is_counted() {
    let mut world = World::new(Config::default());
    let counts = |seeders, leechers, completed| Counts {
        seeders,
        leechers,
        completed,
    };
    world.http("10.0.0.1", &announce(1, 6881, 5, AnnounceEvent::Started));
    assert_eq!(world.counts(1), counts(0, 1, 0));
    world.http("10.0.0.1", &announce(1, 6881, 0, AnnounceEvent::Completed));
    world.http("10.0.0.1", &announce(1, 6881, 0, AnnounceEvent::Completed));
    assert_eq!(
        world.counts(1),
        counts(1, 0, 1),
        "once, however often it is said"
    );
    world.http("10.0.0.2", &announce(1, 6881, 0, AnnounceEvent::Started));
    assert_eq!(world.counts(1), counts(2, 0, 1));
    let reply = world.http("10.0.0.3", &announce(1, 6881, 0, AnnounceEvent::None));
    assert_eq!(reply.peers, [], "seeders do not talk to each other");
    let reply = world.http("10.0.0.1", &announce(1, 6881, 0, AnnounceEvent::Stopped));
    assert_eq!((reply.peers.len(), world.counts(1)), (0, counts(2, 0, 1)));
    world.http("10.0.0.9", &announce(1, 6881, 0, AnnounceEvent::Stopped));
    assert_eq!(
        world.counts(1),
        counts(2, 0, 1),
        "who was never here cannot leave"
    );
    assert_eq!(world.server.stats().completed, 1);
}

#[test]
fn the_silent_are_forgotten_after_two_intervals_and_a_little() {
    let mut world = World::new(Config::default());
    world.http("10.0.0.1", &announce(1, 6881, 5, AnnounceEvent::Started));
    let (start, end) = (world.now, world.now + Config::default().lifetime());
    assert!(end >= start + 3600 * SECOND);
    let mut steps = 0;
    while world.server.totals().peers() > 0 {
        world.now = world.server.next_timeout();
        world.server.handle_timeout(world.now);
        assert!(world.now <= end + 60 * SECOND, "still here");
        steps += 1;
    }
    assert!(world.now >= end, "gone too early");
    assert!(steps < 1000, "an idle tracker sleeps");
}

#[test]
fn only_listed_torrents_are_served() {
    let allowed = Allowed::Listed(vec![hash(1)]);
    let mut world = World::new(Config {
        allowed,
        ..Config::default()
    });
    world.http("10.0.0.1", &announce(1, 6881, 5, AnnounceEvent::Started));
    let from: IpAddr = [10, 0, 0, 1].into();
    let other = announce(2, 6881, 5, AnnounceEvent::Started);
    let refusal = world
        .server
        .handle_announce(world.now, from, &other, Via::Http);
    assert_eq!(refusal, Err(Refusal::Torrent));
    let id = world.connect(CLIENT);
    assert_eq!(
        refused(world.announce(CLIENT, id, other.clone())),
        "this torrent is not served here"
    );
    assert_eq!(
        (
            world.server.totals().torrents,
            world.server.stats().refused_torrent
        ),
        (1, 2)
    );
    world.server.set_allowed(Allowed::All);
    assert_eq!(world.http("10.0.0.1", &other).leechers, Some(1));
    let nowhere = announce(1, 0, 5, AnnounceEvent::Started);
    let refusal = world
        .server
        .handle_announce(world.now, from, &nowhere, Via::Http);
    assert_eq!(refusal, Err(Refusal::Port));
}
