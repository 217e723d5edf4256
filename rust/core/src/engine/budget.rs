//! How many bad signatures are checked for whom: a check takes some 35 µs of CPU, a forgery takes none.
//!
//! Only what turns out to be bad is charged, so nobody pays for joining. Members are charged for what they pass on (they have
//! checked it themselves, so the fault is theirs), strangers by the address that they claim, and all strangers together, because
//! addresses can be forged. What a source without a budget sends is refused unread where it would have to be checked; packets of
//! members whose record is known need no signature and go on.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::Engine;
use crate::{Error, Gcra, NodeId, Time};

/// Bad signatures of one source a second, and at once.
const EACH: (f64, f64) = (10.0, 50.0);
/// Of all strangers together: 2 % of a core.
const STRANGERS: (f64, f64) = (500.0, 1_000.0);
/// The most strangers that have a budget of their own; what others send counts for all.
const MAX_STRANGERS: usize = 1_024;

/// On whose behalf something is checked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Member(NodeId),
    Stranger(SocketAddr),
}

/// When each may be wrong again.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    each: Gcra,
    all: Gcra,
    members: HashMap<NodeId, f64>,
    strangers: HashMap<SocketAddr, f64>,
    together: f64,
}

impl Default for Budget {
    fn default() -> Self {
        let rate = |(rate, burst)| Gcra::new(rate, burst).expect("constants above one");
        Self {
            each: rate(EACH),
            all: rate(STRANGERS),
            members: HashMap::new(),
            strangers: HashMap::new(),
            together: 0.0,
        }
    }
}

impl Budget {
    fn may(&self, source: Source, now: f64) -> bool {
        let left = |due: Option<&f64>| self.each.admit(due.copied().unwrap_or(0.0), now, 1).is_some();
        match source {
            Source::Member(id) => left(self.members.get(&id)),
            Source::Stranger(from) => {
                left(self.strangers.get(&from)) && self.all.admit(self.together, now, 1).is_some()
            }
        }
    }

    fn charge(&mut self, source: Source, count: u64, now: f64) {
        if count == 0 {
            return;
        }
        let later = |due: f64, rate: &Gcra| due.max(now) + count as f64 * rate.interval();
        match source {
            Source::Member(id) => {
                let due = self.members.entry(id).or_default();
                *due = later(*due, &self.each);
            }
            Source::Stranger(from) => {
                self.together = later(self.together, &self.all);
                if self.strangers.len() >= MAX_STRANGERS {
                    self.strangers.retain(|_, due| *due > now);
                }
                if self.strangers.len() < MAX_STRANGERS || self.strangers.contains_key(&from) {
                    let due = self.strangers.entry(from).or_default();
                    *due = later(*due, &self.each);
                }
            }
        }
    }

    /// Drops those that could be wrong at once again.
    pub(super) fn sweep(&mut self, now: Time) {
        self.members.retain(|_, due| *due > now.seconds());
        self.strangers.retain(|_, due| *due > now.seconds());
    }
}

impl Engine {
    /// Does something that may check signatures on behalf of `source`, if it has a budget for bad ones. A stranger pays for
    /// whatever is refused, also where the signature is good.
    pub(super) fn checking<R>(
        &mut self,
        source: Source,
        act: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let now = self.clock.now.seconds();
        if !self.budget.may(source, now) {
            self.counters.throttled += 1;
            return Err(Error::Signature);
        }
        let before = self.checks.bad();
        let taken = act(self);
        let bad = self.checks.bad() - before;
        self.counters.bad_signatures += bad;
        let refused = matches!((source, &taken), (Source::Stranger(_), Err(_)));
        self.budget.charge(source, bad.max(u64::from(refused)), now);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(n: u32) -> Source {
        Source::Stranger(SocketAddr::from((n.to_be_bytes(), 1)))
    }

    /// How many of `count` bad ones were checked at `now`.
    fn checked(budget: &mut Budget, source: impl Fn(u32) -> Source, count: u32, now: f64) -> u32 {
        let mut checked = 0;
        for n in 0..count {
            if budget.may(source(n), now) {
                budget.charge(source(n), 1, now);
                checked += 1;
            }
        }
        checked
    }

    #[test]
    fn a_source_may_be_wrong_fifty_times_at_once_and_then_ten_times_a_second() {
        let mut budget = Budget::default();
        let liar = |_| Source::Member(NodeId::from_bytes([1; 16]));
        assert_eq!(checked(&mut budget, liar, 1_000, 5.0), 50);
        assert_eq!(checked(&mut budget, liar, 1_000, 6.0), 10);
        assert!(budget.may(Source::Member(NodeId::from_bytes([2; 16])), 6.0));
        assert_eq!(checked(&mut budget, |_| stranger(1), 1_000, 6.0), 50);
    }

    #[test]
    fn strangers_have_a_budget_together_and_take_bounded_memory() {
        let mut budget = Budget::default();
        assert_eq!(checked(&mut budget, stranger, 1_000_000, 5.0), 1_000);
        for second in 6..20 {
            assert_eq!(checked(&mut budget, stranger, 10_000, f64::from(second)), 500);
        }
        assert!(budget.strangers.len() <= MAX_STRANGERS);
        budget.sweep(Time::new(100.0).unwrap());
        assert!(budget.strangers.is_empty());
    }

    #[test]
    fn one_message_with_many_bad_signatures_is_paid_for_in_full() {
        let mut budget = Budget::default();
        budget.charge(stranger(1), 60, 5.0);
        assert!(!budget.may(stranger(1), 5.9));
        assert!(budget.may(stranger(1), 6.2));
    }
}
