//! From a missed answer to a death: accusations, observers, certificates, time.
//!
//! 1. A member whose probe failed is suspect to the prober alone. It signs an accusation and tells the subject's observers, the
//!    members that rendezvous hashing gives it. It gossips nothing.
//! 2. Observers probe at once, by all means. Those that fail too sign as well and tell each other.
//! 3. Whoever holds a quorum of accusations makes a certificate of them and gossips it: the subject is unreachable.
//! 4. After Lifeguard's time it is dead, unless it has answered with its next incarnation, or so many are out of reach that
//!    the network must be at fault.

use super::config::Detection;
use super::timers::Timer;
use super::wire::Message;
use super::{Accusation, Certificate, Engine, Event, Output};
use crate::{Error, NodeId, Precedence, Status, record, rendezvous};

/// The observers are told the same again after so many seconds at the earliest.
const TELL_AGAIN: f64 = 2.0;

/// What is said without proof is answered at most so often, in seconds.
const ANSWER_DOUBTS: f64 = 10.0;

/// How long to wait for an accuser from a second zone, in seconds.
const ZONE_PATIENCE: f64 = 1.0;

/// The accusations of one message fit into a packet.
const MAX_TOLD: usize = 8 * (3 + Accusation::LENGTH);

impl Engine {
    /// How many accusers prove something in a cluster of this size: the configured quorum, but no more than half of a small
    /// cluster.
    pub(super) fn quorum(&self) -> usize {
        let members = self.order.members().len() + 1;
        self.config.quorum.min(members.div_ceil(2)).max(1)
    }

    /// Whether a member is not known to have trouble.
    pub(super) fn is_well(&self, id: &NodeId) -> bool {
        let alive = self.table.get(id).is_some_and(|entry| entry.precedence.status() == Status::Alive);
        alive && !self.suspicions.is_own(id)
    }

    /// This node has missed answers of an alive member by all means.
    pub(super) fn suspect(&mut self, subject: &NodeId, incarnation: u64, output: &mut Output) {
        if Precedence::new(incarnation, Status::Suspect).is_err() {
            return; // it could not answer
        }
        if !self.suspicions.is_own(subject) {
            let accusation = Accusation::sign(&self.identity.keys, subject, incarnation);
            self.counters.accusations += 1;
            if self.config.rules.detection != Detection::Observers {
                self.take_rival_accusation(accusation);
                return;
            }
            self.suspicions.add(accusation, self.clock.now);
            if let Some(suspicion) = self.suspicions.get_mut(subject) {
                suspicion.own = true;
                output.events.push(Event::Suspected { node: *subject, suspect: true });
            }
        }
        self.certify(subject, incarnation, false);
        self.tell_observers(subject, output);
    }

    /// A member answers: whatever this node itself had against it is over.
    pub(super) fn answers(&mut self, subject: &NodeId, output: &mut Output) {
        if self.config.rules.detection == Detection::Observers && self.suspicions.is_own(subject) {
            self.suspicions.drop(subject);
            output.events.push(Event::Suspected { node: *subject, suspect: false });
            self.found_again(output);
        }
    }

    /// The members that judge `subject`: the same for all whose views agree, of two zones where there are two.
    pub(super) fn observers(&self, subject: &NodeId) -> Vec<NodeId> {
        let members = self.order.members().iter().copied().chain([self.id]);
        let nodes: Vec<(NodeId, u32)> = members
            .filter(|id| id != subject)
            .filter(|id| self.table.get(id).is_some_and(|entry| entry.precedence.status() == Status::Alive))
            .map(|id| (id, 1))
            .collect();
        let mut observers = rendezvous(subject.as_bytes(), &nodes, self.config.observers);
        let zone = |id: &NodeId| if *id == self.id { self.own.contact.zone } else { self.place(id) };
        if let Some(first) = observers.first().map(zone)
            && observers.iter().all(|id| zone(id) == first)
        {
            let others: Vec<_> = nodes.into_iter().filter(|(id, _)| zone(id) != first).collect();
            let abroad = rendezvous(subject.as_bytes(), &others, 2);
            observers.truncate(self.config.observers - abroad.len().min(self.config.observers));
            observers.extend(abroad);
        }
        observers
    }

    /// Tells those who judge the subject, and those who have, what has been said against it.
    fn tell_observers(&mut self, subject: &NodeId, output: &mut Output) {
        let now = self.clock.now;
        let Some(suspicion) = self.suspicions.get_mut(subject) else { return };
        if suspicion.told.is_some_and(|told| now.since(told) < TELL_AGAIN) {
            return;
        }
        suspicion.told = Some(now);
        let mut to: Vec<NodeId> = suspicion.accusations.iter().map(Accusation::accuser).collect();
        let mut records = Vec::new();
        self.suspicions.write(subject, &mut records);
        records.truncate(MAX_TOLD);
        to.extend(self.observers(subject));
        to.sort_unstable();
        to.dedup();
        to.retain(|id| *id != self.id && id != subject);
        for id in to {
            self.send(&id, &Message::Accuse { records: &records }, output);
        }
    }

    /// Members accuse others.
    pub(super) fn take_accusations(
        &mut self,
        sender: &NodeId,
        records: &[u8],
        output: &mut Output,
    ) -> Result<(), Error> {
        for part in record::split(records) {
            let part = part?;
            if part.kind == record::KIND_ACCUSATION {
                self.take_accusation(sender, &Accusation::decode(part.body())?, output)?;
            }
        }
        Ok(())
    }

    fn take_accusation(
        &mut self,
        sender: &NodeId,
        accusation: &Accusation,
        output: &mut Output,
    ) -> Result<(), Error> {
        let (subject, incarnation) = (accusation.subject(), accusation.incarnation());
        let Some(standing) = self.table.get(&subject).map(|entry| entry.precedence) else { return Ok(()) };
        if subject == self.id || standing.incarnation() < incarnation {
            return Ok(()); // that we hear it says enough; or the record is still on its way
        }
        if standing.incarnation() > incarnation || standing.status() >= Status::Unreachable {
            self.rebut(sender, &subject, output);
            return Ok(());
        }
        let accuser = accusation.accuser();
        if !self.counts(&accuser) || accuser == self.id || accuser == subject {
            return Ok(());
        }
        if !self.checks.body(accusation.body()) {
            return Err(Error::Signature);
        }
        if !self.suspicions.add(accusation.clone(), self.clock.now) {
            return Ok(());
        }
        self.certify(&subject, incarnation, false);
        if self.suspicions.is_own(&subject) {
            self.tell_observers(&subject, output);
        } else {
            self.probe(subject, false, output);
        }
        Ok(())
    }

    /// Tells a member what it seems not to know of another one.
    fn rebut(&mut self, to: &NodeId, subject: &NodeId, output: &mut Output) {
        if !self.may_answer(to) {
            return;
        }
        let mut records = Vec::new();
        if let Some(contact) = self.contacts.get(subject) {
            record::write(&mut records, record::KIND_NODE, contact.bytes());
        }
        self.evidence(subject, &mut records);
        self.send(to, &Message::Gossip { records: &records }, output);
        let standing = self.table.get(subject).map(|entry| entry.precedence);
        if let Some(held) =
            standing.filter(|held| matches!(held.status(), Status::Unreachable | Status::Dead))
        {
            // Those who made the certificate may be unknown to who asks: banned since, or buried.
            let mut records = Vec::new();
            Accusation::sign(&self.identity.keys, subject, held.incarnation()).write(&mut records);
            self.send(to, &Message::Accuse { records: &records }, output);
        }
    }

    /// Makes a certificate if enough members accuse `subject`.
    pub(super) fn certify(&mut self, subject: &NodeId, incarnation: u64, any_zone: bool) {
        let Some(suspicion) = self.suspicions.get(subject) else { return };
        if suspicion.incarnation != incarnation {
            return;
        }
        let counting: Vec<Accusation> =
            suspicion.accusations.iter().filter(|a| self.counts(&a.accuser())).cloned().collect();
        if counting.len() < self.quorum() {
            return;
        }
        if !any_zone && !self.spans_zones(&counting) {
            let waits = suspicion.waits_for_zones;
            if let Some(suspicion) = self.suspicions.get_mut(subject)
                && !waits
            {
                suspicion.waits_for_zones = true;
                self.timers.set(self.clock.after(ZONE_PATIENCE), Timer::Zones(*subject, incarnation));
            }
            return;
        }
        let certificate = Certificate::of(*subject, incarnation, &counting);
        // What does not prove it would be considered, and lead back here: a member that accused itself once had nodes do so until
        // their stack was full.
        if self.proves(&certificate) {
            self.take_certificate(certificate);
        }
    }

    /// Takes the accusations of a certificate that is not enough here: it was made when the cluster was smaller. Together with
    /// what this node and others find out they may be.
    pub(super) fn consider(&mut self, certificate: &Certificate, standing: Precedence) {
        if standing.status() != Status::Alive || self.config.rules.detection != Detection::Observers {
            return;
        }
        for accusation in certificate.accusations() {
            let accuser = accusation.accuser();
            if accuser != certificate.subject()
                && self.counts(&accuser)
                && self.checks.body(accusation.body())
            {
                self.suspicions.add(accusation.clone(), self.clock.now);
            }
        }
        self.certify(&certificate.subject(), certificate.incarnation(), false);
    }

    /// Whether the accusers are of two zones, or there is but one.
    fn spans_zones(&self, accusations: &[Accusation]) -> bool {
        let zone = |id: &NodeId| if *id == self.id { self.own.contact.zone } else { self.place(id) };
        let mut zones = accusations.iter().map(|accusation| zone(&accusation.accuser()));
        let Some(first) = zones.next() else { return false };
        zones.any(|zone| zone != first)
            || (self.own.contact.zone == first
                && self.order.members().iter().all(|id| self.place(id) == first))
    }

    /// It is proven against this node that it is out of reach or dead: it answers.
    pub(super) fn accused(&mut self, incarnation: u64) {
        if incarnation == self.incarnation() && self.config.rules.refute && !self.leaving.is_leaving() {
            self.counters.refutations += 1;
            self.health.worse(1);
            let _ = self.refute(incarnation); // fails at the last incarnation only, where nobody can be accused
        }
    }

    /// Somebody says so without proof that this node knows: after a long partition it may not know the accusers any more. It
    /// answers that too, but not so often that a liar could keep the cluster busy.
    pub(super) fn doubted(&mut self, incarnation: u64) {
        let now = self.clock.now;
        if self.own.doubted.is_none_or(|last| now.since(last) >= ANSWER_DOUBTS) {
            self.own.doubted = Some(now);
            self.accused(incarnation);
        }
    }

    /// Goes to the incarnation after `incarnation`.
    pub(super) fn refute(&mut self, incarnation: u64) -> Result<(), Error> {
        let next = incarnation.max(self.incarnation()).checked_add(1).ok_or(Error::Incarnation)?;
        let status = if self.leaving.is_leaving() { Status::Left } else { Status::Alive };
        self.issue(next, status)
    }

    /// Forgets suspicions that came to nothing. What this node itself has found out it finds out anew: a member that still
    /// does not answer stays suspect to it without a quorum, too.
    pub(super) fn sweep_suspicions(&mut self, output: &mut Output) {
        if self.config.rules.detection != Detection::Observers {
            return;
        }
        let again = self.suspicions.sweep(&self.id, self.clock.now);
        for subject in again {
            self.probe(subject, false, output);
        }
    }
}
