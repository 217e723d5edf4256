//! What a node costs, without sockets: one line of JSON for each figure. `cargo bench -p palaver-sim --bench engine`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use palaver_core::engine::{
    Admission, Command, Engine, EngineConfig, Identity, Input, Moment, Output, Sealing,
};
use palaver_core::{KeyManager, NodeMetadata, Time, Vitals};
use palaver_sim::{EPOCH_MILLIS, LinkQuality, START, World};

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn tell(name: &str, members: usize, unit: &str, value: f64) {
    println!("{{\"name\": \"{name}\", \"members\": {members}, \"unit\": \"{unit}\", \"value\": {value:.3}}}");
}

fn world(nodes: usize) -> World {
    let mut config = EngineConfig::new("bench", Admission::open());
    config.cache_capacity = 1 << 8;
    config.rules.sealing = Sealing::Model;
    config.rules.replay_window = false; // one packet is given many times
    let mut world = World::new(config, LinkQuality::default(), nodes, 1, 7);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(3.0, &mut |_| {});
    world
}

fn moment(world: &World) -> Moment {
    let now = Time::new(START + world.now()).unwrap();
    Moment { now, unix_millis: EPOCH_MILLIS + (world.now() * 1_000.0) as u64 }
}

/// What this thread has computed (proc(5), schedstat): others on the machine do not count.
fn cpu_nanoseconds() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// How many beats a packet with the model of the cipher holds: kind 3, 119 bytes.
fn beats(packet: &[u8]) -> usize {
    packet.windows(3).filter(|head| head == &[3, 119, 0]).count()
}

/// A ping with eight beats or more that are all known, and its ack: what comes in and goes out all the time.
///
/// With the model of the cipher: a sealed packet is opened once, so that one cannot be given again and again. What sealing and
/// opening add is measured by the core's own benchmarks.
fn datagrams(nodes: usize) {
    let name = "datagram in and out, 8 known records, no cipher";
    let mut world = world(nodes);
    world.capture = Some(Vec::new());
    for node in 1..=10 {
        world.command(
            node,
            Command::SetVitals(Vitals { load: 700, sessions: 99, draining: false }),
            &mut |_| {},
        );
    }
    world.run(9.0, &mut |_| {});
    let moment = moment(&world);
    let captured = world.capture.take().unwrap();
    let from = world.nodes[1].address;
    let mut output = Output::default();
    let mut found = None;
    'search: for (to, stream, bytes) in &captured {
        if *stream || beats(bytes) < 8 {
            continue;
        }
        let engine = world.nodes[*to].engine.as_mut().unwrap();
        for _ in 0..3 {
            output.clear();
            let before = engine.counters();
            engine.handle(Input::Datagram { from, bytes }, moment, &mut output).unwrap();
            let after = engine.counters();
            if after.refused > before.refused {
                continue 'search;
            }
            if output.datagrams.len() == 1 && after.records == before.records {
                found = Some((*to, bytes.clone()));
                break 'search;
            }
        }
    }
    let Some((to, bytes)) = found else {
        println!("{{\"name\": \"{name}\", \"members\": {nodes}, \"missing\": \"no such packet was sent\"}}");
        return;
    };
    let engine = world.nodes[to].engine.as_mut().unwrap();
    let mut rounds = Vec::new();
    for _ in 0..9 {
        let begin = cpu_nanoseconds();
        for _ in 0..10_000 {
            output.clear();
            engine.handle(Input::Datagram { from, bytes: &bytes }, moment, &mut output).unwrap();
            black_box(&output);
            assert!(!output.datagrams.is_empty());
        }
        rounds.push((cpu_nanoseconds() - begin) as f64 / 10_000.0);
    }
    rounds.sort_by(f64::total_cmp);
    tell(name, nodes, "ns", rounds[4]);
}

/// An idle cluster: CPU and bytes of a node each second. The CPU includes the simulator's own.
fn idle(nodes: usize, seconds: f64) {
    let mut world = world(nodes);
    let sent = |world: &World| -> f64 {
        let engines = world.nodes.iter().filter_map(|node| node.engine.as_ref());
        engines.map(|engine| (engine.counters().sent_bytes + 28 * engine.counters().sent) as f64).sum()
    };
    let (begin, before, handled) = (cpu_nanoseconds(), sent(&world), world.handled);
    world.run(world.now() + seconds, &mut |_| {});
    let share = 1.0 / (nodes as f64 * seconds);
    tell("idle cpu, simulator included", nodes, "us/s", (cpu_nanoseconds() - begin) as f64 * share / 1e3);
    tell("idle bytes sent, headers included", nodes, "B/s", (sent(&world) - before) * share);
    tell("idle inputs", nodes, "1/s", (world.handled - handled) as f64 * share);
}

/// What a member takes in a node that knows it and has not talked to it yet.
fn memory(members: usize) {
    let mut world =
        World::new(EngineConfig::new("bench", Admission::open()), LinkQuality::default(), members, 1, 7);
    let mut records = Vec::new();
    for node in 0..members {
        world.start(node).unwrap();
        records.extend_from_slice(&world.nodes[node].engine.take().unwrap().snapshot());
    }
    let moment = moment(&world);
    let identity = Identity {
        keys: KeyManager::from_seed(&[9; 32]),
        name: String::new(),
        address: "127.0.0.1:7946".parse().unwrap(),
        place: NodeMetadata::default(),
        incarnation: 1,
        ceiling: None,
        exchange: [1; 32],
        ticket: None,
    };
    let mut output = Output::default();
    let mut engine = Engine::new(EngineConfig::new("bench", Admission::open()), identity, 1, moment).unwrap();
    let before = IN_USE.load(Relaxed);
    engine.handle(Input::Command(Command::Restore(records.clone())), moment, &mut output).unwrap();
    drop(output);
    let used = IN_USE.load(Relaxed) - before;
    assert_eq!(engine.known(), members + 1);
    tell("memory of a member", members, "B", used as f64 / members as f64);
}

fn main() {
    datagrams(1_000);
    for nodes in [100, 1_000] {
        idle(nodes, 10.0);
    }
    for members in [100, 1_000, 10_000] {
        memory(members);
    }
}
