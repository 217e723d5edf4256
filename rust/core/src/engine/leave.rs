//! Saying goodbye, and hearing it.

use super::timers::Timer;
use super::wire::Message;
use super::{Engine, Event, Output};
use crate::{Error, NodeId, Status, Time, record};

/// How far a goodbye has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaving {
    since: Option<Time>,
    told: Vec<NodeId>,
    acknowledged: Vec<NodeId>,
    over: bool,
}

/// Those who have not acknowledged are told again after so many seconds.
const AGAIN: f64 = 0.25;

/// What the application or an administrator wanted all to know is told so often before the node stops, so that it does not go
/// with it. Others tell it on.
const HANDED_OVER: u8 = 4;

impl Leaving {
    pub(super) fn is_leaving(&self) -> bool {
        self.since.is_some()
    }

    /// No goodbye, and nothing more.
    pub(super) fn end(&mut self) {
        self.over = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

impl Engine {
    /// Says goodbye to as many as it takes.
    pub(super) fn leave(&mut self, output: &mut Output) {
        if self.leaving.is_leaving() {
            return;
        }
        let incarnation = self.incarnation();
        if self.issue(incarnation, Status::Left).is_err() {
            // Cannot be: the incarnation is in use, and only the very last one cannot leave. Peers will find out.
            self.leaving.over = true;
            return;
        }
        self.leaving.since = Some(self.clock.now);
        let members: Vec<NodeId> =
            self.order.members().iter().filter(|id| self.is_well(id)).copied().collect();
        let picks = self.fanout.select(members.len(), self.config.leave_acknowledgements);
        self.leaving.told = picks.into_iter().map(|index| members[index]).collect();
        self.leave_again(output);
    }

    pub(super) fn leave_again(&mut self, output: &mut Output) {
        let Some(since) = self.leaving.since else { return };
        let missing: Vec<NodeId> =
            self.leaving.told.iter().filter(|id| !self.leaving.acknowledged.contains(id)).copied().collect();
        if (missing.is_empty() && self.has_handed_over())
            || self.clock.now.since(since) >= self.config.leave_timeout
        {
            self.stop(output);
            return;
        }
        let mut records = Vec::new();
        record::write(&mut records, record::KIND_NODE, self.own.contact.bytes());
        for id in missing {
            self.send(&id, &Message::Leave { records: &records }, output);
        }
        self.timers.set(self.clock.after(AGAIN), Timer::Leave);
    }

    fn has_handed_over(&self) -> bool {
        let kinds = [record::KIND_BROADCAST, record::KIND_BAN];
        self.order.members().is_empty() || !self.buffer.has_told_less(&kinds, HANDED_OVER)
    }

    fn stop(&mut self, output: &mut Output) {
        if !self.leaving.over {
            self.gossip_now(output);
            self.leaving.over = true;
            output
                .events
                .push(Event::Stopped { acknowledged: self.leaving.acknowledged.len(), banned: false });
        }
    }

    pub(super) fn take_goodbye(
        &mut self,
        sender: &NodeId,
        records: &[u8],
        output: &mut Output,
    ) -> Result<(), Error> {
        self.ingest(records, output)?;
        if self.table.get(sender).is_some_and(|entry| entry.precedence.status() == Status::Left) {
            self.send(sender, &Message::LeaveAck, output);
        }
        Ok(())
    }

    pub(super) fn take_goodbye_ack(&mut self, sender: &NodeId, output: &mut Output) {
        if !self.leaving.told.contains(sender) || self.leaving.acknowledged.contains(sender) {
            return;
        }
        self.leaving.acknowledged.push(*sender);
        if self.leaving.acknowledged.len() == self.leaving.told.len() && self.has_handed_over() {
            self.stop(output);
        }
    }
}
