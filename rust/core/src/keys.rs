//! A node's own key, and the keys of others that it trusts or never trusts again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};

use crate::trusted_key::{Tables, TrustedKey};
use crate::{Error, NodeId, PublicKey, Signed, verify, verify_batch};

/// What a stranger presents: nothing has been checked, not even the sizes.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What is said to be signed.
    pub data: &'a [u8],
    /// What is said to be the signature.
    pub signature: &'a [u8],
    /// What is said to be the public key.
    pub public_key: &'a [u8],
}

/// Holds an Ed25519 key, signs with it, and judges the signatures of others.
#[derive(Clone)]
pub struct KeyManager {
    signing: SigningKey,
    public: PublicKey,
    retired: Vec<PublicKey>,
    trusted: HashMap<[u8; 32], Arc<TrustedKey>>,
    tables: Tables,
    revoked: HashSet<[u8; 32]>,
}

impl std::fmt::Debug for KeyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyManager({})", self.node_id()) // never the key
    }
}

impl KeyManager {
    /// How many own keys of the past still count.
    pub const MAX_RETIRED: usize = 4;
    /// How many keys can be trusted, and how many revoked.
    pub const MAX_KEYS: usize = 1 << 16;

    /// The manager of the key with this 32-byte seed (RFC 8032 §5.1.5). The caller draws the seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let public = PublicKey::from_bytes(signing.verifying_key().as_bytes())
            .expect("a public key made from a clamped scalar is a canonical point of large order");
        Self {
            signing,
            public,
            retired: Vec::new(),
            trusted: HashMap::new(),
            tables: Tables::default(),
            revoked: HashSet::new(),
        }
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

    /// Goes on with a new key, and so under a new id. What the old one signed stays valid until it is revoked or
    /// [`Self::MAX_RETIRED`] later keys have followed: time for others to learn the new one.
    pub fn rotate(&mut self, seed: &[u8; 32]) {
        let Self { signing, public, .. } = Self::from_seed(seed);
        self.signing = signing;
        self.retired.insert(0, std::mem::replace(&mut self.public, public));
        self.retired.truncate(Self::MAX_RETIRED);
    }

    /// Whether the own key, or one of its predecessors, made `signature` over `data`.
    #[must_use]
    pub fn verify_own(&self, data: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = signature.try_into() else { return false };
        std::iter::once(&self.public)
            .chain(&self.retired)
            .filter(|key| !self.revoked.contains(key.as_bytes()))
            .any(|public_key| verify(&Signed { data, signature, public_key }))
    }

    /// Whether a claim holds: the same answer as [`Self::verify_claims`], in less time for a trusted key that signs often.
    #[must_use]
    pub fn verify_claim(&self, claim: &Claim<'_>) -> bool {
        let (Ok(bytes), Ok(signature)) = (claim.public_key.try_into(), claim.signature.try_into()) else {
            return false;
        };
        match self.trusted.get::<[u8; 32]>(bytes) {
            Some(trusted) => trusted.verify(claim.data, signature), // what was revoked is not trusted
            None => self.usable(bytes).is_some_and(|public_key| {
                verify(&Signed { data: claim.data, signature, public_key: &public_key })
            }),
        }
    }

    /// Whether each claim holds. A signature or key that is none, is of the wrong size or was revoked, does not.
    #[must_use]
    pub fn verify_claims(&self, claims: &[Claim<'_>]) -> Vec<bool> {
        let keys: Vec<_> = claims.iter().map(|claim| self.usable(claim.public_key)).collect();
        let mut valid = vec![false; claims.len()];
        let (indices, items): (Vec<_>, Vec<_>) = claims
            .iter()
            .zip(&keys)
            .enumerate()
            .filter_map(|(index, (claim, key))| {
                let (signature, public_key) = (claim.signature.try_into().ok()?, key.as_ref()?);
                Some((index, Signed { data: claim.data, signature, public_key }))
            })
            .unzip();
        for (index, holds) in indices.into_iter().zip(verify_batch(&items)) {
            valid[index] = holds;
        }
        valid
    }

    /// The key, taken from the trusted ones if it is there: that spares decompressing it.
    fn usable(&self, bytes: &[u8]) -> Option<PublicKey> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        if self.revoked.contains(bytes) {
            return None;
        }
        let trusted = self.trusted.get(bytes).map(|trusted| trusted.key().clone());
        trusted.or_else(|| PublicKey::from_bytes(bytes).ok())
    }

    /// Trusts a key from now on; false if it was revoked, which nothing undoes.
    pub fn trust(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        let key = sized(bytes)?;
        if self.revoked.contains(&key) {
            return Ok(false);
        }
        if self.trusted.len() >= Self::MAX_KEYS && !self.trusted.contains_key(&key) {
            return Err(Error::Full { what: "list of trusted keys", limit: Self::MAX_KEYS });
        }
        if !self.trusted.contains_key(&key) {
            let trusted = TrustedKey::new(PublicKey::from_bytes(&key)?, self.tables.clone());
            self.trusted.insert(key, Arc::new(trusted));
        }
        Ok(true)
    }

    /// Never takes a signature of this key for valid again.
    pub fn revoke(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let key = sized(bytes)?;
        if self.revoked.len() >= Self::MAX_KEYS && !self.revoked.contains(&key) {
            return Err(Error::Full { what: "list of revoked keys", limit: Self::MAX_KEYS });
        }
        self.trusted.remove(&key);
        self.revoked.insert(key);
        Ok(())
    }

    /// Whether a key is the own one or trusted, and not revoked.
    pub fn is_trusted(&self, bytes: &[u8]) -> Result<bool, Error> {
        let key = sized(bytes)?;
        let known = self.public.as_bytes() == &key || self.trusted.contains_key(&key);
        Ok(known && !self.revoked.contains(&key))
    }
}

fn sized(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Length { what: "public key", expected: 32, got: bytes.len() })
}

impl TryFrom<&[u8]> for KeyManager {
    type Error = Error;

    fn try_from(seed: &[u8]) -> Result<Self, Error> {
        let sized =
            seed.try_into().map_err(|_| Error::Length { what: "key seed", expected: 32, got: seed.len() })?;
        Ok(Self::from_seed(sized))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(n: u8) -> KeyManager {
        KeyManager::from_seed(&[n; 32])
    }

    fn holds(judge: &KeyManager, signer: &KeyManager) -> bool {
        let signature = signer.sign(b"x");
        let claim = Claim { data: b"x", signature: &signature, public_key: signer.public_key().as_bytes() };
        judge.verify_claims(&[claim]) == [true]
    }

    #[test]
    fn what_the_old_key_signed_stays_valid_for_a_while_after_rotation() {
        let mut manager = manager(1);
        let (old_id, signature) = (manager.node_id(), manager.sign(b"x"));
        for n in 2..6 {
            manager.rotate(&[n; 32]);
            assert!(manager.verify_own(b"x", &signature));
        }
        assert_ne!(manager.node_id(), old_id);
        manager.rotate(&[6; 32]);
        assert!(!manager.verify_own(b"x", &signature));
    }

    #[test]
    fn a_revoked_key_signs_nothing_valid_and_is_never_trusted_again() {
        let (mut judge, signer) = (manager(1), manager(2));
        let key = signer.public_key().as_bytes();
        assert!(holds(&judge, &signer));
        assert_eq!(judge.trust(key), Ok(true));
        assert_eq!(judge.is_trusted(key), Ok(true));
        assert!(holds(&judge, &signer));
        judge.revoke(key).unwrap();
        assert!(!holds(&judge, &signer));
        assert_eq!(judge.trust(key), Ok(false));
        assert_eq!(judge.is_trusted(key), Ok(false));
    }

    #[test]
    fn a_retired_key_that_was_stolen_can_be_revoked() {
        let mut manager = manager(1);
        let (old, signature) = (*manager.public_key().as_bytes(), manager.sign(b"x"));
        manager.rotate(&[2; 32]);
        manager.revoke(&old).unwrap();
        assert!(!manager.verify_own(b"x", &signature));
    }

    #[test]
    fn the_lists_of_keys_are_bounded_and_refusing_one_more_changes_nothing() {
        use curve25519_dalek::constants::ED25519_BASEPOINT_POINT as BASE;

        let mut manager = manager(1);
        let mut point = BASE;
        let mut next_key = || {
            point += BASE;
            point.compress().to_bytes()
        };
        for _ in 0..KeyManager::MAX_KEYS {
            assert_eq!(manager.trust(&next_key()), Ok(true));
        }
        let one_more = next_key();
        assert!(matches!(manager.trust(&one_more), Err(Error::Full { .. })));
        assert_eq!(manager.is_trusted(&one_more), Ok(false));
        assert_eq!(manager.trust(&(BASE + BASE).compress().to_bytes()), Ok(true)); // as before
        for n in 0..KeyManager::MAX_KEYS as u64 {
            let mut key = [0xAA; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            manager.revoke(&key).unwrap();
        }
        assert!(matches!(manager.revoke(&one_more), Err(Error::Full { .. })));
        assert_eq!(manager.trusted.len(), KeyManager::MAX_KEYS);
    }

    #[test]
    fn only_a_key_can_be_trusted() {
        assert!(matches!(manager(1).trust(b"short"), Err(Error::Length { .. })));
        assert_eq!(manager(1).trust(&[0; 32]), Err(Error::PublicKey));
    }
}
