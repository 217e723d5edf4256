//! What is said: one node's view of the cluster, signed.

use crate::envelope::{ClusterTag, GossipEnvelope, Postmark};
use crate::record::{self, Record};
use crate::{Entry, Error, KeyManager, NodeId, Time};

/// The type of envelopes that hold a [`GossipMessage`].
pub const MESSAGE_KIND: u8 = 1;

/// A membership snapshot in an envelope. Last heartbeats are local times and stay at home: they read back as zero.
#[derive(Debug, Clone, PartialEq)]
pub struct GossipMessage {
    envelope: GossipEnvelope,
    snapshot: Vec<Entry>,
}

impl GossipMessage {
    /// Writes, wraps and signs a snapshot.
    pub fn sign(
        keys: &KeyManager,
        snapshot: &[Entry],
        cluster: ClusterTag,
        epoch: u64,
        seq: u64,
    ) -> Result<Self, Error> {
        let mut snapshot: Vec<Entry> =
            snapshot.iter().map(|entry| Entry { last_heartbeat: Time::ZERO, ..*entry }).collect();
        snapshot.sort_unstable_by_key(|entry| (entry.id, entry.precedence));
        let mut payload = Vec::with_capacity(snapshot.len() * record::STATUS_RECORD_LENGTH);
        for entry in &snapshot {
            record::write_status(&mut payload, &entry.id, entry.precedence);
        }
        let postmark = Postmark { kind: MESSAGE_KIND, cluster, epoch, seq };
        Ok(Self { envelope: GossipEnvelope::seal(keys, postmark, &payload)?, snapshot })
    }

    /// Reads a message. The signature has not been checked: see [`GossipMessage::envelope`].
    pub fn decode(bytes: &[u8], cluster: ClusterTag) -> Result<Self, Error> {
        let envelope = GossipEnvelope::decode(bytes, cluster)?;
        if envelope.postmark().kind != MESSAGE_KIND {
            return Err(Error::Decode("the envelope holds no gossip message"));
        }
        let snapshot = record::read(envelope.payload())?
            .into_iter()
            .filter_map(|record| match record {
                Record::Status(id, precedence) => Some(Entry { id, precedence, last_heartbeat: Time::ZERO }),
                Record::Node(_) | Record::Beat(_) | Record::Unknown => None,
            })
            .collect();
        Ok(Self { envelope, snapshot })
    }

    /// How it is wrapped, with its signature.
    #[must_use]
    pub fn envelope(&self) -> &GossipEnvelope {
        &self.envelope
    }

    /// Who says it.
    #[must_use]
    pub fn sender_id(&self) -> NodeId {
        self.envelope.sender()
    }

    /// What it says, by rising id.
    #[must_use]
    pub fn snapshot(&self) -> &[Entry] {
        &self.snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Precedence, Status};

    #[test]
    fn a_snapshot_is_read_back_without_its_heartbeats() {
        let keys = KeyManager::from_seed(&[1; 32]);
        let precedence = Precedence::new(4, Status::Suspect).unwrap();
        let entry = Entry { id: keys.node_id(), precedence, last_heartbeat: Time::new(9.0).unwrap() };
        let tag = ClusterTag::of("");
        let sent = GossipMessage::sign(&keys, &[entry], tag, 1, 2).unwrap();
        let read = GossipMessage::decode(sent.envelope().as_bytes(), tag).unwrap();
        assert_eq!(read, sent);
        assert_eq!(read.snapshot(), [Entry { last_heartbeat: Time::ZERO, ..entry }]);
        assert!(read.envelope().verify());
    }
}
