//! BroadcastBuffer.

use palaver_core as core;
use palaver_core::{ChangeKey, Error, Priority};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::arguments::Octets;
use crate::convert::{count, hasher, wrong_type};
use crate::error::Refused;
use crate::lock::Locked;
use crate::names::IdArgument;
use crate::whole;

/// A priority argument: one of the five words.
struct PriorityArgument(Priority);

impl<'py> FromPyObject<'_, 'py> for PriorityArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let word = object.cast::<PyString>().map_err(|_| wrong_type("a priority is a str", &object))?;
        let word = word.to_str().map_err(|_| Refused::from(Error::Priority))?;
        Ok(Self(word.parse().map_err(Refused::from)?))
    }
}

/// Changes waiting to be spread. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct BroadcastBuffer(Locked<core::BroadcastBuffer>);

#[pymethods]
impl BroadcastBuffer {
    #[new]
    #[pyo3(signature = (capacity = None, *, members = 1), text_signature = "(capacity=65536, *, members=1)")]
    fn new(
        capacity: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = whole::members)] members: usize,
    ) -> PyResult<Self> {
        let capacity =
            capacity.map_or(Ok(core::BroadcastBuffer::DEFAULT_CAPACITY), |given| count(given, "changes"))?;
        let mut buffer = core::BroadcastBuffer::new(capacity, hasher()).map_err(Refused::from)?;
        buffer.set_members(members);
        Ok(Self(Locked::new(buffer)))
    }

    #[getter]
    fn members(&self, py: Python<'_>) -> usize {
        self.0.lock(py).members()
    }

    #[setter]
    fn set_members(&self, py: Python<'_>, #[pyo3(from_py_with = whole::members)] members: usize) {
        self.0.lock(py).set_members(members);
    }

    #[getter]
    fn transmit_limit(&self, py: Python<'_>) -> u8 {
        self.0.lock(py).transmit_limit()
    }

    #[pyo3(
        signature = (subject, data, priority = PriorityArgument(Priority::Alive)),
        text_signature = "($self, subject, data, priority='alive')"
    )]
    fn add_change(
        &self,
        py: Python<'_>,
        subject: IdArgument,
        data: Octets,
        priority: PriorityArgument,
    ) -> PyResult<bool> {
        let key = ChangeKey::given(subject.0);
        Ok(self.0.lock(py).add_change(key, priority.0, &data).map_err(Refused::from)?)
    }

    fn add_news(&self, py: Python<'_>, news: Octets, self_node_id: IdArgument) -> PyResult<()> {
        Ok(core::queue_news(&mut self.0.lock(py), &news, &self_node_id.0).map_err(Refused::from)?)
    }

    #[pyo3(signature = (max_bytes = None), text_signature = "($self, max_bytes=1050)")]
    fn next_batch<'py>(
        &self,
        py: Python<'py>,
        max_bytes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let room = max_bytes.map_or(Ok(core::BroadcastBuffer::MAX_CHANGE), |given| count(given, "bytes"))?;
        let mut changes = Vec::new();
        self.0.lock(py).next_batch(room, |bytes| changes.push(PyBytes::new(py, bytes)));
        PyList::new(py, changes)
    }

    fn withdraw(&self, py: Python<'_>, subject: IdArgument) -> bool {
        self.0.lock(py).withdraw(&ChangeKey::given(subject.0))
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.lock(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let buffer = self.0.lock(py);
        format!("BroadcastBuffer({} changes, each told {} times)", buffer.len(), buffer.transmit_limit())
    }
}
