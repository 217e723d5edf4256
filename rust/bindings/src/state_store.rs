//! StateStore: the saved view and the reserved incarnation in a directory.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use palaver_core as core;
use palaver_core::SavedState;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{IncarnationArgument, wall_clock};
use crate::files::{self, Failure, on};
use crate::lock::Locked;
use crate::membership::MembershipTable;

/// The files of a store, locked for this process.
struct Store {
    directory: PathBuf,
    ceiling: Option<u64>,
    lock: Option<File>,
}

impl Store {
    fn open(directory: PathBuf) -> Result<Self, Failure> {
        on(&directory, std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory))?;
        let lock = files::lock(&directory.join("lock"))?;
        let mut store = Self { directory, ceiling: None, lock: Some(lock) };
        store.ceiling =
            files::read(&store.path("incarnation"))?.map(|file| core::decode_ceiling(&file)).transpose()?;
        Ok(store)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn save(&self, state: &SavedState) -> Result<(), Failure> {
        if self.lock.is_none() {
            return Err(Failure::Broken(self.directory.clone()));
        }
        let (current, previous) = (self.path("state"), self.path("state.previous"));
        let prepared = files::prepare(&current, &state.encode())?; // a full disk ends it here
        let intact = files::read(&current)?.is_some_and(|file| SavedState::decode(&file).is_ok());
        if intact {
            files::rename(&current, &previous)?; // a crash from here on leaves the previous one to be loaded
        }
        prepared.take_place()?;
        Ok(())
    }

    /// The saved view, or the one before if that is damaged or was being replaced.
    fn load(&self) -> Result<Option<(SavedState, bool)>, Failure> {
        let mut damaged = None;
        for (name, is_previous) in [("state", false), ("state.previous", true)] {
            match files::read(&self.path(name))?.map(|file| SavedState::decode(&file)) {
                Some(Ok(state)) => return Ok(Some((state, is_previous))),
                Some(Err(error)) => damaged = Some(error),
                None => {}
            }
        }
        damaged.map_or(Ok(None), |error| Err(error.into()))
    }

    fn cover(&mut self, incarnation: u64) -> Result<(), Failure> {
        if self.lock.is_none() {
            return Err(Failure::Broken(self.directory.clone()));
        }
        if let Some(ceiling) = core::ceiling_for(incarnation, self.ceiling) {
            files::replace(&self.path("incarnation"), &core::encode_ceiling(ceiling))?;
            self.ceiling = Some(ceiling);
        }
        Ok(())
    }
}

/// Persistence of the view. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct StateStore(Locked<Store>);

#[pymethods]
impl StateStore {
    #[new]
    fn new(py: Python<'_>, directory: PathBuf) -> PyResult<Self> {
        Ok(Self(Locked::new(py.detach(|| Store::open(directory))?)))
    }

    #[getter]
    fn directory(&self, py: Python<'_>) -> String {
        self.0.lock(py).directory.display().to_string()
    }

    #[pyo3(signature = (table, *, seq = 0))]
    fn save_membership(&self, py: Python<'_>, table: &MembershipTable, seq: u64) -> PyResult<()> {
        Ok(py.detach(|| {
            let snapshot = table.0.lock_detached().snapshot_bytes();
            self.0.lock_detached().save(&SavedState { snapshot, seq })
        })?)
    }

    fn load_state(&self, py: Python<'_>) -> PyResult<Option<State>> {
        let loaded = py.detach(|| self.0.lock_detached().load())?;
        Ok(loaded.map(|(state, is_previous)| State { state, is_previous }))
    }

    #[pyo3(signature = (*, unix_time = None))]
    fn first_incarnation(&self, py: Python<'_>, unix_time: Option<f64>) -> PyResult<u64> {
        let seconds = wall_clock(unix_time)?;
        Ok(py.detach(|| {
            let mut store = self.0.lock_detached();
            let first = core::first_incarnation(store.ceiling, seconds);
            store.cover(first).map(|()| first)
        })?)
    }

    fn cover_incarnation(&self, py: Python<'_>, incarnation: IncarnationArgument) -> PyResult<()> {
        Ok(py.detach(|| self.0.lock_detached().cover(incarnation.0))?)
    }

    fn close(&self, py: Python<'_>) {
        self.0.lock(py).lock = None;
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("StateStore({:?})", self.0.lock(py).directory.display().to_string())
    }
}

/// A view that was saved. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct State {
    state: SavedState,
    is_previous: bool,
}

#[pymethods]
impl State {
    #[getter]
    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.state.snapshot)
    }

    #[getter]
    fn seq(&self) -> u64 {
        self.state.seq
    }

    #[getter]
    fn is_previous(&self) -> bool {
        self.is_previous
    }

    fn __repr__(&self) -> String {
        format!("State({} bytes, seq={})", self.state.snapshot.len(), self.state.seq)
    }
}
