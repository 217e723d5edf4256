//! The disk of a node: the ceiling of its incarnations, written before anything is sent, and the membership, written by a thread
//! of its own, so that a slow disk holds up no probe.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use palaver_core::{SavedState, replay};
use palaver_durable::{Failure, Log, Policy, Store};

use crate::settings::StartError;
use crate::waiting::{EventQueue, Notice};

/// So many bytes wait for the disk; then they are lost, and the whole view is written when it has caught up.
const BOUND: usize = 8 << 20;
/// A log of this length, and of eight times the view, is replaced by the view.
const LONG: u64 = 4 << 20;
/// Appended records reach the disk within this time.
const INTERVAL: Duration = Duration::from_millis(200);
/// A kind of change in the log: records of membership.
const RECORDS: u8 = 1;

/// What an earlier life has left.
pub(crate) struct Memory {
    pub(crate) ceiling: Option<u64>,
    pub(crate) records: Vec<u8>,
}

/// The files and their writer.
#[derive(Debug)]
pub(crate) struct Disk {
    store: Arc<Mutex<Store>>,
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
}

/// Between the node and the writer.
#[derive(Debug, Default)]
struct Desk {
    work: Mutex<Work>,
    called: Condvar,
    wants_view: AtomicBool,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Work {
    tasks: VecDeque<Task>,
    bytes: usize,
    ends: bool,
}

#[derive(Debug)]
enum Task {
    Append(Vec<u8>),
    View(Vec<u8>),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Opens the directory and reads what is there.
    pub(crate) fn open(
        directory: &Path,
        salt: u64,
        events: Arc<EventQueue>,
    ) -> Result<(Self, Memory), StartError> {
        let store = Store::open(directory.to_owned())?;
        let saved = match store.load() {
            Ok(saved) => saved.map(|(state, _)| state),
            Err(Failure::Refused(_)) => None, // both damaged: peers know the membership
            Err(failure) => return Err(failure.into()),
        };
        let seq = saved.as_ref().map_or(0, |state| state.seq);
        let path = directory.join("membership.log");
        let (log, _) = Log::open(&path, Policy::Interval, INTERVAL, salt, seq + 1)?;
        let view = saved.map(|state| state.snapshot).unwrap_or_default();
        let viewed = view.len() as u64;
        let mut records = view;
        let bytes = log.read()?;
        for frame in replay(&bytes)?.frames.iter().filter(|frame| frame.kind == RECORDS && frame.seq > seq) {
            records.extend_from_slice(frame.change);
        }
        let memory = Memory { ceiling: store.ceiling(), records };
        let store = Arc::new(Mutex::new(store));
        let desk = Arc::new(Desk::default());
        let writer = Writer {
            log,
            salt,
            store: Arc::clone(&store),
            desk: Arc::clone(&desk),
            events,
            viewed,
            failed: false,
        };
        let thread = std::thread::Builder::new().name("palaver-log".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(StartError::System)?;
        Ok((Self { store, desk, writer: Some(writer) }, memory))
    }

    /// Reserves incarnations; on the disk when it returns.
    pub(crate) fn reserve(&self, ceiling: u64) -> Result<(), Failure> {
        locked(&self.store).reserve(ceiling)
    }

    /// Gives records to the writer.
    pub(crate) fn append(&self, records: Vec<u8>) {
        let mut work = locked(&self.desk.work);
        if work.bytes + records.len() > BOUND {
            self.desk.lost.fetch_add(records.len() as u64, Relaxed);
            self.desk.wants_view.store(true, Relaxed);
            return;
        }
        work.bytes += records.len();
        work.tasks.push_back(Task::Append(records));
        self.desk.called.notify_one();
    }

    /// Whether the whole view should be written, because the log is long or has gaps. True once.
    pub(crate) fn wants_view(&self) -> bool {
        self.desk.wants_view.load(Relaxed)
            && locked(&self.desk.work).tasks.is_empty()
            && self.desk.wants_view.swap(false, Relaxed)
    }

    /// Writes the whole view in place of the log.
    pub(crate) fn save(&self, view: Vec<u8>) {
        locked(&self.desk.work).tasks.push_back(Task::View(view));
        self.desk.called.notify_one();
    }

    /// Bytes of records that were not written.
    pub(crate) fn lost(&self) -> u64 {
        self.desk.lost.load(Relaxed)
    }

    /// Writes what waits and lets go of the files.
    pub(crate) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        locked(&self.desk.work).ends = true;
        self.desk.called.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join(); // a panic has been printed; the node is over anyhow
        }
        locked(&self.store).close();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.end();
    }
}

struct Writer {
    log: Log,
    salt: u64,
    store: Arc<Mutex<Store>>,
    desk: Arc<Desk>,
    events: Arc<EventQueue>,
    /// Bytes of the view that was last saved.
    viewed: u64,
    failed: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let (tasks, ends) = self.next();
            let quiet = tasks.is_empty();
            for task in tasks {
                let done = match &task {
                    Task::Append(records) => self.append(records),
                    Task::View(view) => self.save(view),
                };
                self.note(done, &task);
            }
            if quiet {
                if ends {
                    break;
                }
                let synced = self.log.sync();
                self.note(synced, &Task::Append(Vec::new()));
            }
        }
        let _ = self.log.close(); // nobody is left to be told
    }

    /// All tasks; none when nothing has come for an interval.
    fn next(&self) -> (VecDeque<Task>, bool) {
        let mut work = locked(&self.desk.work);
        if work.tasks.is_empty() && !work.ends {
            let waited = self.desk.called.wait_timeout(work, INTERVAL);
            work = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        work.bytes = 0;
        (std::mem::take(&mut work.tasks), work.ends)
    }

    fn append(&mut self, records: &[u8]) -> Result<(), Failure> {
        for part in records.chunks(palaver_core::LogWriter::MAX_CHANGE) {
            self.log.append(&[part], RECORDS)?;
        }
        if self.log.length() > LONG.max(8 * self.viewed) {
            self.desk.wants_view.store(true, Relaxed);
        }
        Ok(())
    }

    fn save(&mut self, view: &[u8]) -> Result<(), Failure> {
        let state = SavedState { snapshot: view.to_vec(), seq: self.log.next_seq().saturating_sub(1) };
        locked(&self.store).save(&state)?;
        self.viewed = view.len() as u64;
        self.log.reset(self.salt)
    }

    /// Tells the first failure of a row, and has the gap closed when the disk works again.
    fn note(&mut self, done: Result<(), Failure>, task: &Task) {
        match done {
            Err(failure) => {
                if let Task::Append(records) = task {
                    self.desk.lost.fetch_add(records.len() as u64, Relaxed);
                }
                if !std::mem::replace(&mut self.failed, true) {
                    self.events.push(Notice::LogFailed(failure.to_string()));
                }
            }
            Ok(()) if self.failed => {
                self.failed = false;
                self.desk.wants_view.store(true, Relaxed);
            }
            Ok(()) => {}
        }
    }
}
