//! The log of palaver-core in a file.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palaver_core::{Error, LogEnd, LogWriter, replay};

use crate::files::{self, Failure, FileError, on};

/// When written changes are forced to the disk.
#[derive(Debug, Clone, Copy)]
pub enum Policy {
    /// Before `append` returns.
    Always,
    /// Before an append returns when something has waited for the interval, and whenever `sync` is called. [`crate::SharedLog`]
    /// has a thread that comes first, for the last ones of a burst too.
    Interval,
    /// When the system likes.
    Never,
}

/// What is kept of the memory that one append took.
const SCRATCH: usize = 1 << 20;

/// An open log file, written up to `length`.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    policy: Policy,
    interval: Duration,
    writer: LogWriter,
    length: u64,
    /// How many bytes have been forced to the disk.
    synced: u64,
    /// Since when something waits to be forced to the disk.
    waits_since: Option<Instant>,
    /// Whether that is under way. The system tells an error of the disk once: a second sync meanwhile could miss it.
    is_forcing: bool,
    /// None after a failure that leaves the file in doubt, and when closed.
    file: Option<Arc<File>>,
    lock: Option<File>,
    scratch: Vec<u8>,
}

impl Log {
    /// The most bytes of one append, with 17 more for each change: 64 MiB, the view of a million members and more. They are
    /// in memory twice for as long as it takes.
    pub const MAX_BATCH: usize = 64 << 20;

    /// Opens or makes the log; the second value is what was found wrong.
    pub fn open(
        path: &Path,
        policy: Policy,
        interval: Duration,
        salt: u64,
        first_seq: u64,
    ) -> Result<(Self, Found), Failure> {
        files::named(path)?;
        let lock = files::lock(&files::beside(path, "lock"))?;
        let mut found = Found::default();
        let (writer, bytes) = match files::read(path)? {
            None => Self::fresh(salt, first_seq),
            // A log gets its name with its head in it: an empty one has lost all that it held, and is no exception here.
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
            synced: bytes.len() as u64,
            waits_since: None,
            is_forcing: false,
            file: Some(Arc::new(file)),
            lock: Some(lock),
            scratch: Vec::new(),
        };
        Ok((log, found))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number that the next change gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.writer.next_seq()
    }

    /// How many bytes are good.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes of the log, for `replay`. Refused after a failure: what can be read may not be on the disk.
    pub fn read(&self) -> Result<Vec<u8>, Failure> {
        if self.file.is_none() {
            return Err(Failure::Broken(self.path.clone()));
        }
        read_good(&self.path, self.length)
    }

    fn fresh(salt: u64, first_seq: u64) -> (LogWriter, Vec<u8>) {
        let writer = LogWriter::new(salt, first_seq);
        (writer, writer.head().to_vec())
    }

    /// Writes the changes in one go; the number of the last, or of the one before if there are none.
    pub fn append<C: AsRef<[u8]>>(&mut self, changes: &[C], kind: u8) -> Result<u64, Failure> {
        if self.file.is_none() {
            return Err(Failure::Broken(self.path.clone()));
        }
        let mut writer = self.writer;
        let framed = self.frame(&mut writer, changes, kind);
        let done = framed.and_then(|()| self.write(writer));
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH);
        done?;
        let now = Instant::now();
        let since = *self.waits_since.get_or_insert(now);
        match self.policy {
            Policy::Always => self.sync()?,
            Policy::Interval if !self.is_forcing && now.duration_since(since) >= self.interval => {
                self.sync()?
            }
            Policy::Interval | Policy::Never => {}
        }
        Ok(self.writer.next_seq().wrapping_sub(1))
    }

    fn frame<C: AsRef<[u8]>>(
        &mut self,
        writer: &mut LogWriter,
        changes: &[C],
        kind: u8,
    ) -> Result<(), Failure> {
        for change in changes {
            writer.frame(&mut self.scratch, kind, change.as_ref())?;
            if self.scratch.len() > Self::MAX_BATCH {
                return Err(Error::Batch { max: Self::MAX_BATCH }.into());
            }
        }
        Ok(())
    }

    /// Writes the frames that were made; then `writer` makes the next ones.
    fn write(&mut self, writer: LogWriter) -> Result<(), Failure> {
        let Some(mut file) = self.file.as_deref() else { return Err(Failure::Broken(self.path.clone())) };
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
        Ok(())
    }

    /// When what waits should be forced to the disk, so that no append finds it late; None if nothing is to be.
    pub(crate) fn sync_due(&self) -> Option<Instant> {
        let waits = self.file.is_some() && matches!(self.policy, Policy::Interval);
        self.waits_since.filter(|_| waits)?.checked_add(self.interval / 2)
    }

    /// Whether all that was appended has been forced to the disk.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.waits_since.is_none()
    }

    /// Forces everything written to the disk. After a failure the file is in doubt for good: the system may have dropped
    /// the pages, and a second fsync would say that all is well.
    pub fn sync(&mut self) -> Result<(), Failure> {
        let Some(written) = self.written()? else { return Ok(()) };
        let forced = written.force();
        self.note(&written, forced)
    }

    /// What has been written and not been forced to the disk; whoever asks forces it, and then calls `note`.
    pub(crate) fn written(&mut self) -> Result<Option<Written>, Failure> {
        let Some(file) = &self.file else { return Err(Failure::Broken(self.path.clone())) };
        let written = || Written { file: Arc::clone(file), length: self.length, at: Instant::now() };
        let written = self.waits_since.map(|_| written());
        self.is_forcing = written.is_some();
        Ok(written)
    }

    /// Notes whether it was forced to the disk. What was appended meanwhile waits on.
    pub(crate) fn note(&mut self, written: &Written, forced: io::Result<()>) -> Result<(), Failure> {
        self.is_forcing = false;
        if !self.file.as_ref().is_some_and(|file| Arc::ptr_eq(file, &written.file)) {
            return Ok(()); // closed, or begun anew: what it held is contained in a saved state
        }
        if let Err(failed) = on(&self.path, forced) {
            self.file = None;
            return Err(failed.into());
        }
        self.synced = self.synced.max(written.length);
        self.waits_since = (self.length > self.synced).then_some(written.at);
        Ok(())
    }

    /// Begins the log anew, when a saved state contains all its changes. Durable when it returns.
    pub fn reset(&mut self, salt: u64) -> Result<(), Failure> {
        if self.file.is_none() {
            return Err(Failure::Broken(self.path.clone()));
        }
        let (writer, bytes) = Self::fresh(salt, self.writer.next_seq());
        let fresh = files::prepare(&self.path, &bytes)?; // until here the log is as it was
        // From here on the old file may be without a name: nothing may be appended to it when this fails.
        self.file = None;
        let mut file = fresh.take_place()?;
        on(&self.path, file.seek(SeekFrom::End(0)))?;
        (self.writer, self.length, self.synced) = (writer, bytes.len() as u64, bytes.len() as u64);
        (self.waits_since, self.file) = (None, Some(Arc::new(file)));
        Ok(())
    }

    /// Syncs, closes and unlocks.
    pub fn close(&mut self) -> Result<(), Failure> {
        let synced = if self.file.is_some() { self.sync() } else { Ok(()) };
        (self.file, self.lock) = (None, None);
        synced
    }
}

/// What was in a log at a moment, to be forced to the disk without a hold of the log.
pub(crate) struct Written {
    file: Arc<File>,
    length: u64,
    at: Instant,
}

impl Written {
    pub(crate) fn force(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What opening a log found wrong.
#[derive(Debug, Default)]
pub struct Found {
    /// Bytes of an unfinished frame that were cut off.
    pub torn_bytes: usize,
    /// Where a corrupt file is kept.
    pub quarantined: Option<PathBuf>,
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

/// The first `good` bytes of a log.
fn read_good(path: &Path, good: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = files::read(path)?.unwrap_or_default();
    bytes.truncate(usize::try_from(good).unwrap_or(usize::MAX));
    Ok(bytes)
}
