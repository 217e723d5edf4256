//! The engine as a whole: its parts, how it starts, and where each input goes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::application::Broadcasts;
use super::budget::Budget;
use super::checks::Checks;
use super::config::{Detection, EngineConfig};
use super::contact::Contact;
use super::flap::Flaps;
use super::heal::{Seeds, quiet_time};
use super::health::LocalHealth;
use super::identity::Identity;
use super::leave::Leaving;
use super::line::Line;
use super::partition::Partition;
use super::probe::Probes;
use super::probe_order::ProbeOrder;
use super::round_trip::RoundTrips;
use super::second_look::SecondLooks;
use super::spread::Spread;
use super::suspicions::Suspicions;
use super::sync::Syncs;
use super::timers::{Clock, Timer, Timers};
use super::views::Views;
use super::{Ban, Certificate, Command, Counters, Event, Input, LogRecord, Moment, Output};
use crate::chance::Chance;
use crate::{
    BroadcastBuffer, ClusterTag, Error, FanoutStrategy, IdHashBuilder, MembershipTable, NodeId, NodeRecord,
    Precedence, Status, Time, Vitals, ceiling_for,
};

/// A cluster node without its sockets and clocks. The contract is on the first page of [`crate::engine`].
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) config: EngineConfig,
    pub(super) identity: Identity,
    pub(super) id: NodeId,
    pub(super) cluster: ClusterTag,
    pub(super) clock: Clock,
    pub(super) chance: Chance,
    pub(super) timers: Timers,
    pub(super) checks: Checks,
    pub(super) budget: Budget,
    pub(super) line: Line,
    pub(super) table: MembershipTable,
    pub(super) contacts: HashMap<NodeId, Arc<Contact>, IdHashBuilder>,
    pub(super) certificates: HashMap<NodeId, Certificate, IdHashBuilder>,
    pub(super) bans: HashMap<NodeId, Ban, IdHashBuilder>,
    pub(super) tombstones: HashMap<NodeId, Tombstone, IdHashBuilder>,
    pub(super) vitals: HashMap<NodeId, Vitals, IdHashBuilder>,
    /// When a node was last told something that it had not asked for.
    pub(super) answered: HashMap<NodeId, Time, IdHashBuilder>,
    pub(super) own: Own,
    pub(super) order: ProbeOrder,
    pub(super) probes: Probes,
    pub(super) health: LocalHealth,
    pub(super) round_trips: RoundTrips,
    pub(super) suspicions: Suspicions,
    pub(super) second_looks: SecondLooks,
    pub(super) partition: Partition,
    pub(super) flaps: Flaps,
    pub(super) buffer: BroadcastBuffer,
    pub(super) fanout: FanoutStrategy,
    pub(super) spread: Spread,
    pub(super) broadcasts: Broadcasts,
    pub(super) syncs: Syncs,
    pub(super) seeds: Seeds,
    pub(super) leaving: Leaving,
    pub(super) views: Views,
    pub(super) counters: Counters,
    /// Records joined in this call, for the log.
    pub(super) journal: Vec<u8>,
    /// What is joined comes from the log.
    pub(super) restoring: bool,
}

/// What the node says of itself.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) contact: Arc<Contact>,
    pub(super) vitals: Vitals,
    /// The vitals that were last spread.
    pub(super) beaten: Vitals,
    pub(super) beat_seq: u64,
    pub(super) beat_due: bool,
    /// Since when the record's key exchange has been known to others, as far as time goes.
    pub(super) since: Time,
    /// When it last answered what was said without proof.
    pub(super) doubted: Option<Time>,
    ceiling: Option<u64>,
}

/// A member that has been forgotten.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tombstone {
    pub(super) precedence: Precedence,
    /// By the wall clock, in milliseconds.
    pub(super) buried_at: u64,
    pub(super) since: Time,
}

impl Tombstone {
    /// Whether a record is of the life that ended: no later incarnation, and signed before the burial.
    pub(super) fn covers(&self, contact: &Contact) -> bool {
        self.precedence >= contact.precedence && contact.issued_at <= self.buried_at
    }
}

/// So often are tombstones, suspicions and the like looked through, in seconds.
const SWEEP: f64 = 10.0;

impl Engine {
    /// A node at the beginning of a life: it knows only itself. Give it [`Command::Restore`] and [`Command::Join`].
    pub fn new(config: EngineConfig, identity: Identity, seed: u64, moment: Moment) -> Result<Self, Error> {
        config.check()?;
        let mut chance = Chance::new(seed);
        let hasher = IdHashBuilder::new(chance.next());
        let id = identity.keys.node_id();
        let cluster = ClusterTag::of(&config.cluster);
        let checks = Checks::new(config.rules.shared.clone(), config.rules.check_signatures);
        let line = Line::new(&config, &identity, cluster, hasher)?;
        let clock = Clock::new(moment.now, moment.unix_millis);
        let life = line.life(config.rules.versions);
        let alive = Precedence::new(identity.incarnation, Status::Alive)?;
        let record = NodeRecord::sign_life(
            &identity.keys,
            alive,
            moment.unix_millis,
            &identity.name,
            &identity.address.to_string(),
            &identity.place,
            Some(&life),
            identity.ticket.as_ref(),
        )?;
        let contact = Arc::new(Contact::of(&record));
        let mut engine = Self {
            table: MembershipTable::new(id, config.max_members, hasher)?,
            contacts: HashMap::with_hasher(hasher),
            certificates: HashMap::with_hasher(hasher),
            bans: HashMap::with_hasher(hasher),
            tombstones: HashMap::with_hasher(hasher),
            vitals: HashMap::with_hasher(hasher),
            answered: HashMap::with_hasher(hasher),
            own: Own {
                contact: Arc::clone(&contact),
                vitals: Vitals::default(),
                beaten: Vitals::default(),
                beat_seq: 0,
                beat_due: false,
                since: moment.now,
                doubted: None,
                ceiling: identity.ceiling,
            },
            order: ProbeOrder::new(id, config.rules.detection == Detection::Observers),
            probes: Probes::new(hasher),
            health: LocalHealth::new(match config.rules.detection {
                Detection::Swim => 0,
                Detection::Observers | Detection::Memberlist => LocalHealth::MAX,
            }),
            round_trips: RoundTrips::new(config.probe_timeout_min, config.probe_timeout_max),
            suspicions: Suspicions::new(hasher),
            second_looks: SecondLooks::default(),
            partition: Partition::default(),
            flaps: Flaps::new(hasher),
            buffer: BroadcastBuffer::new(config.buffer_capacity, hasher)?,
            fanout: FanoutStrategy::new(chance.next()),
            spread: Spread::default(),
            broadcasts: Broadcasts::new(config.cache_capacity, config.max_members, hasher)?,
            syncs: Syncs::default(),
            seeds: Seeds::default(),
            leaving: Leaving::default(),
            views: Views::new(hasher),
            counters: Counters::default(),
            journal: Vec::new(),
            restoring: false,
            timers: Timers::default(),
            config,
            identity,
            id,
            cluster,
            clock,
            chance,
            checks,
            budget: Budget::default(),
            line,
        };
        engine.adopt(contact, alive);
        let phase = engine.chance.unit();
        engine.timers.set(engine.clock.after(engine.config.probe_interval * phase), Timer::Period);
        engine.timers.set(engine.clock.after(engine.config.heal_interval * phase), Timer::Heal);
        engine.timers.set(engine.clock.after(SWEEP * phase), Timer::Sweep);
        // Spread evenly from the first interval on, also where all have started at once; but not while they find each other.
        let interval = engine.config.resign_interval;
        let quiet = quiet_time(interval);
        let resign = quiet + (interval - quiet) * phase;
        engine.timers.set(engine.clock.after(resign), Timer::Resign);
        Ok(engine)
    }

    /// When to call [`Engine::handle`] with [`Input::Deadline`], by the clock of [`Moment::now`].
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.leaving.is_over() {
            return None;
        }
        self.timers.next().map(|due| self.clock.outer(due))
    }

    /// Whether this life is over: it has said goodbye or is banned, and takes and gives nothing any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.leaving.is_over()
    }

    /// Takes one input at `moment` and appends to `output` what is to be done.
    ///
    /// Nothing that comes over the network is an error for the caller: what is refused is counted. A command that cannot be
    /// carried out is an error, and nothing was changed.
    pub fn handle(&mut self, input: Input<'_>, moment: Moment, output: &mut Output) -> Result<(), Error> {
        if self.leaving.is_over() {
            return Ok(());
        }
        let limit = if self.config.rules.pause_guard { self.config.pause_limit } else { f64::INFINITY };
        self.clock.unix_millis = moment.unix_millis;
        if let Some(seconds) = self.clock.advance(moment.now, self.timers.next(), limit) {
            self.health.worse(1);
            output.events.push(Event::Paused(seconds));
        }
        self.reserve_incarnation(output); // the first one too
        let result = match input {
            Input::Datagram { from, bytes } => {
                self.receive(from, bytes, false, output);
                Ok(())
            }
            Input::Stream { from, bytes } => {
                self.receive(from, bytes, true, output);
                Ok(())
            }
            Input::Deadline => {
                while let Some(timer) = self.timers.pop(self.clock.now) {
                    self.due(timer, output);
                }
                Ok(())
            }
            Input::Command(command) => self.obey(command, output),
        };
        self.reserve_incarnation(output);
        if !self.journal.is_empty() {
            output.log.push(LogRecord::Membership(std::mem::take(&mut self.journal)));
        }
        result
    }

    fn due(&mut self, timer: Timer, output: &mut Output) {
        match timer {
            Timer::Period => self.period(output),
            Timer::Probe(nonce) => self.probe_waited(nonce, output),
            Timer::Relay(nonce) => self.relay_waited(nonce, output),
            Timer::Gossip => self.gossip(output),
            Timer::Death(subject, incarnation) => self.death(subject, incarnation, output),
            Timer::Zones(subject, incarnation) => self.certify(&subject, incarnation, true),
            Timer::Heal => self.heal(output),
            Timer::Resign => self.resign(),
            Timer::View => self.tell_view(output),
            Timer::Sweep => {
                self.sweep(output);
                self.timers.set(self.clock.after(SWEEP), Timer::Sweep);
            }
            Timer::Join => self.greet_seeds(output),
            Timer::Leave => self.leave_again(output),
            Timer::Flap(subject, returns) => self.flap_over(subject, returns),
            Timer::Beat => self.beat(),
            Timer::Sync => self.sync_again(output),
        }
    }

    fn obey(&mut self, command: Command, output: &mut Output) -> Result<(), Error> {
        match command {
            Command::Join(seeds) => self.join(seeds, output),
            Command::Restore(records) => self.restore(&records, output)?,
            Command::Leave => self.leave(output),
            Command::Broadcast { priority, payload } => self.broadcast(priority, &payload)?,
            Command::SetVitals(vitals) => self.set_vitals(vitals),
            Command::SetMetadata { name, place } => {
                let before = (std::mem::replace(&mut self.identity.name, name), self.identity.place.clone());
                self.identity.place = place;
                let incarnation = self.incarnation();
                if let Err(error) = self.issue(incarnation, Status::Alive) {
                    (self.identity.name, self.identity.place) = before;
                    return Err(error);
                }
            }
            Command::SetAdmission(admission) => self.config.admission = admission,
            Command::SetTicket(ticket) => {
                let before = self.identity.ticket.replace(ticket);
                let incarnation = self.incarnation();
                if let Err(error) = self.issue(incarnation, Status::Alive) {
                    self.identity.ticket = before;
                    return Err(error);
                }
            }
            Command::Ban(ban) => self.take_ban(ban, output)?,
            Command::ForceLeave(subject) => self.force_leave(subject),
            Command::Checkpoint => self.journal = self.snapshot(),
        }
        Ok(())
    }

    /// The incarnation this node is at.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.own.contact.precedence.incarnation()
    }

    /// Signs the own record at `incarnation` and spreads it.
    pub(super) fn issue(&mut self, incarnation: u64, status: Status) -> Result<(), Error> {
        let precedence = Precedence::new(incarnation, status)?;
        let issued_at = self.clock.unix_millis.max(self.own.contact.issued_at + 1);
        let record = NodeRecord::sign_life(
            &self.identity.keys,
            precedence,
            issued_at,
            &self.identity.name,
            &self.identity.address.to_string(),
            &self.identity.place,
            Some(&self.line.life(self.config.rules.versions)),
            self.identity.ticket.as_ref(),
        )?;
        let contact = Arc::new(Contact::of(&record));
        let refutes = precedence.incarnation() > self.incarnation();
        let before = std::mem::replace(&mut self.own.contact, Arc::clone(&contact));
        let renews = NodeRecord::renews(contact.bytes(), before.bytes());
        self.adopt(contact, precedence);
        self.queue_own(refutes, renews);
        Ok(())
    }

    /// Puts the own record into the table.
    fn adopt(&mut self, contact: Arc<Contact>, precedence: Precedence) {
        let now = self.clock.now;
        // The own row is always there, so neither can be refused.
        let _ = self.table.update(self.id, Some(precedence.incarnation()), precedence.status(), None, now);
        self.table.hold(&self.id, Arc::clone(&contact.held));
    }

    /// Has the log cover the incarnation in use before anything with it is sent.
    fn reserve_incarnation(&mut self, output: &mut Output) {
        if !self.config.rules.reserve_incarnations {
            return;
        }
        let ceiling = ceiling_for(self.incarnation(), self.own.ceiling);
        if let Some(ceiling) = ceiling.expect("a precedence holds no incarnation above the last") {
            self.own.ceiling = Some(ceiling);
            output.log.push(LogRecord::Ceiling(ceiling));
        }
    }

    /// The gossip address of a member.
    pub(super) fn address(&self, id: &NodeId) -> Option<SocketAddr> {
        self.contacts.get(id)?.address
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
