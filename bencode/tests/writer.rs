//! The writer: golden bytes.

use bencode::{Limits, Writer, parse};

#[test]
fn writes_a_ping_of_bep_5() {
    let mut writer = Writer::new();
    writer.dict(|d| {
        d.dict("a", |d| d.bytes("id", "abcdefghij0123456789"));
        d.bytes("q", "ping");
        d.bytes("t", b"aa");
        d.bytes("y", "q");
    });
    let expected = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    assert_eq!(writer.into_bytes(), expected);
}

#[test]
fn writes_each_kind_at_each_level() {
    let mut writer = Writer::new();
    writer.list(|l| {
        l.int(i64::MIN);
        l.bytes([]);
        l.list(|_| {});
        l.dict(|_| {});
        l.raw(b"i5e");
    });
    let list = writer.into_bytes();
    assert_eq!(list, b"li-9223372036854775808e0:ledei5ee");

    let mut writer = Writer::new();
    writer.dict(|d| {
        d.raw("a", &list);
        d.list("b", |l| l.int(0));
    });
    assert_eq!(
        writer.into_bytes(),
        [b"d1:a", list.as_slice(), b"1:bli0eee"].concat()
    );
}

#[test]
fn writes_lone_values() {
    let written = |fill: fn(&mut Writer)| {
        let mut writer = Writer::new();
        fill(&mut writer);
        writer.into_bytes()
    };
    assert_eq!(written(|w| w.int(-3)), b"i-3e");
    assert_eq!(written(|w| w.bytes("spam")), b"4:spam");
    assert_eq!(written(|w| w.raw(b"le")), b"le");
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "written in order")]
fn asserts_the_order_of_keys() {
    Writer::new().dict(|d| {
        d.int("b", 1);
        d.int("a", 2);
    });
}

#[test]
fn orders_keys_as_raw_bytes_in_each_dictionary() {
    let mut writer = Writer::new();
    writer.dict(|d| {
        d.int("", 0);
        d.dict("B", |d| d.int("z", 1));
        d.int("a", 2);
        d.int("aa", 3);
        d.int(b"\xff", 4);
    });
    assert!(parse(&writer.into_bytes(), &Limits::INFO).is_ok());
}
