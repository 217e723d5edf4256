//! What the engine is told.

use std::net::SocketAddr;

use super::{Admission, Ban};
use crate::{AdmissionTicket, NodeId, NodeMetadata, Priority, Time, Vitals};

/// What time it is, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// A monotonic clock: rules go by this one.
    pub now: Time,
    /// Milliseconds of Unix time: only for the age of signed records and the common order of probes.
    pub unix_millis: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'a> {
    /// A UDP payload came.
    Datagram {
        /// From where, as far as the network can tell.
        from: SocketAddr,
        /// What came.
        bytes: &'a [u8],
    },
    /// A whole message came over a stream.
    Stream {
        /// From where; the port need not be the sender's gossip port.
        from: SocketAddr,
        /// What came.
        bytes: &'a [u8],
    },
    /// It is [`super::Engine::deadline`] or later.
    Deadline,
    /// The application wants something.
    Command(Command),
}

/// What the application can want.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Greet these addresses until one of them answers, and later whenever the node is alone. An empty list makes the node
    /// its own cluster. Replaces an earlier list; at most [`super::EngineConfig::MAX_SEEDS`] count.
    Join(Vec<SocketAddr>),
    /// Take up what an earlier life knew: the records that [`super::Engine::snapshot`] gave or the log holds. Give them before
    /// `Join`.
    Restore(Vec<u8>),
    /// Say goodbye. [`super::Event::Stopped`] follows when enough have heard it.
    Leave,
    /// Spread a payload of at most [`super::EngineConfig::MAX_BROADCAST`] bytes to every member, each exactly once
    /// while its cache remembers. Refused while the buffer of changes to tell is full. Who is out of reach while it spreads, or
    /// joins later, does not hear it: what must outlast that is the application's to tell again.
    Broadcast {
        /// Only [`Priority::Application`] and, for revocations and bans, [`Priority::Gone`]; others count as the first.
        priority: Priority,
        /// What to spread.
        payload: Vec<u8>,
    },
    /// How the node is doing. It rides on every probe; a marked change is also spread.
    SetVitals(Vitals),
    /// Where the node runs and how it is called.
    SetMetadata {
        /// For people.
        name: String,
        /// Where it runs.
        place: NodeMetadata,
    },
    /// From now on these decide who may be a member. Those inside stay until they would have to show themselves again, a
    /// banned one does not.
    SetAdmission(Admission),
    /// Show this ticket from now on: a new one for the same key.
    SetTicket(AdmissionTicket),
    /// Take an administrator's ban: the subject can never come back under its key.
    Ban(Ban),
    /// Treat a member that is unreachable as dead now, without waiting for the timer or the brake. Nothing happens to one
    /// that still answers.
    ForceLeave(NodeId),
    /// Write the whole membership into the log, for a new segment of it.
    Checkpoint,
}
