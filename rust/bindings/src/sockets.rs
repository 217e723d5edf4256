//! send_all.

use std::os::fd::{BorrowedFd, RawFd};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::net::{SendFlags, send};

/// Writes to sockets without waiting. The manual is palaver/core/_native.pyi.
#[pyfunction]
#[pyo3(signature = (descriptors, pieces, /))]
pub(crate) fn send_all(descriptors: Vec<RawFd>, pieces: Vec<Bound<'_, PyBytes>>) -> Vec<(usize, usize)> {
    let mut short = Vec::new();
    for (index, (descriptor, piece)) in descriptors.into_iter().zip(&pieces).enumerate() {
        let bytes = piece.as_bytes();
        let taken = if descriptor < 0 {
            0
        } else {
            // SAFETY: the caller holds the transport that owns the descriptor, has just seen that it is not closing, and runs on
            // its loop: nothing closes it before this call returns. A number that names no file would be refused with EBADF.
            let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
            send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).unwrap_or(0)
        };
        if taken < bytes.len() {
            short.push((index, taken));
        }
    }
    short
}
