//! What is due when. Cancelled timers are not removed: whoever handles one looks whether it still means anything.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::{NodeId, Time};

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The next member is to be probed.
    Period,
    /// A probe has waited long enough for what it is doing.
    Probe(u32),
    /// A member asked for has not answered: tell who asked.
    Relay(u32),
    /// News may go out.
    Gossip,
    /// A member has been unreachable long enough.
    Death(NodeId, u64),
    /// A certificate may be made by accusers of one zone.
    Zones(NodeId, u64),
    /// A dead member or a seed is to be greeted.
    Heal,
    /// The own record grows old.
    Resign,
    /// A batch of changes of the view is full.
    View,
    /// Old tombstones, suspicions and greetings are to be dropped.
    Sweep,
    /// Seeds are to be greeted.
    Join,
    /// The goodbye is to be repeated or over.
    Leave,
    /// A member may be shown again that came back so many times.
    Flap(NodeId, u64),
    /// Vitals may be spread again.
    Beat,
    /// Another exchange after one that moved much.
    Sync,
}

/// What may be lost when a time goes to the caller's clock and back, in seconds: so that at its own deadline a timer is due.
const ROUNDING: f64 = 1e-6;

/// The timers of one engine, in its own time: see `Clock`.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Due>,
    count: u64,
}

/// A timer that was set. The greatest is the one that is due first.
#[derive(Debug, Clone)]
struct Due {
    at: u64,
    number: u64,
    timer: Timer,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl Timers {
    /// Lets `timer` be due at `at`. Of two for one moment the one set first comes first.
    pub(super) fn set(&mut self, at: Time, timer: Timer) {
        self.count += 1;
        // The bits of floats that are not negative are ordered as the floats.
        self.heap.push(Due { at: at.seconds().to_bits(), number: self.count, timer });
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|due| time(due.at))
    }

    /// The next that is due at `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer> {
        if self.next()?.seconds() > now.seconds() + ROUNDING {
            return None;
        }
        self.heap.pop().map(|due| due.timer)
    }
}

fn time(bits: u64) -> Time {
    Time::new(f64::from_bits(bits)).expect("only times were put in")
}

/// The engine's own time: monotonic time without the pauses of this process, so that nothing falls due in one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The engine's time.
    pub(super) now: Time,
    /// Milliseconds of Unix time.
    pub(super) unix_millis: u64,
    paused: f64,
}

impl Clock {
    pub(super) fn new(now: Time, unix_millis: u64) -> Self {
        Self { now, unix_millis, paused: 0.0 }
    }

    /// Goes on to `now`; returns the seconds of a pause beyond `limit` after `due`, which are taken out.
    pub(super) fn advance(&mut self, now: Time, due: Option<Time>, limit: f64) -> Option<f64> {
        let inner = now.seconds() - self.paused;
        let late = due.map_or(0.0, |due| inner - due.seconds());
        if late > limit {
            self.paused += late;
        }
        let inner = Time::new((now.seconds() - self.paused).max(self.now.seconds()));
        self.now = inner.expect("not below a time that was valid");
        (late > limit).then_some(late)
    }

    /// When `inner` is by the caller's clock.
    pub(super) fn outer(&self, inner: Time) -> Time {
        Time::new(inner.seconds() + self.paused).expect("a sum of two that are not negative")
    }

    /// The engine's time in so many seconds.
    pub(super) fn after(&self, seconds: f64) -> Time {
        Time::new(self.now.seconds() + seconds.max(0.0)).unwrap_or(self.now)
    }

    /// Unix seconds.
    pub(super) fn unix_seconds(&self) -> u64 {
        self.unix_millis / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: f64) -> Time {
        Time::new(seconds).unwrap()
    }

    #[test]
    fn timers_come_in_order_and_equal_ones_as_they_were_set() {
        let mut timers = Timers::default();
        for (at, timer) in [(2.0, Timer::Heal), (1.0, Timer::View), (1.0, Timer::Join)] {
            timers.set(time(at), timer);
        }
        assert_eq!(timers.pop(time(0.5)), None);
        let order: Vec<_> = std::iter::from_fn(|| timers.pop(time(3.0))).collect();
        assert_eq!(order, [Timer::View, Timer::Join, Timer::Heal]);
    }

    #[test]
    fn a_pause_is_taken_out_of_time_and_a_small_delay_is_not() {
        let mut clock = Clock::new(time(10.0), 0);
        assert_eq!(clock.advance(time(11.9), Some(time(11.0)), 1.0), None);
        assert_eq!(clock.now, time(11.9));
        assert_eq!(clock.advance(time(32.0), Some(time(12.0)), 1.0), Some(20.0));
        assert_eq!(clock.now, time(12.0));
        assert_eq!(clock.outer(time(13.0)), time(33.0));
    }

    #[test]
    fn a_timer_is_due_at_its_own_deadline_whatever_the_pauses_were() {
        let mut clock = Clock::new(time(0.1), 0);
        let mut chance = crate::chance::Chance::new(1);
        let mut now = 0.1;
        for _ in 0..1_000 {
            let mut timers = Timers::default();
            timers.set(clock.after(chance.unit()), Timer::Heal);
            now += 3.0 * chance.unit();
            clock.advance(time(now), timers.next(), 1.0);
            if let Some(due) = timers.next() {
                now = now.max(clock.outer(due).seconds());
                clock.advance(time(now), timers.next(), 1.0);
                assert_eq!(timers.pop(clock.now), Some(Timer::Heal));
            }
        }
    }
}
