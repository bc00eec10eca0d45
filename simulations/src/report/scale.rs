//! From values to places on an axis, and where its ticks stand.
//!
//! The lower end is always below the upper one, both finite. Knows nothing of drawing.

use super::axis::{Axis, Format, Scale};

/// An axis with its ends, in the scale's own numbers (logarithms on a log scale).
pub(super) struct Range {
    scale: Scale,
    format: Format,
    low: f64,
    high: f64,
}

impl Range {
    /// The axis's bounds, or those of the values.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>) -> Self {
        let inner = |v: f64| inner(axis.scale, v);
        let (mut low, mut high) = values
            .filter_map(inner)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let bounded = axis.bounds.and_then(|(a, b)| Some((inner(a)?, inner(b)?)));
        if let Some((a, b)) = bounded.filter(|(a, b)| a < b) {
            (low, high) = (a, b);
        } else if axis.scale == Scale::Linear {
            // Amounts are compared from zero.
            low = low.min(0.0);
            high += (high - low) * 0.04;
        }
        if high - low < 1e-9 {
            (low, high) = (low - 0.5, high + 0.5);
        }
        Self {
            scale: axis.scale,
            format: axis.format,
            low,
            high,
        }
    }

    /// Where the value stands: 0 is the lower end, 1 the upper. `None` if outside.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let at = (inner(self.scale, value)? - self.low) / (self.high - self.low);
        (-1e-9..=1.0 + 1e-9).contains(&at).then_some(at)
    }

    /// Places of the ticks and their words.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let values = match self.scale {
            Scale::Linear => linear(self.low, self.high),
            Scale::Log => logarithmic(self.low, self.high),
        };
        let step = values
            .windows(2)
            .map(|w| w[1] - w[0])
            .fold(f64::MAX, f64::min);
        let word = |value| Some((self.place(value)?, label(value, step, self.format)));
        values.into_iter().filter_map(word).collect()
    }
}

fn inner(scale: Scale, value: f64) -> Option<f64> {
    let value = match scale {
        Scale::Linear => value,
        Scale::Log if value > 0.0 => libm::log10(value),
        Scale::Log => return None,
    };
    value.is_finite().then_some(value)
}

/// Multiples of 1, 2 or 5 times a power of ten, about six.
fn linear(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 6.0;
    let power = libm::pow(10.0, libm::floor(libm::log10(rough)));
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.iter().find(|s| **s * power >= rough).unwrap_or(&10.0) * power;
    let (first, last) = (libm::ceil(low / step), libm::floor(high / step + 1e-9));
    let count = (last - first).clamp(0.0, 20.0) as usize;
    (0..=count).map(|i| (first + i as f64) * step).collect()
}

/// Decades, with 1-3 or 1-2-5 in between if there are few; linear ticks within one decade.
fn logarithmic(low: f64, high: f64) -> Vec<f64> {
    let within: &[f64] = match high - low {
        span if span < 0.7 => return linear(libm::pow(10.0, low), libm::pow(10.0, high)),
        span if span <= 2.0 => &[1.0, 2.0, 5.0],
        span if span <= 4.0 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let every = if high - low > 9.0 { 3 } else { 1 };
    let (first, last) = (libm::floor(low) as i32, libm::ceil(high) as i32);
    let decades = (first..=last).step_by(every);
    let ticks = decades.flat_map(|d| within.iter().map(move |w| w * libm::pow(10.0, d.into())));
    ticks.collect()
}

/// At most 3 digits after the point.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

fn label(value: f64, step: f64, format: Format) -> String {
    let size = value.abs();
    match format {
        Format::Share => format!("{} %", plain(value * 100.0)),
        Format::Seconds if size < 1e-12 => "0".to_owned(),
        Format::Seconds if size < 0.9e-3 => format!("{} µs", plain(value * 1e6)),
        Format::Seconds if size < 0.9 && step < 0.9 => format!("{} ms", plain(value * 1e3)),
        Format::Seconds => format!("{} s", label(value, step, Format::Plain)),
        Format::Plain if size >= 0.999e9 => format!("{} G", plain(value / 1e9)),
        Format::Plain if size >= 0.999e6 => format!("{} M", plain(value / 1e6)),
        Format::Plain if size >= 9.99e3 => format!("{} k", plain(value / 1e3)),
        Format::Plain if size > 1e-12 && size < 1e-3 => format!("{value:e}"),
        Format::Plain => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(axis: &Axis, values: [f64; 2]) -> Vec<String> {
        let ticks = Range::new(axis, values.into_iter()).ticks();
        ticks.into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn ticks_are_round() {
        let linear = words(&Axis::linear("x"), [0.0, 100.0]);
        assert_eq!(linear, ["0", "20", "40", "60", "80", "100"]);
        let log = words(&Axis::log("x").with(Format::Seconds), [0.1, 10.0]);
        assert_eq!(
            log,
            ["100 ms", "200 ms", "500 ms", "1 s", "2 s", "5 s", "10 s"]
        );
        let share = words(&Axis::share("x"), [0.2, 0.3]);
        assert_eq!(share, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
    }

    #[test]
    fn what_has_no_place_has_none() {
        let range = Range::new(&Axis::log("x"), [0.0, 1.0, 100.0, f64::NAN].into_iter());
        assert_eq!(range.place(0.0), None);
        assert_eq!(range.place(10.0), Some(0.5));
        assert_eq!(range.place(1000.0), None);
        let flat = Range::new(&Axis::linear("x"), std::iter::empty());
        assert!(flat.ticks().iter().all(|(at, _)| at.is_finite()));
    }
}
