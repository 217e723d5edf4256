//! What is taken from the heap: nothing to fill a packet, a bounded share for each member.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use palaver_core::{
    BroadcastBuffer, ChangeKey, IdHashBuilder, KeyManager, MembershipTable, NodeId, NodeMetadata, NodeRecord,
    Precedence, Priority, Status, Time, record,
};

/// The system's allocator; each thread counts its own, since tests run side by side.
struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(taken: usize, bytes: isize) {
    TAKEN.set(TAKEN.get() + taken);
    HELD.set(HELD.get() + bytes);
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - layout.size() as isize);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn id(n: usize) -> NodeId {
    NodeId::of_public_key(blake3::hash(&n.to_le_bytes()).as_bytes())
}

fn status(n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::write_status(&mut bytes, &id(n), Precedence::new(1, Status::Alive).unwrap());
    bytes
}

/// Bytes of the heap for each member of a table that holds `news`, a record of each.
fn bytes_for_each(news: &[Vec<u8>]) -> usize {
    let before = HELD.get();
    let mut table = MembershipTable::new(id(usize::MAX), 1 << 20, IdHashBuilder::new(1)).unwrap();
    for record in news {
        table.merge_bytes(record, Time::ZERO).unwrap();
    }
    assert_eq!(table.len(), news.len() + 1);
    (HELD.get() - before) as usize / news.len()
}

#[test]
fn filling_a_packet_takes_nothing_from_the_heap() {
    const CHANGES: usize = 10_000;
    let mut buffer = BroadcastBuffer::new(1 << 16, IdHashBuilder::new(1)).unwrap();
    buffer.set_members(CHANGES);
    for n in 0..CHANGES {
        let key = ChangeKey { kind: record::KIND_STATUS, subject: id(n) };
        buffer.add_change(key, Priority::Alive, &status(n)).unwrap();
    }
    let mut packet = Vec::with_capacity(1_200);
    let before = TAKEN.get();
    let (mut packets, mut bytes) = (0, 0);
    while !buffer.is_empty() {
        packet.clear();
        buffer.next_batch(1_050, |change| packet.extend_from_slice(change));
        (packets, bytes) = (packets + 1, bytes + packet.len());
    }
    assert_eq!(bytes, CHANGES * record::STATUS_RECORD_LENGTH * usize::from(buffer.transmit_limit()));
    assert_eq!(TAKEN.get() - before, 0, "in {packets} packets");
}

#[test]
fn a_member_without_a_record_takes_at_most_200_bytes() {
    const MEMBERS: usize = 100_000;
    let each = bytes_for_each(&(0..MEMBERS).map(status).collect::<Vec<_>>());
    println!("{each} bytes for each unsigned member");
    assert!(each <= 200, "{each}");
}

#[test]
fn a_member_with_a_record_takes_at_most_450_bytes() {
    const MEMBERS: usize = 3_000;
    let place = NodeMetadata::new("eu-west", "eu-west-1").unwrap();
    let record = |n: usize| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&n.to_le_bytes());
        let (keys, alive) = (KeyManager::from_seed(&seed), Precedence::new(1, Status::Alive).unwrap());
        let name = format!("node-{n}");
        NodeRecord::sign(&keys, alive, 1, &name, "10.0.0.1:7946", &place).unwrap().framed()
    };
    let records: Vec<_> = (0..MEMBERS).map(record).collect();
    let each = bytes_for_each(&records);
    println!("{each} bytes for each signed member");
    assert!(each <= 450, "{each}");
}
