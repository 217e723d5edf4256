//! How a node finds the cluster, and finds it again.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::machine::Tombstone;
use super::probe::UNAWAITED;
use super::timers::Timer;
use super::{Engine, Event, Output};
use crate::{Error, NodeId, Status, Time, record};

/// Where to ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Seeds {
    given: Vec<SocketAddr>,
    /// Addresses of members of an earlier life.
    remembered: Vec<SocketAddr>,
    /// Who was last found at one of them: looking through all members for it is most of what an idle node would compute.
    held_by: HashMap<SocketAddr, NodeId>,
    attempts: u32,
    joining: bool,
    complained: Option<Time>,
}

/// After so many unanswered rounds of greetings the node says that it is alone.
const ALONE_AFTER: u32 = 3;

/// Seeds are greeted again after a second, then after up to this many.
const LONGEST_PAUSE: f64 = 10.0;

/// Refusals are told at most so often, in seconds.
const COMPLAINT_INTERVAL: f64 = 60.0;

/// Relays are forgotten after so many seconds: no answer comes so late.
const RELAY_AGE: f64 = 10.0;

/// No record is signed anew before it has this age in seconds: a cluster that starts or heals has other things to tell.
const QUIET: f64 = 60.0;

/// The same where records are signed anew every `resign_interval` seconds.
pub(super) fn quiet_time(resign_interval: f64) -> f64 {
    QUIET.min(resign_interval / 2.0)
}

impl Seeds {
    pub(super) fn may_complain(&mut self, now: Time) -> bool {
        let may = self.complained.is_none_or(|last| now.since(last) >= COMPLAINT_INTERVAL);
        if may {
            self.complained = Some(now);
        }
        may
    }

    /// A member was heard.
    pub(super) fn heard(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn is_joining(&self) -> bool {
        self.joining
    }

    /// A whole exchange has been made; whether it was the first.
    pub(super) fn found(&mut self) -> bool {
        std::mem::replace(&mut self.joining, false)
    }
}

impl Engine {
    pub(super) fn join(&mut self, mut seeds: Vec<SocketAddr>, output: &mut Output) {
        seeds.retain(|address| *address != self.identity.address);
        seeds.truncate(super::EngineConfig::MAX_SEEDS);
        self.seeds.given = seeds;
        self.seeds.held_by.clear();
        self.seeds.attempts = 0;
        self.seeds.joining = !self.seeds.given.is_empty() || !self.seeds.remembered.is_empty();
        self.greet_seeds(output);
    }

    /// Greets all seeds until one has answered and told what it knows.
    pub(super) fn greet_seeds(&mut self, output: &mut Output) {
        if !self.seeds.joining {
            return;
        }
        for address in self.seeds.given.clone() {
            self.greet(address, output);
        }
        for index in self.fanout.select(self.seeds.remembered.len(), 3) {
            self.greet(self.seeds.remembered[index], output);
        }
        self.seeds.attempts += 1;
        if self.seeds.attempts == ALONE_AFTER {
            output.events.push(Event::Alone);
        }
        let pause = f64::from(self.seeds.attempts).min(LONGEST_PAUSE);
        let at = self.clock.after(pause * (0.75 + 0.5 * self.chance.unit()));
        self.timers.set(at, Timer::Join);
    }

    /// Takes up what an earlier life knew: what is fresh enough is believed, of the rest the addresses are used.
    pub(super) fn restore(&mut self, records: &[u8], output: &mut Output) -> Result<(), Error> {
        if let Some(Err(error)) = record::split(records).find(Result::is_err) {
            return Err(error);
        }
        let mut addresses = Vec::new();
        self.restoring = true;
        for part in record::split(records).map_while(Result::ok) {
            // Too old or no longer admitted is no fault here: the address is still good for asking.
            let _ = self.take(&part, output);
            if part.kind == record::KIND_NODE
                && addresses.len() < self.config.max_members
                && let Ok(contact) = self.checks.contact(part.body())
                && contact.id != self.id
            {
                addresses.extend(contact.address);
            }
        }
        self.restoring = false;
        let keep = self.fanout.select(addresses.len(), super::EngineConfig::MAX_SEEDS);
        self.seeds.held_by.clear();
        self.seeds.remembered = keep.into_iter().map(|index| addresses[index]).collect();
        Ok(())
    }

    /// Greets somebody who is thought to be gone, so that partitions heal without an operator.
    pub(super) fn heal(&mut self, output: &mut Output) {
        self.timers.set(self.clock.after(self.config.heal_interval), Timer::Heal);
        if !self.config.rules.heal || self.leaving.is_leaving() {
            return;
        }
        let mut dead: Vec<NodeId> = self
            .table
            .iter()
            .filter(|entry| entry.precedence.status() == Status::Dead)
            .map(|entry| entry.id)
            .collect();
        dead.sort_unstable();
        let seeds = self.empty_seeds();
        let Some(pick) = self.fanout.select(dead.len() + seeds.len(), 1).first().copied() else { return };
        match dead.get(pick) {
            Some(id) => {
                let id = *id;
                self.ping(&id, UNAWAITED, false, true, output);
            }
            None => self.greet(seeds[pick - dead.len()], output),
        }
    }

    /// The seeds at which no member is.
    fn empty_seeds(&mut self) -> Vec<SocketAddr> {
        let all = self.seeds.given.iter().chain(&self.seeds.remembered);
        let mut empty: Vec<SocketAddr> = all.filter(|address| !self.is_held(address)).copied().collect();
        if !empty.is_empty() {
            let members = self.order.members().iter();
            let addresses = members.filter_map(|id| self.address(id).map(|address| (address, *id)));
            let found: HashMap<_, _> = addresses.filter(|(address, _)| empty.contains(address)).collect();
            empty.retain(|address| !found.contains_key(address));
            self.seeds.held_by.extend(found);
        }
        empty
    }

    /// Whether who was last found at a seed is a member and still there.
    fn is_held(&self, seed: &SocketAddr) -> bool {
        self.seeds.held_by.get(seed).is_some_and(|id| {
            self.address(id) == Some(*seed) && self.order.members().binary_search(id).is_ok()
        })
    }

    /// Signs the own record anew, so that it does not grow old. One that was just signed, to answer an accusation or to tell of
    /// a change, waits for the next time: after a partition all have answered at once, and among so many records a renewal is
    /// told last and would keep views apart. The times stay as they were spread.
    pub(super) fn resign(&mut self) {
        let interval = self.config.resign_interval;
        let jitter = 0.9 + 0.2 * self.chance.unit();
        self.timers.set(self.clock.after(interval * jitter), Timer::Resign);
        let age = self.clock.unix_millis.abs_diff(self.own.contact.issued_at) as f64 / 1000.0;
        if !self.leaving.is_leaving() && age >= quiet_time(interval) {
            let incarnation = self.incarnation();
            let _ = self.issue(incarnation, Status::Alive); // the same fields were signed before
        }
    }

    /// Buries the gone whose records are old, and forgets what no longer matters.
    pub(super) fn sweep(&mut self, output: &mut Output) {
        let now = self.clock.now;
        self.budget.sweep(now);
        let mut old: Vec<NodeId> = self
            .table
            .iter()
            .filter(|entry| matches!(entry.precedence.status(), Status::Dead | Status::Left))
            .filter(|entry| self.contacts.get(&entry.id).is_none_or(|contact| self.is_old(contact.issued_at)))
            .map(|entry| entry.id)
            .filter(|id| *id != self.id)
            .collect();
        old.sort_unstable();
        for id in old {
            self.bury(&id);
        }
        let age = self.config.tombstone_age;
        self.tombstones.retain(|_, tombstone| now.since(tombstone.since) < age);
        let interval = super::packets::ANSWER_INTERVAL;
        let mut strangers = Vec::new();
        self.answered.retain(|id, told| {
            let keep = now.since(*told) < interval;
            if !keep && !self.contacts.contains_key(id) {
                strangers.push(*id);
            }
            keep
        });
        for id in strangers {
            self.line.forget(&id); // greeted and never came
        }
        self.flaps.sweep(now);
        let then = Time::new((now.seconds() - RELAY_AGE).max(0.0)).unwrap_or(now);
        self.probes.sweep(then);
        self.sweep_suspicions(output);
        self.watch_partition(output);
    }

    fn bury(&mut self, id: &NodeId) {
        let Some(entry) = self.table.get(id) else { return };
        let status = entry.precedence.status();
        self.note_view(id, Some(status));
        self.partition.count(Some(status), None);
        self.table.forget(id);
        self.contacts.remove(id);
        self.certificates.remove(id);
        self.vitals.remove(id);
        self.flaps.forget(id);
        self.broadcasts.forget(id);
        self.line.forget(id);
        if self.tombstones.len() < self.config.max_members {
            let (precedence, since) = (entry.precedence, self.clock.now);
            let buried_at = self.clock.unix_millis;
            self.tombstones.insert(*id, Tombstone { precedence, buried_at, since });
        }
    }
}
