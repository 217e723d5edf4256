//! Messages of flows: sent when their stage says so, counted when they arrive.

use std::io::Write;

use memchr::memmem;

use crate::client::State;
use crate::driver::Driver;
use crate::flow::HELD;
use crate::plan::{Message, Pace, Part, Phase};

/// Messages of an open stage that is late which are sent before anything is read again.
const CATCH_UP: usize = 256;

impl Driver {
    /// Appends a message with its gaps filled.
    pub(crate) fn fill(&self, out: &mut Vec<u8>, sender: usize, message: &Message, number: u64) {
        for part in &message.parts {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Captured(client) => out.extend_from_slice(&self.clients[*client].captured),
                Part::Word => {
                    let words = &self.plan.clients[sender].words;
                    if let Some(turn) = self.clients[sender].comings.checked_rem(words.len()) {
                        out.extend_from_slice(&words[turn]);
                    }
                }
                Part::Seen => out.extend_from_slice(&self.clients[sender].seen),
                // Writing to a Vec cannot fail.
                Part::Number => drop(write!(out, "{number}")),
            }
        }
    }

    /// Sends the next burst of a flow, which was due at `at`, if it may.
    pub(crate) fn send_burst(&mut self, index: usize, at: u64) {
        let plan = self.plan.clone();
        let spec = &plan.flows[index];
        let burst = u64::from(spec.burst);
        if spec.limit.is_some_and(|limit| self.flows[index].bursts >= limit) {
            return;
        }
        let flow = &self.flows[index];
        if self.clients[spec.sender].state != State::Ready || flow.rests == HELD || !flow.has_room(spec.burst)
        {
            self.stages[spec.stage].left_out += burst;
            return;
        }
        self.flows[index].bursts += 1;
        let messages = match &spec.inquiry {
            Some(inquiry) if self.flows[index].asks && !inquiry.requests.is_empty() => &inquiry.requests,
            _ => &spec.messages,
        };
        for _ in 0..burst {
            let number = self.flows[index].send(at, self.now);
            let message = &messages[((number - 1) % messages.len() as u64) as usize];
            self.say(spec.sender, message, number);
        }
        self.stages[spec.stage].sent += burst;
        self.counts.sent += burst;
        self.flush(spec.sender);
    }

    /// Sends what an open stage owes until now.
    pub(crate) fn send_stage(&mut self, stage: usize, rate: f64) {
        let flows = std::mem::take(&mut self.flows_of[stage]);
        let churns = matches!(self.plan.stages[stage].pace, Pace::Churn { .. });
        let (mut due, mut turn) = self.due[stage];
        let gap = 1e9 / rate;
        for _ in 0..CATCH_UP {
            self.look_at_clock();
            if due > self.now || (flows.is_empty() && !churns) {
                break;
            }
            self.stages[stage].lateness.add(self.now - due);
            if churns {
                self.let_one_come(stage, due);
            } else {
                self.send_burst(flows[turn % flows.len()], due);
            }
            turn += 1;
            // From the beginning, so that no rounding adds up.
            due = self.due_begin[stage] + (turn as f64 * gap) as u64;
        }
        self.due[stage] = (due, turn);
        self.flows_of[stage] = flows;
    }

    /// A message to a client that is in. Whatever tells it apart stands in its `head`.
    pub(crate) fn on_traffic(&mut self, index: usize, payload: &[u8], head: &[u8]) {
        if self.fences > 0 && self.on_fenced(index, head) {
            return;
        }
        for place in 0..self.clients[index].roles.len() {
            let role = self.clients[index].roles[place];
            let flow = &self.flows[role.flow];
            let finder = if role.is_reply { flow.reply.as_ref() } else { Some(&flow.arrival) };
            if finder.is_some_and(|finder| finder.find(head).is_some()) {
                return self.on_arrival(role.flow, role.receiver, role.is_reply);
            }
        }
        if !self.plan.error.is_empty() && memmem::find(head, &self.plan.error).is_some() {
            return self.on_refusal(index, payload);
        }
        self.counts.others += 1;
    }

    fn on_arrival(&mut self, index: usize, receiver: usize, is_reply: bool) {
        self.look_at_clock();
        let flow = &mut self.flows[index];
        let Some(at) = flow.arrive(receiver, self.now) else {
            self.counts.others += 1;
            return;
        };
        let spec = &self.plan.flows[index];
        let stage = &mut self.stages[spec.stage];
        let took = self.now.saturating_sub(at);
        if is_reply {
            stage.replies += 1;
            stage.reply_latency.add(took);
            self.counts.replies += 1;
        } else {
            stage.arrived += 1;
            stage.in_time += u64::from(self.phase == Phase::Measuring);
            stage.latency.add(took);
            self.counts.arrived += 1;
        }
        if let Pace::Closed { window } = self.plan.stages[spec.stage].pace
            && flow.pending <= u64::from(window - 1) * u64::from(spec.burst) * flow.each()
            && flow.rests == 0
            && self.flowing()
        {
            self.send_burst(index, self.now);
        }
        self.end_flow(index);
    }

    /// Says the epilogue, once all that a flow may send has arrived.
    pub(crate) fn end_flow(&mut self, index: usize) {
        let (plan, flow) = (self.plan.clone(), &self.flows[index]);
        let spec = &plan.flows[index];
        if let Some(epilogue) = &spec.epilogue
            && flow.pending == 0
            && spec.limit.is_some_and(|limit| flow.bursts >= limit)
        {
            for &client in spec.receivers.iter().chain([&spec.sender]) {
                if self.clients[client].state == State::Ready {
                    self.say(client, epilogue, 0);
                    self.flush(client);
                }
            }
        }
    }
}
