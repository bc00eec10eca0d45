//! A connection's task that panics.

use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::*;
use crate::io::descriptors::Share;
use crate::swarm::PeerSource;

/// Without a clock a connection panics as soon as it waits. The torrent hears of it although it sends nothing there and
/// has no room for news at that moment, and the connection's place is free by then.
#[test]
fn a_panic_is_told_and_leaves_its_place() {
    let runtime = Builder::new_current_thread().enable_io().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let to = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(to).await.expect("accepted");
        let places = Share::of(1);
        let opened = Opened {
            stream,
            connection: Connection::incoming(Instant::now()),
            input: BytesMut::new(),
            permit: places.try_take().expect("the first"),
        };
        let (torrent, mut inputs) = mpsc::channel(1);
        let earlier = Input::Add(PeerSource::Manual, Vec::new());
        assert!(torrent.try_send(earlier).is_ok());
        let (_mailbox, messages) = mpsc::channel(1);
        let peer = PeerKey(7);
        let serving = serve(opened, peer, torrent.clone(), messages, Network::still());
        spawn(peer, torrent, serving);
        assert!(matches!(inputs.recv().await, Some(Input::Add(..))));
        let Some(Input::Closed { peer: told, by }) = inputs.recv().await else {
            panic!("told otherwise, or not at all")
        };
        assert_eq!((told, by), (peer, ClosedBy::Bug));
        assert_eq!(places.free(), 1);
        assert!(inputs.recv().await.is_none(), "told once");
    });
}
