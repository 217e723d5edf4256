//! PairwiseLinks and Opened.

use palaver_core as core;
use palaver_core::{ClusterTag, Hello};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::{Instance, LentOctets, Octets};
use crate::convert::{TextArgument, count, hasher, random};
use crate::error::{ArgumentError, Refused};
use crate::keys::KeyManager;
use crate::lock::Locked;
use crate::names::{IdArgument, id_text};
use crate::whole;

/// Encrypted packets between nodes that have greeted each other. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct PairwiseLinks {
    links: Locked<core::PairwiseLinks>,
    hello: Hello,
    cluster: ClusterTag,
    process: u32,
}

#[pymethods]
impl PairwiseLinks {
    #[new]
    #[pyo3(
        signature = (keys, *, cluster = TextArgument(""), epoch = 0, max_peers = None),
        text_signature = "(keys, *, cluster='', epoch=0, max_peers=65536)"
    )]
    fn new(
        py: Python<'_>,
        keys: Instance<'_, KeyManager>,
        cluster: TextArgument<'_>,
        #[pyo3(from_py_with = whole::epoch)] epoch: u64,
        max_peers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let limit =
            max_peers.map_or(Ok(core::PairwiseLinks::DEFAULT_MAX_PEERS), |given| count(given, "peers"))?;
        let cluster = ClusterTag::of(cluster.0);
        let links = core::PairwiseLinks::new(&keys.keys(py), cluster, epoch, random()?, limit, hasher())
            .map_err(Refused::from)?;
        let hello = links.hello().clone();
        Ok(Self { links: Locked::new(links), hello, cluster, process: std::process::id() })
    }

    #[getter]
    fn hello<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.hello.as_bytes())
    }

    #[getter]
    fn node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.hello.node_id())
    }

    #[staticmethod]
    #[pyo3(signature = (hello, *, cluster = TextArgument("")), text_signature = "(hello, *, cluster='')")]
    fn greeter<'py>(
        py: Python<'py>,
        hello: LentOctets<'_>,
        cluster: TextArgument<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let hello = Hello::decode(hello.0, ClusterTag::of(cluster.0)).map_err(Refused::from)?;
        Ok(PyBytes::new(py, hello.public_key()))
    }

    fn establish<'py>(&self, py: Python<'py>, hello: LentOctets<'_>) -> PyResult<Bound<'py, PyString>> {
        let hello = Hello::decode(hello.0, self.cluster).map_err(Refused::from)?;
        py.detach(|| self.links.lock_detached().establish(&hello)).map_err(Refused::from)?;
        Ok(id_text(py, &hello.node_id()))
    }

    #[pyo3(signature = (peer_id, payload, *, r#type = 1))]
    fn seal<'py>(
        &self,
        py: Python<'py>,
        peer_id: IdArgument,
        payload: Octets,
        #[pyo3(from_py_with = whole::type_)] r#type: u8,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if std::process::id() != self.process {
            // The parent goes on counting from the same number with the same key: a nonce would be used twice.
            return Err(ArgumentError::new_err(
                "links made before a fork are the parent's: make new ones in the child; nothing was sealed",
            ));
        }
        let packet = py.detach(|| self.links.lock_detached().seal(&peer_id.0, r#type, &payload));
        Ok(PyBytes::new(py, &packet.map_err(Refused::from)?))
    }

    fn open(&self, py: Python<'_>, packet: Octets) -> PyResult<Option<Opened>> {
        let opened = py.detach(|| self.links.lock_detached().open(&packet));
        Ok(opened.map_err(Refused::from)?.map(Opened))
    }

    fn forget(&self, py: Python<'_>, peer_id: IdArgument) -> bool {
        self.links.lock(py).forget(&peer_id.0)
    }

    fn is_confirmed(&self, py: Python<'_>, peer_id: IdArgument) -> bool {
        self.links.lock(py).is_confirmed(&peer_id.0)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.links.lock(py).len()
    }

    fn __contains__(&self, py: Python<'_>, peer_id: IdArgument) -> bool {
        self.links.lock(py).contains(&peer_id.0)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("{:?}", *self.links.lock(py))
    }
}

/// A packet that was opened. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct Opened(core::Opened);

#[pymethods]
impl Opened {
    #[getter]
    fn sender_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.sender)
    }

    #[getter]
    fn r#type(&self) -> u8 {
        self.0.postmark.kind
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.payload)
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.0.postmark.epoch
    }

    #[getter]
    fn seq(&self) -> u64 {
        self.0.postmark.seq
    }

    fn __repr__(&self) -> String {
        format!("Opened(sender_id={:?}, {} bytes)", self.0.sender.to_string(), self.0.payload.len())
    }
}
