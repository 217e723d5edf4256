//! Clients that come and go.

use crate::client::State;
use crate::driver::{Driver, SECOND};
use crate::plan::Pace;

/// How long a server may take to close after a goodbye.
const GOODBYE: u64 = 2 * SECOND;

impl Driver {
    /// Whether a client that is away is to come at once.
    pub(crate) fn comes_again(&self, index: usize) -> bool {
        let stage = self.plan.clients[index].churns.map(|stage| self.plan.stages[stage].pace);
        self.flowing() && stage == Some(Pace::Churn { rate: None })
    }

    /// Lets a client of this stage come, which was due at `at`.
    pub(crate) fn let_one_come(&mut self, stage: usize, at: u64) {
        let away = |index: &usize| {
            self.plan.clients[*index].churns == Some(stage) && self.clients[*index].state == State::Away
        };
        match self.churning.iter().position(away) {
            Some(place) => {
                let index = self.churning.remove(place);
                // To the end, so that all take part and the next one is found early.
                self.churning.push(index);
                self.open(index);
                self.clients[index].since = at;
            }
            None => self.stages[stage].left_out += 1,
        }
    }

    /// Lets clients that churn come again, and ends goodbyes that take too long.
    pub(crate) fn mind_churning(&mut self) {
        for place in 0..self.churning.len() {
            let index = self.churning[place];
            match self.clients[index].state {
                State::Away if self.comes_again(index) && self.clients[index].since <= self.now => {
                    self.open(index)
                }
                State::Leaving if self.clients[index].since + GOODBYE < self.now => {
                    self.notes.refused("no goodbye from the server", b"", None);
                    self.lost(index, "no goodbye");
                }
                _ => {}
            }
        }
    }
}
