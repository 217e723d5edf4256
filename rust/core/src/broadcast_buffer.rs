//! Changes waiting to be spread: the most urgent and least told first, each told a bounded number of times.
//!
//! Every change sits in the ring of its priority and of how often it has been sent. Rings are linked lists through one
//! slab, so that a newer change of the same subject takes the old one's place in O(1) and nothing is left behind.

use std::collections::HashMap;

use crate::{Error, IdHashBuilder, NodeId, Status};

/// How urgent a change is, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Priority {
    /// The own node says that it is alive after all: every second others may act on the accusation.
    Refutation = 0,
    /// A node is dead, has left or is banned.
    Gone = 1,
    /// A node is suspect or unreachable.
    Suspect = 2,
    /// A node is alive, or has moved.
    Alive = 3,
    /// What the application spreads.
    Application = 4,
}

impl Priority {
    /// All five, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Refutation, Self::Gone, Self::Suspect, Self::Alive, Self::Application];

    /// How urgent it is to tell that another node has this status.
    #[must_use]
    pub fn of(status: Status) -> Self {
        match status {
            Status::Dead | Status::Left | Status::Banned => Self::Gone,
            Status::Suspect | Status::Unreachable => Self::Suspect,
            Status::Alive => Self::Alive,
        }
    }

    /// The word used in Python.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refutation => "refutation",
            Self::Gone => "gone",
            Self::Suspect => "suspect",
            Self::Alive => "alive",
            Self::Application => "application",
        }
    }
}

impl std::str::FromStr for Priority {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == word).ok_or(Error::Priority)
    }
}

/// What a change is about: a newer change with the same key replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeKey {
    /// The kind of record, so that a node's status does not replace its address.
    pub kind: u8,
    /// The node, or the id of an application message.
    pub subject: NodeId,
}

impl ChangeKey {
    /// The key of a change whose subject alone tells it from others.
    #[must_use]
    pub fn given(subject: NodeId) -> Self {
        Self { kind: 0, subject } // no record has this kind
    }
}

#[derive(Debug, Clone)]
struct Change {
    key: ChangeKey,
    bytes: Box<[u8]>,
    priority: Priority,
    sent: u8,
    /// It is told so many times less often than the limit says.
    spared: u8,
    previous: u32,
    next: u32,
}

/// A ring's ends.
#[derive(Debug, Clone, Copy)]
struct Ring {
    first: u32,
    last: u32,
}

const NONE: u32 = u32::MAX;
const EMPTY: Ring = Ring { first: NONE, last: NONE };

/// Rings of one priority: the transmission limit stays below it for up to 10^15 members.
const RINGS: usize = 64;

/// So many changes that do not fit are passed over in search of one that does.
const PASSED_OVER: usize = 16;

/// Room for the changes of one packet: more than fit into 1,200 bytes, with the least that a record has.
const PACKET_CHANGES: usize = 128;

/// Holds changes and fills packets with them.
#[derive(Debug, Clone)]
pub struct BroadcastBuffer {
    capacity: usize,
    members: usize,
    index: HashMap<ChangeKey, u32, IdHashBuilder>,
    slab: Vec<Change>,
    free: Vec<u32>,
    rings: [[Ring; RINGS]; 5],
    occupied: [u64; 5],
    sent_now: Vec<u32>,
}

impl BroadcastBuffer {
    /// What a change may have in bytes, so that it fits into a packet of 1,200 with its envelope.
    pub const MAX_CHANGE: usize = 1_050;
    /// How many changes are held unless told otherwise.
    pub const DEFAULT_CAPACITY: usize = 1 << 16;

    /// An empty buffer for at most `capacity` changes.
    pub fn new(capacity: usize, hasher: IdHashBuilder) -> Result<Self, Error> {
        if !(1..NONE as usize).contains(&capacity) {
            return Err(Error::Capacity { what: "broadcast buffer", max: NONE as usize - 1 });
        }
        Ok(Self {
            capacity,
            members: 1,
            index: HashMap::with_hasher(hasher),
            slab: Vec::new(),
            free: Vec::new(),
            rings: [[EMPTY; RINGS]; 5],
            occupied: [0; 5],
            sent_now: Vec::with_capacity(PACKET_CHANGES),
        })
    }

    /// Says how many members the cluster has: the more, the more often a change is told.
    pub fn set_members(&mut self, members: usize) {
        self.members = members;
    }

    /// How many members the cluster is thought to have.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// How often each change is told: 4 · ⌈log10(n + 1)⌉, after which all have heard it with high probability (SWIM §4.1,
    /// memberlist's factor).
    #[must_use]
    pub fn transmit_limit(&self) -> u8 {
        let mut digits = 0_u8;
        let mut power = 1_usize;
        while power < self.members.saturating_add(1) {
            power = power.saturating_mul(10);
            digits += 1;
        }
        (4 * digits.max(1)).min(RINGS as u8 - 1)
    }

    /// Queues a change in place of an older one with the same key.
    ///
    /// In a full buffer it takes the place of the least urgent change that has been told most often. False if all held are
    /// more urgent: then nothing was changed.
    pub fn add_change(&mut self, key: ChangeKey, priority: Priority, bytes: &[u8]) -> Result<bool, Error> {
        self.add(key, priority, bytes, 0)
    }

    /// Queues a change that is told only `times` times: one that may miss somebody, because it is repeated or made up for.
    /// Otherwise as [`Self::add_change`].
    pub fn add_minor_change(
        &mut self,
        key: ChangeKey,
        priority: Priority,
        bytes: &[u8],
        times: u8,
    ) -> Result<bool, Error> {
        self.add(key, priority, bytes, self.transmit_limit().saturating_sub(times.max(1)))
    }

    fn add(&mut self, key: ChangeKey, priority: Priority, bytes: &[u8], spared: u8) -> Result<bool, Error> {
        if bytes.len() > Self::MAX_CHANGE {
            return Err(Error::TooLong { what: "change", max: Self::MAX_CHANGE, got: bytes.len() });
        }
        if let Some(&slot) = self.index.get(&key) {
            self.unlink(slot);
            let change = &mut self.slab[slot as usize];
            if change.bytes.len() == bytes.len() {
                change.bytes.copy_from_slice(bytes); // a later incarnation mostly: no allocation
            } else {
                change.bytes = bytes.into();
            }
            (change.priority, change.sent, change.spared) = (priority, 0, spared);
            self.link(slot);
            return Ok(true);
        }
        if self.index.len() == self.capacity {
            let Some(worst) =
                self.least_urgent().filter(|&slot| self.slab[slot as usize].priority >= priority)
            else {
                return Ok(false);
            };
            self.unlink(worst);
            self.release(worst);
        }
        let change =
            Change { key, bytes: bytes.into(), priority, sent: 0, spared, previous: NONE, next: NONE };
        let slot = if let Some(slot) = self.free.pop() {
            self.slab[slot as usize] = change;
            slot
        } else {
            self.slab.push(change);
            self.free.reserve(self.slab.len()); // so that `next_batch`, which frees places, takes no memory
            u32::try_from(self.slab.len() - 1).expect("the capacity is below u32::MAX")
        };
        self.index.insert(key, slot);
        self.link(slot);
        Ok(true)
    }

    /// Gives `take` the changes for one packet of `max_bytes`, the most urgent first, and counts them as told once.
    ///
    /// Within a priority those told least often go first, within these the oldest. Returns how many bytes were given.
    pub fn next_batch(&mut self, max_bytes: usize, mut take: impl FnMut(&[u8])) -> usize {
        let (limit, mut room, mut passed) = (self.transmit_limit(), max_bytes, 0);
        'packet: for priority in 0..self.rings.len() {
            let mut waiting = self.occupied[priority];
            while waiting != 0 {
                let ring = waiting.trailing_zeros() as usize;
                waiting &= waiting - 1;
                let mut slot = self.rings[priority][ring].first;
                while slot != NONE {
                    let change = &self.slab[slot as usize];
                    let next = change.next;
                    if change.bytes.len() <= room {
                        room -= change.bytes.len();
                        take(&change.bytes);
                        self.unlink(slot);
                        self.sent_now.push(slot);
                    } else {
                        passed += 1;
                        if passed == PASSED_OVER {
                            break 'packet;
                        }
                    }
                    slot = next;
                }
            }
        }
        // Only now, so that no change is in a packet twice.
        let mut sent_now = std::mem::take(&mut self.sent_now);
        for slot in sent_now.drain(..) {
            let change = &mut self.slab[slot as usize];
            change.sent = change.sent.saturating_add(1);
            if change.sent.saturating_add(change.spared) < limit {
                self.link(slot)
            } else {
                self.release(slot)
            }
        }
        self.sent_now = sent_now; // keeps its memory for the next packet
        max_bytes - room
    }

    /// Drops a change that need not be told any more, and says whether there was one.
    pub fn withdraw(&mut self, key: &ChangeKey) -> bool {
        let Some(&slot) = self.index.get(key) else { return false };
        self.unlink(slot);
        self.release(slot);
        true
    }

    /// Whether a change of one of these kinds is waiting that has been told fewer than `times` times.
    #[must_use]
    pub fn has_told_less(&self, kinds: &[u8], times: u8) -> bool {
        let mut slots = self.index.values().map(|&slot| &self.slab[slot as usize]);
        slots.any(|change| change.sent < times && kinds.contains(&change.key.kind))
    }

    /// Whether another change would take the place of one that is waiting.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.index.len() == self.capacity
    }

    /// How many changes are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The oldest of those told most often of the lowest priority.
    fn least_urgent(&self) -> Option<u32> {
        let priority = (0..self.rings.len()).rev().find(|&priority| self.occupied[priority] != 0)?;
        let ring = 63 - self.occupied[priority].leading_zeros() as usize;
        Some(self.rings[priority][ring].first)
    }

    /// Puts a change at the end of its ring.
    fn link(&mut self, slot: u32) {
        let change = &self.slab[slot as usize];
        let (priority, sent) = (change.priority as usize, usize::from(change.sent));
        let last = std::mem::replace(&mut self.rings[priority][sent].last, slot);
        let change = &mut self.slab[slot as usize];
        (change.previous, change.next) = (last, NONE);
        match last {
            NONE => self.rings[priority][sent].first = slot,
            last => self.slab[last as usize].next = slot,
        }
        self.occupied[priority] |= 1 << sent;
    }

    /// Takes a change out of its ring.
    fn unlink(&mut self, slot: u32) {
        let change = &self.slab[slot as usize];
        let (priority, sent) = (change.priority as usize, usize::from(change.sent));
        let (previous, next) = (change.previous, change.next);
        let ring = &mut self.rings[priority][sent];
        match previous {
            NONE => ring.first = next,
            previous => self.slab[previous as usize].next = next,
        }
        match next {
            NONE => ring.last = previous,
            next => self.slab[next as usize].previous = previous,
        }
        if self.rings[priority][sent].first == NONE {
            self.occupied[priority] &= !(1 << sent);
        }
    }

    /// Frees the slot of a change that is in no ring.
    fn release(&mut self, slot: u32) {
        let change = &mut self.slab[slot as usize];
        change.bytes = Box::default();
        self.index.remove(&change.key);
        self.free.push(slot);
    }
}
