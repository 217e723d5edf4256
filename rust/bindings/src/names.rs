//! Node ids as text. Short names and hex digits are ids as they stand; any other text stands for a hash, which does not tell
//! it: the process remembers it, so that it is shown as it was given.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};

use palaver_core::{DEFAULT_MAX_MEMBERS, Error, IdHashBuilder, NodeId};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::convert::{hasher, text, wrong_type};
use crate::error::Refused;

/// The most texts that are remembered: as many as a table has members, unless it is told otherwise. One of 36 characters, like
/// a UUID, takes about 150 bytes.
const MAX_TEXTS: usize = DEFAULT_MAX_MEMBERS;

type Texts = HashMap<NodeId, Py<PyString>, IdHashBuilder>;

/// Never held while Python code runs.
static TEXTS: LazyLock<RwLock<Texts>> = LazyLock::new(|| RwLock::new(HashMap::with_hasher(hasher())));

/// Whether there are any: most processes have none, and pay nothing for the question.
static ANY: AtomicBool = AtomicBool::new(false);

/// A node id argument by which something is looked up: any text, or sixteen bytes.
pub(crate) struct IdArgument(pub(crate) NodeId);

/// A node id argument that will be shown again: its text is remembered.
pub(crate) struct KeptIdArgument(pub(crate) NodeId);

impl<'py> FromPyObject<'_, 'py> for IdArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        short(object).map_or_else(|| long(object).map(|(id, _)| Self(id)), |id| Ok(Self(id)))
    }
}

impl<'py> FromPyObject<'_, 'py> for KeptIdArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        kept(object).map(Self)
    }
}

/// An id that will be shown again, from whatever stands for it.
pub(crate) fn kept(object: Borrowed<'_, '_, PyAny>) -> PyResult<NodeId> {
    if let Some(id) = short(object) {
        return Ok(id);
    }
    let (id, name) = long(object)?;
    if let Some(name) = name {
        remember(object.py(), id, name)?;
    }
    Ok(id)
}

/// The id that a text is as it stands: nearly all of them.
fn short(object: Borrowed<'_, '_, PyAny>) -> Option<NodeId> {
    object.cast::<PyString>().ok()?.to_str().ok()?.parse().ok()
}

/// The id that bytes are or another text stands for, and that text.
#[cold]
fn long<'a>(object: Borrowed<'a, '_, PyAny>) -> PyResult<(NodeId, Option<&'a str>)> {
    if object.is_instance_of::<PyString>() {
        let text = text(object)?;
        Ok((NodeId::of_long_name(text).map_err(Refused::from)?, Some(text)))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Ok((NodeId::try_from(bytes.as_bytes()).map_err(Refused::from)?, None))
    } else {
        Err(wrong_type("a node id is a str or 16 bytes", &object))
    }
}

fn remember(py: Python<'_>, id: NodeId, name: &str) -> Result<(), Refused> {
    if remembered(py, &id).is_some() {
        return Ok(());
    }
    let name = PyString::new(py, name).unbind();
    let mut texts = TEXTS.write().unwrap_or_else(PoisonError::into_inner);
    if texts.len() >= MAX_TEXTS {
        return Err(Error::Full { what: "memory of long node ids", limit: MAX_TEXTS }.into());
    }
    texts.insert(id, name);
    ANY.store(true, Ordering::Release);
    Ok(())
}

fn remembered<'py>(py: Python<'py>, id: &NodeId) -> Option<Bound<'py, PyString>> {
    if !ANY.load(Ordering::Acquire) {
        return None;
    }
    let texts = TEXTS.read().unwrap_or_else(PoisonError::into_inner);
    texts.get(id).map(|text| text.bind(py).clone())
}

/// The text of an id: as it was given, if that was in this process.
pub(crate) fn id_text<'py>(py: Python<'py>, id: &NodeId) -> Bound<'py, PyString> {
    remembered(py, id).unwrap_or_else(|| id.with_text(|text| PyString::new(py, text)))
}

/// The same, for a repr.
pub(crate) fn shown(py: Python<'_>, id: &NodeId) -> String {
    remembered(py, id).map_or_else(|| id.to_string(), |text| text.to_string())
}
