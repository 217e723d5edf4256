//! Who the node is in this life.

use std::net::SocketAddr;

use crate::{AdmissionTicket, KeyManager, NodeMetadata};

/// What a node brings along. All secrets are drawn by the caller.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The Ed25519 key; the node id is its hash.
    pub keys: KeyManager,
    /// For people; at most 255 bytes, may be empty.
    pub name: String,
    /// Where others reach it.
    pub address: SocketAddr,
    /// Where it runs.
    pub place: NodeMetadata,
    /// The incarnation to begin with, from [`crate::first_incarnation`]. It is also the epoch of this life.
    pub incarnation: u64,
    /// The ceiling that is on the disk, if there is one.
    pub ceiling: Option<u64>,
    /// The secret of the key exchange: from the operating system, for this one life, never written down.
    pub exchange: [u8; 32],
    /// What lets it in where authorities decide.
    pub ticket: Option<AdmissionTicket>,
}
