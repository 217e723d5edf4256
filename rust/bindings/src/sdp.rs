//! first_bad_sdp_line.

use palaver_core as core;
use pyo3::prelude::*;

/// The first line that is not SDP. The manual is palaver/core/_native.pyi.
#[pyfunction]
#[pyo3(signature = (sdp, /))]
pub(crate) fn first_bad_sdp_line(sdp: &str) -> Option<usize> {
    core::first_bad_line(sdp.as_bytes())
}
