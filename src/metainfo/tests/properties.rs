//! Properties: nothing panics, nothing escapes, what is written reads back.

use std::path::{Component, Path};

use bytes::Bytes;
use proptest::prelude::*;
use sha1::{Digest, Sha1};

use super::super::path::{MAX_COMPONENT, component};
use super::super::{Builder, FilePath, Info, InfoHash, Magnet, Options, Torrent};

/// Text with a lean towards what paths trip over.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("\\".to_owned()),
        Just("\u{200b}".to_owned()),
        Just("\u{202e}".to_owned()),
        Just(" ".to_owned()),
        Just("C:".to_owned()),
        Just("con".to_owned()),
        Just("\0".to_owned()),
        "[a-z]{1,4}",
        any::<char>().prop_map(String::from),
        "[a-zé]{200,260}",
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// Bytes that look like a torrent from afar.
fn bencode_soup() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "d",
        "l",
        "e",
        "i1e",
        "i-5e",
        "6:lengthi9e",
        "5:files",
        "4:path",
        "4:name1:n",
        "4:info",
        "12:piece lengthi16e",
        "6:pieces20:aaaaaaaaaaaaaaaaaaaa",
        "1:x",
        "8:announce",
        "5:nodes",
        "4:attr1:p",
        "4:attr1:l",
        "13:announce-list",
        "10:path.utf-8",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes())
}

fn magnet_soup() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "xt=",
            "urn:btih:",
            "urn:btmh:",
            "&",
            "=",
            "dn=",
            "tr=",
            "x.pe=",
            "so=",
            "%",
            "%41",
            "%ff",
            "0-5",
            ",",
            "[::1]:5",
            ":",
            "ö",
            "0123456789abcdef0123456789abcdef01234567",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| format!("magnet:?{}", tokens.concat()))
}

proptest! {
    #[test]
    fn random_bytes_never_panic(input in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Torrent::from_bytes(&input);
        let _ = Info::from_bytes(Bytes::from(input));
    }

    #[test]
    fn soup_never_panics(input in bencode_soup()) {
        let _ = Torrent::from_bytes(&input);
        let wrapped = [b"d4:info".as_slice(), &input, b"e"].concat();
        let _ = Torrent::from_bytes(&wrapped);
        let _ = Info::from_bytes(Bytes::from(input));
    }

    #[test]
    fn links_never_panic_and_faults_lie_inside(input in magnet_soup()) {
        match Magnet::parse(&input) {
            Ok(magnet) => prop_assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet)),
            Err(error) => {
                prop_assert!(input.get(error.offset..error.offset + error.length).is_some());
            }
        }
    }

    #[test]
    fn any_text_is_a_link_or_not(input in any::<String>()) {
        let _ = Magnet::parse(&input);
        let _ = input.parse::<InfoHash>();
    }

    #[test]
    fn any_path_stays_inside(names in prop::collection::vec(nasty(), 0..5)) {
        if let Ok(path) = FilePath::new(&names) {
            prop_assert_eq!(path.components().len(), names.len());
            let joined = Path::new("root").join(path.to_string());
            let parts: Vec<_> = joined.components().collect();
            prop_assert_eq!(parts.len(), names.len() + 1);
            prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))));
            prop_assert!(path.components().iter().all(|name| name.len() <= MAX_COMPONENT));
            // Tidy names stay as they are: a path can be checked again.
            for name in path.components() {
                prop_assert_eq!(component(name), Ok(name.clone()));
            }
        }
    }

    #[test]
    fn damage_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = b"d8:announce9:http://a/4:infod5:filesld6:lengthi5e4:pathl1:aeed4:attr1:p6:length\
            i11eee4:name1:n12:piece lengthi16e6:pieces20:aaaaaaaaaaaaaaaaaaaae5:nodesll1:hi1eeee".to_vec();
        prop_assert!(Torrent::from_bytes(&file).is_ok());
        let at = at.index(file.len());
        file[at] = byte;
        let _ = Torrent::from_bytes(&file);
    }

    #[test]
    fn created_torrents_read_back(
        lengths in prop::collection::vec(0_u64..3000, 1..6),
        piece_length in 1_u32..2000,
        chunk in 1_usize..999,
        private in any::<bool>(),
    ) {
        let total: u64 = lengths.iter().sum();
        prop_assume!(total > 0);
        let content: Vec<u8> = (0..total).map(|n| (n % 251) as u8).collect();
        let files = lengths.iter().enumerate().map(|(i, n)| (vec!["d".into(), format!("f{i}")], *n));
        let options = Options { piece_length: Some(piece_length), private, ..Options::default() };
        let mut builder = Builder::new("name", files.collect(), options).unwrap();
        content.chunks(chunk).for_each(|part| builder.feed(part));
        let torrent = builder.finish().unwrap();
        prop_assert_eq!(&Torrent::from_bytes(&torrent.to_bytes()).unwrap(), &torrent);
        let info = &torrent.info;
        prop_assert_eq!(info.is_private(), private);
        let found: Vec<u64> = info.files().iter().map(|file| file.length).collect();
        prop_assert_eq!(found, lengths);
        // The naive model: all content in one buffer, cut at every piece.
        let hashes: Vec<[u8; 20]> =
            content.chunks(piece_length as usize).map(|piece| Sha1::digest(piece).into()).collect();
        let found: Vec<_> = (0..info.piece_count()).filter_map(|n| info.piece_hash(n)).collect();
        prop_assert_eq!(found, hashes);
    }
}
