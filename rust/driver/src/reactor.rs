//! The loop of the thread: it waits for the kernel or a deadline, gives the engine what came, and does what the engine wants.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mio::net::{TcpListener, UdpSocket};
use mio::{Events, Interest, Poll, Token};
use palaver_core::engine::{Command, Engine, Event, Input, LogRecord, Output};
use palaver_core::{Error, Vitals};

use crate::clock::{moment, monotonic, thread_cpu};
use crate::counts::Counts;
use crate::disk::Disk;
use crate::driver::{Job, Seeds, Shared};
use crate::streams::Streams;
use crate::waiting::Notice;
use crate::watch::{Found, LOOK, Watch};

const UDP: Token = Token(0);
const LISTENER: Token = Token(1);
pub(crate) const WAKER: Token = Token(2);
const FIRST_STREAM: usize = 16;
/// So many datagrams are taken before deadlines and jobs have their turn.
const BURST: usize = 256;
/// The longest UDP payload there is: nothing is cut off and taken for whole.
const DATAGRAM: usize = 64 << 10;
/// The loop turns at least this often, in seconds: deadlines of connections, the watch, metrics.
const TICK: f64 = 1.0;

/// All that the thread owns.
pub(crate) struct Reactor {
    pub(crate) engine: Engine,
    pub(crate) bound: SocketAddr,
    pub(crate) seeds: Seeds,
    poll: Poll,
    udp: UdpSocket,
    listener: TcpListener,
    streams: Streams,
    disk: Option<Disk>,
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    output: Output,
    counts: Counts,
    watch: Watch,
    vitals: Vitals,
    /// Why the node leaves.
    leaves: Option<&'static str>,
    /// Why and how it has ended.
    over: Option<(usize, String)>,
    ticked: f64,
}

/// What a reactor is made of.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) bound: SocketAddr,
    pub(crate) poll: Poll,
    pub(crate) udp: UdpSocket,
    pub(crate) listener: TcpListener,
    pub(crate) disk: Option<Disk>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) blocked_after: f64,
    pub(crate) leave_after: f64,
}

impl Reactor {
    pub(crate) fn new(mut parts: Parts) -> io::Result<Self> {
        parts.poll.registry().register(&mut parts.udp, UDP, Interest::READABLE)?;
        parts.poll.registry().register(&mut parts.listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            engine: parts.engine,
            bound: parts.bound,
            seeds: Seeds::None,
            poll: parts.poll,
            udp: parts.udp,
            listener: parts.listener,
            streams: Streams::new(FIRST_STREAM),
            disk: parts.disk,
            shared: parts.shared,
            jobs: parts.jobs,
            output: Output::default(),
            counts: Counts::default(),
            watch: Watch::new(parts.blocked_after, parts.leave_after),
            vitals: Vitals::default(),
            leaves: None,
            over: None,
            ticked: f64::NEG_INFINITY,
        })
    }

    /// Lives until it is over; the last notice says why.
    pub(crate) fn run(mut self, records: Vec<u8>, seeds: Vec<SocketAddr>) {
        let begun = if records.is_empty() { Ok(()) } else { self.command(Command::Restore(records)) };
        // What is kept may be of another version or another cluster; peers know better.
        if let Err(error) = begun {
            self.shared.events.push(Notice::LogFailed(error.to_string()));
        }
        let _ = self.join(seeds); // Join refuses nothing
        let (acknowledged, why) = match self.turn_until_over() {
            Ok(over) => over,
            Err(error) => (0, format!("the system refuses: {error}")),
        };
        if let Some(disk) = self.disk.take() {
            disk.save(self.engine.snapshot());
            disk.close();
        }
        self.publish();
        self.shared.events.push(Notice::Stopped { acknowledged, why });
    }

    fn turn_until_over(&mut self) -> io::Result<(usize, String)> {
        let mut events = Events::with_capacity(256);
        let mut scratch = vec![0; DATAGRAM];
        let (mut datagrams_wait, mut accepts_wait) = (true, true);
        loop {
            if let Some(over) = self.over.take() {
                return Ok(over);
            }
            let wait = if datagrams_wait { 0.0 } else { self.patience() };
            match self.poll.poll(&mut events, Some(Duration::from_secs_f64(wait))) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            for event in &events {
                match event.token() {
                    UDP => datagrams_wait = true,
                    LISTENER => accepts_wait = true,
                    WAKER => {}
                    token => self.stream_ready(token),
                }
            }
            if datagrams_wait {
                datagrams_wait = self.receive(&mut scratch);
            }
            self.deadline();
            while let Ok(job) = self.jobs.try_recv() {
                job(self);
            }
            let now = monotonic();
            if accepts_wait {
                let registry = self.poll.registry();
                accepts_wait = self.streams.accept(&self.listener, registry, now, &mut self.counts);
            }
            self.look(now);
            if now - self.ticked >= TICK {
                self.tick(now);
            }
        }
    }

    /// How long nothing has to be done, in seconds.
    fn patience(&self) -> f64 {
        let longest = if self.watch.is_on() { LOOK } else { TICK };
        let due = self.engine.deadline().map_or(f64::INFINITY, |due| due.seconds() - monotonic());
        due.clamp(0.0, longest)
    }

    /// Takes datagrams; whether more may wait.
    fn receive(&mut self, scratch: &mut [u8]) -> bool {
        for _ in 0..BURST {
            match self.udp.recv_from(scratch) {
                Ok((length, from)) => {
                    self.counts.received_bytes += length as u64;
                    self.handle(Input::Datagram { from, bytes: &scratch[..length] });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false, // nothing waits; any other error belongs to a datagram, and is gone with it
            }
        }
        true
    }

    fn deadline(&mut self) {
        if self.engine.deadline().is_some_and(|due| due.seconds() <= monotonic()) {
            self.handle(Input::Deadline);
        }
    }

    fn stream_ready(&mut self, token: Token) {
        let come = self.streams.ready(token, self.poll.registry(), &mut self.counts);
        if let Some((from, bytes)) = come {
            self.handle(Input::Stream { from, bytes: &bytes });
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let mut output = std::mem::take(&mut self.output);
        let _ = self.engine.handle(input, moment(), &mut output); // only commands are refused
        self.act(&mut output);
        self.output = output;
    }

    /// Gives the engine a command. Refused, nothing has changed.
    pub(crate) fn command(&mut self, command: Command) -> Result<(), Error> {
        let mut output = std::mem::take(&mut self.output);
        let obeyed = self.engine.handle(Input::Command(command), moment(), &mut output);
        self.act(&mut output);
        self.output = output;
        obeyed
    }

    /// Log, send, tell, in this order.
    fn act(&mut self, output: &mut Output) {
        for record in output.log.drain(..) {
            let Some(disk) = &self.disk else { break };
            match record {
                LogRecord::Ceiling(ceiling) => {
                    if let Err(failure) = disk.reserve(ceiling) {
                        // Nothing may be sent at this incarnation. To others it is a crash.
                        self.over = Some((0, format!("the incarnation cannot be reserved: {failure}")));
                    }
                }
                LogRecord::Membership(records) => disk.append(records),
            }
        }
        if self.over.is_some() {
            output.clear();
            return;
        }
        for transmission in output.datagrams.drain(..) {
            if self.udp.send_to(&transmission.bytes, transmission.to).is_err() {
                self.counts.unsent += 1;
            }
        }
        if !output.streams.is_empty() {
            let (registry, now) = (self.poll.registry(), monotonic());
            for message in output.streams.drain(..) {
                self.streams.send(message.to, &message.bytes, registry, now, &mut self.counts);
            }
        }
        for event in output.events.drain(..) {
            match event {
                Event::Stopped { acknowledged, banned } => {
                    let why = if banned { "banned" } else { self.leaves.unwrap_or("left") };
                    self.over = Some((acknowledged, why.to_owned()));
                    continue;
                }
                Event::Joined => self.seeds = Seeds::Joined,
                Event::Alone if self.seeds == Seeds::Asking => self.seeds = Seeds::Silent,
                _ => {}
            }
            self.shared.events.push(Notice::Engine(event));
        }
    }

    /// Asks these addresses.
    pub(crate) fn join(&mut self, seeds: Vec<SocketAddr>) -> Result<(), Error> {
        self.seeds = if seeds.is_empty() { Seeds::None } else { Seeds::Asking };
        self.command(Command::Join(seeds))
    }

    /// Takes how the application is doing.
    pub(crate) fn set_vitals(&mut self, vitals: Vitals) -> Result<(), Error> {
        self.vitals = vitals;
        let draining = vitals.draining || self.watch.is_blocked();
        self.command(Command::SetVitals(Vitals { draining, ..vitals }))
    }

    /// Says goodbye.
    pub(crate) fn leave(&mut self, why: &'static str) -> Result<(), Error> {
        self.leaves.get_or_insert(why);
        self.command(Command::Leave)
    }

    /// Ends without a goodbye.
    pub(crate) fn end(&mut self) {
        self.over.get_or_insert((0, "closed".to_owned()));
    }

    fn look(&mut self, now: f64) {
        let notice = match self.watch.look(self.shared.beats.load(Relaxed), now) {
            None => return,
            Some(Found::Given(_)) => {
                if self.leaves.is_none() {
                    let _ = self.leave("blocked"); // Leave refuses nothing
                }
                return;
            }
            Some(Found::Blocked(seconds)) => Notice::Blocked(seconds),
            Some(Found::Unblocked(seconds)) => Notice::Unblocked(seconds),
        };
        self.shared.events.push(notice);
        let _ = self.set_vitals(self.vitals); // SetVitals refuses nothing
    }

    fn tick(&mut self, now: f64) {
        self.ticked = now;
        self.streams.sweep(self.poll.registry(), now, &mut self.counts);
        if let Some(disk) = &self.disk
            && disk.wants_view()
        {
            disk.save(self.engine.snapshot());
        }
        self.publish();
    }

    /// The figures as they are now.
    pub(crate) fn publish(&mut self) -> Counts {
        self.counts.engine = self.engine.counters();
        self.counts.connections = self.streams.open_count() as u64;
        self.counts.broadcasts_lost = self.shared.events.lost_in_all();
        self.counts.log_bytes_lost = self.disk.as_ref().map_or(self.counts.log_bytes_lost, Disk::lost);
        self.counts.cpu_seconds = thread_cpu();
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner) = self.counts;
        self.counts
    }
}
