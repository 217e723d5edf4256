//! Arguments that PyO3 converts itself, with our rule in place of its text when they are refused.

use std::ops::Deref;
use std::path::PathBuf;

use palaver_core::Error;
use pyo3::PyClass;
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::pyclass::boolean_struct::True;

use crate::convert::wrong_type;
use crate::error::Refused;

/// Bytes that stay what they are without the interpreter too.
pub(crate) struct Octets(PyBackedBytes);

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'py> FromPyObject<'_, 'py> for Octets {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|_| wrong_type("this must be bytes", &object))
    }
}

/// Bytes lent by an immutable Python object.
#[derive(Clone, Copy)]
pub(crate) struct LentOctets<'a>(pub(crate) &'a [u8]);

impl<'a, 'py> FromPyObject<'a, 'py> for LentOctets<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|_| wrong_type("this must be bytes", &object))
    }
}

/// An object of one of our classes.
pub(crate) struct Instance<'a, T> {
    lent: &'a T,
}

impl<T> Deref for Instance<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.lent
    }
}

impl<'a, 'py, T: PyClass<Frozen = True> + Sync> FromPyObject<'a, 'py> for Instance<'a, T> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let found = object.cast::<T>();
        let found = found.map_err(|_| wrong_type(&format!("this must be a {}", T::NAME), &object))?;
        Ok(Self { lent: found.get() })
    }
}

/// A path argument.
pub(crate) struct PathArgument(pub(crate) PathBuf);

impl<'py> FromPyObject<'_, 'py> for PathArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|error: PyErr| {
            if error.is_instance_of::<PyTypeError>(object.py()) {
                wrong_type("a path is a str or an os.PathLike of one", &object)
            } else if error.is_instance_of::<PyUnicodeEncodeError>(object.py()) {
                Refused::from(Error::Surrogate).into()
            } else {
                error
            }
        })
    }
}

/// Yes or no, to be named with `from_py_with`.
pub(crate) fn truth(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    given.extract().map_err(|_| wrong_type("this must be a bool", given))
}

/// The same, or None.
pub(crate) fn maybe_truth(given: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    if given.is_none() { Ok(None) } else { truth(given).map(Some) }
}
