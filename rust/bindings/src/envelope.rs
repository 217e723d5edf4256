//! GossipEnvelope and GossipMessage.

use palaver_core as core;
use palaver_core::{ClusterTag, Error, Postmark};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::arguments::{Instance, Octets, truth};
use crate::convert::{self, Pairs, TextArgument};
use crate::error::Refused;
use crate::keys::KeyManager;
use crate::names::id_text;
use crate::whole;

/// How gossip is wrapped: a signed packet. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, eq, module = "palaver.core")]
#[derive(PartialEq)]
pub(crate) struct GossipEnvelope(core::GossipEnvelope);

#[pymethods]
impl GossipEnvelope {
    #[new]
    #[pyo3(signature = (r#type, payload, keys, *, cluster = TextArgument(""), epoch = 0, seq = 0), text_signature = "(type, payload, keys, *, cluster='', epoch=0, seq=0)")]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = whole::type_)] r#type: u8,
        payload: Octets,
        keys: Instance<'_, KeyManager>,
        cluster: TextArgument<'_>,
        #[pyo3(from_py_with = whole::epoch)] epoch: u64,
        #[pyo3(from_py_with = whole::seq)] seq: u64,
    ) -> PyResult<Self> {
        let postmark = Postmark { kind: r#type, cluster: ClusterTag::of(cluster.0), epoch, seq };
        let keys = keys.keys(py);
        let sealed = py.detach(|| core::GossipEnvelope::seal(&keys, postmark, &payload));
        Ok(Self(sealed.map_err(Refused::from)?))
    }

    #[staticmethod]
    #[pyo3(signature = (data, *, cluster = TextArgument(""), verify = true), text_signature = "(data, *, cluster='', verify=True)")]
    fn decode(
        py: Python<'_>,
        data: Octets,
        cluster: TextArgument<'_>,
        #[pyo3(from_py_with = truth)] verify: bool,
    ) -> PyResult<Self> {
        let envelope =
            core::GossipEnvelope::decode(&data, ClusterTag::of(cluster.0)).map_err(Refused::from)?;
        if verify && !py.detach(|| envelope.verify()) {
            return Err(Refused::from(Error::Signature).into());
        }
        Ok(Self(envelope))
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    fn verify(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.verify())
    }

    #[getter]
    fn r#type(&self) -> u8 {
        self.0.postmark().kind
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.payload())
    }

    #[getter]
    fn signature<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.signature())
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public_key())
    }

    #[getter]
    fn sender_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.sender())
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.0.postmark().epoch
    }

    #[getter]
    fn seq(&self) -> u64 {
        self.0.postmark().seq
    }

    fn __repr__(&self) -> String {
        let (mark, size) = (self.0.postmark(), self.0.payload().len());
        let sender = self.0.sender().to_string();
        format!(
            "GossipEnvelope(type={}, {size} bytes from {sender:?}, epoch={}, seq={})",
            mark.kind, mark.epoch, mark.seq
        )
    }
}

/// What is said: one node's view of the cluster, signed. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, eq, module = "palaver.core")]
#[derive(PartialEq)]
pub(crate) struct GossipMessage(core::GossipMessage);

#[pymethods]
impl GossipMessage {
    #[new]
    #[pyo3(signature = (membership_snapshot, keys, *, cluster = TextArgument(""), epoch = 0, seq = 0), text_signature = "(membership_snapshot, keys, *, cluster='', epoch=0, seq=0)")]
    fn new(
        py: Python<'_>,
        membership_snapshot: Pairs<'_>,
        keys: Instance<'_, KeyManager>,
        cluster: TextArgument<'_>,
        #[pyo3(from_py_with = whole::epoch)] epoch: u64,
        #[pyo3(from_py_with = whole::seq)] seq: u64,
    ) -> PyResult<Self> {
        let entries = convert::entries(&membership_snapshot)?;
        let tag = ClusterTag::of(cluster.0);
        let keys = keys.keys(py);
        let message = py.detach(|| core::GossipMessage::sign(&keys, &entries, tag, epoch, seq));
        Ok(Self(message.map_err(Refused::from)?))
    }

    #[staticmethod]
    #[pyo3(signature = (data, *, cluster = TextArgument(""), verify = true), text_signature = "(data, *, cluster='', verify=True)")]
    fn decode(
        py: Python<'_>,
        data: Octets,
        cluster: TextArgument<'_>,
        #[pyo3(from_py_with = truth)] verify: bool,
    ) -> PyResult<Self> {
        let message = core::GossipMessage::decode(&data, ClusterTag::of(cluster.0)).map_err(Refused::from)?;
        if verify && !py.detach(|| message.envelope().verify()) {
            return Err(Refused::from(Error::Signature).into());
        }
        Ok(Self(message))
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.envelope().as_bytes())
    }

    #[getter]
    fn sender_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.sender_id())
    }

    #[getter]
    fn membership_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::members(py, self.0.snapshot().iter().copied())
    }

    #[getter]
    fn signature<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.envelope().signature())
    }

    #[getter]
    fn envelope(&self) -> GossipEnvelope {
        GossipEnvelope(self.0.envelope().clone())
    }

    fn __repr__(&self) -> String {
        format!(
            "GossipMessage(from {:?}, {} members)",
            self.0.sender_id().to_string(),
            self.0.snapshot().len()
        )
    }
}
