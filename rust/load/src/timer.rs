//! A timer with the clock's own grain: epoll alone waits in whole milliseconds.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

pub(crate) struct Timer(OwnedFd);

impl Timer {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Wakes the loop in so many nanoseconds.
    pub(crate) fn set(&self, nanoseconds: u64) -> io::Result<()> {
        // 0 would turn it off.
        let nanoseconds = nanoseconds.max(1);
        let second = 1_000_000_000;
        let value = Timespec {
            tv_sec: i64::try_from(nanoseconds / second).unwrap_or(i64::MAX),
            // Below 1e9, so that it fits wherever the type is narrower.
            tv_nsec: (nanoseconds % second) as _,
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}
