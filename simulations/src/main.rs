//! `trackless-sim`: plays a scenario and prints its table.

use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use trackless_simulations::network::Network;
use trackless_simulations::scenarios::join;

/// Networks of trackless DHT nodes in virtual time.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Nodes arrive one by one; then random targets are looked up and compared with the truth.
    Join {
        /// Nodes that arrive.
        #[arg(long, default_value_t = 1000)]
        nodes: usize,
        /// Determines the run.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Seconds over which they arrive.
        #[arg(long, default_value_t = 600)]
        arrival: u64,
        /// Of a thousand datagrams, so many are lost.
        #[arg(long, default_value_t = 10)]
        loss: u32,
        /// Of a hundred nodes, so many leave without a word once all have arrived.
        #[arg(long, default_value_t = 0)]
        leavers: usize,
    },
}

fn main() {
    match Arguments::parse().scenario {
        Scenario::Join {
            nodes,
            seed,
            arrival,
            loss,
            leavers,
        } => {
            let plan = join::Plan {
                nodes,
                arrival: Duration::from_secs(arrival),
                leavers_per_cent: leavers,
                network: Network {
                    loss_per_mille: loss,
                    ..Network::default()
                },
                seed,
            };
            #[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
            let start = Instant::now();
            print!("{}", join::play(&plan, start));
        }
    }
}
