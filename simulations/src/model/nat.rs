//! NATs and firewalls: what a host lets in (dht.md §5.2; BEP 5 knows nothing of them).
//!
//! A host is reachable, or it hears only from those to whom it spoke lately, or it even has another
//! port for each of them. Invariant: at most `MAX_MAPPINGS` are remembered, and none by a host that
//! lets everything in. It does not know what is in a datagram.

use std::net::SocketAddrV4;
use std::time::Duration;

use rand::Rng;

use crate::random;
use crate::time::Time;

/// Destinations that a NAT remembers: the newest (home routers hold thousands; with upkeep of less
/// than one datagram a second and at most 300 s this is never reached by an honest host).
const MAX_MAPPINGS: usize = 512;
/// Ports that a symmetric NAT gives to one host.
const MAPPED_PORTS: u32 = 899;

/// How the world sees a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostClass {
    /// A public address, or a port that is forwarded.
    Open,
    /// A NAT that lets everybody in while a mapping lives.
    FullCone,
    /// A NAT that lets those in to whom the host spoke, by address and port.
    Restricted,
    /// A NAT with another port for each destination, as carriers have.
    Symmetric,
    /// No NAT, but a firewall that lets answers in only.
    Firewalled,
}

impl HostClass {
    /// All of them.
    pub const ALL: [HostClass; 5] = [
        HostClass::Open,
        HostClass::FullCone,
        HostClass::Restricted,
        HostClass::Symmetric,
        HostClass::Firewalled,
    ];

    /// Whether a stranger can reach it (a full cone as long as it speaks at all).
    #[must_use]
    pub fn is_reachable(self) -> bool {
        matches!(self, HostClass::Open | HostClass::FullCone)
    }
}

/// Shares of the classes, and how long mappings live.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// In the order of `HostClass::ALL`; together 1.
    pub shares: [f64; 5],
    /// Median and sigma of a mapping's life without traffic (log-normal; carriers: 35–65 s).
    pub timeout: (Duration, f64),
    /// Least and greatest life of a mapping.
    pub timeout_bounds: (Duration, Duration),
    /// Of those behind a NAT, so many share its address with another host (15 % of all).
    pub shared: f64,
}

impl Default for Classes {
    fn default() -> Classes {
        Classes {
            shares: [0.30, 0.08, 0.30, 0.20, 0.12],
            timeout: (Duration::from_secs(60), 0.5),
            timeout_bounds: (Duration::from_secs(30), Duration::from_secs(300)),
            shared: 0.26,
        }
    }
}

impl Classes {
    /// Everybody is open.
    #[must_use]
    pub fn open() -> Classes {
        Classes {
            shares: [1.0, 0.0, 0.0, 0.0, 0.0],
            ..Classes::default()
        }
    }

    /// A class by its share.
    pub fn class(&self, rng: &mut impl Rng) -> HostClass {
        let mut chance = random::unit(rng);
        for (class, share) in HostClass::ALL.into_iter().zip(self.shares) {
            chance -= share;
            if chance < 0.0 {
                return class;
            }
        }
        HostClass::Open
    }

    /// How long a host's mappings live.
    pub fn timeout(&self, rng: &mut impl Rng) -> Duration {
        let (median, sigma) = self.timeout;
        let (least, most) = self.timeout_bounds;
        random::lognormal(median, sigma, rng).clamp(least, most)
    }

    /// Whether a host of this class shares its address with one that is there already.
    pub fn shares_address(&self, class: HostClass, rng: &mut impl Rng) -> bool {
        let natted = matches!(
            class,
            HostClass::FullCone | HostClass::Restricted | HostClass::Symmetric
        );
        random::happens(self.shared, rng) && natted
    }
}

/// Someone to whom the host spoke.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    to: SocketAddrV4,
    last: Time,
}

/// What stands between one host and the world.
#[derive(Clone, Debug)]
pub struct Nat {
    class: HostClass,
    timeout: Duration,
    /// Of a full cone: when it last spoke to anybody.
    spoke: Option<Time>,
    /// Unordered.
    mappings: Vec<Mapping>,
}

impl Nat {
    /// One without mappings.
    #[must_use]
    pub fn new(class: HostClass, timeout: Duration) -> Nat {
        Nat {
            class,
            timeout,
            spoke: None,
            mappings: Vec::new(),
        }
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> HostClass {
        self.class
    }

    /// The host sends to `to` from `inner_port`; returns the port that `to` sees.
    pub fn outbound(&mut self, now: Time, inner_port: u16, to: SocketAddrV4) -> u16 {
        match self.class {
            HostClass::Open => inner_port,
            HostClass::FullCone => {
                self.spoke = Some(now);
                inner_port
            }
            HostClass::Restricted | HostClass::Firewalled => {
                self.map(now, to);
                inner_port
            }
            HostClass::Symmetric => {
                self.map(now, to);
                mapped_port(inner_port, to)
            }
        }
    }

    /// Whether a datagram from `from` to the public port `to_port` reaches the host.
    pub fn admits(&mut self, now: Time, from: SocketAddrV4, to_port: u16, inner_port: u16) -> bool {
        let port = match self.class {
            HostClass::Symmetric => mapped_port(inner_port, from),
            _ => inner_port,
        };
        port == to_port
            && match self.class {
                HostClass::Open => true,
                HostClass::FullCone => self.spoke.is_some_and(|at| now - at <= self.timeout),
                HostClass::Restricted | HostClass::Symmetric | HostClass::Firewalled => self
                    .mappings
                    .iter()
                    .any(|mapping| mapping.to == from && now - mapping.last <= self.timeout),
            }
    }

    fn map(&mut self, now: Time, to: SocketAddrV4) {
        if let Some(known) = self.mappings.iter_mut().find(|mapping| mapping.to == to) {
            known.last = now;
            return;
        }
        if self.mappings.len() == self.mappings.capacity() {
            // Before it grows: who is forgotten anyway leaves.
            let timeout = self.timeout;
            self.mappings
                .retain(|mapping| now - mapping.last <= timeout);
            self.mappings.shrink_to(8);
        }
        if self.mappings.len() >= MAX_MAPPINGS {
            let oldest = (0..self.mappings.len()).min_by_key(|n| self.mappings[*n].last);
            oldest.map(|n| self.mappings.swap_remove(n));
        }
        self.mappings.push(Mapping { to, last: now });
    }
}

/// The port that a symmetric NAT shows to `to`. Two destinations may see the same one; what they send
/// is told apart by where it comes from.
fn mapped_port(inner_port: u16, to: SocketAddrV4) -> u16 {
    let mixed = (u32::from(*to.ip()) ^ u32::from(to.port())).wrapping_mul(0x9e37_79b1);
    let offset = (mixed >> 8) % MAPPED_PORTS;
    inner_port + 1 + u16::try_from(offset).expect("below 899")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn far(n: u8) -> SocketAddrV4 {
        SocketAddrV4::new([8, 8, 8, n].into(), 6881)
    }

    /// Whether a host of `class` that spoke to `far(1)` at 0 s lets `from` in at `at` seconds.
    fn lets_in(class: HostClass, from: SocketAddrV4, at: u64) -> bool {
        let mut nat = Nat::new(class, TIMEOUT);
        let port = nat.outbound(Time::ZERO, 5_000, far(1));
        nat.admits(Time::from_secs(at), from, port, 5_000)
    }

    #[test]
    fn each_class_lets_in_whom_it_should() {
        use HostClass::{Firewalled, FullCone, Open, Restricted, Symmetric};
        let other_port = SocketAddrV4::new(*far(1).ip(), 7_000);
        for (class, friend, port, stranger, late) in [
            (Open, true, true, true, true),
            (FullCone, true, true, true, false),
            (Restricted, true, false, false, false),
            (Symmetric, true, false, false, false),
            (Firewalled, true, false, false, false),
        ] {
            assert_eq!(lets_in(class, far(1), 60), friend, "{class:?}");
            assert_eq!(lets_in(class, far(1), 61), late, "{class:?}");
            assert_eq!(lets_in(class, other_port, 1), port, "{class:?}");
            assert_eq!(lets_in(class, far(2), 1), stranger, "{class:?}");
        }
    }

    #[test]
    fn a_symmetric_nat_shows_everybody_another_port() {
        let mut nat = Nat::new(HostClass::Symmetric, TIMEOUT);
        let ports: std::collections::BTreeSet<u16> = (0..50)
            .map(|n| nat.outbound(Time::ZERO, 5_000, far(n)))
            .collect();
        assert!(ports.len() > 40 && ports.iter().all(|port| (5_001..5_900).contains(port)));
        // The port that one of them sees is closed to another.
        let seen = nat.outbound(Time::ZERO, 5_000, far(1));
        assert!(!nat.admits(Time::ZERO, far(99), seen, 5_000));
    }

    #[test]
    fn memory_follows_the_living_mappings() {
        let mut nat = Nat::new(HostClass::Restricted, TIMEOUT);
        for second in 0..10_000_u32 {
            let to = SocketAddrV4::new(second.into(), 1);
            nat.outbound(Time::from_secs(second.into()), 5_000, to);
        }
        assert!(
            nat.mappings.capacity() <= 256,
            "{}",
            nat.mappings.capacity()
        );
        for host in 0..10_000_u32 {
            nat.outbound(
                Time::from_secs(10_000),
                5_000,
                SocketAddrV4::new(host.into(), 1),
            );
        }
        assert!(nat.mappings.len() <= MAX_MAPPINGS);
    }

    #[test]
    fn classes_and_timeouts_are_distributed_as_documented() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let classes = Classes::default();
        let drawn: Vec<HostClass> = (0..20_000).map(|_| classes.class(&mut rng)).collect();
        for (class, share) in HostClass::ALL.into_iter().zip(classes.shares) {
            let found = drawn.iter().filter(|c| **c == class).count() as f64 / 20_000.0;
            assert!((found - share).abs() < 0.01, "{class:?}: {found}");
        }
        let sharing = drawn
            .iter()
            .filter(|c| classes.shares_address(**c, &mut rng))
            .count();
        assert!((2_700..3_300).contains(&sharing), "15 %: {sharing}");
        let mut lives: Vec<Duration> = (0..10_001).map(|_| classes.timeout(&mut rng)).collect();
        lives.sort();
        assert!((57..63).contains(&lives[5_000].as_secs()));
        assert!(lives[0].as_secs() == 30 && lives[10_000].as_secs() <= 300);
    }
}
