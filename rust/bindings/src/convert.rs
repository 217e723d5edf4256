//! Python values that become core values, and the edge where the clock and the system's randomness are read.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{SystemTime, UNIX_EPOCH};

use palaver_core::{Entry, Error, IdHashBuilder, Precedence, Status, Time};
use pyo3::exceptions::{PyOSError, PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::error::Refused;
use crate::names::{id_text, kept};

/// An incarnation argument.
pub(crate) struct IncarnationArgument(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for IncarnationArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = object.cast::<PyInt>().map_err(|_| wrong_type("an incarnation is an int", &object))?;
        Ok(Self(number.extract().map_err(|_| Refused::from(Error::Incarnation))?))
    }
}

/// A status argument: one of the six words.
pub(crate) struct StatusArgument(pub(crate) Status);

impl<'py> FromPyObject<'_, 'py> for StatusArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let word = object.cast::<PyString>().map_err(|_| wrong_type("a status is a str", &object))?;
        let word = word.to_str().map_err(|_| Refused::from(Error::Status))?;
        Ok(Self(word.parse().map_err(Refused::from)?))
    }
}

/// Text in UTF-8, which has no form for lone surrogates.
pub(crate) fn text<'a>(object: Borrowed<'a, '_, PyAny>) -> PyResult<&'a str> {
    if !object.is_instance_of::<PyString>() {
        return Err(wrong_type("a text is a str", &object));
    }
    Ok(object.extract().map_err(|_| Refused::from(Error::Surrogate))?)
}

/// A text argument.
#[derive(Clone, Copy)]
pub(crate) struct TextArgument<'a>(pub(crate) &'a str);

impl<'a, 'py> FromPyObject<'a, 'py> for TextArgument<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        text(object).map(Self)
    }
}

/// A text argument that is kept for longer.
pub(crate) struct OwnText(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for OwnText {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(text(object)?.to_owned()))
    }
}

/// What names something: bytes, or text that stands for its UTF-8 form.
pub(crate) enum BytesOrText<'a> {
    /// Lent by an immutable Python object.
    Lent(&'a [u8]),
    /// Taken from a mutable one.
    Taken(PyBackedBytes),
}

impl BytesOrText<'_> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Taken(bytes) => bytes,
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for BytesOrText<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyBytes>() {
            Ok(Self::Lent(object.extract()?))
        } else if object.is_instance_of::<PyString>() {
            Ok(Self::Lent(text(object)?.as_bytes()))
        } else if let Ok(bytes) = object.extract() {
            Ok(Self::Taken(bytes))
        } else {
            Err(wrong_type("this must be bytes or str", &object))
        }
    }
}

/// A count argument, named for its error.
pub(crate) fn count(number: &Bound<'_, PyAny>, what: &'static str) -> PyResult<usize> {
    let number =
        number.cast::<PyInt>().map_err(|_| wrong_type(&format!("the number of {what} is an int"), number))?;
    Ok(number.extract().map_err(|_| Refused::from(Error::Count { what }))?)
}

/// A number argument. An int that is beyond every float counts as infinite, and is refused as that.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) f64);

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract() {
            Ok(number) => Ok(Self(number)),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                Ok(Self(if object.lt(0).unwrap_or(false) { f64::NEG_INFINITY } else { f64::INFINITY }))
            }
            Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => {
                Err(wrong_type("this must be a number", &object))
            }
            Err(error) => Err(error),
        }
    }
}

/// A time argument in seconds.
pub(crate) fn seconds(Number(seconds): Number) -> PyResult<Time> {
    Ok(Time::new(seconds).map_err(Refused::from)?)
}

/// The time the caller gave, or that of `time.monotonic()`.
pub(crate) fn now(py: Python<'_>, given: Option<Number>) -> PyResult<Time> {
    static MONOTONIC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    match given {
        Some(given) => seconds(given),
        None => seconds(MONOTONIC.import(py, "time", "monotonic")?.call0()?.extract()?),
    }
}

/// Whole seconds of Unix time: those given, or the system's.
pub(crate) fn wall_clock(given: Option<Number>) -> PyResult<u64> {
    match given {
        Some(given) => Ok(seconds(given)?.seconds() as u64), // saturates
        None => Ok(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
    }
}

/// A statement of the founding form: an id and `(incarnation, status, last_heartbeat)`.
pub(crate) fn entry(id: &Bound<'_, PyAny>, row: &Bound<'_, PyAny>) -> PyResult<Entry> {
    const FORM: &str = "a member is (incarnation, status, last_heartbeat)";
    let (incarnation, status, heard) =
        if let Some(row) = row.cast::<PyTuple>().ok().filter(|row| row.len() == 3) {
            (row.get_item(0)?, row.get_item(1)?, row.get_item(2)?)
        } else if let Some(row) = row.cast::<PyList>().ok().filter(|row| row.len() == 3) {
            (row.get_item(0)?, row.get_item(1)?, row.get_item(2)?)
        } else {
            return Err(wrong_type(FORM, row));
        };
    let id = kept(id.as_borrowed())?;
    let IncarnationArgument(incarnation) = incarnation.extract()?;
    let StatusArgument(status) = status.extract()?;
    let heard = heard.extract().map_err(|_| wrong_type("a last_heartbeat is a float", &heard))?;
    let precedence = Precedence::new(incarnation, status).map_err(Refused::from)?;
    Ok(Entry { id, precedence, last_heartbeat: seconds(heard)? })
}

/// All statements of a dict in the founding form.
pub(crate) fn entries(members: &Pairs<'_>) -> PyResult<Vec<Entry>> {
    members.0.iter().map(|(id, row)| entry(id, row)).collect()
}

/// What is in a dict, taken out before any of it is looked at: reading a number may run Python code that changes the dict.
pub(crate) struct Pairs<'py>(pub(crate) Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>);

impl<'py> FromPyObject<'_, 'py> for Pairs<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let dict = object.cast::<PyDict>().map_err(|_| wrong_type("this must be a dict", &object))?;
        Ok(Self(with_critical_section(&dict, || dict.iter().collect())))
    }
}

/// A dict in the founding form.
pub(crate) fn members<'py>(
    py: Python<'py>,
    rows: impl IntoIterator<Item = Entry>,
) -> PyResult<Bound<'py, PyDict>> {
    let members = PyDict::new(py);
    for entry in rows {
        members.set_item(id_text(py, &entry.id), row(py, &entry)?)?;
    }
    Ok(members)
}

/// `(incarnation, status, last_heartbeat)`.
pub(crate) fn row<'py>(py: Python<'py>, entry: &Entry) -> PyResult<Bound<'py, PyTuple>> {
    let incarnation = PyInt::new(py, entry.precedence.incarnation()).into_any();
    let heard = PyFloat::new(py, entry.last_heartbeat.seconds()).into_any();
    PyTuple::new(py, [incarnation, status_text(py, entry.precedence.status()).into_any(), heard])
}

/// The word of a status; each is made once.
pub(crate) fn status_text(py: Python<'_>, status: Status) -> Bound<'_, PyString> {
    static WORDS: PyOnceLock<[Py<PyString>; 6]> = PyOnceLock::new();
    let words =
        WORDS.get_or_init(py, || Status::ALL.map(|status| PyString::intern(py, status.as_str()).unbind()));
    words[status as usize].bind(py).clone()
}

/// A hasher with a seed that nobody outside the process knows.
pub(crate) fn hasher() -> IdHashBuilder {
    IdHashBuilder::new(RandomState::new().hash_one(0))
}

/// Bytes from the operating system.
pub(crate) fn random<const N: usize>() -> PyResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| PyOSError::new_err(format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

pub(crate) fn wrong_type(rule: &str, got: &Bound<'_, PyAny>) -> PyErr {
    let name = got.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{rule}, not {name}; nothing was changed"))
}
