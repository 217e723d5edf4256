//! The handle of a running node: it starts the thread, asks it, and ends it.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use palaver_core::engine::{Admission, Command, Engine, Identity, Member};
use palaver_core::{AdmissionTicket, Error, NodeId, Status, Vitals, first_incarnation};

use crate::clock;
use crate::counts::Counts;
use crate::disk::{Disk, Memory};
use crate::reactor::{Parts, Reactor, WAKER};
use crate::settings::{Settings, StartError};
use crate::sockets;
use crate::waiting::{EventQueue, Notice};

/// So many questions wait for the thread; whoever asks more waits.
const JOBS: usize = 256;

pub(crate) type Job = Box<dyn FnOnce(&mut Reactor) + Send>;

/// What the thread shares with its handle.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) events: Arc<EventQueue>,
    pub(crate) beats: AtomicU64,
    pub(crate) counts: Mutex<Counts>,
}

/// The node is over; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node has stopped, as its last event says; nothing was changed")
    }
}

impl std::error::Error for Ended {}

/// What has come of asking the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeds {
    /// None were given.
    None,
    /// No answer yet.
    Asking,
    /// No answer for three rounds; asking goes on.
    Silent,
    /// One has answered.
    Joined,
}

/// Who can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachability {
    /// How many take part, this node included.
    pub members: usize,
    /// Alive, but this node misses their answers.
    pub suspected: Vec<NodeId>,
    /// Proven to be out of reach.
    pub unreachable: Vec<NodeId>,
    /// Given up.
    pub dead: Vec<NodeId>,
    /// Whether deaths are held.
    pub partition_suspected: bool,
    /// What has come of asking.
    pub seeds: Seeds,
}

/// A node on its thread. Dropping it ends the node without a goodbye.
#[derive(Debug)]
pub struct Driver {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
    waker: Waker,
    thread: Mutex<Option<JoinHandle<()>>>,
    bound: SocketAddr,
    advertised: SocketAddr,
    id: NodeId,
    process: u32,
}

impl Driver {
    /// Binds, reads the disk, and begins. Nothing is left behind when it fails.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        settings.check()?;
        let events = Arc::new(EventQueue::new(settings.queue).map_err(StartError::System)?);
        let (disk, memory) = match &settings.state_dir {
            None => (None, Memory { ceiling: None, records: Vec::new() }),
            Some(directory) => {
                let salt = u64::from_le_bytes(random()?);
                let (disk, memory) = Disk::open(directory, salt, Arc::clone(&events))?;
                (Some(disk), memory)
            }
        };
        let (udp, listener, bound) = sockets::bind(settings.bind)?;
        let advertised = settings.advertise.unwrap_or(bound);
        let identity = Identity {
            keys: settings.keys,
            name: settings.name,
            address: advertised,
            place: settings.place,
            incarnation: first_incarnation(memory.ceiling, clock::unix_seconds())?,
            ceiling: memory.ceiling,
            exchange: random()?,
            ticket: settings.ticket,
        };
        let seed = u64::from_le_bytes(random()?);
        let engine = Engine::new(settings.config, identity, seed, clock::moment())?;
        let id = engine.id();
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(StartError::System)?;
        let (jobs, waiting_jobs) = sync_channel(JOBS);
        let shared =
            Arc::new(Shared { events, beats: AtomicU64::new(0), counts: Mutex::new(Counts::default()) });
        let reactor = Reactor::new(Parts {
            engine,
            bound,
            poll,
            udp,
            listener,
            disk,
            shared: Arc::clone(&shared),
            jobs: waiting_jobs,
            blocked_after: settings.blocked_after,
            leave_after: settings.leave_after,
        });
        let reactor = reactor.map_err(StartError::System)?;
        let (events, seeds) = (Arc::clone(&shared.events), settings.seeds);
        let run = move || {
            let lived = std::panic::catch_unwind(AssertUnwindSafe(|| reactor.run(memory.records, seeds)));
            if lived.is_err() {
                let why = "a bug ended the thread: see the standard error".to_owned();
                events.push(Notice::Stopped { acknowledged: 0, why });
            }
        };
        let thread = std::thread::Builder::new().name("palaver-gossip".to_owned());
        let thread = thread.spawn(run).map_err(StartError::System)?;
        let process = std::process::id();
        Ok(Self { shared, jobs, waker, thread: Mutex::new(Some(thread)), bound, advertised, id, process })
    }

    /// Has the thread do something and waits for the answer.
    fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Reactor) -> R + Send + 'static,
    ) -> Result<R, Ended> {
        if self.process != std::process::id() {
            return Err(Ended); // a fork: the thread is the parent's
        }
        let (answer, answered) = sync_channel(1);
        let job: Job = Box::new(move |reactor| {
            let _ = answer.send(job(reactor)); // whoever asked waits
        });
        self.jobs.send(job).map_err(|_| Ended)?;
        let _ = self.waker.wake(); // else it answers at its next tick
        answered.recv().map_err(|_| Ended)
    }

    /// Who this is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Where it listens.
    #[must_use]
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Where others reach it.
    #[must_use]
    pub fn advertised(&self) -> SocketAddr {
        self.advertised
    }

    /// Readable while notices wait.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.shared.events.fd()
    }

    /// Takes the notices that wait; never blocks for long.
    #[must_use]
    pub fn drain(&self) -> Vec<Notice> {
        self.shared.events.drain()
    }

    /// A sign of life of the application.
    pub fn beat(&self) {
        self.shared.beats.fetch_add(1, Relaxed);
    }

    /// What has happened so far: as of now, or of the end.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.ask(Reactor::publish)
            .unwrap_or_else(|_| *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives the engine a command.
    pub fn command(&self, command: Command) -> Result<Result<(), Error>, Ended> {
        self.ask(|reactor| reactor.command(command))
    }

    /// Asks other seeds.
    pub fn join(&self, seeds: Vec<SocketAddr>) -> Result<Result<(), Error>, Ended> {
        self.ask(|reactor| reactor.join(seeds))
    }

    /// How the application is doing.
    pub fn set_vitals(&self, vitals: Vitals) -> Result<Result<(), Error>, Ended> {
        self.ask(move |reactor| reactor.set_vitals(vitals))
    }

    /// Who may join from now on; refused where everybody could and the address is not of the loopback.
    pub fn set_admission(
        &self,
        admission: Admission,
        ticket: Option<AdmissionTicket>,
    ) -> Result<Result<(), StartError>, Ended> {
        self.ask(move |reactor| {
            Settings::check_exposure(&admission, reactor.bound)?;
            if let Some(ticket) = ticket {
                reactor.command(Command::SetTicket(ticket))?; // first: refused, nothing has changed
            }
            Ok(reactor.command(Command::SetAdmission(admission))?)
        })
    }

    /// Begins to say goodbye; [`Notice::Stopped`] follows.
    pub fn leave(&self) -> Result<(), Ended> {
        self.ask(|reactor| reactor.leave("left")).map(|_| ())
    }

    /// Waits for at most `seconds` until the thread has ended; whether it has.
    #[must_use]
    pub fn wait(&self, seconds: f64) -> bool {
        let until = clock::monotonic() + seconds;
        loop {
            let over = self.is_over();
            if over || clock::monotonic() >= until {
                return over;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn is_over(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        self.process != std::process::id() || thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the node without a goodbye and waits until files and sockets are closed.
    pub fn close(&self) {
        let _ = self.ask(Reactor::end); // it may have ended by itself
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.process == std::process::id()
            && let Some(thread) = thread
        {
            let _ = thread.join(); // a panic has been told as the last notice
        }
    }

    /// All members by rising id.
    pub fn members(&self) -> Result<Vec<Member>, Ended> {
        self.ask(|reactor| reactor.engine.members())
    }

    /// One member.
    pub fn member(&self, id: NodeId) -> Result<Option<Member>, Ended> {
        self.ask(move |reactor| reactor.engine.member(&id))
    }

    /// How one member stands.
    pub fn status(&self, id: NodeId) -> Result<Option<Status>, Ended> {
        self.ask(move |reactor| reactor.engine.status(&id))
    }

    /// The incarnation of this node.
    pub fn incarnation(&self) -> Result<u64, Ended> {
        self.ask(|reactor| reactor.engine.incarnation())
    }

    /// The root of the view.
    pub fn root(&self) -> Result<u128, Ended> {
        self.ask(|reactor| reactor.engine.root())
    }

    /// Who can be reached.
    pub fn reachability(&self) -> Result<Reachability, Ended> {
        self.ask(|reactor| {
            let members = reactor.engine.members();
            let ids = |is: &dyn Fn(&Member) -> bool| {
                members.iter().filter(|member| is(member)).map(|member| member.id).collect()
            };
            Reachability {
                members: reactor.engine.size(),
                suspected: ids(&|member| member.suspected && member.status == Status::Alive),
                unreachable: ids(&|member| member.status == Status::Unreachable),
                dead: ids(&|member| member.status == Status::Dead),
                partition_suspected: reactor.engine.suspects_partition(),
                seeds: reactor.seeds,
            }
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close();
    }
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    let system = |error: getrandom::Error| StartError::System(std::io::Error::other(error.to_string()));
    getrandom::fill(&mut bytes).map_err(system)?;
    Ok(bytes)
}
