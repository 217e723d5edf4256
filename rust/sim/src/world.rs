//! A cluster in virtual time: nodes, what is on its way between them, and what is wrong.
//!
//! Nothing depends on anything but the seed, so the same seed gives the same history, byte for byte.

use std::net::{Ipv4Addr, SocketAddr};

use palaver_core::engine::{
    Command, Engine, EngineConfig, Event, Identity, Input, LogRecord, Moment, Output, Sealing, SharedChecks,
};
use palaver_core::{Error, KeyManager, NodeMetadata, Time, first_incarnation};

use crate::chance::Chance;
use crate::network::{self, LinkQuality};
use crate::queue::{Happening, Queue};
use crate::recording::Recording;
use crate::sim_node::{Arrival, Disk, SimNode};

/// Where virtual time begins, in seconds; Unix time begins at [`EPOCH_MILLIS`].
pub const START: f64 = 1_000.0;
/// Unix time at the beginning, in milliseconds.
pub const EPOCH_MILLIS: u64 = 1_800_000_000_000;
const PORT: u16 = 7946;

/// Told to whoever watches.
#[derive(Debug)]
pub struct Told<'a> {
    /// When.
    pub at: f64,
    /// By which node.
    pub node: usize,
    /// What.
    pub event: &'a Event,
}

/// The cluster.
pub struct World {
    /// The configuration of all nodes.
    pub config: EngineConfig,
    /// How good the network is.
    pub quality: LinkQuality,
    /// All nodes by index.
    pub nodes: Vec<SimNode>,
    /// Everything random about the world.
    pub chance: Chance,
    /// How many inputs the engines have taken.
    pub handled: u64,
    /// Whether nodes keep the records of others on their disks; costs memory.
    pub keep_membership: bool,
    /// If set, every transmission is hashed into it: the history as one number.
    pub trace: Option<u64>,
    /// If set, every datagram and stream message is kept: who it was for, and what.
    pub capture: Option<Vec<(usize, bool, Vec<u8>)>>,
    /// If set, what one node is told is kept.
    pub recording: Option<Recording>,
    /// The nodes that lie, from their next start on.
    pub liars: Vec<usize>,
    seed: u64,
    pub(crate) now: f64,
    pub(crate) queue: Queue,
    output: Output,
}

impl World {
    /// A world of `nodes` places in `zones` zones in which nothing runs yet.
    #[must_use]
    pub fn new(mut config: EngineConfig, quality: LinkQuality, nodes: usize, zones: u32, seed: u64) -> Self {
        if config.rules.sealing == Sealing::Model && config.rules.shared.is_none() {
            config.rules.shared = Some(SharedChecks::default());
        }
        let chance = Chance::new(seed);
        let mut world = Self {
            config,
            quality,
            nodes: Vec::with_capacity(nodes),
            chance,
            handled: 0,
            keep_membership: false,
            trace: None,
            capture: None,
            recording: None,
            liars: Vec::new(),
            seed,
            now: START,
            queue: Queue::default(),
            output: Output::default(),
        };
        for index in 0..nodes {
            world.add_place(index, zones);
        }
        world
    }

    fn add_place(&mut self, index: usize, zones: u32) {
        let zone = if zones > 1 { index as u32 % zones } else { 0 };
        let name = if zones > 1 { format!("zone-{zone}") } else { String::new() };
        // Too short to be refused.
        let place = NodeMetadata::new("", name).unwrap_or_default();
        let (high, low) = ((index / 65_536) as u8, (index % 65_536) as u16);
        let ip = Ipv4Addr::new(10, high, (low >> 8) as u8, low as u8);
        let key = self.key(index, 0);
        self.nodes.push(SimNode::new(SocketAddr::from((ip, PORT)), zone, key, place));
    }

    fn key(&self, index: usize, disk: u32) -> [u8; 32] {
        let mut chance = Chance::new(self.seed ^ (index as u64) << 20 ^ u64::from(disk) << 52 ^ 0x5EED);
        let mut key = [0; 32];
        for word in key.chunks_exact_mut(8) {
            word.copy_from_slice(&chance.bits().to_le_bytes());
        }
        key
    }

    /// The public key of a node.
    #[must_use]
    pub fn public_key(&self, node: usize) -> [u8; 32] {
        *KeyManager::from_seed(&self.nodes[node].key).public_key().as_bytes()
    }

    /// Seconds since the beginning.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.now - START
    }

    /// The index of the node at an address.
    #[must_use]
    pub fn at(address: &SocketAddr) -> Option<usize> {
        let SocketAddr::V4(address) = address else { return None };
        let [ten, high, middle, low] = address.ip().octets();
        (ten == 10).then(|| usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }

    fn moment(&self, node: usize) -> Moment {
        let now = Time::new(self.now).unwrap_or(Time::ZERO);
        let unix = EPOCH_MILLIS as f64 + (self.now - START + self.nodes[node].clock_error) * 1000.0;
        Moment { now, unix_millis: unix.max(0.0) as u64 }
    }

    /// Starts the process at a place, with what its disk holds.
    pub fn start(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].starts += 1;
        let engine = self.engine(node, self.moment(node))?;
        let place = &mut self.nodes[node];
        place.engine = Some(engine);
        place.wake = f64::INFINITY;
        place.waiting.clear();
        place.blocked_until = 0.0;
        place.muffled_until = 0.0;
        self.schedule(node);
        Ok(())
    }

    /// An engine as the place has it when it starts at `moment`: two of one life do the same.
    pub fn engine(&self, node: usize, moment: Moment) -> Result<Engine, Error> {
        let mut config = self.config.clone();
        config.rules.lies = self.liars.contains(&node);
        let place = &self.nodes[node];
        let starts = u64::from(place.starts);
        let incarnation = first_incarnation(place.disk.ceiling, moment.unix_millis / 1000)?;
        let mut secret = place.key;
        secret[..8].copy_from_slice(&(self.seed ^ (node as u64) << 32 ^ starts).to_le_bytes());
        let identity = Identity {
            keys: KeyManager::from_seed(&place.key),
            name: format!("node-{node}"),
            address: place.address,
            place: place.place.clone(),
            incarnation,
            ceiling: place.disk.ceiling,
            exchange: secret,
            ticket: None,
        };
        let seed = Chance::new(self.seed ^ (node as u64) << 24 ^ starts << 56).bits();
        Engine::new(config, identity, seed, moment)
    }

    /// Kills the process; what was on its way to it is lost.
    pub fn crash(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        place.engine = None;
        place.waiting.clear();
        place.overtaken = None;
    }

    /// Replaces the disk of a stopped node: it will come back as somebody else.
    pub fn lose_disk(&mut self, node: usize) {
        let disks = self.nodes[node].lost_disks + 1;
        let key = self.key(node, disks);
        let place = &mut self.nodes[node];
        place.lost_disks = disks;
        place.disk = Disk::default();
        place.key = key;
        place.id = KeyManager::from_seed(&key).node_id();
    }

    /// Gives a stopped node the key of another: started, they are two processes of one node.
    pub fn share_key(&mut self, node: usize, with: usize) {
        let (key, id) = (self.nodes[with].key, self.nodes[with].id);
        (self.nodes[node].key, self.nodes[node].id) = (key, id);
    }

    /// Lets a node do nothing for so many seconds; what arrives waits in its socket.
    pub fn block(&mut self, node: usize, seconds: f64) {
        self.nodes[node].blocked_until = self.now + seconds;
        self.queue.put(self.now + seconds, Happening::Unblocks { node: node as u32 });
    }

    /// Holds up what a node sends and receives for so many seconds, while its timers go on: the slow message processing of
    /// the Lifeguard paper (§V-C).
    pub fn muffle(&mut self, node: usize, seconds: f64) {
        self.nodes[node].muffled_until = self.now + seconds;
        self.queue.put(self.now + seconds, Happening::Unblocks { node: node as u32 });
    }

    /// Whether a node runs and is not blocked.
    #[must_use]
    pub fn is_running(&self, node: usize) -> bool {
        self.nodes[node].engine.is_some() && self.nodes[node].blocked_until <= self.now
    }

    /// Gives a command to a running node.
    pub fn command(&mut self, node: usize, command: Command, watch: &mut dyn FnMut(&Told<'_>)) {
        self.handle(node, Input::Command(command), watch);
    }

    /// Delivers bytes as if they had come over the network now.
    pub fn inject(
        &mut self,
        node: usize,
        from: SocketAddr,
        bytes: &[u8],
        stream: bool,
        watch: &mut dyn FnMut(&Told<'_>),
    ) {
        let input = if stream { Input::Stream { from, bytes } } else { Input::Datagram { from, bytes } };
        self.handle(node, input, watch);
    }

    /// Lives until `until` seconds after the beginning.
    pub fn run(&mut self, until: f64, watch: &mut dyn FnMut(&Told<'_>)) {
        let until = START + until;
        while let Some((at, happening)) = self.queue.next(until) {
            self.now = self.now.max(at);
            match happening {
                Happening::Arrives { to, arrival } => self.arrives(to as usize, arrival, watch),
                Happening::Wakes { node } => self.wakes(node as usize, at, watch),
                Happening::Unblocks { node } => self.unblocks(node as usize, watch),
                Happening::Overdue { node, held } => self.overdue(node as usize, held, watch),
            }
        }
        self.now = self.now.max(until);
    }

    fn wakes(&mut self, node: usize, at: f64, watch: &mut dyn FnMut(&Told<'_>)) {
        if self.nodes[node].wake != at {
            return; // another deadline holds
        }
        self.nodes[node].wake = f64::INFINITY;
        if self.nodes[node].blocked_until > self.now {
            return; // when it goes on
        }
        self.handle(node, Input::Deadline, watch);
    }

    fn unblocks(&mut self, node: usize, watch: &mut dyn FnMut(&Told<'_>)) {
        if self.nodes[node].blocked_until.max(self.nodes[node].muffled_until) > self.now {
            return;
        }
        // Timers first, as a process finds them that stood still: what has come meanwhile is still in the socket.
        self.handle(node, Input::Deadline, watch);
        while let Some(arrival) = self.nodes[node].waiting.pop_front() {
            self.handle(node, arrival.input(), watch);
        }
        self.handle(node, Input::Deadline, watch);
    }

    pub(crate) fn handle(&mut self, node: usize, input: Input<'_>, watch: &mut dyn FnMut(&Told<'_>)) {
        let moment = self.moment(node);
        let mut output = std::mem::take(&mut self.output);
        if let Some(engine) = &mut self.nodes[node].engine {
            self.handled += 1;
            if let Some(recording) = &mut self.recording {
                recording.note(node, &input, moment);
            }
            let _ = engine.handle(input, moment, &mut output); // a refused command is the scenario's to notice
            self.act(node, &mut output, watch);
        }
        output.clear();
        self.output = output;
        self.schedule(node);
    }

    fn act(&mut self, node: usize, output: &mut Output, watch: &mut dyn FnMut(&Told<'_>)) {
        for record in output.log.drain(..) {
            match record {
                LogRecord::Ceiling(ceiling) => self.nodes[node].disk.ceiling = Some(ceiling),
                LogRecord::Membership(records) if self.keep_membership => {
                    self.nodes[node].disk.membership.extend_from_slice(&records);
                }
                LogRecord::Membership(_) => {}
            }
        }
        let from = self.nodes[node].address;
        for (transmission, stream) in
            output.datagrams.drain(..).map(|t| (t, false)).chain(output.streams.drain(..).map(|t| (t, true)))
        {
            if let Some(trace) = &mut self.trace {
                *trace = hash(*trace, node, &transmission.bytes);
            }
            let Some(to) = Self::at(&transmission.to).filter(|to| *to < self.nodes.len()) else { continue };
            if let Some(capture) = &mut self.capture {
                capture.push((to, stream, transmission.bytes.clone()));
            }
            let (source, target) = (self.nodes[node].links, self.nodes[to].links);
            let held_up = (self.nodes[node].muffled_until - self.now).max(0.0);
            let late = self.nodes[node].slowness + self.nodes[to].slowness + held_up;
            let delays = if stream {
                [network::stream(&self.quality, &source, &target, &mut self.chance), None]
            } else {
                network::datagram(&self.quality, &source, &target, &mut self.chance)
            };
            let arrival = Arrival { from, bytes: transmission.bytes, stream };
            if let Some(second) = delays[1] {
                let arrival = arrival.clone();
                self.queue.put(self.now + second + late, Happening::Arrives { to: to as u32, arrival });
            }
            if let Some(first) = delays[0] {
                self.queue.put(self.now + first + late, Happening::Arrives { to: to as u32, arrival });
            }
        }
        for event in output.events.drain(..) {
            watch(&Told { at: self.now - START, node, event: &event });
        }
    }

    fn schedule(&mut self, node: usize) {
        let Some(deadline) = self.nodes[node].engine.as_ref().and_then(Engine::deadline) else { return };
        let at = deadline.seconds().max(self.now);
        if at < self.nodes[node].wake {
            self.nodes[node].wake = at;
            self.queue.put(at, Happening::Wakes { node: node as u32 });
        }
    }

    /// A hash of the views of all running nodes.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let roots = self.nodes.iter().filter_map(|node| node.engine.as_ref()).map(Engine::root);
        roots.fold(0, |sum, root| hash(sum, 0, &root.to_le_bytes()))
    }

    /// How many different views the running nodes have; those that have left have none.
    #[must_use]
    pub fn views(&self) -> usize {
        let mut roots: Vec<u128> = self.nodes.iter().filter_map(SimNode::living).map(Engine::root).collect();
        roots.sort_unstable();
        roots.dedup();
        roots.len()
    }

    /// Has every running node know every other, as a cluster that has been running for long.
    pub fn introduce_all(&mut self) {
        let mut records = Vec::new();
        for node in &self.nodes {
            if let Some(engine) = &node.engine {
                records.extend_from_slice(&engine.snapshot());
            }
        }
        for node in 0..self.nodes.len() {
            self.command(node, Command::Restore(records.clone()), &mut |_| {});
        }
    }
}

fn hash(sum: u64, node: usize, bytes: &[u8]) -> u64 {
    let mut sum = (sum ^ node as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    sum
}
