//! The metric's laws, BEP 42's published vectors, and texts.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn ids() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::new)
}

proptest! {
    #[test]
    fn distance_is_a_metric(a in ids(), b in ids(), c in ids()) {
        prop_assert_eq!(a.distance(&b), b.distance(&a));
        prop_assert_eq!(a.distance(&a).shared_bits(), 160);
        // XOR's strong triangle: the shorter two prefixes of a triangle are equal.
        let mut bits = [a.shared_bits(&b), b.shared_bits(&c), a.shared_bits(&c)];
        bits.sort_unstable();
        prop_assert_eq!(bits[0], bits[1]);
    }

    #[test]
    fn an_id_sharing_n_bits_shares_exactly_n(a in ids(), bits in 0_usize..160, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        prop_assert_eq!(a.shared_bits(&a.sharing(bits, &mut rng)), bits);
    }

    #[test]
    fn text_goes_there_and_back(a in ids()) {
        prop_assert_eq!(a.to_string().parse::<Id>(), Ok(a));
        prop_assert_eq!(a.to_string().to_uppercase().parse::<Id>(), Ok(a));
    }

    #[test]
    fn made_ids_suit_their_address(ip: IpAddr, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        prop_assert!(Id::for_address(ip, &mut rng).suits_address(ip));
    }
}

#[test]
fn sharing_all_bits_is_the_id_itself() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let id = Id::random(&mut rng);
    assert_eq!(id.sharing(160, &mut rng), id);
    assert_eq!(id.sharing(usize::MAX - 8, &mut rng), id);
}

/// Rows A1: the vectors of BEP 42.
#[test]
fn bep_42s_vectors_suit() {
    for (ip, id) in [
        (
            [124, 31, 75, 21],
            "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401",
        ),
        (
            [21, 75, 31, 124],
            "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256",
        ),
        (
            [65, 23, 51, 170],
            "a5d43220bc8f112a3d426c84764f8c2a1150e616",
        ),
        (
            [84, 124, 73, 14],
            "1b0321dd1bb1fe518101ceef99462b947a01ff41",
        ),
        (
            [43, 213, 53, 83],
            "e56f6cbf5b7c4be0237986d5243b87aa6d51305a",
        ),
    ] {
        let id: Id = id.parse().expect("hexadecimal");
        assert!(id.suits_address(IpAddr::from(ip)), "{id}");
        assert!(!id.suits_address(IpAddr::from([9, 9, 9, 9])), "{id}");
    }
}

#[test]
fn crc32c_of_the_check_string() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn texts_of_other_lengths_are_no_ids() {
    for text in ["", "00", &"0".repeat(39), &"0".repeat(41), &"g".repeat(40)] {
        assert_eq!(text.parse::<Id>(), Err(BadId));
    }
    assert_eq!(Id::from_slice(&[0; 19]), None);
    assert_eq!(Id::from_slice(&[0; 21]), None);
}

#[test]
fn order_of_distance_is_order_of_closeness() {
    let target = Id::new([0; 20]);
    let mut near = [0; 20];
    near[19] = 9;
    let mut far = [0; 20];
    far[0] = 1;
    assert!(Id::new(near).distance(&target) < Id::new(far).distance(&target));
}
