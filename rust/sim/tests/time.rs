//! What clocks and pauses do to a cluster: nothing that does not end with them.
#![allow(clippy::unwrap_used)]

use palaver_core::Status;
use palaver_core::engine::{Command, Event};
use palaver_sim::{LinkQuality, World, configuration};

const HOUR: f64 = 3_600.0;

fn settled(nodes: usize, seed: u64) -> World {
    let mut world = World::new(configuration(None, false), LinkQuality::default(), nodes, 1, seed);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(3.0, &mut |_| {});
    world
}

/// Runs on and returns how often a node thought another one dead.
fn deaths(world: &mut World, until: f64) -> usize {
    let mut deaths = 0;
    world.run(until, &mut |told| {
        if let Event::View(changes) = told.event {
            deaths += changes.iter().filter(|change| change.after == Some(Status::Dead)).count();
        }
    });
    deaths
}

/// Records signed eight hours away are refused by others, and those of others by it: they keep the ones they have.
#[test]
fn a_wall_clock_that_jumps_by_eight_hours_costs_nobody_their_life_and_is_forgotten_when_it_is_right_again() {
    for by in [8.0 * HOUR, -8.0 * HOUR] {
        let mut world = settled(5, 1);
        world.nodes[2].clock_error = by;
        assert_eq!(deaths(&mut world, 2.0 * HOUR), 0, "jump by {by}");
        world.nodes[2].clock_error = 0.0;
        assert_eq!(deaths(&mut world, 5.0 * HOUR), 0, "back from {by}");
        assert_eq!(world.views(), 1);
        assert!(world.nodes.iter().all(|node| node.engine.as_ref().unwrap().size() == 5));
    }
}

#[test]
fn who_joins_with_a_clock_that_is_wrong_by_eight_hours_is_refused_and_both_sides_are_told_why() {
    for by in [8.0 * HOUR, -8.0 * HOUR] {
        let mut world = settled(4, 2);
        world.crash(3);
        world.lose_disk(3);
        world.nodes[3].clock_error = by;
        world.start(3).unwrap();
        let seed = world.nodes[0].address;
        world.command(3, Command::Join(vec![seed]), &mut |_| {});
        let (newcomer, mut told_why) = (world.nodes[3].id, Vec::new());
        world.run(40.0, &mut |told| {
            if let Event::Refused { why, .. } = told.event {
                assert!(why.contains("differ by hours"));
                told_why.push(told.node);
            }
        });
        assert!(told_why.contains(&0) && told_why.contains(&3), "{told_why:?}");
        assert_eq!(world.nodes[0].engine.as_ref().unwrap().status(&newcomer), None);
    }
}

#[test]
fn a_process_that_stands_still_for_five_seconds_is_dead_to_nobody_in_clusters_of_any_size() {
    for nodes in 3..=20 {
        let mut world = settled(nodes, nodes as u64);
        world.block(1, 5.0);
        assert_eq!(deaths(&mut world, 40.0), 0, "{nodes} nodes");
        assert_eq!(world.views(), 1);
    }
}

#[test]
fn a_process_that_stood_still_for_ten_minutes_comes_back_as_it_was_and_blames_nobody() {
    for seed in 0..5 {
        let mut world = settled(6, seed);
        let before: Vec<_> =
            world.nodes.iter().map(|node| node.engine.as_ref().unwrap().incarnation()).collect();
        world.block(1, 600.0);
        world.run(640.0, &mut |_| {});
        let after: Vec<_> =
            world.nodes.iter().map(|node| node.engine.as_ref().unwrap().incarnation()).collect();
        assert_eq!(world.views(), 1);
        for node in 0..6 {
            let engine = world.nodes[node].engine.as_ref().unwrap();
            assert!(world.nodes.iter().all(|other| engine.status(&other.id) == Some(Status::Alive)));
            assert_eq!(before[node] == after[node], node != 1, "only the one that slept had to answer");
        }
    }
}

#[test]
fn two_of_five_that_are_killed_at_once_are_declared_dead() {
    for seed in 0..10 {
        let mut world = settled(5, seed);
        world.crash(1);
        world.crash(3);
        assert_eq!(deaths(&mut world, 60.0), 6, "seed {seed}");
        assert_eq!(world.views(), 1);
    }
}
