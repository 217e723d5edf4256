//! What a node says of itself, signed with its key: where it is and how it is called.
//!
//! | bytes | field |
//! |---|---|
//! | 0–31 | public key |
//! | 32–39 | incarnation |
//! | 40–47 | issued at, milliseconds of Unix time by the node's own clock |
//! | 48 | 0 alive, 4 left |
//! | 49–… | fields: tag, length, value (text as UTF-8, see [`Life`], see [`AdmissionTicket`]); tags rise; unknown tags are kept |
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
const TAG_LIFE: u8 = 5;
const TAG_ADMISSION: u8 = 6;

/// What a running node adds, so that whoever holds its record can talk to it without a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Rises with every start of the node.
    pub epoch: u64,
    /// Its X25519 public key, drawn for this epoch.
    pub exchange: [u8; 32],
    /// The lowest and the highest version of the protocol that it speaks.
    pub versions: (u8, u8),
}

/// Somebody with authority says that a key may join: see [`crate::engine::Admission`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionTicket {
    /// Until when, in seconds of Unix time.
    pub not_after: u64,
    /// The authority's Ed25519 signature.
    pub signature: [u8; 64],
}

const LIFE: usize = 42;
const ADMISSION: usize = 72;

/// A node about itself. `decode` does not check the signature; `verify` does.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRecord {
    body: SignedBody,
    precedence: Precedence,
    issued_at: u64,
    name: String,
    address: String,
    metadata: NodeMetadata,
    life: Option<Life>,
    admission: Option<AdmissionTicket>,
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
        Self::sign_life(keys, precedence, issued_at, name, address, metadata, None, None)
    }

    /// The same for a running node: with what others need to talk to it and to let it in.
    #[expect(clippy::too_many_arguments, reason = "the fields of the record, each once")]
    pub(crate) fn sign_life(
        keys: &KeyManager,
        precedence: Precedence,
        issued_at: u64,
        name: &str,
        address: &str,
        metadata: &NodeMetadata,
        life: Option<&Life>,
        admission: Option<&AdmissionTicket>,
    ) -> Result<Self, Error> {
        if !matches!(precedence.status(), Status::Alive | Status::Left) {
            return Err(Error::OwnStatus);
        }
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
        if let Some(life) = life {
            bytes.extend_from_slice(&[TAG_LIFE, LIFE as u8, life.versions.0, life.versions.1]);
            bytes.extend_from_slice(&life.epoch.to_le_bytes());
            bytes.extend_from_slice(&life.exchange);
        }
        if let Some(ticket) = admission {
            bytes.extend_from_slice(&[TAG_ADMISSION, ADMISSION as u8]);
            bytes.extend_from_slice(&ticket.not_after.to_le_bytes());
            bytes.extend_from_slice(&ticket.signature);
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
            life: None,
            admission: None,
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
                TAG_LIFE => self.life = Some(read_life(value)?),
                TAG_ADMISSION => self.admission = Some(read_admission(value)?),
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

    /// Whether a body says the same as the one before but for the time of issue.
    pub(crate) fn renews(body: &[u8], before: &[u8]) -> bool {
        body.len() == before.len()
            && body.len() > FIXED + SIGNATURE
            && body[..40] == before[..40]
            && body[FIXED - 1..body.len() - SIGNATURE] == before[FIXED - 1..body.len() - SIGNATURE]
    }

    /// Incarnation and time of issue of a body that has not been read: enough to drop what is stale.
    pub(crate) fn order_hint(body: &[u8]) -> Option<(u64, u64)> {
        (body.len() > FIXED).then(|| (word(body, 32), word(body, 40)))
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

    /// What is needed to talk to it, if it is a running node.
    #[must_use]
    pub fn life(&self) -> Option<&Life> {
        self.life.as_ref()
    }

    /// Who let it in, if that was an authority.
    #[must_use]
    pub fn admission(&self) -> Option<&AdmissionTicket> {
        self.admission.as_ref()
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

fn read_life(value: &[u8]) -> Result<Life, Error> {
    let value: &[u8; LIFE] =
        value.try_into().map_err(|_| Error::Decode("the life of a node record has 42 bytes"))?;
    let (low, high) = (value[0], value[1]);
    if low > high {
        return Err(Error::Decode("a node's lowest version is not above its highest"));
    }
    let exchange = *value.last_chunk().expect("42 is more than 32");
    Ok(Life { epoch: word(value, 2), exchange, versions: (low, high) })
}

fn read_admission(value: &[u8]) -> Result<AdmissionTicket, Error> {
    let value: &[u8; ADMISSION] =
        value.try_into().map_err(|_| Error::Decode("the admission of a node record has 72 bytes"))?;
    let signature = *value.last_chunk().expect("72 is more than 64");
    Ok(AdmissionTicket { not_after: word(value, 0), signature })
}

fn word(bytes: &[u8], from: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[from..from + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_says_the_same_later_and_nothing_else() {
        let keys = KeyManager::from_seed(&[1; 32]);
        let record = |incarnation, status, issued_at, name: &str| {
            let precedence = Precedence::new(incarnation, status).unwrap();
            let place = NodeMetadata::new("eu", "eu-1").unwrap();
            NodeRecord::sign(&keys, precedence, issued_at, name, "192.0.2.1:7946", &place).unwrap()
        };
        let first = record(5, Status::Alive, 1_000, "a");
        let renews = |later: &NodeRecord| NodeRecord::renews(later.as_bytes(), first.as_bytes());
        assert!(renews(&record(5, Status::Alive, 2_000, "a")));
        assert!(!renews(&record(6, Status::Alive, 2_000, "a")));
        assert!(!renews(&record(5, Status::Left, 2_000, "a")));
        assert!(!renews(&record(5, Status::Alive, 2_000, "b")));
        assert!(!renews(&record(5, Status::Alive, 2_000, "ab")));
        assert!(!NodeRecord::renews(b"", b"") && !NodeRecord::renews(&[0; 100], &[0; 100]));
    }
}
