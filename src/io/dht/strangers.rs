//! Whether our port can be reached from outside: someone writes to us to whom we never wrote.
//!
//! A firewall or NAT lets answers in, so a datagram proves nothing if we wrote to its sender's address
//! before. Invariant: at most [`MAX_KNOWN`] addresses are kept, and none once the question is settled.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bencode::Endpoint;

/// Addresses kept; a node that has written to more can no longer tell who is a stranger.
const MAX_KNOWN: usize = 8192;

/// Watches what comes and goes.
#[derive(Debug)]
pub(super) enum Strangers {
    /// Nobody came yet; these we wrote to.
    Awaited(BTreeSet<IpAddr>),
    /// He came first.
    Came(Endpoint),
    /// We wrote to too many.
    Unknown,
}

impl Default for Strangers {
    fn default() -> Self {
        Self::Awaited(BTreeSet::new())
    }
}

impl Strangers {
    /// We write to `to`.
    pub(super) fn sent(&mut self, to: Endpoint) {
        if let Self::Awaited(known) = self {
            known.insert(to.ip);
            if known.len() > MAX_KNOWN {
                *self = Self::Unknown;
            }
        }
    }

    /// `from` wrote to us.
    pub(super) fn received(&mut self, from: Endpoint) {
        if let Self::Awaited(known) = self
            && !known.contains(&from.ip)
        {
            *self = Self::Came(from);
        }
    }

    /// The first stranger.
    pub(super) fn first(&self) -> Option<Endpoint> {
        match self {
            Self::Came(from) => Some(*from),
            Self::Awaited(_) | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: u32, port: u16) -> Endpoint {
        Endpoint {
            ip: IpAddr::V4(host.into()),
            port,
        }
    }

    #[test]
    fn an_answer_proves_nothing_from_any_port_of_its_sender() {
        let mut strangers = Strangers::default();
        strangers.sent(endpoint(1, 1));
        strangers.received(endpoint(1, 2));
        assert_eq!(strangers.first(), None);
        strangers.received(endpoint(2, 1));
        strangers.received(endpoint(3, 1));
        assert_eq!(strangers.first(), Some(endpoint(2, 1)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut strangers = Strangers::default();
        for host in 0..=MAX_KNOWN as u32 {
            strangers.sent(endpoint(host, 1));
        }
        strangers.received(endpoint(u32::MAX, 1));
        assert!(matches!(strangers, Strangers::Unknown));
    }
}
