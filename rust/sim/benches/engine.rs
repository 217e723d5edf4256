//! What a node costs, without sockets: one line of JSON for each figure. `cargo bench -p palaver-sim --bench engine`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use palaver_core::engine::{
    Admission, Command, Engine, EngineConfig, Identity, Input, Moment, Output, Sealing, SharedChecks,
};
use palaver_core::{Beat, ClusterTag, IdHashBuilder, KeyManager, NodeMetadata, PairwiseLinks, Time, Vitals};
use palaver_sim::{EPOCH_MILLIS, LinkQuality, Recording, START, World};
use rustix::time::{ClockId, clock_gettime};

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

fn world(nodes: usize, sealing: Sealing) -> World {
    let mut config = EngineConfig::new("bench", Admission::open());
    config.cache_capacity = 1 << 8;
    config.rules.sealing = sealing;
    config.rules.replay_window = sealing == Sealing::Pairwise; // with the model one packet is given many times
    let mut world = World::new(config, LinkQuality::default(), nodes, 1, 7);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(3.0, &mut |_| {});
    world
}

/// Ten nodes have news, and nobody else: their beats are in every packet for a while. Own records no longer go in front.
fn with_news(nodes: usize, sealing: Sealing) -> World {
    let mut world = world(nodes, sealing);
    world.run(15.0, &mut |_| {});
    world.capture = Some(Vec::new());
    for node in 1..=10 {
        let vitals = Vitals { load: 700, sessions: 99, draining: false };
        world.command(node, Command::SetVitals(vitals), &mut |_| {});
    }
    world
}

fn moment(world: &World) -> Moment {
    let now = Time::new(START + world.now()).unwrap();
    Moment { now, unix_millis: EPOCH_MILLIS + (world.now() * 1_000.0) as u64 }
}

/// What this thread has computed: others on the machine do not count.
fn cpu_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How many beats a packet with the model of the cipher holds: kind 3, 119 bytes.
fn beats(packet: &[u8]) -> usize {
    packet.windows(3).filter(|head| head == &[3, 119, 0]).count()
}

/// A ping with eight beats or more that are all known, and its ack: what comes in and goes out all the time.
///
/// With the model of the cipher: a sealed packet is opened once, so that one cannot be given again and again.
fn datagrams(nodes: usize) {
    let name = "datagram in and out, 8 known records, no cipher";
    let mut world = with_news(nodes, Sealing::Model);
    world.run(21.0, &mut |_| {});
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

/// The same with ChaCha20-Poly1305: pings that a peer has sealed one by one, and acks that the engine seals.
fn sealed_datagrams(nodes: usize) {
    const PINGS: usize = 10_000;
    let name = "datagram in and out, 8 known records, with the cipher";
    let keys = |node: usize| {
        let mut seed = [3; 32];
        seed[..8].copy_from_slice(&(node as u64).to_le_bytes());
        KeyManager::from_seed(&seed)
    };
    let identity = |node: usize| Identity {
        keys: keys(node),
        name: format!("node-{node}"),
        address: SocketAddr::from(([10, (node >> 16) as u8, (node >> 8) as u8, node as u8], 7946)),
        place: NodeMetadata::default(),
        incarnation: 1,
        ceiling: None,
        exchange: [1 + (node % 200) as u8; 32],
        ticket: None,
    };
    let links = |node: usize| {
        let Identity { keys, exchange, .. } = identity(node);
        PairwiseLinks::new(&keys, ClusterTag::of("bench"), 1, exchange, 100, IdHashBuilder::new(1)).unwrap()
    };
    let mut records = Vec::new();
    let time = Moment { now: Time::new(START).unwrap(), unix_millis: EPOCH_MILLIS };
    let start =
        |node| Engine::new(EngineConfig::new("bench", Admission::open()), identity(node), 1, time).unwrap();
    for node in 1..nodes {
        records.extend_from_slice(&start(node).snapshot());
    }
    let mut engine = start(0);
    let mut output = Output::default();
    engine.handle(Input::Command(Command::Restore(records)), time, &mut output).unwrap();
    // Later, when the own record no longer goes in front.
    let late = Moment { now: Time::new(START + 20.0).unwrap(), unix_millis: EPOCH_MILLIS + 20_000 };
    engine.handle(Input::Deadline, late, &mut output).unwrap();
    let (mut peer, from) = (links(1), identity(1).address);
    peer.establish(links(0).hello()).unwrap();
    let vitals = Vitals { load: 700, sessions: 99, draining: false };
    let beats: Vec<u8> =
        (2..10).flat_map(|node| Beat::sign(&keys(node), 1, 1, vitals).unwrap().framed()).collect();
    let ping = |nonce: u32, root: u128| {
        let mut payload = nonce.to_le_bytes().to_vec();
        payload.extend_from_slice(&root.to_le_bytes());
        payload.extend_from_slice(&[0; 7]); // no load, no sessions
        payload.extend_from_slice(&beats);
        payload
    };
    let mut rounds = Vec::new();
    for round in 0..10 {
        let to = engine.id();
        let root = engine.root();
        let packets: Vec<Vec<u8>> =
            (0..PINGS).map(|nonce| peer.seal(&to, 16, &ping(nonce as u32, root)).unwrap()).collect();
        let begin = cpu_nanoseconds();
        for bytes in &packets {
            output.clear();
            engine.handle(Input::Datagram { from, bytes }, late, &mut output).unwrap();
            assert_eq!(black_box(&output).datagrams.len(), 1);
        }
        if round > 0 {
            rounds.push((cpu_nanoseconds() - begin) as f64 / PINGS as f64);
        }
    }
    assert_eq!(engine.counters().refused, 0);
    rounds.sort_by(f64::total_cmp);
    tell(name, nodes, "ns", rounds[4]);
}

/// When an idle cluster has come to rest, in seconds: records are signed anew as they always will be, none in the first minute.
const SETTLED: f64 = 75.0;

/// What an idle node sends each second, with the records that are signed anew, over so many seconds.
fn idle_bytes(nodes: usize, seconds: f64) {
    let mut world = world(nodes, Sealing::Model);
    let sent = |world: &World| -> f64 {
        let engines = world.nodes.iter().filter_map(|node| node.engine.as_ref());
        engines.map(|engine| (engine.counters().sent_bytes + 28 * engine.counters().sent) as f64).sum()
    };
    world.run(SETTLED, &mut |_| {});
    let before = sent(&world);
    world.run(SETTLED + seconds, &mut |_| {});
    tell(
        "idle bytes sent, headers included",
        nodes,
        "B/s",
        (sent(&world) - before) / (nodes as f64 * seconds),
    );
}

/// The CPU of one node of an idle cluster: what it was told in 30 seconds, with the cipher, given to an engine of the same
/// birth. Most packets are the first between two nodes, as in a cluster that runs for less than n seconds: key exchange included.
fn idle_cpu(nodes: usize) {
    let mut config = EngineConfig::new("bench", Admission::open());
    config.cache_capacity = 1 << 8;
    config.rules.shared = Some(SharedChecks::default());
    let mut world = World::new(config, LinkQuality::default(), nodes, 1, 7);
    world.recording = Some(Recording::of(0));
    let born = moment(&world);
    for node in 0..nodes {
        world.start(node).unwrap();
    }
    let mut engine = world.engine(0, born).unwrap(); // before the first has written anything on its disk
    world.introduce_all();
    world.run(SETTLED, &mut |_| {});
    let warm = world.recording.as_ref().unwrap().len();
    world.run(SETTLED + 30.0, &mut |_| {});
    let recording = world.recording.take().unwrap();
    recording.replay(0..warm, &mut engine, |_| {}).unwrap();
    let begin = cpu_nanoseconds();
    recording.replay(warm..recording.len(), &mut engine, |bytes| _ = black_box(bytes)).unwrap();
    tell("idle cpu of a node", nodes, "us/s", (cpu_nanoseconds() - begin) as f64 / 30.0 / 1e3);
    // It was the same life: it has done the same.
    let original = world.nodes[0].engine.as_ref().unwrap().counters();
    assert_eq!(engine.counters(), original);
    tell("idle inputs of a node", nodes, "1/s", (recording.len() - warm) as f64 / 30.0);
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
    for nodes in [100, 1_000, 4_500, 10_000] {
        sealed_datagrams(nodes);
    }
    for (nodes, seconds) in [(100, 300.0), (1_000, 300.0), (4_500, 120.0)] {
        idle_bytes(nodes, seconds);
        idle_cpu(nodes);
    }
    for members in [100, 1_000, 4_500, 10_000] {
        memory(members);
    }
}
