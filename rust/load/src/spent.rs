//! What the load thread has had of the cores, so that it can be told when it is what limits a run.

use rustix::time::{ClockId, clock_gettime};

use crate::driver::SECOND;

/// What a thread has had of the cores, in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) cpu: u64,
    /// It wanted one, and others had it.
    pub(crate) waited: u64,
}

/// Of this thread. Where the kernel does not count waiting (proc(5), schedstat), it is 0.
pub(crate) fn spent() -> Spent {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited = counts.split_ascii_whitespace().nth(1).and_then(|count| count.parse().ok());
    Spent { cpu: cpu_time(), waited: waited.unwrap_or(0) }
}

/// Of this thread, in nanoseconds.
pub(crate) fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}
