//! What the application can ask.

use std::net::SocketAddr;

use super::Engine;
use crate::{NodeId, NodeMetadata, NodeRecord, Status, Time, Vitals};

/// One member as the application sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Who.
    pub id: NodeId,
    /// How it stands for the application: see [`Engine::status`].
    pub status: Status,
    /// Whether this node alone misses its answers.
    pub suspected: bool,
    /// How often it has answered for itself.
    pub incarnation: u64,
    /// For people.
    pub name: String,
    /// Where it is reached.
    pub address: Option<SocketAddr>,
    /// Where it runs.
    pub place: NodeMetadata,
    /// How it says it is doing.
    pub vitals: Vitals,
    /// When it was last heard by this node itself, in the engine's time.
    pub last_heartbeat: Time,
    /// The smoothed round-trip time to its zone in seconds, if known.
    pub round_trip: Option<f64>,
}

impl Engine {
    /// Who this is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The root of the view: equal roots mean equal views.
    #[must_use]
    pub fn root(&self) -> u128 {
        self.table.root()
    }

    /// How many are known, the gone and the own node included.
    #[must_use]
    pub fn known(&self) -> usize {
        self.table.len()
    }

    /// How many take part: alive or unreachable, the own node included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.order.members().len() + 1
    }

    /// The ids and standings of all that are known, in no particular order.
    pub fn standings(&self) -> impl Iterator<Item = (NodeId, Status)> + '_ {
        self.table.iter().map(|entry| (entry.id, self.flaps.shown(&entry.id, entry.precedence.status())))
    }

    /// The same without what this node alone thinks: equal roots give equal answers. What all must agree on goes by this, as
    /// who owns a room.
    pub fn proven_standings(&self) -> impl Iterator<Item = (NodeId, Status)> + '_ {
        self.table.iter().map(|entry| (entry.id, entry.precedence.status()))
    }

    /// Whether deaths are held because a partition is suspected.
    #[must_use]
    pub fn suspects_partition(&self) -> bool {
        self.partition.is_suspected()
    }

    /// The incarnation at which a member is known.
    #[must_use]
    pub fn incarnation_of(&self, id: &NodeId) -> Option<u64> {
        self.table.get(id).map(|entry| entry.precedence.incarnation())
    }

    /// One member.
    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<Member> {
        let entry = self.table.get(id)?;
        let record: Option<NodeRecord> = self.table.record(id);
        let (name, place) = record
            .as_ref()
            .map(|record| (record.name().to_owned(), record.metadata().clone()))
            .unwrap_or_default();
        let own = *id == self.id;
        Some(Member {
            id: *id,
            status: self.status(id)?,
            suspected: self.suspicions.is_own(id),
            incarnation: entry.precedence.incarnation(),
            name,
            address: record.and_then(|record| record.address().parse().ok()),
            place,
            vitals: if own { self.own.vitals } else { self.vitals.get(id).copied().unwrap_or_default() },
            last_heartbeat: if own { self.clock.now } else { entry.last_heartbeat },
            round_trip: self.round_trips.smoothed(self.place(id)),
        })
    }

    /// All members by rising id, the own node among them.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let mut ids: Vec<NodeId> = self.table.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        ids.iter().filter_map(|id| self.member(id)).collect()
    }

    /// When the view last changed, in the engine's time.
    #[must_use]
    pub fn last_change(&self) -> Time {
        self.syncs.last_change()
    }
}
