//! The numbers of [`Tuning`] that are swept, and their values.
//!
//! One line each: a new field of `Tuning` needs another one here. All values are whole numbers, in the
//! field's own unit.

use dht::Tuning;

/// A number that an experiment chooses.
#[derive(Debug)]
pub struct Parameter {
    /// The field.
    pub name: &'static str,
    /// What is tried, besides the default.
    pub values: &'static [usize],
    of: fn(&Tuning) -> usize,
    set: fn(&mut Tuning, usize),
}

impl Parameter {
    /// Its value in a tuning.
    #[must_use]
    pub fn of(&self, tuning: &Tuning) -> usize {
        (self.of)(tuning)
    }

    /// The tuning with this value instead.
    #[must_use]
    pub fn with(&self, mut tuning: Tuning, value: usize) -> Tuning {
        (self.set)(&mut tuning, value);
        tuning
    }
}

fn percent(value: usize) -> u8 {
    u8::try_from(value.min(100)).expect("at most 100")
}

/// All of them (dht.md §3.4, E1 and E2).
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "homing",
        values: &[1, 2, 3, 4, 5, 6, 8, 12],
        of: |tuning| tuning.homing,
        set: |tuning, value| tuning.homing = value,
    },
    Parameter {
        name: "converging",
        values: &[4, 6, 8, 12, 16, 24],
        of: |tuning| tuning.converging,
        set: |tuning, value| tuning.converging = value,
    },
    Parameter {
        name: "hedge",
        values: &[50, 65, 75, 85, 90, 95, 98],
        of: |tuning| usize::from(tuning.hedge),
        set: |tuning, value| tuning.hedge = percent(value),
    },
    Parameter {
        name: "pool",
        values: &[0, 128, 512, 1_024, 2_048, 4_096, 8_192],
        of: |tuning| tuning.pool,
        set: |tuning, value| tuning.pool = value,
    },
    Parameter {
        name: "seeds",
        values: &[4, 8, 16, 32, 64],
        of: |tuning| tuning.seeds,
        set: |tuning, value| tuning.seeds = value,
    },
    Parameter {
        name: "survey",
        values: &[0, 32, 64, 96, 192, 384],
        of: |tuning| usize::from(tuning.survey),
        set: |tuning, value| tuning.survey = u16::try_from(value).expect("hundreds"),
    },
    Parameter {
        name: "anchors",
        values: &[0, 1, 2, 4, 8],
        of: |tuning| tuning.anchors,
        set: |tuning, value| tuning.anchors = value,
    },
    Parameter {
        name: "margin",
        values: &[0, 2, 4, 8],
        of: |tuning| tuning.margin,
        set: |tuning, value| tuning.margin = value,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sets_what_it_reads() {
        for parameter in PARAMETERS {
            for value in parameter.values {
                let tuning = parameter.with(Tuning::default(), *value);
                assert_eq!(parameter.of(&tuning), *value, "{}", parameter.name);
                let back = parameter.with(tuning, parameter.of(&Tuning::default()));
                assert_eq!(back, Tuning::default(), "nothing but {}", parameter.name);
            }
        }
    }
}
