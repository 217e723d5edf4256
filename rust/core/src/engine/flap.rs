//! Members that go and return: each is shown again when it has been back for a moment, and one that does so all the time when
//! it has been here and quiet for a while (the idea of BGP's route flap damping, RFC 2439, which forgives what is away more
//! slowly, too: § 4.2).

use std::collections::HashMap;

use super::Engine;
use super::timers::Timer;
use crate::{IdHashBuilder, NodeId, Status, Time};

/// A penalty for each time a member went; it shrinks by one in [`FORGIVEN`] while the member is here.
#[derive(Debug, Clone)]
pub(super) struct Flaps {
    by_member: HashMap<NodeId, Flap, IdHashBuilder>,
    reported: HashMap<NodeId, (), IdHashBuilder>,
}

#[derive(Debug, Clone, Copy)]
struct Flap {
    penalty: f64,
    /// When the penalty was that: when the member went or came back.
    at: Time,
    away: bool,
    hidden: bool,
    /// How often it came back.
    returns: u64,
}

/// In seconds.
const FORGIVEN: f64 = 60.0;
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

    /// How a member that stands so is shown.
    pub(super) fn shown(&self, id: &NodeId, status: Status) -> Status {
        if self.hides(id) { status.max(Status::Unreachable) } else { status }
    }

    /// Whether a member that answers is kept out of the view.
    pub(super) fn hides(&self, id: &NodeId) -> bool {
        self.by_member.get(id).is_some_and(|flap| flap.hidden)
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
        self.by_member.retain(|_, flap| flap.hidden || flap.penalty(now) > 0.1);
    }
}

impl Engine {
    /// Counts a member that went, and hides one that came back.
    pub(super) fn note_flap(&mut self, id: &NodeId, before: Option<Status>, after: Status) {
        let gone = |status: Status| matches!(status, Status::Unreachable | Status::Dead);
        let went = before == Some(Status::Alive) && gone(after);
        let returned = before.is_some_and(gone) && after == Status::Alive;
        if !went && !returned {
            return;
        }
        let (now, allowed) = (self.clock.now, self.config.flaps_allowed);
        let new = Flap { penalty: 0.0, at: now, away: returned, hidden: false, returns: 0 };
        let flap = self.flaps.by_member.entry(*id).or_insert(new);
        // No more than what a quiet minute forgives.
        let penalty = (flap.penalty(now) + f64::from(u8::from(went))).min(allowed + 0.5);
        let returns = flap.returns + u64::from(returned);
        let damped = if penalty > allowed { (penalty - allowed / 2.0) * FORGIVEN } else { 0.0 };
        let hold = damped.max(self.config.return_hold);
        *flap = Flap { penalty, at: now, away: went, hidden: hold > 0.0, returns };
        if returned && hold > 0.0 {
            self.timers.set(self.clock.after(hold), Timer::Flap(*id, returns));
        }
    }

    /// Shows a member that has been back for long enough, if this was the last time that it came back.
    pub(super) fn flap_over(&mut self, id: NodeId, returns: u64) {
        let Some(flap) = self.flaps.by_member.get_mut(&id) else { return };
        if flap.returns != returns {
            return;
        }
        flap.hidden = false;
        if self.table.get(&id).is_some_and(|entry| entry.precedence.status() == Status::Alive) {
            self.note_view(&id, Some(Status::Unreachable));
        }
    }
}
