//! Members that go and return all the time: they stay unreachable to the application until they have been here and quiet for a
//! while (the idea of BGP's route flap damping, RFC 2439, which forgives what is away more slowly, too: § 4.2).

use std::collections::HashMap;

use super::Engine;
use super::timers::Timer;
use crate::{IdHashBuilder, NodeId, Status, Time};

/// A penalty for each time a member went; it shrinks by one in [`FORGIVEN`] while the member is here.
#[derive(Debug)]
pub(super) struct Flaps {
    by_member: HashMap<NodeId, Flap, IdHashBuilder>,
    reported: HashMap<NodeId, (), IdHashBuilder>,
}

#[derive(Debug, Clone, Copy)]
struct Flap {
    penalty: f64,
    /// When the penalty was that.
    at: Time,
    away: bool,
    damped: bool,
}

/// In seconds.
const FORGIVEN: f64 = 60.0;
const LOOK_AGAIN: f64 = 5.0;
const MAX_REPORTED: usize = 1 << 10;

impl Flap {
    fn penalty(&self, now: Time) -> f64 {
        let here = if self.away { 0.0 } else { now.since(self.at) };
        (self.penalty - here / FORGIVEN).max(0.0)
    }
}

impl Flaps {
    pub(super) fn new(hasher: IdHashBuilder) -> Self {
        Self { by_member: HashMap::with_hasher(hasher), reported: HashMap::with_hasher(hasher) }
    }

    /// Whether a member is kept out of the view although it answers.
    pub(super) fn is_damped(&self, id: &NodeId) -> bool {
        self.by_member.get(id).is_some_and(|flap| flap.damped)
    }

    /// Whether a lie of this member may be reported: once each, and not for ever.
    pub(super) fn may_report(&mut self, id: &NodeId) -> bool {
        self.reported.len() < MAX_REPORTED && self.reported.insert(*id, ()).is_none()
    }

    pub(super) fn forget(&mut self, id: &NodeId) {
        self.by_member.remove(id);
    }

    /// Forgets whoever has been quiet.
    pub(super) fn sweep(&mut self, now: Time) {
        self.by_member.retain(|_, flap| flap.damped || flap.penalty(now) > 0.1);
    }
}

impl Engine {
    /// Counts a member that went, and notes when it is back.
    pub(super) fn note_flap(&mut self, id: &NodeId, before: Option<Status>, after: Status) {
        let now = self.clock.now;
        if after == Status::Alive
            && let Some(flap) = self.flaps.by_member.get_mut(id)
        {
            *flap = Flap { penalty: flap.penalty(now), at: now, away: false, damped: flap.damped };
        }
        let went = before == Some(Status::Alive) && matches!(after, Status::Unreachable | Status::Dead);
        if !went {
            return;
        }
        let allowed = self.config.flaps_allowed;
        let new = Flap { penalty: 0.0, at: now, away: false, damped: false };
        let flap = self.flaps.by_member.entry(*id).or_insert(new);
        // No more than what a quiet minute forgives.
        let penalty = (flap.penalty(now) + 1.0).min(allowed + 0.5);
        *flap = Flap { penalty, at: now, away: true, damped: flap.damped };
        if flap.penalty > allowed && !flap.damped {
            flap.damped = true;
            self.timers.set(self.clock.after(LOOK_AGAIN), Timer::Flap(*id));
        }
    }

    /// Looks whether a damped member has been quiet for long enough.
    pub(super) fn flap_over(&mut self, id: NodeId) {
        let Some(flap) = self.flaps.by_member.get_mut(&id) else { return };
        if flap.penalty(self.clock.now) > self.config.flaps_allowed / 2.0 {
            self.timers.set(self.clock.after(LOOK_AGAIN), Timer::Flap(id));
            return;
        }
        flap.damped = false;
        if self.table.get(&id).is_some_and(|entry| entry.precedence.status() == Status::Alive) {
            self.note_view(&id, Some(Status::Unreachable));
        }
    }
}
