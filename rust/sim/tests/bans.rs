//! A banned node is told, by an administrator's word and nobody else's, and ends.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{Admission, Ban, Command, Event};
use palaver_core::{ClusterTag, KeyManager, Status};
use palaver_sim::{LinkQuality, World, configuration};

fn administrator() -> KeyManager {
    KeyManager::from_seed(&[1; 32])
}

fn settled(nodes: usize, seed: u64) -> World {
    let mut config = configuration(None, false);
    config.admission = Admission::Open { administrators: vec![*administrator().public_key().as_bytes()] };
    let mut world = World::new(config, LinkQuality::default(), nodes, 1, seed);
    world.keep_membership = true;
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(20.0, &mut |_| {});
    world
}

fn ban(world: &World, by: &KeyManager, node: usize) -> Ban {
    Ban::sign(by, ClusterTag::of(&world.config.cluster), &world.nodes[node].id)
}

fn own_status(world: &World, node: usize) -> Option<Status> {
    world.nodes[node].engine.as_ref().unwrap().status(&world.nodes[node].id)
}

#[test]
fn a_banned_node_is_told_and_blames_nobody() {
    let mut world = settled(20, 1);
    let ban = ban(&world, &administrator(), 7);
    world.command(3, Command::Ban(ban), &mut |_| {});
    let mut told = Vec::new();
    world.run(22.0, &mut |event| {
        if event.node == 7 {
            told.push(event.event.clone());
        }
    });
    assert_eq!(own_status(&world, 7), Some(Status::Banned));
    assert!(
        matches!(&told[..], [Event::View(changes), Event::Stopped { banned: true, .. }]
        if changes.len() == 1 && changes[0].after == Some(Status::Banned)),
        "{told:?}"
    );
}

#[test]
fn one_that_was_away_is_told_when_it_greets_and_knows_it_after_a_restart() {
    let mut world = settled(6, 2);
    world.crash(4);
    let ban = ban(&world, &administrator(), 4);
    world.command(0, Command::Ban(ban), &mut |_| {});
    world.run(30.0, &mut |_| {});
    let seed = world.nodes[1].address;
    world.start(4).unwrap();
    world.command(4, Command::Join(vec![seed]), &mut |_| {});
    world.run(33.0, &mut |_| {});
    assert_eq!(own_status(&world, 4), Some(Status::Banned));
    let log = world.nodes[4].disk.membership.clone();
    world.crash(4);
    world.start(4).unwrap();
    world.command(4, Command::Restore(log), &mut |_| {});
    assert!(world.nodes[4].engine.as_ref().unwrap().has_ended());
}

#[test]
fn a_ban_that_is_shown_counts_by_its_signature_and_for_its_subject() {
    let mut world = settled(4, 3);
    let shown = |world: &World, ban: &Ban| {
        let mut packet = b"PC\x01\x02".to_vec();
        packet.extend_from_slice(ClusterTag::of(&world.config.cluster).as_bytes());
        packet.extend_from_slice(&(ban.as_bytes().len() as u16).to_le_bytes());
        packet.extend_from_slice(ban.as_bytes());
        packet
    };
    let from = world.nodes[1].address;
    let by_a_member = ban(&world, &KeyManager::from_seed(&[9; 32]), 2);
    let of_another = ban(&world, &administrator(), 3);
    let mut tampered = shown(&world, &ban(&world, &administrator(), 2));
    *tampered.last_mut().unwrap() ^= 1;
    for packet in [shown(&world, &by_a_member), shown(&world, &of_another), tampered] {
        let before = world.state_hash();
        world.inject(2, from, &packet, false, &mut |event| panic!("{event:?}"));
        assert_eq!((world.state_hash(), own_status(&world, 2)), (before, Some(Status::Alive)));
    }
    let good = shown(&world, &ban(&world, &administrator(), 2));
    world.inject(2, from, &good, false, &mut |_| {});
    assert_eq!(own_status(&world, 2), Some(Status::Banned));
}

#[test]
fn a_banned_node_that_keeps_greeting_is_answered_with_less_and_at_most_once_a_second() {
    let mut world = settled(3, 4);
    let greeting = {
        world.crash(2);
        world.capture = Some(Vec::new());
        world.start(2).unwrap();
        let seed = world.nodes[0].address;
        world.command(2, Command::Join(vec![seed]), &mut |_| {});
        let sent = world.capture.take().unwrap();
        sent.into_iter().find(|(to, ..)| *to == 0).unwrap().2
    };
    world.crash(2);
    let ban = ban(&world, &administrator(), 2);
    world.command(0, Command::Ban(ban), &mut |_| {});
    world.run(25.0, &mut |_| {});
    world.capture = Some(Vec::new());
    let from = world.nodes[2].address;
    for tenth in 0..20 {
        world.run(25.0 + 0.1 * f64::from(tenth), &mut |_| {});
        world.inject(0, from, &greeting, false, &mut |_| {});
    }
    let answers = world.capture.take().unwrap().into_iter().filter(|(to, ..)| *to == 2);
    let sizes: Vec<usize> = answers.map(|(_, _, bytes)| bytes.len()).collect();
    assert!((1..=3).contains(&sizes.len()), "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < greeting.len() / 4), "{sizes:?} for {}", greeting.len());
}
