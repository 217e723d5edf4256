//! A broadcast amid the faults: whoever nothing happens to while it spreads has to hear it.

use palaver_core::engine::{Command, Engine, Event};
use palaver_core::{Priority, Status};

use crate::network::NodeLinks;
use crate::world::{Told, World};

/// How long a broadcast may take to reach all, in seconds.
const SPREADS: f64 = 10.0;
const PAYLOAD: &[u8] = b"amid";

/// One broadcast, who has heard it, and who was in reach all the time.
pub(crate) struct Amid {
    at: f64,
    teller: Option<usize>,
    steady: Vec<bool>,
    heard: Vec<usize>,
}

impl Amid {
    /// Will be told at `at`.
    pub(crate) fn new(at: f64, nodes: usize) -> Self {
        Self { at, teller: None, steady: vec![true; nodes], heard: vec![0; nodes] }
    }

    /// Counts who hears it.
    pub(crate) fn told(&mut self, told: &Told<'_>) {
        if matches!(told.event, Event::Broadcast { payload, .. } if payload == PAYLOAD) {
            self.heard[told.node] += 1;
        }
    }

    /// A process began or ended: it need not have heard it.
    pub(crate) fn disturbed(&mut self, node: usize) {
        self.steady[node] &= self.teller.is_none();
    }

    /// Looks at the world at `now`; tells when it is time, by the first that may.
    pub(crate) fn look(&mut self, world: &mut World, now: f64, may_tell: impl Fn(&World, usize) -> bool) {
        let nodes = world.nodes.len();
        if self.teller.is_none() && now >= self.at {
            let well = |world: &World, node: &usize| is_well(world, *node) && may_tell(world, *node);
            let Some(teller) = (0..nodes).find(|node| well(world, node)) else { return };
            self.teller = Some(teller);
            self.at = now;
            let command = Command::Broadcast { priority: Priority::Application, payload: PAYLOAD.to_vec() };
            world.command(teller, command, &mut |_| {});
            self.heard[teller] += 1;
        }
        if self.teller.is_some() && now <= self.at + SPREADS {
            let well: Vec<usize> =
                (0..nodes).filter(|node| is_well(world, *node) && may_tell(world, *node)).collect();
            for node in 0..nodes {
                self.steady[node] &=
                    well.contains(&node) && well.iter().all(|other| sees(world, *other, node));
            }
        }
    }

    /// Who was in reach all the time and has not heard it once.
    pub(crate) fn all_is_well(&self) -> Result<(), String> {
        let Some(teller) = self.teller.filter(|teller| self.steady[*teller]) else { return Ok(()) };
        match (0..self.heard.len()).find(|node| self.steady[*node] && self.heard[*node] != 1) {
            None => Ok(()),
            Some(node) => Err(format!(
                "node {node} heard {} times what {teller} told amid the faults",
                self.heard[node]
            )),
        }
    }
}

/// Whether nothing is wrong with a node and its links.
fn is_well(world: &World, node: usize) -> bool {
    let place = &world.nodes[node];
    let well = NodeLinks { zone: place.links.zone, ..NodeLinks::default() };
    world.is_running(node) && place.links == well && place.muffled_until <= world.now() + crate::START
}

/// Whether a node has no proof that another one is out of reach.
fn sees(world: &World, observer: usize, subject: usize) -> bool {
    let id = world.nodes[subject].id;
    let mut standings = world.nodes[observer].engine.iter().flat_map(Engine::proven_standings);
    standings.any(|(other, status)| other == id && status < Status::Unreachable)
}
