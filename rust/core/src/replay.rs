//! Which packets of a sender have been taken already: a window of sequence numbers, as in RFC 4303 §3.4.3.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::{Error, IdHashBuilder, NodeId};

/// How far behind the newest a packet may come: a second of 1,000 packets reordered.
pub const REPLAY_WINDOW: u64 = 1024;

/// How many senders are followed unless told otherwise; each takes about 170 bytes.
pub const DEFAULT_MAX_SENDERS: usize = 1 << 16;

const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// The newest packet of one sender and which of the 1,023 before it have been taken.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    epoch: u64,
    newest: u64,
    taken: [u64; WORDS],
}

/// Takes each packet of each sender once. Ask only for packets that have been authenticated.
#[derive(Debug, Clone)]
pub struct ReplayGuard {
    max_senders: usize,
    windows: HashMap<NodeId, Window, IdHashBuilder>,
}

impl ReplayGuard {
    /// Nothing has been taken yet.
    pub fn new(max_senders: usize, hasher: IdHashBuilder) -> Result<Self, Error> {
        if max_senders == 0 {
            return Err(Error::Capacity { what: "replay guard", max: usize::MAX });
        }
        Ok(Self { max_senders, windows: HashMap::with_hasher(hasher) })
    }

    /// Whether the packet is new: of a later epoch, or of the current one, inside the window and not taken before. Then
    /// it counts as taken.
    pub fn accept(&mut self, sender: NodeId, epoch: u64, seq: u64) -> Result<bool, Error> {
        if let Some(window) = self.windows.get_mut(&sender) {
            return Ok(window.accept(epoch, seq));
        }
        if self.windows.len() >= self.max_senders {
            return Err(Error::Full { what: "replay guard", limit: self.max_senders });
        }
        self.windows.insert(sender, Window::starting_at(epoch, seq));
        Ok(true)
    }

    /// Forgets a sender that is gone, and says whether it was known. Its old packets would be taken again: do it only
    /// when its key is no longer trusted or its epoch is refused otherwise.
    pub fn forget(&mut self, sender: &NodeId) -> bool {
        self.windows.remove(sender).is_some()
    }

    /// How many senders are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether no sender is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}

impl Window {
    /// The window of a sender whose first packet is this one.
    pub(crate) fn starting_at(epoch: u64, seq: u64) -> Self {
        let mut window = Self { epoch, newest: seq, taken: [0; WORDS] };
        window.mark(seq);
        window
    }

    /// What `accept` would say. Changes nothing.
    pub(crate) fn is_new(&self, epoch: u64, seq: u64) -> bool {
        match epoch.cmp(&self.epoch) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal if seq > self.newest => true,
            Ordering::Equal => self.newest - seq < REPLAY_WINDOW && self.taken[word(seq)] & bit(seq) == 0,
        }
    }

    pub(crate) fn accept(&mut self, epoch: u64, seq: u64) -> bool {
        if epoch != self.epoch {
            let later = epoch > self.epoch;
            if later {
                *self = Self::starting_at(epoch, seq);
            }
            return later;
        }
        if seq > self.newest {
            // Numbers that enter the window have not been taken, whatever shared their bit before.
            let entering = (seq - self.newest).min(REPLAY_WINDOW);
            for number in seq - entering + 1..=seq {
                self.taken[word(number)] &= !bit(number);
            }
            self.newest = seq;
        } else if self.newest - seq >= REPLAY_WINDOW || self.taken[word(seq)] & bit(seq) != 0 {
            return false;
        }
        self.mark(seq);
        true
    }

    fn mark(&mut self, seq: u64) {
        self.taken[word(seq)] |= bit(seq);
    }
}

fn word(seq: u64) -> usize {
    (seq / 64) as usize % WORDS
}

fn bit(seq: u64) -> u64 {
    1 << (seq % 64)
}
