//! The `mainline` crate's node as a client of the lab: as shipped, but for its port and bootstrap nodes.
//!
//! `lab-mainline PORT HOST:PORT…` joins, then reads a line for each task: `announce HASH PORT` looks
//! for peers and announces itself, `lookup HASH` only looks. It says what it did on its standard
//! output, and ends when its input does.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own may have threads"
)]

use std::io::BufRead;

use mainline::{Dht, Id};

#[expect(
    deprecated,
    reason = "its blocking calls will go; until then they need no runtime"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("which port?")?.parse()?;
    let doors: Vec<String> = arguments.collect();
    let dht = Dht::builder().port(port).bootstrap(&doors).build()?;
    println!("joined: {}", dht.bootstrapped());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let dht = dht.clone();
        match *words.as_slice() {
            ["lookup", hash] => {
                let hash: Id = hash.parse()?;
                std::thread::spawn(move || {
                    let peers: usize = dht.get_peers(hash).map(|peers| peers.len()).sum();
                    println!("{hash}: {peers} peers");
                });
            }
            ["announce", hash, own] => {
                let (hash, own): (Id, u16) = (hash.parse()?, own.parse()?);
                std::thread::spawn(move || {
                    // It announces without asking for peers; whoever joins a swarm does both, and the
                    // nodes that were found serve for the second.
                    let peers: usize = dht.get_peers(hash).map(|peers| peers.len()).sum();
                    println!("{hash}: {peers} peers");
                    let told = dht.announce_peer(hash, Some(own));
                    println!("{hash}: {told:?}");
                });
            }
            _ => eprintln!("what is {line:?}?"),
        }
    }
    Ok(())
}
