//! How a node is doing, signed with its key: the part of its state that changes all the time.
//!
//! | bytes | field |
//! |---|---|
//! | 0–31 | public key |
//! | 32–39 | incarnation |
//! | 40–47 | sequence number within the incarnation |
//! | 48–49 | load in thousandths of what it can carry |
//! | 50–53 | sessions |
//! | 54 | bit 0: draining, takes nothing new |
//! | 55–118 | Ed25519 signature over a context string and all before |
//!
//! Numbers are little-endian. A beat also says that its node is alive at that incarnation.

use crate::signed_body::{LEAST, SignedBody};
use crate::{Error, KeyManager, MAX_INCARNATION, NodeId, Precedence, Status, record};

const CONTENT: usize = 23;
const CONTEXT: &[u8] = b"palaver beat v1\0";

/// What a beat reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
    /// Thousandths of what the node can carry; above 1,000 it is overloaded.
    pub load: u16,
    /// How many sessions it serves.
    pub sessions: u32,
    /// Whether it takes nothing new.
    pub draining: bool,
}

/// One report of a node. `decode` does not check the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    body: SignedBody,
}

impl Beat {
    /// Makes and signs the `seq`th beat of an incarnation of the node that holds `keys`.
    pub fn sign(keys: &KeyManager, incarnation: u64, seq: u64, vitals: Vitals) -> Result<Self, Error> {
        let alive = Precedence::new(incarnation, Status::Alive)?;
        let mut content = [0; CONTENT];
        content[..8].copy_from_slice(&alive.incarnation().to_le_bytes());
        content[8..16].copy_from_slice(&seq.to_le_bytes());
        content[16..18].copy_from_slice(&vitals.load.to_le_bytes());
        content[18..22].copy_from_slice(&vitals.sessions.to_le_bytes());
        content[22] = u8::from(vitals.draining);
        Ok(Self { body: SignedBody::sign(CONTEXT, keys, &content) })
    }

    /// Reads the body of a beat record.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != LEAST + CONTENT {
            return Err(Error::Decode("a beat has 119 bytes"));
        }
        let beat = Self { body: SignedBody::unchecked(CONTEXT, bytes) };
        if beat.incarnation() > MAX_INCARNATION {
            return Err(Error::Incarnation);
        }
        Ok(beat)
    }

    pub(crate) fn body(&self) -> &SignedBody {
        &self.body
    }

    /// Who reports.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::of_public_key(self.body.public_key())
    }

    /// The incarnation the node is in.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.number(0)
    }

    /// The number of the beat within the incarnation.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.number(8)
    }

    /// What it reports.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let content = self.body.content();
        Vitals {
            load: u16::from_le_bytes([content[16], content[17]]),
            sessions: u32::from_le_bytes([content[18], content[19], content[20], content[21]]),
            draining: content[22] & 1 != 0,
        }
    }

    /// Whether this one holds against `other` of the same node: the later one, and of two for one moment the one with the
    /// larger bytes, so that all agree.
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        let order = |beat: &Self| (beat.incarnation(), beat.seq());
        (order(self), self.body.as_bytes()) > (order(other), other.body.as_bytes())
    }

    /// The bytes with the head of a record, for `merge_bytes` and packets.
    #[must_use]
    pub fn framed(&self) -> Vec<u8> {
        let mut framed = Vec::new();
        record::write(&mut framed, record::KIND_BEAT, self.body.as_bytes());
        framed
    }

    fn number(&self, from: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.body.content()[from..from + 8]);
        u64::from_le_bytes(word)
    }
}
