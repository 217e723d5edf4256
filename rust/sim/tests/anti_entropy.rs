//! Views that differ become one, whatever they differ in.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{Admission, Ban, Command};
use palaver_core::{ClusterTag, KeyManager, Status};
use palaver_sim::{LinkQuality, World, configuration};

fn settled(nodes: usize, seed: u64, admission: Admission) -> World {
    let mut config = configuration(None, false);
    config.admission = admission;
    let mut world = World::new(config, LinkQuality::default(), nodes, 1, seed);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(3.0, &mut |_| {});
    world
}

fn status(world: &World, observer: usize, subject: usize) -> Option<Status> {
    world.nodes[observer].engine.as_ref().unwrap().status(&world.nodes[subject].id)
}

/// Those who do not know of it send the record of who was banned: it must not keep the ban from them.
#[test]
fn a_ban_that_was_given_in_a_partition_reaches_those_who_think_that_the_banned_is_dead() {
    let administrator = KeyManager::from_seed(&[1; 32]);
    let admission = Admission::Open { administrators: vec![*administrator.public_key().as_bytes()] };
    for seed in 0..20 {
        let mut world = settled(4, seed, admission.clone());
        world.crash(3);
        world.run(30.0, &mut |_| {});
        assert_eq!(status(&world, 1, 3), Some(Status::Dead));
        world.nodes[0].links.group = 1;
        let ban = Ban::sign(&administrator, ClusterTag::of(&world.config.cluster), &world.nodes[3].id);
        world.command(0, Command::Ban(ban), &mut |_| {});
        world.run(45.0, &mut |_| {});
        world.nodes[0].links.group = 0;
        world.run(75.0, &mut |_| {});
        let seen: Vec<_> = (0..3).map(|observer| status(&world, observer, 3)).collect();
        assert_eq!((seen, world.views()), (vec![Some(Status::Banned); 3], 1), "seed {seed}");
    }
}

/// Two halves that have settled on different views: each node agrees with one of those it meets.
#[test]
fn two_camps_that_are_each_of_one_mind_become_one() {
    let administrator = KeyManager::from_seed(&[1; 32]);
    let admission = Admission::Open { administrators: vec![*administrator.public_key().as_bytes()] };
    for seed in 0..20 {
        let mut world = settled(4, seed, admission.clone());
        let stranger = KeyManager::from_seed(&[9; 32]).node_id();
        let ban = Ban::sign(&administrator, ClusterTag::of(&world.config.cluster), &stranger);
        for node in [0, 1] {
            world.nodes[node].links.group = 1;
        }
        world.command(0, Command::Ban(ban), &mut |_| {});
        world.run(8.0, &mut |_| {});
        for node in [0, 1] {
            world.nodes[node].links.group = 0;
        }
        world.run(20.0, &mut |_| {});
        assert_eq!(world.views(), 1, "seed {seed}");
    }
}

/// Who is let in by some and not by others costs those others nothing but itself.
#[test]
fn a_member_that_is_not_admitted_here_does_not_hide_those_who_are() {
    for seed in 0..20 {
        let mut world = World::new(configuration(None, false), LinkQuality::default(), 5, 1, seed);
        let keys = |of: &[usize]| Admission::Keys {
            members: of.iter().map(|node| world.public_key(*node)).collect(),
            administrators: Vec::new(),
        };
        let (all, without_first) = (keys(&[0, 1, 2, 3, 4]), keys(&[1, 2, 3, 4]));
        let seed_address = world.nodes[1].address;
        for node in 0..5 {
            if node == 4 {
                world.run(10.0, &mut |_| {});
            }
            world.config.admission = if node == 4 { without_first.clone() } else { all.clone() };
            world.start(node).unwrap();
            world.command(node, Command::Join(vec![seed_address]), &mut |_| {});
        }
        world.run(11.0, &mut |_| {}); // one exchange: later they are met one by one
        let seen: Vec<_> = (0..5).map(|subject| status(&world, 4, subject)).collect();
        let alive = Some(Status::Alive);
        assert_eq!(seen, [None, alive, alive, alive, alive], "seed {seed}");
    }
}
