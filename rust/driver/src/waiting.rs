//! What waits for the application, and how much of it may.
//!
//! Changes of the view are joined: one batch waits, in which each member stands once. Suspicions likewise. Broadcasts wait up
//! to a bound, then an urgent one displaces an ordinary one and others are lost and counted. Of the rest, which is rare, the
//! latest [`REST`] wait. A descriptor is readable while anything waits.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use palaver_core::engine::{Change, Event};
use palaver_core::{NodeId, Priority};
use rustix::event::{EventfdFlags, eventfd};

/// So many of what is neither view, suspicion nor broadcast.
const REST: usize = 256;

/// What the application is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// By the engine.
    Engine(Event),
    /// So many broadcasts are lost.
    BroadcastsLost(u64),
    /// No beat for so many seconds.
    Blocked(f64),
    /// A beat after so many seconds.
    Unblocked(f64),
    /// Membership cannot be written.
    LogFailed(String),
    /// It is over.
    Stopped {
        /// How many have heard the goodbye.
        acknowledged: usize,
        /// Why, in a word or a sentence.
        why: String,
    },
}

/// The notices that wait, and the descriptor that says so.
#[derive(Debug)]
pub struct EventQueue {
    waiting: Mutex<Waiting>,
    signal: OwnedFd,
}

#[derive(Debug)]
struct Waiting {
    places: VecDeque<Place>,
    changes: BTreeMap<NodeId, Change>,
    suspicions: BTreeMap<NodeId, bool>,
    broadcasts: usize,
    rest: usize,
    bound: usize,
    lost: u64,
    lost_in_all: u64,
}

#[derive(Debug)]
enum Place {
    Changes,
    Suspicions,
    Broadcast { urgent: bool, event: Event },
    Rest(Notice),
    End(Notice),
}

impl EventQueue {
    /// Room for so many broadcasts.
    pub fn new(bound: usize) -> io::Result<Self> {
        let signal = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let waiting = Waiting {
            places: VecDeque::new(),
            changes: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            broadcasts: 0,
            rest: 0,
            bound,
            lost: 0,
            lost_in_all: 0,
        };
        Ok(Self { waiting: Mutex::new(waiting), signal })
    }

    /// Readable while something waits; closed with the queue.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.signal.as_raw_fd()
    }

    /// How many broadcasts have been lost so far.
    #[must_use]
    pub fn lost_in_all(&self) -> u64 {
        self.lock().lost_in_all
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a notice into its place.
    pub fn push(&self, notice: Notice) {
        let mut waiting = self.lock();
        let empty = waiting.places.is_empty();
        waiting.put(notice);
        if empty && !waiting.places.is_empty() {
            // Fails only when the counter is full, and then it is readable.
            let _ = rustix::io::write(&self.signal, &1_u64.to_ne_bytes());
        }
    }

    /// Takes all that waits, in order.
    pub fn drain(&self) -> Vec<Notice> {
        let mut waiting = self.lock();
        let _ = rustix::io::read(&self.signal, &mut [0; 8]); // nothing to read where nothing waits
        waiting.take()
    }
}

impl Waiting {
    fn put(&mut self, notice: Notice) {
        match notice {
            Notice::Engine(Event::View(changes)) => {
                if self.changes.is_empty() {
                    self.places.push_back(Place::Changes);
                }
                for change in changes {
                    self.changes
                        .entry(change.node)
                        .and_modify(|held| *held = Change { before: held.before, ..change })
                        .or_insert(change);
                }
            }
            Notice::Engine(Event::Suspected { node, suspect }) => {
                if self.suspicions.is_empty() {
                    self.places.push_back(Place::Suspicions);
                }
                self.suspicions.insert(node, suspect);
            }
            Notice::Engine(event @ Event::Broadcast { priority, .. }) => {
                self.put_broadcast(priority == Priority::Gone, event);
            }
            end @ Notice::Stopped { .. } => self.places.push_back(Place::End(end)),
            rest => {
                if self.rest == REST {
                    self.remove(|place| matches!(place, Place::Rest(_)));
                } else {
                    self.rest += 1;
                }
                self.places.push_back(Place::Rest(rest));
            }
        }
    }

    fn put_broadcast(&mut self, urgent: bool, event: Event) {
        if self.broadcasts < self.bound {
            self.broadcasts += 1;
        } else {
            self.lost += 1;
            self.lost_in_all += 1;
            if !urgent || !self.remove(|place| matches!(place, Place::Broadcast { urgent: false, .. })) {
                return;
            }
        }
        self.places.push_back(Place::Broadcast { urgent, event });
    }

    /// Removes the first such place; whether there was one.
    fn remove(&mut self, is_it: impl Fn(&Place) -> bool) -> bool {
        let at = self.places.iter().position(is_it);
        at.and_then(|at| self.places.remove(at)).is_some()
    }

    fn take(&mut self) -> Vec<Notice> {
        (self.broadcasts, self.rest) = (0, 0);
        let mut taken = Vec::with_capacity(self.places.len());
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            taken.push(Notice::BroadcastsLost(lost)); // first: what follows may build upon what is lost
        }
        for place in self.places.drain(..) {
            match place {
                Place::Changes => {
                    let changes: Vec<Change> = std::mem::take(&mut self.changes)
                        .into_values()
                        .filter(|change| change.before.is_some() || change.after.is_some())
                        .collect();
                    if !changes.is_empty() {
                        taken.push(Notice::Engine(Event::View(changes)));
                    }
                }
                Place::Suspicions => {
                    let told = std::mem::take(&mut self.suspicions).into_iter();
                    taken.extend(
                        told.map(|(node, suspect)| Notice::Engine(Event::Suspected { node, suspect })),
                    );
                }
                Place::Broadcast { event, .. } => taken.push(Notice::Engine(event)),
                Place::Rest(notice) | Place::End(notice) => taken.push(notice),
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use palaver_core::Status::{self, Alive, Dead, Unreachable};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn id(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 16])
    }

    fn view(node: u8, before: Option<Status>, after: Option<Status>, incarnation: u64) -> Notice {
        Notice::Engine(Event::View(vec![Change { node: id(node), before, after, incarnation }]))
    }

    fn broadcast(number: u8, priority: Priority) -> Notice {
        Notice::Engine(Event::Broadcast { origin: id(1), priority, payload: vec![number] })
    }

    fn payloads(notices: &[Notice]) -> Vec<u8> {
        let payload = |notice: &Notice| match notice {
            Notice::Engine(Event::Broadcast { payload, .. }) => Some(payload[0]),
            _ => None,
        };
        notices.iter().filter_map(payload).collect()
    }

    fn readable(queue: &EventQueue) -> bool {
        let mut fds = [PollFd::new(&queue.signal, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_something_waits() {
        let queue = EventQueue::new(4).unwrap();
        assert!(!readable(&queue));
        queue.push(Notice::Engine(Event::Joined));
        queue.push(Notice::Engine(Event::Alone));
        assert!(readable(&queue));
        assert_eq!(queue.drain(), [Notice::Engine(Event::Joined), Notice::Engine(Event::Alone)]);
        assert!(!readable(&queue));
        assert_eq!(queue.drain(), []);
    }

    #[test]
    fn changes_of_a_member_that_wait_become_one_in_the_place_of_the_first() {
        let queue = EventQueue::new(4).unwrap();
        queue.push(view(1, None, Some(Alive), 3));
        queue.push(Notice::Engine(Event::Joined));
        queue.push(view(2, Some(Alive), Some(Unreachable), 1));
        queue.push(view(1, Some(Alive), Some(Dead), 4));
        queue.push(view(3, None, Some(Alive), 1));
        queue.push(view(3, Some(Alive), None, 0));
        let changes = vec![
            Change { node: id(1), before: None, after: Some(Dead), incarnation: 4 },
            Change { node: id(2), before: Some(Alive), after: Some(Unreachable), incarnation: 1 },
        ];
        assert_eq!(queue.drain(), [Notice::Engine(Event::View(changes)), Notice::Engine(Event::Joined)]);
        queue.push(view(1, Some(Dead), Some(Alive), 5));
        assert_eq!(queue.drain(), [view(1, Some(Dead), Some(Alive), 5)]);
    }

    #[test]
    fn urgent_broadcasts_displace_ordinary_ones_and_the_lost_are_counted() {
        let queue = EventQueue::new(3).unwrap();
        for number in 0..5 {
            queue.push(broadcast(number, Priority::Application)); // 3 and 4 are lost
        }
        queue.push(broadcast(9, Priority::Gone)); // 0 is lost
        let told = queue.drain();
        assert_eq!(told[0], Notice::BroadcastsLost(3));
        assert_eq!(payloads(&told), [1, 2, 9]);
        for number in 0..5 {
            queue.push(broadcast(number, Priority::Gone)); // nobody to displace: 3 and 4 are lost
        }
        let told = queue.drain();
        assert_eq!((told[0].clone(), payloads(&told)), (Notice::BroadcastsLost(2), vec![0, 1, 2]));
        assert_eq!(queue.lost_in_all(), 5);
    }

    #[test]
    fn an_application_that_never_drains_costs_bounded_memory_and_hears_the_end() {
        let queue = EventQueue::new(8).unwrap();
        for round in 0..10_000_u32 {
            let node = (round % 5) as u8;
            queue.push(view(node, Some(Alive), Some(Dead), u64::from(round)));
            queue.push(Notice::Engine(Event::Suspected { node: id(node), suspect: round % 2 == 0 }));
            queue.push(broadcast(node, Priority::Application));
            queue.push(Notice::Engine(Event::Paused(f64::from(round))));
        }
        queue.push(Notice::Stopped { acknowledged: 2, why: "left".to_owned() });
        let told = queue.drain();
        assert_eq!(told.len(), 1 + 1 + 5 + 8 + REST + 1);
        assert!(told.contains(&Notice::Engine(Event::Paused(9_999.0))));
        assert_eq!(told.last(), Some(&Notice::Stopped { acknowledged: 2, why: "left".to_owned() }));
    }
}
