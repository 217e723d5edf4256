//! Beat.

use palaver_core as core;
use palaver_core::Vitals;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::{Instance, truth};
use crate::convert::IncarnationArgument;
use crate::error::Refused;
use crate::keys::KeyManager;
use crate::names::id_text;
use crate::whole;

/// How a node is doing, signed by it. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, eq, module = "palaver.core")]
#[derive(PartialEq)]
pub(crate) struct Beat(pub(crate) core::Beat);

#[pymethods]
impl Beat {
    #[new]
    #[pyo3(signature = (keys, incarnation, seq, *, load = 0, sessions = 0, draining = false))]
    fn new(
        py: Python<'_>,
        keys: Instance<'_, KeyManager>,
        incarnation: IncarnationArgument,
        #[pyo3(from_py_with = whole::seq)] seq: u64,
        #[pyo3(from_py_with = whole::load)] load: u16,
        #[pyo3(from_py_with = whole::sessions)] sessions: u32,
        #[pyo3(from_py_with = truth)] draining: bool,
    ) -> PyResult<Self> {
        let vitals = Vitals { load, sessions, draining };
        Ok(Self(core::Beat::sign(&keys.keys(py), incarnation.0, seq, vitals).map_err(Refused::from)?))
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.node_id())
    }

    #[getter]
    fn incarnation(&self) -> u64 {
        self.0.incarnation()
    }

    #[getter]
    fn seq(&self) -> u64 {
        self.0.seq()
    }

    #[getter]
    fn load(&self) -> u16 {
        self.0.vitals().load
    }

    #[getter]
    fn sessions(&self) -> u32 {
        self.0.vitals().sessions
    }

    #[getter]
    fn draining(&self) -> bool {
        self.0.vitals().draining
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.framed())
    }

    fn __repr__(&self) -> String {
        let Vitals { load, sessions, draining } = self.0.vitals();
        let id = self.0.node_id().to_string();
        format!(
            "Beat({id:?}, seq={}, load={load}, sessions={sessions}, draining={})",
            self.0.seq(),
            if draining { "True" } else { "False" }
        )
    }
}
