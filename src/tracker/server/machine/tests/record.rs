//! What is told to whoever keeps a copy, and what a restart makes of it.

use super::*;

#[test]
fn changes_make_a_copy_that_a_restart_can_use() {
    let config = Config {
        record: Record::On,
        ..Config::default()
    };
    let mut world = World::new(config.clone());
    let at: Endpoint = "10.0.0.1:6881".parse().unwrap();
    world.http("10.0.0.1", &announce(1, 6881, 5, AnnounceEvent::Started));
    assert_eq!(world.changes(), [Change::Here(hash(1), at, Part::Leecher)]);
    world.now += SECOND;
    world.http("10.0.0.1", &announce(1, 6881, 5, AnnounceEvent::None));
    assert_eq!(world.changes(), [], "not at every announce");
    world.now += 1800 * SECOND;
    world.http("10.0.0.1", &announce(1, 6881, 5, AnnounceEvent::None));
    assert_eq!(
        world.changes(),
        [Change::Here(hash(1), at, Part::Leecher)],
        "but from time to time"
    );
    world.http("10.0.0.1", &announce(1, 6881, 0, AnnounceEvent::Completed));
    let done = [
        Change::Here(hash(1), at, Part::Seeder),
        Change::Completed(hash(1), 1),
    ];
    assert_eq!(world.changes(), done);
    let saved: Vec<Saved> = world.server.peers(world.now).collect();
    world.http("10.0.0.1", &announce(1, 6881, 0, AnnounceEvent::Stopped));
    assert_eq!(world.changes(), [Change::Gone(hash(1), at)]);

    let mut again = World::new(config);
    let now = again.now;
    saved
        .iter()
        .for_each(|saved| again.server.restore(now, saved));
    again.server.restore_completed(hash(1), 1);
    assert_eq!(
        again.counts(1),
        Counts {
            seeders: 1,
            leechers: 0,
            completed: 1
        }
    );
    assert_eq!(again.changes(), [], "what was read need not be written");
    let reply = again.http("10.0.0.2", &announce(1, 1, 5, AnnounceEvent::Started));
    assert_eq!(reply.peers, [at]);
}

#[test]
fn who_pushes_others_out_is_written_down_in_order() {
    let mut world = World::new(Config {
        record: Record::On,
        ..Config::default()
    });
    for port in 1..=65 {
        world.now += SECOND;
        world.http("10.0.0.1", &announce(1, port, 5, AnnounceEvent::None));
    }
    let changes = world.changes();
    let at = |port| Endpoint::new([10, 0, 0, 1].into(), port);
    let last = [
        Change::Gone(hash(1), at(1)),
        Change::Here(hash(1), at(65), Part::Leecher),
    ];
    assert_eq!(changes[64..], last);
}
