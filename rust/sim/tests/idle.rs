//! What an idle cluster says: probes, and now and then a record that is signed anew.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{Admission, Counters, EngineConfig, Sealing};
use palaver_core::record::{self, Record};
use palaver_sim::{EPOCH_MILLIS, LinkQuality, World};

const NODES: usize = 100;

/// A cluster that has been running for long enough that no record goes in front of packets any more.
fn settled(resign_interval: f64) -> World {
    let mut config = EngineConfig::new("test", Admission::open());
    config.cache_capacity = 1 << 8;
    config.rules.sealing = Sealing::Model;
    config.resign_interval = resign_interval;
    let mut world = World::new(config, LinkQuality::default(), NODES, 1, 11);
    for node in 0..NODES {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(15.0, &mut |_| {});
    world
}

fn totals(world: &World) -> Counters {
    let mut sum = Counters::default();
    for counters in world.nodes.iter().map(|node| node.engine.as_ref().unwrap().counters()) {
        sum.sent += counters.sent;
        sum.sent_bytes += counters.sent_bytes;
        sum.streams += counters.streams;
        sum.records += counters.records;
    }
    sum
}

/// When the oldest record of a node's view was signed, in milliseconds.
fn oldest(world: &World, node: usize) -> u64 {
    let snapshot = world.nodes[node].engine.as_ref().unwrap().snapshot();
    let issued = record::read(&snapshot).unwrap().into_iter().filter_map(|record| match record {
        Record::Node(record) => Some(record.issued_at()),
        Record::Status(..) | Record::Beat(_) | Record::Unknown => None,
    });
    issued.min().unwrap()
}

#[test]
fn between_renewals_a_node_sends_one_ping_and_one_ack_a_second() {
    let mut world = settled(7_200.0);
    let before = totals(&world);
    let renewals_before = before.records;
    world.run(35.0, &mut |_| {});
    let after = totals(&world);
    let renewed = after.records - renewals_before;
    assert!(renewed <= 3 * NODES as u64, "{renewed}");
    let plain = (after.sent - before.sent) as f64 / (20.0 * NODES as f64);
    assert!((2.0..2.5).contains(&plain), "{plain} datagrams");
}

#[test]
fn a_renewed_record_reaches_everybody_in_less_than_six_copies_each() {
    let mut world = settled(60.0);
    let before = totals(&world);
    world.run(150.0, &mut |_| {}); // in which each has signed anew twice or more
    for node in 0..NODES {
        let age = EPOCH_MILLIS + 150_000 - oldest(&world, node);
        assert!(age < 70_000, "{age} ms at node {node}"); // 66 s is the longest interval
    }
    let after = totals(&world);
    // Each joins each renewal once: so many deliveries there were.
    let deliveries = (after.records - before.records) as f64;
    assert!(deliveries > 1.5 * (NODES * NODES) as f64, "{deliveries}");
    let length = world.nodes[0].engine.as_ref().unwrap().snapshot().len() as f64 / NODES as f64;
    let probing = 2.0 * 91.0 * 135.0 * NODES as f64;
    let spent = (after.sent_bytes - before.sent_bytes) as f64 - probing;
    let copies = spent / deliveries / (length + 64.0);
    assert!((1.0..6.0).contains(&copies), "{copies} copies");
    // Whom none of the copies reached asks for it: few do.
    let asked = (after.streams - before.streams) as f64 / 3.0;
    assert!(asked < 0.05 * deliveries, "{asked} of {deliveries}");
}
