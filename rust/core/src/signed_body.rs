//! What all signed records have in common: a body begins with its signer's public key and ends with the signature.

use crate::{Error, KeyManager, NodeId, PublicKey, Signed};

const KEY: usize = 32;
const SIGNATURE: usize = 64;

/// The least that a signed body has: a key and a signature.
pub(crate) const LEAST: usize = KEY + SIGNATURE;

/// The bytes of a signed record and the context in which they were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedBody {
    context: &'static [u8],
    bytes: Box<[u8]>,
}

impl SignedBody {
    /// Puts the key before `content` and the signature over both, and the context, behind it.
    pub(crate) fn sign(context: &'static [u8], keys: &KeyManager, content: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(LEAST + content.len());
        bytes.extend_from_slice(keys.public_key().as_bytes());
        bytes.extend_from_slice(content);
        let signature = keys.sign(&[context, &bytes].concat());
        bytes.extend_from_slice(&signature);
        Self { context, bytes: bytes.into() }
    }

    /// Takes bytes whose signature is still to be checked.
    ///
    /// # Panics
    /// When there are fewer than [`LEAST`]; every caller has refused those.
    pub(crate) fn unchecked(context: &'static [u8], bytes: &[u8]) -> Self {
        assert!(bytes.len() >= LEAST, "the caller has refused bodies without room for key and signature");
        Self { context, bytes: bytes.into() }
    }

    /// The very bytes that came.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is between key and signature.
    pub(crate) fn content(&self) -> &[u8] {
        &self.bytes[KEY..self.bytes.len() - SIGNATURE]
    }

    /// The key that is said to have signed.
    pub(crate) fn public_key(&self) -> &[u8; KEY] {
        self.bytes.first_chunk().expect("at least LEAST bytes")
    }

    /// The id of the signer, of a body not yet read.
    pub(crate) fn signer_of(body: &[u8]) -> Result<NodeId, Error> {
        body.first_chunk()
            .map(NodeId::of_public_key)
            .ok_or(Error::Decode("a signed record begins with a key"))
    }

    /// Whether all signatures are those of their signers, in one batch.
    pub(crate) fn verify_all(bodies: &[&Self]) -> bool {
        let keys: Vec<_> = bodies.iter().map(|body| PublicKey::from_bytes(body.public_key())).collect();
        let messages: Vec<_> = bodies
            .iter()
            .map(|body| [body.context, &body.bytes[..body.bytes.len() - SIGNATURE]].concat())
            .collect();
        let mut items = Vec::with_capacity(bodies.len());
        for ((body, key), data) in bodies.iter().zip(&keys).zip(&messages) {
            let Ok(public_key) = key else { return false };
            let signature = body.bytes.last_chunk().expect("at least LEAST bytes");
            items.push(Signed { data, signature, public_key });
        }
        crate::verify_batch(&items).into_iter().all(|valid| valid)
    }
}
