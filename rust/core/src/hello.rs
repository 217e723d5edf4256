//! How two nodes come to a common secret: each greets with a key for one epoch, signed by its identity.
//!
//! | bytes | field |
//! |---|---|
//! | 0–1 | magic `PH` |
//! | 2 | version, 1 |
//! | 3–7 | reserved: sent as 0, ignored when read |
//! | 8–15 | cluster tag |
//! | 16–23 | epoch: rises with every start of the node |
//! | 24–55 | X25519 public key, drawn anew for each epoch |
//! | 56–87 | Ed25519 public key: who greets |
//! | 88–151 | signature over a context string and all before |
//!
//! Greetings need no answer and no order: whoever has both can talk, so loss and repetition do no harm.

use crate::{ClusterTag, Error, KeyManager, NodeId, PublicKey, Signed, verify};

const MAGIC: [u8; 2] = *b"PH";
const VERSION: u8 = 1;
const SIGNED: usize = 88;
const CONTEXT: &[u8] = b"palaver hello v1\0";

/// A greeting. `decode` checks its form, `verify` who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    bytes: [u8; Self::LENGTH],
    node_id: NodeId,
}

impl Hello {
    /// How long every greeting is.
    pub const LENGTH: usize = SIGNED + 64;

    /// Signs a greeting.
    pub(crate) fn sign(keys: &KeyManager, cluster: ClusterTag, epoch: u64, exchange: &[u8; 32]) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[8..16].copy_from_slice(cluster.as_bytes());
        bytes[16..24].copy_from_slice(&epoch.to_le_bytes());
        bytes[24..56].copy_from_slice(exchange);
        bytes[56..SIGNED].copy_from_slice(keys.public_key().as_bytes());
        let signature = keys.sign(&[CONTEXT, &bytes[..SIGNED]].concat());
        bytes[SIGNED..].copy_from_slice(&signature);
        Self { bytes, node_id: keys.node_id() }
    }

    /// The greeting that a node record stands for, once its own signature has been checked: it bears no other one.
    pub(crate) fn vouched(
        cluster: ClusterTag,
        epoch: u64,
        exchange: &[u8; 32],
        public_key: &[u8; 32],
    ) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[8..16].copy_from_slice(cluster.as_bytes());
        bytes[16..24].copy_from_slice(&epoch.to_le_bytes());
        bytes[24..56].copy_from_slice(exchange);
        bytes[56..SIGNED].copy_from_slice(public_key);
        Self { bytes, node_id: NodeId::of_public_key(public_key) }
    }

    /// All but the signature: what is agreed depends on it.
    pub(crate) fn content(&self) -> &[u8; SIGNED] {
        self.bytes.first_chunk().expect("the length is fixed")
    }

    /// Reads a greeting for `cluster`.
    pub fn decode(bytes: &[u8], cluster: ClusterTag) -> Result<Self, Error> {
        let bytes: [u8; Self::LENGTH] =
            bytes.try_into().map_err(|_| Error::Decode("a greeting has 152 bytes"))?;
        if bytes[..2] != MAGIC || bytes[2] != VERSION {
            return Err(Error::Decode("a greeting begins with PH and version 1"));
        }
        if bytes[8..16] != *cluster.as_bytes() {
            return Err(Error::Decode("the greeting is for another cluster"));
        }
        let node_id = NodeId::of_public_key(bytes[56..SIGNED].try_into().expect("32 bytes"));
        Ok(Self { bytes, node_id })
    }

    /// Whether the node of `node_id` made it.
    #[must_use]
    pub fn verify(&self) -> bool {
        let Ok(public_key) = PublicKey::from_bytes(self.public_key()) else { return false };
        let data = [CONTEXT, &self.bytes[..SIGNED]].concat();
        let signature = self.bytes.last_chunk().expect("the length is fixed");
        verify(&Signed { data: &data, signature, public_key: &public_key })
    }

    /// The greeting as it is sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.bytes
    }

    /// Who greets.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// For which life of the node.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        u64::from_le_bytes(self.bytes[16..24].try_into().expect("8 bytes"))
    }

    /// The identity's key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.bytes[56..].first_chunk().expect("the length is fixed")
    }

    /// The key for the exchange.
    pub(crate) fn exchange(&self) -> &[u8; 32] {
        self.bytes[24..].first_chunk().expect("the length is fixed")
    }
}
