//! Connections: how clients get in, what they read, how they go.

use std::io;

use memchr::memmem;
use mio::{Interest, Token};

use crate::client::State;
use crate::driver::{Driver, SECOND};
use crate::places::MAX_HOPS;
use crate::plan::{Message, Phase};
use crate::stream::Stream;
use crate::{frame, handshake};

/// Where the method, the id and the error of a message stand, with room for their arguments.
const HEAD: usize = 256;
/// How long a client that churns waits after it was not let in.
const RETRY: u64 = SECOND / 10;
/// Of a connection that ended without a close frame (RFC 6455 § 7.1.5).
const ABNORMAL: u16 = 1006;

impl Driver {
    /// Begins to get in, at home.
    pub(crate) fn open(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.since = self.now;
        client.place = self.places.home.clone();
        client.hops = 0;
        client.comings += 1;
        self.connect(index);
    }

    /// Begins to connect.
    fn connect(&mut self, index: usize) {
        let plan = self.plan.clone();
        let spec = &plan.clients[index];
        let client = &mut self.clients[index];
        client.reset();
        (client.close_code, client.sent_to) = (None, None);
        client.state = State::Upgrading;
        let place = client.place.clone();
        let opened = Stream::open(place.address, spec.source, !spec.reads, place.trust.as_ref()).and_then(
            |mut stream| {
                self.poll.registry().register(
                    stream.tcp(),
                    Token(index),
                    Interest::READABLE | Interest::WRITABLE,
                )?;
                Ok(stream)
            },
        );
        match opened {
            Ok(stream) => {
                client.stream = Some(stream);
                handshake::request(&mut client.outbox, &place, spec);
            }
            Err(error) => self.fail(index, &kernel(&error), b""),
        }
    }

    /// Goes where the server has sent the client, as part of the same getting in.
    fn follow(&mut self, index: usize, url: &str) {
        let client = &mut self.clients[index];
        if client.hops >= MAX_HOPS {
            return self.fail(index, &format!("sent on more than {MAX_HOPS} times"), b"");
        }
        client.hops += 1;
        match self.places.visit(url) {
            Ok(place) => {
                self.clients[index].place = place;
                self.connect(index);
            }
            Err(reason) => self.fail(index, &reason, b""),
        }
    }

    /// The client is not let in.
    pub(crate) fn fail(&mut self, index: usize, reason: &str, message: &[u8]) {
        let place = &self.clients[index].place;
        if place.url.is_empty() {
            self.notes.refused(reason, message, None);
        } else {
            self.notes.refused(
                &format!("{reason}, at {} where the server had sent it", place.url),
                message,
                None,
            );
        }
        self.counts.errors += 1;
        self.clients[index].reset();
        self.clients[index].since = self.now + RETRY;
        if self.plan.clients[index].churns.is_none() {
            self.counts.failed += 1;
            self.entering -= 1;
        }
    }

    pub(crate) fn flush(&mut self, index: usize) {
        match self.clients[index].flush() {
            Ok(count) => self.counts.bytes_out += count,
            Err(error) => self.lost(index, &kernel(&error)),
        }
    }

    /// Reads what is there. If the connection is `over`, the end is there as well, and nothing will tell of it again.
    pub(crate) fn on_readable(&mut self, index: usize, over: bool) {
        let reads = self.plan.clients[index].reads || self.phase == Phase::Closing;
        if !reads && self.clients[index].state == State::Ready {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(stream) = &mut self.clients[index].stream {
            match stream.read(&mut scratch) {
                Ok((0, _)) => self.lost(index, "closed by the server"),
                Ok((count, drained)) => {
                    self.counts.bytes_in += count as u64;
                    self.heard = self.now;
                    self.take(index, &scratch[..count]);
                    if drained && !over {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.lost(index, &kernel(&error)),
            }
        }
        self.scratch = scratch;
        self.flush(index);
    }

    /// Looks at new bytes, after those that were left from before.
    fn take(&mut self, index: usize, bytes: &[u8]) {
        let mut inbox = std::mem::take(&mut self.clients[index].inbox);
        if inbox.is_empty() {
            let used = self.consume(index, bytes);
            inbox.extend_from_slice(&bytes[used..]);
        } else {
            inbox.extend_from_slice(bytes);
            let used = self.consume(index, &inbox);
            inbox.drain(..used);
        }
        if self.clients[index].stream.is_some() {
            self.clients[index].inbox = inbox;
        }
    }

    /// Returns how many bytes are done with.
    fn consume(&mut self, index: usize, bytes: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self.clients[index].state {
                State::Away => return bytes.len(),
                State::Upgrading => match handshake::answer(rest) {
                    Ok(None) => return used,
                    Ok(Some(size)) => {
                        used += size;
                        self.begin_step(index, 0);
                    }
                    Err(reason) => self.fail(index, &reason, rest),
                },
                State::Opening(_) | State::Ready | State::Leaving => match frame::read(rest) {
                    Ok(None) => return used,
                    Ok(Some(frame)) => {
                        used += frame.size;
                        self.on_frame(index, &frame);
                    }
                    Err(rule) => {
                        self.lost(index, rule);
                        return bytes.len(); // of a connection that is no more
                    }
                },
            }
        }
    }

    fn on_frame(&mut self, index: usize, frame: &frame::Frame<'_>) {
        let client = &mut self.clients[index];
        match frame.opcode {
            frame::TEXT | frame::BINARY if frame.fin => self.on_message(index, frame.payload),
            frame::TEXT | frame::BINARY => client.fragments = Some(frame.payload.to_vec()),
            frame::CONTINUATION => {
                let Some(fragments) = &mut client.fragments else {
                    return self.lost(index, "a continuation of nothing");
                };
                fragments.extend_from_slice(frame.payload);
                if frame.fin {
                    let whole = client.fragments.take().unwrap_or_default();
                    self.on_message(index, &whole);
                }
            }
            frame::PING => {
                let mask = next_mask(&mut self.mask);
                frame::append(&mut client.outbox, frame::PONG, mask, |out| {
                    out.extend_from_slice(frame.payload)
                });
            }
            frame::PONG => {}
            frame::CLOSE => {
                let code = frame.payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                client.close_code = Some(code);
                if matches!(client.state, State::Opening(_)) && Some(code) == self.plan.moved {
                    let reason = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default());
                    client.sent_to = self.places.named(&reason).map(str::to_owned);
                }
                if client.state == State::Leaving && self.plan.clients[index].goodbye.is_none() {
                    return; // it is the answer to our own
                }
                let mask = next_mask(&mut self.mask);
                let answer = &frame.payload[..frame.payload.len().min(2)];
                frame::append(&mut client.outbox, frame::CLOSE, mask, |out| out.extend_from_slice(answer));
            }
            _ => self.lost(index, "an opcode that nobody knows"),
        }
    }

    fn on_message(&mut self, index: usize, payload: &[u8]) {
        let plan = self.plan.clone();
        if let Some(keepalive) = &plan.keepalive
            && payload == keepalive.ping
        {
            let mask = next_mask(&mut self.mask);
            let outbox = &mut self.clients[index].outbox;
            return frame::append(outbox, frame::TEXT, mask, |out| out.extend_from_slice(&keepalive.pong));
        }
        if let Some(before) = &plan.numbered
            && let Some(number) = word_after(payload, before)
        {
            number.clone_into(&mut self.clients[index].seen);
        }
        match self.clients[index].state {
            State::Opening(step) => {
                let spec = &plan.clients[index].opening[step];
                if memmem::find(payload, &spec.expect).is_some() {
                    if let Some(capture) = &spec.capture
                        && let Some(word) = word_after(payload, &capture.after)
                    {
                        self.clients[index].captured = word.to_vec();
                    }
                    self.begin_step(index, step + 1);
                } else if !plan.error.is_empty() && memmem::find(payload, &plan.error).is_some() {
                    self.fail(index, &reason_of(payload, &plan.reason), payload);
                }
            }
            State::Ready => self.on_traffic(index, payload, &payload[..payload.len().min(HEAD)]),
            State::Away | State::Upgrading | State::Leaving => {}
        }
    }

    /// Says what belongs to this step; after the last, the client is in.
    fn begin_step(&mut self, index: usize, step: usize) {
        let plan = self.plan.clone();
        let spec = &plan.clients[index];
        if let Some(step_spec) = spec.opening.get(step) {
            self.clients[index].state = State::Opening(step);
            if let Some(message) = &step_spec.send {
                self.say(index, message, 0);
            }
            return;
        }
        self.look_at_clock();
        self.clients[index].state = State::Ready;
        let took = self.now - self.clients[index].since;
        if let Some(stage) = spec.churns {
            self.counts.cycles += 1;
            self.stages[stage].arrived += 1;
            self.stages[stage].in_time += u64::from(self.phase == Phase::Measuring);
            self.stages[stage].latency.add(took);
            self.say_goodbye(index);
        } else {
            self.entering -= 1;
            self.counts.ready += 1;
            self.notes.ready_after.add(took);
            self.notes.ready_since_start.add(self.now);
        }
    }

    /// Puts a message into a client's outbox.
    pub(crate) fn say(&mut self, index: usize, message: &Message, number: u64) {
        let mut outbox = std::mem::take(&mut self.clients[index].outbox);
        let opcode = if message.binary { frame::BINARY } else { frame::TEXT };
        let mask = next_mask(&mut self.mask);
        frame::append(&mut outbox, opcode, mask, |out| self.fill(out, index, message, number));
        self.clients[index].outbox = outbox;
    }

    fn say_goodbye(&mut self, index: usize) {
        let plan = self.plan.clone();
        match &plan.clients[index].goodbye {
            Some(message) => self.say(index, message, 0),
            None => {
                let mask = next_mask(&mut self.mask);
                let normal = 1000_u16.to_be_bytes();
                frame::append(&mut self.clients[index].outbox, frame::CLOSE, mask, |out| {
                    out.extend_from_slice(&normal)
                });
            }
        }
        self.clients[index].state = State::Leaving;
        self.clients[index].since = self.now;
        self.flush(index);
    }

    pub(crate) fn say_goodbye_to_all(&mut self) {
        for index in 0..self.clients.len() {
            match self.clients[index].state {
                State::Ready => {
                    self.say_goodbye(index);
                    self.on_readable(index, false); // of a slow reader, all that it has not read
                }
                State::Upgrading | State::Opening(_) => self.clients[index].reset(),
                State::Away | State::Leaving => {}
            }
        }
    }

    /// The connection is no more.
    pub(crate) fn lost(&mut self, index: usize, why: &str) {
        let client = &mut self.clients[index];
        let code = client.close_code;
        match client.state {
            State::Away => {}
            State::Upgrading | State::Opening(_) => {
                if let Some(url) = client.sent_to.take() {
                    return self.follow(index, &url);
                }
                let why = code.map_or_else(|| why.to_owned(), |code| format!("closed with {code}"));
                self.fail(index, &why, b"");
            }
            State::Leaving => {
                client.reset();
                if self.comes_again(index) {
                    self.open(index);
                }
            }
            State::Ready => {
                client.reset();
                self.counts.closed += 1;
                self.counts.ready -= 1;
                self.notes.closed(code.unwrap_or(ABNORMAL));
            }
        }
    }
}

/// A mask that servers cannot guess is for browsers (RFC 6455 § 10.3); here it only has to differ (xorshift).
pub(crate) fn next_mask(mask: &mut u32) -> u32 {
    *mask ^= *mask << 13;
    *mask ^= *mask >> 17;
    *mask ^= *mask << 5;
    *mask
}

pub(crate) fn word_after<'a>(payload: &'a [u8], after: &[u8]) -> Option<&'a [u8]> {
    let rest = &payload[memmem::find(payload, after)? + after.len()..];
    rest.split(|byte| b"\",}<".contains(byte)).next()
}

pub(crate) fn reason_of(payload: &[u8], before: &[u8]) -> String {
    let word = if before.is_empty() { None } else { word_after(payload, before) };
    word.map_or_else(
        || "refused".into(),
        |word| String::from_utf8_lossy(&word[..word.len().min(64)]).into_owned(),
    )
}

fn kernel(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        _ => error.to_string(),
    }
}
