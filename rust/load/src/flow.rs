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
    /// Nobody gets it who has not had it.
    gone: bool,
}

/// A request behind messages that are overdue: once it is answered, they have arrived, or never will.
pub(crate) struct Fence {
    /// The number of the last message before it.
    pub(crate) last: u64,
    /// When it was answered.
    pub(crate) answered: Option<u64>,
}

/// Nothing is sent until the fence is answered, so that it is known which message each arrival is.
pub(crate) const HELD: u64 = u64::MAX;

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
    /// Sends requests where it sent notifications, because some were lost ([`plan::Inquiry`]).
    pub(crate) asks: bool,
    pub(crate) fence: Option<Fence>,
    /// Until when a closed flow waits, because the server told it to; 0: it does not; HELD: for its fence.
    pub(crate) rests: u64,
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
            asks: false,
            fence: None,
            rests: 0,
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
        self.under_way.push_back(Sent { at, waiting: self.each, gone: false });
        self.pending += self.each();
        self.moved = now;
        self.last()
    }

    /// The number of the last message.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.under_way.len() as u64
    }

    /// Since when the oldest message is under way.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.under_way.front().map(|sent| sent.at)
    }

    /// Something has arrived: since when it was under way. None: it had been given up.
    pub(crate) fn arrive(&mut self, receiver: usize, now: u64) -> Option<u64> {
        let mut place = self.had[receiver].saturating_sub(self.first) as usize;
        while self.under_way.get(place).is_some_and(|sent| sent.gone) {
            place += 1;
        }
        let sent = self.under_way.get_mut(place)?;
        sent.waiting -= 1;
        let at = sent.at;
        self.had[receiver] = self.first + place as u64 + 1;
        self.pending -= 1;
        self.moved = now;
        self.forget_settled();
        Some(at)
    }

    /// A message was refused. Where its place was taken by one that came after it, on a connection that was read earlier, the oldest
    /// one is missing instead. Returns whether it was under way.
    pub(crate) fn refuse(&mut self, number: u64, now: u64) -> bool {
        if number > self.last() {
            return false;
        }
        let waits = |sent: &Sent| sent.waiting > 0;
        let place = number.checked_sub(self.first + 1).map(|place| place as usize);
        let place = place.filter(|&place| self.under_way.get(place).is_some_and(waits));
        let Some(place) = place.or_else(|| self.under_way.iter().position(waits)) else { return false };
        self.pending -= self.drop_at(place);
        self.moved = now;
        self.forget_settled();
        true
    }

    /// Waits for nothing up to this number any more, and returns how many deliveries and replies that were.
    pub(crate) fn give_up_to(&mut self, number: u64) -> u64 {
        let places = number.saturating_sub(self.first) as usize;
        let lost = (0..places.min(self.under_way.len())).map(|place| self.drop_at(place)).sum();
        self.pending -= lost;
        self.forget_settled();
        lost
    }

    /// Waits for nothing any more.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.give_up_to(self.last())
    }

    /// Returns how many deliveries and replies are missing.
    fn drop_at(&mut self, place: usize) -> u64 {
        let sent = &mut self.under_way[place];
        sent.gone = true;
        u64::from(std::mem::take(&mut sent.waiting))
    }

    fn forget_settled(&mut self) {
        while self.under_way.front().is_some_and(|sent| sent.waiting == 0) {
            self.under_way.pop_front();
            self.first += 1;
        }
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
            inquiry: None,
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

    #[test]
    fn what_comes_after_a_refusal_counts_from_when_it_was_sent_itself() {
        let mut flow = flow(2, false);
        for at in 1..=3 {
            flow.send(at, at);
        }
        assert!(flow.refuse(2, 4));
        assert_eq!((flow.arrive(0, 5), flow.arrive(0, 5)), (Some(1), Some(3)));
        assert_eq!((flow.arrive(1, 5), flow.arrive(1, 5)), (Some(1), Some(3)));
        assert_eq!(flow.pending, 0);
        assert!(!flow.refuse(2, 6), "nothing is under way");
    }

    #[test]
    fn where_a_later_one_took_the_place_of_a_refused_one_that_is_missing_in_the_end() {
        let mut flow = flow(1, false);
        flow.send(1, 1);
        flow.send(2, 1);
        assert_eq!(flow.arrive(0, 3), Some(1), "it was the second, read before the refusal of the first");
        assert!(flow.refuse(1, 4));
        assert_eq!((flow.pending, flow.oldest()), (0, None));
    }

    #[test]
    fn only_what_was_sent_before_a_fence_is_given_up_at_it() {
        let mut flow = flow(1, false);
        let last = flow.send(1, 1);
        flow.send(2, 2);
        assert_eq!(flow.give_up_to(last), 1);
        assert_eq!((flow.arrive(0, 3), flow.pending), (Some(2), 0));
    }
}
