//! Telling news: to a few members at once, soon after it came and then at intervals.

use super::timers::Timer;
use super::wire::Message;
use super::{Detection, Engine, Output};
use crate::{ChangeKey, Error, NodeId, Priority, Time, record};

/// When news goes out next.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread {
    next: Option<Time>,
    last: Time,
    /// In a small cluster: who has not been told in this round.
    round: Vec<NodeId>,
}

/// In a cluster of up to so many, members are told in turn: a change is told so few times there that members drawn at random
/// would be left out once in a thousand changes.
const SMALL: usize = 64;

/// A renewal is told so many times by everybody who hears it. One member in e^5 ≈ 150 is left out (Demers 1987, §1.4: what a
/// push with a counter leaves out depends on the copies alone) and gets it by anti-entropy; nobody needs it within hours.
const RENEWAL_TOLD: u8 = 5;

impl Engine {
    /// Has a change spread. What does not fit into a full buffer is made up for by anti-entropy.
    pub(super) fn queue(&mut self, key: ChangeKey, priority: Priority, bytes: &[u8]) {
        if matches!(self.buffer.add_change(key, priority, bytes), Ok(true)) {
            self.schedule_gossip();
        }
    }

    /// Has a renewed record spread, with less effort: in an idle cluster there is nothing else to tell.
    pub(super) fn queue_renewal(&mut self, subject: &NodeId, bytes: &[u8]) {
        let key = ChangeKey { kind: record::KIND_NODE, subject: *subject };
        if matches!(self.buffer.add_minor_change(key, Priority::Alive, bytes, RENEWAL_TOLD), Ok(true)) {
            self.schedule_gossip();
        }
    }

    /// Has the own record spread; an answer to an accusation goes first.
    pub(super) fn queue_own(&mut self, refutes: bool, renews: bool) {
        let (id, contact) = (self.id, std::sync::Arc::clone(&self.own.contact));
        self.syncs.changed(self.clock.now);
        if renews {
            self.pass_on_renewal(&id, contact.bytes());
            return;
        }
        let priority = if refutes { Priority::Refutation } else { Priority::of(contact.precedence.status()) };
        self.pass_on(record::KIND_NODE, &id, priority, |out| {
            record::write(out, record::KIND_NODE, contact.bytes());
        });
    }

    fn schedule_gossip(&mut self) {
        let quick = match self.config.rules.detection {
            Detection::Observers => self.config.quick_gossip,
            Detection::Memberlist | Detection::Swim => 0.0,
        };
        let at = if quick > 0.0 {
            // Soon, but together with what else is coming in, and never in a stream of packets.
            let soon = self.clock.after(quick * self.chance.unit());
            let spaced = Time::new(self.spread.last.seconds() + quick).unwrap_or(soon);
            soon.max(spaced)
        } else {
            // Ticks of the interval, at the phase of the first.
            self.clock.after(self.config.gossip_interval * self.chance.unit())
        };
        let sooner = self.spread.next.is_none_or(|next| quick > 0.0 && at < next);
        if sooner {
            self.spread.next = Some(at);
            self.timers.set(at, Timer::Gossip);
        }
    }

    /// Tells news to a few members.
    pub(super) fn gossip(&mut self, output: &mut Output) {
        if self.spread.next.is_none_or(|next| next > self.clock.now) {
            return; // a timer that was overtaken by an earlier one
        }
        self.gossip_now(output);
    }

    /// The same, whether or not it is time.
    pub(super) fn gossip_now(&mut self, output: &mut Output) {
        self.spread.next = None;
        self.spread.last = self.clock.now;
        let mut records = Vec::new();
        for target in self.gossip_targets() {
            records.clear();
            let room = self.room(0);
            self.buffer.next_batch(room, |change| records.extend_from_slice(change));
            if records.is_empty() {
                // The longest broadcasts fit only where the own record does not go in front.
                let room = self.room_alone();
                self.buffer.next_batch(room, |change| records.extend_from_slice(change));
            }
            if records.is_empty() {
                return;
            }
            self.send(&target, &Message::Gossip { records: &records }, output);
        }
        // Who is out of reach may hear it all the same. It does not count as told: those who can hear would go without.
        if let Some(lost) = self.somebody_out_of_reach() {
            // Above all what is proven against itself, so that it answers.
            let news = records.len();
            self.evidence(&lost, &mut records);
            if records.len() > self.room(0) {
                self.send(&lost, &Message::Gossip { records: &records[news..] }, output);
                records.truncate(news);
            }
            self.send(&lost, &Message::Gossip { records: &records }, output);
        }
        if !self.buffer.is_empty() {
            let at = self.clock.after(self.config.gossip_interval);
            self.spread.next = Some(at);
            self.timers.set(at, Timer::Gossip);
        }
    }

    /// A few members that are in reach: any, or where this node knows its zone all but one of the same zone.
    fn gossip_targets(&mut self) -> Vec<NodeId> {
        let (count, members) = (self.config.gossip_fanout, self.order.members().len());
        let observers = self.config.rules.detection == Detection::Observers;
        let in_reach = if observers { members.saturating_sub(self.out_of_reach()) } else { members };
        if observers && in_reach <= SMALL {
            return self.next_in_turn(count);
        }
        let own = self.own.contact.zone;
        let some_lost = in_reach < members;
        // Enough that some are in reach and some abroad.
        let tries = (if own == 0 { count } else { 3 * count }) * members.div_ceil(in_reach.max(1));
        let picks = self.fanout.select(members, tries);
        let mut picks: Vec<NodeId> = picks.into_iter().map(|index| self.order.members()[index]).collect();
        if own != 0 || some_lost {
            // The draw is uniform as a set only.
            for last in (1..picks.len()).rev() {
                picks.swap(last, self.chance.below(last + 1));
            }
        }
        if some_lost && picks.iter().any(|id| self.is_well(id)) {
            picks.retain(|id| self.is_well(id));
        }
        if own != 0 {
            let abroad = picks.iter().position(|id| self.place(id) != own).map(|at| picks.remove(at));
            picks.sort_by_key(|id| self.place(id) != own); // stable: the order within is that of the draw
            picks.splice(0..0, abroad);
        }
        picks.truncate(count);
        picks
    }

    fn somebody_out_of_reach(&mut self) -> Option<NodeId> {
        if self.config.rules.detection != Detection::Observers || self.out_of_reach() == 0 {
            return None;
        }
        let members = self.order.members();
        let start = self.chance.below(members.len());
        members[start..].iter().chain(&members[..start]).copied().find(|id| !self.is_well(id))
    }

    /// Of those in reach; where nobody is, of all.
    fn next_in_turn(&mut self, count: usize) -> Vec<NodeId> {
        let mut members: Vec<NodeId> = self.order.members().to_vec();
        if self.out_of_reach() > 0 && members.iter().any(|id| self.is_well(id)) {
            members.retain(|id| self.is_well(id));
        }
        let mut picks: Vec<NodeId> = Vec::with_capacity(count);
        while picks.len() < count.min(members.len()) {
            let Some(id) = self.spread.round.pop() else {
                self.spread.round.extend_from_slice(&members);
                for last in (1..members.len()).rev() {
                    self.spread.round.swap(last, self.chance.below(last + 1));
                }
                continue;
            };
            if !picks.contains(&id) && members.binary_search(&id).is_ok() {
                picks.push(id);
            }
        }
        picks
    }

    pub(super) fn take_gossip(
        &mut self,
        sender: &NodeId,
        records: &[u8],
        output: &mut Output,
    ) -> Result<(), Error> {
        let _ = sender; // records stand on their own
        self.ingest(records, output)
    }
}
