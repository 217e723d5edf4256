//! Probing: direct, then by others and over a stream (SWIM §4.1; Lifeguard §III; memberlist's fallback).

use std::collections::HashMap;

use super::config::Detection;
use super::timers::Timer;
use super::wire::{Message, PING, Ping};
use super::{Engine, Output};
use crate::{Entry, Error, IdHashBuilder, NodeId, Status, Time, record};

/// The probes of one node that have not ended.
#[derive(Debug, Clone)]
pub(super) struct Probes {
    next_nonce: u32,
    running: HashMap<u32, Probe>,
    by_target: HashMap<NodeId, u32, IdHashBuilder>,
    relays: HashMap<u32, Relay>,
    /// By what the period numbers of this node are shifted, in milliseconds; drawn by when it started.
    base: Option<u64>,
}

#[derive(Debug, Clone)]
struct Probe {
    target: NodeId,
    incarnation: u64,
    began: Time,
    /// By others too, from now on.
    indirect: bool,
    /// Whether it is one of the round, which says something about the own health.
    regular: bool,
    asked: Vec<NodeId>,
    nacks: usize,
}

/// A probe on behalf of another member.
#[derive(Debug, Clone)]
struct Relay {
    asker: NodeId,
    nonce: u32,
    subject: NodeId,
    began: Time,
}

/// How many probes for others run at one time: a bound on what a member can have this node do.
const MAX_RELAYS: usize = 1 << 10;

/// The nonce of pings that no probe waits for: whenever the answer comes, it says that the target hears this node.
pub(super) const UNAWAITED: u32 = 0;

/// How many probes on accusations run at one time.
const MAX_PROBES: usize = 1 << 8;

impl Probes {
    pub(super) fn new(hasher: IdHashBuilder) -> Self {
        Self {
            next_nonce: 0,
            running: HashMap::new(),
            by_target: HashMap::with_hasher(hasher),
            relays: HashMap::new(),
            base: None,
        }
    }

    fn nonce(&mut self) -> u32 {
        self.next_nonce = self.next_nonce.wrapping_add(1);
        self.next_nonce
    }

    fn end(&mut self, nonce: u32) -> Option<Probe> {
        let probe = self.running.remove(&nonce)?;
        self.by_target.remove(&probe.target);
        Some(probe)
    }

    /// A member that was asked says that it has no answer either: so it hears us.
    pub(super) fn take_nack(&mut self, nonce: u32, sender: &NodeId) {
        if let Some(probe) = self.running.get_mut(&nonce)
            && probe.asked.contains(sender)
        {
            probe.nacks += 1;
        }
    }

    /// Forgets relays that began before `time`.
    pub(super) fn sweep(&mut self, time: Time) {
        self.relays.retain(|_, relay| relay.began > time);
    }
}

impl Engine {
    /// Probes the next member.
    pub(super) fn period(&mut self, output: &mut Output) {
        let interval = self.config.probe_interval;
        self.timers.set(self.clock.after(interval * self.health.factor()), Timer::Period);
        self.watch_partition(output);
        if self.config.rules.lies {
            self.lie(output);
        }
        let millis = (interval * 1000.0) as u64;
        let now = self.clock.unix_millis;
        // Half a period back, so that a tick that is a little early still has its own number.
        let base = *self.probes.base.get_or_insert(now % millis.max(1) + millis / 2);
        let number = (now + 2 * millis - base.min(now)) / millis.max(1);
        if let Some(target) = self.order.next(number, &mut self.chance) {
            self.counters.probes += 1;
            self.probe(target, true, output);
        }
    }

    /// Begins a probe of `target`, unless one is running. A regular one starts direct, one on an accusation with all means.
    pub(super) fn probe(&mut self, target: NodeId, regular: bool, output: &mut Output) {
        if self.probes.by_target.contains_key(&target)
            || (!regular && self.probes.running.len() >= MAX_PROBES)
        {
            return;
        }
        let Some(incarnation) = self.table.get(&target).map(|entry| entry.precedence.incarnation()) else {
            return;
        };
        let nonce = self.probes.nonce();
        let began = self.clock.now;
        let (asked, indirect) = (Vec::new(), false);
        let probe = Probe { target, incarnation, began, indirect, regular, asked, nacks: 0 };
        self.probes.running.insert(nonce, probe);
        self.probes.by_target.insert(target, nonce);
        self.ping(&target, nonce, false, false, output);
        if regular {
            let wait = self.direct_timeout(&target) * self.health.factor();
            self.timers.set(self.clock.after(wait), Timer::Probe(nonce));
        } else {
            self.probe_indirectly(nonce, output);
        }
    }

    fn direct_timeout(&self, target: &NodeId) -> f64 {
        match self.config.rules.detection {
            Detection::Observers => self.round_trips.timeout(self.place(target)),
            Detection::Memberlist | Detection::Swim => self.config.probe_timeout_max,
        }
    }

    pub(super) fn place(&self, id: &NodeId) -> u64 {
        self.contacts.get(id).map_or(0, |contact| contact.zone)
    }

    /// A probe has waited: goes on by others, or has failed.
    pub(super) fn probe_waited(&mut self, nonce: u32, output: &mut Output) {
        match self.probes.running.get(&nonce) {
            None => {}
            Some(probe) if !probe.indirect => self.probe_indirectly(nonce, output),
            Some(_) => {
                if let Some(probe) = self.probes.end(nonce) {
                    self.probe_failed(&probe, output);
                }
            }
        }
    }

    fn probe_indirectly(&mut self, nonce: u32, output: &mut Output) {
        let Some(target) = self.probes.running.get(&nonce).map(|probe| probe.target) else { return };
        let candidates = self.fanout.select(self.order.members().len(), self.config.indirect_probes + 1);
        let asked: Vec<NodeId> = candidates
            .into_iter()
            .map(|index| self.order.members()[index])
            .filter(|id| *id != target && self.is_well(id))
            .take(self.config.indirect_probes)
            .collect();
        for id in &asked {
            self.send(id, &Message::PingRequest { nonce, subject: target }, output);
        }
        let detection = self.config.rules.detection;
        if detection != Detection::Swim {
            self.ping(&target, nonce, true, true, output);
        }
        if detection == Detection::Observers {
            self.ping(&target, nonce, false, true, output); // the first may have been lost or not understood
        }
        let direct = self.direct_timeout(&target);
        let wait = match detection {
            Detection::Observers => {
                asked.iter().map(|id| self.direct_timeout(id)).fold(direct, f64::max) + direct
            }
            Detection::Memberlist | Detection::Swim => self.config.probe_interval - direct,
        };
        self.timers.set(self.clock.after(wait * self.health.factor()), Timer::Probe(nonce));
        if let Some(probe) = self.probes.running.get_mut(&nonce) {
            probe.indirect = true;
            probe.asked = asked;
        }
    }

    fn probe_failed(&mut self, probe: &Probe, output: &mut Output) {
        let standing = self.table.get(&probe.target).map(|entry| entry.precedence);
        let Some(standing) = standing.filter(|held| held.incarnation() == probe.incarnation) else {
            return; // it has spoken meanwhile
        };
        let confirms =
            self.config.rules.detection != Detection::Observers && standing.status() == Status::Suspect;
        if standing.status() != Status::Alive && !confirms {
            return; // nobody expected an answer
        }
        if probe.regular && !confirms {
            self.counters.probes_failed += 1;
            // Where others answered that they have none either, the fault is the target's (Lifeguard §III-A).
            let missing = probe.asked.len() - probe.nacks.min(probe.asked.len());
            self.health.worse(if probe.asked.is_empty() { 1 } else { missing as u32 });
        }
        self.suspect(&probe.target, probe.incarnation, output);
    }

    /// Sends a ping, with what the target should know of itself and with news.
    pub(super) fn ping(
        &mut self,
        target: &NodeId,
        nonce: u32,
        stream: bool,
        introduce: bool,
        output: &mut Output,
    ) {
        let records = self.ping_records(target, introduce);
        let (root, vitals) = (self.table.settled_root(), self.own.vitals);
        let message = Message::Ping(Ping { nonce, root, vitals, records: &records });
        self.send_as(target, &message, stream, introduce, output);
    }

    fn ping_records(&mut self, target: &NodeId, introduce: bool) -> Vec<u8> {
        let mut records = Vec::new();
        self.evidence(target, &mut records);
        let room = self.room(PING).saturating_sub(records.len());
        if !introduce {
            self.buffer.next_batch(room, |change| records.extend_from_slice(change));
        }
        records
    }

    /// Writes what has been said against a member, so that it can answer (Lifeguard's buddy system, and the rebuttal of those
    /// who come back from a partition).
    pub(super) fn evidence(&self, subject: &NodeId, out: &mut Vec<u8>) {
        let Some(entry) = self.table.get(subject) else { return };
        match entry.precedence.status() {
            Status::Alive => {}
            Status::Suspect => self.suspicions.write(subject, out),
            Status::Unreachable | Status::Dead | Status::Left | Status::Banned => {
                if let Some(certificate) = self.certificates.get(subject) {
                    certificate.write(out);
                }
                if entry.precedence.status() == Status::Dead {
                    record::write_status(out, subject, entry.precedence);
                }
                if let Some(ban) = self.bans.get(subject) {
                    ban.write(out);
                }
            }
        }
    }

    pub(super) fn take_ping(
        &mut self,
        sender: &NodeId,
        ping: &Ping<'_>,
        stream: bool,
        output: &mut Output,
    ) -> Result<(), Error> {
        self.ingest(ping.records, output)?;
        self.hear(sender, ping);
        if self.leaving.is_over() {
            return Ok(());
        }
        let records = self.ping_records(sender, false);
        let (root, vitals) = (self.table.settled_root(), self.own.vitals);
        let ack = Message::Ack(Ping { nonce: ping.nonce, root, vitals, records: &records });
        self.send_as(sender, &ack, stream, false, output);
        self.compare_roots(sender, ping.root, output);
        Ok(())
    }

    pub(super) fn take_ack(
        &mut self,
        sender: &NodeId,
        ack: &Ping<'_>,
        stream: bool,
        output: &mut Output,
    ) -> Result<(), Error> {
        self.ingest(ack.records, output)?;
        self.hear(sender, ack);
        self.compare_roots(sender, ack.root, output);
        if let Some(relay) = self.probes.relays.get(&ack.nonce)
            && relay.subject == *sender
        {
            let (asker, nonce) = (relay.asker, relay.nonce);
            self.probes.relays.remove(&ack.nonce);
            self.answers(sender, output);
            let (root, vitals) = (self.table.settled_root(), self.own.vitals);
            self.send(&asker, &Message::Ack(Ping { nonce, root, vitals, records: &[] }), output);
            return Ok(());
        }
        let Some(probe) = self.probes.running.get(&ack.nonce) else {
            self.answers(sender, output); // late, or asked by the way: it hears us
            return Ok(());
        };
        if probe.target != *sender && !probe.asked.contains(sender) {
            return Ok(());
        }
        let Some(probe) = self.probes.end(ack.nonce) else { return Ok(()) };
        if probe.target == *sender && !probe.indirect && !stream {
            self.round_trips.record(self.place(sender), self.clock.now.since(probe.began));
        }
        if probe.regular {
            self.health.better();
        }
        self.answers(&probe.target, output);
        Ok(())
    }

    /// Takes from a ping or ack how its sender is doing.
    fn hear(&mut self, sender: &NodeId, ping: &Ping<'_>) {
        if let Some(entry) = self.table.get(sender) {
            self.table.join(&Entry { last_heartbeat: self.clock.now, ..entry }, self.clock.now);
        }
        self.vitals.insert(*sender, ping.vitals);
    }

    pub(super) fn take_ping_request(
        &mut self,
        asker: &NodeId,
        nonce: u32,
        subject: &NodeId,
        output: &mut Output,
    ) {
        if *subject == self.id
            || self.probes.relays.len() >= MAX_RELAYS
            || !self.contacts.contains_key(subject)
        {
            return;
        }
        let own = self.probes.nonce();
        let relay = Relay { asker: *asker, nonce, subject: *subject, began: self.clock.now };
        self.probes.relays.insert(own, relay);
        self.ping(subject, own, false, false, output);
        if self.config.rules.detection != Detection::Swim {
            // Before the asker gives up (Lifeguard: at 80 % of the timeout).
            let wait = 0.8 * self.direct_timeout(subject);
            self.timers.set(self.clock.after(wait), Timer::Relay(own));
        }
    }

    /// A member asked for has not answered; it may still.
    pub(super) fn relay_waited(&mut self, nonce: u32, output: &mut Output) {
        if let Some(relay) = self.probes.relays.get(&nonce) {
            let (asker, nonce) = (relay.asker, relay.nonce);
            self.send(&asker, &Message::Nack { nonce }, output);
        }
    }
}
