//! FanoutStrategy.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyTuple};

use crate::convert::{count, random};
use crate::lock::Locked;

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

    fn select_targets<'py>(
        &self,
        py: Python<'py>,
        nodes: &Bound<'py, PyAny>,
        k: &Bound<'py, PyInt>,
    ) -> PyResult<Bound<'py, PyList>> {
        let k = count(k, "targets")?;
        if let Ok(nodes) = nodes.cast_exact::<PyTuple>() {
            let picks = self.0.lock(py).select(nodes.len(), k);
            return PyList::new(
                py,
                picks.into_iter().map(|i| nodes.get_item(i)).collect::<PyResult<Vec<_>>>()?,
            );
        }
        let nodes = match nodes.cast_exact::<PyList>() {
            Ok(nodes) => nodes.clone(),
            Err(_) => PyList::new(py, nodes.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
        };
        let picks = self.0.lock(py).select(nodes.len(), k);
        PyList::new(py, picks.into_iter().map(|i| nodes.get_item(i)).collect::<PyResult<Vec<_>>>()?)
    }

    fn __repr__(&self) -> &'static str {
        "FanoutStrategy()"
    }
}
