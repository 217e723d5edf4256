//! A member that lies, for tests: everything that one key can say against others, said all the time.

use super::wire::Message;
use super::{Accusation, Certificate, Engine, Output};
use crate::{NodeId, Precedence, Status, record};

/// Where a node record's body has its incarnation and its status.
const INCARNATION: std::ops::Range<usize> = 32..40;
const STATUS: usize = 48;

impl Engine {
    /// Accuses a member without reason and tells lies of it: dead without proof and at a foreign incarnation, proven by
    /// one accuser three times over, gone by its own forged word. Who is dead it says to be alive.
    pub(super) fn lie(&mut self, output: &mut Output) {
        let members = self.order.members().to_vec();
        let Some(subject) = self.fanout.select(members.len(), 1).first().map(|index| members[*index]) else {
            return;
        };
        let Some(incarnation) = self.incarnation_of(&subject) else { return };
        self.suspect(&subject, incarnation, output);
        let records = self.lies(&subject, incarnation);
        for index in self.fanout.select(members.len(), 4) {
            self.send(&members[index], &Message::Gossip { records: &records }, output);
            // What is malformed and what is forged ends what comes after it, so each goes alone.
            self.send(&members[index], &Message::Gossip { records: &beyond(&subject) }, output);
            if let Some(forged) = self.forged(&subject, incarnation) {
                self.send(&members[index], &Message::Gossip { records: &forged }, output);
            }
        }
    }

    fn lies(&self, subject: &NodeId, incarnation: u64) -> Vec<u8> {
        let mut records = Vec::new();
        let mut state = |subject: &NodeId, incarnation: u64, status: Status| {
            if let Ok(precedence) = Precedence::new(incarnation, status) {
                record::write_status(&mut records, subject, precedence);
            }
        };
        state(subject, incarnation, Status::Dead);
        state(subject, incarnation + 5, Status::Dead);
        if let Some(dead) = self.table.iter().find(|entry| entry.precedence.status() == Status::Dead) {
            state(&dead.id, dead.precedence.incarnation() + 1, Status::Alive);
        }
        let accusation = Accusation::sign(&self.identity.keys, subject, incarnation);
        Certificate::repeating(&accusation, self.config.quorum).write(&mut records);
        records
    }

    fn forged(&self, subject: &NodeId, incarnation: u64) -> Option<Vec<u8>> {
        let mut body = self.contacts.get(subject)?.bytes().to_vec();
        body[INCARNATION].copy_from_slice(&(incarnation + 1).to_le_bytes());
        body[STATUS] = Status::Left as u8;
        let mut records = Vec::new();
        record::write(&mut records, record::KIND_NODE, &body);
        Some(records)
    }
}

/// A status at the largest number that eight bytes hold, which is no incarnation.
fn beyond(subject: &NodeId) -> Vec<u8> {
    let mut records = Vec::new();
    let body = [&subject.as_bytes()[..], &u64::MAX.to_le_bytes()].concat();
    record::write(&mut records, record::KIND_STATUS, &body);
    records
}
