//! What the application spreads: broadcasts, and how the node is doing.
//!
//! A broadcast is a record whose body is signed by its origin:
//!
//! | bytes | field |
//! |---|---|
//! | 0–31 | the origin's public key |
//! | 32–39 | epoch of the origin's life |
//! | 40–47 | number within it |
//! | 48–55 | issued at, milliseconds of Unix time |
//! | 56 | priority, 1 or 4 |
//! | 57–… | payload, at most 850 bytes |
//! | last 64 | Ed25519 signature over a context string and all before |

use super::timers::Timer;
use super::{Engine, EngineConfig, Event, Output};
use crate::record::{self, Part};
use crate::signed_body::{LEAST, SignedBody};
use crate::{
    Beat, ChangeKey, Error, IdHashBuilder, MessageCache, MessageId, NodeId, Priority, ReplayGuard, Status,
    Vitals,
};

const HEAD: usize = 25;
const CONTEXT: &[u8] = b"palaver broadcast v1\0";

/// Vitals are spread at most so often, in seconds; probes carry them in between.
const BEAT_INTERVAL: f64 = 5.0;

/// What has been seen, and what this node has sent.
#[derive(Debug, Clone)]
pub(super) struct Broadcasts {
    seen: MessageCache,
    /// What the cache has forgotten is still refused by its number.
    numbers: ReplayGuard,
    next_seq: u64,
}

impl Broadcasts {
    pub(super) fn new(capacity: usize, origins: usize, hasher: IdHashBuilder) -> Result<Self, Error> {
        let seen = MessageCache::new(capacity, hasher)?;
        Ok(Self { seen, numbers: ReplayGuard::new(origins, hasher)?, next_seq: 0 })
    }

    pub(super) fn forget(&mut self, origin: &NodeId) {
        self.numbers.forget(origin);
    }
}

impl Engine {
    /// Spreads a payload. Refused where it would push out what was accepted before and is not told yet.
    pub(super) fn broadcast(&mut self, priority: Priority, payload: &[u8]) -> Result<(), Error> {
        let max = EngineConfig::MAX_BROADCAST;
        if payload.len() > max {
            return Err(Error::TooLong { what: "broadcast", max, got: payload.len() });
        }
        if self.buffer.is_full() {
            return Err(Error::Full {
                what: "buffer of changes to tell",
                limit: self.config.buffer_capacity,
            });
        }
        let mut content = Vec::with_capacity(HEAD + payload.len());
        content.extend_from_slice(&self.identity.incarnation.to_le_bytes());
        content.extend_from_slice(&self.broadcasts.next_seq.to_le_bytes());
        content.extend_from_slice(&self.clock.unix_millis.to_le_bytes());
        let urgent = priority == Priority::Gone;
        content.push(if urgent { Priority::Gone } else { Priority::Application } as u8);
        content.extend_from_slice(payload);
        let body = SignedBody::sign(CONTEXT, &self.identity.keys, &content);
        self.broadcasts.next_seq += 1;
        let id = message_id(&body);
        self.broadcasts.seen.track(id);
        let mut record = Vec::new();
        record::write(&mut record, record::KIND_BROADCAST, body.as_bytes());
        self.queue_broadcast(id, urgent, &record);
        Ok(())
    }

    fn queue_broadcast(&mut self, id: MessageId, urgent: bool, record: &[u8]) {
        let key = ChangeKey { kind: record::KIND_BROADCAST, subject: NodeId::from_bytes(*id.as_bytes()) };
        self.queue(key, if urgent { Priority::Gone } else { Priority::Application }, record);
    }

    pub(super) fn take_broadcast(&mut self, part: &Part<'_>, output: &mut Output) -> Result<(), Error> {
        let bytes = part.body();
        if !(LEAST + HEAD..=LEAST + HEAD + EngineConfig::MAX_BROADCAST).contains(&bytes.len()) {
            return Err(Error::Decode("a broadcast has 121 to 971 bytes"));
        }
        let body = SignedBody::unchecked(CONTEXT, bytes);
        let id = message_id(&body);
        if self.config.rules.deduplicate && self.broadcasts.seen.is_duplicate(&id) {
            return Ok(());
        }
        let number = |from: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&body.content()[from..from + 8]);
            u64::from_le_bytes(word)
        };
        let (epoch, seq, issued_at, urgent) = (number(0), number(8), number(16), body.content()[24] == 1);
        let origin = NodeId::of_public_key(body.public_key());
        let member = self.table.get(&origin).is_some_and(|entry| entry.precedence.status() < Status::Banned);
        if !member || origin == self.id || (self.config.rules.refuse_old && self.is_old(issued_at)) {
            return Ok(()); // not known yet, or banned; who has left meant it while it was there
        }
        if !self.checks.body(&body) {
            return Err(Error::Signature);
        }
        self.broadcasts.seen.track(id);
        if !self.broadcasts.numbers.accept(origin, epoch, seq)? && self.config.rules.deduplicate {
            return Ok(());
        }
        let priority = if urgent { Priority::Gone } else { Priority::Application };
        let payload = body.content()[HEAD..].to_vec();
        output.events.push(Event::Broadcast { origin, priority, payload });
        self.queue_broadcast(id, urgent, part.whole);
        Ok(())
    }

    /// Takes how this node is doing. Probes carry it from now on; a marked change is spread to all.
    pub(super) fn set_vitals(&mut self, vitals: Vitals) {
        self.own.vitals = vitals;
        if !self.own.beat_due && differs(&vitals, &self.own.beaten) {
            self.beat();
        }
    }

    /// Spreads the vitals, if they have changed since.
    pub(super) fn beat(&mut self) {
        self.own.beat_due = false;
        if !differs(&self.own.vitals, &self.own.beaten) || self.leaving.is_leaving() {
            return;
        }
        self.own.beat_seq += 1;
        let (incarnation, seq) = (self.incarnation(), self.own.beat_seq);
        if let Ok(beat) = Beat::sign(&self.identity.keys, incarnation, seq, self.own.vitals) {
            self.own.beaten = self.own.vitals;
            self.own.beat_due = true;
            self.timers.set(self.clock.after(BEAT_INTERVAL), Timer::Beat);
            let key = ChangeKey { kind: record::KIND_BEAT, subject: self.id };
            self.queue(key, Priority::Application, &beat.framed());
        }
    }
}

/// Whether a change is worth telling everybody: draining, a tenth of the load, a fifth of the sessions.
fn differs(now: &Vitals, told: &Vitals) -> bool {
    now.draining != told.draining
        || now.load.abs_diff(told.load) >= 100
        || now.sessions.abs_diff(told.sessions) > 10 + told.sessions / 5
}

/// Two signatures of one content are one message.
fn message_id(body: &SignedBody) -> MessageId {
    MessageId::of(&[CONTEXT, body.public_key(), body.content()].concat())
}
