//! Which messages have been seen: a set of ids in two generations, so that forgetting costs nothing and memory is bounded.

use std::collections::HashSet;

use crate::{Error, IdHashBuilder};

/// The first 128 bits of the BLAKE3 hash of whatever names a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// The id with these bytes, for callers that have hashed already.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id of a message that is named by `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(id)
    }
}

/// Remembers at least the last `capacity` different ids and never more than twice as many.
///
/// Ids go into the young generation; when that is full it becomes the old one and the old one is dropped. Call `track`
/// only for messages whose sender has been authenticated, or a stranger could claim an id before its owner sends it.
#[derive(Debug, Clone)]
pub struct MessageCache {
    capacity: usize,
    young: HashSet<MessageId, IdHashBuilder>,
    old: HashSet<MessageId, IdHashBuilder>,
    in_both: usize,
}

impl MessageCache {
    /// Enough for a minute of 1,000 messages a second.
    pub const DEFAULT_CAPACITY: usize = 1 << 16;

    /// The largest capacity: with two tables of 2^27 places of 17 bytes, 2^26 ids take 4.6 GB.
    pub const MAX_CAPACITY: usize = 1 << 26;

    /// An empty cache. All memory it will ever use is taken here.
    pub fn new(capacity: usize, hasher: IdHashBuilder) -> Result<Self, Error> {
        if !(1..=Self::MAX_CAPACITY).contains(&capacity) {
            return Err(Error::Capacity { what: "message cache", max: Self::MAX_CAPACITY });
        }
        let generation = || {
            let mut ids = HashSet::with_hasher(hasher);
            ids.try_reserve(capacity).map_err(|_| Error::Memory { what: "message cache" })?;
            Ok(ids)
        };
        Ok(Self { capacity, young: generation()?, old: generation()?, in_both: 0 })
    }

    /// How many different ids are remembered for certain.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many ids are held now: at most twice the capacity.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len() - self.in_both
    }

    /// Whether nothing has been tracked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// Whether `id` has been tracked. Changes nothing.
    #[must_use]
    pub fn is_duplicate(&self, id: &MessageId) -> bool {
        self.young.contains(id) || self.old.contains(id)
    }

    /// Remembers `id` as the latest, and says whether it is new.
    pub fn track(&mut self, id: MessageId) -> bool {
        if self.young.contains(&id) {
            return false;
        }
        let new = !self.old.contains(&id);
        if self.young.len() == self.capacity {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.in_both = 0;
        } else if !new {
            self.in_both += 1;
        }
        self.young.insert(id);
        new
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.in_both = 0;
    }
}
