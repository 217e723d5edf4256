//! What outsiders, replays and lying members can do: nothing, or less than it costs them.

use super::histories;

use palaver_core::engine::{Admission, Command, Engine, EngineConfig, Identity, Input, Moment, Output};
use palaver_core::{KeyManager, NodeMetadata, Time};
use palaver_sim::{EPOCH_MILLIS, LinkQuality, World, configuration};

fn none(_: &mut palaver_core::engine::Rules) {}

#[test]
fn two_liars_evict_nobody() {
    histories::two_liars_evict_nobody(none).unwrap();
}

#[test]
fn a_partition_kills_nobody() {
    histories::a_partition_kills_nobody(none).unwrap();
}

#[test]
fn a_stopped_process_blames_nobody() {
    histories::a_stopped_process_blames_nobody(none).unwrap();
}

#[test]
fn incarnations_survive_a_clock_that_goes_back() {
    histories::incarnations_survive_a_clock_that_goes_back(none).unwrap();
}

#[test]
fn a_replayed_packet_is_not_answered() {
    histories::a_replayed_packet_is_not_answered(none).unwrap();
}

#[test]
fn a_trace_replayed_after_two_days_changes_nothing() {
    histories::a_trace_replayed_after_two_days_changes_nothing(none).unwrap();
}

#[test]
fn the_buried_stay_buried() {
    histories::the_buried_stay_buried(none).unwrap();
}

#[test]
fn nobody_raises_the_incarnation_of_another() {
    histories::nobody_raises_the_incarnation_of_another(none).unwrap();
}

#[test]
fn nobody_revives_another() {
    histories::nobody_revives_another(none).unwrap();
}

#[test]
fn a_seed_that_starts_later_is_found() {
    histories::a_seed_that_starts_later_is_found(none).unwrap();
}

#[test]
fn a_broadcast_is_told_once() {
    histories::a_broadcast_is_told_once(none).unwrap();
}

#[test]
fn random_histories_keep_the_promises() {
    histories::random_histories_keep_the_promises(none).unwrap();
}

#[test]
fn outsiders_change_nothing_and_are_not_amplified() {
    histories::outsiders_change_nothing_and_are_not_amplified(none).unwrap();
}

#[test]
fn a_stranger_is_not_let_in() {
    histories::a_stranger_is_not_let_in(none).unwrap();
}

/// A greeting as a stranger's engine makes it.
fn greeting(n: u64, to: std::net::SocketAddr) -> Vec<u8> {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    let mut config = EngineConfig::new("simulation", Admission::open());
    config.cache_capacity = 1;
    let identity = Identity {
        keys: KeyManager::from_seed(&seed),
        name: String::new(),
        address: "10.200.0.1:1".parse().unwrap(),
        place: NodeMetadata::default(),
        incarnation: 1,
        ceiling: None,
        exchange: seed,
        ticket: None,
    };
    let moment = Moment { now: Time::new(1.0).unwrap(), unix_millis: EPOCH_MILLIS };
    let mut engine = Engine::new(config, identity, n, moment).unwrap();
    let mut output = Output::default();
    engine.handle(Input::Command(Command::Join(vec![to])), moment, &mut output).unwrap();
    output.datagrams.remove(0).bytes
}

/// The same of another stranger with less work than a whole engine: the key is its own and the signature good.
fn fake_join(n: u64, greeting: &[u8]) -> Vec<u8> {
    const HEAD: usize = 14;
    let mut seed = [8; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    let keys = KeyManager::from_seed(&seed);
    let signed = HEAD + usize::from(u16::from_le_bytes([greeting[12], greeting[13]])) - 64;
    let mut packet = greeting.to_vec();
    packet[HEAD..HEAD + 32].copy_from_slice(keys.public_key().as_bytes());
    let signature = keys.sign(&[b"palaver node record v1\0", &packet[HEAD..signed]].concat());
    packet[signed..signed + 64].copy_from_slice(&signature);
    packet
}

#[test]
fn fake_joins_change_nothing_and_their_memory_is_bounded() {
    let mut config = configuration(None, true);
    config.max_links = 100;
    let mut world = World::new(config, LinkQuality::default(), 1, 1, 1);
    world.start(0).unwrap();
    let (to, before) = (world.nodes[0].address, world.state_hash());
    let first = greeting(0, to);
    let mut received = 0;
    let joins = 100_000;
    for n in 0..joins {
        let bytes = fake_join(n, &first);
        received += bytes.len() as u64;
        world.inject(0, to, &bytes, false, &mut |_| {});
    }
    let engine = world.nodes[0].engine.as_ref().unwrap();
    assert_eq!((engine.known(), world.state_hash()), (1, before));
    let counters = engine.counters();
    assert!(counters.sent_bytes <= received);
    assert_eq!(counters.bad_signatures, 0, "it is real keys that join");
    assert!(engine.counters().refused >= joins - 100, "all but those that there are links for");
}

#[test]
fn ten_thousand_bad_signatures_in_a_second_are_mostly_unread_and_harm_nobody() {
    let mut world = World::new(configuration(None, true), LinkQuality::default(), 8, 1, 1);
    for node in 0..8 {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(20.0, &mut |_| {});
    let (to, before) = (world.nodes[0].address, world.state_hash());
    let failed = |world: &World| -> u64 {
        world.nodes.iter().map(|node| node.engine.as_ref().unwrap().counters().probes_failed).sum()
    };
    let failed_before = failed(&world);
    let good = greeting(1, to);
    for n in 0..10_000_u32 {
        world.run(20.0 + f64::from(n) / 10_000.0, &mut |event| panic!("{event:?}"));
        let mut bad = good.clone();
        bad[20..24].copy_from_slice(&n.to_le_bytes()); // in the key, so that each is of another stranger
        let from = std::net::SocketAddr::from(([192, 0, 2, (n % 200) as u8], 1));
        world.inject(0, from, &bad, false, &mut |_| {});
    }
    let counters = world.nodes[0].engine.as_ref().unwrap().counters();
    // What they may at once, and what comes back in a second.
    assert!((1_000..=1_501).contains(&counters.bad_signatures), "{counters:?}");
    assert!(counters.throttled >= 8_499, "{counters:?}");
    world.run(30.0, &mut |event| panic!("{event:?}"));
    assert_eq!((failed(&world), world.state_hash(), world.views()), (failed_before, before, 1));
    // Who comes when it is over is let in: the budget is back.
    let joins = greeting(2, to);
    let known = world.nodes[0].engine.as_ref().unwrap().counters().throttled;
    world.inject(0, world.nodes[1].address, &joins, false, &mut |_| {});
    assert_eq!(world.nodes[0].engine.as_ref().unwrap().counters().throttled, known);
}

#[test]
fn a_full_table_takes_nobody_and_goes_on() {
    let mut config = configuration(None, false);
    config.max_members = 8;
    let mut world = World::new(config, LinkQuality::default(), 20, 1, 2);
    let seed = world.nodes[0].address;
    for node in 0..20 {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![seed]), &mut |_| {});
    }
    world.run(20.0, &mut |_| {});
    for node in &world.nodes {
        assert!(node.engine.as_ref().unwrap().known() <= 8);
    }
}
