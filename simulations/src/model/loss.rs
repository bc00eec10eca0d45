//! Loss: a little everywhere, and bursts on some access links (dht.md §5.2).
//!
//! Bursts follow Gilbert's model: a link is good or bad for exponential times, and a bad one loses
//! half of everything. A link's state is advanced only when something crosses it. Invariant: each
//! datagram draws the same number of values whatever becomes of it.

use std::time::Duration;

use rand::Rng;

use crate::random;
use crate::time::Time;

/// What is lost, and what arrives twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Of all datagrams, in the core (0.5–1 % each way).
    pub core: f64,
    /// Of those that arrive, so many arrive twice.
    pub duplicates: f64,
    /// Of all access links, so many have bursts.
    pub bursty_links: f64,
    /// Mean time between two bursts of such a link (our choice: a Wi-Fi link's bad minute).
    pub good: Duration,
    /// Mean length of a burst (our choice).
    pub bad: Duration,
    /// Lost during a burst.
    pub bad_loss: f64,
}

impl Default for Loss {
    fn default() -> Loss {
        Loss {
            core: 0.0075,
            duplicates: 0.001,
            bursty_links: 0.1,
            good: Duration::from_secs(60),
            bad: Duration::from_secs(2),
            bad_loss: 0.5,
        }
    }
}

/// An access link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Without bursts.
    Steady,
    /// Good until then.
    Good(Time),
    /// In a burst until then.
    Bad(Time),
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does not arrive.
    Lost,
    /// It arrives.
    Once,
    /// It arrives, and a copy of it.
    Twice,
}

impl Loss {
    /// A network that loses nothing.
    #[must_use]
    pub fn none() -> Loss {
        Loss {
            core: 0.0,
            duplicates: 0.0,
            bursty_links: 0.0,
            ..Loss::default()
        }
    }

    /// Independent loss alone.
    #[must_use]
    pub fn of(core: f64) -> Loss {
        Loss {
            core,
            ..Loss::none()
        }
    }

    /// A new access link.
    pub fn link(&self, rng: &mut impl Rng) -> Link {
        if random::happens(self.bursty_links, rng) {
            Link::Good(Time::ZERO + random::exponential(self.good, rng))
        } else {
            Link::Steady
        }
    }

    /// What becomes of a datagram that crosses two access links now.
    pub fn fate(&self, now: Time, from: &mut Link, to: &mut Link, rng: &mut impl Rng) -> Fate {
        let mut through = 1.0 - self.core;
        for link in [from, to] {
            link.advance(self, now, rng);
            if let Link::Bad(_) = link {
                through *= 1.0 - self.bad_loss;
            }
        }
        let chance = random::unit(rng);
        if chance >= through {
            Fate::Lost
        } else if chance < through * self.duplicates {
            Fate::Twice
        } else {
            Fate::Once
        }
    }
}

impl Link {
    fn advance(&mut self, loss: &Loss, now: Time, rng: &mut impl Rng) {
        // A link that was idle for an hour has forgotten its past: the last hour decides.
        let recent = Time(now.0.saturating_sub(3_600_000_000));
        loop {
            *self = match *self {
                Link::Good(until) if until <= now => {
                    Link::Bad(until.max(recent) + random::exponential(loss.bad, rng))
                }
                Link::Bad(until) if until <= now => {
                    Link::Good(until.max(recent) + random::exponential(loss.good, rng))
                }
                Link::Steady | Link::Good(_) | Link::Bad(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn lost(loss: &Loss, links: usize) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut far = Link::Steady;
        let mut count = 0;
        let mut total = 0;
        for _ in 0..links {
            let mut near = loss.link(&mut rng);
            for tenth in 0..3_000 {
                let fate = loss.fate(Time(tenth * 100_000), &mut near, &mut far, &mut rng);
                count += usize::from(fate == Fate::Lost);
                total += 1;
            }
        }
        count as f64 / f64::from(total)
    }

    #[test]
    fn independent_loss_is_what_it_says() {
        assert!((lost(&Loss::of(0.1), 10) - 0.1).abs() < 0.006);
        assert!(lost(&Loss::none(), 10).abs() < f64::EPSILON);
    }

    #[test]
    fn bursts_add_their_share_and_come_in_runs() {
        let all = Loss {
            bursty_links: 1.0,
            core: 0.0,
            ..Loss::default()
        };
        // In a burst for 2 s of 62, losing half.
        assert!((lost(&all, 60) - 0.5 * 2.0 / 62.0).abs() < 0.004);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut near, mut far) = (all.link(&mut rng), Link::Steady);
        let fates: Vec<bool> = (0..200_000)
            .map(|n| all.fate(Time(n * 10_000), &mut near, &mut far, &mut rng) == Fate::Lost)
            .collect();
        let lost = fates.iter().filter(|lost| **lost).count();
        let pairs = fates.windows(2).filter(|pair| pair[0] && pair[1]).count();
        // Independent loss of 1.6 % would have one in sixty followed by another.
        assert!(pairs * 3 > lost, "{pairs} of {lost}");
    }

    #[test]
    fn a_tenth_of_the_links_has_bursts_and_few_datagrams_come_twice() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let loss = Loss::default();
        let bursty = (0..10_000)
            .filter(|_| loss.link(&mut rng) != Link::Steady)
            .count();
        assert!((900..1_100).contains(&bursty), "{bursty}");
        let (mut a, mut b) = (Link::Steady, Link::Steady);
        let twice = (0..100_000)
            .filter(|_| loss.fate(Time::ZERO, &mut a, &mut b, &mut rng) == Fate::Twice)
            .count();
        assert!((60..140).contains(&twice), "{twice}");
    }
}
