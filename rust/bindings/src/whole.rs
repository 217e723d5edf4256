//! Whole numbers as arguments: each says its name and range when it is refused.

use palaver_core::Error;
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::convert::wrong_type;
use crate::error::Refused;

/// A whole number from 0 to the largest of its type.
fn whole<T: TryFrom<u64>>(given: &Bound<'_, PyAny>, what: &'static str, max: u64) -> PyResult<T> {
    let number: PyResult<u64> = given.extract();
    match number.map(T::try_from) {
        Ok(Ok(number)) => Ok(number),
        Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => {
            Err(wrong_type(&format!("{what} is an int"), given))
        }
        Err(error) if !error.is_instance_of::<PyOverflowError>(given.py()) => Err(error),
        Ok(Err(_)) | Err(_) => Err(Refused::from(Error::Whole { what, max }).into()),
    }
}

/// An extractor for each argument, to be named with `from_py_with`; one for the same that may be None.
macro_rules! whole_arguments {
    ($($name:ident, $optional:ident: $number:ty, $what:literal;)+) => {$(
        #[allow(dead_code, reason = "not every argument may be None")]
        pub(crate) fn $name(given: &Bound<'_, PyAny>) -> PyResult<$number> {
            whole(given, $what, <$number>::MAX as u64)
        }

        #[allow(dead_code, reason = "not every argument may be None")]
        pub(crate) fn $optional(given: &Bound<'_, PyAny>) -> PyResult<Option<$number>> {
            if given.is_none() { Ok(None) } else { $name(given).map(Some) }
        }
    )+};
}

whole_arguments! {
    burst, maybe_burst: u32, "burst";
    epoch, maybe_epoch: u64, "epoch";
    first_seq, maybe_first_seq: u64, "first_seq";
    issued_at, maybe_issued_at: u64, "issued_at";
    kind, maybe_kind: u8, "kind";
    load, maybe_load: u16, "load";
    members, maybe_members: usize, "members";
    nodes, maybe_nodes: usize, "nodes";
    not_after, maybe_not_after: u64, "not_after";
    queue, maybe_queue: usize, "queue";
    seed, maybe_seed: u64, "seed";
    seq, maybe_seq: u64, "seq";
    sessions, maybe_sessions: u32, "sessions";
    type_, maybe_type: u8, "type";
}
