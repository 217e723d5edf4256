//! Small clusters with real cryptography: they find each other, agree, miss who is gone, and do it the same way every time.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{Admission, Command, EngineConfig, Event, Sealing};
use palaver_core::{Priority, Status};
use palaver_sim::{LinkQuality, World};

fn world(nodes: usize, seed: u64) -> World {
    let mut config = EngineConfig::new("test", Admission::open());
    config.cache_capacity = 1 << 10;
    World::new(config, LinkQuality { loss: 0.02, duplicate: 0.02, ..LinkQuality::default() }, nodes, 1, seed)
}

/// All nodes start at once and know one seed.
fn joined(nodes: usize, seed: u64) -> World {
    let mut world = world(nodes, seed);
    let first = world.nodes[0].address;
    for node in 0..nodes {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![first]), &mut |_| {});
    }
    world.run(10.0, &mut |_| {});
    world
}

#[test]
fn nodes_that_know_one_seed_find_all_others() {
    let world = joined(12, 1);
    assert_eq!(world.views(), 1);
    for node in &world.nodes {
        let engine = node.engine.as_ref().unwrap();
        assert_eq!(engine.size(), 12);
        assert!(engine.members().iter().all(|member| member.status == Status::Alive));
    }
}

#[test]
fn a_crash_is_seen_as_unreachable_by_all_then_as_dead_and_nobody_else_is_suspected() {
    let mut world = joined(12, 2);
    world.crash(5);
    let victim = world.nodes[5].id;
    let (mut unreachable, mut dead, mut others) = (0, 0, 0);
    world.run(45.0, &mut |told| {
        let Event::View(changes) = told.event else { return };
        for change in changes {
            match (change.node == victim, change.after) {
                (true, Some(Status::Unreachable)) => unreachable += 1,
                (true, Some(Status::Dead)) => dead += 1,
                (false, _) => others += 1,
                _ => {}
            }
        }
    });
    assert_eq!((unreachable, dead, others), (11, 11, 0));
    assert_eq!(world.views(), 1);
}

#[test]
fn a_node_that_comes_back_is_alive_everywhere_at_a_later_incarnation() {
    let mut world = joined(8, 3);
    let before = world.nodes[3].engine.as_ref().unwrap().incarnation();
    world.crash(3);
    world.run(20.0, &mut |_| {});
    world.start(3).unwrap();
    let seed = world.nodes[0].address;
    world.command(3, Command::Join(vec![seed]), &mut |_| {});
    world.run(30.0, &mut |_| {});
    assert_eq!(world.views(), 1);
    let id = world.nodes[3].id;
    for node in &world.nodes {
        let engine = node.engine.as_ref().unwrap();
        assert_eq!(engine.status(&id), Some(Status::Alive));
        assert!(engine.incarnation_of(&id).unwrap() > before);
    }
}

#[test]
fn a_node_that_leaves_is_missed_by_nobody_and_stops_when_its_goodbye_is_heard() {
    let mut world = joined(10, 4);
    let mut acknowledged = None;
    world.command(2, Command::Leave, &mut |_| {});
    world.run(25.0, &mut |told| match told.event {
        Event::Stopped { acknowledged: by, .. } if told.node == 2 => acknowledged = Some(*by),
        Event::Suspected { .. } => panic!("{told:?}"),
        _ => {}
    });
    assert_eq!(acknowledged, Some(8));
    let id = world.nodes[2].id;
    for (index, node) in world.nodes.iter().enumerate().filter(|(index, _)| *index != 2) {
        assert_eq!(node.engine.as_ref().unwrap().status(&id), Some(Status::Left), "{index}");
    }
}

#[test]
fn a_broadcast_reaches_everybody_once() {
    let mut world = joined(20, 5);
    let payload = b"revoked: ada".to_vec();
    let mut heard = vec![0; 20];
    let command = Command::Broadcast { priority: Priority::Gone, payload: payload.clone() };
    world.command(7, command, &mut |_| {});
    world.run(15.0, &mut |told| {
        if let Event::Broadcast { payload: got, priority, .. } = told.event {
            assert_eq!((got, *priority), (&payload, Priority::Gone));
            heard[told.node] += 1;
        }
    });
    heard[7] += 1;
    assert_eq!(heard, [1; 20]);
}

/// A history as one number: bytes on the wire, all views at the end.
fn history(seed: u64, sealing: Sealing) -> (u64, u64, u64) {
    let mut world = world(6, seed);
    world.config.rules.sealing = sealing;
    world.trace = Some(0);
    let first = world.nodes[0].address;
    for node in 0..6 {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![first]), &mut |_| {});
    }
    world.run(8.0, &mut |_| {});
    world.crash(4);
    world.run(30.0, &mut |_| {});
    (world.trace.unwrap(), world.state_hash(), world.handled)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for sealing in [Sealing::Pairwise, Sealing::Model] {
        assert_eq!(history(1, sealing), history(1, sealing));
        assert_ne!(history(1, sealing).0, history(2, sealing).0);
    }
}

/// A change of this is a change of what goes over the wire or when: say so in the commit.
#[test]
fn a_known_history_stays_byte_for_byte_the_same() {
    assert_eq!(history(1, Sealing::Pairwise), (9_069_948_573_826_401_738, 9_406_964_119_915_191_631, 1_361));
}
