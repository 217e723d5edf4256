//! read_relay and what it returns.

use palaver_core::{self as core, Place, Relay, RelayMethod, RequestId};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// What a relay passes on. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct SealedRelay {
    message: Py<PyBytes>,
    sealed: core::Sealed,
}

#[pymethods]
impl SealedRelay {
    #[pyo3(signature = (sender, epoch, seq, prev, /))]
    fn frame<'py>(
        &self,
        py: Python<'py>,
        sender: &str,
        epoch: u64,
        seq: u64,
        prev: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let place = Place { epoch, seq, prev };
        let notification = self
            .sealed
            .notification(self.message.as_bytes(py), sender, place)
            .ok_or_else(|| PyValueError::new_err("a relay of more than 64 KiB"))?;
        let parts = notification.parts();
        PyBytes::new_with(py, parts.iter().map(|part| part.len()).sum(), |mut frame| {
            for part in parts {
                let (here, rest) = frame.split_at_mut(part.len());
                here.copy_from_slice(part);
                frame = rest;
            }
            Ok(())
        })
    }
}

type Read<'py> = (
    Bound<'py, PyString>,
    Option<Bound<'py, PyAny>>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    u32,
    SealedRelay,
);

#[pyfunction]
#[pyo3(signature = (message, max_sdp_bytes, /))]
pub(crate) fn read_relay<'py>(
    message: &Bound<'py, PyBytes>,
    max_sdp_bytes: usize,
) -> PyResult<Option<Read<'py>>> {
    let py = message.py();
    let Some(Relay { id, to, sealed }) = core::read_relay(message.as_bytes(), max_sdp_bytes) else {
        return Ok(None);
    };
    let method = match sealed.method {
        RelayMethod::Offer => intern!(py, "sdpOffer"),
        RelayMethod::Answer => intern!(py, "sdpAnswer"),
        RelayMethod::Candidates => intern!(py, "iceCandidate"),
    };
    let id = match id {
        None => None,
        Some(RequestId::Number(number)) => Some(number.into_bound_py_any(py)?),
        Some(RequestId::Text(text)) => Some(text.into_bound_py_any(py)?),
    };
    let transport = PyString::from_bytes(py, &message.as_bytes()[sealed.transport.clone()])?;
    let (to, generation) = (PyString::new(py, to), sealed.generation);
    let sealed = SealedRelay { message: message.clone().unbind(), sealed };
    Ok(Some((method.clone(), id, transport, to, generation, sealed)))
}
