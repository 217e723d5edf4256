//! RateLimit.

use palaver_core::Gcra;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::error::Refused;

const MAX_ACCOUNTS: usize = 4;

/// A rate that several accounts are held to at once. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct RateLimit(Vec<Gcra>);

#[pymethods]
impl RateLimit {
    #[new]
    #[pyo3(signature = (*accounts))]
    fn new(accounts: Vec<(f64, f64)>) -> PyResult<Self> {
        if !(1..=MAX_ACCOUNTS).contains(&accounts.len()) {
            return Err(PyValueError::new_err(format!(
                "there are 1 to {MAX_ACCOUNTS} accounts, not {}",
                accounts.len()
            )));
        }
        let rates: Result<_, _> = accounts.into_iter().map(|(rate, burst)| Gcra::new(rate, burst)).collect();
        Ok(Self(rates.map_err(Refused::from)?))
    }

    #[getter]
    fn intervals(&self) -> Vec<f64> {
        self.0.iter().map(Gcra::interval).collect()
    }

    #[getter]
    fn tolerances(&self) -> Vec<f64> {
        self.0.iter().map(Gcra::tolerance).collect()
    }

    #[pyo3(signature = (now, count, place, /, *meters))]
    fn admit(&self, now: f64, count: u32, place: usize, meters: &Bound<'_, PyTuple>) -> PyResult<bool> {
        let mut due = [0.0; MAX_ACCOUNTS];
        if meters.len() > self.0.len() {
            return Err(PyValueError::new_err(format!(
                "there are {} accounts, not {}",
                self.0.len(),
                meters.len()
            )));
        }
        for ((due, gcra), meter) in due.iter_mut().zip(&self.0).zip(meters.iter_borrowed()) {
            let was: f64 = meter.cast::<PyList>()?.get_item(place)?.extract()?;
            let Some(next) = gcra.admit(was, now, count) else { return Ok(false) };
            *due = next;
        }
        for (due, meter) in due.into_iter().zip(meters.iter_borrowed()) {
            meter.cast::<PyList>()?.set_item(place, due)?;
        }
        Ok(true)
    }

    fn __repr__(&self) -> String {
        format!("RateLimit({} accounts)", self.0.len())
    }
}
