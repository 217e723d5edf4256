//! What a node says of itself, signed with its key: where it is and how it is called.
//!
//! | bytes | field |
//! |---|---|
//! | 0–31 | public key |
//! | 32–39 | incarnation |
//! | 40–47 | issued at, milliseconds of Unix time by the node's own clock |
//! | 48 | 0 alive, 4 left |
//! | 49–… | fields: tag, length, UTF-8 text; tags rise; unknown tags are kept |
//! | last 64 | Ed25519 signature over a context string and all before |

use crate::signed_body::SignedBody;
use crate::{Error, KeyManager, NodeId, NodeMetadata, Precedence, Status, record};

const FIXED: usize = 49;
const SIGNATURE: usize = 64;
const CONTEXT: &[u8] = b"palaver node record v1\0";

const TAG_NAME: u8 = 1;
const TAG_REGION: u8 = 2;
const TAG_ZONE: u8 = 3;
const TAG_ADDRESS: u8 = 4;

/// A node about itself. `decode` does not check the signature; `verify` does.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRecord {
    body: SignedBody,
    precedence: Precedence,
    issued_at: u64,
    name: String,
    address: String,
    metadata: NodeMetadata,
}

/// The part of a record that decides which of two of one node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordOrder {
    incarnation: u64,
    issued_at: u64,
    digest: [u8; 16],
}

impl NodeRecord {
    /// The longest record: what fits into a packet with its head and a signature.
    pub const MAX_LENGTH: usize = 1024;
    /// The longest name or address in bytes: a host name has at most 253 characters, a port 5.
    pub const MAX_TEXT: usize = 255;

    /// Makes and signs the record of the node that holds `keys`. Only alive and left are a node's own to say.
    pub fn sign(
        keys: &KeyManager,
        precedence: Precedence,
        issued_at: u64,
        name: &str,
        address: &str,
        metadata: &NodeMetadata,
    ) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&precedence.incarnation().to_le_bytes());
        bytes.extend_from_slice(&issued_at.to_le_bytes());
        bytes.push(precedence.status() as u8);
        let fields = [
            (TAG_NAME, "name", name),
            (TAG_REGION, "region", metadata.region()),
            (TAG_ZONE, "zone", metadata.zone()),
            (TAG_ADDRESS, "address", address),
        ];
        for (tag, what, text) in fields {
            let length = u8::try_from(text.len()).map_err(|_| Error::Text { what, max: Self::MAX_TEXT })?;
            if text.chars().any(char::is_control) {
                return Err(Error::Text { what, max: Self::MAX_TEXT });
            }
            if length > 0 {
                bytes.extend_from_slice(&[tag, length]);
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        Self::decode(SignedBody::sign(CONTEXT, keys, &bytes).as_bytes())
    }

    /// Reads the body of a node record.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if !(FIXED + SIGNATURE..=Self::MAX_LENGTH).contains(&bytes.len()) {
            return Err(Error::Decode("a node record has 113 to 1,024 bytes"));
        }
        let status = match bytes[48] {
            0 => Status::Alive,
            4 => Status::Left,
            _ => return Err(Error::Decode("a node says of itself only that it is alive or has left")),
        };
        let mut record = Self {
            body: SignedBody::unchecked(CONTEXT, bytes),
            precedence: Precedence::new(word(bytes, 32), status)?,
            issued_at: word(bytes, 40),
            name: String::new(),
            address: String::new(),
            metadata: NodeMetadata::default(),
        };
        record.read_fields(&bytes[FIXED..bytes.len() - SIGNATURE])?;
        Ok(record)
    }

    fn read_fields(&mut self, mut rest: &[u8]) -> Result<(), Error> {
        let (mut region, mut zone, mut last) = ("", "", 0);
        while let [tag, length, tail @ ..] = rest {
            let (value, tail) = tail
                .split_at_checked(usize::from(*length))
                .ok_or(Error::Decode("a node record ends within a field"))?;
            if *tag <= last {
                return Err(Error::Decode("the field tags of a node record rise"));
            }
            let text =
                || std::str::from_utf8(value).map_err(|_| Error::Decode("a node record's text is UTF-8"));
            match *tag {
                TAG_NAME => text()?.clone_into(&mut self.name),
                TAG_REGION => region = text()?,
                TAG_ZONE => zone = text()?,
                TAG_ADDRESS => text()?.clone_into(&mut self.address),
                _ => {} // of a later version: kept in the bytes, unread here
            }
            (last, rest) = (*tag, tail);
        }
        if !rest.is_empty() {
            return Err(Error::Decode("a node record ends within a field"));
        }
        if self.name.chars().chain(self.address.chars()).any(char::is_control) {
            return Err(Error::Decode("a node record's text has no control characters"));
        }
        self.metadata = NodeMetadata::new(region, zone)?;
        Ok(())
    }

    /// Whether the node itself made this record: the signature is that of the key its id comes from.
    #[must_use]
    pub fn verify(&self) -> bool {
        SignedBody::verify_all(&[&self.body])
    }

    pub(crate) fn body(&self) -> &SignedBody {
        &self.body
    }

    /// The key that signed.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.body.public_key()
    }

    /// The id that the key gives.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::of_public_key(self.public_key())
    }

    /// The very bytes that came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// The bytes with the head of a record, for `merge_bytes` and packets.
    #[must_use]
    pub fn framed(&self) -> Vec<u8> {
        let mut framed = Vec::new();
        record::write(&mut framed, record::KIND_NODE, self.as_bytes());
        framed
    }

    /// The incarnation, alive or left.
    #[must_use]
    pub fn precedence(&self) -> Precedence {
        self.precedence
    }

    /// Milliseconds of Unix time by the node's own clock: orders its records of one incarnation.
    #[must_use]
    pub fn issued_at(&self) -> u64 {
        self.issued_at
    }

    /// The name for people, possibly empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its gossip port is, possibly empty.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where it runs.
    #[must_use]
    pub fn metadata(&self) -> &NodeMetadata {
        &self.metadata
    }

    /// The larger of two holds: later incarnation, later issue, and to agree on one in any case the larger digest.
    #[must_use]
    pub fn order(&self) -> RecordOrder {
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(self.as_bytes()).as_bytes()[..16]);
        RecordOrder { incarnation: self.precedence.incarnation(), issued_at: self.issued_at, digest }
    }
}

impl RecordOrder {
    /// What tells this record from every other.
    #[must_use]
    pub fn digest(&self) -> &[u8; 16] {
        &self.digest
    }

    /// Whether the node signed two different records for one moment: it lies to somebody.
    #[must_use]
    pub fn equivocates(&self, other: &Self) -> bool {
        (self.incarnation, self.issued_at) == (other.incarnation, other.issued_at)
            && self.digest != other.digest
    }
}

fn word(bytes: &[u8], from: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[from..from + 8]);
    u64::from_le_bytes(word)
}
