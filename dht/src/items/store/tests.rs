//! What replaces what, how long it lives, and who has to make room.

use super::*;

const OWN: Id = Id::new([0; 20]);

fn mutable(seq: i64, value: &str) -> Item {
    Item::signed(&[1; 32], Vec::new(), seq, value.into()).expect("an item")
}

fn immutable(n: usize) -> Item {
    Item::immutable(format!("i{n}e").into_bytes()).expect("an item")
}

fn network(n: u8) -> Option<IpAddr> {
    Some([9, 9, n, 0].into())
}

#[test]
fn sequence_numbers_rise_and_cas_compares() {
    let now = Instant::now();
    let mut items = Items::default();
    let mut put = |seq, value, cas| items.put(now, &OWN, (mutable(seq, value), cas), None);
    // Nothing there: cas is ignored.
    assert_eq!(put(4, "1:a", Some(77)), Ok(()));
    assert_eq!(put(4, "1:a", None), Ok(()), "kept alive");
    assert_eq!(put(4, "1:b", None), Err(Refusal::Outdated));
    assert_eq!(put(3, "1:b", None), Err(Refusal::Outdated));
    assert_eq!(put(5, "1:b", Some(3)), Err(Refusal::Mismatch));
    assert_eq!(put(5, "1:b", Some(4)), Ok(()));
    assert_eq!(put(9, "1:c", None), Ok(()));
    let found = items.find(now, &mutable(0, "le").target());
    assert_eq!(found, Some(&mutable(9, "1:c")));
    assert_eq!((items.len(), items.bytes()), (1, 3));
}

#[test]
fn items_live_for_two_hours_since_they_were_last_put() {
    let now = Instant::now();
    let mut items = Items::default();
    let target = immutable(1).target();
    let mut put = |at| items.put(at, &OWN, (immutable(1), None), None);
    put(now).expect("room");
    put(now + LIFETIME / 2).expect("room");
    assert!(items.find(now + LIFETIME, &target).is_some());
    let late = now + LIFETIME / 2 + LIFETIME;
    assert!(items.find(late, &target).is_none());
    items.expire(late);
    assert_eq!((items.len(), items.bytes()), (0, 0));
}

#[test]
fn when_full_the_nearest_stay() {
    let now = Instant::now();
    let mut items = Items::default();
    let mut refused = 0;
    for n in 0..4_000 {
        let item = immutable(n);
        let room = items.has_room(&OWN, &item.target(), None);
        let stored = items.put(now, &OWN, (item, None), None);
        assert_eq!(room, stored.is_ok(), "a token is worth a place");
        refused += usize::from(stored.is_err());
    }
    assert_eq!(items.len(), MAX_ITEMS);
    assert!(refused > 1_000);
    let mut targets: Vec<Id> = (0..4_000).map(|n| immutable(n).target()).collect();
    targets.sort_by_key(|target| OWN.distance(target));
    assert!(
        targets[..MAX_ITEMS]
            .iter()
            .all(|target| items.find(now, target).is_some())
    );
}

#[test]
fn one_network_displaces_only_its_own() {
    let now = Instant::now();
    let mut items = Items::default();
    for n in 0..100 {
        let from = network(u8::try_from(n % 10).expect("small"));
        items
            .put(now, &OWN, (immutable(n), None), from)
            .expect("room");
    }
    for n in 1_000..3_000 {
        let _ = items.put(now, &OWN, (immutable(n), None), network(77));
    }
    assert_eq!(items.len(), 100 + MAX_SHARE);
    assert!((0..100).all(|n| items.find(now, &immutable(n).target()).is_some()));
}

#[test]
fn bytes_are_bounded() {
    let now = Instant::now();
    let mut items = Items::default();
    for n in 0..2_000_u32 {
        let value = format!("980:{n:0980}").into_bytes();
        let item = Item::immutable(value).expect("an item");
        let _ = items.put(now, &OWN, (item, None), None);
        assert!(items.bytes() <= MAX_BYTES && items.len() <= MAX_ITEMS);
    }
    assert!(items.len() > 500);
}
