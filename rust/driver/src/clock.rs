//! The clocks of the system.

use std::time::{SystemTime, UNIX_EPOCH};

use palaver_core::Time;
use palaver_core::engine::Moment;
use rustix::time::{ClockId, clock_gettime};

/// Seconds of the monotonic clock, the one of Python's `time.monotonic`.
pub(crate) fn monotonic() -> f64 {
    seconds(ClockId::Monotonic)
}

/// Seconds that this thread has computed.
pub(crate) fn thread_cpu() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Whole seconds of Unix time.
pub(crate) fn unix_seconds() -> u64 {
    unix_millis() / 1_000
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What time it is, for the engine.
pub(crate) fn moment() -> Moment {
    // The kernel's clock is finite and not negative.
    Moment { now: Time::new(monotonic()).unwrap_or(Time::ZERO), unix_millis: unix_millis() }
}
