//! ProductionNode: the engine without sockets, for embedding and tests.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use palaver_core::engine::{Command, Engine, EngineConfig, Identity, Input, Member, Moment, Output};
use palaver_core::{NodeId, Priority, Status, Time, Vitals, first_incarnation};
use palaver_driver::Notice;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::arguments::{Instance, LentOctets, Octets, maybe_truth, truth};
use crate::cluster_arguments::{
    Keys, address as parse_address, addresses as parse_addresses, admission, configure,
    ticket as ticket_argument,
};
use crate::cluster_driver::engine_counters;
use crate::convert::{
    self, Number, OwnText, Pairs, StatusArgument, TextArgument, random, seconds, status_text,
};
use crate::error::{ArgumentError, Refused, StoppedError};
use crate::events;
use crate::keys::KeyManager;
use crate::listed::Listed;
use crate::local_engine::LocalEngine;
use crate::lock::Locked;
use crate::names::{id_text, shown};
use crate::node::NodeMetadata;
use crate::whole;

/// Packets that answer packets: an exchange in one process ends after so many rounds.
const ROUNDS: usize = 16;

/// The local participant. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct ProductionNode {
    id: NodeId,
    address: SocketAddr,
    local: Locked<LocalEngine>,
}

/// An address of the loopback that no two nodes share by accident: for nodes that only meet in one process.
fn address_of(id: &NodeId) -> SocketAddr {
    let [a, b, c, d, e, ..] = *id.as_bytes();
    SocketAddr::from((Ipv4Addr::new(127, a, b, c), 1_024 + u16::from_le_bytes([d, e]) % 60_000))
}

impl ProductionNode {
    /// Does something at `now`, without the interpreter.
    fn act<R: Send>(
        &self,
        py: Python<'_>,
        now: Option<Number>,
        action: impl FnOnce(&mut LocalEngine, Time) -> Result<R, Refused> + Send,
    ) -> PyResult<R> {
        let now = convert::now(py, now)?;
        Ok(py.detach(|| {
            let mut local = self.local.lock_detached();
            let now = if now >= local.latest { now } else { local.latest };
            local.latest = now;
            action(&mut local, now)
        })?)
    }

    /// Does something that a node which has left cannot do.
    fn act_alive<R: Send>(
        &self,
        py: Python<'_>,
        now: Option<Number>,
        action: impl FnOnce(&mut LocalEngine, Time) -> Result<R, Refused> + Send,
    ) -> PyResult<R> {
        if self.local.lock(py).stopped {
            return Err(StoppedError::new_err("the node has left or is banned; nothing was changed"));
        }
        self.act(py, now, action)
    }

    fn ask<R: Send>(&self, py: Python<'_>, question: impl FnOnce(&Engine) -> R + Send) -> R {
        py.detach(|| question(&self.local.lock_detached().engine))
    }
}

#[pymethods]
impl ProductionNode {
    #[new]
    #[pyo3(signature = (name = TextArgument(""), keys = None, *, address = None, metadata = None, cluster = TextArgument("palaver"), authorities = None,
                        allowed_keys = None, administrators = None, ticket = None, settings = None, seed = None, now = None,
                        unix_time = None), text_signature = "(name='', keys=None, *, address=None, metadata=None, cluster='palaver', authorities=None, allowed_keys=None, administrators=None, ticket=None, settings=None, seed=None, now=None, unix_time=None)")]
    #[expect(clippy::too_many_arguments, reason = "by name in Python")]
    fn new(
        py: Python<'_>,
        name: TextArgument<'_>,
        keys: Option<Instance<'_, KeyManager>>,
        address: Option<TextArgument<'_>>,
        metadata: Option<Instance<'_, NodeMetadata>>,
        cluster: TextArgument<'_>,
        authorities: Keys,
        allowed_keys: Keys,
        administrators: Keys,
        ticket: Option<LentOctets<'_>>,
        settings: Option<Pairs<'_>>,
        #[pyo3(from_py_with = whole::maybe_seed)] seed: Option<u64>,
        now: Option<Number>,
        unix_time: Option<Number>,
    ) -> PyResult<Self> {
        let mut config = EngineConfig::new(cluster.0, admission(authorities, allowed_keys, administrators)?);
        configure(&mut config, settings)?;
        let keys = match keys {
            Some(keys) => (*keys.keys(py)).clone(),
            None => palaver_core::KeyManager::from_seed(&random()?),
        };
        let id = keys.node_id();
        let address = address.map_or_else(|| Ok(address_of(&id)), |given| parse_address(given.0))?;
        let now = convert::now(py, now)?;
        let unix = match unix_time {
            Some(given) => seconds(given)?.seconds(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
        };
        let unix_at_zero = (unix - now.seconds()) * 1_000.0;
        let exchange = match seed {
            None => random()?,
            Some(seed) => {
                let mut exchange = [0; 32];
                exchange[..8].copy_from_slice(&seed.to_le_bytes());
                exchange[8..16].copy_from_slice(&unix.to_le_bytes());
                exchange[16..].copy_from_slice(id.as_bytes());
                exchange
            }
        };
        let seed = seed.map_or_else(|| random().map(u64::from_le_bytes), Ok)?;
        let identity = Identity {
            keys,
            name: name.0.to_owned(),
            address,
            place: metadata.map(|given| given.0.clone()).unwrap_or_default(),
            incarnation: first_incarnation(None, unix as u64).map_err(Refused::from)?, // saturates
            ceiling: None,
            exchange,
            ticket: ticket_argument(ticket)?,
        };
        let moment = Moment { now, unix_millis: (unix * 1_000.0) as u64 };
        let engine = Engine::new(config, identity, seed, moment).map_err(Refused::from)?;
        let local = LocalEngine {
            engine,
            unix_at_zero,
            latest: now,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            output: Output::default(),
            vitals: Vitals::default(),
            stopped: false,
        };
        Ok(Self { id, address, local: Locked::new(local) })
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> String {
        self.ask(py, |engine| engine.member(&engine.id())).map(|member| member.name).unwrap_or_default()
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.id)
    }

    #[getter]
    fn address(&self) -> String {
        self.address.to_string()
    }

    #[getter]
    fn incarnation(&self, py: Python<'_>) -> u64 {
        self.ask(py, Engine::incarnation)
    }

    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        let status = self.ask(py, |engine| engine.status(&engine.id()));
        status_text(py, status.unwrap_or(Status::Alive)) // the own row is always there
    }

    #[getter]
    fn membership<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let rows = PyDict::new(py);
        for member in self.ask(py, Engine::members) {
            let heard = member.last_heartbeat.seconds();
            let row = (member.incarnation, status_text(py, member.status), heard);
            rows.set_item(id_text(py, &member.id), row)?;
        }
        Ok(rows)
    }

    #[getter]
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let facts = PyDict::new(py);
        engine_counters(&facts, &self.ask(py, Engine::counters))?;
        Ok(facts)
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.ask(py, Engine::root).to_le_bytes())
    }

    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        events::members(py, &self.ask(py, Engine::members))
    }

    #[pyo3(signature = (status = None, *, load = None, sessions = None, draining = None, now = None))]
    fn update_status<'py>(
        &self,
        py: Python<'py>,
        status: Option<StatusArgument>,
        #[pyo3(from_py_with = whole::maybe_load)] load: Option<u16>,
        #[pyo3(from_py_with = whole::maybe_sessions)] sessions: Option<u32>,
        #[pyo3(from_py_with = maybe_truth)] draining: Option<bool>,
        now: Option<Number>,
    ) -> PyResult<Bound<'py, PyString>> {
        let leaves = match status {
            None | Some(StatusArgument(Status::Alive)) => false,
            Some(StatusArgument(Status::Left)) => true,
            Some(StatusArgument(Status::Suspect | Status::Unreachable | Status::Dead | Status::Banned)) => {
                return Err(ArgumentError::new_err(
                    "a node can say of itself that it is alive or has left; the rest is for others to say; nothing was changed",
                ));
            }
        };
        self.act_alive(py, now, |local, now| {
            let held = local.vitals;
            local.vitals = Vitals {
                load: load.unwrap_or(held.load),
                sessions: sessions.unwrap_or(held.sessions),
                draining: draining.unwrap_or(held.draining),
            };
            if local.vitals != held {
                local.command(Command::SetVitals(local.vitals), now)?;
            }
            if leaves { local.command(Command::Leave, now) } else { Ok(()) }
        })?;
        Ok(self.status(py))
    }

    #[pyo3(signature = (addresses, *, now = None))]
    fn join(&self, py: Python<'_>, addresses: Listed<OwnText>, now: Option<Number>) -> PyResult<()> {
        let seeds = parse_addresses(&addresses.0)?;
        self.act_alive(py, now, |local, now| local.command(Command::Join(seeds), now))
    }

    #[pyo3(signature = (other, *, now = None))]
    fn gossip_to(&self, py: Python<'_>, other: Instance<'_, Self>, now: Option<Number>) -> PyResult<bool> {
        let other = &*other;
        let now = Some(Number(convert::now(py, now)?.seconds()));
        if std::ptr::eq(self, other) {
            return Ok(false);
        }
        let before = (self.ask(py, Engine::root), other.ask(py, Engine::root));
        // Push and pull of the whole, as a bulk sync; never with both nodes locked.
        let records = self.ask(py, Engine::snapshot);
        other.act_alive(py, now, |local, now| local.command(Command::Restore(records), now))?;
        let records = other.ask(py, Engine::snapshot);
        self.act_alive(py, now, |local, now| local.command(Command::Restore(records), now))?;
        for _ in 0..ROUNDS {
            let mut quiet = true;
            for (sender, receiver) in [(self, other), (other, self)] {
                let packets = py.detach(|| sender.local.lock_detached().packets_for(receiver.address));
                quiet &= packets.is_empty();
                receiver.act(py, now, |local, now| {
                    for packet in packets {
                        local.receive(sender.address, &packet.bytes, packet.stream, now);
                    }
                    Ok(())
                })?;
            }
            if quiet {
                break;
            }
        }
        Ok(before != (self.ask(py, Engine::root), other.ask(py, Engine::root)))
    }

    #[pyo3(signature = (*, now = None))]
    fn send_gossip<'py>(&self, py: Python<'py>, now: Option<Number>) -> PyResult<Bound<'py, PyList>> {
        let packets = self.act(py, now, |local, now| {
            local.handle(Input::Deadline, now)?;
            Ok(std::mem::take(&mut local.outbox))
        })?;
        let packets = packets
            .into_iter()
            .map(|packet| (packet.to.to_string(), PyBytes::new(py, &packet.bytes), packet.stream));
        PyList::new(py, packets.collect::<Vec<_>>())
    }

    #[pyo3(signature = (payload, from_address, *, stream = false, now = None))]
    fn receive_gossip(
        &self,
        py: Python<'_>,
        payload: Octets,
        from_address: TextArgument<'_>,
        #[pyo3(from_py_with = truth)] stream: bool,
        now: Option<Number>,
    ) -> PyResult<bool> {
        let from = parse_address(from_address.0)?;
        self.act(py, now, |local, now| {
            let before = local.engine.counters().refused;
            local.receive(from, &payload, stream, now);
            Ok(local.engine.counters().refused == before)
        })
    }

    #[pyo3(signature = (*, now = None))]
    fn heartbeat(&self, py: Python<'_>, now: Option<Number>) -> PyResult<Option<f64>> {
        self.act(py, now, |local, now| {
            local.handle(Input::Deadline, now)?;
            Ok(local.engine.deadline().map(Time::seconds))
        })
    }

    #[pyo3(signature = (payload, *, urgent = false, now = None))]
    fn broadcast(
        &self,
        py: Python<'_>,
        payload: Octets,
        #[pyo3(from_py_with = truth)] urgent: bool,
        now: Option<Number>,
    ) -> PyResult<()> {
        let priority = if urgent { Priority::Gone } else { Priority::Application };
        let payload = payload.to_vec();
        self.act_alive(py, now, |local, now| local.command(Command::Broadcast { priority, payload }, now))
    }

    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let told = std::mem::take(&mut self.local.lock(py).events);
        events::events(py, told.into_iter().map(Notice::Engine).collect())
    }

    fn print_membership(&self, py: Python<'_>) -> PyResult<()> {
        let members = self.ask(py, Engine::members);
        py.import("builtins")?.getattr("print")?.call1((table(&members, self.id),))?;
        Ok(())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (name, incarnation) = (self.name(py), self.incarnation(py));
        let known = self.ask(py, Engine::known);
        format!(
            "ProductionNode({name:?}, {:?}, incarnation={incarnation}, members={known})",
            shown(py, &self.id)
        )
    }
}

/// One line for each member, its own marked with a star.
fn table(members: &[Member], own: NodeId) -> String {
    let line = |member: &Member| {
        let mark = if member.id == own { '*' } else { ' ' };
        let address = member.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let Member { id, status, incarnation, name, .. } = member;
        format!("{mark} {id}  {status:<11}  {incarnation:>20}  {address:<21}  {name}")
    };
    let head = format!("  {:<32}  {:<11}  {:>20}  {:<21}  name", "node", "status", "incarnation", "address");
    std::iter::once(head).chain(members.iter().map(line)).collect::<Vec<_>>().join("\n")
}
