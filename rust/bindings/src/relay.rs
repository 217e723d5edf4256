//! read_relays and what it returns.

use palaver_core::{self as core, Place, Relay, RelayMethod};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::log_tail::LogTail;

/// So many messages are read together at most. Where they are refused each is looked at alone, and reads those behind it again.
const MAX_RUN: usize = 16;

/// What relays pass on to one peer. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct RelayRun {
    relays: Vec<(Py<PyBytes>, core::Sealed)>,
    /// How many of them are requests.
    #[pyo3(get)]
    replies: u64,
}

#[pymethods]
impl RelayRun {
    fn __len__(&self) -> usize {
        self.relays.len()
    }

    #[pyo3(signature = (tail, sender, to, epoch, seq, prev, /))]
    #[expect(
        clippy::too_many_arguments,
        reason = "a call takes 0.05 µs more for each object that they would be gathered in"
    )]
    fn frames<'py>(
        &self,
        py: Python<'py>,
        tail: &Bound<'py, LogTail>,
        sender: &str,
        to: &Bound<'py, PyString>,
        epoch: u64,
        seq: u64,
        prev: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut place = Place { epoch, seq, prev };
        let mut notifications = Vec::with_capacity(self.relays.len());
        for (message, sealed) in &self.relays {
            let notification = sealed.notification(message.as_bytes(py), sender, place);
            notifications
                .push(notification.ok_or_else(|| PyValueError::new_err("a relay of more than 64 KiB"))?);
            place = Place { epoch, seq: place.seq + 1, prev: place.seq };
        }
        let parts = || notifications.iter().flat_map(|notification| notification.parts());
        let frames = PyBytes::new_with(py, parts().map(<[u8]>::len).sum(), |mut frames| {
            for part in parts() {
                let (here, rest) = frames.split_at_mut(part.len());
                here.copy_from_slice(part);
                frames = rest;
            }
            Ok(())
        })?;
        let (mut tail, mut rest) = (tail.try_borrow_mut()?, frames.as_bytes());
        for notification in &notifications {
            let (frame, others) = rest.split_at(notification.parts().iter().map(|part| part.len()).sum());
            tail.push_frame(frame, to);
            rest = others;
        }
        Ok(frames)
    }
}

type Read<'py> = (
    Bound<'py, PyString>,
    Option<Bound<'py, PyBytes>>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    u32,
    RelayRun,
);

#[pyfunction]
#[pyo3(signature = (messages, start, max_sdp_bytes, max_bytes, /))]
pub(crate) fn read_relays<'py>(
    messages: &Bound<'py, PyList>,
    start: usize,
    max_sdp_bytes: usize,
    max_bytes: usize,
) -> PyResult<Option<Read<'py>>> {
    let py = messages.py();
    let at = |index: usize| -> PyResult<Bound<'py, PyBytes>> { Ok(messages.get_item(index)?.cast_into()?) };
    if start >= messages.len() {
        return Err(PyIndexError::new_err("there is no such message"));
    }
    let first = at(start)?;
    let Some(relay) = core::read_relay(first.as_bytes(), max_sdp_bytes) else {
        return Ok(None);
    };
    let (mut frames, mut replies) = (Vec::new(), 0);
    let mut answer = |relay: &Relay<'_>| {
        if let Some(frame) = relay.reply() {
            frames.extend_from_slice(&frame);
            replies += 1;
        }
    };
    answer(&relay);
    let Relay { to, sealed, .. } = relay;
    let method = match sealed.method {
        RelayMethod::Offer => intern!(py, "sdpOffer"),
        RelayMethod::Answer => intern!(py, "sdpAnswer"),
        RelayMethod::Candidates => intern!(py, "iceCandidate"),
    };
    let transport = &first.as_bytes()[sealed.transport.clone()];
    let mut relays = vec![(first.clone().unbind(), sealed.clone())];
    if sealed.method == RelayMethod::Candidates {
        for index in start + 1..messages.len().min(start + MAX_RUN) {
            let message = at(index)?;
            let bytes = message.as_bytes();
            let Some(next) = core::read_relay(bytes, max_sdp_bytes).filter(|_| bytes.len() <= max_bytes)
            else {
                break;
            };
            let same = (next.to, next.sealed.method, next.sealed.generation)
                == (to, sealed.method, sealed.generation)
                && &bytes[next.sealed.transport.clone()] == transport;
            if !same {
                break;
            }
            answer(&next);
            let sealed = next.sealed;
            relays.push((message.unbind(), sealed));
        }
    }
    let transport = PyString::from_bytes(py, transport)?;
    let (to, generation) = (PyString::new(py, to), sealed.generation);
    let frames = (replies > 0).then(|| PyBytes::new(py, &frames));
    Ok(Some((method.clone(), frames, transport, to, generation, RelayRun { relays, replies })))
}
