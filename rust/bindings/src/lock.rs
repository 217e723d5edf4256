//! State behind a lock, so that every class may be used from several threads, with or without the interpreter lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::MutexExt;

/// A value that one thread at a time may touch. Never held while Python code runs.
pub(crate) struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the lock without holding up the interpreter.
    pub(crate) fn lock(&self, py: Python<'_>) -> MutexGuard<'_, T> {
        // A panic is a bug that has already been reported to its caller; others may go on.
        self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the lock in a thread that has let go of the interpreter.
    pub(crate) fn lock_detached(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
