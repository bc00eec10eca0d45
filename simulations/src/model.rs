//! How the internet behaves, model by model; none knows the others, nodes, or time's passing.
//!
//! [`regions`] says how far hosts are apart, [`loss`] what is lost between them, [`nat`] whom a host
//! lets in, [`sessions`] and [`day`] when people are there, [`addresses`] what hosts are called,
//! [`popularity`] which torrents they have.
//! Parameters are those of dht.md §5.2; each model has a test of its distribution.

pub mod addresses;
pub mod day;
pub mod loss;
pub mod nat;
pub mod popularity;
pub mod regions;
pub mod sessions;

use day::DayCycle;
use loss::Loss;
use nat::Classes;
use regions::Geography;
use sessions::Sessions;

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Internet {
    /// Distances.
    pub geography: Geography,
    /// Losses.
    pub loss: Loss,
    /// NATs and firewalls.
    pub classes: Classes,
    /// Churn, and the day.
    pub sessions: Sessions,
}

impl Internet {
    /// Everybody is open and stays, round trips are 10 to 200 ms, one datagram of a hundred is lost:
    /// for questions about the protocol alone.
    #[must_use]
    pub fn calm() -> Internet {
        Internet {
            geography: Geography::uniform(10, 200),
            loss: Loss::of(0.01),
            classes: Classes::open(),
            sessions: Sessions::none(),
        }
    }

    /// The usual one without the day's tide: people come and go, and are as many at any hour.
    #[must_use]
    pub fn without_tide() -> Internet {
        Internet {
            sessions: Sessions {
                day: DayCycle::none(),
                ..Sessions::default()
            },
            ..Internet::default()
        }
    }
}
