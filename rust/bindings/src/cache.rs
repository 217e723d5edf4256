//! MessageCache.

use palaver_core as core;
use palaver_core::MessageId;
use pyo3::prelude::*;

use crate::arguments::Octets;
use crate::convert::{BytesOrText, count, hasher};
use crate::error::Refused;
use crate::listed::Listed;
use crate::lock::Locked;

/// Which messages have been seen. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct MessageCache(Locked<core::MessageCache>);

#[pymethods]
impl MessageCache {
    #[new]
    #[pyo3(signature = (capacity = None), text_signature = "(capacity=65536)")]
    fn new(capacity: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let capacity =
            capacity.map_or(Ok(core::MessageCache::DEFAULT_CAPACITY), |given| count(given, "message ids"))?;
        let cache = core::MessageCache::new(capacity, hasher()).map_err(Refused::from)?;
        Ok(Self(Locked::new(cache)))
    }

    #[getter]
    fn capacity(&self, py: Python<'_>) -> usize {
        self.0.lock(py).capacity()
    }

    fn is_duplicate(&self, py: Python<'_>, msg_id: BytesOrText) -> bool {
        self.0.lock(py).is_duplicate(&MessageId::of(msg_id.as_bytes()))
    }

    fn track(&self, py: Python<'_>, msg_id: BytesOrText) -> bool {
        self.0.lock(py).track(MessageId::of(msg_id.as_bytes()))
    }

    fn track_many(&self, py: Python<'_>, msg_ids: Listed<Octets>) -> Vec<bool> {
        py.detach(|| {
            let ids: Vec<MessageId> = msg_ids.0.iter().map(|id| MessageId::of(id)).collect();
            let mut cache = self.0.lock_detached();
            ids.into_iter().map(|id| cache.track(id)).collect()
        })
    }

    fn clear(&self, py: Python<'_>) {
        self.0.lock(py).clear();
    }

    fn __contains__(&self, py: Python<'_>, msg_id: BytesOrText) -> bool {
        self.is_duplicate(py, msg_id)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.lock(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let cache = self.0.lock(py);
        format!("MessageCache(capacity={}, {} held)", cache.capacity(), cache.len())
    }
}
