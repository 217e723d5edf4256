//! What a driver is started with, and why it may not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use palaver_core::engine::{Admission, EngineConfig};
use palaver_core::{AdmissionTicket, Error, KeyManager, NodeMetadata};
use palaver_durable::Failure;

/// Who the node is, where it is, and how it behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The engine's settings.
    pub config: EngineConfig,
    /// The node's key.
    pub keys: KeyManager,
    /// For people.
    pub name: String,
    /// Where it runs.
    pub place: NodeMetadata,
    /// What lets it in where authorities decide.
    pub ticket: Option<AdmissionTicket>,
    /// Where it keeps incarnation and membership; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Where it listens, for UDP and TCP. Port 0 lets the system choose one that both have free.
    pub bind: SocketAddr,
    /// Where others reach it, if that is somewhere else.
    pub advertise: Option<SocketAddr>,
    /// Whom to ask first.
    pub seeds: Vec<SocketAddr>,
    /// So many broadcasts wait for the application.
    pub queue: usize,
    /// After so many seconds without a beat of the application the node says that it is draining.
    pub blocked_after: f64,
    /// After so many it leaves; infinity for never.
    pub leave_after: f64,
}

/// Why a driver does not start; nothing is left behind.
#[derive(Debug)]
pub enum StartError {
    /// A node that lets everybody in may only be reached from its own machine.
    Exposed(SocketAddr),
    /// The address to tell others is no address of one machine.
    Unspecified(SocketAddr),
    /// The socket cannot be had.
    Bind(SocketAddr, io::Error),
    /// What is kept on the disk cannot be read or written.
    Disk(Failure),
    /// A setting cannot work.
    Refused(Error),
    /// The system gives no thread, poll, pipe or randomness.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed(address) => write!(
                f,
                "{address} can be reached from other machines, and without admission anybody there could join: give \
                 authorities (palaver cluster init) or allowed keys, or use an address of the loopback; nothing was bound"
            ),
            Self::Unspecified(address) => write!(
                f,
                "others cannot reach {address}: give the address to advertise, with its port; nothing was bound"
            ),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Disk(failure) => write!(f, "{failure}"),
            Self::Refused(error) => write!(f, "{error}"),
            Self::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Disk(failure)
    }
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Settings {
    /// Whether what is bound and told fits who may join.
    pub fn check(&self) -> Result<(), StartError> {
        self.config.check()?;
        for (what, got) in [("blocked_after", self.blocked_after), ("leave_after", self.leave_after)] {
            if got.is_nan() || got <= 0.0 {
                return Err(Error::NotPositive { what, got }.into());
            }
        }
        if self.queue == 0 || self.queue > Self::MAX_QUEUE {
            return Err(Error::Capacity { what: "queue", max: Self::MAX_QUEUE }.into());
        }
        let told = self.advertise.unwrap_or(self.bind);
        if told.ip().is_unspecified() || (told.port() == 0 && self.advertise.is_some()) {
            return Err(StartError::Unspecified(told));
        }
        Self::check_exposure(&self.config.admission, self.bind)
    }

    /// The most broadcasts that may wait: 55 MiB of the longest.
    pub const MAX_QUEUE: usize = 1 << 16;

    pub(crate) fn check_exposure(admission: &Admission, bind: SocketAddr) -> Result<(), StartError> {
        let open = matches!(admission, Admission::Open { .. });
        if open && !bind.ip().is_loopback() { Err(StartError::Exposed(bind)) } else { Ok(()) }
    }
}
