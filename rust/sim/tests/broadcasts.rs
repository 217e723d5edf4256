//! What a node has accepted from its caller reaches every member that stays in reach, or the caller is told that it was not
//! accepted.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{
    Admission, Ban, Command, Engine, EngineConfig, Event, Identity, Input, Moment, Output,
};
use palaver_core::{ClusterTag, Error, KeyManager, NodeMetadata, Priority, Status, Time};
use palaver_sim::promises::check;
use palaver_sim::{LinkQuality, World, configuration};

const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 500 };

/// A cluster of 2 to 12 in which all know all; one in twenty datagrams is lost.
fn lossy(seed: u64, administrator: &KeyManager) -> World {
    let mut config = configuration(None, false);
    config.admission = Admission::Open { administrators: vec![*administrator.public_key().as_bytes()] };
    let nodes = 2 + (seed % 11) as usize;
    let mut world = World::new(config, LinkQuality { loss: 0.05, ..LinkQuality::default() }, nodes, 1, seed);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(3.0, &mut |_| {});
    world
}

/// The only ones who had heard of the ban were killed for good, or lost their disks, within four seconds: nobody is left who
/// could know. The nodes that are left agree, and a ban that somebody still holds is held by all.
#[test]
fn a_ban_whose_holders_are_all_lost_is_held_by_nobody_and_any_other_by_all() {
    check(2_539, |_| {}).unwrap();
}

#[test]
fn what_is_broadcast_right_before_a_goodbye_is_heard_by_all_who_stay() {
    for seed in 0..SEEDS {
        let mut world = lossy(seed, &KeyManager::from_seed(&[1; 32]));
        let mut heard = vec![0; world.nodes.len()];
        for payload in [b"one".to_vec(), vec![7; EngineConfig::MAX_BROADCAST]] {
            world.command(0, Command::Broadcast { priority: Priority::Application, payload }, &mut |_| {});
        }
        world.command(0, Command::Leave, &mut |_| {});
        let mut stopped = false;
        world.run(20.0, &mut |told| match told.event {
            Event::Broadcast { .. } => heard[told.node] += 1,
            Event::Stopped { .. } => stopped |= told.node == 0,
            _ => {}
        });
        assert!(stopped);
        assert!(heard[1..].iter().all(|times| *times == 2), "seed {seed}: {heard:?}");
    }
}

#[test]
fn a_ban_given_right_before_a_goodbye_is_held_by_all_who_stay() {
    let administrator = KeyManager::from_seed(&[2; 32]);
    for seed in 0..SEEDS {
        let mut world = lossy(seed + 1, &administrator);
        let last = world.nodes.len() - 1;
        let banned = world.nodes[last].id;
        let ban = Ban::sign(&administrator, ClusterTag::of(&world.config.cluster), &banned);
        world.command(0, Command::Ban(ban), &mut |_| {});
        world.command(0, Command::Leave, &mut |_| {});
        world.run(20.0, &mut |_| {});
        for node in &world.nodes[1..last] {
            let status = node.engine.as_ref().unwrap().status(&banned);
            assert_eq!(status, Some(Status::Banned), "seed {seed}");
        }
    }
}

#[test]
fn what_would_push_out_what_was_accepted_before_is_refused() {
    let mut config = EngineConfig::new("test", Admission::open());
    config.buffer_capacity = 3;
    let identity = Identity {
        keys: KeyManager::from_seed(&[3; 32]),
        name: String::new(),
        address: "10.0.0.1:1".parse().unwrap(),
        place: NodeMetadata::default(),
        incarnation: 1,
        ceiling: None,
        exchange: [3; 32],
        ticket: None,
    };
    let moment = Moment { now: Time::new(1.0).unwrap(), unix_millis: palaver_sim::EPOCH_MILLIS };
    let mut engine = Engine::new(config, identity, 1, moment).unwrap();
    let mut tell = |payload: u8| {
        let command = Command::Broadcast { priority: Priority::Application, payload: vec![payload] };
        engine.handle(Input::Command(command), moment, &mut Output::default())
    };
    for payload in 0..3 {
        tell(payload).unwrap();
    }
    assert_eq!(tell(3), Err(Error::Full { what: "buffer of changes to tell", limit: 3 }));
}
