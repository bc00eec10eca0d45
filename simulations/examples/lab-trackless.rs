//! Our client as a client of the lab: as shipped, but for its port and bootstrap nodes.
//!
//! `lab-trackless PORT HOST:PORT…` joins, then reads a line for each task: `announce HASH PORT` looks
//! for peers and announces itself, `lookup HASH` only looks; as its torrents do, which all share the one
//! node of a process. It ends when its input does.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own may have threads"
)]

use std::error::Error;
use std::io::BufRead;

use dht::Part;
use tokio::sync::mpsc;
use trackless::io::{Client, ClientConfig, Port, Search, SearchEvent, Trace};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("which port?")?.parse()?;
    let config = ClientConfig {
        port: Port::Fixed(port),
        bootstrap: arguments.collect(),
        ..ClientConfig::default()
    };
    let (lines, tasks) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(obey(config, tasks))
}

async fn obey(
    config: ClientConfig,
    mut tasks: mpsc::UnboundedReceiver<String>,
) -> Result<(), Box<dyn Error>> {
    let client = Client::start(config).await?;
    let dht = client.dht().ok_or("no DHT")?.clone();
    while let Some(line) = tasks.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let search = match *words.as_slice() {
            ["lookup", hash] => Search::Peers(hash.parse()?),
            ["announce", hash, own] => Search::Announce(hash.parse()?, own.parse()?, Part::Peer),
            _ => return Err(format!("what is {line:?}?").into()),
        };
        let mut events = dht.search(search, Trace::Off).await;
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let SearchEvent::Done(report) = event {
                    println!("{report:?}");
                    return;
                }
            }
        });
    }
    client.shutdown().await;
    Ok(())
}
