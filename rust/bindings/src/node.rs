//! Node and NodeMetadata.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arguments::Instance;
use crate::convert::{self, IncarnationArgument, Number, StatusArgument, TextArgument, seconds, status_text};
use crate::error::Refused;
use crate::lock::Locked;
use crate::names::{KeptIdArgument, id_text, shown};

/// Where a node runs. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, eq, hash, module = "palaver.core")]
#[derive(PartialEq, Eq, Hash, Clone)]
pub(crate) struct NodeMetadata(pub(crate) core::NodeMetadata);

#[pymethods]
impl NodeMetadata {
    #[new]
    #[pyo3(signature = (region = TextArgument(""), zone = TextArgument("")), text_signature = "(region='', zone='')")]
    fn new(region: TextArgument<'_>, zone: TextArgument<'_>) -> PyResult<Self> {
        Ok(Self(core::NodeMetadata::new(region.0, zone.0).map_err(Refused::from)?))
    }

    #[getter]
    fn region(&self) -> &str {
        self.0.region()
    }

    #[getter]
    fn zone(&self) -> &str {
        self.0.zone()
    }

    pub(crate) fn __repr__(&self) -> String {
        format!("NodeMetadata(region={:?}, zone={:?})", self.0.region(), self.0.zone())
    }
}

/// The record of one member. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct Node {
    /// As in `node`, to be compared without its lock.
    place: core::NodeMetadata,
    node: Locked<core::Node>,
}

#[pymethods]
impl Node {
    #[new]
    #[pyo3(
        signature = (node_id, incarnation = IncarnationArgument(0), status = StatusArgument(core::Status::Alive),
                     last_heartbeat = Number(0.0), metadata = None),
        text_signature = "(node_id, incarnation=0, status='alive', last_heartbeat=0.0, metadata=None)"
    )]
    fn new(
        node_id: KeptIdArgument,
        incarnation: IncarnationArgument,
        status: StatusArgument,
        last_heartbeat: Number,
        metadata: Option<Instance<'_, NodeMetadata>>,
    ) -> PyResult<Self> {
        let metadata = metadata.map(|given| given.0.clone()).unwrap_or_default();
        let (place, heard) = (metadata.clone(), seconds(last_heartbeat)?);
        let node = core::Node::new(node_id.0, incarnation.0, status.0, heard, metadata);
        Ok(Self { place, node: Locked::new(node.map_err(Refused::from)?) })
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.node.lock(py).node_id)
    }

    #[getter]
    fn incarnation(&self, py: Python<'_>) -> u64 {
        self.node.lock(py).precedence.incarnation()
    }

    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        status_text(py, self.node.lock(py).precedence.status())
    }

    #[getter]
    fn last_heartbeat(&self, py: Python<'_>) -> f64 {
        self.node.lock(py).last_heartbeat.seconds()
    }

    #[getter]
    fn metadata(&self) -> NodeMetadata {
        NodeMetadata(self.place.clone())
    }

    #[pyo3(signature = (now = None))]
    fn heartbeat(&self, py: Python<'_>, now: Option<Number>) -> PyResult<f64> {
        let now = convert::now(py, now)?;
        Ok(self.node.lock(py).heartbeat(now).seconds())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let node = self.node.lock(py);
        format!(
            "Node({:?}, incarnation={}, status={:?}, last_heartbeat={:.3})",
            shown(py, &node.node_id),
            node.precedence.incarnation(),
            node.precedence.status().as_str(),
            node.last_heartbeat.seconds(),
        )
    }
}

impl Node {
    /// Whether it says that it runs at `place`.
    pub(crate) fn is_at(&self, place: &core::NodeMetadata) -> bool {
        self.place == *place
    }
}
