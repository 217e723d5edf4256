//! A run on a thread of its own.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use crate::driver::Driver;
use crate::plan::{Plan, PlanError};
use crate::progress::{ABORT, Progress, STOP, Shared};
use crate::report::Report;

/// A plan that is being carried out.
///
/// The thread ends by itself: every phase has a deadline, but for the waiting of a run in rounds. Dropping the run ends it at once, without goodbyes.
pub struct Run {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<Report>>>,
}

impl Run {
    /// Begins.
    ///
    /// # Errors
    /// The plan breaks a rule, or there is no thread to be had.
    pub fn start(plan: Plan) -> Result<Self, PlanError> {
        plan.check()?;
        let shared = Arc::new(Shared::default());
        let driver = Driver::new(plan, shared.clone())?;
        let thread = thread::Builder::new()
            .name("palaver-load".into())
            .spawn(move || driver.run())
            .map_err(|error| PlanError(format!("no thread can be started: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// Begins the next round of a run in rounds ([`crate::Timing::rounds`]). What the last one found is forgotten.
    pub fn go(&self) {
        self.take_round();
        self.shared.rounds.fetch_add(1, Relaxed);
    }

    /// What the round found; None: it is not over, or its report was taken before. Clients stay connected.
    pub fn take_round(&self) -> Option<Report> {
        self.shared.round.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Lets the clients go now; the report tells what was found until then. A second call does not wait for their goodbyes.
    pub fn stop(&self) {
        let next = if self.shared.stop.load(Relaxed) < STOP { STOP } else { ABORT };
        self.shared.stop.store(next, Relaxed);
    }

    /// Whether `finish` would come back at once.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until it is done. The second call, and one after a panic of the thread, returns None.
    ///
    /// # Errors
    /// The kernel refused something that the whole run needs.
    pub fn finish(&mut self) -> Option<io::Result<Report>> {
        self.thread.take()?.join().ok()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.shared.stop.store(ABORT, Relaxed);
        let _ = self.finish();
    }
}
