//! ClusterDriver: the handle of palaver-driver.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};

use palaver_core::engine::{Ban, Command, EngineConfig};
use palaver_core::{ClusterTag, Priority, Vitals};
use palaver_driver::{Counts, Driver, Ended, Settings, StartError};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::arguments::{Instance, LentOctets, Octets, PathArgument, truth};
use crate::cluster_arguments::{Keys, address, addresses, admission, configure};
use crate::convert::{Number, OwnText, Pairs, TextArgument, seconds, status_text};
use crate::error::{ArgumentError, Broken, Refused, StoppedError};
use crate::events;
use crate::keys::KeyManager;
use crate::listed::Listed;
use crate::names::{IdArgument, id_text};
use crate::node::NodeMetadata;
use crate::whole;

/// A cluster node on a thread of its own. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct ClusterDriver {
    settings: Settings,
    /// Set once, by `start`; never held while waiting.
    driver: Mutex<Option<Arc<Driver>>>,
}

fn over(_: Ended) -> PyErr {
    StoppedError::new_err("the node has stopped, as its last event says; nothing was changed")
}

fn not_started(error: StartError) -> PyErr {
    match error {
        StartError::Disk(failure) => Broken::from(failure).into(),
        StartError::Refused(error) => Refused::from(error).into(),
        StartError::Bind(_, ref system) | StartError::System(ref system) => match system.raw_os_error() {
            Some(errno) => PyOSError::new_err((errno, error.to_string())),
            None => PyOSError::new_err(error.to_string()),
        },
        StartError::Exposed(_) | StartError::Unspecified(_) => ArgumentError::new_err(error.to_string()),
    }
}

impl ClusterDriver {
    fn handle(&self) -> PyResult<Arc<Driver>> {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        driver
            .clone()
            .ok_or_else(|| StoppedError::new_err("the node has not been started; nothing was changed"))
    }

    /// Asks the thread, without the interpreter.
    fn ask<R: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Driver) -> Result<R, Ended> + Send,
    ) -> PyResult<R> {
        let driver = self.handle()?;
        py.detach(|| question(&driver)).map_err(over)
    }

    fn command(&self, py: Python<'_>, command: Command) -> PyResult<()> {
        Ok(self.ask(py, |driver| driver.command(command))?.map_err(Refused::from)?)
    }

    fn cluster(&self) -> ClusterTag {
        ClusterTag::of(&self.settings.config.cluster)
    }
}

#[pymethods]
impl ClusterDriver {
    #[new]
    #[pyo3(signature = (keys, *, cluster = TextArgument("palaver"), name = TextArgument(""), metadata = None, state_dir = None, authorities = None,
                        allowed_keys = None, administrators = None, ticket = None, settings = None, queue = 4096,
                        blocked_after = Number(3.0), leave_after = Some(Number(30.0))),
           text_signature = "(keys, *, cluster='palaver', name='', metadata=None, state_dir=None, authorities=None, allowed_keys=None, administrators=None, ticket=None, settings=None, queue=4096, blocked_after=3.0, leave_after=30.0)")]
    #[expect(clippy::too_many_arguments, reason = "by name in Python")]
    fn new(
        py: Python<'_>,
        keys: Instance<'_, KeyManager>,
        cluster: TextArgument<'_>,
        name: TextArgument<'_>,
        metadata: Option<Instance<'_, NodeMetadata>>,
        state_dir: Option<PathArgument>,
        authorities: Keys,
        allowed_keys: Keys,
        administrators: Keys,
        ticket: Option<LentOctets<'_>>,
        settings: Option<Pairs<'_>>,
        #[pyo3(from_py_with = whole::queue)] queue: usize,
        blocked_after: Number,
        leave_after: Option<Number>,
    ) -> PyResult<Self> {
        let mut config = EngineConfig::new(cluster.0, admission(authorities, allowed_keys, administrators)?);
        configure(&mut config, settings)?;
        let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0)); // until `start` says otherwise
        let settings = Settings {
            config,
            keys: (*keys.keys(py)).clone(),
            name: name.0.to_owned(),
            place: metadata.map(|given| given.0.clone()).unwrap_or_default(),
            ticket: crate::cluster_arguments::ticket(ticket)?,
            state_dir: state_dir.map(|given| given.0),
            bind: loopback,
            advertise: None,
            seeds: Vec::new(),
            queue,
            blocked_after: blocked_after.0,
            leave_after: leave_after.map_or(f64::INFINITY, |given| given.0),
        };
        settings.check().map_err(not_started)?;
        Ok(Self { settings, driver: Mutex::new(None) })
    }

    #[pyo3(signature = (bind, *, advertise = None, seeds = Listed(Vec::new())), text_signature = "($self, bind, *, advertise=None, seeds=())")]
    fn start(
        &self,
        py: Python<'_>,
        bind: TextArgument<'_>,
        advertise: Option<TextArgument<'_>>,
        seeds: Listed<OwnText>,
    ) -> PyResult<()> {
        let settings = Settings {
            bind: address(bind.0)?,
            advertise: advertise.map(|given| address(given.0)).transpose()?,
            seeds: addresses(&seeds.0)?,
            ..self.settings.clone()
        };
        py.detach(|| {
            let mut place = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
            if place.is_some() {
                return Ok(false);
            }
            *place = Some(Arc::new(Driver::start(settings)?));
            Ok(true)
        })
        .map_err(not_started)?
        .then_some(())
        .ok_or_else(|| ArgumentError::new_err("the node has been started before; nothing was changed"))
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.settings.keys.node_id())
    }

    #[getter]
    fn address(&self) -> PyResult<String> {
        Ok(self.handle()?.bound().to_string())
    }

    #[getter]
    fn advertised(&self) -> PyResult<String> {
        Ok(self.handle()?.advertised().to_string())
    }

    #[getter]
    fn fd(&self) -> PyResult<RawFd> {
        Ok(self.handle()?.fd())
    }

    #[getter]
    fn incarnation(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, Driver::incarnation)
    }

    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let driver = self.handle()?;
        events::events(py, py.detach(|| driver.drain()))
    }

    fn beat(&self) -> PyResult<()> {
        self.handle()?.beat();
        Ok(())
    }

    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let members = self.ask(py, Driver::members)?;
        events::members(py, &members)
    }

    fn member<'py>(&self, py: Python<'py>, node_id: IdArgument) -> PyResult<Option<Bound<'py, PyAny>>> {
        let member = self.ask(py, |driver| driver.member(node_id.0))?;
        member.map(|member| events::member(py, &member)).transpose()
    }

    fn status<'py>(&self, py: Python<'py>, node_id: IdArgument) -> PyResult<Option<Bound<'py, PyString>>> {
        let status = self.ask(py, |driver| driver.status(node_id.0))?;
        Ok(status.map(|status| status_text(py, status)))
    }

    fn rtt(&self, py: Python<'_>, node_id: IdArgument) -> PyResult<Option<f64>> {
        Ok(self.ask(py, |driver| driver.member(node_id.0))?.and_then(|member| member.round_trip))
    }

    fn reachability<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.ask(py, Driver::reachability)?;
        events::reachability(py, &found)
    }

    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let driver = self.handle()?;
        counters(py, &py.detach(|| driver.counts()))
    }

    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.ask(py, Driver::root)?.to_le_bytes()))
    }

    #[pyo3(signature = (*, load = 0, sessions = 0, draining = false))]
    fn set_vitals(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = whole::load)] load: u16,
        #[pyo3(from_py_with = whole::sessions)] sessions: u32,
        #[pyo3(from_py_with = truth)] draining: bool,
    ) -> PyResult<()> {
        let vitals = Vitals { load, sessions, draining };
        Ok(self.ask(py, |driver| driver.set_vitals(vitals))?.map_err(Refused::from)?)
    }

    fn set_metadata(
        &self,
        py: Python<'_>,
        name: TextArgument<'_>,
        metadata: Instance<'_, NodeMetadata>,
    ) -> PyResult<()> {
        self.command(py, Command::SetMetadata { name: name.0.to_owned(), place: metadata.0.clone() })
    }

    fn join(&self, py: Python<'_>, seeds: Listed<OwnText>) -> PyResult<()> {
        let seeds = addresses(&seeds.0)?;
        Ok(self.ask(py, |driver| driver.join(seeds))?.map_err(Refused::from)?)
    }

    #[pyo3(signature = (payload, *, urgent = false))]
    fn broadcast(
        &self,
        py: Python<'_>,
        payload: Octets,
        #[pyo3(from_py_with = truth)] urgent: bool,
    ) -> PyResult<()> {
        let priority = if urgent { Priority::Gone } else { Priority::Application };
        self.command(py, Command::Broadcast { priority, payload: payload.to_vec() })
    }

    #[pyo3(signature = (*, authorities = None, allowed_keys = None, administrators = None, ticket = None))]
    fn set_admission(
        &self,
        py: Python<'_>,
        authorities: Keys,
        allowed_keys: Keys,
        administrators: Keys,
        ticket: Option<LentOctets<'_>>,
    ) -> PyResult<()> {
        let admission = admission(authorities, allowed_keys, administrators)?;
        let ticket = crate::cluster_arguments::ticket(ticket)?;
        self.ask(py, |driver| driver.set_admission(admission, ticket))?.map_err(not_started)
    }

    fn ban(&self, py: Python<'_>, ban: LentOctets<'_>) -> PyResult<()> {
        let ban = Ban::decode(ban.0, self.cluster()).map_err(Refused::from)?;
        self.command(py, Command::Ban(ban))
    }

    fn force_leave(&self, py: Python<'_>, node_id: IdArgument) -> PyResult<()> {
        self.command(py, Command::ForceLeave(node_id.0))
    }

    #[pyo3(signature = (timeout = Number(5.0)), text_signature = "($self, timeout=5.0)")]
    fn leave(&self, py: Python<'_>, timeout: Number) -> PyResult<bool> {
        let timeout = seconds(timeout)?.seconds();
        self.ask(py, Driver::leave)?;
        let driver = self.handle()?;
        Ok(py.detach(|| driver.wait(timeout)))
    }

    fn close(&self, py: Python<'_>) {
        if let Ok(driver) = self.handle() {
            py.detach(|| driver.close());
        }
    }

    fn __enter__<'py>(slf: Bound<'py, Self>) -> Bound<'py, Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let id = self.settings.keys.node_id().to_string();
        match self.handle() {
            Ok(driver) => format!("ClusterDriver({id:?}, address={:?})", driver.bound().to_string()),
            Err(_) => format!("ClusterDriver({id:?}, not started)"),
        }
    }
}

impl Drop for ClusterDriver {
    fn drop(&mut self) {
        let driver = self.driver.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // Ending waits for the thread, and that for the disk: not while everybody waits for the interpreter.
        if let Some(driver) = driver {
            Python::attach(|py| py.detach(|| drop(driver)));
        }
    }
}

/// Counts by name.
pub(crate) fn engine_counters(
    facts: &Bound<'_, PyDict>,
    counts: &palaver_core::engine::Counters,
) -> PyResult<()> {
    for (name, count) in [
        ("received", counts.received),
        ("refused", counts.refused),
        ("throttled", counts.throttled),
        ("bad_signatures", counts.bad_signatures),
        ("sent", counts.sent),
        ("sent_bytes", counts.sent_bytes),
        ("streams", counts.streams),
        ("stream_bytes", counts.stream_bytes),
        ("probes", counts.probes),
        ("probes_failed", counts.probes_failed),
        ("accusations", counts.accusations),
        ("refutations", counts.refutations),
        ("syncs", counts.syncs),
        ("records", counts.records),
    ] {
        facts.set_item(name, count)?;
    }
    Ok(())
}

fn counters<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let facts = PyDict::new(py);
    engine_counters(&facts, &counts.engine)?;
    for (name, count) in [
        ("received_bytes", counts.received_bytes),
        ("unsent", counts.unsent),
        ("streams_received", counts.streams_received),
        ("streams_failed", counts.streams_failed),
        ("connections_dropped", counts.connections_dropped),
        ("connections", counts.connections),
        ("broadcasts_lost", counts.broadcasts_lost),
        ("log_bytes_lost", counts.log_bytes_lost),
    ] {
        facts.set_item(name, count)?;
    }
    facts.set_item("cpu_seconds", counts.cpu_seconds)?;
    Ok(facts)
}
