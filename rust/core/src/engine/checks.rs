//! Which signatures have been found to be good: nothing is checked twice.
//!
//! A node alone checks each record once, because the table knows what it holds. A thousand simulated nodes in one process
//! would check each record a thousand times, with the same answer: they share a book of answers. That is memory, not a
//! weaker check.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::contact::Contact;
use crate::signed_body::SignedBody;
use crate::{Error, NodeRecord};

/// The book of answers that simulated nodes share. Unbounded: it lives as long as the simulation.
#[derive(Debug, Clone, Default)]
pub struct SharedChecks(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    contacts: HashMap<[u8; 16], Result<Arc<Contact>, Error>>,
    bodies: HashMap<[u8; 16], bool>,
}

/// Checks signatures, by the shared book if there is one.
#[derive(Debug, Clone)]
pub(super) struct Checks {
    shared: Option<SharedChecks>,
    enabled: bool,
    bad: Cell<u64>,
}

impl Checks {
    pub(super) fn new(shared: Option<SharedChecks>, enabled: bool) -> Self {
        Self { shared, enabled, bad: Cell::new(0) }
    }

    /// How many signatures were bad so far.
    pub(super) fn bad(&self) -> u64 {
        self.bad.get()
    }

    /// Reads the body of a node record and checks its signature.
    pub(super) fn contact(&self, body: &[u8]) -> Result<Arc<Contact>, Error> {
        let read = || {
            let record = NodeRecord::decode(body)?;
            if self.enabled && !record.verify() {
                return Err(Error::Signature);
            }
            Ok(Arc::new(Contact::of(&record)))
        };
        let contact = match self.book() {
            Some(mut book) => book.contacts.entry(key(body)).or_insert_with(read).clone(),
            None => read(),
        };
        self.bad.set(self.bad.get() + u64::from(matches!(contact, Err(Error::Signature))));
        contact
    }

    /// Whether the signature of a signed body is good.
    pub(super) fn body(&self, body: &SignedBody) -> bool {
        let check = || !self.enabled || SignedBody::verify_all(&[body]);
        let good = match self.book() {
            Some(mut book) => *book.bodies.entry(key(body.as_bytes())).or_insert_with(check),
            None => check(),
        };
        self.bad.set(self.bad.get() + u64::from(!good));
        good
    }

    fn book(&self) -> Option<std::sync::MutexGuard<'_, Book>> {
        // A poisoned lock still guards a whole book: entries are made in one step.
        Some(self.shared.as_ref()?.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn key(bytes: &[u8]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    key
}
