//! Changes of the view in batches: a rack that fails is one change to the application, not forty.

use std::collections::HashMap;

use super::timers::Timer;
use super::{Change, Engine, Event, Output};
use crate::{IdHashBuilder, NodeId, Status};

/// How the members that have moved stood when the batch began.
#[derive(Debug, Clone)]
pub(super) struct Views {
    before: HashMap<NodeId, Option<Status>, IdHashBuilder>,
}

impl Views {
    pub(super) fn new(hasher: IdHashBuilder) -> Self {
        Self { before: HashMap::with_hasher(hasher) }
    }
}

impl Engine {
    /// Notes that a member that stood so has moved, or that its record is new.
    pub(super) fn note_view(&mut self, id: &NodeId, before: Option<Status>) {
        if self.views.before.is_empty() {
            self.timers.set(self.clock.after(self.config.view_window), Timer::View);
        }
        let before = before.map(|status| self.flaps.shown(id, status));
        self.views.before.entry(*id).or_insert(before);
    }

    /// How a member stands for the application: one that was away and has not been back for long is unreachable.
    #[must_use]
    pub fn status(&self, id: &NodeId) -> Option<Status> {
        Some(self.flaps.shown(id, self.table.get(id)?.precedence.status()))
    }

    pub(super) fn tell_view(&mut self, output: &mut Output) {
        let mut moved: Vec<_> = self.views.before.drain().collect();
        moved.sort_unstable_by_key(|(id, _)| *id);
        let changes: Vec<Change> = moved
            .into_iter()
            .map(|(node, before)| Change {
                node,
                before,
                after: self.status(&node),
                incarnation: self.table.get(&node).map_or(0, |entry| entry.precedence.incarnation()),
            })
            .filter(|change| {
                change.before != change.after || change.after.is_some() && !self.flaps.hides(&change.node)
            })
            .collect();
        if !changes.is_empty() {
            output.events.push(Event::View(changes));
        }
    }
}
