//! A computer with a place in the network: its region, its access line, its NAT, its address.
//!
//! Invariant: a host has one public address at a time, alone or behind one NAT with others, whose
//! ports do not overlap. Knows nothing of what the machine on it says.

use std::net::{Ipv4Addr, SocketAddrV4};

use rand::Rng;

use crate::machine::Machine;
use crate::model::loss::Link;
use crate::model::nat::{HostClass, Nat};
use crate::model::regions::{Region, Site};
use crate::model::{Internet, addresses};
use crate::time::Time;

/// A host by number, from 0 in the order of their settling.
pub type HostId = u32;

/// Part of the internet: datagrams do not cross from one side to another.
pub type Side = u8;

/// The usual port of a host that has an address to itself.
const PORT: u16 = 6881;
/// Ports of each host behind a shared address: its own, and those that its NAT maps.
const PORTS: u16 = 1_000;
/// The first port of the first host that moves in with another.
const FIRST_SHARED: u16 = 10_000;

/// Whether something runs.
#[derive(Debug)]
pub(crate) enum Presence {
    Absent,
    Running(Machine),
    /// The lid is closed.
    Suspended(Machine),
}

/// Whether somebody listens to a host's wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Private,
    Tapped,
}

/// When a machine is woken. The agenda cannot forget, so an alarm that is overtaken by an earlier one
/// stays there; it is used again instead of adding another. (A node that pings a hundred contacts in
/// a quarter of an hour would leave a hundred alarms behind.)
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alarm {
    /// The one that counts.
    next: Option<Time>,
    /// One that was overtaken and is in the agenda still.
    later: Option<Time>,
}

impl Alarm {
    /// The machine is to be woken at `due`. Whether the agenda has to be told.
    pub(crate) fn set(&mut self, due: Time) -> bool {
        if self.next.is_some_and(|next| next <= due) {
            return false;
        }
        self.later = self.later.max(self.next.take());
        // Rather wake it early than add an alarm: a machine does not mind.
        if self.later.is_some_and(|later| later <= due) {
            self.next = self.later.take();
            return false;
        }
        self.next = Some(due);
        true
    }

    /// The agenda says that an alarm of this machine is due. Whether it counts.
    pub(crate) fn rings(&mut self, now: Time) -> bool {
        if self.later == Some(now) {
            self.later = None;
        }
        let counts = self.next == Some(now);
        if counts {
            self.next = None;
        }
        counts
    }
}

/// A computer.
#[derive(Debug)]
pub struct Host {
    pub(crate) presence: Presence,
    pub(crate) alarm: Alarm,
    pub(crate) site: Site,
    pub(crate) link: Link,
    pub(crate) side: Side,
    pub(crate) wire: Wire,
    /// The next host behind the same address.
    pub(crate) neighbour: Option<HostId>,
    nat: Nat,
    serial: u32,
    seat: u16,
}

impl Host {
    /// A host without an address: its `serial` is one that nobody has.
    pub(crate) fn new(
        internet: &Internet,
        class: HostClass,
        region: Region,
        rng: &mut impl Rng,
    ) -> Host {
        Host {
            presence: Presence::Absent,
            alarm: Alarm::default(),
            site: internet.geography.site_in(region, rng),
            link: internet.loss.link(rng),
            side: 0,
            wire: Wire::Private,
            neighbour: None,
            nat: Nat::new(class, internet.classes.timeout(rng)),
            serial: u32::MAX,
            seat: 0,
        }
    }

    pub(crate) fn move_in(&mut self, serial: u32, seat: u16, neighbour: Option<HostId>) {
        self.serial = serial;
        self.seat = seat;
        self.neighbour = neighbour;
    }

    pub(crate) fn outbound(&mut self, now: Time, to: SocketAddrV4) -> SocketAddrV4 {
        let port = self.nat.outbound(now, self.port(), to);
        SocketAddrV4::new(self.ip(), port)
    }

    pub(crate) fn admits(&mut self, now: Time, from: SocketAddrV4, to_port: u16) -> bool {
        let inner = self.port();
        self.nat.admits(now, from, to_port, inner)
    }

    /// Whether a datagram to this port of its address is for this host, if its NAT lets it in.
    pub(crate) fn owns(&self, port: u16) -> bool {
        (self.port()..self.port() + PORTS).contains(&port)
    }

    pub(crate) fn serial(&self) -> u32 {
        self.serial
    }

    pub(crate) fn seat(&self) -> u16 {
        self.seat
    }

    /// The port of its socket, before any NAT.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self.seat {
            0 => PORT,
            seat => FIRST_SHARED + (seat - 1) % 50 * PORTS,
        }
    }

    /// Its public address.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        addresses::address(self.serial)
    }

    /// Its public address and the port of its socket: how those reach it who can.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip(), self.port())
    }

    /// How the world sees it.
    #[must_use]
    pub fn class(&self) -> HostClass {
        self.nat.class()
    }

    /// Where it is.
    #[must_use]
    pub fn region(&self) -> Region {
        self.site.region
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overtaken_alarm_is_used_again() {
        let mut alarm = Alarm::default();
        assert!(alarm.set(Time(900)));
        for now in (0..800).step_by(10) {
            // Something urgent comes up, is done, and the far alarm is wanted again.
            assert!(alarm.set(Time(now + 5)));
            assert!(!alarm.set(Time(now + 7)), "an earlier one is set");
            assert!(alarm.rings(Time(now + 5)));
            assert!(!alarm.set(Time(900)), "it is in the agenda still");
        }
        assert!(!alarm.rings(Time(850)));
        assert!(alarm.rings(Time(900)));
        assert!(!alarm.rings(Time(900)), "once");
        assert!(alarm.set(Time(1_000)));
    }

    #[test]
    fn rather_early_than_twice() {
        let mut alarm = Alarm::default();
        assert!(alarm.set(Time(100)) && alarm.set(Time(50)));
        assert!(alarm.rings(Time(50)));
        assert!(!alarm.set(Time(200)), "woken at 100, it will ask again");
        assert!(alarm.rings(Time(100)) && alarm.set(Time(200)));
    }
}
