//! Messages over TCP: a connection carries one, its length (4 bytes, little-endian) first.
//!
//! Each direction has a bound of connections and a deadline. Where strangers have taken all places, the oldest connection of
//! the address with the most makes room. Memory is taken as bytes come, not as a length promises.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::counts::Counts;

/// The longest message: what one answer of a bulk sync may hold (256 KiB of records), and its wrapping.
pub(crate) const MAX_MESSAGE: usize = 300 << 10;
const MAX_INBOUND: usize = 128;
const MAX_OUTBOUND: usize = 64;
/// Seconds until a message must have come.
const INBOUND_DEADLINE: f64 = 10.0;
/// Seconds until one must have been taken; after that the engine has asked somebody else.
const OUTBOUND_DEADLINE: f64 = 5.0;
/// Taken from the listener at once.
const ACCEPTS: usize = 64;
const LENGTH: usize = 4;
const SCRATCH: usize = 64 << 10;

/// All connections.
#[derive(Debug)]
pub(crate) struct Streams {
    inbound: HashMap<Token, Inbound>,
    outbound: HashMap<Token, Outbound>,
    next_token: usize,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Inbound {
    socket: TcpStream,
    from: SocketAddr,
    bytes: Vec<u8>,
    since: f64,
}

#[derive(Debug)]
struct Outbound {
    socket: TcpStream,
    bytes: Vec<u8>,
    written: usize,
    since: f64,
}

/// What came of reading.
enum Progress {
    Whole,
    Unfinished,
    Broken,
}

impl Streams {
    /// Tokens from `first` on belong to connections.
    pub(crate) fn new(first: usize) -> Self {
        Self {
            inbound: HashMap::new(),
            outbound: HashMap::new(),
            next_token: first,
            scratch: vec![0; SCRATCH],
        }
    }

    pub(crate) fn open_count(&self) -> usize {
        self.inbound.len() + self.outbound.len()
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// Takes new connections; whether more may wait.
    pub(crate) fn accept(
        &mut self,
        listener: &TcpListener,
        registry: &Registry,
        now: f64,
        counts: &mut Counts,
    ) -> bool {
        for _ in 0..ACCEPTS {
            match listener.accept() {
                Ok((mut socket, from)) => {
                    if self.inbound.len() >= MAX_INBOUND {
                        self.make_room(registry);
                        counts.connections_dropped += 1;
                    }
                    let token = self.token();
                    if registry.register(&mut socket, token, Interest::READABLE).is_ok() {
                        self.inbound.insert(token, Inbound { socket, from, bytes: Vec::new(), since: now });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => return true, // no descriptors left, for example: again at the next tick
            }
        }
        true
    }

    fn make_room(&mut self, registry: &Registry) {
        let mut of: HashMap<IpAddr, usize> = HashMap::new();
        for inbound in self.inbound.values() {
            *of.entry(inbound.from.ip()).or_default() += 1;
        }
        let oldest = self
            .inbound
            .iter()
            .max_by(|(_, a), (_, b)| {
                let count = |inbound: &Inbound| of.get(&inbound.from.ip()).copied().unwrap_or_default();
                count(a).cmp(&count(b)).then(b.since.total_cmp(&a.since))
            })
            .map(|(token, _)| *token);
        if let Some(mut inbound) = oldest.and_then(|token| self.inbound.remove(&token)) {
            forget(&mut inbound.socket, registry);
        }
    }

    /// Begins to send a message.
    pub(crate) fn send(
        &mut self,
        to: SocketAddr,
        message: &[u8],
        registry: &Registry,
        now: f64,
        counts: &mut Counts,
    ) {
        if self.outbound.len() >= MAX_OUTBOUND || message.len() > MAX_MESSAGE {
            counts.streams_failed += 1;
            return;
        }
        let mut bytes = Vec::with_capacity(LENGTH + message.len());
        bytes.extend_from_slice(&(message.len() as u32).to_le_bytes());
        bytes.extend_from_slice(message);
        let token = self.token();
        let begun = TcpStream::connect(to).and_then(|mut socket| {
            registry.register(&mut socket, token, Interest::WRITABLE)?;
            Ok(socket)
        });
        match begun {
            Ok(socket) => {
                self.outbound.insert(token, Outbound { socket, bytes, written: 0, since: now });
            }
            Err(_) => counts.streams_failed += 1,
        }
    }

    /// A connection may go on. Returns a message that has come whole, and from where.
    pub(crate) fn ready(
        &mut self,
        token: Token,
        registry: &Registry,
        counts: &mut Counts,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        if let Some(outbound) = self.outbound.get_mut(&token) {
            let done = match outbound.write() {
                Ok(done) => done,
                Err(_) => {
                    counts.streams_failed += 1;
                    true
                }
            };
            if done && let Some(mut outbound) = self.outbound.remove(&token) {
                forget(&mut outbound.socket, registry);
            }
            return None;
        }
        let read = self.inbound.get_mut(&token)?.read(&mut self.scratch);
        if matches!(read, Progress::Unfinished) {
            return None;
        }
        let mut inbound = self.inbound.remove(&token)?;
        forget(&mut inbound.socket, registry);
        if matches!(read, Progress::Broken) {
            counts.connections_dropped += 1;
            return None;
        }
        counts.streams_received += 1;
        inbound.bytes.drain(..LENGTH);
        Some((inbound.from, inbound.bytes))
    }

    /// Closes what has taken too long.
    pub(crate) fn sweep(&mut self, registry: &Registry, now: f64, counts: &mut Counts) {
        self.inbound.retain(|_, inbound| {
            let keep = now - inbound.since < INBOUND_DEADLINE;
            if !keep {
                forget(&mut inbound.socket, registry);
                counts.connections_dropped += 1;
            }
            keep
        });
        self.outbound.retain(|_, outbound| {
            let keep = now - outbound.since < OUTBOUND_DEADLINE;
            if !keep {
                forget(&mut outbound.socket, registry);
                counts.streams_failed += 1;
            }
            keep
        });
    }
}

fn forget(socket: &mut impl Source, registry: &Registry) {
    let _ = registry.deregister(socket); // closing does it too
}

impl Inbound {
    /// Reads all there is, at most one message.
    fn read(&mut self, scratch: &mut [u8]) -> Progress {
        loop {
            let wanted = match self.bytes.first_chunk::<LENGTH>() {
                None => LENGTH,
                Some(length) => {
                    let length = u32::from_le_bytes(*length) as usize;
                    if length > MAX_MESSAGE {
                        return Progress::Broken;
                    }
                    LENGTH + length
                }
            };
            if self.bytes.len() >= LENGTH && self.bytes.len() == wanted {
                return Progress::Whole;
            }
            let room = (wanted - self.bytes.len()).min(scratch.len());
            match self.socket.read(&mut scratch[..room]) {
                Ok(0) => return Progress::Broken,
                Ok(count) => self.bytes.extend_from_slice(&scratch[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Unfinished,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Progress::Broken,
            }
        }
    }
}

impl Outbound {
    /// Writes what the system takes; whether all is written.
    fn write(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        while self.written < self.bytes.len() {
            match self.socket.write(&self.bytes[self.written..]) {
                Ok(count) => self.written += count,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) =>
                {
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
