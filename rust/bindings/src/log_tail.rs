//! LogTail.

use std::collections::VecDeque;

use palaver_core::FrameTail;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

/// The newest entries of a log. The manual is palaver/core/_native.pyi.
#[pyclass(module = "palaver.core")]
pub(crate) struct LogTail {
    entries: VecDeque<Kept>,
    frames: FrameTail,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

enum Kept {
    /// Whom the next of the frames is for.
    Frame(Py<PyString>),
    Entry(Py<PyAny>, usize),
}

impl LogTail {
    pub(crate) fn push_frame(&mut self, frame: &[u8], to: &Bound<'_, PyString>) {
        self.frames.push(frame);
        self.entries.push_back(Kept::Frame(to.clone().unbind()));
        self.bytes += frame.len();
        self.forget_down_to(self.max_entries);
    }

    fn forget_down_to(&mut self, entries: usize) {
        while self.entries.len() > entries || self.bytes > self.max_bytes {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= match oldest {
                Kept::Frame(_) => self.frames.pop(),
                Kept::Entry(_, size) => size,
            };
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }
}

#[pymethods]
impl LogTail {
    #[new]
    fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), frames: FrameTail::default(), bytes: 0, max_entries, max_bytes }
    }

    #[pyo3(signature = (entry, size, /))]
    fn append(&mut self, entry: Bound<'_, PyAny>, size: usize) -> PyResult<()> {
        self.bytes =
            self.bytes.checked_add(size).ok_or_else(|| PyValueError::new_err("the size is too large"))?;
        self.entries.push_back(Kept::Entry(entry.unbind(), size));
        self.forget_down_to(self.max_entries);
        Ok(())
    }

    #[pyo3(signature = (frame, to, /))]
    fn append_frame(&mut self, frame: &[u8], to: &Bound<'_, PyString>) {
        self.push_frame(frame, to);
    }

    #[pyo3(signature = (entries, /))]
    fn shorten(&mut self, entries: usize) {
        self.forget_down_to(entries);
    }

    #[pyo3(signature = (count, /))]
    fn newest<'py>(&self, py: Python<'py>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let entries = self.entries.range(self.entries.len().saturating_sub(count)..);
        let framed = entries.clone().filter(|kept| matches!(kept, Kept::Frame(_))).count();
        let mut frames = self.frames.newest(framed);
        let newest = PyList::empty(py);
        for kept in entries {
            let kept = match kept {
                Kept::Entry(entry, _) => entry.bind(py).clone(),
                Kept::Frame(to) => {
                    let (front, rest) = frames.next().unwrap_or_default();
                    let frame = PyBytes::new_with(py, front.len() + rest.len(), |frame| {
                        frame[..front.len()].copy_from_slice(front);
                        frame[front.len()..].copy_from_slice(rest);
                        Ok(())
                    })?;
                    (to.bind(py), frame).into_bound_py_any(py)?
                }
            };
            newest.append(kept)?;
        }
        Ok(newest)
    }

    fn __len__(&self) -> usize {
        self.entries.len()
    }
}
