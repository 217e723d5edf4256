//! What a node record says that the engine needs at hand: read once, shared by all views that hold the record.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::membership::Held;
use crate::{AdmissionTicket, ClusterTag, Hello, NodeId, NodeRecord, Precedence};

/// How to reach a node and talk to it.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: NodeId,
    pub(super) public_key: [u8; 32],
    pub(super) precedence: Precedence,
    pub(super) issued_at: u64,
    pub(super) address: Option<SocketAddr>,
    pub(super) epoch: u64,
    pub(super) exchange: Option<[u8; 32]>,
    pub(super) versions: (u8, u8),
    /// The hash of region and zone; zero where none is said.
    pub(super) zone: u64,
    pub(super) ticket: Option<Box<AdmissionTicket>>,
    pub(super) held: Arc<Held>,
}

impl Contact {
    /// What a record says.
    pub(super) fn of(record: &NodeRecord) -> Self {
        let life = record.life();
        Self {
            id: record.node_id(),
            public_key: *record.public_key(),
            precedence: record.precedence(),
            issued_at: record.issued_at(),
            address: record.address().parse().ok(),
            epoch: life.map_or(0, |life| life.epoch),
            exchange: life.map(|life| life.exchange),
            versions: life.map_or((1, 1), |life| life.versions),
            zone: zone(record),
            ticket: record.admission().map(|ticket| Box::new(*ticket)),
            held: Arc::new(Held::of(record)),
        }
    }

    /// The very record.
    pub(super) fn bytes(&self) -> &[u8] {
        self.held.bytes()
    }

    /// The greeting that the record stands for.
    pub(super) fn hello(&self, cluster: ClusterTag) -> Option<Hello> {
        self.exchange.map(|exchange| Hello::vouched(cluster, self.epoch, &exchange, &self.public_key))
    }
}

fn zone(record: &NodeRecord) -> u64 {
    let place = record.metadata();
    if place.zone().is_empty() && place.region().is_empty() {
        return 0;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(place.region().as_bytes()).update(&[0]).update(place.zone().as_bytes());
    let hash = hasher.finalize();
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 bytes"))
}
