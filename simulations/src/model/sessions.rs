//! Churn: how long people stay, how long they are away, and as whom they return (dht.md §2.4, §5.2).
//!
//! Sessions follow Weibull distributions with a shape below 1: whoever stayed long stays longer. A
//! host's sessions are alike (correlation 0.5). Calibration gate C7, the residual life of a node
//! found alive, is a test here.

use std::time::Duration;

use rand::Rng;

use super::day::DayCycle;
use crate::random;
use crate::time::Time;

const MINUTE: f64 = 60.0;

/// A Weibull distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weibull {
    /// Below 1: the hazard falls with age.
    pub shape: f64,
    /// 63 % are shorter.
    pub scale: Duration,
}

impl Weibull {
    const fn minutes(shape: f64, minutes: u64) -> Weibull {
        Weibull {
            shape,
            scale: Duration::from_secs(minutes * 60),
        }
    }

    /// The part that is longer than `time`.
    #[must_use]
    pub fn survival(&self, time: Duration) -> f64 {
        let ratio = time.as_secs_f64() / self.scale.as_secs_f64();
        libm::exp(-libm::pow(ratio, self.shape))
    }

    /// What is left of the life of someone met at a random moment: among those met, long lives are
    /// as much more frequent as they are longer, and the moment is any moment of that life.
    pub fn residual(&self, rng: &mut impl Rng) -> Duration {
        // With t = scale * g^(1/shape), length bias turns the exponential g into a gamma of shape
        // 1 + 1/shape.
        let biased = random::gamma(1.0 + 1.0 / self.shape, rng);
        let life = self.scale.as_secs_f64() * libm::pow(biased, 1.0 / self.shape);
        random::seconds(life * random::unit(rng))
    }
}

/// KAD's first crawl cohort (Steiner), as of those who are mostly there.
pub const KAD_FIRST: Weibull = Weibull::minutes(0.545, 358);
/// KAD's later arrivals.
pub const KAD_LATER: Weibull = Weibull::minutes(0.615, 170);
/// IPFS, as fitted in dht.md §2.4.
pub const IPFS: Weibull = Weibull::minutes(0.607, 220);

/// Whether something of one's own is kept over an absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is the same.
    Same,
    /// It is another.
    New,
}

/// As whom somebody returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// The node id.
    pub identity: Kept,
    /// The IP address.
    pub address: Kept,
}

/// What a host is used for, and how its last session was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habit {
    class: Class,
    /// The last session's place in its distribution, as a normal number.
    last: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Casual,
    Steady,
    Permanent,
}

impl Habit {
    /// Of a host that never leaves.
    #[must_use]
    pub fn permanent() -> Habit {
        Habit {
            class: Class::Permanent,
            last: 0.0,
        }
    }
}

/// The parameters of churn.
#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    /// Sessions of casual hosts.
    pub casual: Weibull,
    /// Sessions of steady hosts.
    pub steady: Weibull,
    /// Shares of casual and steady hosts; the rest stays for ever.
    pub shares: (f64, f64),
    /// Absences.
    pub absence: Weibull,
    /// Correlation of a host's consecutive sessions.
    pub correlation: f64,
    /// Of those who return, so many have a new id, and so many a new address.
    pub renewal: (f64, f64),
    /// When people are online.
    pub day: DayCycle,
    /// Everything happens so many times as fast; 1 is life.
    pub pace: f64,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            casual: Weibull::minutes(0.61, 195),
            steady: KAD_FIRST,
            shares: (0.70, 0.25),
            absence: Weibull::minutes(0.476, 414),
            correlation: 0.5,
            renewal: (0.40, 0.30),
            day: DayCycle::default(),
            pace: 1.0,
        }
    }
}

impl Sessions {
    /// Nobody ever leaves.
    #[must_use]
    pub fn none() -> Sessions {
        Sessions {
            shares: (0.0, 0.0),
            day: DayCycle::none(),
            ..Sessions::default()
        }
    }

    /// The same, `pace` times as fast: to stress.
    #[must_use]
    pub fn faster(self, pace: f64) -> Sessions {
        Sessions { pace, ..self }
    }

    /// A new host's habit.
    pub fn habit(&self, rng: &mut impl Rng) -> Habit {
        let (casual, steady) = self.shares;
        let chance = random::unit(rng);
        let class = if chance < casual {
            Class::Casual
        } else if chance < casual + steady {
            Class::Steady
        } else {
            Class::Permanent
        };
        Habit {
            class,
            last: random::normal(rng),
        }
    }

    /// The habit of a host that is met at a random moment: whoever stays long is met more often.
    pub fn habit_met(&self, rng: &mut impl Rng) -> Habit {
        // Mean sessions weigh: a mean is scale * gamma(1 + 1/shape), here in minutes.
        let (casual, steady) = self.shares;
        let mean = |life: Weibull| {
            life.scale.as_secs_f64() / MINUTE * libm::tgamma(1.0 + 1.0 / life.shape)
        };
        let absence = mean(self.absence);
        let present = |life: Weibull| mean(life) / (mean(life) + absence);
        let weights = [
            casual * present(self.casual),
            steady * present(self.steady),
            1.0 - casual - steady,
        ];
        let mut chance = random::unit(rng) * weights.iter().sum::<f64>();
        let mut class = Class::Permanent;
        for (candidate, weight) in [Class::Casual, Class::Steady].into_iter().zip(weights) {
            if chance < weight {
                class = candidate;
                break;
            }
            chance -= weight;
        }
        Habit {
            class,
            last: random::normal(rng),
        }
    }

    fn life(&self, habit: Habit) -> Option<Weibull> {
        match habit.class {
            Class::Casual => Some(self.casual),
            Class::Steady => Some(self.steady),
            Class::Permanent => None,
        }
    }

    /// How long a host stays this time; `None`: for ever.
    pub fn session(&self, habit: &mut Habit, rng: &mut impl Rng) -> Option<Duration> {
        let rho = self.correlation;
        habit.last = rho * habit.last + libm::sqrt(1.0 - rho * rho) * random::normal(rng);
        let life = self.life(*habit)?;
        let survivors = (1.0 - random::normal_share(habit.last)).clamp(1e-12, 1.0 - 1e-12);
        let session = random::weibull_at(life.shape, life.scale, survivors);
        Some(session.div_f64(self.pace))
    }

    /// How long a host that is met at a random moment stays yet; `None`: for ever.
    pub fn residual(&self, habit: &mut Habit, rng: &mut impl Rng) -> Option<Duration> {
        let left = self.life(*habit)?.residual(rng);
        Some(left.div_f64(self.pace))
    }

    /// How long a host that leaves at `at` is away. In the evening people are back sooner.
    pub fn absence(&self, at: Time, rng: &mut impl Rng) -> Duration {
        let absence = random::weibull(self.absence.shape, self.absence.scale, rng);
        absence.div_f64(self.pace * self.day.activity(at))
    }

    /// As whom a host returns.
    pub fn returns(&self, rng: &mut impl Rng) -> Return {
        let (identity, address) = self.renewal;
        let [identity, address] = [identity, address].map(|share| {
            if random::happens(share, rng) {
                Kept::New
            } else {
                Kept::Same
            }
        });
        Return { identity, address }
    }
}

#[cfg(test)]
mod tests;
