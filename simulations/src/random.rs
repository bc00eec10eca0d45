//! Random numbers of given distributions, the same on every machine.
//!
//! Logarithms and powers come from `libm`, which computes them in Rust: the C library's differ in
//! their last bits from system to system, and one bit makes another run. Each function but `gamma`
//! draws a fixed number of values from the generator whatever its parameters.

use std::time::Duration;

use rand::{Rng, RngExt};

/// A number in (0, 1): never 0, so that it has a logarithm.
pub fn unit(rng: &mut impl Rng) -> f64 {
    // 53 bits, shifted by half a step.
    let bits: u64 = rng.random();
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Whether something of this probability happens.
pub fn happens(probability: f64, rng: &mut impl Rng) -> bool {
    unit(rng) < probability
}

/// A standard normal number (Box and Muller).
pub fn normal(rng: &mut impl Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(unit(rng)));
    radius * libm::cos(std::f64::consts::TAU * unit(rng))
}

/// Exponential: waiting for what happens at a constant rate.
pub fn exponential(mean: Duration, rng: &mut impl Rng) -> Duration {
    seconds(mean.as_secs_f64() * -libm::log(unit(rng)))
}

/// Log-normal with this median; `sigma` is the deviation of the logarithm.
pub fn lognormal(median: Duration, sigma: f64, rng: &mut impl Rng) -> Duration {
    seconds(median.as_secs_f64() * libm::exp(sigma * normal(rng)))
}

/// Weibull: below a shape of 1 the old live longer than the young.
pub fn weibull(shape: f64, scale: Duration, rng: &mut impl Rng) -> Duration {
    weibull_at(shape, scale, unit(rng))
}

/// The Weibull value that `1 - survivors` of all do not exceed.
#[must_use]
pub fn weibull_at(shape: f64, scale: Duration, survivors: f64) -> Duration {
    seconds(scale.as_secs_f64() * libm::pow(-libm::log(survivors), 1.0 / shape))
}

/// A gamma number of this shape, at least 1, and scale 1 (Marsaglia and Tsang). Draws until it has one.
pub fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(rng);
        let v = 1.0 + c * x;
        let v = v * v * v;
        let u = unit(rng);
        if v > 0.0 && libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// The part of all normal numbers that is below `x`.
#[must_use]
pub fn normal_share(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// So many seconds, in whole microseconds; at most a century.
#[must_use]
pub fn seconds(seconds: f64) -> Duration {
    const CENTURY: f64 = 100.0 * 365.25 * 86_400.0;
    Duration::from_micros((seconds.clamp(0.0, CENTURY) * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn median(mut draw: impl FnMut(&mut ChaCha8Rng) -> f64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut drawn: Vec<f64> = (0..20_001).map(|_| draw(&mut rng)).collect();
        drawn.sort_by(f64::total_cmp);
        drawn[10_000]
    }

    fn assert_near(value: f64, expected: f64) {
        assert!(
            (value / expected - 1.0).abs() < 0.04,
            "{value}: not {expected}"
        );
    }

    #[test]
    fn medians_are_those_of_the_distributions() {
        let minute = Duration::from_secs(60);
        let ln2 = std::f64::consts::LN_2;
        assert_near(median(unit), 0.5);
        assert_near(median(|r| 1.0 + normal(r)), 1.0);
        assert_near(median(|r| exponential(minute, r).as_secs_f64()), 60.0 * ln2);
        assert_near(median(|r| lognormal(minute, 0.8, r).as_secs_f64()), 60.0);
        let expected = 60.0 * ln2.powf(1.0 / 0.61);
        assert_near(median(|r| weibull(0.61, minute, r).as_secs_f64()), expected);
    }

    #[test]
    fn gamma_has_its_mean_and_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        let drawn: Vec<f64> = (0..40_000).map(|_| gamma(2.6, &mut rng)).collect();
        let mean = drawn.iter().sum::<f64>() / 40_000.0;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 40_000.0;
        assert_near(mean, 2.6);
        assert_near(variance, 2.6);
        assert_near(normal_share(1.0), 0.841_345);
    }

    #[test]
    fn probabilities_hold() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let hits = (0..10_000).filter(|_| happens(0.3, &mut rng)).count();
        assert!((2_850..3_150).contains(&hits), "{hits}");
    }

    #[test]
    fn the_same_bits_everywhere() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let drawn = [
            weibull(0.61, Duration::from_secs(10_200), &mut rng).as_micros(),
            lognormal(Duration::from_millis(10), 0.8, &mut rng).as_micros(),
            exponential(Duration::from_millis(6), &mut rng).as_micros(),
        ];
        // Golden: computed once; another machine must agree.
        assert_eq!(drawn, GOLDEN);
    }

    const GOLDEN: [u128; 3] = [36_335_503_423, 7_311, 10_507];
}
