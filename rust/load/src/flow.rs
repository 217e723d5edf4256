//! What is under way of a flow, and how long it takes.

use std::collections::VecDeque;

use memchr::memmem::Finder;

use crate::plan;

/// Messages of one flow that may be under way; beyond it an open loop leaves messages out, and says so.
const MAX_UNDER_WAY: usize = 65_536;

struct Sent {
    at: u64,
    /// Receivers (and the reply) that have not had it.
    waiting: u32,
}

/// A flow at work. Messages of one sender reach each receiver in their order, so the n-th that arrives is the n-th that was sent.
pub(crate) struct Flow {
    pub(crate) arrival: Finder<'static>,
    pub(crate) reply: Option<Finder<'static>>,
    /// Deliveries and replies that are waited for.
    pub(crate) pending: u64,
    /// Bursts sent.
    pub(crate) bursts: u64,
    /// When something was sent or came in last.
    pub(crate) moved: u64,
    under_way: VecDeque<Sent>,
    /// Number of the first in `under_way`.
    first: u64,
    /// How many each receiver has had; the last one counts replies.
    had: Vec<u64>,
    each: u32,
}

impl Flow {
    pub(crate) fn new(flow: &plan::Flow) -> Self {
        let finder = |needle: &[u8]| Finder::new(needle).into_owned();
        Self {
            arrival: finder(&flow.arrival),
            reply: flow.reply.as_deref().map(finder),
            pending: 0,
            bursts: 0,
            moved: 0,
            under_way: VecDeque::new(),
            first: 0,
            had: vec![0; flow.receivers.len() + 1],
            each: flow.receivers.len() as u32 + u32::from(flow.reply.is_some()),
        }
    }

    /// Index of the replies, beside the receivers.
    pub(crate) fn replies(&self) -> usize {
        self.had.len() - 1
    }

    /// Deliveries and replies of one message.
    pub(crate) fn each(&self) -> u64 {
        u64::from(self.each)
    }

    /// Whether one more burst of this size may be under way.
    pub(crate) fn has_room(&self, burst: u32) -> bool {
        self.under_way.len() + burst as usize <= MAX_UNDER_WAY
    }

    /// Takes the next number, from 1.
    pub(crate) fn send(&mut self, at: u64, now: u64) -> u64 {
        self.under_way.push_back(Sent { at, waiting: self.each });
        self.pending += self.each();
        self.moved = now;
        self.first + self.under_way.len() as u64
    }

    /// Something has arrived: since when it was under way. None: it had been given up.
    pub(crate) fn arrive(&mut self, receiver: usize, now: u64) -> Option<u64> {
        let had = self.had[receiver];
        let place = usize::try_from(had.checked_sub(self.first)?).ok()?;
        let sent = self.under_way.get_mut(place)?;
        sent.waiting -= 1;
        let at = sent.at;
        self.had[receiver] = had + 1;
        self.pending -= 1;
        self.moved = now;
        while self.under_way.front().is_some_and(|sent| sent.waiting == 0) {
            self.under_way.pop_front();
            self.first += 1;
        }
        Some(at)
    }

    /// Waits for nothing any more, and returns how many deliveries and replies that were.
    pub(crate) fn give_up(&mut self) -> u64 {
        let lost = std::mem::take(&mut self.pending);
        self.first += self.under_way.len() as u64;
        self.under_way.clear();
        self.had.fill(self.first);
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn flow(receivers: usize, reply: bool) -> Flow {
        Flow::new(&plan::Flow {
            stage: 0,
            sender: 0,
            receivers: (1..=receivers).collect(),
            messages: vec![plan::Message { parts: vec![], binary: false }],
            prologue: None,
            epilogue: None,
            arrival: Arc::from(&b"x"[..]),
            reply: reply.then(|| Arc::from(&b"y"[..])),
            burst: 1,
            limit: None,
        })
    }

    #[test]
    fn each_receiver_has_its_own_place_in_the_order() {
        let mut flow = flow(2, true);
        assert_eq!((flow.send(10, 10), flow.send(20, 20)), (1, 2));
        assert_eq!(flow.pending, 6);
        assert_eq!(flow.arrive(0, 30), Some(10));
        assert_eq!(flow.arrive(0, 30), Some(20));
        assert_eq!(flow.arrive(1, 31), Some(10));
        let replies = flow.replies();
        assert_eq!(flow.arrive(replies, 32), Some(10));
        assert_eq!(flow.pending, 2);
        assert_eq!(flow.arrive(0, 33), None, "it was never sent");
    }

    #[test]
    fn what_was_given_up_does_not_count_for_what_comes_after() {
        let mut flow = flow(1, false);
        flow.send(1, 1);
        flow.send(2, 2);
        assert_eq!(flow.arrive(0, 3), Some(1));
        assert_eq!(flow.give_up(), 1);
        assert_eq!(flow.arrive(0, 4), None);
        assert_eq!(flow.send(5, 5), 3);
        assert_eq!(flow.arrive(0, 6), Some(5));
        assert_eq!(flow.pending, 0);
    }
}
