//! Anti-entropy: roots ride on every ping and ack; where they differ for a while, two nodes exchange what differs.
//!
//! The one that noticed sends its 256 bucket sums; the other answers with its rows of the differing buckets; the first joins
//! them and sends back what the other lacks. All over streams. Where that was much, as after a partition, it begins the next
//! exchange by itself, with anybody: gossip has room for a few records a packet, and pings come seldom where many were missed.

use std::collections::HashMap;

use super::timers::{Clock, Timer};
use super::wire::Message;
use super::{Detection, Engine, Event, Output};
use crate::{Entry, Error, NodeId, NodeRecord, Precedence, Status, Time, record};

/// The exchange that this node has begun.
#[derive(Debug, Clone, Default)]
pub(super) struct Syncs {
    mismatch: Option<Time>,
    begun: Option<Time>,
    current: Option<Exchange>,
    changed: Time,
}

#[derive(Debug, Clone)]
struct Exchange {
    peer: NodeId,
    theirs: HashMap<NodeId, (u64, u64, Status)>,
    /// How many records were new here.
    joined: u64,
}

/// News that is on its way makes roots differ for a moment; after so many seconds it is no longer that.
const SETTLED: f64 = 0.5;

/// An exchange whose answer does not come is given up after so many seconds.
const PATIENCE: f64 = 5.0;

/// An exchange that has moved more records than this, both ways together, is followed by another. What it takes to mend one
/// renewal that was missed, in an idle cluster, is less.
const MUCH: u64 = 3;

/// The records of one stream message.
const CHUNK: usize = 256 << 10;

impl Syncs {
    /// The view has changed.
    pub(super) fn changed(&mut self, now: Time) {
        self.changed = now;
    }

    /// When the view last changed.
    pub(super) fn last_change(&self) -> Time {
        self.changed
    }

    fn may_begin(&self, clock: &Clock, interval: f64) -> bool {
        let wait = if self.current.is_some() { PATIENCE } else { interval };
        self.begun.is_none_or(|begun| clock.now.since(begun) >= wait)
    }
}

impl Engine {
    /// Compares the root that came with a ping or ack.
    pub(super) fn compare_roots(&mut self, peer: &NodeId, root: u128, output: &mut Output) {
        if !self.config.rules.anti_entropy {
            return;
        }
        if root == self.table.settled_root() {
            self.syncs.mismatch = None;
            return;
        }
        let since = *self.syncs.mismatch.get_or_insert(self.clock.now);
        if self.clock.now.since(since) >= SETTLED {
            self.begin_sync(peer, output);
        }
    }

    /// Begins an exchange with `peer`, unless one is running or was just begun.
    pub(super) fn begin_sync(&mut self, peer: &NodeId, output: &mut Output) {
        if !self.syncs.may_begin(&self.clock, self.config.sync_interval) {
            return;
        }
        self.counters.syncs += 1;
        self.syncs.begun = Some(self.clock.now);
        self.syncs.current = Some(Exchange { peer: *peer, theirs: HashMap::new(), joined: 0 });
        let sums = Box::new(self.table.buckets());
        self.send_stream(peer, &Message::SyncRequest { sums }, output);
    }

    pub(super) fn take_sync_request(&mut self, sender: &NodeId, sums: &[u128; 256], output: &mut Output) {
        let mut buckets = [0; 32];
        for (bucket, (own, theirs)) in self.table.buckets().iter().zip(sums).enumerate() {
            if own != theirs {
                buckets[bucket / 8] |= 1 << (bucket % 8);
            }
        }
        let rows = self.rows(&buckets);
        let mut chunks = self.chunks(&rows).into_iter().peekable();
        if chunks.peek().is_none() {
            self.send_stream(sender, &Message::SyncReply { more: false, buckets, records: &[] }, output);
        }
        while let Some(records) = chunks.next() {
            let more = chunks.peek().is_some();
            self.send_stream(sender, &Message::SyncReply { more, buckets, records: &records }, output);
        }
    }

    pub(super) fn take_sync_reply(
        &mut self,
        sender: &NodeId,
        more: bool,
        buckets: &[u8; 32],
        records: &[u8],
        output: &mut Output,
    ) -> Result<(), Error> {
        let before = self.counters.records;
        self.ingest(records, output)?;
        let joined = self.counters.records - before;
        let Some(exchange) = self.syncs.current.as_mut().filter(|current| current.peer == *sender) else {
            return Ok(());
        };
        exchange.joined += joined;
        for part in record::split(records) {
            let part = part?;
            match part.kind {
                record::KIND_NODE => {
                    let id = crate::signed_body::SignedBody::signer_of(part.body())?;
                    let (incarnation, issued_at) = NodeRecord::order_hint(part.body()).unwrap_or_default();
                    exchange.theirs.insert(id, (incarnation, issued_at, Status::Alive));
                }
                record::KIND_STATUS => {
                    let (id, precedence) = part.status()?;
                    note(exchange, &id, precedence);
                }
                record::KIND_CERTIFICATE => {
                    let certificate = super::Certificate::decode(part.body())?;
                    if let Ok(proven) = Precedence::new(certificate.incarnation(), Status::Unreachable) {
                        note(exchange, &certificate.subject(), proven);
                    }
                }
                _ => {}
            }
        }
        if more {
            return Ok(());
        }
        let Some(Exchange { theirs, joined, .. }) = self.syncs.current.take() else { return Ok(()) };
        let pushed = self.push(sender, buckets, &theirs, output);
        if joined + pushed as u64 > MUCH && self.config.rules.detection == Detection::Observers {
            let wait = self.config.sync_interval * (1.0 + 0.5 * self.chance.unit());
            self.timers.set(self.clock.after(wait), Timer::Sync);
        }
        if self.seeds.found() {
            output.events.push(Event::Joined);
        }
        Ok(())
    }

    /// The last exchange has moved much: another, with anybody in reach.
    pub(super) fn sync_again(&mut self, output: &mut Output) {
        let members = self.order.members();
        if members.is_empty() || self.leaving.is_leaving() {
            return;
        }
        let start = self.chance.below(members.len());
        let mut from_there = members[start..].iter().chain(&members[..start]);
        if let Some(peer) = from_there.find(|id| self.is_well(id)).copied() {
            self.begin_sync(&peer, output);
        }
    }

    /// Sends what the other side lacks of the differing buckets; how many rows.
    fn push(
        &mut self,
        peer: &NodeId,
        buckets: &[u8; 32],
        theirs: &HashMap<NodeId, (u64, u64, Status)>,
        output: &mut Output,
    ) -> usize {
        let mut rows = self.rows(buckets);
        rows.retain(|entry| {
            let issued_at = self.contact_of(&entry.id).map_or(0, |contact| contact.issued_at);
            let own = (entry.precedence.incarnation(), issued_at, entry.precedence.status());
            theirs.get(&entry.id).is_none_or(|theirs| *theirs < own)
        });
        for records in self.chunks(&rows) {
            self.send_stream(peer, &Message::SyncPush { records: &records }, output);
        }
        rows.len()
    }

    fn contact_of(&self, id: &NodeId) -> Option<&super::contact::Contact> {
        if *id == self.id { Some(&self.own.contact) } else { self.contacts.get(id).map(|c| &**c) }
    }

    /// The rows of the marked buckets, by rising id.
    fn rows(&self, buckets: &[u8; 32]) -> Vec<Entry> {
        let marked = |id: &NodeId| {
            let bucket = usize::from(id.as_bytes()[0]);
            buckets[bucket / 8] & 1 << (bucket % 8) != 0
        };
        let mut rows: Vec<Entry> = self.table.iter().filter(|entry| marked(&entry.id)).collect();
        rows.sort_unstable_by_key(|entry| entry.id);
        rows
    }

    /// The records of rows, cut for streams. First what all say of themselves, then what others prove: a proof counts only
    /// with those who are known.
    fn chunks(&self, rows: &[Entry]) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        let mut records = Vec::new();
        let parts = rows.iter().map(|row| (row, true)).chain(rows.iter().map(|row| (row, false)));
        for (row, of_itself) in parts {
            match (of_itself, self.contact_of(&row.id)) {
                (true, Some(contact)) => record::write(&mut records, record::KIND_NODE, contact.bytes()),
                (true, None) => {}
                (false, _) => self.evidence(&row.id, &mut records),
            }
            if records.len() >= CHUNK {
                chunks.push(std::mem::take(&mut records));
            }
        }
        if !records.is_empty() {
            chunks.push(records);
        }
        chunks
    }

    /// Everything that is known, as records for [`super::Command::Restore`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.chunks(&self.rows(&[0xFF; 32])).concat()
    }
}

fn note(exchange: &mut Exchange, id: &NodeId, precedence: Precedence) {
    if let Some(theirs) = exchange.theirs.get_mut(id)
        && theirs.0 == precedence.incarnation()
    {
        theirs.2 = theirs.2.max(precedence.status());
    }
}
