//! Packets in and out: the order of checks, and how two nodes that have never talked begin.
//!
//! A packet is sealed for one member by what both records say about their key exchange, so two nodes that hold each other's
//! record talk at once. Whoever may not be known yet puts its record in front:
//!
//! | bytes | field |
//! |---|---|
//! | 0–1 | magic `PC` |
//! | 2 | version, 1 |
//! | 3 | flags: bit 0 = a greeting, nothing sealed follows but padding; bit 1 = the body is the receiver's ban, and all there is |
//! | 4–11 | cluster tag |
//! | 12–13 | length of the record |
//! | 14–… | the body of the sender's node record |
//! | … | a sealed packet, or padding |
//!
//! A greeting goes to an address whose owner is unknown: a seed. The answer is never longer than it, goes to the address in the
//! signed record and not to where the packet seems to come from, and changes nothing: a record counts only when a packet sealed
//! with its key has been opened. So a replayed greeting is good for nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use super::budget::Source;
use super::contact::Contact;
use super::line::{Line, OVERHEAD};
use super::wire::Message;
use super::{Ban, Engine, Event, Output, Transmission};
use crate::signed_body::SignedBody;
use crate::{Error, NodeId, Opened};

const MAGIC: [u8; 2] = *b"PC";
const VERSION: u8 = 1;
const GREETING: u8 = 1;
const BAN: u8 = 2;
const HEAD: usize = 14;

/// A greeting is padded to this, so that no answer is longer.
const GREETING_BYTES: usize = 640;

/// Strangers are answered, stale senders told and refusals reported at most so often each, in seconds.
pub(super) const ANSWER_INTERVAL: f64 = 1.0;

/// Own records so young may not have reached everybody, in seconds: they go in front of what is sent.
const RECORD_SPREADS: f64 = 10.0;

/// Why a record is refused, for the operator.
const OLD: &str = "its record was issued too long ago, or its clock and the one here differ by hours";
const BANNED: Error = Error::Decode("the node is banned");
const VERSIONS_DIFFER: &str = "it speaks no version of the protocol that is spoken here";

impl Engine {
    /// Takes a datagram or stream message.
    pub(super) fn receive(&mut self, from: SocketAddr, bytes: &[u8], stream: bool, output: &mut Output) {
        self.counters.received += 1;
        let taken = if bytes.starts_with(&MAGIC) {
            self.receive_contact(from, bytes, stream, output)
        } else {
            self.receive_sealed(bytes, stream, output)
        };
        if taken.is_err() {
            self.counters.refused += 1;
        }
    }

    fn receive_sealed(&mut self, packet: &[u8], stream: bool, output: &mut Output) -> Result<(), Error> {
        let sender = Line::claimed_sender(packet, self.cluster)?;
        if !self.line.contains(&sender) {
            let contact = Arc::clone(self.contacts.get(&sender).ok_or(Error::NoLink)?);
            self.line.establish(&contact, self.cluster)?;
        }
        match self.line.open(packet)? {
            Some(opened) => self.opened(&opened, stream, output),
            None => Ok(()), // taken before: a network may double packets
        }
    }

    /// `from` may be forged: answers go to the address in the sender's signed record.
    fn receive_contact(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        stream: bool,
        output: &mut Output,
    ) -> Result<(), Error> {
        let (flags, body, rest) = self.read_contact(bytes)?;
        let stranger = Source::Stranger(from);
        if flags & BAN != 0 {
            return self.checking(stranger, |engine| engine.take_shown_ban(body, output));
        }
        if self.is_banned(&SignedBody::signer_of(body)?) {
            return self.checking(stranger, |engine| {
                engine.show_banned(body, bytes.len(), output);
                Err(BANNED)
            });
        }
        let contact = match self.candidate(stranger, body, output) {
            Err(Error::Version) if flags & GREETING != 0 => {
                self.let_hear_why(body, bytes.len(), output);
                return Err(Error::Version);
            }
            candidate => candidate?,
        };
        if contact.id == self.id {
            let own = &self.own.contact;
            let twin = contact.exchange != own.exchange && contact.epoch >= own.epoch;
            if twin && self.seeds.may_complain(self.clock.now) {
                output.events.push(Event::IdentityConflict);
            }
            return Err(Error::StaleHello);
        }
        // Where a later life of a node is known, whoever relays or replays an earlier one learns nothing.
        if let Err(error) = self.line.establish(&contact, self.cluster) {
            if error == Error::StaleHello {
                self.tell_of_later_life(&contact, bytes.len(), output);
            }
            return Err(error);
        }
        if flags & GREETING != 0 {
            self.answer_greeting(&contact, bytes.len(), output);
            return Ok(());
        }
        match self.line.open(rest) {
            Ok(Some(opened)) if opened.sender == contact.id => {
                self.take_node(body, output)?; // it holds the key of the record, now
                self.opened(&opened, stream, output)?;
                if self.seeds.is_joining() {
                    self.begin_sync(&contact.id, output);
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // Sealed for an earlier life of this node: its record is news to the sender.
                self.answer_greeting(&contact, bytes.len(), output);
                Err(error)
            }
        }
    }

    fn read_contact<'a>(&self, bytes: &'a [u8]) -> Result<(u8, &'a [u8], &'a [u8]), Error> {
        const FORM: Error = Error::Decode("a contact has a head of 14 bytes and the record it announces");
        let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(FORM)?;
        if head[2] != VERSION || head[4..12] != *self.cluster.as_bytes() {
            return Err(Error::Decode("the contact is of another version or for another cluster"));
        }
        let length = usize::from(u16::from_le_bytes([head[12], head[13]]));
        let (body, rest) = rest.split_at_checked(length).ok_or(FORM)?;
        Ok((head[3], body, rest))
    }

    /// Reads the record of somebody who wants to talk, and judges it as if it were to be joined.
    fn candidate(
        &mut self,
        stranger: Source,
        body: &[u8],
        output: &mut Output,
    ) -> Result<Arc<Contact>, Error> {
        let id = SignedBody::signer_of(body)?;
        if let Some(known) = self.contacts.get(&id)
            && known.bytes() == body
        {
            return Ok(Arc::clone(known));
        }
        self.checking(stranger, |engine| {
            let contact = engine.checks.contact(body)?;
            engine.admit(&contact, output)?;
            Ok(contact)
        })
    }

    /// Whether a checked record may be believed: its age, its admission, its version.
    pub(super) fn admit(&mut self, contact: &Contact, output: &mut Output) -> Result<(), Error> {
        if self.is_banned(&contact.id) {
            return Err(BANNED);
        }
        let (low, high) = contact.versions;
        let (own_low, own_high) = self.config.rules.versions;
        let admission = &self.config.admission;
        let (why, error) = if self.config.rules.refuse_old && self.is_old(contact.issued_at) {
            (OLD, Error::Decode(OLD))
        } else if let Some(why) = admission.refusal(contact, self.cluster, self.clock.unix_seconds()) {
            (why, Error::Decode("the node is not admitted"))
        } else if low > own_high || high < own_low {
            (VERSIONS_DIFFER, Error::Version)
        } else {
            return Ok(());
        };
        // What an earlier life has written down may be of any age.
        if !self.restoring && self.seeds.may_complain(self.clock.now) {
            output.events.push(Event::Refused { node: contact.id, why });
        }
        Err(error)
    }

    /// Answers a greeting of somebody who would be let in but for its version: from this node's record it sees the same, and can
    /// tell its operator.
    fn let_hear_why(&mut self, body: &[u8], received: usize, output: &mut Output) {
        if let Ok(contact) = self.checks.contact(body)
            && self.line.establish(&contact, self.cluster).is_ok()
        {
            self.answer_greeting(&contact, received, output);
        }
    }

    /// Whether a record of this time of issue is too far from now to be believed of anybody.
    pub(super) fn is_old(&self, issued_at: u64) -> bool {
        self.clock.unix_millis.abs_diff(issued_at) as f64 > self.config.record_age * 1000.0
    }

    fn answer_greeting(&mut self, contact: &Contact, received: usize, output: &mut Output) {
        let Some(address) = contact.address else { return };
        if !self.may_answer(&contact.id) {
            return;
        }
        let message = Message::Gossip { records: &[] };
        if let Ok(sealed) = self.line.seal(&contact.id, message.kind(), &message.encode()) {
            let packet = self.in_front(&sealed);
            if packet.len() <= received {
                self.transmit(address, packet, false, output);
            }
        }
    }

    /// Sends who is at an address the record that counts under its key: of another process, or of a life it has forgotten.
    fn tell_of_later_life(&mut self, earlier: &Contact, received: usize, output: &mut Output) {
        let Some(later) = self.contacts.get(&earlier.id).map(Arc::clone) else { return };
        let Some(address) = earlier.address else { return };
        let packet = self.contact_head(GREETING, later.bytes());
        let other = later.epoch >= earlier.epoch && later.exchange != earlier.exchange;
        if other && packet.len() <= received && self.may_answer(&earlier.id) {
            self.transmit(address, packet, false, output);
        }
    }

    /// Whether `id` may be told something unasked; then it counts as told.
    pub(super) fn may_answer(&mut self, id: &NodeId) -> bool {
        let now = self.clock.now;
        if self.answered.get(id).is_some_and(|last| now.since(*last) < ANSWER_INTERVAL)
            || self.answered.len() >= self.config.max_members
        {
            return false;
        }
        self.answered.insert(*id, now);
        true
    }

    /// Greets an address whose owner is unknown.
    pub(super) fn greet(&mut self, address: SocketAddr, output: &mut Output) {
        let mut packet = self.contact_head(GREETING, self.own.contact.bytes());
        packet.resize(packet.len().max(GREETING_BYTES), 0);
        self.transmit(address, packet, false, output);
    }

    /// Sends a message to a member, sealed; nothing happens if it cannot be reached at all.
    pub(super) fn send(&mut self, to: &NodeId, message: &Message<'_>, output: &mut Output) {
        self.send_as(to, message, false, false, output);
    }

    /// The same over a stream.
    pub(super) fn send_stream(&mut self, to: &NodeId, message: &Message<'_>, output: &mut Output) {
        self.send_as(to, message, true, false, output);
    }

    /// Sends a message, over a stream or not, with the own record in front if asked for or not yet known to all.
    pub(super) fn send_as(
        &mut self,
        to: &NodeId,
        message: &Message<'_>,
        stream: bool,
        introduce: bool,
        output: &mut Output,
    ) {
        let Some(contact) = self.contacts.get(to).map(Arc::clone) else { return };
        let Some(address) = contact.address else { return };
        // Also when there is a link already: it may be with an earlier life.
        if self.line.establish(&contact, self.cluster).is_err() {
            return;
        }
        let Ok(packet) = self.line.seal(to, message.kind(), &message.encode()) else { return };
        let young = self.clock.now.since(self.own.since) < RECORD_SPREADS;
        let fits = stream || HEAD + self.own.contact.bytes().len() + packet.len() <= self.config.packet_bytes;
        let packet = if (introduce || young) && fits { self.in_front(&packet) } else { packet };
        self.transmit(address, packet, stream, output);
    }

    /// How many bytes of records fit behind `taken` bytes of payload, whether or not the own record goes in front.
    pub(super) fn room(&self, taken: usize) -> usize {
        let front = HEAD + self.own.contact.bytes().len();
        let young = self.clock.now.since(self.own.since) < RECORD_SPREADS;
        self.config.packet_bytes.saturating_sub(OVERHEAD + taken + if young { front } else { 0 })
    }

    /// The same where the own record stays away: [`Self::send`] leaves it out where it does not fit.
    pub(super) fn room_alone(&self) -> usize {
        self.config.packet_bytes.saturating_sub(OVERHEAD)
    }

    fn contact_head(&self, flags: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(GREETING_BYTES.max(HEAD + body.len() + 128));
        packet.extend_from_slice(&MAGIC);
        packet.extend_from_slice(&[VERSION, flags]);
        packet.extend_from_slice(self.cluster.as_bytes());
        packet.extend_from_slice(&(body.len() as u16).to_le_bytes()); // at most NodeRecord::MAX_LENGTH
        packet.extend_from_slice(body);
        packet
    }

    pub(super) fn ban_packet(&self, ban: &Ban) -> Vec<u8> {
        self.contact_head(BAN, ban.as_bytes())
    }

    fn in_front(&self, sealed: &[u8]) -> Vec<u8> {
        let mut packet = self.contact_head(0, self.own.contact.bytes());
        packet.extend_from_slice(sealed);
        packet
    }

    pub(super) fn transmit(&mut self, to: SocketAddr, bytes: Vec<u8>, stream: bool, output: &mut Output) {
        if stream {
            self.counters.streams += 1;
            self.counters.stream_bytes += bytes.len() as u64;
            output.streams.push(Transmission { to, bytes });
        } else {
            self.counters.sent += 1;
            self.counters.sent_bytes += bytes.len() as u64;
            output.datagrams.push(Transmission { to, bytes });
        }
    }

    /// Takes a message from a member that holds the key of its record.
    fn opened(&mut self, opened: &Opened, stream: bool, output: &mut Output) -> Result<(), Error> {
        self.checking(Source::Member(opened.sender), |engine| engine.take_message(opened, stream, output))
    }

    fn take_message(&mut self, opened: &Opened, stream: bool, output: &mut Output) -> Result<(), Error> {
        let sender = opened.sender;
        if !self.contacts.contains_key(&sender) {
            return Err(Error::NoLink); // has been forgotten meanwhile
        }
        let Some(message) = Message::decode(opened.postmark.kind, &opened.payload)? else { return Ok(()) };
        self.seeds.heard();
        let uninformed = !matches!(message, Message::Ping(_) | Message::Ack(_));
        match message {
            Message::Ping(ping) => self.take_ping(&sender, &ping, stream, output),
            Message::Ack(ack) => self.take_ack(&sender, &ack, stream, output),
            Message::PingRequest { nonce, subject } => {
                self.take_ping_request(&sender, nonce, &subject, output);
                Ok(())
            }
            Message::Nack { nonce } => {
                self.probes.take_nack(nonce, &sender);
                Ok(())
            }
            Message::Gossip { records } => self.take_gossip(&sender, records, output),
            Message::Accuse { records } => self.take_accusations(&sender, records, output),
            Message::Leave { records } => self.take_goodbye(&sender, records, output),
            Message::LeaveAck => {
                self.take_goodbye_ack(&sender, output);
                Ok(())
            }
            Message::SyncRequest { sums } => {
                self.take_sync_request(&sender, &sums, output);
                Ok(())
            }
            Message::SyncReply { more, buckets, records } => {
                self.take_sync_reply(&sender, more, &buckets, records, output)
            }
            Message::SyncPush { records } => self.ingest(records, output),
        }?;
        self.heard(&sender, uninformed, output);
        Ok(())
    }
}
