//! Limits of a server: what becomes of messages that it refuses, and of those that it drops without a word.
//!
//! A server that is asked too much refuses. Of a notification nobody is told: it just does not arrive. So a message that is overdue
//! is followed by a fence, a request that is answered after it. What has not arrived by then never will; from there on the flow
//! sends requests, whose refusals say why, and for how long to wait. Where no limit is hit, none of this is sent.

use memchr::memmem;

use crate::client::State;
use crate::connections::{reason_of, word_after};
use crate::driver::{Driver, SECOND};
use crate::flow::{Fence, HELD};
use crate::plan::{Pace, Phase};

/// A message that is under way for so long is overdue.
const OVERDUE: u64 = SECOND / 4;
/// After a fence was answered, what arrived before it may still have to be read from other connections.
const GRACE: u64 = SECOND / 20;
/// A closed flow in which nothing has moved for so long begins again.
const LOST_AFTER: u64 = 10 * SECOND;
/// How long a closed flow waits after a refusal that does not say.
const REST: u64 = SECOND / 10;
/// How long it waits at most.
const LONGEST_REST: u64 = SECOND;

impl Driver {
    /// Follows up what is overdue, and lets closed flows go on whose messages were lost.
    pub(crate) fn mind_the_overdue(&mut self) {
        if !self.flowing() && self.phase != Phase::Draining {
            return;
        }
        let plan = self.plan.clone();
        for (index, spec) in plan.flows.iter().enumerate() {
            let flow = &mut self.flows[index];
            let Some(oldest) = flow.oldest() else { continue };
            if self.clients[spec.sender].state != State::Ready {
                continue;
            }
            let closed = matches!(plan.stages[spec.stage].pace, Pace::Closed { .. });
            if closed && self.now.saturating_sub(flow.moved) >= LOST_AFTER {
                self.stages[spec.stage].lost += flow.give_up();
                self.refill(index);
                continue;
            }
            match flow.fence {
                None if self.now.saturating_sub(oldest) >= OVERDUE => self.say_fence(index),
                Some(Fence { last, answered: Some(at) }) if self.now >= at + GRACE => {
                    self.leave_fence(index, last);
                }
                _ => {}
            }
        }
    }

    fn say_fence(&mut self, index: usize) {
        let plan = self.plan.clone();
        let spec = &plan.flows[index];
        let Some(inquiry) = &spec.inquiry else { return };
        self.flows[index].fence = Some(Fence { last: self.flows[index].last(), answered: None });
        self.fences += 1;
        self.say(spec.sender, &inquiry.fence, 0);
        self.flush(spec.sender);
    }

    /// What was sent up to `last` has arrived, or never will. If some of it was lost, then what was sent since has arrived in its
    /// place: a second fence, behind which nothing is sent, sets that right.
    fn leave_fence(&mut self, index: usize, last: u64) {
        let flow = &mut self.flows[index];
        flow.fence = None;
        let was_held = std::mem::take(&mut flow.rests) == HELD;
        let lost = flow.give_up_to(last);
        if lost > 0 {
            flow.asks = true;
            let stage = &mut self.stages[self.plan.flows[index].stage];
            stage.lost += lost;
            stage.limit(self.now);
        }
        if lost > 0 && self.flows[index].pending > 0 && !was_held {
            self.flows[index].rests = HELD;
            self.say_fence(index);
        } else {
            self.refill(index);
        }
    }

    /// Whether a message answers a fence of this client.
    pub(crate) fn on_fenced(&mut self, index: usize, head: &[u8]) -> bool {
        for &flow in &self.clients[index].sends {
            if let Some(fence) = &mut self.flows[flow].fence
                && fence.answered.is_none()
                && let Some(inquiry) = &self.plan.flows[flow].inquiry
                && memmem::find(head, &inquiry.fenced).is_some()
            {
                fence.answered = Some(self.now);
                self.fences -= 1;
                return true;
            }
        }
        false
    }

    /// A request of a client that is in was refused.
    pub(crate) fn on_refusal(&mut self, index: usize, payload: &[u8]) {
        let plan = self.plan.clone();
        let told = |before: &[u8]| {
            let word = if before.is_empty() { None } else { word_after(payload, before) };
            word.and_then(|word| std::str::from_utf8(word).ok()?.parse::<u64>().ok())
        };
        let after = told(&plan.after);
        self.counts.errors += 1;
        self.notes.refused(&reason_of(payload, &plan.reason), payload, after);
        let Some(number) = told(&plan.refused) else { return };
        for place in 0..self.clients[index].sends.len() {
            let flow = self.clients[index].sends[place];
            if self.flows[flow].refuse(number, self.now) {
                let stage = &mut self.stages[plan.flows[flow].stage];
                stage.refused += 1;
                stage.limit(self.now);
                self.flows[flow].asks = true;
                self.rest(flow, after.map_or(REST, |wait| wait.saturating_mul(SECOND / 1000)));
                return self.end_flow(flow);
            }
        }
    }

    /// Lets a closed flow wait. Each message that is refused wants a place of its own, so what they say adds up.
    fn rest(&mut self, index: usize, wait: u64) {
        let stage = self.plan.flows[index].stage;
        if !matches!(self.plan.stages[stage].pace, Pace::Closed { .. }) {
            return; // an open loop sends whatever comes back
        }
        let flow = &mut self.flows[index];
        if flow.rests == HELD {
            return;
        }
        self.resting.remove(&(flow.rests, index));
        flow.rests = flow.rests.max(self.now).saturating_add(wait).min(self.now + LONGEST_REST);
        self.resting.insert((flow.rests, index));
    }

    /// Lets flows go on that have waited for as long as they were told to.
    pub(crate) fn wake_the_rested(&mut self) {
        while let Some(&(until, index)) = self.resting.first()
            && until <= self.now
        {
            self.resting.pop_first();
            if self.flows[index].rests == until {
                self.flows[index].rests = 0;
                self.refill(index);
            }
        }
    }

    /// Sends until a closed flow has as much under way as its window says.
    pub(crate) fn refill(&mut self, index: usize) {
        let spec = &self.plan.flows[index];
        let Pace::Closed { window } = self.plan.stages[spec.stage].pace else { return };
        let bursts = u64::from(spec.burst) * self.flows[index].each();
        for _ in 0..window {
            let flow = &self.flows[index];
            if flow.rests > 0 || flow.pending > u64::from(window - 1) * bursts || !self.flowing() {
                return;
            }
            self.send_burst(index, self.now);
        }
    }
}
