//! The promises of the cluster, checked over random faults.
//!
//! 1. Nodes with one view name one owner for each room.
//! 2. Incarnations never go down: not in a view, not over a restart.
//! 3. Who runs and is reachable is alive everywhere soon after the faults have stopped, and nobody else is. (Where fewer are left
//!    than a quorum they can prove nothing, and avoid those who do not answer.)
//! 4. A broadcast is told to the application at most once: after the faults to everybody, amid them to all who stay in reach.
//! 5. Who was banned stays out, after heals and restarts, as long as somebody is left who had heard of it.
//! 6. The log replayed gives the view that the node had.

use std::collections::{HashMap, HashSet};

use palaver_core::engine::{Admission, Ban, Command, Engine, Event, Rules};
use palaver_core::{ClusterTag, KeyManager, NodeId, Priority, Status, rendezvous};

use crate::amid::Amid;
use crate::chance::Chance;
use crate::network::LinkQuality;
use crate::run::configuration;
use crate::scenario::{Fault, Share};
use crate::timeline::{Action, Timeline};
use crate::world::{Told, World};

/// How long faults go on, in seconds.
pub const FAULTS: f64 = 50.0;
/// How long the cluster then has to find itself.
const CALM: f64 = 100.0;
/// When the administrator bans a node, if one is banned.
const BAN_AT: f64 = 20.0;
/// When something is broadcast that everybody must hear: in the calm.
const BROADCAST_AT: f64 = FAULTS + 85.0;
const ROOMS: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];

/// What has been seen so far.
struct Watch {
    /// How high the incarnations are known to be: by observer, its life and subject.
    incarnations: HashMap<(usize, u64, NodeId), u64>,
    /// The incarnation each place began its last life with, by id.
    lives: HashMap<NodeId, u64>,
    /// How often each node was told the broadcast.
    heard: Vec<usize>,
    banned: Option<(usize, NodeId)>,
    /// Who has taken the ban: places, and which of their disks it is on.
    holders: HashSet<(usize, u32)>,
    left: Vec<usize>,
    amid: Amid,
}

/// Runs random faults of a seed and returns what promise was broken. `break_rules` is given the rules of all nodes.
pub fn check(seed: u64, break_rules: impl Fn(&mut Rules)) -> Result<(), String> {
    history(seed, None, break_rules)
}

/// The same with these faults, which have to be over after [`FAULTS`] seconds.
pub fn check_under(faults: &[Fault], seed: u64) -> Result<(), String> {
    history(seed, Some(faults), |_| {})
}

fn history(seed: u64, faults: Option<&[Fault]>, break_rules: impl Fn(&mut Rules)) -> Result<(), String> {
    let mut chance = Chance::new(seed ^ 0x0050_524F_4D49_5345);
    let nodes = 4 + chance.below(9);
    let administrator = KeyManager::from_seed(&[200; 32]);
    let mut config = configuration(None, false);
    config.admission = Admission::Open { administrators: vec![*administrator.public_key().as_bytes()] };
    break_rules(&mut config.rules);
    let quality = LinkQuality { loss: 0.01, ..LinkQuality::default() };
    let zones = 1 + chance.below(3) as u32;
    let mut world = World::new(config, quality, nodes, zones, seed);
    world.keep_membership = true;
    let faults = faults.map_or_else(|| draw_faults(nodes, &mut chance), <[Fault]>::to_vec);
    let timeline = Timeline::draw(&faults, nodes, (quality.loss, quality.duplicate), &mut chance);
    let mut watch = Watch {
        incarnations: HashMap::new(),
        lives: HashMap::new(),
        heard: vec![0; nodes],
        banned: None,
        holders: HashSet::new(),
        left: Vec::new(),
        amid: Amid::new(FAULTS * Chance::new(seed ^ 0x414D_4944).unit(), nodes),
    };
    let fail = |what: String| format!("seed {seed}, {nodes} nodes, {zones} zones: {what}; faults {faults:?}");
    for node in 0..nodes {
        start(&mut world, node, &mut watch).map_err(&fail)?;
    }
    let ban = chance.happens(0.4).then(|| chance.below(nodes - 1) + 1);
    let mut actions = timeline.actions.into_iter().peekable();
    let mut broadcast = false;
    let mut at = 0.0;
    while at < FAULTS + CALM {
        at += 0.5;
        while let Some((when, action)) = actions.next_if(|(when, _)| *when <= at) {
            world.run(when, &mut |told| watch.told(told));
            act(&mut world, action, &mut watch).map_err(&fail)?;
        }
        world.run(at, &mut |told| watch.told(told));
        if let Some(node) = ban
            && watch.banned.is_none()
            && at >= BAN_AT
            && let Some(teller) = (0..nodes).find(|teller| *teller != node && watch.may_tell(&world, *teller))
        {
            let id = world.nodes[node].id;
            watch.banned = Some((node, id));
            let ban = Ban::sign(&administrator, ClusterTag::of(&world.config.cluster), &id);
            world.command(teller, Command::Ban(ban), &mut |_| {});
        }
        if at >= BROADCAST_AT && !broadcast {
            broadcast = true;
            let teller = (0..nodes).find(|node| watch.takes_part(&world, *node));
            if let Some(teller) = teller {
                let command =
                    Command::Broadcast { priority: Priority::Application, payload: b"promise".to_vec() };
                world.command(teller, command, &mut |_| {});
                watch.heard[teller] += 1;
            }
        }
        watch.note_holders(&world);
        watch.look_amid(&mut world, at);
        watch.incarnations_rise(&world).map_err(&fail)?;
        one_owner(&world).map_err(&fail)?;
    }
    watch.forget_a_lost_ban(&world);
    watch.all_is_well(&world).map_err(&fail)?;
    logs_replay(&mut world).map_err(&fail)
}

fn start(world: &mut World, node: usize, watch: &mut Watch) -> Result<(), String> {
    let id = world.nodes[node].id;
    world.start(node).map_err(|error| error.to_string())?;
    let incarnation = world.nodes[node].engine.as_ref().map_or(0, Engine::incarnation);
    if let Some(last) = watch.lives.insert(id, incarnation)
        && last >= incarnation
    {
        return Err(format!("node {node} began at incarnation {incarnation} after {last}"));
    }
    let restored = world.nodes[node].disk.membership.clone();
    world.command(node, Command::Restore(restored), &mut |_| {});
    let seeds = world.nodes.iter().take(3).map(|node| node.address).collect();
    world.command(node, Command::Join(seeds), &mut |_| {});
    Ok(())
}

fn act(world: &mut World, action: Action, watch: &mut Watch) -> Result<(), String> {
    match action {
        Action::Restart { node, lose_disk } => {
            // Whoever leaves or is killed for good in another fault does not come back from this one.
            if world.nodes[node].engine.is_some() || watch.left.contains(&node) {
                return Ok(());
            }
            if lose_disk {
                world.lose_disk(node);
            }
            return start(world, node, watch);
        }
        Action::Leave(node) => watch.left.push(node),
        Action::Crash(node) => {
            watch.amid.disturbed(node);
            if let Some(engine) = &world.nodes[node].engine {
                watch.lives.insert(engine.id(), engine.incarnation());
            }
        }
        _ => {}
    }
    action.apply(world, &mut |_| {}).map_err(|error| error.to_string())
}

impl Watch {
    fn told(&mut self, told: &Told<'_>) {
        self.amid.told(told);
        if let Event::Broadcast { payload, .. } = told.event
            && payload == b"promise"
        {
            self.heard[told.node] += 1;
        }
    }

    fn may_tell(&self, world: &World, node: usize) -> bool {
        world.is_running(node) && !self.left.contains(&node)
    }

    fn look_amid(&mut self, world: &mut World, at: f64) {
        let (left, banned) = (&self.left, self.banned.map(|(_, id)| id));
        self.amid.look(world, at, |world, node| {
            !left.contains(&node) && banned != Some(world.nodes[node].id) && world.is_running(node)
        });
    }

    fn note_holders(&mut self, world: &World) {
        let Some((_, id)) = self.banned else { return };
        for (index, node) in world.nodes.iter().enumerate() {
            if node.id != id && node.engine.as_ref().is_some_and(|e| e.status(&id) == Some(Status::Banned)) {
                self.holders.insert((index, node.lost_disks));
            }
        }
    }

    /// A ban whose holders have all left, lost their disks or died for good is known to nobody: whoever signed it has to give
    /// it to the cluster again.
    fn forget_a_lost_ban(&mut self, world: &World) {
        let remains = |(node, disks): &(usize, u32)| {
            world.nodes[*node].lost_disks == *disks && self.takes_part(world, *node)
        };
        if !self.holders.iter().any(remains) {
            self.banned = None;
        }
    }

    fn takes_part(&self, world: &World, node: usize) -> bool {
        let banned = self.banned.is_some_and(|(_, id)| id == world.nodes[node].id);
        // Who knows of its own ban has ended, also where nobody else knows of it any more.
        world.nodes[node].living().is_some() && !self.left.contains(&node) && !banned
    }

    fn incarnations_rise(&mut self, world: &World) -> Result<(), String> {
        for (observer, node) in world.nodes.iter().enumerate() {
            let Some(engine) = &node.engine else { continue };
            let life = self.lives.get(&engine.id()).copied().unwrap_or(0);
            for (subject, _) in engine.proven_standings() {
                let incarnation = engine.incarnation_of(&subject).unwrap_or(0);
                let last = self.incarnations.insert((observer, life, subject), incarnation);
                if last.is_some_and(|last| last > incarnation) {
                    return Err(format!(
                        "node {observer} saw {subject} go back to incarnation {incarnation}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn all_is_well(&self, world: &World) -> Result<(), String> {
        let taking_part: Vec<usize> =
            (0..world.nodes.len()).filter(|node| self.takes_part(world, *node)).collect();
        for &observer in &taking_part {
            let Some(engine) = &world.nodes[observer].engine else { continue };
            for &other in &taking_part {
                let status = engine.status(&world.nodes[other].id);
                if status != Some(Status::Alive) {
                    return Err(format!("node {observer} thinks that {other} is {status:?}"));
                }
            }
            if let Some((node, id)) = self.banned
                && engine.status(&id) != Some(Status::Banned)
            {
                return Err(format!("node {observer} thinks that banned {node} is {:?}", engine.status(&id)));
            }
            let quorum = world.config.quorum.min(engine.size().div_ceil(2));
            let avoided = |id: &NodeId| engine.member(id).is_some_and(|member| member.suspected);
            // Those who are left may be too few to prove anything: they avoid who does not answer, and that is all.
            let counts = |id: &NodeId| taking_part.len() >= quorum || !avoided(id);
            let alive =
                engine.standings().filter(|(id, status)| *status == Status::Alive && counts(id)).count();
            if alive != taking_part.len() {
                return Err(format!("node {observer} sees {alive} alive, {} are", taking_part.len()));
            }
            if self.heard[observer] != 1 {
                return Err(format!("node {observer} heard the broadcast {} times", self.heard[observer]));
            }
        }
        let mut roots: Vec<u128> =
            taking_part.iter().filter_map(|node| Some(world.nodes[*node].engine.as_ref()?.root())).collect();
        roots.dedup();
        self.amid.all_is_well()?;
        if roots.len() > 1 { Err(format!("{} different views", roots.len())) } else { Ok(()) }
    }
}

/// Nodes whose roots are equal give every room the same owner.
fn one_owner(world: &World) -> Result<(), String> {
    let mut owners: HashMap<u128, Vec<Vec<NodeId>>> = HashMap::new();
    for engine in world.nodes.iter().filter_map(|node| node.engine.as_ref()) {
        let members: Vec<(NodeId, u32)> = engine
            .proven_standings()
            .filter(|(_, status)| *status == Status::Alive)
            .map(|(id, _)| (id, 1))
            .collect();
        let named = ROOMS.iter().map(|room| rendezvous(room, &members, 1)).collect();
        let first = owners.entry(engine.root()).or_insert_with(|| Vec::clone(&named));
        if *first != named {
            return Err("two nodes of one view name different owners".to_owned());
        }
    }
    Ok(())
}

/// A node that is started from its log alone holds the view that the node had.
fn logs_replay(world: &mut World) -> Result<(), String> {
    for node in 0..world.nodes.len() {
        let Some(engine) = &world.nodes[node].engine else { continue };
        let own = engine.id();
        let mut before: Vec<_> = engine.proven_standings().filter(|(id, _)| *id != own).collect();
        before.sort_unstable();
        let log = world.nodes[node].disk.membership.clone();
        world.crash(node);
        world.start(node).map_err(|error| error.to_string())?;
        world.command(node, Command::Restore(log), &mut |_| {});
        let Some(engine) = &world.nodes[node].engine else { continue };
        let mut after: Vec<_> = engine.proven_standings().filter(|(id, _)| *id != own).collect();
        after.sort_unstable();
        if before != after {
            return Err(format!("node {node} had {before:?} and its log gives {after:?}"));
        }
    }
    Ok(())
}

/// A few random faults, all over by [`FAULTS`].
fn draw_faults(nodes: usize, chance: &mut Chance) -> Vec<Fault> {
    let mut faults = Vec::new();
    for _ in 0..1 + chance.below(4) {
        let at = 6.0 + 20.0 * chance.unit();
        let until = at + (FAULTS - at) * chance.unit();
        let some = Share::count(1 + chance.below((nodes / 3).max(1)));
        let fault = match chance.below(9) {
            0 => Fault::Crash { at, nodes: some, restart_after: Some(until - at), lose_disk: false },
            1 => Fault::Crash { at, nodes: some, restart_after: Some(until - at), lose_disk: true },
            2 => Fault::Crash { at, nodes: Share::count(1), restart_after: None, lose_disk: false },
            3 => {
                let timers_run = chance.happens(0.5);
                Fault::Block { timers_run, at, nodes: some, seconds: [0.5, 12.0], pause: [0.1, 5.0], until }
            }
            4 => {
                let (inbound_loss, outbound_loss) = (chance.unit(), chance.unit());
                Fault::Links { at, nodes: some, inbound_loss, outbound_loss, flip: None, until: Some(until) }
            }
            5 => {
                let (inbound_loss, flip) = (1.0, Some(2.0 + 5.0 * chance.unit()));
                Fault::Links { at, nodes: some, inbound_loss, outbound_loss: 0.0, flip, until: Some(until) }
            }
            6 => Fault::Partition { at, nodes: Share::count(1 + chance.below(nodes / 2)), until },
            7 => Fault::Weather { at, loss: 0.5 * chance.unit(), duplicate: 0.2, until },
            _ => match chance.below(3) {
                0 => Fault::Clock { at, nodes: some, by: 7_200.0 * (chance.unit() - 0.5) },
                1 => Fault::Leave { at, nodes: Share::count(1) },
                _ => Fault::Slow { at, nodes: some, by: 0.3 * chance.unit(), until },
            },
        };
        faults.push(fault);
    }
    faults
}
