//! What a driver has done so far, for metrics.

use palaver_core::engine::Counters;

/// All only rise, but for the numbers of what is open or waits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// The engine's own.
    pub engine: Counters,
    /// Bytes of the datagrams that came.
    pub received_bytes: u64,
    /// Datagrams that the system did not take, because its buffer was full or there is no way there.
    pub unsent: u64,
    /// Messages that came over TCP whole.
    pub streams_received: u64,
    /// Messages for TCP that did not arrive: refused, out of time, or too many at once.
    pub streams_failed: u64,
    /// Connections closed before a message was whole, or to make room.
    pub connections_dropped: u64,
    /// Connections open now.
    pub connections: u64,
    /// Broadcasts that the application was too slow for.
    pub broadcasts_lost: u64,
    /// Bytes of membership that the disk was too slow for, or refused.
    pub log_bytes_lost: u64,
    /// Seconds that the thread has computed, as of the last second.
    pub cpu_seconds: f64,
}
