//! A whole node: whatever an outsider sends it, and whatever a member seals for it, it goes on and stays a cluster's node.
//!
//! Messages one behind the other: kind (1), how (1), length (2, little-endian), payload. Of `how`, bit 0: over a stream; bit 1:
//! raw, as an outsider's bytes, instead of sealed by node 8; bit 2: the node does what is due then. The first byte of the input
//! says whether signatures are checked: what only a signer could send is seen by the rules too.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use palaver_core::engine::{
    Admission, Command, Engine, EngineConfig, Identity, Input, LogRecord, Moment, Output, Rules,
};
use palaver_core::{NodeMetadata, PairwiseLinks, Time, record};
use palaver_fuzz::{cluster, hasher, keys};

const UNIX_MILLIS: u64 = 1_700_000_000_000;
const LIFE: u64 = 5;

fn moment(seconds: f64) -> Moment {
    let now = Time::new(seconds).expect("a finite time");
    Moment { now, unix_millis: UNIX_MILLIS + (seconds * 1_000.0) as u64 }
}

fn engine(node: u8, check_signatures: bool) -> Engine {
    let administrators = [*keys(8).public_key().as_bytes()].into_iter().collect();
    let mut config = EngineConfig::new("fuzz", Admission::Open { administrators });
    (config.max_members, config.max_links) = (20, 20);
    (config.buffer_capacity, config.cache_capacity) = (100, 100);
    config.rules = Rules { check_signatures, ..Rules::default() };
    let identity = Identity {
        keys: keys(node),
        name: format!("node-{node}"),
        address: ([127, 0, 0, node], 7946).into(),
        place: NodeMetadata::default(),
        incarnation: LIFE,
        ceiling: None,
        exchange: [node; 32],
        ticket: None,
    };
    Engine::new(config, identity, 1, moment(0.0)).expect("settings in range")
}

/// Node 9, which knows node 8, with and without a look at signatures; and what node 8 seals with.
struct Pair {
    checking: Engine,
    believing: Engine,
    member: PairwiseLinks,
}

fn pair() -> Pair {
    let introduced = |check_signatures| {
        let mut own = engine(9, check_signatures);
        let known = Command::Restore(engine(8, true).snapshot());
        own.handle(Input::Command(known), moment(0.0), &mut Output::default()).expect("a good record");
        assert_eq!(own.known(), 2);
        own
    };
    let links = |node: u8| PairwiseLinks::new(&keys(node), cluster(), LIFE, [node; 32], 20, hasher()).expect("a bound in range");
    let mut member = links(8);
    member.establish(links(9).hello()).expect("a good greeting");
    Pair { checking: introduced(true), believing: introduced(false), member }
}

fuzz_target!(|bytes: &[u8]| {
    thread_local!(static PAIR: RefCell<Pair> = RefCell::new(pair()));
    let Some((&check_signatures, mut rest)) = bytes.split_first() else { return };
    let check_signatures = check_signatures & 1 != 0;
    PAIR.with_borrow(|pair| {
        let mut own = if check_signatures { pair.checking.clone() } else { pair.believing.clone() };
        let (id, mut member) = (own.id(), pair.member.clone());
        let (mut output, mut seconds) = (Output::default(), 1.0);
        for _ in 0..8 {
            let Some((&[kind, how, low, high], tail)) = rest.split_first_chunk() else { break };
            let (payload, tail) = tail.split_at(tail.len().min(usize::from(u16::from_le_bytes([low, high]))));
            rest = tail;
            let sealed;
            let bytes = if how & 2 != 0 {
                payload
            } else {
                sealed = member.seal(&id, kind, payload).expect("the node has greeted");
                &sealed
            };
            let from = ([127, 0, 0, 8], 7946).into();
            let input =
                if how & 1 != 0 { Input::Stream { from, bytes } } else { Input::Datagram { from, bytes } };
            own.handle(input, moment(seconds), &mut output).expect("input is counted, never an error");
            if how & 4 != 0 {
                seconds = own.deadline().map_or(seconds, Time::seconds).max(seconds);
                own.handle(Input::Deadline, moment(seconds), &mut output).expect("time is no error");
            }
        }
        assert!(own.known() <= 20);
        assert!(output.datagrams.iter().all(|packet| packet.bytes.len() <= 1_200));
        for written in &output.log {
            if let LogRecord::Membership(records) = written {
                record::read(records).expect("the log has records");
            }
        }
        record::read(&own.snapshot()).expect("what it tells another node is records");
    });
});
