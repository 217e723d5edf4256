//! Every decoder under mutated input: whatever comes, it is taken or refused, and what is refused changed nothing.
//!
//! Twenty thousand inputs in a test run, which needs nothing but cargo; `make fuzz` is the thorough one, guided by coverage
//! (rust/fuzz). `PALAVER_FUZZ_INPUTS=10000000 cargo test --release -p palaver-core --test decoders`
//! for a long one, `PALAVER_FUZZ_SEED` for another sequence. An input that fails is printed in hex: keep it in `corpus/`,
//! where every file is given to every decoder.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use palaver_core::engine::{
    Accusation, Admission, Ban, Certificate, Command, Engine, EngineConfig, Identity, Input, Moment, Output,
};
use palaver_core::{
    BroadcastBuffer, ClusterTag, GossipEnvelope, GossipMessage, Hello, IdHashBuilder, KeyManager,
    MembershipTable, NodeMetadata, PairwiseLinks, SavedState, Status, Time, decode_ceiling, encode_ceiling,
    queue_news, read_buckets, record, replay,
};
use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const LONGEST: usize = 4_096;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
}

fn cluster() -> ClusterTag {
    ClusterTag::of("fuzz")
}

/// What the decoders belong to: made once, and as it was after whatever is refused.
struct Node {
    table: MembershipTable,
    buffer: BroadcastBuffer,
    links: PairwiseLinks,
    hasher: IdHashBuilder,
    engine: Engine,
    member: PairwiseLinks,
    output: Output,
}

impl Node {
    fn new() -> Self {
        let (hasher, keys) = (IdHashBuilder::new(1), KeyManager::from_seed(&[9; 32]));
        let mut links = PairwiseLinks::new(&keys, cluster(), 1, [9; 32], 100, hasher).unwrap();
        links.establish(peer().hello()).unwrap();
        let mut member = peer();
        member.establish(links.hello()).unwrap();
        Self {
            table: MembershipTable::new(keys.node_id(), 1_000, hasher).unwrap(),
            buffer: BroadcastBuffer::new(100, hasher).unwrap(),
            links,
            hasher,
            engine: acquainted(),
            member,
            output: Output::default(),
        }
    }

    /// Gives the bytes to every decoder.
    fn take(&mut self, bytes: &[u8]) {
        self.take_records(bytes);
        if let Ok(envelope) = GossipEnvelope::decode(bytes, cluster()) {
            assert_eq!(envelope.as_bytes(), bytes);
            assert_eq!(envelope.payload().len() + GossipEnvelope::OVERHEAD, bytes.len());
        }
        if let Ok(message) = GossipMessage::decode(bytes, cluster()) {
            assert_eq!(message.envelope().as_bytes(), bytes);
        }
        if let Ok(hello) = Hello::decode(bytes, cluster()) {
            assert_eq!(hello.as_bytes()[..], *bytes);
        }
        if let Ok(Some(opened)) = self.links.open(bytes) {
            assert_eq!(opened.sender, peer().hello().node_id());
        }
        if let Ok(replayed) = replay(bytes) {
            assert!(replayed.good <= bytes.len());
        }
        if let Ok(state) = SavedState::decode(bytes) {
            assert_eq!(state.encode(), bytes);
        }
        if let Ok(ceiling) = decode_ceiling(bytes) {
            assert_eq!(encode_ceiling(ceiling)[..], *bytes);
        }
        drop(read_buckets(bytes));
        for body in bodies(bytes) {
            take_evidence(body);
        }
        self.take_as_engine(bytes);
    }

    /// As a node of a cluster: from an outsider, and sealed by a member that it knows.
    fn take_as_engine(&mut self, bytes: &[u8]) {
        let from = ([127, 0, 0, 8], 7946).into();
        let (kind, payload) = bytes.split_first().map_or((0, bytes), |(&kind, rest)| (16 + kind % 11, rest));
        let sealed = self.member.seal(&self.engine.id(), kind, payload).unwrap();
        let inputs = [Input::Datagram { from, bytes }, Input::Datagram { from, bytes: &sealed }];
        for input in inputs.into_iter().chain([Input::Stream { from, bytes: &sealed }, Input::Deadline]) {
            self.output.clear();
            self.engine.handle(input, moment(), &mut self.output).unwrap();
        }
        record::read(&self.engine.snapshot()).unwrap();
        assert!(self.engine.known() <= 50);
    }

    fn take_records(&mut self, bytes: &[u8]) {
        let root = self.table.root();
        let read = record::read(bytes);
        match self.table.merge_bytes(bytes, Time::ZERO) {
            Ok(merged) => queue_news(&mut self.buffer, &merged.news, &self.table.self_id()).unwrap(),
            Err(_) => assert_eq!(self.table.root(), root),
        }
        // What merges has a form; the other way round signatures and room may be missing.
        if read.is_ok() {
            let again = self.table.snapshot_bytes();
            let mut other = MembershipTable::new(self.table.self_id(), 1_000, self.hasher).unwrap();
            if self.table.len() < 50 {
                other.merge_bytes(&again, Time::ZERO).unwrap();
                assert_eq!(other.root(), self.table.root());
            }
        }
        if self.table.len() > 200 {
            *self = Self::new();
        }
    }
}

/// The bodies of the records in `bytes` (kind, length, body), and all of them as one.
fn bodies(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut bodies = vec![bytes];
    while let Some((&[_, low, high], rest)) = bytes.split_first_chunk() {
        let Some((body, rest)) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high]))) else {
            break;
        };
        bodies.push(body);
        bytes = rest;
    }
    bodies
}

/// What is held against a node reads back as it was written.
fn take_evidence(body: &[u8]) {
    let mut written = Vec::new();
    if let Ok(accusation) = Accusation::decode(body) {
        accusation.write(&mut written);
        assert!(written.ends_with(body));
    }
    if let Ok(certificate) = Certificate::decode(body) {
        written.clear();
        certificate.write(&mut written);
        assert!(written.ends_with(body));
    }
    if let Ok(ban) = Ban::decode(body, cluster()) {
        assert_eq!(ban.as_bytes(), body);
    }
}

fn moment() -> Moment {
    Moment { now: Time::ZERO, unix_millis: 1_700_000_000_000 }
}

fn engine(node: u8) -> Engine {
    let administrators = [*KeyManager::from_seed(&[8; 32]).public_key().as_bytes()].into_iter().collect();
    let mut config = EngineConfig::new("fuzz", Admission::Open { administrators });
    (config.max_members, config.cache_capacity) = (50, 100);
    let identity = Identity {
        keys: KeyManager::from_seed(&[node; 32]),
        name: String::new(),
        address: ([127, 0, 0, node], 7946).into(),
        place: NodeMetadata::default(),
        incarnation: 1,
        ceiling: None,
        exchange: [node; 32],
        ticket: None,
    };
    Engine::new(config, identity, 1, moment()).unwrap()
}

/// Node 9, which knows node 8.
fn acquainted() -> Engine {
    let mut own = engine(9);
    let known = Command::Restore(engine(8).snapshot());
    own.handle(Input::Command(known), moment(), &mut Output::default()).unwrap();
    own
}

fn peer() -> PairwiseLinks {
    let keys = KeyManager::from_seed(&[8; 32]);
    PairwiseLinks::new(&keys, cluster(), 1, [8; 32], 100, IdHashBuilder::new(1)).unwrap()
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut all: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut peer = peer();
    let (own, snapshot) = (Node::new(), all[0].clone());
    peer.establish(own.links.hello()).unwrap();
    all.push(peer.seal(&own.links.hello().node_id(), 1, b"payload").unwrap());
    all.push(SavedState { snapshot, seq: 7 }.encode());
    all.push(encode_ceiling(1 << 40).to_vec());
    all.push(vec![0; 4_096]);
    all
}

/// Changes a few places of an input.
fn mutate(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Xoshiro256PlusPlus) {
    const INTERESTING: [u64; 8] = [0, 1, 0x7F, 0xFF, 0xFFFF, 1 << 32, (1 << 61) - 1, u64::MAX];
    let mut below = |bound: usize| (chance.next_u64() % bound.max(1) as u64) as usize;
    for _ in 0..=below(6) {
        let (at, length) = (below(bytes.len()), bytes.len());
        match below(8) {
            0 if length > 0 => bytes[at] ^= 1 << below(8),
            1 if length > 0 => bytes[at] = below(256) as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, below(256) as u8),
            4 => drop(bytes.drain(at..length.min(at + below(32)))),
            5 => {
                let word = INTERESTING[below(INTERESTING.len())].to_le_bytes();
                let width = [1, 2, 4, 8][below(4)].min(length - at.min(length));
                bytes[at..at + width].copy_from_slice(&word[..width]);
            }
            6 => {
                let piece = bytes[at..length.min(at + below(64))].to_vec();
                let to = below(length);
                bytes.splice(to..to, piece);
            }
            _ => {
                let other = &corpus[below(corpus.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[below(other.len())..]);
            }
        }
    }
    bytes.truncate(LONGEST);
}

#[test]
fn whatever_comes_is_taken_or_refused() {
    let corpus = corpus();
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(setting("PALAVER_FUZZ_SEED", 1));
    let mut node = Node::new();
    let whole = corpus.len() as u64;
    for number in 0..whole + setting("PALAVER_FUZZ_INPUTS", 20_000) {
        let mut bytes = corpus[(number % whole) as usize].clone();
        if number >= whole {
            mutate(&mut bytes, &corpus, &mut chance);
        }
        if catch_unwind(AssertUnwindSafe(|| node.take(&bytes))).is_err() {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("input {number} broke a decoder: {hex}");
        }
    }
}

/// Fuzzing found it: the proof that such a word was taken for was none, was looked at again, and so on until the stack was full.
#[test]
fn a_members_word_against_itself_is_none() {
    let Node { mut engine, mut member, mut output, .. } = Node::new();
    let keys = KeyManager::from_seed(&[8; 32]);
    let accusation = Accusation::sign(&keys, &keys.node_id(), 1);
    let mut certificate = Vec::new();
    certificate.extend_from_slice(keys.node_id().as_bytes());
    certificate.extend_from_slice(&1_u64.to_le_bytes());
    certificate.extend_from_slice(keys.public_key().as_bytes());
    let mut records = Vec::new();
    accusation.write(&mut records);
    certificate.extend_from_slice(&records[records.len() - 64..]);
    record::write(&mut records, record::KIND_CERTIFICATE, &certificate);
    for kind in [20, 21] {
        let sealed = member.seal(&engine.id(), kind, &records).unwrap();
        let from = ([127, 0, 0, 8], 7946).into();
        engine.handle(Input::Datagram { from, bytes: &sealed }, moment(), &mut output).unwrap();
    }
    assert_eq!(engine.status(&keys.node_id()), Some(Status::Alive));
}
