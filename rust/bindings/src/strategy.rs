//! FanoutStrategy and GossipStrategy.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};

use crate::convert::{count, random};
use crate::error::Refused;
use crate::lock::Locked;
use crate::node::{Node, NodeMetadata};

/// Picks gossip targets at random. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct FanoutStrategy(Locked<core::FanoutStrategy>);

#[pymethods]
impl FanoutStrategy {
    #[new]
    #[pyo3(signature = (*, seed = None))]
    fn new(seed: Option<u64>) -> PyResult<Self> {
        let seed = seed.map_or_else(|| random().map(u64::from_le_bytes), Ok)?;
        Ok(Self(Locked::new(core::FanoutStrategy::new(seed))))
    }

    #[pyo3(signature = (nodes, k, *, weights = None))]
    fn select_targets<'py>(
        &self,
        py: Python<'py>,
        nodes: &Bound<'py, PyAny>,
        k: &Bound<'py, PyInt>,
        weights: Option<Vec<f64>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (nodes, k) = (Nodes::of(nodes)?, count(k, "targets")?);
        let picks = match weights {
            None => self.0.lock(py).select(nodes.len(), k),
            Some(weights) => {
                self.0.lock(py).select_weighted(nodes.len(), &weights, k).map_err(Refused::from)?
            }
        };
        nodes.pick(py, picks)
    }

    fn __repr__(&self) -> &'static str {
        "FanoutStrategy()"
    }
}

/// Picks the peers of a node that knows where it runs. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct GossipStrategy(Locked<core::GossipStrategy>);

#[pymethods]
impl GossipStrategy {
    #[new]
    #[pyo3(signature = (place = None, *, seed = None))]
    fn new(place: Option<&NodeMetadata>, seed: Option<u64>) -> PyResult<Self> {
        let place = place.map(|given| given.0.clone()).unwrap_or_default();
        let seed = seed.map_or_else(|| random().map(u64::from_le_bytes), Ok)?;
        Ok(Self(Locked::new(core::GossipStrategy::new(place, seed))))
    }

    fn select_peer<'py>(
        &self,
        py: Python<'py>,
        node_list: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.select(py, node_list, 1)?.iter().next().map(Ok).transpose()
    }

    fn select_peers<'py>(
        &self,
        py: Python<'py>,
        node_list: &Bound<'py, PyAny>,
        k: &Bound<'py, PyInt>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.select(py, node_list, count(k, "peers")?)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("GossipStrategy({})", NodeMetadata(self.0.lock(py).place().clone()).__repr__())
    }
}

impl GossipStrategy {
    fn select<'py>(
        &self,
        py: Python<'py>,
        node_list: &Bound<'py, PyAny>,
        k: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let nodes = Nodes::of(node_list)?;
        let places: Vec<_> = nodes.iter().map(|node| place_of(py, &node)).collect();
        let picks = self.0.lock(py).select_peers(places.iter(), k);
        nodes.pick(py, picks)
    }
}

/// Where a listed node runs; anything but a Node has not said.
fn place_of(py: Python<'_>, node: &Bound<'_, PyAny>) -> core::NodeMetadata {
    node.cast::<Node>().map(|node| node.get().place(py)).unwrap_or_default()
}

/// Nodes to pick from: a list as it is, anything else made one.
struct Nodes<'py>(Bound<'py, PyList>);

impl<'py> Nodes<'py> {
    fn of(nodes: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(list) = nodes.cast_exact::<PyList>() {
            return Ok(Self(list.clone()));
        }
        Ok(Self(PyList::new(nodes.py(), nodes.try_iter()?.collect::<PyResult<Vec<_>>>()?)?))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn iter(&self) -> impl Iterator<Item = Bound<'py, PyAny>> + '_ {
        self.0.iter()
    }

    fn pick(&self, py: Python<'py>, picks: Vec<usize>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, picks.into_iter().map(|index| self.0.get_item(index)).collect::<PyResult<Vec<_>>>()?)
    }
}
