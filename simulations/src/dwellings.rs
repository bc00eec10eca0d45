//! Who lives at which address.
//!
//! Each address has a number, and a list of the hosts behind it: one, or several behind one NAT, told
//! apart by port. Invariant: a host lives at one address at most. Knows no datagrams.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::host::{Host, HostId};
use crate::model::addresses;

/// The hosts by address number.
#[derive(Debug, Default)]
pub(crate) struct Dwellings {
    /// The host that moved in last: the head of a list by `Host::neighbour`.
    heads: Vec<Option<HostId>>,
    /// Hosts at an address that somebody chose, alone there, by its number.
    chosen: BTreeMap<u32, HostId>,
}

impl Dwellings {
    /// Gives `host` a new address of its own.
    pub(crate) fn move_house(&mut self, hosts: &mut [Host], host: HostId) {
        self.move_out(hosts, host);
        let serial = u32::try_from(self.heads.len()).expect("fewer than 2^32 addresses");
        self.heads.push(Some(host));
        hosts[host as usize].move_in(serial, 0, None);
    }

    /// Gives `host` this address for good. `None`: it is taken, or no host may have it.
    pub(crate) fn move_to(&mut self, hosts: &mut [Host], host: HostId, ip: Ipv4Addr) -> Option<()> {
        let serial = addresses::serial(ip)?;
        if (serial as usize) < self.heads.len() || self.chosen.contains_key(&serial) {
            return None;
        }
        self.move_out(hosts, host);
        self.chosen.insert(serial, host);
        hosts[host as usize].move_in(serial, 0, None);
        Some(())
    }

    /// Lets `host` share the public address of `other`, behind one NAT with it, unless that chose its
    /// address: there it stays alone.
    pub(crate) fn move_in_with(&mut self, hosts: &mut [Host], host: HostId, other: HostId) {
        let (serial, seat) = {
            let other = &hosts[other as usize];
            (other.serial(), other.seat() + 1)
        };
        if self.chosen.contains_key(&serial) {
            return;
        }
        self.move_out(hosts, host);
        let next = self.heads[serial as usize].replace(host);
        hosts[host as usize].move_in(serial, seat, next);
    }

    fn move_out(&mut self, hosts: &mut [Host], host: HostId) {
        let (serial, after) = {
            let leaving = &hosts[host as usize];
            (leaving.serial(), leaving.neighbour)
        };
        let Some(head) = self.heads.get(serial as usize).copied().flatten() else {
            return;
        };
        if head == host {
            self.heads[serial as usize] = after;
            return;
        }
        let mut at = Some(head);
        while let Some(id) = at {
            let here = &mut hosts[id as usize];
            if here.neighbour == Some(host) {
                here.neighbour = after;
            }
            at = here.neighbour;
        }
    }

    /// Whose address and port that is.
    pub(crate) fn host_at(&self, hosts: &[Host], address: SocketAddrV4) -> Option<HostId> {
        let serial = addresses::serial(*address.ip())?;
        let chosen = || self.chosen.get(&serial).copied();
        let head = self.heads.get(serial as usize).copied();
        let mut at = head.unwrap_or_else(chosen);
        while let Some(id) = at {
            let host = &hosts[id as usize];
            if host.owns(address.port()) {
                return Some(id);
            }
            at = host.neighbour;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use crate::model::Internet;
    use crate::model::nat::HostClass;
    use crate::model::regions::Region;
    use crate::world::World;

    #[test]
    fn nobody_moves_in_with_a_host_that_chose_its_address() {
        let mut world = World::new(1, Internet::default());
        let mut alone = 0;
        for last in 1..200 {
            let ip = Ipv4Addr::new(45, 33, 7, last);
            let chooser = world.settle_in(HostClass::Open, Region::EUROPE);
            assert_eq!(world.move_to(chooser, ip), Some(()));
            let next = world.settle();
            assert_ne!(world.host(next).ip(), ip);
            let at = world.host(next).endpoint();
            alone += u32::from(world.host_at(at) == Some(next));
        }
        assert_eq!(alone, 199);
    }
}
