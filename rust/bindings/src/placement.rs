//! rendezvous.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use crate::convert::{BytesOrText, Pairs, count, wrong_type};
use crate::error::Refused;
use crate::names::{KeptIdArgument, id_text};

/// The first owners of a key by weight. The manual is palaver/core/_native.pyi.
#[pyfunction]
#[pyo3(signature = (key, weights, count = None), text_signature = "(key, weights, count=1)")]
pub(crate) fn rendezvous<'py>(
    py: Python<'py>,
    key: BytesOrText,
    weights: Pairs<'py>,
    count: Option<&Bound<'py, PyAny>>,
) -> PyResult<Vec<Bound<'py, PyString>>> {
    let wanted = count.map_or(Ok(1), |given| self::count(given, "owners"))?;
    let mut nodes = Vec::with_capacity(weights.0.len());
    for (id, weight) in weights.0 {
        let KeptIdArgument(id) = id.extract()?;
        let weight = weight
            .cast::<PyInt>()
            .map_err(|_| wrong_type("a weight is an int", &weight))?
            .extract()
            .map_err(|_| Refused::from(core::Error::WholeWeight))?;
        nodes.push((id, weight));
    }
    let owners = core::rendezvous(key.as_bytes(), &nodes, wanted);
    Ok(owners.iter().map(|id| id_text(py, id)).collect())
}
