//! The native core.

use std::hint::black_box;

use palaver_core::{
    BroadcastBuffer, ChangeKey, Entry, IdHashBuilder, KeyManager, MembershipTable, NodeId,
    NodeMetadata, NodeRecord, Precedence, Priority, Status, Time, queue_news, record,
};

use crate::MEMBERS;

fn hasher() -> IdHashBuilder {
    IdHashBuilder::new(7)
}

fn alive(n: usize, incarnation: u64) -> Entry {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    id[8..].copy_from_slice(&(n as u64).to_le_bytes());
    let precedence = Precedence::new(incarnation, Status::Alive).expect("a small incarnation");
    Entry {
        id: NodeId::from_bytes(id),
        precedence,
        last_heartbeat: Time::ZERO,
    }
}

pub fn table(members: usize) -> MembershipTable {
    let own = alive(0, 0).id;
    let mut table = MembershipTable::new(own, 1 << 21, hasher()).expect("a bound in range");
    for n in 1..members {
        table
            .merge(&[alive(n, 1)], Time::ZERO)
            .expect("room for all");
    }
    table
}

fn buffer() -> BroadcastBuffer {
    let mut buffer = BroadcastBuffer::new(1 << 16, hasher()).expect("a capacity in range");
    buffer.set_members(MEMBERS);
    buffer
}

/// Statements that have been decoded.
pub struct Table {
    table: MembershipTable,
    queue: BroadcastBuffer,
    entries: Vec<Entry>,
    incarnation: u64,
}

impl Table {
    pub fn new() -> Self {
        // In an order that the processor cannot guess, and without a division between two merges.
        let entries = (0..MEMBERS - 1)
            .map(|n| alive(1 + (n * 7_919) % (MEMBERS - 1), 1))
            .collect();
        Self {
            table: table(MEMBERS),
            queue: buffer(),
            entries,
            incarnation: 1,
        }
    }

    pub fn merge_unchanged(&mut self, operations: usize) {
        for entry in self.entries.iter().cycle().take(operations) {
            // Its length, not the list: what was just written in words would be read as vectors on its way into the black
            // box, and the processor waits 4 ns for that. Nobody who finds no news moves the list.
            let news = self
                .table
                .merge(std::slice::from_ref(entry), Time::ZERO)
                .expect("room");
            black_box(news.len());
        }
    }

    pub fn merge_newer(&mut self, operations: usize) {
        let mut bytes = Vec::with_capacity(record::STATUS_RECORD_LENGTH);
        for entry in self.entries.iter().cycle().take(operations) {
            self.incarnation += 1;
            let precedence =
                Precedence::new(self.incarnation, Status::Alive).expect("a small incarnation");
            for news in self
                .table
                .merge(
                    &[Entry {
                        precedence,
                        ..*entry
                    }],
                    Time::ZERO,
                )
                .expect("room")
            {
                bytes.clear();
                record::write_status(&mut bytes, &news.id, news.precedence);
                let key = ChangeKey {
                    kind: record::KIND_STATUS,
                    subject: news.id,
                };
                self.queue
                    .add_change(key, Priority::Alive, &bytes)
                    .expect("a short change");
            }
        }
    }
}

/// Datagrams of eight records, decoding included. An operation is one record.
pub struct Ingest {
    table: MembershipTable,
    queue: BroadcastBuffer,
    packets: Vec<Vec<u8>>,
}

impl Ingest {
    pub fn new() -> Self {
        Self {
            table: table(MEMBERS),
            queue: buffer(),
            packets: packets(1),
        }
    }

    pub fn unchanged(&mut self, operations: usize) {
        for n in 0..operations / 8 {
            let packet = &self.packets[(n * 7_919) % self.packets.len()];
            black_box(
                self.table
                    .merge_bytes(packet, Time::ZERO)
                    .expect("good bytes"),
            );
        }
    }

    pub fn newer(&mut self, operations: usize) {
        let own = self.table.self_id();
        let mut left = operations / 8;
        while left > 0 {
            for packet in self.packets.iter_mut().take(left) {
                raise(packet);
                let merged = self
                    .table
                    .merge_bytes(packet, Time::ZERO)
                    .expect("good bytes");
                queue_news(&mut self.queue, &merged.news, &own).expect("good records");
            }
            left = left.saturating_sub(self.packets.len());
        }
    }
}

/// Raises the incarnations of a packet of status records where they stand: memberlist's packets are made outside the
/// measurement too.
fn raise(packet: &mut [u8]) {
    for record in packet.chunks_exact_mut(record::STATUS_RECORD_LENGTH) {
        let (_, precedence) = record
            .split_last_chunk_mut::<8>()
            .expect("a status record ends with its precedence");
        *precedence = (u64::from_le_bytes(*precedence) + 8).to_le_bytes();
    }
}

fn packets(incarnation: u64) -> Vec<Vec<u8>> {
    let entries: Vec<Entry> = (1..MEMBERS).map(|n| alive(n, incarnation)).collect();
    entries
        .chunks_exact(8)
        .map(|rows| {
            let mut packet = Vec::new();
            for row in rows {
                record::write_status(&mut packet, &row.id, row.precedence);
            }
            packet
        })
        .collect()
}

/// A table of members whose signed records have come, each of 200 bytes, one by one: what the C library's heap leaves free
/// between the records of larger packets differs by their size, up to six times what the table has.
pub fn signed_table(members: usize) -> MembershipTable {
    let place = NodeMetadata::new("eu-west", "eu-west-1").expect("short names");
    let alive = Precedence::new(1, Status::Alive).expect("a small incarnation");
    let mut table = table(1);
    for n in 1..members {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&n.to_le_bytes());
        let (keys, name) = (KeyManager::from_seed(&seed), format!("node-{n:042}"));
        let record = NodeRecord::sign(&keys, alive, 1, &name, "10.0.0.1:7946", &place)
            .expect("short names")
            .framed();
        assert_eq!(record.len(), 200);
        table
            .merge_bytes(&record, Time::ZERO)
            .expect("a good record");
    }
    table
}

/// By how much the resident memory of this process grows for a table of so many members.
pub fn memory_of(make: fn(usize) -> MembershipTable, members: usize) -> usize {
    let before = resident();
    let table = make(members);
    let after = resident();
    black_box(table.len());
    after - before
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4096
}
