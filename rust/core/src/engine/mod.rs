//! The engine of a cluster node, sans I/O: membership, failure detection, spreading and anti-entropy as one machine.
//!
//! # The caller's contract
//!
//! ```text
//! let mut engine = Engine::new(config, identity, seed, moment)?;
//! loop {
//!     wait for a datagram, a stream message, a command, or until engine.deadline()
//!     engine.handle(input, moment, &mut output);
//!     1. write output.log; where a record says so, let it reach the disk before going on
//!     2. send output.datagrams and output.streams
//!     3. give output.events to the application
//!     output.clear()
//! }
//! ```
//!
//! - Call [`Engine::handle`] with [`Input::Deadline`] at or after [`Engine::deadline`]. Calls that come earlier do no harm.
//!   The deadline may change with every call, so ask again after each.
//! - [`Moment::now`] is a monotonic clock that never goes back; [`Moment::unix_millis`] is the wall clock, which may jump.
//!   A deadline that is met late by more than [`EngineConfig::pause_limit`] is taken for a pause of this process: the
//!   engine then blames nobody for what it has missed.
//! - A datagram is one UDP payload of at most [`EngineConfig::packet_bytes`]. A stream message is delivered whole or not at
//!   all; carry it over TCP, length first. Both are addressed by the gossip address of the node. To answer over the
//!   connection a message came on is allowed where it is still open.
//! - Nothing is promised about datagrams: they may be lost, doubled, delayed, reordered, forged. All checks are in here.
//! - The same configuration, identity, seed and inputs give byte-identical outputs on every platform.
//! - After [`Event::Stopped`] the engine says nothing more; drop it.
//!
//! Inside, a node's state is a value of the lattice in [`crate::MembershipTable`]. What may enter it is decided in one
//! place, the `ingest` module: only a node itself says that it is alive or has left, a quorum of signed accusations makes it
//! unreachable, time on top of that makes it dead, an administrator's signature makes it banned.

mod accusation;
mod admission;
mod application;
mod ban;
mod budget;
mod certificate;
mod checks;
mod config;
mod contact;
mod death;
mod flap;
mod heal;
mod health;
mod identity;
mod ingest;
mod input;
mod leave;
mod lie;
mod line;
mod machine;
mod membership;
mod output;
mod packets;
mod partition;
mod probe;
mod probe_order;
mod rival;
mod round_trip;
mod second_look;
mod spread;
mod suspicion;
mod suspicions;
mod sync;
mod timers;
mod views;
mod wire;

pub use accusation::Accusation;
pub use admission::{Admission, Ban, sign_ticket};
pub use certificate::Certificate;
pub use checks::SharedChecks;
pub use config::{Detection, EngineConfig, Rules, Sealing};
pub use identity::Identity;
pub use input::{Command, Input, Moment};
pub use machine::Engine;
pub use membership::Member;
pub use output::{Change, Counters, Event, LogRecord, Output, Transmission};
