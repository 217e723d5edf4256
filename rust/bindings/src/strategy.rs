//! FanoutStrategy and GossipStrategy.

use palaver_core as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arguments::Instance;
use crate::convert::{count, random, wrong_type};
use crate::error::Refused;
use crate::listed::numbers;
use crate::lock::Locked;
use crate::node::{Node, NodeMetadata};
use crate::whole;

/// Picks gossip targets at random. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct FanoutStrategy(Locked<core::FanoutStrategy>);

#[pymethods]
impl FanoutStrategy {
    #[new]
    #[pyo3(signature = (*, seed = None))]
    fn new(#[pyo3(from_py_with = whole::maybe_seed)] seed: Option<u64>) -> PyResult<Self> {
        let seed = seed.map_or_else(|| random().map(u64::from_le_bytes), Ok)?;
        Ok(Self(Locked::new(core::FanoutStrategy::new(seed))))
    }

    #[pyo3(signature = (nodes, k, *, weights = None))]
    fn select_targets<'py>(
        &self,
        py: Python<'py>,
        nodes: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        weights: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (nodes, k) = (Nodes::of(nodes)?, count(k, "targets")?);
        let picks = match weights {
            None => self.0.lock(py).select(nodes.len(), k),
            Some(weights) => {
                let weights = numbers(weights, nodes.len(), "weight")?;
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
    fn new(
        place: Option<Instance<'_, NodeMetadata>>,
        #[pyo3(from_py_with = whole::maybe_seed)] seed: Option<u64>,
    ) -> PyResult<Self> {
        let place = place.map(|given| given.0.clone()).unwrap_or_default();
        let seed = seed.map_or_else(|| random().map(u64::from_le_bytes), Ok)?;
        Ok(Self(Locked::new(core::GossipStrategy::new(place, seed))))
    }

    fn select_peer<'py>(
        &self,
        py: Python<'py>,
        node_list: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.select(py, node_list, 1, None)?.iter().next().map(Ok).transpose()
    }

    #[pyo3(signature = (node_list, k, *, weights = None))]
    fn select_peers<'py>(
        &self,
        py: Python<'py>,
        node_list: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        weights: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.select(py, node_list, count(k, "peers")?, weights)
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
        weights: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let nodes = Nodes::of(node_list)?;
        let weights = weights.map(|given| numbers(given, nodes.len(), "weight")).transpose()?;
        // Looking at a list and comparing places runs no Python code, which the lock would not stand.
        let is_at = |index: usize, place: &core::NodeMetadata| nodes.is_at(index, place);
        let picks = self.0.lock(py).select_peers(nodes.len(), k, weights.as_deref(), is_at);
        let picks = picks.map_err(Refused::from)?;
        nodes.pick(py, picks)
    }
}

/// Nodes to pick from: a list as it is, anything else made one.
struct Nodes<'py>(Bound<'py, PyList>);

impl<'py> Nodes<'py> {
    fn of(nodes: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(list) = nodes.cast_exact::<PyList>() {
            return Ok(Self(list.clone()));
        }
        let each = nodes.try_iter().map_err(|error| {
            if error.is_instance_of::<PyTypeError>(nodes.py()) {
                wrong_type("nodes are an iterable", nodes)
            } else {
                error
            }
        })?;
        Ok(Self(PyList::new(nodes.py(), each.collect::<PyResult<Vec<_>>>()?)?))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a node says that it runs at `place`; anything but a Node has not said.
    fn is_at(&self, index: usize, place: &core::NodeMetadata) -> bool {
        self.0.get_item(index).is_ok_and(|node| node.cast::<Node>().is_ok_and(|node| node.get().is_at(place)))
    }

    fn pick(&self, py: Python<'py>, picks: Vec<usize>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, picks.into_iter().map(|index| self.0.get_item(index)).collect::<PyResult<Vec<_>>>()?)
    }
}
