//! Bencode (BEP 3), written: append-only, nested by closures, so that every end mark is there.
//!
//! Invariant: whatever the calls, the output is well formed; in debug builds keys are asserted to
//! be strictly increasing, as BEP 3 wants, so the strict reader accepts all that we send.
//! Knows no protocol and no limits.

use std::ops::Range;

/// Collects one value, usually a dictionary.
///
/// ```
/// let mut writer = bencode::Writer::new();
/// writer.dict(|d| {
///     d.int("msg_type", 1);
///     d.list("path", |l| l.bytes("a.txt"));
/// });
/// assert_eq!(writer.into_bytes(), b"d8:msg_typei1e4:pathl5:a.txtee");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// Nothing written yet, with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer {
            out: Vec::with_capacity(bytes),
        }
    }

    /// Appends an integer.
    pub fn int(&mut self, value: i64) {
        int(&mut self.out, value);
    }

    /// Appends a string of any bytes.
    pub fn bytes(&mut self, content: impl AsRef<[u8]>) {
        bytes(&mut self.out, content.as_ref());
    }

    /// Appends a dictionary that `fill` writes.
    pub fn dict(&mut self, fill: impl FnOnce(&mut DictWriter<'_>)) {
        dict(&mut self.out, fill);
    }

    /// Appends a list that `fill` writes.
    pub fn list(&mut self, fill: impl FnOnce(&mut ListWriter<'_>)) {
        list(&mut self.out, fill);
    }

    /// Appends one value that is bencoded already.
    pub fn raw(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// The inside of a dictionary. Keys have to come in strictly increasing order.
#[derive(Debug)]
pub struct DictWriter<'w> {
    out: &'w mut Vec<u8>,
    /// Where in `out` the previous key stands.
    previous: Option<Range<usize>>,
}

impl DictWriter<'_> {
    /// Appends an integer under `key`.
    pub fn int(&mut self, key: impl AsRef<[u8]>, value: i64) {
        self.key(key.as_ref());
        int(self.out, value);
    }

    /// Appends a string of any bytes under `key`.
    pub fn bytes(&mut self, key: impl AsRef<[u8]>, content: impl AsRef<[u8]>) {
        self.key(key.as_ref());
        bytes(self.out, content.as_ref());
    }

    /// Appends a dictionary that `fill` writes under `key`.
    pub fn dict(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut DictWriter<'_>)) {
        self.key(key.as_ref());
        dict(self.out, fill);
    }

    /// Appends a list that `fill` writes under `key`.
    pub fn list(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut ListWriter<'_>)) {
        self.key(key.as_ref());
        list(self.out, fill);
    }

    /// Appends one value that is bencoded already under `key`, such as an `info` as it came.
    pub fn raw(&mut self, key: impl AsRef<[u8]>, value: &[u8]) {
        self.key(key.as_ref());
        self.out.extend_from_slice(value);
    }

    fn key(&mut self, key: &[u8]) {
        if let Some(previous) = self.previous.take() {
            debug_assert!(
                self.out
                    .get(previous)
                    .is_some_and(|previous| previous < key),
                "keys of a dictionary are written in order: {}",
                key.escape_ascii()
            );
        }
        bytes(self.out, key);
        let end = self.out.len();
        self.previous = Some(end - key.len()..end);
    }
}

/// The inside of a list.
#[derive(Debug)]
pub struct ListWriter<'w> {
    out: &'w mut Vec<u8>,
}

impl ListWriter<'_> {
    /// Appends an integer.
    pub fn int(&mut self, value: i64) {
        int(self.out, value);
    }

    /// Appends a string of any bytes.
    pub fn bytes(&mut self, content: impl AsRef<[u8]>) {
        bytes(self.out, content.as_ref());
    }

    /// Appends a dictionary that `fill` writes.
    pub fn dict(&mut self, fill: impl FnOnce(&mut DictWriter<'_>)) {
        dict(self.out, fill);
    }

    /// Appends a list that `fill` writes.
    pub fn list(&mut self, fill: impl FnOnce(&mut ListWriter<'_>)) {
        list(self.out, fill);
    }

    /// Appends one value that is bencoded already.
    pub fn raw(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }
}

fn int(out: &mut Vec<u8>, value: i64) {
    out.push(b'i');
    if value < 0 {
        out.push(b'-');
    }
    decimal(out, value.unsigned_abs());
    out.push(b'e');
}

fn bytes(out: &mut Vec<u8>, content: &[u8]) {
    decimal(out, content.len() as u64);
    out.push(b':');
    out.extend_from_slice(content);
}

/// Digits without `format!`: every datagram has a dozen lengths, and each would allocate.
fn decimal(out: &mut Vec<u8>, value: u64) {
    if value >= 10 {
        decimal(out, value / 10);
    }
    out.push(b'0' + (value % 10) as u8);
}

fn dict(out: &mut Vec<u8>, fill: impl FnOnce(&mut DictWriter<'_>)) {
    out.push(b'd');
    fill(&mut DictWriter {
        out,
        previous: None,
    });
    out.push(b'e');
}

fn list(out: &mut Vec<u8>, fill: impl FnOnce(&mut ListWriter<'_>)) {
    out.push(b'l');
    fill(&mut ListWriter { out });
    out.push(b'e');
}
