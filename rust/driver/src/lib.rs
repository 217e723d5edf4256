//! A cluster node on a thread of its own: sockets, clock and disk around the engine of palaver-core.
//!
//! A busy application looks like a dead node to its peers. This thread shares nothing with it but queues: probes are answered
//! whatever the application does, and what the application has not yet taken waits in [`EventQueue`]'s bounds.
#![forbid(unsafe_code)]

mod clock;
mod counts;
mod disk;
mod driver;
mod reactor;
mod settings;
mod sockets;
mod streams;
mod waiting;
mod watch;

pub use counts::Counts;
pub use driver::{Driver, Ended, Reachability, Seeds};
pub use settings::{Settings, StartError};
pub use waiting::{EventQueue, Notice};
