//! ReplayGuard.

use palaver_core as core;
use pyo3::prelude::*;

use crate::convert::{count, hasher};
use crate::error::Refused;
use crate::lock::Locked;
use crate::names::IdArgument;
use crate::whole;

/// Takes each packet of each sender once. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct ReplayGuard(Locked<core::ReplayGuard>);

#[pymethods]
impl ReplayGuard {
    #[new]
    #[pyo3(signature = (*, max_senders = None), text_signature = "(*, max_senders=65536)")]
    fn new(max_senders: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let limit = max_senders.map_or(Ok(core::DEFAULT_MAX_SENDERS), |given| count(given, "senders"))?;
        Ok(Self(Locked::new(core::ReplayGuard::new(limit, hasher()).map_err(Refused::from)?)))
    }

    fn accept(
        &self,
        py: Python<'_>,
        sender_id: IdArgument,
        #[pyo3(from_py_with = whole::epoch)] epoch: u64,
        #[pyo3(from_py_with = whole::seq)] seq: u64,
    ) -> PyResult<bool> {
        Ok(self.0.lock(py).accept(sender_id.0, epoch, seq).map_err(Refused::from)?)
    }

    fn forget(&self, py: Python<'_>, sender_id: IdArgument) -> bool {
        self.0.lock(py).forget(&sender_id.0)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.lock(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("ReplayGuard({} senders)", self.0.lock(py).len())
    }
}
