//! What happens to whom and when: faults with their nodes drawn.

use palaver_core::engine::Command;
use palaver_core::{Error, Priority};

use crate::chance::Chance;
use crate::network::Late;
use crate::scenario::{Fault, Share};
use crate::world::{Told, World};

/// One kind of chaos, as it is from now on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Drop(f64),
    Delay(Late),
    Duplicate(f64),
    Reorder(Late),
}

/// One thing done to one node, or to all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    Crash(usize),
    Restart { node: usize, lose_disk: bool },
    Block { node: usize, seconds: f64, timers_run: bool },
    Links { node: usize, inbound_loss: f64, outbound_loss: f64 },
    Slow { node: usize, by: f64 },
    Chaos { node: usize, part: Part },
    Group { node: usize, group: u32 },
    Weather { loss: f64, duplicate: f64 },
    Clock { node: usize, by: f64 },
    Leave(usize),
    Rumour(usize),
}

impl Action {
    /// Does it. Who is started again has still to be told whom to join.
    pub(crate) fn apply(self, world: &mut World, watch: &mut dyn FnMut(&Told<'_>)) -> Result<(), Error> {
        match self {
            Self::Crash(node) => world.crash(node),
            Self::Restart { node, lose_disk } => {
                if lose_disk {
                    world.lose_disk(node);
                }
                world.start(node)?;
            }
            Self::Block { node, seconds, timers_run: false } => world.block(node, seconds),
            Self::Block { node, seconds, timers_run: true } => world.muffle(node, seconds),
            Self::Links { node, inbound_loss, outbound_loss } => {
                let links = &mut world.nodes[node].links;
                (links.inbound_loss, links.outbound_loss) = (inbound_loss, outbound_loss);
            }
            Self::Slow { node, by } => world.nodes[node].slowness = by,
            Self::Chaos { node, part } => {
                let chaos = &mut world.nodes[node].links.chaos;
                match part {
                    Part::Drop(p) => chaos.drop = p,
                    Part::Delay(late) => chaos.delay = late,
                    Part::Duplicate(p) => chaos.duplicate = p,
                    Part::Reorder(late) => chaos.reorder = late,
                }
            }
            Self::Group { node, group } => world.nodes[node].links.group = group,
            Self::Weather { loss, duplicate } => {
                (world.quality.loss, world.quality.duplicate) = (loss, duplicate);
            }
            Self::Clock { node, by } => world.nodes[node].clock_error += by,
            Self::Leave(node) => world.command(node, Command::Leave, watch),
            Self::Rumour(node) => {
                let payload = RUMOUR.to_vec();
                world.command(node, Command::Broadcast { priority: Priority::Application, payload }, watch);
            }
        }
        Ok(())
    }
}

/// What a rumour says.
pub(crate) const RUMOUR: &[u8] = b"rumour";

/// Actions by time, who is affected by any, and when the last fault ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    pub(crate) actions: Vec<(f64, Action)>,
    pub(crate) affected: Vec<bool>,
    pub(crate) first: f64,
    pub(crate) last: f64,
}

impl Timeline {
    pub(crate) fn draw(faults: &[Fault], nodes: usize, ordinary: (f64, f64), chance: &mut Chance) -> Self {
        let mut timeline = Self { affected: vec![false; nodes], ..Self::default() };
        for fault in faults {
            timeline.add(fault, nodes, ordinary, chance);
        }
        timeline.actions.sort_by(|a, b| a.0.total_cmp(&b.0)); // stable: as they were written
        timeline.first = timeline.actions.first().map_or(0.0, |(at, _)| *at);
        timeline.last = timeline.actions.last().map_or(0.0, |(at, _)| *at);
        timeline
    }

    fn put(&mut self, at: f64, action: Action) {
        self.actions.push((at, action));
    }

    fn add(&mut self, fault: &Fault, nodes: usize, ordinary: (f64, f64), chance: &mut Chance) {
        match *fault {
            Fault::Crash { at, nodes: some, restart_after, lose_disk } => {
                for node in self.draw_nodes(some.of(nodes), nodes, restart_after.is_none(), chance) {
                    self.put(at, Action::Crash(node));
                    if let Some(after) = restart_after {
                        self.put(at + after, Action::Restart { node, lose_disk });
                    }
                }
            }
            Fault::Block { timers_run, at, nodes: some, seconds, pause, until } => {
                for node in self.draw_nodes(some.of(nodes), nodes, true, chance) {
                    let between = |range: [f64; 2], chance: &mut Chance| {
                        range[0] + (range[1] - range[0]) * chance.unit()
                    };
                    let mut now = at + between(pause, chance) * chance.unit();
                    while now < until {
                        let length = between(seconds, chance).min(until - now);
                        self.put(now, Action::Block { node, seconds: length, timers_run });
                        now += length + between(pause, chance);
                    }
                }
            }
            Fault::Links { at, nodes: some, inbound_loss, outbound_loss, flip, until } => {
                let end = until.unwrap_or(f64::INFINITY);
                for node in self.draw_nodes(some.of(nodes), nodes, true, chance) {
                    let bad = Action::Links { node, inbound_loss, outbound_loss };
                    let good = Action::Links { node, inbound_loss: 0.0, outbound_loss: 0.0 };
                    self.put(at, bad);
                    if let Some(flip) = flip {
                        // Until the end of any scenario there is, where no end is given.
                        let last = end.min(at + 3_600.0);
                        let mut now = at + flip;
                        let mut turn = false;
                        while now < last {
                            self.put(now, if turn { bad } else { good });
                            turn = !turn;
                            now += flip;
                        }
                    }
                    if end.is_finite() {
                        self.put(end, good);
                    }
                }
            }
            Fault::Slow { at, nodes: some, by, until } => {
                for node in self.draw_nodes(some.of(nodes), nodes, true, chance) {
                    self.put(at, Action::Slow { node, by });
                    self.put(until, Action::Slow { node, by: 0.0 });
                }
            }
            Fault::Drop { at, nodes: some, p, until } => {
                let parts = (Part::Drop(p), Part::Drop(0.0));
                self.add_chaos((at, until), some, some.is_some(), parts, nodes, chance);
            }
            Fault::Delay { at, nodes: some, p, ms, until } => {
                let parts = (Part::Delay(Late { p, seconds: ms / 1000.0 }), Part::Delay(Late::default()));
                self.add_chaos((at, until), some, some.is_some(), parts, nodes, chance);
            }
            Fault::Duplicate { at, nodes: some, p, until } => {
                let parts = (Part::Duplicate(p), Part::Duplicate(0.0));
                self.add_chaos((at, until), some, false, parts, nodes, chance);
            }
            Fault::Reorder { at, nodes: some, p, ms, until } => {
                let parts = (Part::Reorder(Late { p, seconds: ms / 1000.0 }), Part::Reorder(Late::default()));
                self.add_chaos((at, until), some, false, parts, nodes, chance);
            }
            Fault::Partition { at, nodes: some, until } => {
                for node in self.draw_nodes(some.of(nodes), nodes, false, chance) {
                    self.put(at, Action::Group { node, group: 1 });
                    self.put(until, Action::Group { node, group: 0 });
                }
            }
            Fault::Weather { at, loss, duplicate, until } => {
                self.put(at, Action::Weather { loss, duplicate });
                self.put(until, Action::Weather { loss: ordinary.0, duplicate: ordinary.1 });
            }
            Fault::Clock { at, nodes: some, by } => {
                for node in self.draw_nodes(some.of(nodes), nodes, false, chance) {
                    self.put(at, Action::Clock { node, by });
                }
            }
            Fault::Leave { at, nodes: some } => {
                for node in self.draw_nodes(some.of(nodes), nodes, true, chance) {
                    self.put(at, Action::Leave(node));
                }
            }
            Fault::Rumour { at } => {
                for node in self.draw_nodes(1, nodes, false, chance) {
                    self.put(at, Action::Rumour(node));
                }
            }
        }
    }

    /// Chaos for some nodes, or for all.
    fn add_chaos(
        &mut self,
        (at, until): (f64, f64),
        some: Option<Share>,
        affects: bool,
        (bad, good): (Part, Part),
        nodes: usize,
        chance: &mut Chance,
    ) {
        let count = some.map_or(nodes, |some| some.of(nodes));
        for node in self.draw_nodes(count, nodes, affects, chance) {
            self.put(at, Action::Chaos { node, part: bad });
            self.put(until, Action::Chaos { node, part: good });
        }
    }

    /// Draws nodes, those first that nothing has been done to.
    fn draw_nodes(&mut self, count: usize, nodes: usize, affects: bool, chance: &mut Chance) -> Vec<usize> {
        let mut order = chance.pick(nodes, nodes);
        order.sort_by_key(|node| self.affected[*node]); // stable: the order within is that of the draw
        order.truncate(count);
        if affects {
            for node in &order {
                self.affected[*node] = true;
            }
        }
        order
    }
}
