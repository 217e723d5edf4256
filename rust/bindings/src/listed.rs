//! Sequences of any length as lists.

use palaver_core::Error;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::{Number, wrong_type};
use crate::error::Refused;

/// What a sequence holds. How long it says it is decides nothing: `range(10**13)` and a `__len__` that lies are sequences too.
pub(crate) struct Listed<T>(pub(crate) Vec<T>);

impl<'py, T: FromPyObjectOwned<'py>> FromPyObject<'_, 'py> for Listed<T> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        refuse_what_is_no_sequence(&object)?;
        let mut list = Vec::new();
        for item in object.try_iter()? {
            list.try_reserve(1).map_err(|_| Refused::from(Error::Memory { what: "list" }))?;
            list.push(item?.extract::<T>().map_err(Into::into)?);
        }
        Ok(Self(list))
    }
}

/// One number for each of `count`: another number of them is refused before they are read.
pub(crate) fn numbers(sequence: &Bound<'_, PyAny>, count: usize, what: &'static str) -> PyResult<Vec<f64>> {
    refuse_what_is_no_sequence(sequence)?;
    let pairs = |got| PyErr::from(Refused::from(Error::Pairs { what, expected: count, got }));
    let length = sequence.len().unwrap_or(usize::MAX); // longer than any list is
    if length != count {
        return Err(pairs(length));
    }
    let mut list = Vec::with_capacity(count);
    for number in sequence.try_iter()?.take(count + 1) {
        list.push(number?.extract::<Number>()?.0);
    }
    if list.len() == count { Ok(list) } else { Err(pairs(list.len())) }
}

/// Text and dicts can be walked through, but hardly ever are what was meant; what has no length may have no end.
fn refuse_what_is_no_sequence(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let endless = object.len().is_err_and(|error| error.is_instance_of::<PyTypeError>(object.py()));
    if endless || object.is_instance_of::<PyString>() || object.is_instance_of::<PyDict>() {
        return Err(wrong_type("this must be a sequence", object));
    }
    Ok(())
}
