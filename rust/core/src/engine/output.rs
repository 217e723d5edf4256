//! What the engine wants done, in the order in which it must be done: log, send, tell.

use std::net::SocketAddr;

use crate::{NodeId, NodeRecord, Priority, Status};

/// All that one or more calls of `handle` want. The caller clears it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// To be written first.
    pub log: Vec<LogRecord>,
    /// UDP payloads.
    pub datagrams: Vec<Transmission>,
    /// Messages for streams; lost ones are made up for.
    pub streams: Vec<Transmission>,
    /// For the application.
    pub events: Vec<Event>,
}

impl Output {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.log.clear();
        self.datagrams.clear();
        self.streams.clear();
        self.events.clear();
    }
}

/// Bytes and where they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// A gossip address.
    pub to: SocketAddr,
    /// What to send.
    pub bytes: Vec<u8>,
}

/// Something to keep over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRecord {
    /// Incarnations up to this one may be used from now on. Must be on the disk before anything is sent; written with
    /// [`crate::encode_ceiling`].
    Ceiling(u64),
    /// Records for [`super::Command::Restore`] that hold in addition to all before. May be lost: peers know them.
    Membership(Vec<u8>),
}

/// What the application is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The view has changed: one batch for all that happened within [`super::EngineConfig::view_window`].
    View(Vec<Change>),
    /// This node alone misses answers of a member, or has them again. Routes may avoid it; nobody else is told.
    Suspected {
        /// The member.
        node: NodeId,
        /// Whether it is suspect now.
        suspect: bool,
    },
    /// A member spread this.
    Broadcast {
        /// Who.
        origin: NodeId,
        /// How urgent it was to the sender.
        priority: Priority,
        /// What.
        payload: Vec<u8>,
    },
    /// More members are out of reach than fail by themselves: none is declared dead while that is so.
    PartitionSuspected {
        /// How many are out of reach.
        unreachable: usize,
        /// How many there are.
        members: usize,
    },
    /// The members that were out of reach have come back, or there are few enough of them again.
    PartitionEnded,
    /// This process stood still for so many seconds.
    Paused(f64),
    /// A member has signed two different records for one moment.
    Equivocation(Box<(NodeRecord, NodeRecord)>),
    /// Another process uses this node's key.
    IdentityConflict,
    /// A node was not let in. At most one a minute is told.
    Refused {
        /// Who.
        node: NodeId,
        /// Why, for the operator.
        why: &'static str,
    },
    /// Has found the cluster: the first complete exchange with a seed.
    Joined,
    /// No seed has answered; the node is alone and goes on trying.
    Alone,
    /// The goodbye was acknowledged by so many, or this node is banned; nothing more will come.
    Stopped {
        /// How many.
        acknowledged: usize,
        /// Whether an administrator has banned this node: it needs another key.
        banned: bool,
    },
}

/// How one member's standing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which member.
    pub node: NodeId,
    /// How it stood when the batch began; `None` if it was unknown.
    pub before: Option<Status>,
    /// How it stands now; `None` if it has been forgotten. Equal to `before` when only its address, place, name or incarnation
    /// is new.
    pub after: Option<Status>,
    /// The incarnation it is at.
    pub incarnation: u64,
}

/// What has happened so far, for metrics. All only rise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams and stream messages given to `handle`.
    pub received: u64,
    /// Of these, refused before anything was changed.
    pub refused: u64,
    /// Of the refused, those that were not even checked: their source had sent too many bad signatures.
    pub throttled: u64,
    /// Signatures that were checked and found to be bad.
    pub bad_signatures: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Bytes of datagrams sent.
    pub sent_bytes: u64,
    /// Stream messages sent.
    pub streams: u64,
    /// Bytes of stream messages sent.
    pub stream_bytes: u64,
    /// Probes begun.
    pub probes: u64,
    /// Probes that failed over all ways.
    pub probes_failed: u64,
    /// Own accusations signed.
    pub accusations: u64,
    /// Own refutations signed.
    pub refutations: u64,
    /// Exchanges begun because the roots differed.
    pub syncs: u64,
    /// Records joined.
    pub records: u64,
}
