//! The one door into the view: which records are believed, and on whose word.
//!
//! | record | believed when |
//! |---|---|
//! | node, alive or left | its subject signed it, it is admitted, not too old, and later than what is held |
//! | certificate | a quorum of members signed accusations of the incarnation the subject is known to be at |
//! | status dead | there is a certificate for that incarnation |
//! | ban | an administrator signed it; holds for ever |
//! | beat, broadcast | their origin is a member and signed them |
//!
//! What is believed and new goes into the table, into the journal, and on to others. About itself a node believes nothing: it
//! answers.

use std::sync::Arc;

use super::{Accusation, Ban, Certificate, Detection, Engine, Event, Output};
use crate::record::{self, Part};
use crate::signed_body::SignedBody;
use crate::{Beat, ChangeKey, Entry, Error, NodeId, NodeRecord, Precedence, Priority, Status, Time};

/// News is told as often as in a cluster of at least so many. The usual 4 times in one of nine would leave somebody out once in
/// two hundred changes; a broadcast has no second way to come.
const TELL_AS_IF: usize = 1_000;

impl Engine {
    /// Joins records. Malformed ones end it: whoever sent them is at fault, and each record before stands on its own.
    pub(super) fn ingest(&mut self, records: &[u8], output: &mut Output) -> Result<(), Error> {
        for part in record::split(records) {
            self.take(&part?, output)?;
        }
        Ok(())
    }

    pub(super) fn take(&mut self, part: &Part<'_>, output: &mut Output) -> Result<(), Error> {
        match part.kind {
            record::KIND_NODE => self.take_node(part.body(), output),
            record::KIND_STATUS => {
                let (subject, precedence) = part.status()?;
                self.take_status(&subject, precedence);
                Ok(())
            }
            record::KIND_CERTIFICATE => {
                self.take_certificate(Certificate::decode(part.body())?);
                Ok(())
            }
            record::KIND_BAN => self.take_ban(Ban::decode(part.body(), self.cluster)?, output),
            record::KIND_BEAT => self.take_beat(part),
            record::KIND_BROADCAST => self.take_broadcast(part, output),
            record::KIND_ACCUSATION => self.take_gossiped_accusation(part),
            unknown if unknown & record::CRITICAL != 0 => {
                Err(Error::Decode("a critical record is of a kind unknown here"))
            }
            _ => Ok(()),
        }
    }

    /// Joins what a node says of itself. What is known, old or not admitted is no error; what is forged is.
    pub(super) fn take_node(&mut self, body: &[u8], output: &mut Output) -> Result<(), Error> {
        let id = SignedBody::signer_of(body)?;
        if id == self.id {
            return self.take_own(body, output);
        }
        if let Some(known) = self.contacts.get(&id) {
            if known.bytes() == body {
                return Ok(());
            }
            let known = (known.precedence.incarnation(), known.issued_at);
            if NodeRecord::order_hint(body).is_some_and(|theirs| theirs < known) {
                return Ok(()); // stale: not worth a signature check
            }
        }
        let contact = self.checks.contact(body)?;
        if self.config.rules.tombstones
            && self.tombstones.get(&id).is_some_and(|buried| buried.covers(&contact))
        {
            return Ok(());
        }
        if self.admit(&contact, output).is_err() {
            // It may be no fault of whoever tells it: a ban, a clock or a list of keys is not the same everywhere at one time.
            // What else they tell counts.
            return Ok(());
        }
        let before = self.contacts.get(&id).cloned();
        if let Some(before) = &before {
            let (held, new) = (before.held.order(), contact.held.order());
            if new.equivocates(&held) && self.flaps.may_report(&id) {
                let pair = (NodeRecord::decode(before.bytes())?, NodeRecord::decode(contact.bytes())?);
                output.events.push(Event::Equivocation(Box::new(pair)));
            }
            if new <= held {
                return Ok(());
            }
        }
        let standing = self.table.get(&id).map(|entry| entry.precedence);
        let entry = Entry { id, precedence: contact.precedence, last_heartbeat: Time::ZERO };
        self.table.reserve(std::slice::from_ref(&entry))?;
        self.table.join(&entry, self.clock.now);
        self.table.hold(&id, Arc::clone(&contact.held));
        self.tombstones.remove(&id);
        self.contacts.insert(id, Arc::clone(&contact));
        self.moved(&id, standing);
        if before.is_some_and(|before| NodeRecord::renews(body, before.bytes())) {
            self.pass_on_renewal(&id, body);
            return Ok(());
        }
        let priority = Priority::of(contact.precedence.status());
        self.pass_on(record::KIND_NODE, &id, priority, |out| record::write(out, record::KIND_NODE, body));
        Ok(())
    }

    /// Somebody holds a record of this node that is not the current one: either of an earlier life, which wore off, or of
    /// another process with the same key.
    fn take_own(&mut self, body: &[u8], output: &mut Output) -> Result<(), Error> {
        let own = (self.incarnation(), self.own.contact.issued_at);
        if body == self.own.contact.bytes() || NodeRecord::order_hint(body).is_none_or(|theirs| theirs < own)
        {
            return Ok(());
        }
        let contact = self.checks.contact(body)?;
        if contact.exchange != self.own.contact.exchange && contact.epoch != self.own.contact.epoch {
            output.events.push(Event::IdentityConflict);
        }
        self.refute(contact.precedence.incarnation())
    }

    /// Joins a status that somebody told. Only a death needs telling: everything else follows from signed records.
    fn take_status(&mut self, subject: &NodeId, precedence: Precedence) {
        let standing = self.table.get(subject).map(|entry| entry.precedence);
        let rules = &self.config.rules;
        let certified =
            self.certificates.get(subject).is_some_and(|held| held.incarnation() == precedence.incarnation());
        let rival = rules.detection != Detection::Observers;
        let known = standing.is_some_and(|held| held.incarnation() == precedence.incarnation());
        if *subject == self.id && known && precedence.status() == Status::Dead {
            self.doubted(precedence.incarnation());
            return;
        }
        let believed = match precedence.status() {
            Status::Dead => (certified || rival || !rules.certified_deaths) && known,
            Status::Suspect => rival && known,
            Status::Alive => !rules.own_revival_only && standing.is_some_and(|held| precedence > held),
            Status::Unreachable | Status::Left | Status::Banned => false,
        } || (!rules.own_incarnation_only && standing.is_some_and(|held| precedence > held));
        if !believed || standing.is_some_and(|held| held >= precedence) {
            return;
        }
        if *subject != self.id {
            self.set_status(subject, precedence);
        }
    }

    /// Believes a proven status of another member and passes it on.
    pub(super) fn set_status(&mut self, subject: &NodeId, precedence: Precedence) {
        let standing = self.table.get(subject).map(|entry| entry.precedence);
        let entry = Entry { id: *subject, precedence, last_heartbeat: Time::ZERO };
        if self.table.join(&entry, self.clock.now).is_none() {
            return;
        }
        self.moved(subject, standing);
        let priority = Priority::of(precedence.status());
        self.pass_on(record::KIND_STATUS, subject, priority, |out| {
            record::write_status(out, subject, precedence);
        });
    }

    /// Joins the proof that a member is out of reach.
    pub(super) fn take_certificate(&mut self, certificate: Certificate) {
        let (subject, incarnation) = (certificate.subject(), certificate.incarnation());
        let Some(standing) = self.table.get(&subject).map(|entry| entry.precedence) else { return };
        if standing.incarnation() != incarnation || self.certificates.contains_key(&subject) {
            return; // already answered, or not known to be at that incarnation, or proven already
        }
        if subject == self.id {
            if self.proves(&certificate) {
                self.accused(incarnation)
            } else {
                self.doubted(incarnation)
            }
            return;
        }
        if !self.proves(&certificate) {
            self.consider(&certificate, standing);
            return;
        }
        let Ok(unreachable) = Precedence::new(incarnation, Status::Unreachable) else { return };
        let accusers = certificate.accusations().len();
        let mut bytes = Vec::new();
        certificate.write(&mut bytes);
        self.certificates.insert(subject, certificate);
        let entry = Entry { id: subject, precedence: unreachable, last_heartbeat: Time::ZERO };
        if self.table.join(&entry, self.clock.now).is_some() {
            self.moved(&subject, Some(standing));
            self.await_death(&subject, incarnation, accusers);
        }
        self.pass_on(record::KIND_CERTIFICATE, &subject, Priority::Suspect, |out| {
            out.extend_from_slice(&bytes);
        });
    }

    /// Whether enough members, each counted once, have signed.
    pub(super) fn proves(&self, certificate: &Certificate) -> bool {
        let subject = certificate.subject();
        let accusations = certificate.accusations();
        let mut accusers: Vec<NodeId> = accusations.iter().map(Accusation::accuser).collect();
        if self.config.rules.count_accusers {
            accusers.retain(|id| *id != subject && self.is_known(id));
            accusers.sort_unstable();
            accusers.dedup();
        }
        accusers.len() >= self.quorum()
            && accusations.iter().all(|accusation| self.checks.body(accusation.body()))
    }

    /// Whether the word of `id` counts in a certificate that has been made. It may have gone since: what was proven once must
    /// stay so for those who come later, or views would never agree.
    fn is_known(&self, id: &NodeId) -> bool {
        *id == self.id || (self.contacts.contains_key(id) && !self.bans.contains_key(id))
    }

    /// Whether the word of `id` counts now: a member that is not gone.
    pub(super) fn counts(&self, id: &NodeId) -> bool {
        self.table.get(id).is_some_and(|entry| entry.precedence.status() < Status::Dead)
            && (*id == self.id || self.contacts.contains_key(id))
    }

    fn take_beat(&mut self, part: &Part<'_>) -> Result<(), Error> {
        let beat = Beat::decode(part.body())?;
        let id = beat.node_id();
        let current =
            self.contacts.get(&id).is_some_and(|c| c.precedence.incarnation() == beat.incarnation());
        if !current || self.table.beat(&id).is_some_and(|held| !beat.is_later_than(held)) {
            return Ok(());
        }
        if !self.checks.body(beat.body()) {
            return Err(Error::Signature);
        }
        self.vitals.insert(id, beat.vitals());
        self.table.hear(&id, Box::new(beat), self.clock.now);
        let key = ChangeKey { kind: record::KIND_BEAT, subject: id };
        self.queue(key, Priority::Application, part.whole);
        Ok(())
    }

    /// Notes that a record was joined: for the log and for others.
    pub(super) fn pass_on(
        &mut self,
        kind: u8,
        subject: &NodeId,
        priority: Priority,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        if let Some(bytes) = self.note(write) {
            self.queue(ChangeKey { kind, subject: *subject }, priority, &bytes);
        }
    }

    /// The same for a node record that says nothing but that it was signed later.
    pub(super) fn pass_on_renewal(&mut self, subject: &NodeId, body: &[u8]) {
        if let Some(bytes) = self.note(|out| record::write(out, record::KIND_NODE, body)) {
            self.queue_renewal(subject, &bytes);
        }
    }

    /// Writes what was joined into the log, and returns it unless it comes from there: then others know it.
    fn note(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Option<Vec<u8>> {
        if self.restoring {
            return None;
        }
        let start = self.journal.len();
        write(&mut self.journal);
        self.counters.records += 1;
        Some(self.journal[start..].to_vec())
    }

    /// What follows from a change of a member's row.
    pub(super) fn moved(&mut self, id: &NodeId, before: Option<Precedence>) {
        let Some(after) = self.table.get(id).map(|entry| entry.precedence) else { return };
        self.syncs.changed(self.clock.now);
        if before.is_none_or(|before| before.incarnation() < after.incarnation()) {
            self.suspicions.drop(id);
            self.certificates.remove(id);
            for kind in [record::KIND_CERTIFICATE, record::KIND_STATUS] {
                self.buffer.withdraw(&ChangeKey { kind, subject: *id });
            }
        }
        let status = after.status();
        if before.map(Precedence::status) != Some(status) {
            self.partition.count(before.map(Precedence::status), Some(status));
        }
        if status < Status::Dead {
            self.order.add(*id);
        } else {
            self.order.remove(id);
            self.suspicions.drop(id);
        }
        let least = match self.config.rules.detection {
            Detection::Observers => TELL_AS_IF,
            Detection::Memberlist | Detection::Swim => 1,
        };
        self.buffer.set_members((self.order.members().len() + 1).max(least));
        self.note_view(id, before.map(Precedence::status)); // as it was before it was damped
        self.note_flap(id, before.map(Precedence::status), status);
    }
}
