//! The one place where core errors become Python exceptions. These are defined in palaver/core/errors.py, below PalaverError.

use palaver_core::Error;
use palaver_durable::{Failure, FileError};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

pyo3::import_exception!(palaver.core.errors, ArgumentError);
pyo3::import_exception!(palaver.core.errors, CapacityError);
pyo3::import_exception!(palaver.core.errors, DecodeError);
pyo3::import_exception!(palaver.core.errors, SignatureError);
pyo3::import_exception!(palaver.core.errors, StoppedError);

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
            Error::Full { .. } | Error::Memory { .. } | Error::NoIncarnation => {
                CapacityError::new_err(message)
            }
            _ => ArgumentError::new_err(message),
        }
    }
}

/// A failure of something durable on its way to Python: an OSError with errno and filename, or what the core refuses.
pub(crate) struct Broken(Failure);

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<Broken> for PyErr {
    fn from(Broken(failure): Broken) -> Self {
        match failure.into_file_error() {
            Ok(FileError { errno, reason, path }) => PyOSError::new_err((
                errno,
                format!("{reason}; nothing was acknowledged"),
                path.display().to_string(),
            )),
            Err(error) => Refused::from(error).into(),
        }
    }
}
