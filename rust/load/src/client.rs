//! One client's connection.

use std::io;
use std::sync::Arc;

use crate::places::Place;
use crate::stream::Stream;

/// Where a client is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is no connection.
    Away,
    /// The server's answer to the upgrade is waited for.
    Upgrading,
    /// In this step of getting in.
    Opening(usize),
    /// In.
    Ready,
    /// Has said goodbye and waits for the server to close.
    Leaving,
}

/// What a client that is in listens for: arrivals as the receiver of that index, or replies.
#[derive(Clone, Copy)]
pub(crate) struct Role {
    pub(crate) flow: usize,
    pub(crate) receiver: usize,
    pub(crate) is_reply: bool,
}

pub(crate) struct Client {
    pub(crate) state: State,
    pub(crate) stream: Option<Stream>,
    /// When it began to connect, or to leave.
    pub(crate) since: u64,
    /// How often it has begun to get in.
    pub(crate) comings: usize,
    pub(crate) captured: Vec<u8>,
    /// The number of what it was told last.
    pub(crate) seen: Vec<u8>,
    pub(crate) roles: Vec<Role>,
    /// Flows that it sends.
    pub(crate) sends: Vec<usize>,
    /// Bytes of a frame that is not whole.
    pub(crate) inbox: Vec<u8>,
    /// Fragments of a message that is not whole; None: there are none.
    pub(crate) fragments: Option<Vec<u8>>,
    /// Said, and not yet taken by the kernel from `written` on.
    pub(crate) outbox: Vec<u8>,
    written: usize,
    /// The code of the close frame that came.
    pub(crate) close_code: Option<u16>,
    /// Where it is sent by that.
    pub(crate) sent_to: Option<String>,
    pub(crate) place: Arc<Place>,
    /// How often it was sent on since it began to connect.
    pub(crate) hops: u8,
}

impl Client {
    pub(crate) fn new(home: Arc<Place>) -> Self {
        Self {
            state: State::Away,
            stream: None,
            since: 0,
            comings: 0,
            captured: Vec::new(),
            seen: Vec::new(),
            roles: Vec::new(),
            sends: Vec::new(),
            inbox: Vec::new(),
            fragments: None,
            outbox: Vec::new(),
            written: 0,
            close_code: None,
            sent_to: None,
            place: home,
            hops: 0,
        }
    }

    /// Writes what the kernel takes. Returns how many bytes that was.
    pub(crate) fn flush(&mut self) -> io::Result<u64> {
        let Some(stream) = &mut self.stream else { return Ok(0) };
        stream.push()?;
        let mut count = 0;
        while self.written < self.outbox.len() {
            match stream.write(&self.outbox[self.written..]) {
                Ok(taken) => {
                    self.written += taken;
                    count += taken as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                // Not connected yet: the kernel will say when it is.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.clear();
        self.written = 0;
        Ok(count)
    }

    /// Forgets the connection; dropping the stream closes it.
    pub(crate) fn reset(&mut self) {
        self.state = State::Away;
        self.stream = None;
        self.inbox = Vec::new();
        self.fragments = None;
        self.outbox.clear();
        self.written = 0;
    }
}
