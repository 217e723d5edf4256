//! The view of the cluster: a join-semilattice per node, so that the order of gossip does not matter.
//!
//! Dense arrays by index hold the members, what every merge looks at in one of them; an open-addressing table finds the index
//! of an id. The digest (a root and 256 bucket sums) is kept up with every change: equal roots mean equal views.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::digest::Digest;
use crate::{Beat, Error, IdHashBuilder, NodeId, NodeRecord, Precedence, RecordOrder, Status, Time};

/// How many members a table holds unless told otherwise: 2^20.
pub const DEFAULT_MAX_MEMBERS: usize = 1 << 20;

/// One row of the view, and one statement about a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Whom it is about.
    pub id: NodeId,
    /// Incarnation and status: the part that is gossiped.
    pub precedence: Precedence,
    /// When the node was last heard of: local time, never part of the digest.
    pub last_heartbeat: Time,
}

/// What one node knows of all.
#[derive(Debug, Clone)]
pub struct MembershipTable {
    hasher: IdHashBuilder,
    max_members: usize,
    leaving: bool,
    slots: HashTable<u32>,
    /// What every merge looks at: half a cache line each.
    rows: Vec<Entry>,
    changed: Vec<Time>,
    records: Vec<Option<Arc<Held>>>,
    beats: Vec<Option<Box<Beat>>>,
    digest: Digest,
}

/// The record that holds of a node, as its bytes. Shared, because many views in one process may hold the same.
#[derive(Debug)]
pub(crate) struct Held {
    order: RecordOrder,
    bytes: Box<[u8]>,
}

/// Stands in the digest for the record of a node of which none has come.
const NO_RECORD: [u8; 16] = [0; 16];

impl Held {
    /// Keeps a record whose signature has been checked.
    pub(crate) fn of(record: &NodeRecord) -> Self {
        Self { order: record.order(), bytes: record.as_bytes().into() }
    }

    pub(crate) fn order(&self) -> RecordOrder {
        self.order
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The own node is the first row.
const OWN: usize = 0;

impl MembershipTable {
    /// The largest bound on members: a row number has 32 bits.
    pub const MAX_MEMBERS: usize = u32::MAX as usize;

    /// A table that knows only its own node, alive at incarnation 0.
    pub fn new(self_id: NodeId, max_members: usize, hasher: IdHashBuilder) -> Result<Self, Error> {
        if !(1..=Self::MAX_MEMBERS).contains(&max_members) {
            return Err(Error::Capacity { what: "membership table", max: Self::MAX_MEMBERS });
        }
        let mut table = Self {
            hasher,
            max_members,
            leaving: false,
            slots: HashTable::new(),
            rows: Vec::new(),
            changed: Vec::new(),
            records: Vec::new(),
            beats: Vec::new(),
            digest: Digest::new(),
        };
        let alive = Precedence::new(0, Status::Alive)?;
        table.insert(Entry { id: self_id, precedence: alive, last_heartbeat: Time::ZERO }, Time::ZERO);
        Ok(table)
    }

    /// The node whose view this is.
    #[must_use]
    pub fn self_id(&self) -> NodeId {
        self.rows[OWN].id
    }

    /// How many members are known, the own node included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never true: a table knows at least its own node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of `id`.
    #[must_use]
    pub fn get(&self, id: &NodeId) -> Option<Entry> {
        self.find(id).map(|row| self.entry(row))
    }

    /// All rows: the own node first, the others in no particular order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry> + '_ {
        self.rows.iter().copied()
    }

    /// Joins statements of others into the view and returns the news: the rows whose precedence rose, as they are now.
    ///
    /// Commutative, associative and idempotent for one `now`. A heartbeat counts as max(own, min(theirs, now)). Whoever
    /// is accused in its own table refutes at the next incarnation; one that has left stays left.
    /// Either all statements are joined or, when the table would grow too large, none.
    pub fn merge(&mut self, incoming: &[Entry], now: Time) -> Result<Vec<Entry>, Error> {
        self.reserve(incoming)?;
        // Mostly nothing is news: then no list is made. An empty one made first would be written in words and moved out as a
        // vector, for which the processor has to wait.
        for (at, entry) in incoming.iter().enumerate() {
            if let Some(row) = self.join(entry, now) {
                return Ok(self.merge_rest(row, &incoming[at + 1..], now));
            }
        }
        Ok(Vec::new())
    }

    /// Goes on where the first news, a row, was found.
    #[inline(never)]
    fn merge_rest(&mut self, first: usize, rest: &[Entry], now: Time) -> Vec<Entry> {
        let mut news = vec![self.entry(first)];
        for entry in rest {
            if let Some(row) = self.join(entry, now) {
                news.push(self.entry(row));
            }
        }
        news
    }

    /// Joins a statement of this node's own, and says whether it was news.
    ///
    /// No `incarnation` means the one the node is known at, or 0. No `last_heartbeat` means `now` for a node that is
    /// alive, and otherwise leaves it. Saying of oneself that one has left makes it so, if the statement holds.
    pub fn update(
        &mut self,
        id: NodeId,
        incarnation: Option<u64>,
        status: Status,
        last_heartbeat: Option<Time>,
        now: Time,
    ) -> Result<bool, Error> {
        let known = || self.get(&id).map_or(0, |entry| entry.precedence.incarnation());
        let precedence = Precedence::new(incarnation.unwrap_or_else(known), status)?;
        let unsaid = if status == Status::Alive { now } else { Time::ZERO };
        let statement = Entry { id, precedence, last_heartbeat: last_heartbeat.unwrap_or(unsaid) };
        self.reserve(std::slice::from_ref(&statement))?;
        // A statement that does not hold, because more is known, does not make it so.
        self.leaving |=
            id == self.self_id() && status == Status::Left && precedence > self.rows[OWN].precedence;
        Ok(self.join(&statement, now).is_some())
    }

    /// Forgets the members that have been dead, left or banned for `age` seconds, and returns their ids.
    ///
    /// Keep such tombstones for longer than any message may still be on its way or any node be cut off: one that comes back
    /// with an old statement would make them known again. gossip.md §6 says 24 hours.
    pub fn expire(&mut self, age: Time, now: Time) -> Vec<NodeId> {
        let mut gone = Vec::new();
        let mut row = self.rows.len();
        while row > OWN + 1 {
            row -= 1; // from the end, so that the row that takes the place has been looked at
            if self.rows[row].precedence.status() >= Status::Dead
                && now.since(self.changed[row]) >= age.seconds()
            {
                gone.push(self.rows[row].id);
                self.remove(row);
            }
        }
        gone
    }

    /// Forgets one member, and says whether it was known. The own node stays.
    pub(crate) fn forget(&mut self, id: &NodeId) -> bool {
        let row = self.find(id).filter(|&row| row != OWN);
        if let Some(row) = row {
            self.remove(row);
        }
        row.is_some()
    }

    /// The sum of all fingerprints: two tables with the same members, precedences and records have the same
    /// root.
    #[must_use]
    pub fn root(&self) -> u128 {
        self.digest.root()
    }

    /// The same, and it costs nothing until the next change.
    pub fn settled_root(&mut self) -> u128 {
        self.digest.settle();
        self.digest.root()
    }

    /// The sums by the first byte of the id, to find where two views differ.
    #[must_use]
    pub fn buckets(&self) -> [u128; 256] {
        self.digest.buckets()
    }

    /// What the node says of itself, if its signed record has come.
    #[must_use]
    pub fn record(&self, id: &NodeId) -> Option<NodeRecord> {
        let held = self.records[self.find(id)?].as_deref()?;
        Some(NodeRecord::decode(&held.bytes).expect("only records that decode are held"))
    }

    /// How the node says it is doing, if a beat has come. Not part of the digest: it changes all the time.
    #[must_use]
    pub fn beat(&self, id: &NodeId) -> Option<&Beat> {
        self.beats[self.find(id)?].as_deref()
    }

    /// Joins a beat of a member whose signature has been checked, and says whether it is the latest. Then the node has been
    /// heard now, by us or by whoever passed it on.
    pub(crate) fn hear(&mut self, id: &NodeId, beat: Box<Beat>, now: Time) -> bool {
        let Some(row) = self.find(id) else { return false };
        if self.beats[row].as_deref().is_some_and(|held| !beat.is_later_than(held)) {
            return false;
        }
        self.beats[row] = Some(beat);
        self.rows[row].last_heartbeat = self.rows[row].last_heartbeat.max(now);
        true
    }

    /// Where in the order of its records the one held of `id` stands.
    pub(crate) fn record_order(&self, id: &NodeId) -> Option<RecordOrder> {
        self.records[self.find(id)?].as_deref().map(|held| held.order)
    }

    /// The bytes of the record held of `id`.
    pub(crate) fn record_bytes(&self, id: &NodeId) -> Option<&[u8]> {
        self.records[self.find(id)?].as_deref().map(|held| &*held.bytes)
    }

    /// Joins a record of a member whose signature has been checked, and says whether it now holds.
    pub(crate) fn hold(&mut self, id: &NodeId, record: Arc<Held>) -> bool {
        let Some(row) = self.find(id) else { return false };
        if self.records[row].as_deref().is_some_and(|held| held.order >= record.order) {
            return false;
        }
        self.records[row] = Some(record);
        self.stamp(row);
        true
    }

    pub(crate) fn entry(&self, row: usize) -> Entry {
        self.rows[row]
    }

    pub(crate) fn find(&self, id: &NodeId) -> Option<usize> {
        self.slots
            .find(self.hasher.hash(id.as_bytes()), |&row| self.rows[row as usize].id == *id)
            .map(|&row| row as usize)
    }

    /// Makes sure that all of `incoming` has room. Counts exactly only when it could be too much.
    #[inline]
    pub(crate) fn reserve(&self, incoming: &[Entry]) -> Result<(), Error> {
        if self.len() + incoming.len() <= self.max_members {
            return Ok(());
        }
        self.reserve_exactly(incoming)
    }

    #[cold]
    fn reserve_exactly(&self, incoming: &[Entry]) -> Result<(), Error> {
        let mut unknown: Vec<NodeId> =
            incoming.iter().map(|e| e.id).filter(|id| self.find(id).is_none()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if self.len() + unknown.len() <= self.max_members {
            Ok(())
        } else {
            Err(Error::Full { what: "membership table", limit: self.max_members })
        }
    }

    /// Joins one statement; the row if its precedence rose.
    pub(crate) fn join(&mut self, statement: &Entry, now: Time) -> Option<usize> {
        let heard = statement.last_heartbeat.min(now);
        let Some(row) = self.find(&statement.id) else {
            return Some(self.insert(Entry { last_heartbeat: heard, ..*statement }, now));
        };
        let precedence = self.as_heard(row, statement.precedence);
        let held = &mut self.rows[row];
        held.last_heartbeat = held.last_heartbeat.max(heard);
        if precedence <= held.precedence {
            return None;
        }
        held.precedence = precedence;
        self.changed[row] = self.changed[row].max(now);
        self.stamp(row);
        Some(row)
    }

    /// What a statement about the node of `row` amounts to: about the own node, the answer to it.
    fn as_heard(&self, row: usize, precedence: Precedence) -> Precedence {
        match (row, self.leaving) {
            (OWN, false) => precedence.refuted(),
            (OWN, true) => precedence.departed(),
            _ => precedence,
        }
    }

    /// Whether the precedence with these bits is the one held of `id`.
    pub(crate) fn holds(&self, id: &NodeId, bits: u64) -> bool {
        self.find(id).is_some_and(|row| self.rows[row].precedence.bits() == bits)
    }

    /// Whether `join` would change more than a heartbeat.
    pub(crate) fn is_news(&self, id: &NodeId, precedence: Precedence) -> bool {
        self.find(id).is_none_or(|row| self.as_heard(row, precedence) > self.rows[row].precedence)
    }

    fn insert(&mut self, entry: Entry, now: Time) -> usize {
        let row = self.rows.len();
        let index = u32::try_from(row).expect("max_members is at most u32::MAX");
        let Self { hasher, slots, rows, .. } = self;
        rows.push(entry);
        slots.insert_unique(hasher.hash(entry.id.as_bytes()), index, |&other| {
            hasher.hash(rows[other as usize].id.as_bytes())
        });
        self.changed.push(now);
        self.records.push(None);
        self.beats.push(None);
        self.digest.push(&entry.id, entry.precedence, &NO_RECORD);
        row
    }

    /// Removes a row; the last one takes its place.
    fn remove(&mut self, row: usize) {
        let last = self.rows.len() - 1;
        let hash = |id: &NodeId| self.hasher.hash(id.as_bytes());
        if let Ok(slot) = self.slots.find_entry(hash(&self.rows[row].id), |&other| other as usize == row) {
            slot.remove();
        }
        if let Some(slot) = self.slots.find_mut(hash(&self.rows[last].id), |&other| other as usize == last) {
            *slot = row as u32; // below an index that has 32 bits
        }
        self.digest.swap_remove(row, &self.rows[row].id);
        self.rows.swap_remove(row);
        self.changed.swap_remove(row);
        self.records.swap_remove(row);
        self.beats.swap_remove(row);
    }

    /// Brings a row's share in the digest up to date.
    fn stamp(&mut self, row: usize) {
        let record = self.records[row].as_deref().map_or(&NO_RECORD, |held| held.order.digest());
        self.digest.change(row, &self.rows[row].id, self.rows[row].precedence, record);
    }
}
