//! "I cannot reach this node", signed.
//!
//! | bytes | field |
//! |---|---|
//! | 0–31 | the accuser's public key |
//! | 32–47 | the accused |
//! | 48–55 | the incarnation at which it is accused |
//! | 56–119 | Ed25519 signature over a context string and all before |

use crate::signed_body::{LEAST, SignedBody};
use crate::{Error, KeyManager, NodeId, record};

const CONTENT: usize = 24;
const CONTEXT: &[u8] = b"palaver accusation v1\0";

/// One member's word against another. Holds for one incarnation of the accused, which answers with the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accusation {
    body: SignedBody,
}

impl Accusation {
    /// The size of an accusation's body.
    pub const LENGTH: usize = LEAST + CONTENT;

    /// Accuses `subject`.
    #[must_use]
    pub fn sign(keys: &KeyManager, subject: &NodeId, incarnation: u64) -> Self {
        Self { body: SignedBody::sign(CONTEXT, keys, &content(subject, incarnation)) }
    }

    /// Reads a body. The signature has not been checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != Self::LENGTH {
            return Err(Error::Decode("an accusation has 120 bytes"));
        }
        Ok(Self { body: SignedBody::unchecked(CONTEXT, bytes) })
    }

    /// The accusation that these parts of a certificate stand for.
    pub(super) fn of_parts(
        subject: &NodeId,
        incarnation: u64,
        public_key: &[u8; 32],
        signature: &[u8; 64],
    ) -> Self {
        let bytes = [&public_key[..], &content(subject, incarnation), signature].concat();
        Self { body: SignedBody::unchecked(CONTEXT, &bytes) }
    }

    /// Who is accused.
    #[must_use]
    pub fn subject(&self) -> NodeId {
        NodeId::from_bytes(*self.body.content().first_chunk().expect("24 is more than 16"))
    }

    /// At which incarnation.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        u64::from_le_bytes(*self.body.content().last_chunk().expect("24 is more than 8"))
    }

    /// Who accuses.
    #[must_use]
    pub fn accuser(&self) -> NodeId {
        NodeId::of_public_key(self.public_key())
    }

    pub(super) fn public_key(&self) -> &[u8; 32] {
        self.body.public_key()
    }

    pub(super) fn signature(&self) -> &[u8; 64] {
        self.body.as_bytes().last_chunk().expect("an accusation has 120 bytes")
    }

    pub(super) fn body(&self) -> &SignedBody {
        &self.body
    }

    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        record::write(out, record::KIND_ACCUSATION, self.body.as_bytes());
    }
}

fn content(subject: &NodeId, incarnation: u64) -> [u8; CONTENT] {
    let mut content = [0; CONTENT];
    content[..16].copy_from_slice(subject.as_bytes());
    content[16..].copy_from_slice(&incarnation.to_le_bytes());
    content
}
