//! The messages of BEP 33, 44 and 51, and making answers fit.

use super::*;
use crate::bloom::Bloom;
use bencode::Family;

use crate::family::BOTH;

const SIGNED: Signed<'static> = Signed {
    key: &[7; 32],
    salt: b"salt",
    seq: -3,
    signature: &[8; 64],
};

fn text(datagram: &[u8]) -> String {
    datagram.escape_ascii().to_string()
}

#[test]
fn queries_byte_for_byte_and_read_back() {
    let want = Want {
        v4: true,
        v6: false,
    };
    let put = Method::Put {
        value: b"12:Hello World!",
        token: b"tk",
        signed: Some(SIGNED),
        cas: Some(4),
        target: Some(OURS),
    };
    let key = "\\x07".repeat(32);
    let signature = "\\x08".repeat(64);
    for (method, arguments, name) in [
        (
            Method::Scrape { info_hash: OURS },
            "2:id20:abcdefghij01234567899:info_hash20:abcdefghij01234567896:scrapei1e\
             4:wantl2:n4e"
                .to_owned(),
            "9:get_peers",
        ),
        (
            Method::Get {
                target: OURS,
                seq: Some(9),
            },
            "2:id20:abcdefghij01234567893:seqi9e6:target20:abcdefghij01234567894:wantl2:n4e"
                .to_owned(),
            "3:get",
        ),
        (
            Method::SampleInfohashes { target: OURS },
            "2:id20:abcdefghij01234567896:target20:abcdefghij01234567894:wantl2:n4e".to_owned(),
            "17:sample_infohashes",
        ),
        (
            put,
            format!(
                "3:casi4e2:id20:abcdefghij01234567891:k32:{key}4:salt4:salt3:seqi-3e\
                 3:sig64:{signature}6:target20:abcdefghij01234567895:token2:tk1:v12:Hello World!"
            ),
            "3:put",
        ),
    ] {
        let datagram = write_query(&envelope(), Standing::Full, want, &method);
        assert_eq!(
            text(&datagram),
            format!("d1:ad{arguments}e1:q{name}1:t2:aa1:v4:TL011:y1:qe")
        );
        assert_eq!(asked(&datagram).method, method);
    }
}

#[test]
fn seeds_say_so() {
    let port = AnnouncePort::Implied;
    let methods = [
        Method::GetPeers { info_hash: OURS },
        Method::AnnouncePeer {
            info_hash: OURS,
            port,
            token: b"x",
        },
    ];
    for (method, key) in methods.iter().zip(["6:noseedi1e", "4:seedi1e"]) {
        for part in [Part::Peer, Part::Seed] {
            let want = Want::default();
            let datagram = write_query_as(part, &envelope(), Standing::Full, want, method);
            assert_eq!(text(&datagram).contains(key), part == Part::Seed);
            let query = asked(&datagram);
            assert_eq!((query.part, query.method), (part, *method));
        }
    }
}

#[test]
fn what_a_put_lacks_makes_it_invalid() {
    let whole = "1:k32:K4:salt1:s3:seqi1e3:sig64:S5:token1:x1:v1:v"
        .replace(":K", &format!(":{}", "k".repeat(32)))
        .replace(":S5", &format!(":{}5", "s".repeat(64)));
    let put = |arguments: &str| {
        let datagram =
            format!("d1:ad2:id20:abcdefghij0123456789{arguments}e1:q3:put1:t2:aa1:y1:qe");
        asked(datagram.as_bytes()).method != Method::Invalid
    };
    assert!(put(&whole));
    assert!(put("5:token1:x1:v1:v"), "immutable");
    for lacking in ["3:seqi1e", "5:token1:x", "1:v1:v"] {
        assert!(!put(&whole.replace(lacking, "")), "{lacking}");
    }
    assert!(!put(&whole.replace("1:k32:k", "1:k31:")));
    assert!(!put(&whole.replace("3:sig64:s", "3:sig63:")));
}

fn everything() -> Answer<'static> {
    let nodes = |family| {
        let node = |n: u8| Contact {
            id: Id::new([n; 20]),
            endpoint: match family {
                Family::V4 => Endpoint::new([8, 8, 8, n].into(), 1),
                Family::V6 => Endpoint::new([0x2600, 0, 0, 0, 0, 0, 0, u16::from(n)].into(), 1),
            },
        };
        Some((0..8).map(node).collect())
    };
    let mut bloom = Bloom::default();
    bloom.insert([1, 2, 3, 4].into());
    Answer {
        nodes: nodes(Family::V4),
        nodes6: nodes(Family::V6),
        token: Some(b"12345678"),
        values: (0..20)
            .map(|n| Endpoint::new([7, 7, 7, n].into(), 9))
            .collect(),
        scrape: Some((Bloom::default(), bloom)),
        value: Some(b"12:Hello World!"),
        signed: Some(SIGNED),
        seq: None,
        samples: Some(Samples {
            hashes: vec![OURS; 20],
            stored: 1_000,
            interval: 600,
        }),
        imprint: Imprint::Shown,
    }
}

#[test]
fn answers_are_read_back() {
    let asker = Endpoint::new([1, 2, 3, 4].into(), 5);
    let answer = everything();
    let datagram = write_response(&envelope(), asker, &answer);
    let response = answered(&datagram);
    assert_eq!(response.scrape(), answer.scrape);
    assert_eq!(response.value(), answer.value);
    assert_eq!(response.seq(), Some(-3));
    let signed = response.signed().expect("signed");
    assert_eq!(
        signed,
        Signed {
            salt: b"",
            ..SIGNED
        }
    );
    assert_eq!(response.samples(), answer.samples);
    assert_eq!(response.nodes().count(), 16);
    let strict = bencode::Limits {
        keys: bencode::Keys::Strict,
        bytes: 4_096,
        ..bencode::Limits::KRPC
    };
    assert!(
        bencode::parse(&datagram, &strict).is_ok(),
        "keys are sorted"
    );
}

#[test]
fn samples_are_bounded() {
    let read = |length: usize, interval: i64| {
        let mut writer = Writer::new();
        writer.dict(|root| {
            root.dict("r", |r| {
                r.bytes("id", OURS.as_bytes());
                r.int("interval", interval);
                r.bytes("samples", vec![7; length]);
            });
            root.bytes("t", "aa");
            root.bytes("y", "r");
        });
        answered(&writer.into_bytes())
            .samples()
            .map(|samples| (samples.hashes.len(), samples.interval))
    };
    assert_eq!(read(0, -1), Some((0, 0)));
    assert_eq!(read(21, 0), None);
    assert_eq!(read(20 * 80, 1 << 40), Some((MAX_SAMPLES, 21_600)));
}

#[test]
fn nodes_go_before_what_was_asked_for() {
    let asker = Endpoint::new([1, 2, 3, 4].into(), 5);
    let mut answer = Answer {
        nodes: everything().nodes,
        nodes6: everything().nodes6,
        token: Some(b"12345678"),
        values: everything().values,
        ..Answer::default()
    };
    assert_eq!(answer.fit(300, &envelope(), asker), Fit::Shorter);
    assert!(answer.token.is_some() && answer.nodes6.is_none());
    let named = answer.nodes.as_ref().map_or(0, Vec::len);
    assert!(named >= 4 && answer.values.len() >= 8, "{answer:?}");
}

proptest! {
    #[test]
    fn lengths_are_exact_and_what_fits_fits(
        limit in 0_usize..2_000,
        have in any::<[bool; 8]>(),
        counts in any::<[u8; 4]>(),
        from in 0_usize..2,
    ) {
        let mut answer = everything();
        let family = BOTH[from];
        let cut = |list: &mut Option<Vec<Contact>>, count: u8| {
            list.iter_mut().for_each(|list| list.truncate(usize::from(count % 9)));
        };
        cut(&mut answer.nodes, counts[0]);
        cut(&mut answer.nodes6, counts[1]);
        answer.values.truncate(usize::from(counts[2] % 21));
        if let Some(samples) = &mut answer.samples {
            samples.hashes.truncate(usize::from(counts[3] % 21));
        }
        if have[0] { answer.nodes = None; }
        if have[1] { answer.nodes6 = None; }
        if have[2] { answer.token = None; }
        if have[3] { answer.scrape = None; }
        if have[4] { answer.value = None; }
        if have[5] { answer.signed = None; answer.seq = Some(i64::MIN); }
        if have[6] { answer.samples = None; }
        let asker = match family {
            Family::V4 => Endpoint::new([1, 2, 3, 4].into(), 5),
            Family::V6 => Endpoint::new([0x2600, 0, 0, 0, 0, 0, 0, 1].into(), 1),
        };
        if family == Family::V6 {
            let six = |n: usize| Endpoint::new([0x2600, 0, 0, 0, 0, 0, 1, n as u16].into(), 1);
            answer.values = (0..answer.values.len()).map(six).collect();
        }
        let length = write_response(&envelope(), asker, &answer).len();
        prop_assert_eq!(answer.length(&envelope(), asker), length);
        let fits = answer.fit(limit, &envelope(), asker) != Fit::TooLong;
        let after = write_response(&envelope(), asker, &answer).len();
        prop_assert_eq!(answer.length(&envelope(), asker), after);
        prop_assert_eq!(fits, after <= limit);
        prop_assert!(fits || limit < 220, "{limit}: {after} {answer:?}");
        prop_assert!(length > limit || after == length, "nothing is left out without need");
    }
}
