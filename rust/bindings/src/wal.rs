//! WriteAheadLog: the log of palaver-core in a file.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palaver_core::{LogEnd, LogWriter, replay};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyInt, PyList, PyTuple};

use crate::convert::{random, seconds};
use crate::error::{ArgumentError, Refused};
use crate::files::{self, Failure, FileError, on};
use crate::lock::Locked;

/// When written changes are forced to the disk.
#[derive(Clone, Copy)]
enum Policy {
    Always,
    Interval,
    Never,
}

/// An open log file, written up to `length`.
struct Log {
    path: PathBuf,
    policy: Policy,
    interval: Duration,
    writer: LogWriter,
    length: u64,
    unsynced: bool,
    synced_at: Instant,
    /// None after a failure that leaves the file in doubt, and when closed.
    file: Option<File>,
    lock: Option<File>,
    scratch: Vec<u8>,
}

impl Log {
    /// Opens or makes the log; the second value is what was found wrong.
    fn open(
        path: &Path,
        policy: Policy,
        interval: Duration,
        salt: u64,
        first_seq: u64,
    ) -> Result<(Self, Found), Failure> {
        let lock = files::lock(&files::beside(path, "lock"))?;
        let mut found = Found::default();
        let (writer, bytes) = match files::read(path)? {
            None => Self::fresh(salt, first_seq),
            Some(bytes) if bytes.is_empty() => Self::fresh(salt, first_seq),
            Some(bytes) => match replay(&bytes) {
                Err(_) => {
                    found.quarantine(path)?;
                    Self::fresh(salt, first_seq)
                }
                Ok(read) => {
                    match read.end {
                        LogEnd::Clean => {}
                        LogEnd::Torn => found.torn_bytes = bytes.len() - read.good,
                        LogEnd::Corrupt => found.quarantine(path)?,
                    }
                    if read.writer.next_seq() < first_seq {
                        Self::fresh(salt, first_seq) // what it holds is contained in a saved state
                    } else {
                        (read.writer, bytes[..read.good].to_vec())
                    }
                }
            },
        };
        // Written in any case: what is replayed must be on the disk, and what was read may be in the cache alone. What is as
        // it should be is written in place; in place of anything else comes a new file, so that a crash leaves one of the two.
        let mut file = if files::read(path)?.is_some_and(|old| old == bytes) {
            files::write_again(path, &bytes)?
        } else {
            files::replace(path, &bytes)?
        };
        on(path, file.seek(SeekFrom::End(0)))?;
        let log = Self {
            path: path.to_owned(),
            policy,
            interval,
            writer,
            length: bytes.len() as u64,
            unsynced: false,
            synced_at: Instant::now(),
            file: Some(file),
            lock: Some(lock),
            scratch: Vec::new(),
        };
        Ok((log, found))
    }

    fn fresh(salt: u64, first_seq: u64) -> (LogWriter, Vec<u8>) {
        let writer = LogWriter::new(salt, first_seq);
        (writer, writer.head().to_vec())
    }

    /// Writes the changes in one go; the number of the last, or of the one before if there are none.
    fn append(&mut self, changes: &[PyBackedBytes], kind: u8) -> Result<u64, Failure> {
        let broken = || Failure::Broken(self.path.clone());
        let mut file = self.file.as_ref().ok_or_else(broken)?;
        self.scratch.clear();
        let mut writer = self.writer;
        for change in changes {
            writer.frame(&mut self.scratch, kind, change)?;
        }
        if let Err(error) = file.write_all(&self.scratch) {
            // A part may have been written: cut it off, so that the next change does not follow half a frame.
            let restored = file.set_len(self.length).and_then(|()| file.seek(SeekFrom::Start(self.length)));
            if restored.is_err() {
                self.file = None;
            }
            return Err(FileError::new(&self.path, &error).into());
        }
        self.length += self.scratch.len() as u64;
        self.writer = writer;
        self.unsynced = true;
        match self.policy {
            Policy::Always => self.sync()?,
            Policy::Interval if self.synced_at.elapsed() >= self.interval => self.sync()?,
            Policy::Interval | Policy::Never => {}
        }
        Ok(self.writer.next_seq().wrapping_sub(1))
    }

    /// Forces everything written to the disk. After a failure the file is in doubt for good: the system may have dropped
    /// the pages, and a second fsync would say that all is well.
    fn sync(&mut self) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Err(Failure::Broken(self.path.clone())) };
        if self.unsynced {
            if let Err(failed) = on(&self.path, file.sync_data()) {
                self.file = None;
                return Err(failed.into());
            }
            self.unsynced = false;
        }
        self.synced_at = Instant::now();
        Ok(())
    }

    fn reset(&mut self, salt: u64) -> Result<(), Failure> {
        if self.file.is_none() {
            return Err(Failure::Broken(self.path.clone()));
        }
        let (writer, bytes) = Self::fresh(salt, self.writer.next_seq());
        let fresh = files::prepare(&self.path, &bytes)?; // until here the log is as it was
        // From here on the old file may be without a name: nothing may be appended to it when this fails.
        self.file = None;
        let mut file = fresh.take_place()?;
        on(&self.path, file.seek(SeekFrom::End(0)))?;
        (self.writer, self.length, self.unsynced, self.file) =
            (writer, bytes.len() as u64, false, Some(file));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        let synced = if self.file.is_some() { self.sync() } else { Ok(()) };
        (self.file, self.lock) = (None, None);
        synced
    }
}

/// What opening a log found wrong.
#[derive(Default)]
struct Found {
    torn_bytes: usize,
    quarantined: Option<PathBuf>,
}

impl Found {
    /// Puts the bad file aside under a name that is free.
    fn quarantine(&mut self, path: &Path) -> Result<(), FileError> {
        let free =
            (1_u32..).map(|n| files::beside(path, &format!("corrupt-{n}"))).find(|name| !name.exists());
        let aside = free.expect("a directory has fewer than 2^32 files");
        on(path, std::fs::hard_link(path, &aside))?; // the bad file keeps this name when a good one takes its own
        self.quarantined = Some(aside);
        Ok(())
    }
}

/// Durable changes. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct WriteAheadLog {
    log: Locked<Log>,
    found: Found,
}

#[pymethods]
impl WriteAheadLog {
    #[new]
    #[pyo3(signature = (path, *, policy = "interval", interval = 0.2, first_seq = 1))]
    fn new(py: Python<'_>, path: PathBuf, policy: &str, interval: f64, first_seq: u64) -> PyResult<Self> {
        let policy = match policy {
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
        let (log, found) = py.detach(|| Log::open(&path, policy, interval, salt, first_seq))?;
        Ok(Self { log: Locked::new(log), found })
    }

    #[getter]
    fn path(&self, py: Python<'_>) -> String {
        self.log.lock(py).path.display().to_string()
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
        self.log.lock(py).writer.next_seq()
    }

    #[pyo3(signature = (change, *, kind = 0))]
    fn append(&self, py: Python<'_>, change: PyBackedBytes, kind: u8) -> PyResult<u64> {
        Ok(py.detach(|| self.log.lock_detached().append(std::slice::from_ref(&change), kind))?)
    }

    #[pyo3(signature = (changes, *, kind = 0))]
    fn append_many(&self, py: Python<'_>, changes: Vec<PyBackedBytes>, kind: u8) -> PyResult<()> {
        py.detach(|| self.log.lock_detached().append(&changes, kind))?;
        Ok(())
    }

    fn replay<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (path, good) = {
            let log = self.log.lock(py);
            if log.file.is_none() {
                return Err(Failure::Broken(log.path.clone()).into()); // what can be read may not be on the disk
            }
            (log.path.clone(), log.length)
        };
        let bytes = py.detach(|| files::read(&path))?.unwrap_or_default();
        let good = usize::try_from(good).unwrap_or(usize::MAX).min(bytes.len());
        let read = replay(&bytes[..good]).map_err(Refused::from)?;
        let changes = read.frames.iter().map(|frame| {
            let (seq, kind) = (PyInt::new(py, frame.seq).into_any(), PyInt::new(py, frame.kind).into_any());
            PyTuple::new(py, [seq, kind, PyBytes::new(py, frame.change).into_any()])
        });
        PyList::new(py, changes.collect::<PyResult<Vec<_>>>()?)
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.log.lock_detached().sync())?)
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        let salt = u64::from_le_bytes(random()?);
        Ok(py.detach(|| self.log.lock_detached().reset(salt))?)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.log.lock_detached().close())?)
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
        let log = self.log.lock(py);
        format!("WriteAheadLog({:?}, next_seq={})", log.path.display().to_string(), log.writer.next_seq())
    }
}
