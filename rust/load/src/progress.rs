//! What may be asked of a run while it goes on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::plan::Phase;
use crate::report::Report;

const PHASES: [Phase; 8] = [
    Phase::Connecting,
    Phase::Settling,
    Phase::Waiting,
    Phase::Warming,
    Phase::Measuring,
    Phase::Draining,
    Phase::Closing,
    Phase::Done,
];

/// Clients say goodbye, and the run ends.
pub(crate) const STOP: u8 = 1;
/// The run ends at once.
pub(crate) const ABORT: u8 = 2;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counts since the run began.
        #[derive(Clone, Copy, Debug)]
        pub struct Progress {
            /// What it is doing.
            pub phase: Phase,
            $($(#[$doc])* pub $name: u64,)+
        }

        /// The thread's own counts; it alone adds to them.
        #[derive(Default)]
        pub(crate) struct Counts {
            $(pub(crate) $name: u64,)+
        }

        /// The counts as others see them.
        #[derive(Default)]
        pub(crate) struct Shared {
            phase: AtomicU8,
            /// 0: go on; STOP; ABORT.
            pub(crate) stop: AtomicU8,
            /// Rounds that were asked for.
            pub(crate) rounds: AtomicU64,
            /// What the last round found, until somebody takes it.
            pub(crate) round: Mutex<Option<Report>>,
            $($name: AtomicU64,)+
        }

        impl Shared {
            pub(crate) fn publish(&self, phase: Phase, counts: &Counts) {
                $(self.$name.store(counts.$name, Relaxed);)+
                self.phase.store(phase as u8, Relaxed);
            }

            pub(crate) fn progress(&self) -> Progress {
                Progress {
                    phase: PHASES[usize::from(self.phase.load(Relaxed)).min(PHASES.len() - 1)],
                    $($name: self.$name.load(Relaxed),)+
                }
            }
        }
    };
}

counters! {
    /// Clients that are in, of those that stay.
    ready,
    /// Clients that were not let in.
    failed,
    /// Messages sent.
    sent,
    /// Messages that reached whom they were for.
    arrived,
    /// Replies to messages.
    replies,
    /// Times that a client of a churning stage got in.
    cycles,
    /// Other messages that came in.
    others,
    /// Messages that were refused.
    errors,
    /// Connections that the server closed, while they were to stay.
    closed,
    /// Bytes read.
    bytes_in,
    /// Bytes written.
    bytes_out,
    /// CPU time of the load thread in nanoseconds, up to 20 ms ago.
    cpu,
}
