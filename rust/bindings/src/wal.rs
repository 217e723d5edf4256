//! WriteAheadLog: the log of palaver-core in a file.

use std::time::Duration;

use palaver_core::replay;
use palaver_durable::{Found, Log, Policy, SharedLog};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyTuple};

use crate::arguments::{Octets, PathArgument};
use crate::convert::{Number, TextArgument, random, seconds};
use crate::error::{ArgumentError, Broken, Refused};
use crate::listed::Listed;
use crate::whole;

/// Durable changes. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct WriteAheadLog {
    log: SharedLog,
    found: Found,
}

#[pymethods]
impl WriteAheadLog {
    #[new]
    #[pyo3(signature = (path, *, policy = TextArgument("interval"), interval = Number(0.2), first_seq = 1), text_signature = "(path, *, policy='interval', interval=0.2, first_seq=1)")]
    fn new(
        py: Python<'_>,
        path: PathArgument,
        policy: TextArgument<'_>,
        interval: Number,
        #[pyo3(from_py_with = whole::first_seq)] first_seq: u64,
    ) -> PyResult<Self> {
        let policy = match policy.0 {
            "always" => Policy::Always,
            "interval" => Policy::Interval,
            "never" => Policy::Never,
            _ => {
                return Err(ArgumentError::new_err(
                    "a policy is one of always, interval, never; nothing was changed",
                ));
            }
        };
        let interval = Duration::try_from_secs_f64(seconds(interval)?.seconds()).unwrap_or(Duration::MAX);
        let salt = u64::from_le_bytes(random()?);
        let (log, found) =
            py.detach(|| Log::open(&path.0, policy, interval, salt, first_seq)).map_err(Broken::from)?;
        Ok(Self { log: SharedLog::new(log), found })
    }

    #[getter]
    fn path(&self, py: Python<'_>) -> String {
        py.detach(|| self.log.with(|log| log.path().display().to_string()))
    }

    #[getter]
    fn torn_bytes(&self) -> usize {
        self.found.torn_bytes
    }

    #[getter]
    fn quarantined(&self) -> Option<String> {
        self.found.quarantined.as_ref().map(|path| path.display().to_string())
    }

    #[getter]
    fn next_seq(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.log.with(|log| log.next_seq()))
    }

    #[getter]
    fn is_synced(&self, py: Python<'_>) -> bool {
        py.detach(|| self.log.with(|log| log.is_synced()))
    }

    #[pyo3(signature = (change, *, kind = 0))]
    fn append(
        &self,
        py: Python<'_>,
        change: Octets,
        #[pyo3(from_py_with = whole::kind)] kind: u8,
    ) -> PyResult<u64> {
        Ok(py
            .detach(|| self.log.with(|log| log.append(std::slice::from_ref(&change), kind)))
            .map_err(Broken::from)?)
    }

    #[pyo3(signature = (changes, *, kind = 0))]
    fn append_many(
        &self,
        py: Python<'_>,
        changes: Listed<Octets>,
        #[pyo3(from_py_with = whole::kind)] kind: u8,
    ) -> PyResult<()> {
        py.detach(|| self.log.with(|log| log.append(&changes.0, kind))).map_err(Broken::from)?;
        Ok(())
    }

    fn replay<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let bytes = py.detach(|| self.log.with(|log| log.read())).map_err(Broken::from)?;
        let read = replay(&bytes).map_err(Refused::from)?;
        let changes = read.frames.iter().map(|frame| {
            let (seq, kind) = (PyInt::new(py, frame.seq).into_any(), PyInt::new(py, frame.kind).into_any());
            PyTuple::new(py, [seq, kind, PyBytes::new(py, frame.change).into_any()])
        });
        PyList::new(py, changes.collect::<PyResult<Vec<_>>>()?)
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.log.sync()).map_err(Broken::from)?)
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        let salt = u64::from_le_bytes(random()?);
        Ok(py.detach(|| self.log.with(|log| log.reset(salt))).map_err(Broken::from)?)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.log.close()).map_err(Broken::from)?)
    }

    fn __enter__<'py>(slf: Bound<'py, Self>) -> Bound<'py, Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (path, next_seq) = (self.path(py), self.next_seq(py));
        format!("WriteAheadLog({path:?}, next_seq={next_seq})")
    }
}
