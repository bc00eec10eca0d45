//! A peer whose address changes in the middle of a connection (reliability.md N2).

use std::time::Duration;

use super::cast::address;
use super::scripts::Script;
use crate::swarm::{Action, PeerKey, Refusal};
use crate::wire::Message;

/// Rows N2: a peer with another address gets in once its old connection has been silent for half a minute.
#[test]
fn a_peer_that_moved_gets_in_again() {
    let mut script = Script::leecher();
    let old = script.accept(1);
    script.now += Duration::from_secs(25);
    script.say(old, vec![Message::HaveAll]);
    let hello = script.hello(1);
    script.now += Duration::from_secs(9);
    let refused = script.torrent.accept(script.now, address(2), &hello);
    assert_eq!(
        refused,
        Err(Refusal::Duplicate),
        "not while it may be there"
    );
    script.now += Duration::from_secs(1);
    let other = script.hello(3);
    assert!(
        script
            .torrent
            .accept(script.now, address(3), &other)
            .is_ok()
    );
    let closes = |script: &mut Script| {
        let actions = std::iter::from_fn(|| script.torrent.poll_action());
        let closed = actions.filter_map(|action| match action {
            Action::Close { peer, .. } => Some(peer),
            _ => None,
        });
        closed.collect::<Vec<PeerKey>>()
    };
    assert_eq!(closes(&mut script), [], "another one closes nobody");
    assert!(
        script
            .torrent
            .accept(script.now, address(2), &hello)
            .is_ok()
    );
    assert_eq!(closes(&mut script), [old]);
}
