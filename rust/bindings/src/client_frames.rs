//! take_messages.

use palaver_core::ClientFrame;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

const TEXT: u8 = 1;

/// Takes whole messages off what was read from a client. The manual is palaver/core/_native.pyi.
#[pyfunction]
#[pyo3(signature = (buffer, size, opcode, max_payload, /))]
pub(crate) fn take_messages<'py>(
    py: Python<'py>,
    buffer: PyBuffer<u8>,
    size: usize,
    opcode: u8,
    max_payload: usize,
) -> PyResult<(Vec<Bound<'py, PyBytes>>, usize, usize)> {
    if size > buffer.len_bytes() || !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err(
            "size is at most that of the buffer, whose bytes lie side by side",
        ));
    }
    // SAFETY: the exporter keeps the memory as long as `buffer` lives; it is contiguous and of at least `size` bytes. Who
    // calls is who fills the buffer, so nobody writes there until this returns.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), size) };
    let (mut messages, mut payload, mut taken) = (Vec::new(), 0, 0);
    while let Some((frame, length)) = ClientFrame::read(&bytes[taken..], opcode, max_payload) {
        let message = PyBytes::new_with(py, frame.size(), |into| {
            frame.unmask(into);
            Ok(())
        })?;
        if opcode == TEXT && !message.as_bytes().is_ascii() {
            break;
        }
        messages.push(message);
        payload += frame.size();
        taken += length;
    }
    Ok((messages, payload, taken))
}
