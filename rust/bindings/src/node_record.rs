//! NodeRecord.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::Instance;
use crate::convert::{IncarnationArgument, StatusArgument, TextArgument, status_text};
use crate::error::Refused;
use crate::keys::KeyManager;
use crate::names::id_text;
use crate::node::NodeMetadata;
use crate::whole;

/// What a node says of itself, signed by it. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, eq, module = "palaver.core")]
#[derive(PartialEq)]
pub(crate) struct NodeRecord(pub(crate) core::NodeRecord);

#[pymethods]
impl NodeRecord {
    #[new]
    #[pyo3(
        signature = (keys, incarnation, issued_at, *, status = StatusArgument(core::Status::Alive), name = TextArgument(""),
                     address = TextArgument(""), metadata = None),
        text_signature = "(keys, incarnation, issued_at, *, status='alive', name='', address='', metadata=None)"
    )]
    #[allow(clippy::too_many_arguments)] // they are the keywords of the Python call
    fn new(
        py: Python<'_>,
        keys: Instance<'_, KeyManager>,
        incarnation: IncarnationArgument,
        #[pyo3(from_py_with = whole::issued_at)] issued_at: u64,
        status: StatusArgument,
        name: TextArgument<'_>,
        address: TextArgument<'_>,
        metadata: Option<Instance<'_, NodeMetadata>>,
    ) -> PyResult<Self> {
        let place = metadata.map(|given| given.0.clone()).unwrap_or_default();
        let precedence = core::Precedence::new(incarnation.0, status.0).map_err(Refused::from)?;
        let record = core::NodeRecord::sign(&keys.keys(py), precedence, issued_at, name.0, address.0, &place);
        Ok(Self(record.map_err(Refused::from)?))
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.node_id())
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public_key())
    }

    #[getter]
    fn incarnation(&self) -> u64 {
        self.0.precedence().incarnation()
    }

    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        status_text(py, self.0.precedence().status())
    }

    #[getter]
    fn issued_at(&self) -> u64 {
        self.0.issued_at()
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    #[getter]
    fn address(&self) -> &str {
        self.0.address()
    }

    #[getter]
    fn metadata(&self) -> NodeMetadata {
        NodeMetadata(self.0.metadata().clone())
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.framed())
    }

    fn __repr__(&self) -> String {
        format!(
            "NodeRecord({:?}, name={:?}, address={:?}, incarnation={})",
            self.0.node_id().to_string(),
            self.0.name(),
            self.0.address(),
            self.0.precedence().incarnation(),
        )
    }
}
