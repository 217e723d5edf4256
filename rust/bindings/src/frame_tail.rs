//! FrameTail.

use palaver_core as core;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The newest frames of a stream. The manual is palaver/core/_native.pyi.
#[pyclass(module = "palaver.core")]
pub(crate) struct FrameTail {
    pub(crate) frames: core::FrameTail,
}

#[pymethods]
impl FrameTail {
    #[new]
    fn new() -> Self {
        Self { frames: core::FrameTail::default() }
    }

    #[pyo3(signature = (frame, /))]
    fn push(&mut self, frame: &[u8]) {
        self.frames.push(frame);
    }

    fn pop(&mut self) -> usize {
        self.frames.pop()
    }

    #[pyo3(signature = (back, /))]
    fn newest<'py>(&self, py: Python<'py>, back: usize) -> PyResult<Bound<'py, PyBytes>> {
        let (front, rest) = self
            .frames
            .newest(back)
            .ok_or_else(|| PyIndexError::new_err("that frame is not kept (any more)"))?;
        PyBytes::new_with(py, front.len() + rest.len(), |frame| {
            frame[..front.len()].copy_from_slice(front);
            frame[front.len()..].copy_from_slice(rest);
            Ok(())
        })
    }

    fn __len__(&self) -> usize {
        self.frames.len()
    }
}
