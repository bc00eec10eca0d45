//! What an axis shows, and how its values are spread and written. Knows no series.

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Evenly, from 0 unless bounds say otherwise.
    #[default]
    Linear,
    /// By their logarithms; values up to 0 have no place.
    Log,
}

/// What stands at the ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The number.
    #[default]
    Plain,
    /// A part of the whole, 0 to 1, as per cent.
    Share,
    /// Seconds.
    Seconds,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is counted, in which unit.
    pub label: String,
    /// How it is spread.
    pub scale: Scale,
    /// Lower and upper end; otherwise those of the values.
    pub bounds: Option<(f64, f64)>,
    /// What stands at the ticks.
    pub format: Format,
}

impl Axis {
    /// An even axis.
    #[must_use]
    pub fn linear(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            scale: Scale::Linear,
            bounds: None,
            format: Format::Plain,
        }
    }

    /// An axis of logarithms.
    #[must_use]
    pub fn log(label: &str) -> Self {
        Self {
            scale: Scale::Log,
            ..Self::linear(label)
        }
    }

    /// Parts of the whole, from 0 to 100 per cent.
    #[must_use]
    pub fn share(label: &str) -> Self {
        Self::linear(label).with(Format::Share).between(0.0, 1.0)
    }

    /// The same with other words at the ticks.
    #[must_use]
    pub fn with(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// The same with these ends.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        Self {
            bounds: Some((low, high)),
            ..self
        }
    }
}
