//! Releases that speak different versions of the protocol, in one cluster.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{Command, Event};
use palaver_sim::{LinkQuality, World, configuration};

/// Four nodes that speak version 1, and one that speaks `versions`; each is told of whom it must refuse.
fn meet(versions: (u8, u8)) -> (World, Vec<(usize, &'static str)>) {
    let mut world = World::new(configuration(None, true), LinkQuality::default(), 5, 1, 1);
    let (first, mut refusals) = (world.nodes[0].address, Vec::new());
    for node in 0..5 {
        world.config.rules.versions = if node == 4 { versions } else { (1, 1) };
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![first]), &mut |_| {});
    }
    world.run(20.0, &mut |told| {
        if let Event::Refused { why, .. } = told.event {
            refusals.push((told.node, *why));
        }
    });
    (world, refusals)
}

#[test]
fn versions_n_and_n_minus_1_are_one_cluster() {
    let (world, refusals) = meet((1, 2));
    assert_eq!((world.views(), refusals), (1, vec![]));
    assert!(world.nodes.iter().all(|node| node.engine.as_ref().unwrap().size() == 5));
}

#[test]
fn who_speaks_no_version_in_common_is_refused_and_both_sides_are_told_why() {
    let (world, refusals) = meet((2, 3));
    for (index, node) in world.nodes.iter().enumerate() {
        assert_eq!(node.engine.as_ref().unwrap().size(), if index == 4 { 1 } else { 4 });
    }
    let why = "it speaks no version of the protocol that is spoken here";
    assert!(refusals.contains(&(0, why)) && refusals.contains(&(4, why)), "{refusals:?}");
    assert!(refusals.len() <= 5, "one line each, not one a greeting: {refusals:?}");
}
