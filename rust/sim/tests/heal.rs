//! After a fault of the network is over: how soon nobody is missed any more, in virtual time.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::Event;
use palaver_core::record::{self, Record};
use palaver_core::{NodeId, Status, Time};
use palaver_sim::{EPOCH_MILLIS, LinkQuality, World, configuration};

fn settled(nodes: usize, seed: u64) -> World {
    let mut world = World::new(configuration(None, false), LinkQuality::default(), nodes, 1, seed);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(10.0, &mut |_| {});
    world
}

/// How many members a node misses by itself.
fn missed(world: &World, node: usize) -> usize {
    world.nodes[node].engine.as_ref().unwrap().members().iter().filter(|member| member.suspected).count()
}

#[test]
fn a_node_that_was_deaf_misses_nobody_two_seconds_after_it_hears_again() {
    let mut had = Vec::new();
    for seed in 1..=5 {
        let mut world = settled(20, seed);
        world.nodes[7].links.inbound_loss = 1.0;
        world.run(40.0, &mut |_| {});
        had.push(missed(&world, 7));
        world.nodes[7].links.inbound_loss = 0.0;
        world.run(42.0, &mut |_| {});
        assert_eq!(missed(&world, 7), 0, "seed {seed}: of {had:?}");
        // Nobody had reason to doubt anybody but the deaf one, which has answered.
        world.run(50.0, &mut |_| {});
        assert!((0..20).all(|node| missed(&world, node) == 0), "seed {seed}");
        assert_eq!(world.views(), 1, "seed {seed}");
    }
    assert!(had.iter().all(|missed| *missed > 1), "{had:?}: nothing was to be cleared");
}

#[test]
fn members_that_do_not_hear_a_node_stay_missed_by_it_however_much_it_hears_of_them() {
    let mut world = settled(8, 1);
    world.nodes[0].links.outbound_loss = 1.0;
    let mut before: Vec<(NodeId, Time)> = Vec::new();
    let mut heard = 0;
    for second in 12..20 {
        world.run(f64::from(second), &mut |_| {});
        let members = world.nodes[0].engine.as_ref().unwrap().members();
        let now: Vec<_> = members.iter().filter(|m| m.suspected).map(|m| (m.id, m.last_heartbeat)).collect();
        for (id, last) in &before {
            let still = now.iter().find(|(missed, _)| missed == id);
            heard += usize::from(still.unwrap().1 > *last);
        }
        before = now;
    }
    assert!(before.len() > 1 && heard > 1, "{before:?}, heard {heard} times: nothing was put to the test");
}

#[test]
fn after_a_partition_all_learn_at_once_what_is_said_of_them_and_views_are_one_soon() {
    let mut world = settled(200, 1);
    for node in 0..100 {
        world.nodes[node].links.group = 1;
    }
    world.run(40.0, &mut |_| {});
    let incarnations =
        |world: &World| world.nodes.iter().map(|node| node.engine.as_ref().unwrap().incarnation()).collect();
    let before: Vec<u64> = incarnations(&world);
    for node in 0..100 {
        world.nodes[node].links.group = 0;
    }
    world.run(40.5, &mut |_| {});
    let after: Vec<u64> = incarnations(&world);
    let silent = before.iter().zip(&after).filter(|(before, after)| before == after).count();
    assert_eq!(silent, 0, "accused and have not answered within half a second");
    world.run(43.2, &mut |_| {});
    assert_eq!(world.views(), 1);
}

/// When each node has last signed its own record, in milliseconds.
fn signed(world: &World) -> Vec<u64> {
    let own = |node: &palaver_sim::SimNode| {
        let records = node.engine.as_ref().unwrap().snapshot();
        record::read(&records).unwrap().into_iter().find_map(|record| match record {
            Record::Node(record) if record.node_id() == node.id => Some(record.issued_at()),
            _ => None,
        })
    };
    world.nodes.iter().map(|node| own(node).unwrap()).collect()
}

#[test]
fn after_a_partition_nobody_signs_anew_what_it_has_just_answered() {
    const NODES: usize = 60;
    let mut config = configuration(None, false);
    config.resign_interval = 240.0;
    let mut world = World::new(config, LinkQuality::default(), NODES, 1, 1);
    for node in 0..NODES {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(100.0, &mut |_| {});
    for node in 0..NODES / 2 {
        world.nodes[node].links.group = 1;
    }
    world.run(120.0, &mut |_| {});
    for node in 0..NODES / 2 {
        world.nodes[node].links.group = 0;
    }
    world.run(121.0, &mut |_| {});
    let answered = signed(&world);
    assert!(answered.iter().all(|at| *at >= EPOCH_MILLIS + 120_000), "some were not accused: {answered:?}");
    // An eighth of them would have been due.
    world.run(150.0, &mut |_| {});
    assert_eq!(signed(&world), answered);
    // It is put off, not left out: at most to the longest interval after the quiet time.
    world.run(460.0, &mut |_| {});
    assert!(signed(&world).iter().zip(&answered).all(|(later, before)| later > before));
}

/// When a node first said of each of `lost` that it is dead; panics if one says so of another.
fn deaths(world: &mut World, until: f64, lost: &[NodeId]) -> Vec<f64> {
    let mut deaths = Vec::new();
    world.run(until, &mut |told| {
        let Event::View(changes) = told.event else { return };
        for change in changes.iter().filter(|change| change.after == Some(Status::Dead)) {
            assert!(lost.contains(&change.node), "{} thinks that {} is dead", told.node, change.node);
            deaths.push(told.at);
        }
    });
    deaths
}

#[test]
fn who_died_in_a_partition_is_declared_dead_soon_after_it_and_nobody_else() {
    for seed in 1..=5 {
        let mut world = settled(40, seed);
        for node in 0..20 {
            world.nodes[node].links.group = 1;
        }
        world.run(20.0, &mut |_| {});
        let lost = [20, 21, 22].map(|node| {
            world.crash(node);
            world.nodes[node].id
        });
        assert_eq!(deaths(&mut world, 40.0, &lost), [], "seed {seed}: deaths are held");
        for node in 0..20 {
            world.nodes[node].links.group = 0;
        }
        // Eight seconds to answer and up to four so that not all say it at once; three to see that it is over.
        let found = deaths(&mut world, 55.0, &lost);
        assert_eq!(found.len(), 3 * 37, "seed {seed}: {found:?}");
        assert!(found[0] >= 48.0, "seed {seed}: who was cut off had no time to answer");
    }
}

#[test]
fn a_quarter_that_is_really_gone_is_declared_dead_when_deaths_were_held_for_the_longest() {
    let mut config = configuration(None, false);
    config.partition_hold = 60.0;
    let mut world = World::new(config, LinkQuality::default(), 40, 1, 1);
    for node in 0..40 {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(10.0, &mut |_| {});
    let lost: Vec<NodeId> = (0..10)
        .map(|node| {
            world.crash(node);
            world.nodes[node].id
        })
        .collect();
    assert_eq!(deaths(&mut world, 70.0, &lost), []); // unreachable since 11 or so, and held from then on
    // The first deaths leave so few out of reach that it looks like the end of a partition: eight seconds to answer.
    let found = deaths(&mut world, 90.0, &lost);
    assert_eq!(found.len(), 10 * 30, "{found:?}");
    assert!(found[0] >= 70.0);
}
