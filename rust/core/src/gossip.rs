//! The membership table in bytes: what packets and snapshots carry.
//!
//! The order of checks: form, precedence (what is stale is dropped before any signature is looked at), signatures in one
//! batch, room in the table. Whatever fails, nothing was joined: honest nodes relay only what they have checked, so the
//! fault is the sender's.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::membership::Held;
use crate::record::{self, Record};
use crate::signed_body::SignedBody;
use crate::{
    Beat, BroadcastBuffer, ChangeKey, Entry, Error, MembershipTable, NodeId, NodeRecord, Precedence,
    Priority, RecordOrder, Status, Time,
};

/// What came of merging bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merged {
    /// The news as records, ready to be passed on.
    pub news: Vec<u8>,
    /// The rows of which there is news, as they are now.
    pub changed: Vec<Entry>,
    /// Pairs of records that a node signed for one moment: proof that it lies.
    pub equivocations: Vec<(NodeRecord, NodeRecord)>,
}

/// A node's record that says something the table does not know.
#[derive(Debug)]
struct Fresh {
    id: NodeId,
    order: RecordOrder,
    record: Box<NodeRecord>,
}

/// What bytes say that a table does not know, with signatures that nobody has checked yet.
#[derive(Debug)]
pub struct Unchecked {
    entries: Vec<Entry>,
    fresh: Vec<Fresh>,
    beats: Vec<(NodeId, Box<Beat>)>,
}

/// The same, and each signature is that of its signer.
#[derive(Debug)]
pub struct Checked(Unchecked);

impl Unchecked {
    /// Checks all signatures in one batch. Needs no table, so that nobody has to wait for it.
    pub fn check(self) -> Result<Checked, Error> {
        let records = self.fresh.iter().map(|fresh| fresh.record.body());
        let signed: Vec<_> = records.chain(self.beats.iter().map(|(_, beat)| beat.body())).collect();
        if SignedBody::verify_all(&signed) { Ok(Checked(self)) } else { Err(Error::Signature) }
    }
}

impl MembershipTable {
    /// Joins the records in `bytes`: the same laws as `merge`, and of two records or beats of a node the later one holds.
    pub fn merge_bytes(&mut self, bytes: &[u8], now: Time) -> Result<Merged, Error> {
        self.join_checked(self.read_news(bytes)?.check()?, now)
    }

    /// Reads what is not known yet of the records in `bytes`: the first third of [`merge_bytes`](Self::merge_bytes), for
    /// whoever shares the table and does not want to hold it while signatures are checked. What others join in between only
    /// makes more of it stale.
    pub fn read_news(&self, bytes: &[u8]) -> Result<Unchecked, Error> {
        let (mut entries, mut fresh, mut beats) = (Vec::new(), Vec::new(), Vec::new());
        for part in record::split(bytes) {
            let part = part?;
            match part.kind {
                record::KIND_STATUS => {
                    let (id, bits) = part.status_bits()?;
                    if self.holds(&id, bits) {
                        continue; // what two views that agree tell each other all the time
                    }
                    let precedence = Precedence::from_bits(bits)?;
                    if self.is_news(&id, precedence) {
                        if entries.is_empty() {
                            entries.reserve(bytes.len() / record::STATUS_RECORD_LENGTH); // one allocation, if any
                        }
                        entries.push(Entry { id, precedence, last_heartbeat: Time::ZERO });
                    }
                }
                record::KIND_NODE => {
                    let id = SignedBody::signer_of(part.body())?;
                    if self.record_bytes(&id).is_some_and(|held| held == part.body()) {
                        continue;
                    }
                    let record = Box::new(NodeRecord::decode(part.body())?);
                    let (order, precedence) = (record.order(), record.precedence());
                    let held = self.record_order(&id);
                    // An older record may still say more of the status than is known: checked like any other.
                    if held.is_none_or(|held| order > held || order.equivocates(&held))
                        || self.is_news(&id, precedence)
                    {
                        entries.push(Entry { id, precedence, last_heartbeat: Time::ZERO });
                        fresh.push(Fresh { id, order, record });
                    }
                }
                record::KIND_BEAT => {
                    let beat = Box::new(Beat::decode(part.body())?);
                    let id = beat.node_id();
                    if self.beat(&id).is_none_or(|held| beat.is_later_than(held)) {
                        let precedence = Precedence::new(beat.incarnation(), Status::Alive)?;
                        entries.push(Entry { id, precedence, last_heartbeat: Time::ZERO });
                        beats.push((id, beat));
                    }
                }
                _ => drop(part.parse()?), // skipped, unless it is critical
            }
        }
        Ok(Unchecked { entries, fresh, beats })
    }

    /// Joins what was read and checked; all of it or, when there is no room, nothing.
    pub fn join_checked(&mut self, checked: Checked, now: Time) -> Result<Merged, Error> {
        let Checked(Unchecked { entries, fresh, beats }) = checked;
        self.reserve(&entries)?;
        let mut merged = Merged::default();
        let mut risen: Vec<usize> = entries.iter().filter_map(|entry| self.join(entry, now)).collect();
        risen.sort_unstable();
        risen.dedup();
        merged.news.reserve(risen.len() * record::STATUS_RECORD_LENGTH);
        let mut said = BTreeSet::new();
        for Fresh { id, order, record } in &fresh {
            if self.record_order(id).is_some_and(|held| held.equivocates(order)) {
                let held = self.record(id).expect("its order was just compared");
                merged.equivocations.push((held, (**record).clone()));
            }
            if self.hold(id, Arc::new(Held::of(record))) {
                said.extend(self.find(id).map(|row| (row, record.precedence())));
                record::write(&mut merged.news, record::KIND_NODE, record.as_bytes());
            }
        }
        for (id, beat) in beats {
            let framed = beat.framed();
            if self.hear(&id, beat, now) {
                merged.news.extend_from_slice(&framed);
            }
        }
        for &row in &risen {
            let entry = self.entry(row);
            if !said.contains(&(row, entry.precedence)) {
                record::write_status(&mut merged.news, &entry.id, entry.precedence);
            }
        }
        let mut changed = risen;
        if !said.is_empty() {
            changed.extend(said.into_iter().map(|(row, _)| row));
            changed.sort_unstable();
            changed.dedup();
        }
        merged.changed.extend(changed.into_iter().map(|row| self.entry(row)));
        Ok(merged)
    }

    /// The whole view as records, by rising id and without beats: equal views give equal bytes.
    #[must_use]
    pub fn snapshot_bytes(&self) -> Vec<u8> {
        self.write_rows(|_| true)
    }

    /// The rows whose bucket sums differ from `theirs`, as records: what the other side may lack.
    #[must_use]
    pub fn difference(&self, theirs: &[u128; 256]) -> Vec<u8> {
        let own = self.buckets();
        self.write_rows(|id| {
            let bucket = usize::from(id.as_bytes()[0]);
            own[bucket] != theirs[bucket]
        })
    }

    fn write_rows(&self, wanted: impl Fn(&NodeId) -> bool) -> Vec<u8> {
        let mut entries: Vec<Entry> = self.iter().filter(|entry| wanted(&entry.id)).collect();
        entries.sort_unstable_by_key(|entry| entry.id);
        let mut bytes = Vec::with_capacity(entries.len() * record::STATUS_RECORD_LENGTH);
        for entry in entries {
            record::write_status(&mut bytes, &entry.id, entry.precedence);
            if let Some(record) = self.record_bytes(&entry.id) {
                record::write(&mut bytes, record::KIND_NODE, record);
            }
        }
        bytes
    }
}

/// Queues each record of `news`, as `merge_bytes` gave them to the node `own`, as a change of its own. Records of unknown
/// kinds are left out. Nothing is queued when one is malformed.
pub fn queue_news(buffer: &mut BroadcastBuffer, news: &[u8], own: &NodeId) -> Result<(), Error> {
    let mut changes = Vec::with_capacity(news.len() / record::STATUS_RECORD_LENGTH);
    for part in record::split(news) {
        let part = part?;
        let (subject, status) = match part.parse()? {
            Record::Status(id, precedence) => (id, precedence.status()),
            Record::Node(record) => (record.node_id(), record.precedence().status()),
            Record::Beat(beat) => {
                let key = ChangeKey { kind: part.kind, subject: beat.node_id() };
                changes.push((key, Priority::Application, part.whole));
                continue;
            }
            Record::Unknown => continue,
        };
        let refutes = subject == *own && status == Status::Alive;
        let priority = if refutes { Priority::Refutation } else { Priority::of(status) };
        changes.push((ChangeKey { kind: part.kind, subject }, priority, part.whole));
    }
    for (key, priority, bytes) in changes {
        buffer.add_change(key, priority, bytes)?;
    }
    Ok(())
}

/// Bucket sums as they are sent: 256 times 16 bytes, little-endian.
#[must_use]
pub fn write_buckets(buckets: &[u128; 256]) -> Vec<u8> {
    buckets.iter().flat_map(|bucket| bucket.to_le_bytes()).collect()
}

/// Reads what [`write_buckets`] wrote.
pub fn read_buckets(bytes: &[u8]) -> Result<[u128; 256], Error> {
    if bytes.len() != 256 * 16 {
        return Err(Error::Length { what: "list of bucket sums", expected: 256 * 16, got: bytes.len() });
    }
    let mut buckets = [0; 256];
    for (bucket, sum) in buckets.iter_mut().zip(bytes.chunks_exact(16)) {
        *bucket = u128::from_le_bytes(sum.try_into().expect("chunks of 16"));
    }
    Ok(buckets)
}
