//! Node ids and info hashes: 160-bit names and the XOR metric between them.
//!
//! Read BEP 5 "Overview" for the metric and BEP 42 for ids derived from an address. Node ids and
//! info hashes share one space and hence one type. Invariant: an `Id` is exactly 20 bytes. This
//! file knows no messages, tables or times.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rand::Rng;

/// Bytes in an id (BEP 5: "160-bit").
pub const ID_LENGTH: usize = 20;

/// Bits in an id; also the number of prefix lengths that two different ids can share.
pub const ID_BITS: usize = ID_LENGTH * 8;

/// A node id or an info hash: a point in the 160-bit key space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; ID_LENGTH]);

/// The XOR of two ids. Ordered as a big-endian number, which is the order of closeness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance([u8; ID_LENGTH]);

impl Distance {
    /// Leading zero bits: how long a prefix the two ids share. 160 when they are equal.
    #[must_use]
    pub fn shared_bits(&self) -> usize {
        let mut bits: usize = 0;
        for byte in self.0 {
            bits += byte.leading_zeros() as usize;
            if byte != 0 {
                break;
            }
        }
        bits
    }

    /// This distance as a part of the key space, 0 to 1, to 64 bits.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        let start = self.0.first_chunk().copied().unwrap_or([0; 8]);
        u64::from_be_bytes(start) as f64 / u64::MAX as f64
    }
}

impl Id {
    /// The id made of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; ID_LENGTH]) -> Id {
        Id(bytes)
    }

    /// The id in a wire field, `None` unless it is exactly 20 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Id> {
        bytes.try_into().ok().map(Id)
    }

    /// The 20 bytes as they travel.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ID_LENGTH] {
        &self.0
    }

    /// A uniformly random id.
    pub fn random(rng: &mut impl Rng) -> Id {
        let mut bytes = [0; ID_LENGTH];
        rng.fill_bytes(&mut bytes);
        Id(bytes)
    }

    /// How far `other` is from this id.
    #[must_use]
    pub fn distance(&self, other: &Id) -> Distance {
        let mut bytes = self.0;
        for (byte, theirs) in bytes.iter_mut().zip(other.0) {
            *byte ^= theirs;
        }
        Distance(bytes)
    }

    /// Leading bits that this id and `other` share, 0 to 160.
    #[must_use]
    pub fn shared_bits(&self, other: &Id) -> usize {
        self.distance(other).shared_bits()
    }

    /// The first eight bytes of the distance to `other`: as good as all of it, except for neighbours.
    pub(crate) fn start_of_distance(&self, other: &Id) -> u64 {
        let [ours, theirs] = [self, other].map(|id| id.0.first_chunk().copied().unwrap_or([0; 8]));
        u64::from_be_bytes(ours) ^ u64::from_be_bytes(theirs)
    }

    /// A random id that begins with the first `bits` bits of `start`.
    pub(crate) fn beginning(start: u32, bits: u32, rng: &mut impl Rng) -> Id {
        let mut id = Id::random(rng);
        let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
        let random = id.0.first_chunk().copied().map_or(0, u32::from_be_bytes);
        let mixed = (start & mask) | (random & !mask);
        for (byte, mixed) in id.0.iter_mut().zip(mixed.to_be_bytes()) {
            *byte = mixed;
        }
        id
    }

    /// A random id that shares exactly `bits` leading bits with this one: a target inside bucket
    /// `bits`. With `bits` ≥ 160 the id itself.
    pub fn sharing(&self, bits: usize, rng: &mut impl Rng) -> Id {
        let mut bytes = Id::random(rng).0;
        for (index, (byte, ours)) in bytes.iter_mut().zip(self.0).enumerate() {
            let start = index * 8;
            if start + 8 <= bits {
                *byte = ours;
            } else if start <= bits {
                // The byte in which the two part: `kept` bits equal, the next one flipped.
                let kept = bits - start;
                let same = !(0xff_u8.checked_shr(kept as u32).unwrap_or(0));
                let parting = 0x80_u8 >> kept;
                *byte = (ours & same) | (!ours & parting) | (*byte & !(same | parting));
            }
        }
        Id(bytes)
    }

    /// An id that BEP 42 allows to a node at `ip`: the first 21 bits come from the address and
    /// from three bits of the last byte, the rest is random.
    pub fn for_address(ip: IpAddr, rng: &mut impl Rng) -> Id {
        let mut id = Id::random(rng);
        let crc = address_checksum(ip, id.0[19] & 7).to_be_bytes();
        id.0[0] = crc[0];
        id.0[1] = crc[1];
        id.0[2] = (crc[2] & 0xf8) | (id.0[2] & 7);
        id
    }

    /// Whether BEP 42 allows this id to a node at `ip`.
    #[must_use]
    pub fn suits_address(&self, ip: IpAddr) -> bool {
        let crc = address_checksum(ip, self.0[19] & 7).to_be_bytes();
        self.0[0] == crc[0] && self.0[1] == crc[1] && self.0[2] & 0xf8 == crc[2] & 0xf8
    }
}

/// BEP 42's checksum of the masked address and the three bits `salt`.
fn address_checksum(ip: IpAddr, salt: u8) -> u32 {
    // The masks keep ever fewer bits of the leading bytes, so that a large network buys few ids.
    const MASK_V4: u32 = 0x030f_3fff;
    const MASK_V6: u64 = 0x0103_070f_1f3f_7fff;
    match ip {
        IpAddr::V4(ip) => {
            let masked = (u32::from(ip) & MASK_V4) | (u32::from(salt & 7) << 29);
            crc32c(&masked.to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let network = (u128::from(ip) >> 64) as u64;
            let masked = (network & MASK_V6) | (u64::from(salt & 7) << 61);
            crc32c(&masked.to_be_bytes())
        }
    }
}

/// CRC-32C (Castagnoli), bit by bit: at most eight bytes a call, so a table would not pay.
fn crc32c(bytes: &[u8]) -> u32 {
    const REFLECTED_POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= REFLECTED_POLYNOMIAL;
            }
        }
    }
    !crc
}

impl From<[u8; ID_LENGTH]> for Id {
    fn from(bytes: [u8; ID_LENGTH]) -> Id {
        Id(bytes)
    }
}

impl From<Id> for [u8; ID_LENGTH] {
    fn from(id: Id) -> [u8; ID_LENGTH] {
        id.0
    }
}

impl fmt::Display for Id {
    /// 40 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 40 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 40 hexadecimal digits")
    }
}

impl std::error::Error for BadId {}

impl FromStr for Id {
    type Err = BadId;

    /// # Errors
    /// `BadId` unless the text is exactly 40 hexadecimal digits, of either case.
    fn from_str(text: &str) -> Result<Id, BadId> {
        let mut bytes = [0; ID_LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| BadId)?;
        Ok(Id(bytes))
    }
}

#[cfg(test)]
mod tests;
