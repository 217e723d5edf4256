//! What the parts cost, and how the cost grows with the number of members: `cargo bench -p palaver-core`.
//!
//! The comparison with rivals is `make bench-core`, which reads these figures too.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use palaver_core::{
    Beat, BroadcastBuffer, ChangeKey, ClusterTag, Entry, FanoutStrategy, GossipStrategy, IdHashBuilder,
    KeyManager, LogWriter, MembershipTable, MessageCache, MessageId, NodeId, NodeMetadata, PairwiseLinks,
    Precedence, Priority, Signed, Status, Time, Vitals, queue_news, record, replay, verify, verify_batch,
};

const MEMBERS: usize = 10_000;
const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// What the records of one datagram may have: 1,200 less the envelope.
const ROOM: usize = 1_050;

fn hasher() -> IdHashBuilder {
    IdHashBuilder::new(7)
}

fn id(n: usize) -> NodeId {
    NodeId::of_public_key(blake3::hash(&n.to_le_bytes()).as_bytes())
}

fn alive(n: usize, incarnation: u64) -> Entry {
    let precedence = Precedence::new(incarnation, Status::Alive).unwrap();
    Entry { id: id(n), precedence, last_heartbeat: Time::ZERO }
}

fn rows(n: usize) -> Vec<Entry> {
    (1..n).map(|n| alive(n, 1)).collect()
}

fn table(rows: &[Entry]) -> MembershipTable {
    let mut table = MembershipTable::new(id(0), 1 << 21, hasher()).unwrap();
    table.merge(rows, Time::ZERO).unwrap();
    table
}

fn buffer(changes: usize) -> BroadcastBuffer {
    let mut buffer = BroadcastBuffer::new(1 << 21, hasher()).unwrap();
    buffer.set_members(changes);
    for n in 0..changes {
        add(&mut buffer, &alive(n, 1));
    }
    buffer
}

fn add(buffer: &mut BroadcastBuffer, entry: &Entry) {
    let mut bytes = Vec::with_capacity(record::STATUS_RECORD_LENGTH);
    record::write_status(&mut bytes, &entry.id, entry.precedence);
    let key = ChangeKey { kind: record::KIND_STATUS, subject: entry.id };
    buffer.add_change(key, Priority::of(entry.precedence.status()), &bytes).unwrap();
}

/// The same things in an order that the processor cannot guess.
fn scattered<T: Clone>(things: &[T]) -> Vec<T> {
    // A prime that divides none of the sizes, nor one less.
    (0..things.len()).map(|n| things[(n * 7_919) % things.len()].clone()).collect()
}

/// The next thing of a walk around.
fn next<'a, T>(at: &mut usize, things: &'a [T]) -> &'a T {
    *at = if *at + 1 < things.len() { *at + 1 } else { 0 };
    &things[*at]
}

fn merge(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge");
    for n in SIZES {
        let rows = rows(n);
        let mut table = table(&rows);
        let (rows, mut at) = (scattered(&rows), 0);
        group.bench_function(format!("unchanged/{n}"), |b| {
            // Its length, not the list: to move it out would be 4 ns of waiting for what was just written.
            b.iter(|| table.merge(std::slice::from_ref(next(&mut at, &rows)), Time::ZERO).unwrap().len());
        });
    }
    let rows = rows(MEMBERS);
    let (mut table, mut queue) = (table(&rows), buffer(MEMBERS));
    let (rows, mut at, mut incarnation) = (scattered(&rows), 0, 1);
    group.bench_function("newer and queued/10000", |b| {
        b.iter(|| {
            incarnation += 1;
            let precedence = Precedence::new(incarnation, Status::Alive).unwrap();
            let entry = Entry { precedence, ..*next(&mut at, &rows) };
            for news in table.merge(&[entry], Time::ZERO).unwrap() {
                add(&mut queue, &news);
            }
        });
    });
    group.finish();
}

/// The whole way of what is signed: decode, verify in one batch, merge, queue.
fn ingest(c: &mut Criterion) {
    let signers: Vec<_> = (1..=8).map(|n| KeyManager::from_seed(&[n; 32])).collect();
    let (mut table, mut queue, mut seq) = (table(&[]), buffer(0), 0);
    let own = table.self_id();
    let mut packet = || {
        seq += 1;
        let vitals = Vitals { load: 1, sessions: 2, draining: false };
        let framed = |keys| Beat::sign(keys, 1, seq, vitals).unwrap().framed();
        signers.iter().flat_map(framed).collect::<Vec<u8>>()
    };
    let mut group = c.benchmark_group("ingest");
    group.bench_function("8 signed beats", |b| {
        b.iter_batched(
            &mut packet,
            |packet| {
                let merged = table.merge_bytes(&packet, Time::ZERO).unwrap();
                queue_news(&mut queue, &merged.news, &own).unwrap();
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn datagram(c: &mut Criterion) {
    let rows = rows(MEMBERS);
    let (mut table, mut queue) = (table(&rows), buffer(MEMBERS));
    let packets = scattered(&rows.chunks_exact(8).map(written).collect::<Vec<_>>());
    let (mut at, mut out) = (0, Vec::with_capacity(ROOM));
    let mut group = c.benchmark_group("datagram of 8");
    group.throughput(Throughput::Elements(1));
    group.bench_function("in and out, nothing new", |b| {
        b.iter_custom(|datagrams| {
            let mut spent = Duration::ZERO;
            for _ in 0..datagrams {
                refill(&mut queue, MEMBERS);
                let start = Instant::now();
                let merged = table.merge_bytes(next::<Vec<u8>>(&mut at, &packets), Time::ZERO).unwrap();
                queue_news(&mut queue, &merged.news, &table.self_id()).unwrap();
                out.clear();
                queue.next_batch(ROOM, |change| out.extend_from_slice(change));
                black_box(&out);
                spent += start.elapsed();
            }
            spent
        });
    });
    group.finish();
}

/// What has been told often enough is queued again, outside of the measurement.
fn refill(queue: &mut BroadcastBuffer, changes: usize) {
    if queue.len() < changes / 2 {
        *queue = buffer(changes);
    }
}

fn written(rows: &[Entry]) -> Vec<u8> {
    let mut packet = Vec::new();
    for row in rows {
        record::write_status(&mut packet, &row.id, row.precedence);
    }
    packet
}

fn dedup(c: &mut Criterion) {
    let mut group = c.benchmark_group("dedup");
    for n in SIZES {
        let mut cache = MessageCache::new(n, hasher()).unwrap();
        let ids: Vec<[u8; 16]> = (0..n).map(|n| *id(n).as_bytes()).collect();
        for &id in &ids {
            cache.track(MessageId::from_bytes(id));
        }
        let (ids, mut at) = (scattered(&ids), 0);
        group.bench_function(format!("look up/{n}"), |b| {
            b.iter(|| cache.is_duplicate(&MessageId::from_bytes(*next(&mut at, &ids))));
        });
    }
    let mut cache = MessageCache::new(65_536, hasher()).unwrap();
    let mut number = 0_u64;
    group.bench_function("hash and track new/65536", |b| {
        b.iter(|| {
            number += 1;
            cache.track(MessageId::of(&number.to_le_bytes()))
        });
    });
    group.finish();
}

fn pick(c: &mut Criterion) {
    let mut group = c.benchmark_group("pick 3");
    let mut strategy = FanoutStrategy::new(1);
    for n in SIZES {
        group.bench_function(format!("of/{n}"), |b| b.iter(|| strategy.select(black_box(n), 3)));
    }
    group.finish();

    let mut group = c.benchmark_group("pick a peer");
    let place = |zone: usize| NodeMetadata::new("eu", format!("zone-{zone}")).unwrap();
    let places: Vec<_> = (0..10_000).map(|n| place(n % 5)).collect();
    for (name, own) in [("without a zone", NodeMetadata::default()), ("with one", place(1))] {
        let mut strategy = GossipStrategy::new(own, 1);
        group.bench_function(format!("{name}/10000"), |b| {
            b.iter(|| strategy.select_peers(places.len(), 1, None, |index, place| places[index] == *place));
        });
    }
    group.finish();
}

fn fill(c: &mut Criterion) {
    let mut group = c.benchmark_group("fill a packet");
    for n in SIZES {
        let mut queue = buffer(n);
        let mut out = Vec::with_capacity(ROOM);
        group.bench_function(format!("of/{n}"), |b| {
            b.iter_custom(|packets| {
                let mut spent = Duration::ZERO;
                for _ in 0..packets {
                    refill(&mut queue, n);
                    let start = Instant::now();
                    out.clear();
                    queue.next_batch(ROOM, |change| out.extend_from_slice(change));
                    black_box(&out);
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

fn signatures(c: &mut Criterion) {
    let keys: Vec<KeyManager> = (0..64).map(|n| KeyManager::from_seed(&[n; 32])).collect();
    let made: Vec<[u8; 64]> = keys.iter().map(|keys| keys.sign(&[9; 100])).collect();
    let signed: Vec<Signed<'_>> = keys
        .iter()
        .zip(&made)
        .map(|(keys, signature)| Signed { data: &[9; 100], signature, public_key: keys.public_key() })
        .collect();
    let mut group = c.benchmark_group("signatures");
    group.bench_function("sign", |b| b.iter(|| keys[0].sign(black_box(&[9; 100]))));
    group.bench_function("verify one", |b| b.iter(|| verify(black_box(&signed[0]))));
    group.bench_function("verify 64", |b| b.iter(|| verify_batch(black_box(&signed))));
    group.finish();
}

fn pairwise(c: &mut Criterion) {
    let links = |n: u8| {
        let keys = KeyManager::from_seed(&[n; 32]);
        PairwiseLinks::new(&keys, ClusterTag::of(""), 1, [n; 32], 10, hasher()).unwrap()
    };
    let (mut a, mut b) = (links(1), links(2));
    let (to, from) = (b.hello().node_id(), a.hello().clone());
    a.establish(&b.hello().clone()).unwrap();
    b.establish(&from).unwrap();
    let mut group = c.benchmark_group("pairwise");
    group.bench_function("seal 1050 bytes", |bench| bench.iter(|| a.seal(&to, 1, &[7; ROOM]).unwrap()));
    group.bench_function("open 1050 bytes", |bench| {
        bench.iter_batched(
            || a.seal(&to, 1, &[7; ROOM]).unwrap(),
            |packet| b.open(&packet).unwrap().unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("greet", |bench| bench.iter(|| links(3).establish(&from).unwrap()));
    group.finish();
}

fn log(c: &mut Criterion) {
    let mut group = c.benchmark_group("log");
    group.bench_function("frame of 96 bytes", |b| {
        let (mut writer, mut out) = (LogWriter::new(1, 1), Vec::new());
        b.iter(|| {
            out.clear();
            writer.frame(&mut out, 1, black_box(&[5; 96])).unwrap()
        });
    });
    let mut writer = LogWriter::new(1, 1);
    let mut written = writer.head().to_vec();
    for _ in 0..10_000 {
        writer.frame(&mut written, 1, &[5; 96]).unwrap();
    }
    group.bench_function("replay 10000 frames", |b| {
        b.iter_batched(|| (), |()| replay(&written).unwrap().frames.len(), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = merge, ingest, datagram, dedup, pick, fill, signatures, pairwise, log
}
criterion_main!(all);
