//! A trusted key that signs often gets a table of its multiples, with which a signature is checked in two thirds of the time.
//!
//! The table takes 30 KiB and as long as a hundred plain checks to make, so it is made for keys that have been asked about
//! so often, and for a bounded number of them.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::signature::Multiples;
use crate::{PublicKey, Signed, verify};

/// How many tables one manager's keys may have: 8 MiB together. The first that are busy get them; revoking gives one back.
const MAX_TABLES: usize = 256;

/// A key is busy from this check on: then the checks before have cost as much as the table does.
const BUSY: u32 = 100;

/// How many tables there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables(Arc<AtomicUsize>);

/// A key, and its table once it is busy.
#[derive(Debug)]
pub(crate) struct TrustedKey {
    key: PublicKey,
    checks: AtomicU32,
    multiples: OnceLock<Multiples>,
    tables: Tables,
}

impl TrustedKey {
    pub(crate) fn new(key: PublicKey, tables: Tables) -> Self {
        Self { key, checks: AtomicU32::new(0), multiples: OnceLock::new(), tables }
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The same answer as [`verify`].
    pub(crate) fn verify(&self, data: &[u8], signature: &[u8; 64]) -> bool {
        let signed = Signed { data, signature, public_key: &self.key };
        if let Some(multiples) = self.multiples.get() {
            return multiples.verify(&signed);
        }
        // One thread alone sees this number, so one makes the table. Wrapping round, it asks again.
        if self.checks.fetch_add(1, Ordering::Relaxed) == BUSY && self.tables.take() {
            let made = self.multiples.set(Multiples::of(&self.key));
            debug_assert!(made.is_ok(), "whoever is not the BUSY-th goes on without");
        }
        verify(&signed)
    }
}

impl Tables {
    /// Counts one more, if there may be one more.
    fn take(&self) -> bool {
        let more = |count| (count < MAX_TABLES).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl Drop for TrustedKey {
    fn drop(&mut self) {
        if self.multiples.get().is_some() {
            self.tables.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyManager;

    #[test]
    fn a_busy_key_gets_a_table_and_gives_it_back() {
        let (signer, tables) = (KeyManager::from_seed(&[1; 32]), Tables::default());
        let key = TrustedKey::new(signer.public_key().clone(), tables.clone());
        let signature = signer.sign(b"x");
        for _ in 0..=BUSY {
            assert_eq!(tables.0.load(Ordering::Relaxed), 0);
            assert!(key.verify(b"x", &signature));
        }
        assert_eq!(tables.0.load(Ordering::Relaxed), 1);
        assert!(key.verify(b"x", &signature) && !key.verify(b"y", &signature));
        drop(key);
        assert_eq!(tables.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn tables_are_bounded() {
        let tables = Tables::default();
        assert_eq!((0..2 * MAX_TABLES).filter(|_| tables.take()).count(), MAX_TABLES);
    }
}
