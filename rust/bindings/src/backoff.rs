//! GossipBackoff.

use palaver_core as core;
use palaver_core::BackoffLimits;
use pyo3::prelude::*;

use crate::convert::{self, Number, count, hasher, random};
use crate::error::Refused;
use crate::lock::Locked;
use crate::names::IdArgument;
use crate::whole;

/// Decides when not to send to a peer. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct GossipBackoff(Locked<core::GossipBackoff>);

#[pymethods]
impl GossipBackoff {
    #[new]
    #[pyo3(
        signature = (*, rate = Number(20.0), burst = 10, base = Number(0.2), cap = Number(30.0), max_nodes = None, seed = None),
        text_signature = "(*, rate=20.0, burst=10, base=0.2, cap=30.0, max_nodes=1048576, seed=None)"
    )]
    fn new(
        rate: Number,
        #[pyo3(from_py_with = whole::burst)] burst: u32,
        base: Number,
        cap: Number,
        max_nodes: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = whole::maybe_seed)] seed: Option<u64>,
    ) -> PyResult<Self> {
        let max_nodes = max_nodes.map_or(Ok(core::DEFAULT_MAX_MEMBERS), |given| count(given, "nodes"))?;
        let seed = seed.map_or_else(|| random().map(u64::from_le_bytes), Ok)?;
        let limits = BackoffLimits { rate: rate.0, burst, base: base.0, cap: cap.0, max_nodes };
        Ok(Self(Locked::new(core::GossipBackoff::new(limits, seed, hasher()).map_err(Refused::from)?)))
    }

    #[pyo3(signature = (to_node_id, *, now = None))]
    fn should_send(&self, py: Python<'_>, to_node_id: IdArgument, now: Option<Number>) -> PyResult<bool> {
        let now = convert::now(py, now)?;
        Ok(self.0.lock(py).should_send(to_node_id.0, now).map_err(Refused::from)?)
    }

    #[pyo3(signature = (to_node_id, *, now = None))]
    fn record_failure(&self, py: Python<'_>, to_node_id: IdArgument, now: Option<Number>) -> PyResult<f64> {
        let now = convert::now(py, now)?;
        Ok(self.0.lock(py).record_failure(to_node_id.0, now).map_err(Refused::from)?)
    }

    fn record_success(&self, py: Python<'_>, to_node_id: IdArgument) {
        self.0.lock(py).record_success(&to_node_id.0);
    }

    fn forget(&self, py: Python<'_>, node_id: IdArgument) -> bool {
        self.0.lock(py).forget(&node_id.0)
    }

    fn __repr__(&self) -> &'static str {
        "GossipBackoff()"
    }
}
