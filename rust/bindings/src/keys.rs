//! KeyManager.

use palaver_core as core;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use crate::convert::{id_text, random};
use crate::error::Refused;

/// Holds a node's Ed25519 key and signs with it. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct KeyManager(pub(crate) core::KeyManager);

#[pymethods]
impl KeyManager {
    #[new]
    #[pyo3(signature = (seed = None))]
    fn new(seed: Option<&[u8]>) -> PyResult<Self> {
        let manager = match seed {
            Some(seed) => core::KeyManager::try_from(seed).map_err(Refused::from)?,
            None => core::KeyManager::from_seed(&random()?),
        };
        Ok(Self(manager))
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.node_id())
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public_key().as_bytes())
    }

    fn get_private_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.private_key())
    }

    fn sign<'py>(&self, py: Python<'py>, data: PyBackedBytes) -> Bound<'py, PyBytes> {
        let signature = py.detach(|| self.0.sign(&data));
        PyBytes::new(py, &signature)
    }

    #[pyo3(signature = (data, signature, public_key = None))]
    fn verify_signature(
        &self,
        py: Python<'_>,
        data: PyBackedBytes,
        signature: PyBackedBytes,
        public_key: Option<PyBackedBytes>,
    ) -> bool {
        py.detach(|| match public_key {
            None => self.0.verify_signature(&data, &signature),
            Some(key) => core::verify_claims(&[claim(&data, &signature, &key)])[0],
        })
    }

    #[staticmethod]
    fn verify_batch(py: Python<'_>, items: Vec<(PyBackedBytes, PyBackedBytes, PyBackedBytes)>) -> Vec<bool> {
        py.detach(|| {
            let claims: Vec<_> =
                items.iter().map(|(data, signature, key)| claim(data, signature, key)).collect();
            core::verify_claims(&claims)
        })
    }

    fn __repr__(&self) -> String {
        format!("KeyManager(node_id={:?})", self.0.node_id().to_string())
    }
}

fn claim<'a>(data: &'a [u8], signature: &'a [u8], public_key: &'a [u8]) -> core::Claim<'a> {
    core::Claim { data, signature, public_key }
}
