//! The file: what is written is read, whoever ends how.

use super::*;

const LIFETIME: Duration = Duration::from_secs(1000);

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn at(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

fn open(path: &Path) -> Database {
    Database::open(path, LIFETIME).expect("a database")
}

fn load(path: &Path) -> (Vec<Saved>, Vec<(InfoHash, u32)>) {
    let (mut peers, mut counts) = (Vec::new(), Vec::new());
    let completed = |hash, count| counts.push((hash, count));
    open(path)
        .load(|saved| peers.push(*saved), completed)
        .expect("loaded");
    (peers, counts)
}

fn change_alive(path: &Path, seconds: i64) {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute("UPDATE alive SET at = at + ?", [seconds])
        .expect("changed");
    connection
        .execute("UPDATE peers SET seen = seen + ?", [seconds])
        .expect("changed");
}

/// Writes these as a run does that ends in order.
fn write(path: &Path, changes: Vec<Change>) {
    let journal = open(path).start();
    journal.write(changes);
    journal.close().expect("written");
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.db");
    let (v4, v6) = (at("10.0.0.1:6881"), at("[2001:db8::1]:6881"));
    write(
        &path,
        vec![
            Change::Here(hash(1), v4, Part::Leecher),
            Change::Here(hash(1), v6, Part::Leecher),
            Change::Here(hash(2), v4, Part::Leecher),
            Change::Here(hash(1), v4, Part::Seeder),
            Change::Completed(hash(1), 1),
            Change::Gone(hash(2), v4),
            Change::Completed(hash(1), 2),
        ],
    );
    let (peers, counts) = load(&path);
    let found: Vec<_> = peers
        .iter()
        .map(|saved| (saved.hash, saved.at, saved.part))
        .collect();
    assert_eq!(
        found,
        [(hash(1), v4, Part::Seeder), (hash(1), v6, Part::Leecher)]
    );
    assert!(
        peers
            .iter()
            .all(|saved| saved.silent < Duration::from_secs(60))
    );
    assert_eq!(counts, [(hash(1), 2)]);
}

#[test]
fn the_time_in_which_it_was_down_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.db");
    write(
        &path,
        vec![Change::Here(hash(1), at("10.0.0.1:1"), Part::Seeder)],
    );
    change_alive(&path, -20 * 3600);
    let (peers, _) = load(&path);
    assert_eq!(peers.len(), 1);
    assert!(peers[0].silent < Duration::from_secs(60), "{peers:?}");
    // What was read is as young in the file: a second end is no other.
    assert_eq!(load(&path).0.len(), 1);
    // Beyond a day it does.
    change_alive(&path, -25 * 3600);
    assert_eq!(load(&path).0, []);
}

#[test]
fn who_was_silent_before_the_end_is_as_old_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.db");
    let old = |seconds: i64| {
        let connection = Connection::open(&path).expect("a database");
        connection
            .execute("UPDATE peers SET seen = seen - ?", [seconds])
            .expect("changed");
    };
    write(
        &path,
        vec![Change::Here(hash(1), at("10.0.0.1:1"), Part::Seeder)],
    );
    old(500);
    let silent = load(&path).0[0].silent.as_secs();
    assert!((500..560).contains(&silent), "{silent}");
    old(700);
    assert_eq!(load(&path).0, [], "an eighth beyond its life");
}

#[test]
fn two_at_once_is_one_too_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.db");
    let first = open(&path);
    let second = Database::open(&path, LIFETIME).err().expect("refused");
    assert!(matches!(second, DatabaseError::Taken), "{second}");
    drop(first);
    open(&path);
}

#[test]
fn files_of_others_are_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("text");
    std::fs::write(
        &text,
        "no database at all, but long enough to be read as one".repeat(99),
    )
    .expect("a file");
    let before = std::fs::read(&text).expect("read");
    assert!(matches!(
        Database::open(&text, LIFETIME),
        Err(DatabaseError::Foreign)
    ));
    assert_eq!(std::fs::read(&text).expect("read"), before);
    let other = folder.path().join("other.db");
    Connection::open(&other)
        .and_then(|other| other.execute_batch("CREATE TABLE x (y)"))
        .expect("made");
    assert!(matches!(
        Database::open(&other, LIFETIME),
        Err(DatabaseError::Foreign)
    ));
    let newer = folder.path().join("newer.db");
    drop(open(&newer));
    Connection::open(&newer)
        .and_then(|new| new.pragma_update(None, "user_version", 2))
        .expect("made");
    assert!(matches!(
        Database::open(&newer, LIFETIME),
        Err(DatabaseError::Newer(2))
    ));
    assert!(Database::open(&folder.path().join("none/x.db"), LIFETIME).is_err());
}

#[test]
fn nonsense_in_the_file_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.db");
    write(
        &path,
        vec![Change::Here(hash(1), at("10.0.0.1:1"), Part::Seeder)],
    );
    let connection = Connection::open(&path).expect("a database");
    let rows = "INSERT INTO peers VALUES (x'00', x'0a0000010001', 1, 9999999999),
        (x'0101010101010101010101010101010101010101', x'0a', 7, 9999999999);
        INSERT INTO torrents VALUES (x'02', 1), (x'0303030303030303030303030303030303030303', -1);";
    connection.execute_batch(rows).expect("inserted");
    drop(connection);
    let (peers, counts) = load(&path);
    assert_eq!((peers.len(), counts.len()), (1, 0));
}
