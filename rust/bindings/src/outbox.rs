//! Outbox and Outboxes.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::{BorrowedFd, RawFd};

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::net::{SendFlags, send};

/// An empty queue keeps room for so many frames.
const KEPT_CAPACITY: usize = 4;

/// What waits to be written to one client. The manual is palaver/core/_native.pyi.
#[pyclass(subclass, module = "palaver.core")]
pub(crate) struct Outbox {
    shared: Py<Outboxes>,
    frames: VecDeque<Py<PyBytes>>,
    #[pyo3(get)]
    waiting_bytes: usize,
    #[pyo3(get, set)]
    descriptor: RawFd,
    #[pyo3(get, set)]
    is_clear: bool,
    /// Whether the next flush looks at it.
    is_due: bool,
}

impl Outbox {
    fn forget(&mut self) {
        self.frames.clear();
        self.frames.shrink_to(KEPT_CAPACITY);
        self.waiting_bytes = 0;
    }

    /// Writes all that is queued. Returns what the socket did not take.
    fn write<'py>(&mut self, py: Python<'py>, joined: &mut Vec<u8>) -> Option<Bound<'py, PyBytes>> {
        let bytes = if let [frame] = self.frames.make_contiguous() {
            frame.as_bytes(py)
        } else {
            joined.clear();
            self.frames.iter().for_each(|frame| joined.extend_from_slice(frame.as_bytes(py)));
            joined
        };
        // SAFETY: whoever sets `descriptor` keeps it open as long as the outbox is clear, and runs on this thread. A number that names
        // no file would be refused with EBADF.
        let socket = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
        let taken = send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).unwrap_or(0);
        let rest = (taken < bytes.len()).then(|| PyBytes::new(py, &bytes[taken..]));
        self.forget();
        rest
    }
}

#[pymethods]
impl Outbox {
    #[new]
    #[pyo3(signature = (outboxes, /))]
    fn new(outboxes: Py<Outboxes>) -> Self {
        Self {
            shared: outboxes,
            frames: VecDeque::new(),
            waiting_bytes: 0,
            descriptor: -1,
            is_clear: true,
            is_due: false,
        }
    }

    #[pyo3(signature = (frame, droppable = false, count = 1))]
    fn send_frame(
        slf: &Bound<'_, Self>,
        frame: &Bound<'_, PyBytes>,
        droppable: bool,
        count: u64,
    ) -> PyResult<bool> {
        let (py, size) = (slf.py(), frame.as_bytes().len());
        let outbox = slf.borrow();
        let may_join = outbox.is_clear && outbox.waiting_bytes + size <= outbox.shared.borrow(py).long_bytes;
        drop(outbox);
        if !may_join && !slf.call_method1(intern!(py, "admit_frame"), (size, droppable))?.is_truthy()? {
            return Ok(false);
        }
        Self::push_frame(slf, frame)?;
        slf.borrow().shared.borrow_mut(py).messages_out += count;
        Ok(true)
    }

    #[pyo3(signature = (size, droppable, /))]
    #[expect(clippy::unused_self, reason = "whoever inherits decides")]
    const fn admit_frame(&self, size: usize, droppable: bool) -> bool {
        let _ = (size, droppable);
        false
    }

    #[pyo3(signature = (frame, /))]
    fn push_frame(slf: &Bound<'_, Self>, frame: &Bound<'_, PyBytes>) -> PyResult<()> {
        let mut outbox = slf.borrow_mut();
        outbox.waiting_bytes += frame.as_bytes().len();
        outbox.frames.push_back(frame.clone().unbind());
        drop(outbox);
        Self::flush_soon(slf)
    }

    fn flush_soon(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let mut outbox = slf.borrow_mut();
        if outbox.is_due {
            return Ok(());
        }
        let shared = outbox.shared.clone_ref(py).into_bound(py);
        let mut outboxes = shared.borrow_mut();
        if outboxes.due.is_empty() {
            let wake = outboxes.wake.clone_ref(py);
            drop((outbox, outboxes));
            wake.call0(py)?; // where it raises, the next frame wakes again
            (outbox, outboxes) = (slf.borrow_mut(), shared.borrow_mut());
        }
        outbox.is_due = true;
        outboxes.due.push(slf.clone().unbind());
        Ok(())
    }

    fn take_frames<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut outboxes = self.shared.borrow_mut(py);
        let limit = outboxes.piece_bytes;
        let mut piece = Vec::with_capacity(self.waiting_bytes.min(limit));
        while piece.len() < limit
            && let Some(frame) = self.frames.pop_front()
        {
            piece.extend_from_slice(frame.as_bytes(py));
        }
        self.waiting_bytes -= piece.len();
        outboxes.bytes_out += piece.len() as u64;
        self.frames.shrink_to(KEPT_CAPACITY);
        PyBytes::new(py, &piece)
    }

    fn drop_frames(&mut self) {
        self.forget();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.shared)
    }
}

/// What the outboxes of one event loop share. The manual is palaver/core/_native.pyi.
#[pyclass(module = "palaver.core")]
pub(crate) struct Outboxes {
    wake: Py<PyAny>,
    #[pyo3(get, set)]
    long_bytes: usize,
    piece_bytes: usize,
    #[pyo3(get)]
    messages_out: u64,
    #[pyo3(get)]
    bytes_out: u64,
    due: Vec<Py<Outbox>>,
    /// Where the frames of an outbox are joined.
    joined: Vec<u8>,
}

#[pymethods]
impl Outboxes {
    #[new]
    #[pyo3(signature = (wake, long_bytes, piece_bytes))]
    fn new(wake: Py<PyAny>, long_bytes: usize, piece_bytes: usize) -> Self {
        Self {
            wake,
            long_bytes,
            piece_bytes,
            messages_out: 0,
            bytes_out: 0,
            due: Vec::new(),
            joined: Vec::new(),
        }
    }

    fn flush<'py>(slf: &Bound<'py, Self>) -> Vec<(Py<Outbox>, Bound<'py, PyBytes>)> {
        let py = slf.py();
        let mut outboxes = slf.borrow_mut();
        let (all, mut joined) = (mem::take(&mut outboxes.due), mem::take(&mut outboxes.joined));
        let (mut left, mut bytes) = (Vec::new(), 0);
        for due in &all {
            let mut outbox = due.borrow_mut(py);
            outbox.is_due = false;
            let mut rest = None;
            if outbox.is_clear
                && outbox.descriptor >= 0
                && (1..=outboxes.piece_bytes).contains(&outbox.waiting_bytes)
            {
                bytes += outbox.waiting_bytes;
                rest = outbox.write(py, &mut joined);
                if rest.is_none() {
                    continue;
                }
            }
            left.push((due.clone_ref(py), rest.unwrap_or_else(|| PyBytes::new(py, b""))));
        }
        outboxes.bytes_out += bytes as u64;
        outboxes.joined = joined;
        drop(outboxes);
        left // and only now, with nothing borrowed, may one of them be freed
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.wake)?;
        self.due.iter().try_for_each(|outbox| visit.call(outbox))
    }

    fn __clear__(&mut self) {
        self.due.clear();
    }
}
