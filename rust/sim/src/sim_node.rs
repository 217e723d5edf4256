//! One node of a simulated cluster: its process, its links, its clock and its disk.

use std::collections::VecDeque;
use std::net::SocketAddr;

use palaver_core::engine::{Engine, Input};
use palaver_core::{KeyManager, NodeId, NodeMetadata};

use crate::network::NodeLinks;

/// A node, running or not.
#[derive(Debug)]
pub struct SimNode {
    /// The engine, if the process runs.
    pub engine: Option<Engine>,
    /// Who it is in this life.
    pub id: NodeId,
    /// Where it is reached.
    pub address: SocketAddr,
    /// What is wrong with its links.
    pub links: NodeLinks,
    /// Until when it does nothing.
    pub blocked_until: f64,
    /// Until when what it sends and receives is held up, while its timers go on.
    pub muffled_until: f64,
    /// By how many seconds its wall clock is wrong.
    pub clock_error: f64,
    /// Everything takes this much longer on it, in seconds.
    pub slowness: f64,
    /// What it has written to its disk.
    pub disk: Disk,
    /// How often its disk was replaced: each time it is somebody else.
    pub lost_disks: u32,
    pub(crate) key: [u8; 32],
    pub(crate) place: NodeMetadata,
    pub(crate) starts: u32,
    pub(crate) waiting: VecDeque<Arrival>,
    pub(crate) wake: f64,
    /// A datagram that waits for the next to overtake it, and how many have waited so far.
    pub(crate) overtaken: Option<Arrival>,
    pub(crate) held: u64,
}

/// What survives a restart.
#[derive(Debug, Default, Clone)]
pub struct Disk {
    /// The reserved incarnation.
    pub ceiling: Option<u64>,
    /// Records for `Restore`.
    pub membership: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stream: bool,
}

impl Arrival {
    /// As the engine is given it.
    pub(crate) fn input(&self) -> Input<'_> {
        let (from, bytes) = (self.from, &self.bytes[..]);
        if self.stream { Input::Stream { from, bytes } } else { Input::Datagram { from, bytes } }
    }
}

impl SimNode {
    /// The engine of a process that runs and has not left.
    #[must_use]
    pub fn living(&self) -> Option<&Engine> {
        self.engine.as_ref().filter(|engine| !engine.has_ended())
    }

    /// A place where nothing runs yet.
    pub(crate) fn new(address: SocketAddr, zone: u32, key: [u8; 32], place: NodeMetadata) -> Self {
        Self {
            engine: None,
            id: KeyManager::from_seed(&key).node_id(),
            address,
            links: NodeLinks { zone, ..NodeLinks::default() },
            blocked_until: 0.0,
            muffled_until: 0.0,
            clock_error: 0.0,
            slowness: 0.0,
            disk: Disk::default(),
            lost_disks: 0,
            key,
            place,
            starts: 0,
            waiting: VecDeque::new(),
            wake: f64::INFINITY,
            overtaken: None,
            held: 0,
        }
    }
}
