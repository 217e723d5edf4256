//! The Python exceptions, and the one place where core errors become them.

use palaver_core::Error;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    palaver.core,
    CoreError,
    PyValueError,
    "The root of what the native core raises. No state was changed."
);
create_exception!(
    palaver.core,
    ArgumentError,
    CoreError,
    "An argument breaks a rule, which the message names."
);
create_exception!(
    palaver.core,
    DecodeError,
    CoreError,
    "Bytes from outside do not have the form they should."
);
create_exception!(palaver.core, SignatureError, CoreError, "Something is not signed by whom it says.");
create_exception!(palaver.core, CapacityError, CoreError, "A structure is as full as it may get.");

/// A core error on its way to Python; `?` in a binding makes it an exception.
pub(crate) struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Refused> for PyErr {
    fn from(Refused(error): Refused) -> Self {
        let message = error.to_string();
        match error {
            Error::Decode(_) => DecodeError::new_err(message),
            Error::Signature | Error::NoLink | Error::StaleHello => SignatureError::new_err(message),
            Error::Full { .. } => CapacityError::new_err(message),
            _ => ArgumentError::new_err(message),
        }
    }
}
