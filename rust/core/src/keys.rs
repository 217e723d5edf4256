//! A node's own key.

use ed25519_dalek::{Signer, SigningKey};

use crate::{Error, NodeId, PublicKey, Signed, verify};

/// Holds an Ed25519 key and signs with it.
#[derive(Clone)]
pub struct KeyManager {
    signing: SigningKey,
    public: PublicKey,
}

impl std::fmt::Debug for KeyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyManager({})", self.node_id()) // never the key
    }
}

impl KeyManager {
    /// The manager of the key with this 32-byte seed (RFC 8032 §5.1.5). The caller draws the seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let public = PublicKey::from_bytes(signing.verifying_key().as_bytes())
            .expect("a public key made from a clamped scalar is a canonical point of large order");
        Self { signing, public }
    }

    /// The seed: whoever has it is this node.
    #[must_use]
    pub fn private_key(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The id of the node that holds this key.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::of_public_key(self.public.as_bytes())
    }

    /// The signature over `data`; the same every time.
    #[must_use]
    pub fn sign(&self, data: &[u8]) -> [u8; 64] {
        self.signing.sign(data).to_bytes()
    }

    /// Whether this key made `signature` over `data`.
    #[must_use]
    pub fn verify_signature(&self, data: &[u8], signature: &[u8]) -> bool {
        signature
            .try_into()
            .is_ok_and(|signature| verify(&Signed { data, signature, public_key: &self.public }))
    }
}

impl TryFrom<&[u8]> for KeyManager {
    type Error = Error;

    fn try_from(seed: &[u8]) -> Result<Self, Error> {
        let sized =
            seed.try_into().map_err(|_| Error::Length { what: "key seed", expected: 32, got: seed.len() })?;
        Ok(Self::from_seed(sized))
    }
}
