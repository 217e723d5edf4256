//! LocalEngine: an engine whose packets and events wait to be taken.

use std::collections::VecDeque;
use std::net::SocketAddr;

use palaver_core::engine::{Command, Engine, Event, Input, Moment, Output, Transmission};
use palaver_core::{Time, Vitals};

use crate::error::Refused;

/// So many packets wait to be taken; then the oldest are lost, as on any network.
const OUTBOX: usize = 4_096;
/// So many events wait to be taken; then the oldest are lost.
const EVENTS: usize = 4_096;

/// A packet that waits.
pub(crate) struct Packet {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stream: bool,
}

/// The engine and what it wants.
pub(crate) struct LocalEngine {
    pub(crate) engine: Engine,
    /// Milliseconds of Unix time at time zero.
    pub(crate) unix_at_zero: f64,
    pub(crate) outbox: VecDeque<Packet>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) output: Output,
    pub(crate) vitals: Vitals,
    /// The latest time that was given: an earlier one counts as this.
    pub(crate) latest: Time,
    pub(crate) stopped: bool,
}

impl LocalEngine {
    fn moment(&self, now: Time) -> Moment {
        // Saturates.
        Moment { now, unix_millis: (self.unix_at_zero + now.seconds() * 1_000.0) as u64 }
    }

    pub(crate) fn handle(&mut self, input: Input<'_>, now: Time) -> Result<(), Refused> {
        let moment = self.moment(now);
        let mut output = std::mem::take(&mut self.output);
        let obeyed = self.engine.handle(input, moment, &mut output);
        output.log.clear(); // it keeps nothing: each life begins by the clock
        let packet = |stream| move |sent: Transmission| Packet { to: sent.to, bytes: sent.bytes, stream };
        self.outbox.extend(output.datagrams.drain(..).map(packet(false)));
        self.outbox.extend(output.streams.drain(..).map(packet(true)));
        self.outbox.drain(..self.outbox.len().saturating_sub(OUTBOX));
        self.stopped |= output.events.iter().any(|event| matches!(event, Event::Stopped { .. }));
        self.events.extend(output.events.drain(..));
        self.events.drain(..self.events.len().saturating_sub(EVENTS));
        self.output = output;
        Ok(obeyed?)
    }

    pub(crate) fn command(&mut self, command: Command, now: Time) -> Result<(), Refused> {
        self.handle(Input::Command(command), now)
    }

    /// Takes the packets for one address.
    pub(crate) fn packets_for(&mut self, to: SocketAddr) -> VecDeque<Packet> {
        let (for_it, others) =
            std::mem::take(&mut self.outbox).into_iter().partition(|packet| packet.to == to);
        self.outbox = others;
        for_it
    }

    pub(crate) fn receive(&mut self, from: SocketAddr, bytes: &[u8], stream: bool, now: Time) {
        let input = if stream { Input::Stream { from, bytes } } else { Input::Datagram { from, bytes } };
        let _ = self.handle(input, now); // only commands are refused
    }
}
