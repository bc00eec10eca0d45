//! Error replies (BEP 5 "Errors", BEP 44 "Errors").
//!
//! We name a code and a short text; of those that come, only the code interests anybody.

use bencode::Writer;

use super::Envelope;
use super::fields::Root;

/// The codes that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 202: no room.
    Server,
    /// 203: a malformed argument or a bad token.
    Protocol,
    /// 204: a method that we do not know.
    MethodUnknown,
    /// 205: the value of a `put` is too long.
    TooBig,
    /// 206: its signature is wrong.
    Signature,
    /// 207: its salt is too long.
    Salt,
    /// 301: its `cas` is not the stored sequence number.
    Mismatch,
    /// 302: its sequence number is not above the stored one.
    Outdated,
}

impl Failure {
    /// The code and what is written beside it.
    #[must_use]
    pub fn code(self) -> (u16, &'static str) {
        match self {
            Failure::Server => (202, "Server Error"),
            Failure::Protocol => (203, "Protocol Error"),
            Failure::MethodUnknown => (204, "Method Unknown"),
            Failure::TooBig => (205, "Value Too Big"),
            Failure::Signature => (206, "Invalid Signature"),
            Failure::Salt => (207, "Salt Too Big"),
            Failure::Mismatch => (301, "CAS Mismatch"),
            Failure::Outdated => (302, "Sequence Number Too Low"),
        }
    }
}

/// The code of an error reply; 0 if it names none, or an odd one.
pub(super) fn read(root: &Root<'_>) -> u16 {
    let list = root.failure.and_then(|failure| failure.as_list());
    list.and_then(|mut list| list.next())
        .and_then(|code| u16::try_from(code.as_int()?).ok())
        .unwrap_or(0)
}

/// Writes an error reply.
#[must_use]
pub fn write_failure(envelope: &Envelope<'_>, failure: Failure) -> Vec<u8> {
    let (code, text) = failure.code();
    let mut writer = Writer::new();
    writer.dict(|root| {
        root.list("e", |list| {
            list.int(i64::from(code));
            list.bytes(text);
        });
        root.bytes("t", envelope.transaction);
        root.bytes("v", envelope.version);
        root.bytes("y", "e");
    });
    writer.into_bytes()
}
