//! From unreachable to dead: Lifeguard's time, the brake that holds it, and an operator's word.

use std::f64::consts::LN_10;

use super::config::Detection;
use super::timers::Timer;
use super::{Engine, Output};
use crate::chance::ln;
use crate::{NodeId, Precedence, Status, Time};

/// Deaths that were held are spread over so many seconds: what the first to be declared makes known need not be said again.
const HELD_SPREAD: f64 = 4.0;

/// A cluster of fewer than a hundred takes as long as one of a hundred: a process that stood still for five seconds, for a
/// debugger or a snapshot of its machine, is back before it is dead. Lifeguard's scale alone gives it four in a cluster of ten.
const LEAST_SCALE: f64 = 2.0;

impl Engine {
    /// Sets the time after which an unreachable member is dead: Lifeguard's, shrunk by independent confirmations
    /// (Lifeguard §III-B).
    pub(super) fn await_death(&mut self, subject: &NodeId, incarnation: u64, accusers: usize) {
        let (least, most, needed) = match self.config.rules.detection {
            Detection::Observers => {
                (self.config.dead_factor, self.config.dead_factor_unconfirmed, self.config.quorum - 1)
            }
            Detection::Memberlist => (4.0, 6.0, 2),
            Detection::Swim => (5.0, 1.0, 1),
        };
        let confirmations = accusers.saturating_sub(1).min(needed) as f64;
        let confirmed = if needed == 0 { 1.0 } else { ln(1.0 + confirmations) / ln(1.0 + needed as f64) };
        let factor = most - (most - 1.0) * confirmed;
        // A little apart, so that the first to be through tells all others.
        let jitter = match self.config.rules.detection {
            Detection::Observers => 1.0 + 0.2 * self.chance.unit(),
            Detection::Memberlist | Detection::Swim => 1.0,
        };
        let wait = least * self.time_scale() * factor * jitter;
        self.timers.set(self.clock.after(wait), Timer::Death(*subject, incarnation));
    }

    /// What the times of suspicion grow with: the periods that news needs to reach all.
    fn time_scale(&self) -> f64 {
        let members = (self.order.members().len() + 1) as f64;
        let least = match self.config.rules.detection {
            Detection::Observers => LEAST_SCALE,
            Detection::Memberlist | Detection::Swim => 1.0,
        };
        (ln(members) / LN_10).max(least) * self.config.probe_interval
    }

    /// The time of an unreachable member is up.
    pub(super) fn death(&mut self, subject: NodeId, incarnation: u64, output: &mut Output) {
        let waiting = match self.config.rules.detection {
            Detection::Observers => Status::Unreachable,
            Detection::Memberlist | Detection::Swim => Status::Suspect,
        };
        let standing = self.table.get(&subject).map(|entry| entry.precedence);
        if standing.is_none_or(|held| held.status() != waiting || held.incarnation() != incarnation) {
            return;
        }
        self.watch_partition(output);
        let grace = self.config.dead_factor * self.time_scale();
        let hold = self.config.partition_hold;
        if let Some(end) = self.partition.holds_deaths_until(self.clock.now, hold, grace) {
            let spread = HELD_SPREAD * self.chance.unit();
            let again = Time::new(end.seconds() + spread).unwrap_or(end);
            self.timers.set(again, Timer::Death(subject, incarnation));
            return;
        }
        if let Ok(dead) = Precedence::new(incarnation, Status::Dead) {
            self.set_status(&subject, dead);
        }
    }

    /// An operator says that an unreachable member will not come back.
    pub(super) fn force_leave(&mut self, subject: NodeId) {
        let Some(held) = self.table.get(&subject).map(|entry| entry.precedence) else { return };
        if held.status() == Status::Unreachable
            && let Ok(dead) = Precedence::new(held.incarnation(), Status::Dead)
        {
            self.set_status(&subject, dead);
        }
    }
}
