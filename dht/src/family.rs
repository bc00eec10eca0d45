//! Two address families, one node (BEP 32): the pair type that keeps everything else single.
//!
//! A BEP 5 node has one table a family, because a v4 node cannot hand its contacts to a v6 one.
//! `PerFamily` is where that duality lives; the rest of the crate speaks of *a* table. It knows
//! nothing of tables or sockets.

use std::ops::{Index, IndexMut};

use bencode::Family;

/// Both families in the order in which this crate visits them.
pub(crate) const BOTH: [Family; 2] = [Family::V4, Family::V6];

/// One value for each address family, selected with `pair[family]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerFamily<T> {
    /// What belongs to IPv4.
    pub v4: T,
    /// What belongs to IPv6.
    pub v6: T,
}

impl<T: Copy> PerFamily<T> {
    /// The same for both.
    pub(crate) fn both(value: T) -> PerFamily<T> {
        PerFamily {
            v4: value,
            v6: value,
        }
    }
}

impl<T> Index<Family> for PerFamily<T> {
    type Output = T;

    fn index(&self, family: Family) -> &T {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

impl<T> IndexMut<Family> for PerFamily<T> {
    fn index_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

/// Which families a node takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// IPv4 alone: v6 contacts are neither asked nor kept.
    V4,
    /// IPv6 alone.
    V6,
    /// Both; every lookup then walks both tables.
    #[default]
    Both,
}

impl Families {
    /// Whether `family` takes part.
    #[must_use]
    pub const fn include(self, family: Family) -> bool {
        matches!(
            (self, family),
            (Families::Both, _) | (Families::V4, Family::V4) | (Families::V6, Family::V6)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_selects_its_own_half() {
        let mut pair = PerFamily { v4: 4, v6: 6 };
        pair[Family::V6] += 10;
        assert_eq!((pair[Family::V4], pair[Family::V6]), (4, 16));
    }

    #[test]
    fn families_include_what_they_name() {
        assert!(Families::Both.include(Family::V4) && Families::Both.include(Family::V6));
        assert!(Families::V4.include(Family::V4) && !Families::V4.include(Family::V6));
        assert!(Families::V6.include(Family::V6) && !Families::V6.include(Family::V4));
    }
}
