//! StateStore: the saved view and the reserved incarnation in a directory.

use palaver_core as core;
use palaver_core::SavedState;
use palaver_durable::Store;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::{Instance, PathArgument};
use crate::convert::{IncarnationArgument, Number, wall_clock};
use crate::error::Broken;
use crate::lock::Locked;
use crate::membership::MembershipTable;
use crate::whole;

/// Persistence of the view. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct StateStore(Locked<Store>);

#[pymethods]
impl StateStore {
    #[new]
    fn new(py: Python<'_>, directory: PathArgument) -> PyResult<Self> {
        Ok(Self(Locked::new(py.detach(|| Store::open(directory.0)).map_err(Broken::from)?)))
    }

    #[getter]
    fn directory(&self, py: Python<'_>) -> String {
        self.0.lock(py).directory().display().to_string()
    }

    #[pyo3(signature = (table, *, seq = 0))]
    fn save_membership(
        &self,
        py: Python<'_>,
        table: Instance<'_, MembershipTable>,
        #[pyo3(from_py_with = whole::seq)] seq: u64,
    ) -> PyResult<()> {
        Ok(py
            .detach(|| {
                let snapshot = table.0.lock_detached().snapshot_bytes();
                self.0.lock_detached().save(&SavedState { snapshot, seq })
            })
            .map_err(Broken::from)?)
    }

    fn load_state(&self, py: Python<'_>) -> PyResult<Option<State>> {
        let loaded = py.detach(|| self.0.lock_detached().load()).map_err(Broken::from)?;
        Ok(loaded.map(|(state, is_previous)| State { state, is_previous }))
    }

    #[pyo3(signature = (*, unix_time = None))]
    fn first_incarnation(&self, py: Python<'_>, unix_time: Option<Number>) -> PyResult<u64> {
        let seconds = wall_clock(unix_time)?;
        Ok(py
            .detach(|| {
                let mut store = self.0.lock_detached();
                let first = core::first_incarnation(store.ceiling(), seconds)?;
                store.cover(first).map(|()| first)
            })
            .map_err(Broken::from)?)
    }

    fn cover_incarnation(&self, py: Python<'_>, incarnation: IncarnationArgument) -> PyResult<()> {
        Ok(py.detach(|| self.0.lock_detached().cover(incarnation.0)).map_err(Broken::from)?)
    }

    fn close(&self, py: Python<'_>) {
        self.0.lock(py).close();
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("StateStore({:?})", self.0.lock(py).directory().display().to_string())
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
