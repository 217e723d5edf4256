//! What the message path asks about text: first_bad_sdp_line, is_sound_sdp, json_shape.

use palaver_core as core;
use pyo3::prelude::*;

/// The first line that is not SDP. The manual is palaver/core/_native.pyi.
#[pyfunction]
#[pyo3(signature = (sdp, /))]
pub(crate) fn first_bad_sdp_line(sdp: &str) -> Option<usize> {
    core::first_bad_line(sdp.as_bytes())
}

#[pyfunction]
#[pyo3(signature = (encoded, max_bytes, is_msgpack, /))]
pub(crate) fn is_sound_sdp(encoded: &[u8], max_bytes: usize, is_msgpack: bool) -> bool {
    if is_msgpack {
        core::is_sound_msgpack(encoded, max_bytes)
    } else {
        core::is_sound_json(encoded, max_bytes)
    }
}

const ODD: u8 = 1;
const DEEP: u8 = 2;

#[pyfunction]
#[pyo3(signature = (message, levels, /))]
pub(crate) fn json_shape(message: &[u8], levels: usize) -> u8 {
    let shape = core::json_shape(message);
    (u8::from(!shape.is_plain) * ODD) | (u8::from(shape.openers > levels) * DEEP)
}
