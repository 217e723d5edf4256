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
        if self.failed {
            // A log is in doubt for good when it could not be forced to the disk. Opening it writes once more what can be read.
            let _ = self.log.close(); // it has failed already
            self.log = Log::open(self.log.path(), Policy::Interval, INTERVAL, self.salt, 1)?.0;
        }
        let state = SavedState { snapshot: view.to_vec(), seq: self.log.next_seq().saturating_sub(1) };
        locked(&self.store).save(&state)?;
        self.viewed = view.len() as u64;
        self.log.reset(self.salt)
    }

    /// Tells the first failure of a row. Until the disk works again the whole view is offered to it, with each tick of the node:
    /// that closes the gap, too.
    fn note(&mut self, done: Result<(), Failure>, task: &Task) {
        match done {
            Err(failure) => {
                if let Task::Append(records) = task {
                    self.desk.lost.fetch_add(records.len() as u64, Relaxed);
                }
                self.desk.wants_view.store(true, Relaxed);
                if !std::mem::replace(&mut self.failed, true) {
                    self.events.push(Notice::LogFailed(failure.to_string()));
                }
            }
            Ok(()) if matches!(task, Task::View(_)) => self.failed = false,
            Ok(()) => {} // a failure of before has left a gap
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::AtomicUsize;

    /// A directory of its own, which goes away with it.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let name = format!("palaver-disk-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
            Self(std::env::temp_dir().join(name))
        }

        fn open(&self) -> (Disk, Vec<u8>) {
            let (disk, memory) = Disk::open(&self.0, 7, Arc::new(EventQueue::new(4).unwrap())).unwrap();
            (disk, memory.records)
        }

        fn log_length(&self) -> u64 {
            self.0.join("membership.log").metadata().unwrap().len()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn await_wish(disk: &Disk) {
        while !disk.wants_view() {
            std::thread::yield_now(); // the writer is on its way
        }
    }

    const MIB: usize = 1 << 20;

    #[test]
    fn what_is_appended_comes_back_in_order() {
        let place = Place::new();
        let (disk, before) = place.open();
        assert_eq!(before, b"");
        disk.append(b"one".to_vec());
        disk.append(vec![b'.'; 3 * palaver_core::LogWriter::MAX_CHANGE]);
        disk.append(b"two".to_vec());
        disk.close();
        let (_disk, after) = place.open();
        assert_eq!(after.len(), 6 + 3 * palaver_core::LogWriter::MAX_CHANGE);
        assert!(after.starts_with(b"one.") && after.ends_with(b".two"));
    }

    #[test]
    fn a_disk_that_hangs_loses_a_bounded_queue_and_gets_the_whole_view_when_it_goes_on() {
        let place = Place::new();
        let (disk, _) = place.open();
        let store = Arc::clone(&disk.store);
        let hangs = locked(&store); // the writer waits for it in its next task
        disk.save(b"old view".to_vec());
        let appended = 2 * BOUND / MIB + 1; // it may take what waits once, before it hangs
        for _ in 0..appended {
            disk.append(vec![1; MIB]);
        }
        assert!(disk.lost() >= MIB as u64);
        assert!(locked(&disk.desk.work).bytes <= BOUND);
        assert!(!disk.wants_view(), "not while it hangs");
        drop(hangs);
        await_wish(&disk);
        disk.save(b"view".to_vec());
        disk.append(b" and later".to_vec());
        disk.close();
        assert_eq!(place.open().1, b"view and later");
    }

    #[test]
    fn a_long_log_is_replaced_by_the_view() {
        let place = Place::new();
        let (disk, _) = place.open();
        for _ in 0..6 {
            disk.append(vec![2; MIB]);
        }
        await_wish(&disk);
        assert!(place.log_length() > LONG);
        disk.save(b"view".to_vec());
        disk.close();
        assert!(place.log_length() < 1_000);
        let (_disk, after) = place.open();
        assert_eq!(after, b"view");
    }
}
