//! What the machine costs per block: measured by hand, `cargo test --release -- --ignored cost`.

use super::cast::settings;
use super::scripts::Script;
use crate::swarm::disk::{Job, Reply};
use crate::swarm::{Action, PeerKey};
use crate::wire::Message;

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn cost_of_a_block() {
    let mut script = Script::large(settings(0));
    let key: PeerKey = script.accept(1);
    let data = bytes::Bytes::from(vec![0; 16_384]);
    let mut batch = vec![Message::HaveAll, Message::Unchoke];
    let (mut blocks, began) = (0u32, std::time::Instant::now());
    while !batch.is_empty() {
        script.now += std::time::Duration::from_micros(500);
        script
            .torrent
            .handle_messages(script.now, key, std::mem::take(&mut batch));
        while let Some(action) = script.torrent.poll_action() {
            match action {
                Action::Send {
                    message: Message::Request(b),
                    ..
                } => {
                    let (piece, begin) = (b.piece, b.begin);
                    batch.push(Message::Piece {
                        piece,
                        begin,
                        data: data.clone(),
                    });
                    blocks += 1;
                }
                Action::Disk(Job::Store { piece, .. }) => {
                    script.torrent.handle_disk(
                        script.now,
                        Reply::Stored {
                            piece,
                            digests: None,
                        },
                    );
                }
                _ => {}
            }
        }
    }
    println!(
        "{blocks} blocks, {:?} a block",
        began.elapsed() / blocks.max(1)
    );
}
