//! What is measured while a scenario runs.

use std::collections::{BTreeMap, HashMap};

use palaver_core::engine::{Change, Counters, Engine, Event};
use palaver_core::{NodeId, Status};

use crate::run::is_rumour;
use crate::scenario::Scenario;
use crate::sim_node::SimNode;
use crate::timeline::Timeline;
use crate::world::{Told, World};

/// What IP and UDP add to each datagram.
const UDP_HEADERS: f64 = 28.0;
/// What a TCP connection for one message costs beside its bytes: about eight segments of 40.
const TCP_SEGMENTS: f64 = 320.0;

/// The cluster at one moment.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Sample {
    /// Seconds since the beginning.
    pub at: f64,
    /// How many nodes run.
    pub running: usize,
    /// How many different views they have.
    pub views: usize,
    /// How many members they see taking part: the fewest, on average, the most.
    pub sizes: [f64; 3],
}

impl Sample {
    pub(crate) fn of(world: &World, at: f64) -> Self {
        let sizes: Vec<usize> = engines(world).map(Engine::size).collect();
        let mean = sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64;
        let least = sizes.iter().min().copied().unwrap_or(0) as f64;
        let most = sizes.iter().max().copied().unwrap_or(0) as f64;
        Self { at, running: sizes.len(), views: world.views(), sizes: [least, mean, most] }
    }
}

/// What came of one run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Numbers by name; times in seconds since the first fault unless said otherwise. What did not happen is missing.
    ///
    /// `unreachable_99`, `dead_99`: 99 % of the healthy nodes know of all affected ones. `out_for_good`: since when they have
    /// known and not forgotten. `one_view`: all views the same, every running node shown as alive by every other, and so for
    /// the rest of the run; since the last fault. `rumour_99`, `rumour_all`.
    /// `bytes_per_node`: sent each second, headers included. `false_unreachable`, `false_dead`: how often a node said so of a
    /// healthy one, `false_dead_healthy`: a healthy node did. `evicted`: healthy members that most healthy ones thought dead
    /// at some time. `handled`: inputs of all engines.
    pub measures: BTreeMap<&'static str, f64>,
    /// The cluster over time.
    pub samples: Vec<Sample>,
    /// How many nodes had heard the rumour, or knew of the affected nodes, when: seconds and share.
    pub spread: Vec<(f64, f64)>,
}

/// The names of [`Report::measures`], by which bars judge.
pub(crate) const MEASURES: [&str; 12] = [
    "bytes_per_node",
    "dead_99",
    "evicted",
    "false_dead",
    "false_dead_healthy",
    "false_unreachable",
    "handled",
    "one_view",
    "out_for_good",
    "rumour_99",
    "rumour_all",
    "unreachable_99",
];

/// Watches a run.
#[derive(Debug)]
pub(crate) struct Measure {
    affected: Vec<bool>,
    /// Affected nodes by id, and how many healthy ones think them out, or dead.
    subjects: HashMap<NodeId, [usize; 2]>,
    healthy_ids: HashMap<NodeId, usize>,
    healthy: usize,
    fault: Option<f64>,
    settle_from: f64,
    enough: [usize; 2],
    out_since: Option<f64>,
    knowing: f64,
    rumour: Option<f64>,
    heard: usize,
    one_view: Option<f64>,
    /// A node has been told since the last look that a member stands otherwise.
    moved: bool,
    traffic: Vec<(f64, Vec<Counters>)>,
    measures: BTreeMap<&'static str, f64>,
    dead_by: HashMap<NodeId, usize>,
    evicted: usize,
    samples: Vec<Sample>,
    spread: Vec<(f64, f64)>,
}

impl Measure {
    pub(crate) fn new(world: &World, timeline: &Timeline, scenario: &Scenario) -> Self {
        let affected = timeline.affected.clone();
        let ids = || world.nodes.iter().enumerate().map(|(index, node)| (node.id, index));
        let subjects: HashMap<_, _> =
            ids().filter(|(_, index)| affected[*index]).map(|(id, _)| (id, [0; 2])).collect();
        let healthy_ids: HashMap<_, _> = ids().filter(|(_, index)| !affected[*index]).collect();
        let zero = ["false_unreachable", "false_dead", "false_dead_healthy", "evicted"];
        Self {
            healthy: healthy_ids.len(),
            healthy_ids,
            subjects,
            affected,
            fault: None,
            settle_from: scenario.settle_from.unwrap_or(timeline.last),
            enough: [0; 2],
            out_since: None,
            knowing: 0.0,
            rumour: None,
            heard: 0,
            one_view: None,
            moved: false,
            traffic: Vec::new(),
            measures: zero.into_iter().map(|name| (name, 0.0)).collect(),
            dead_by: HashMap::new(),
            evicted: 0,
            samples: Vec::new(),
            spread: Vec::new(),
        }
    }

    /// A fault begins now.
    pub(crate) fn fault(&mut self, at: f64) {
        self.fault.get_or_insert(at);
    }

    /// A rumour begins now.
    pub(crate) fn rumour(&mut self, at: f64) {
        self.rumour = Some(at);
        self.heard = 1;
    }

    pub(crate) fn told(&mut self, told: &Told<'_>) {
        match told.event {
            Event::View(changes) => {
                for change in changes {
                    self.changed(told.at, told.node, change);
                }
            }
            event if is_rumour(event) => {
                self.heard += 1;
                let nodes = self.affected.len();
                let since = told.at - self.rumour.unwrap_or(told.at);
                self.spread.push((since, self.heard as f64 / nodes as f64));
                if self.heard == (nodes * 99).div_ceil(100) {
                    self.measures.insert("rumour_99", since);
                }
                if self.heard == nodes {
                    self.measures.insert("rumour_all", since);
                }
            }
            _ => {}
        }
    }

    fn changed(&mut self, at: f64, observer: usize, change: &Change) {
        self.moved |= change.before != change.after;
        let stands = |status: Option<Status>, least: Status| status.is_some_and(|status| status >= least);
        let observer_healthy = !self.affected[observer];
        if let Some(counts) = self.subjects.get_mut(&change.node) {
            if !observer_healthy {
                return;
            }
            let needed = (self.healthy * 99).div_ceil(100);
            for (level, least) in [Status::Unreachable, Status::Dead].into_iter().enumerate() {
                let before = stands(change.before, least);
                let after = stands(change.after, least) || (change.after.is_none() && before);
                if before == after {
                    continue;
                }
                let had = counts[level] >= needed;
                if after {
                    counts[level] += 1
                } else {
                    counts[level] -= 1
                }
                let has = counts[level] >= needed;
                if has != had {
                    if has { self.enough[level] += 1 } else { self.enough[level] -= 1 }
                }
                if level == 0 {
                    self.knowing += if after { 1.0 } else { -1.0 };
                }
            }
            self.note_outs(at);
        } else if self.healthy_ids.contains_key(&change.node) {
            let mut count = |name| *self.measures.entry(name).or_insert(0.0) += 1.0;
            let rose = |least| stands(change.after, least) && !stands(change.before, least);
            if rose(Status::Unreachable) {
                count("false_unreachable");
            }
            if rose(Status::Dead) {
                count("false_dead");
                if observer_healthy {
                    count("false_dead_healthy");
                    let by = self.dead_by.entry(change.node).or_insert(0);
                    *by += 1;
                    self.evicted += usize::from(*by == self.healthy / 2 + 1);
                }
            }
            if observer_healthy
                && stands(change.before, Status::Dead)
                && !stands(change.after, Status::Dead)
                && let Some(by) = self.dead_by.get_mut(&change.node)
            {
                *by = by.saturating_sub(1);
            }
        }
    }

    fn note_outs(&mut self, at: f64) {
        let Some(fault) = self.fault else { return };
        let all = self.subjects.len();
        for (level, name) in ["unreachable_99", "dead_99"].into_iter().enumerate() {
            if all > 0 && self.enough[level] == all {
                self.measures.entry(name).or_insert(at - fault);
            }
        }
        if self.enough[0] == all {
            self.out_since.get_or_insert(at - fault);
        } else {
            self.out_since = None;
        }
        if self.rumour.is_none() {
            self.spread.push((at - fault, self.knowing / (all * self.healthy) as f64));
        }
    }

    /// Compares views; whether they have been found to be one.
    pub(crate) fn look(&mut self, world: &World) -> bool {
        let at = world.now();
        if at <= self.settle_from {
            return false;
        }
        let running = engines(world).count();
        let complete = engines(world).all(|engine| engine.size() == running);
        let moved = std::mem::take(&mut self.moved);
        // A record that is signed anew, as each is every few hours, makes views differ for a moment and changes nothing in them:
        // so what has been one stays so until somebody is shown otherwise.
        let one = match self.one_view {
            Some(_) => complete && (!moved || all_alive(world)),
            None => complete && world.views() == 1 && all_alive(world),
        };
        if one {
            self.one_view.get_or_insert(at - self.settle_from);
        } else {
            self.one_view = None;
        }
        one
    }

    pub(crate) fn traffic(&mut self, world: &World) {
        self.traffic.push((world.now(), engines(world).map(Engine::counters).collect()));
    }

    pub(crate) fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    pub(crate) fn report(mut self, world: &World, seed: u64) -> Report {
        if let [(begin, before), (end, after)] = &self.traffic[..]
            && before.len() == after.len()
        {
            let bytes = |counters: &Counters| {
                counters.sent_bytes as f64
                    + counters.sent as f64 * UDP_HEADERS
                    + counters.stream_bytes as f64
                    + counters.streams as f64 * TCP_SEGMENTS
            };
            let sent: f64 = before.iter().zip(after).map(|(a, b)| bytes(b) - bytes(a)).sum();
            self.measures.insert("bytes_per_node", sent / (end - begin) / before.len() as f64);
        }
        if let Some(seconds) = self.one_view {
            self.measures.insert("one_view", seconds);
        }
        if let Some(seconds) = self.out_since
            && !self.subjects.is_empty()
        {
            self.measures.insert("out_for_good", seconds);
        }
        self.measures.insert("evicted", self.evicted as f64);
        self.measures.insert("handled", world.handled as f64);
        Report { seed, measures: self.measures, samples: self.samples, spread: self.spread }
    }
}

/// Whether no node shows another as out of reach. Each is asked: equal views are what is proven, and damping is each one's own.
fn all_alive(world: &World) -> bool {
    engines(world).all(|engine| engine.standings().all(|(_, status)| status != Status::Unreachable))
}

fn engines(world: &World) -> impl Iterator<Item = &Engine> {
    world.nodes.iter().filter_map(SimNode::living)
}
