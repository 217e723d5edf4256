//! A log that is on the disk within its interval, whether or not more is appended: a thread syncs the end of each burst.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::files::Failure;
use crate::log::Log;

/// A log and the thread that syncs it, which begins with the first change that would wait and ends with this.
#[derive(Debug)]
pub struct SharedLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Held by whoever forces the log to the disk, and taken before `state`: of two at once one could miss the other's error.
    turn: Mutex<()>,
    /// Something waits to be synced, or all is over.
    called: Condvar,
}

#[derive(Debug)]
struct State {
    log: Log,
    has_thread: bool,
    /// Whether the thread waits to be called.
    idles: bool,
    ends: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic is a bug that has already been reported to its caller; the log itself counts only what was written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of the thread. A failure leaves the log in doubt, which the next to append is told. Appends go on while the disk
    /// works.
    fn sync_what_waits(&self) {
        let mut state = self.lock();
        while !state.ends {
            let Some(due) = state.log.sync_due() else {
                state.idles = true;
                state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                state = self.called.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                drop(state);
                let _ = self.sync(); // the log remembers
                state = self.lock();
            }
        }
    }

    /// Forces the log to the disk without a hold of it.
    fn sync(&self) -> Result<(), Failure> {
        let _turn = self.take_turn();
        let Some(written) = self.lock().log.written()? else { return Ok(()) };
        let forced = written.force();
        self.lock().log.note(&written, forced)
    }

    fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedLog {
    /// Shares a log.
    #[must_use]
    pub fn new(log: Log) -> Self {
        let state = Mutex::new(State { log, has_thread: false, idles: false, ends: false });
        Self { shared: Arc::new(Shared { state, turn: Mutex::new(()), called: Condvar::new() }) }
    }

    /// Does something with the log, which nobody else touches meanwhile.
    pub fn with<R>(&self, action: impl FnOnce(&mut Log) -> R) -> R {
        let mut state = self.shared.lock();
        let done = action(&mut state.log);
        if state.log.sync_due().is_some() {
            if !state.has_thread {
                state.has_thread = self.spawn().is_ok(); // without one, `append` still syncs after the interval
            } else if std::mem::take(&mut state.idles) {
                self.shared.called.notify_one();
            }
        }
        done
    }

    /// As [`Log::sync`]; meanwhile others can append.
    pub fn sync(&self) -> Result<(), Failure> {
        self.shared.sync()
    }

    /// As [`Log::close`], after a sync that is under way.
    pub fn close(&self) -> Result<(), Failure> {
        let _turn = self.shared.take_turn();
        self.shared.lock().log.close()
    }

    fn spawn(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name("palaver-sync".to_owned()).spawn(move || shared.sync_what_waits())?;
        Ok(())
    }
}

impl Drop for SharedLog {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ends = true;
        let _ = state.log.close(); // nobody is left to be told
        self.shared.called.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::Policy;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("palaver-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn log(&self, interval: Duration) -> SharedLog {
            SharedLog::new(Log::open(&self.0.join("log"), Policy::Interval, interval, 1, 1).unwrap().0)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_last_change_of_a_burst_is_synced_without_another() {
        let scratch = Scratch::new("burst");
        let log = scratch.log(Duration::from_millis(20));
        for burst in 0..3 {
            log.with(|log| log.append(&[b"one"], 0)).unwrap();
            log.with(|log| log.append(&[b"the last of the burst"], 0)).unwrap();
            let give_up = Instant::now() + Duration::from_secs(60);
            while !log.with(|log| log.is_synced()) {
                assert!(Instant::now() < give_up, "burst {burst} was never synced");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn a_log_that_is_dropped_can_be_opened_at_once_and_has_everything() {
        let scratch = Scratch::new("dropped");
        let log = scratch.log(Duration::from_secs(3_600));
        log.with(|log| log.append(&[b"one"], 0)).unwrap();
        assert!(!log.with(|log| log.is_synced()));
        drop(log);
        let again = scratch.log(Duration::from_secs(3_600));
        assert_eq!(again.with(|log| log.next_seq()), 2);
    }
}
