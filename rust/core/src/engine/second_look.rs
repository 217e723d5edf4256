//! Members that are missed and heard all the same: what is held against them is looked at again at once.
//!
//! That a member is heard does not show that it hears: links fail in one direction, too. So a packet of a member that this node
//! misses is a reason to ask it, and only its answer clears it. One answer after missed ones is a reason to ask all others that
//! are missed: it may have been this node that was deaf. And one that is proven to be out of reach may not know it: it is told,
//! so that it answers (gossip.md's rebuttal of stale senders).

use super::config::Detection;
use super::probe::UNAWAITED;
use super::wire::Message;
use super::{Engine, Output};
use crate::{NodeId, Status, Time};

/// A member that is missed is asked again after so many seconds at the earliest.
const ASK_AGAIN: f64 = 1.0;

/// After one answer so many of the others that are missed are asked at once; each that answers has as many asked.
const ASKED_AT_ONCE: usize = 8;

/// When missed members were asked.
#[derive(Debug, Clone, Default)]
pub(super) struct SecondLooks {
    last: Option<Time>,
}

impl Engine {
    /// A packet of `sender` has been opened and what it says taken. Pings and acks carry what `sender` must know of itself;
    /// after others it is `uninformed`.
    pub(super) fn heard(&mut self, sender: &NodeId, uninformed: bool, output: &mut Output) {
        if self.config.rules.detection != Detection::Observers {
            return;
        }
        let status = self.table.get(sender).map(|entry| entry.precedence.status());
        if uninformed && matches!(status, Some(Status::Unreachable | Status::Dead)) && self.may_answer(sender)
        {
            self.tell_accused(sender, output);
        }
        let now = self.clock.now;
        if self.suspicions.is_own(sender) {
            self.ask_missed(&[*sender], output);
        } else if self.suspicions.any_own()
            && self.second_looks.last.is_none_or(|last| now.since(last) >= ASK_AGAIN)
        {
            self.ask_longest_missed(1, output);
        }
    }

    /// Tells a member what is proven against it.
    pub(super) fn tell_accused(&mut self, subject: &NodeId, output: &mut Output) {
        let mut records = Vec::new();
        self.evidence(subject, &mut records);
        self.send(subject, &Message::Gossip { records: &records }, output);
    }

    /// One that was missed has answered.
    pub(super) fn found_again(&mut self, output: &mut Output) {
        self.ask_longest_missed(ASKED_AT_ONCE, output);
    }

    fn ask_longest_missed(&mut self, count: usize, output: &mut Output) {
        let missed = self.suspicions.longest_unasked(count);
        self.ask_missed(&missed, output);
    }

    fn ask_missed(&mut self, missed: &[NodeId], output: &mut Output) {
        let now = self.clock.now;
        for subject in missed {
            if self.suspicions.may_ask(subject, now, ASK_AGAIN) {
                self.second_looks.last = Some(now);
                self.ping(subject, UNAWAITED, false, false, output);
            }
        }
    }
}
