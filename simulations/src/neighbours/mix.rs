//! Which implementations a network consists of, as shares of a hundred or of any sum.
//!
//! Invariant: a draw uses one value of the generator, whatever the shares.

use rand::Rng;

use super::Kind;
use crate::random;

/// Shares of the kinds. They need not add up to anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The kinds and their weights; negative ones count as zero.
    pub shares: Vec<(Kind, f64)>,
}

impl Default for Mix {
    /// 45 libtorrent, 5 mldht, 20 jech, 5 flood and 25 behind NATs of a hundred.
    fn default() -> Mix {
        Mix {
            shares: vec![
                (Kind::Libtorrent, 45.0),
                (Kind::Mldht, 5.0),
                (Kind::Jech, 20.0),
                (Kind::Flood, 5.0),
                (Kind::Natted, 25.0),
            ],
        }
    }
}

impl Mix {
    /// Nothing but this kind.
    #[must_use]
    pub fn only(kind: Kind) -> Mix {
        Mix {
            shares: vec![(kind, 1.0)],
        }
    }

    /// The kind of one more node. Of an empty mix: libtorrent.
    pub fn draw(&self, rng: &mut impl Rng) -> Kind {
        let sum: f64 = self.shares.iter().map(|(_, share)| share.max(0.0)).sum();
        let mut left = random::unit(rng) * sum;
        let mut drawn = Kind::Libtorrent;
        for (kind, share) in self.shares.iter().filter(|(_, share)| *share > 0.0) {
            drawn = *kind;
            left -= share;
            if left <= 0.0 {
                break;
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn shares_are_kept() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mix = Mix::default();
        let drawn: Vec<Kind> = (0..20_000).map(|_| mix.draw(&mut rng)).collect();
        for (kind, share) in &mix.shares {
            let count = drawn.iter().filter(|drawn| *drawn == kind).count();
            let expected = share * 200.0;
            assert!((count as f64 - expected).abs() < 250.0, "{kind}: {count}");
        }
        assert!(!drawn.contains(&Kind::Bep5));
    }

    #[test]
    fn only_is_only() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mix = Mix::only(Kind::Jech);
        assert!((0..100).all(|_| mix.draw(&mut rng) == Kind::Jech));
    }
}
