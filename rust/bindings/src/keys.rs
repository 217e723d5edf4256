//! KeyManager.

use std::sync::Arc;

use palaver_core as core;
use palaver_core::Claim;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::arguments::{LentOctets, Octets};
use crate::convert::{random, wrong_type};
use crate::error::Refused;
use crate::listed::Listed;
use crate::lock::Locked;
use crate::names::id_text;

/// `(data, signature, public_key)`.
struct ClaimArgument(Octets, Octets, Octets);

impl<'py> FromPyObject<'_, 'py> for ClaimArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        const FORM: &str = "what is verified is a tuple (data, signature, public_key) of bytes";
        let three = object.cast::<PyTuple>().ok().filter(|tuple| tuple.len() == 3);
        let bytes = |index| three.and_then(|tuple| tuple.get_item(index).ok()?.extract().ok());
        match (bytes(0), bytes(1), bytes(2)) {
            (Some(data), Some(signature), Some(key)) => Ok(Self(data, signature, key)),
            _ => Err(wrong_type(FORM, &object)),
        }
    }
}

/// Holds a node's Ed25519 key and signs with it. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct KeyManager(Locked<Arc<core::KeyManager>>);

impl KeyManager {
    /// The keys as they are now: work with them holds nobody up.
    pub(crate) fn keys(&self, py: Python<'_>) -> Arc<core::KeyManager> {
        Arc::clone(&self.0.lock(py))
    }
}

#[pymethods]
impl KeyManager {
    #[new]
    #[pyo3(signature = (seed = None))]
    fn new(seed: Option<LentOctets<'_>>) -> PyResult<Self> {
        let manager = match seed {
            Some(seed) => core::KeyManager::try_from(seed.0).map_err(Refused::from)?,
            None => core::KeyManager::from_seed(&random()?),
        };
        Ok(Self(Locked::new(Arc::new(manager))))
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.keys(py).node_id())
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.keys(py).public_key().as_bytes())
    }

    fn get_private_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.keys(py).private_key())
    }

    fn sign<'py>(&self, py: Python<'py>, data: Octets) -> Bound<'py, PyBytes> {
        let keys = self.keys(py);
        let signature = py.detach(|| keys.sign(&data));
        PyBytes::new(py, &signature)
    }

    #[pyo3(signature = (data, signature, public_key = None))]
    fn verify_signature(
        &self,
        py: Python<'_>,
        data: Octets,
        signature: Octets,
        public_key: Option<Octets>,
    ) -> bool {
        let keys = self.keys(py);
        py.detach(|| match public_key {
            None => keys.verify_own(&data, &signature),
            Some(key) => keys.verify_claim(&claim(&data, &signature, &key)),
        })
    }

    fn verify_batch(&self, py: Python<'_>, items: Listed<ClaimArgument>) -> Vec<bool> {
        let keys = self.keys(py);
        py.detach(|| {
            let claims: Vec<_> = items
                .0
                .iter()
                .map(|ClaimArgument(data, signature, key)| claim(data, signature, key))
                .collect();
            keys.verify_claims(&claims)
        })
    }

    #[pyo3(signature = (seed = None))]
    fn rotate(&self, py: Python<'_>, seed: Option<LentOctets<'_>>) -> PyResult<()> {
        let seed = match seed {
            Some(seed) => *core::KeyManager::try_from(seed.0).map_err(Refused::from)?.private_key(),
            None => random()?,
        };
        Arc::make_mut(&mut self.0.lock(py)).rotate(&seed);
        Ok(())
    }

    fn trust(&self, py: Python<'_>, public_key: LentOctets<'_>) -> PyResult<bool> {
        Ok(Arc::make_mut(&mut self.0.lock(py)).trust(public_key.0).map_err(Refused::from)?)
    }

    fn revoke(&self, py: Python<'_>, public_key: LentOctets<'_>) -> PyResult<()> {
        Ok(Arc::make_mut(&mut self.0.lock(py)).revoke(public_key.0).map_err(Refused::from)?)
    }

    fn is_trusted(&self, py: Python<'_>, public_key: LentOctets<'_>) -> PyResult<bool> {
        Ok(self.keys(py).is_trusted(public_key.0).map_err(Refused::from)?)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("KeyManager(node_id={:?})", self.keys(py).node_id().to_string())
    }
}

fn claim<'a>(data: &'a [u8], signature: &'a [u8], public_key: &'a [u8]) -> Claim<'a> {
    Claim { data, signature, public_key }
}
