//! FailureDetector.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::{self, Number, count, hasher, seconds};
use crate::error::Refused;
use crate::lock::Locked;
use crate::names::{IdArgument, KeptIdArgument, id_text};

/// Judges silences by each node's own rhythm (φ-accrual). The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct FailureDetector(Locked<core::FailureDetector>);

#[pymethods]
impl FailureDetector {
    #[new]
    #[pyo3(
        signature = (*, threshold = Number(core::FailureDetector::DEFAULT_THRESHOLD),
                     expected_interval = Number(core::FailureDetector::DEFAULT_INTERVAL), max_nodes = None),
        text_signature = "(*, threshold=8.0, expected_interval=1.0, max_nodes=1048576)"
    )]
    fn new(
        threshold: Number,
        expected_interval: Number,
        max_nodes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let limit = max_nodes.map_or(Ok(core::DEFAULT_MAX_MEMBERS), |given| count(given, "nodes"))?;
        let detector = core::FailureDetector::new(threshold.0, expected_interval.0, limit, hasher());
        Ok(Self(Locked::new(detector.map_err(Refused::from)?)))
    }

    #[pyo3(signature = (node_id, *, now = None))]
    fn record_heartbeat(&self, py: Python<'_>, node_id: KeptIdArgument, now: Option<Number>) -> PyResult<()> {
        let now = convert::now(py, now)?;
        Ok(self.0.lock(py).record_heartbeat(node_id.0, now).map_err(Refused::from)?)
    }

    #[pyo3(signature = (node_id, *, now = None))]
    fn check_suspicion(&self, py: Python<'_>, node_id: IdArgument, now: Option<Number>) -> PyResult<bool> {
        let now = convert::now(py, now)?;
        Ok(self.0.lock(py).check_suspicion(&node_id.0, now))
    }

    #[pyo3(signature = (node_id, *, now = None))]
    fn phi(&self, py: Python<'_>, node_id: IdArgument, now: Option<Number>) -> PyResult<f64> {
        let now = convert::now(py, now)?;
        Ok(self.0.lock(py).phi(&node_id.0, now))
    }

    #[pyo3(signature = (*, now = None))]
    fn suspects<'py>(&self, py: Python<'py>, now: Option<Number>) -> PyResult<Vec<Bound<'py, PyString>>> {
        let now = convert::now(py, now)?;
        let suspects = self.0.lock(py).suspects(now);
        Ok(suspects.iter().map(|id| id_text(py, id)).collect())
    }

    fn shift(&self, py: Python<'_>, pause: Number) -> PyResult<()> {
        let pause = seconds(pause)?;
        Ok(self.0.lock(py).shift(pause).map_err(Refused::from)?)
    }

    fn forget(&self, py: Python<'_>, node_id: IdArgument) -> bool {
        self.0.lock(py).forget(&node_id.0)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.lock(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("FailureDetector({} nodes)", self.0.lock(py).len())
    }
}
