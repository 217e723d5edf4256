//! What is still to happen in a simulated world.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sim_node::Arrival;

/// What can happen to a node.
#[derive(Debug)]
pub(crate) enum Happening {
    Arrives { to: u32, arrival: Arrival },
    Wakes { node: u32 },
    Unblocks { node: u32 },
    Overdue { node: u32, held: u64 },
}

/// Ordered by time and then by when they were put in. The heap holds places, so that little is moved in it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    places: Vec<Option<Happening>>,
    free: Vec<usize>,
    count: u64,
}

impl Queue {
    /// Has something happen at `at` seconds, which are not negative: their bits are in the same order.
    pub(crate) fn put(&mut self, at: f64, happening: Happening) {
        let place = if let Some(place) = self.free.pop() {
            self.places[place] = Some(happening);
            place
        } else {
            self.places.push(Some(happening));
            self.places.len() - 1
        };
        self.count += 1;
        self.heap.push(Reverse((at.to_bits(), self.count, place)));
    }

    /// Takes what happens next and when, if that is not after `until`.
    pub(crate) fn next(&mut self, until: f64) -> Option<(f64, Happening)> {
        let Reverse((bits, _, place)) = *self.heap.peek()?;
        let at = f64::from_bits(bits);
        if at > until {
            return None;
        }
        self.heap.pop();
        self.free.push(place);
        self.places[place].take().map(|happening| (at, happening))
    }
}
