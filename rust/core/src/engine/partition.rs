//! When so many are out of reach that the network must be at fault.

use super::{Engine, Event, Output};
use crate::{NodeId, Status, Time};

/// Counts members by how they stand, and knows whether deaths are held.
#[derive(Debug, Clone, Default)]
pub(super) struct Partition {
    by_status: [usize; 6],
    since: Option<Time>,
    ended: Option<Time>,
}

/// A cluster of few can lose this many without a word of partitions.
const FEW: usize = 3;

impl Partition {
    /// A member's standing has changed.
    pub(super) fn count(&mut self, before: Option<Status>, after: Option<Status>) {
        if let Some(before) = before {
            let count = &mut self.by_status[before as usize];
            *count = count.saturating_sub(1);
        }
        if let Some(after) = after {
            self.by_status[after as usize] += 1;
        }
    }

    /// How many others stand so.
    pub(super) fn with(&self, status: Status) -> usize {
        self.by_status[status as usize]
    }

    /// Until when at least no member is declared dead, if deaths are held at `now`: while a partition is suspected, but not for
    /// longer than `longest`, and for `grace` seconds after, in which those who were out of reach can answer.
    pub(super) fn holds_deaths_until(&self, now: Time, longest: f64, grace: f64) -> Option<Time> {
        let end = |from: Option<Time>, seconds| from.map_or(0.0, |from| from.seconds() + seconds);
        let suspected = end(self.since, longest).min(now.seconds() + grace); // it may end this very moment
        Time::new(suspected.max(end(self.ended, grace))).ok().filter(|end| *end > now)
    }

    pub(super) fn is_suspected(&self) -> bool {
        self.since.is_some()
    }
}

impl Engine {
    /// How many members do not answer, as far as this node knows: proven to be out of reach, or missed by itself.
    pub(super) fn out_of_reach(&self) -> usize {
        let alive = |id: &&NodeId| {
            self.table.get(id).is_some_and(|entry| entry.precedence.status() < Status::Unreachable)
        };
        self.partition.with(Status::Unreachable) + self.suspicions.own().filter(alive).count()
    }

    /// Looks whether too many are out of reach.
    pub(super) fn watch_partition(&mut self, output: &mut Output) {
        if !self.config.rules.brake {
            return;
        }
        let others = self.order.members().len();
        let unreachable = self.out_of_reach();
        let many = unreachable > FEW.max((self.config.mass_share * others as f64) as usize);
        if many && self.partition.since.is_none() {
            self.partition.since = Some(self.clock.now);
            output.events.push(Event::PartitionSuspected { unreachable, members: others + 1 });
        } else if !many && self.partition.since.is_some() {
            self.partition.since = None;
            self.partition.ended = Some(self.clock.now);
            output.events.push(Event::PartitionEnded);
        }
    }
}
