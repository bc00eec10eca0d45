//! Making torrents and reading them back.

use super::super::{Builder, FileKind, Magnet, Options, Torrent};

#[test]
fn a_created_torrent_reads_back() {
    let files = vec![
        (vec!["a.txt".to_owned()], 20_000),
        (vec!["d".into(), "b".into()], 5),
    ];
    let mut builder = Builder::new("name", files, Options::default()).unwrap();
    builder.feed(&[7; 20_001]);
    builder.feed(&[8; 4]);
    let torrent = builder.finish().unwrap();
    let again = Torrent::from_bytes(&torrent.to_bytes()).unwrap();
    assert_eq!(torrent, again);
    assert_eq!(again.info.piece_count(), 2);
    assert_eq!(again.info.total_length(), 20_005);
    let second = &again.info.files()[1];
    assert_eq!(
        (second.offset, second.length, second.kind),
        (20_000, 5, FileKind::Data)
    );
    assert_eq!(second.path.to_string(), "name/d/b");
    let link = Magnet::new(again.info.info_hash()).to_string();
    assert_eq!(
        Magnet::parse(&link).unwrap().info_hash,
        again.info.info_hash()
    );
}
