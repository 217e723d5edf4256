//! How gossip is wrapped: one packet, or one message of a stream.
//!
//! | bytes | field |
//! |---|---|
//! | 0–1 | magic `PV` |
//! | 2 | version, 1 |
//! | 3 | type; its meaning belongs to the protocol above |
//! | 4 | flags, none defined: sent as 0, ignored when read |
//! | 5 | algorithm: 1 = Ed25519, public key and signature in the packet; 2 = pairwise, see [`crate::PairwiseLinks`] |
//! | 6–7 | reserved: sent as 0, ignored when read |
//! | 8–15 | cluster tag |
//! | 16–31 | sender, the id of the public key |
//! | 32–39 | epoch: rises with every start of the sender |
//! | 40–47 | sequence number within the epoch |
//! | 48–79 | public key |
//! | 80–… | payload |
//! | last 64 | signature over a context string and all before |
//!
//! Numbers are little-endian. The first 48 bytes are the same whatever the algorithm.

use crate::{Error, KeyManager, NodeId, PublicKey, Signed, verify};

const MAGIC: [u8; 2] = *b"PV";
const VERSION: u8 = 1;
const ED25519: u8 = 1;
/// The algorithm of packets between two nodes that have greeted each other.
pub(crate) const PAIRWISE: u8 = 2;
/// The length of what all packets begin with.
pub(crate) const HEAD: usize = 48;
const KEY: usize = 32;
const SIGNATURE: usize = 64;
const CONTEXT: &[u8] = b"palaver envelope v1\0";

/// Which cluster a packet is for: the start of the BLAKE3 hash of the cluster's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterTag([u8; 8]);

impl ClusterTag {
    /// The tag of the cluster called `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let mut tag = [0; 8];
        tag.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
        Self(tag)
    }

    /// The eight bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

/// What an envelope says on its outside, chosen by the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Postmark {
    /// What the payload is; its meaning belongs to the protocol above.
    pub kind: u8,
    /// For which cluster.
    pub cluster: ClusterTag,
    /// Rises with every start of the sender.
    pub epoch: u64,
    /// Rises with every packet of the epoch.
    pub seq: u64,
}

impl Postmark {
    /// The beginning of a packet.
    pub(crate) fn head(&self, algorithm: u8, sender: &NodeId) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..2].copy_from_slice(&MAGIC);
        (head[2], head[3], head[5]) = (VERSION, self.kind, algorithm);
        head[8..16].copy_from_slice(&self.cluster.0);
        head[16..32].copy_from_slice(sender.as_bytes());
        head[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        head[40..].copy_from_slice(&self.seq.to_le_bytes());
        head
    }

    /// Reads the beginning of a packet for `cluster`, cheapest checks first.
    pub(crate) fn read(
        head: &[u8; HEAD],
        algorithm: u8,
        cluster: ClusterTag,
    ) -> Result<(Self, NodeId), Error> {
        if head[..2] != MAGIC {
            return Err(Error::Decode("an envelope begins with PV"));
        }
        if head[2] != VERSION {
            return Err(Error::Decode("the envelope is of another version"));
        }
        if head[5] != algorithm {
            return Err(Error::Decode("the envelope is sealed by another algorithm"));
        }
        if head[8..16] != cluster.0 {
            return Err(Error::Decode("the envelope is for another cluster"));
        }
        let postmark = Self { kind: head[3], cluster, epoch: number(head, 32), seq: number(head, 40) };
        Ok((postmark, NodeId::try_from(&head[16..32])?))
    }
}

/// A signed packet. `decode` checks its form, `verify` its signature, a [`crate::ReplayGuard`] that it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GossipEnvelope {
    bytes: Vec<u8>,
    postmark: Postmark,
    sender: NodeId,
}

impl GossipEnvelope {
    /// What an envelope adds to its payload.
    pub const OVERHEAD: usize = HEAD + KEY + SIGNATURE;
    /// The longest payload, for streams: 1 MiB. A datagram should stay within 1,200 bytes in all.
    pub const MAX_PAYLOAD: usize = 1 << 20;

    /// Wraps and signs `payload`.
    pub fn seal(keys: &KeyManager, postmark: Postmark, payload: &[u8]) -> Result<Self, Error> {
        if payload.len() > Self::MAX_PAYLOAD {
            return Err(Error::TooLong { what: "payload", max: Self::MAX_PAYLOAD, got: payload.len() });
        }
        let sender = keys.node_id();
        let mut bytes = Vec::with_capacity(Self::OVERHEAD + payload.len());
        bytes.extend_from_slice(&postmark.head(ED25519, &sender));
        bytes.extend_from_slice(keys.public_key().as_bytes());
        bytes.extend_from_slice(payload);
        let signature = keys.sign(&[CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature);
        Ok(Self { bytes, postmark, sender })
    }

    /// Reads a packet for `cluster`: length, magic, version, algorithm and cluster tag, cheapest first.
    pub fn decode(bytes: &[u8], cluster: ClusterTag) -> Result<Self, Error> {
        if !(Self::OVERHEAD..=Self::OVERHEAD + Self::MAX_PAYLOAD).contains(&bytes.len()) {
            return Err(Error::Decode("an envelope has 144 bytes and a payload of at most 1 MiB"));
        }
        let head = bytes.first_chunk().expect("longer than a head");
        let (postmark, sender) = Postmark::read(head, ED25519, cluster)?;
        Ok(Self { bytes: bytes.to_vec(), postmark, sender })
    }

    /// Whether the sender's key made the signature, and is the sender's.
    #[must_use]
    pub fn verify(&self) -> bool {
        let Ok(public_key) = PublicKey::from_bytes(self.public_key()) else { return false };
        let data = [CONTEXT, &self.bytes[..self.bytes.len() - SIGNATURE]].concat();
        NodeId::of_public_key(self.public_key()) == self.sender
            && verify(&Signed { data: &data, signature: self.signature(), public_key: &public_key })
    }

    /// The packet as it is sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is written on the outside.
    #[must_use]
    pub fn postmark(&self) -> &Postmark {
        &self.postmark
    }

    /// Who says to have sent it.
    #[must_use]
    pub fn sender(&self) -> NodeId {
        self.sender
    }

    /// What is inside.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[HEAD + KEY..self.bytes.len() - SIGNATURE]
    }

    /// The key that is said to have signed.
    #[must_use]
    pub fn public_key(&self) -> &[u8; KEY] {
        self.bytes[HEAD..].first_chunk().expect("seal and decode made sure of the length")
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8; SIGNATURE] {
        self.bytes.last_chunk().expect("seal and decode made sure of the length")
    }
}

fn number(bytes: &[u8], from: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[from..from + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postmark() -> Postmark {
        Postmark { kind: 7, cluster: ClusterTag::of("test"), epoch: 3, seq: u64::MAX }
    }

    fn sealed() -> GossipEnvelope {
        GossipEnvelope::seal(&KeyManager::from_seed(&[1; 32]), postmark(), b"payload").unwrap()
    }

    #[test]
    fn what_is_sealed_is_read_back_and_verifies() {
        let envelope = GossipEnvelope::decode(sealed().as_bytes(), ClusterTag::of("test")).unwrap();
        assert_eq!(envelope, sealed());
        assert_eq!((envelope.payload(), *envelope.postmark()), (&b"payload"[..], postmark()));
        assert_eq!(envelope.sender(), KeyManager::from_seed(&[1; 32]).node_id());
        assert!(envelope.verify());
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let good = sealed();
        for bit in 0..8 * good.as_bytes().len() {
            let mut bytes = good.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = GossipEnvelope::decode(&bytes, ClusterTag::of("test"));
            assert!(!read.is_ok_and(|envelope| envelope.verify()), "bit {bit}");
        }
    }

    #[test]
    fn a_packet_cut_short_is_refused_or_false() {
        let good = sealed();
        for length in 0..good.as_bytes().len() {
            let read = GossipEnvelope::decode(&good.as_bytes()[..length], ClusterTag::of("test"));
            assert!(!read.is_ok_and(|envelope| envelope.verify()), "{length} bytes");
        }
    }

    #[test]
    fn a_packet_of_another_cluster_is_refused() {
        assert!(GossipEnvelope::decode(sealed().as_bytes(), ClusterTag::of("prod")).is_err());
    }

    #[test]
    fn nobody_sends_under_anothers_id() {
        let mut bytes = sealed().as_bytes().to_vec();
        let length = bytes.len();
        bytes[16..32].copy_from_slice(KeyManager::from_seed(&[2; 32]).node_id().as_bytes());
        let signature =
            KeyManager::from_seed(&[1; 32]).sign(&[CONTEXT, &bytes[..length - SIGNATURE]].concat());
        bytes[length - SIGNATURE..].copy_from_slice(&signature);
        assert!(!GossipEnvelope::decode(&bytes, ClusterTag::of("test")).unwrap().verify());
    }

    #[test]
    fn a_payload_is_bounded() {
        let keys = KeyManager::from_seed(&[1; 32]);
        let long = vec![0; GossipEnvelope::MAX_PAYLOAD + 1];
        assert!(matches!(GossipEnvelope::seal(&keys, postmark(), &long), Err(Error::TooLong { .. })));
        assert!(GossipEnvelope::seal(&keys, postmark(), &long[1..]).is_ok());
    }
}
