//! What is said against members before it is proven.

use std::collections::HashMap;

use super::Accusation;
use crate::{IdHashBuilder, NodeId, Time};

/// What has been said against members that are not proven to be out of reach.
#[derive(Debug, Clone)]
pub(super) struct Suspicions {
    by_subject: HashMap<NodeId, Suspicion, IdHashBuilder>,
}

/// What has been said against one member.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    pub(super) incarnation: u64,
    pub(super) accusations: Vec<Accusation>,
    /// This node itself has missed its answers.
    pub(super) own: bool,
    /// When the subject was last asked once more.
    asked: Option<Time>,
    began: Time,
    /// When the observers were last told.
    pub(super) told: Option<Time>,
    /// A quorum accuses it, all of one zone: another one may still do so.
    pub(super) waits_for_zones: bool,
}

/// So many subjects can be accused at one time, and by so many each: a bound on what members can have this node remember.
const MAX_SUBJECTS: usize = 1 << 14;
const MAX_ACCUSERS: usize = 16;

/// What others said without a quorum is forgotten after so many seconds, and what this node found out is looked at again.
const SUSPICION_AGE: f64 = 30.0;

impl Suspicions {
    pub(super) fn new(hasher: IdHashBuilder) -> Self {
        Self { by_subject: HashMap::with_hasher(hasher) }
    }

    pub(super) fn get(&self, subject: &NodeId) -> Option<&Suspicion> {
        self.by_subject.get(subject)
    }

    pub(super) fn get_mut(&mut self, subject: &NodeId) -> Option<&mut Suspicion> {
        self.by_subject.get_mut(subject)
    }

    pub(super) fn drop(&mut self, subject: &NodeId) {
        self.by_subject.remove(subject);
    }

    /// Whether this node itself misses answers of `subject`.
    pub(super) fn is_own(&self, subject: &NodeId) -> bool {
        self.by_subject.get(subject).is_some_and(|suspicion| suspicion.own)
    }

    /// The members that this node itself misses.
    pub(super) fn own(&self) -> impl Iterator<Item = &NodeId> {
        self.by_subject.iter().filter(|(_, suspicion)| suspicion.own).map(|(subject, _)| subject)
    }

    /// Whether this node misses anybody.
    pub(super) fn any_own(&self) -> bool {
        self.own().next().is_some()
    }

    /// Up to `count` members that this node misses, those first that were not asked for longest.
    pub(super) fn longest_unasked(&self, count: usize) -> Vec<NodeId> {
        let mut missed: Vec<(f64, NodeId)> = self
            .by_subject
            .iter()
            .filter(|(_, suspicion)| suspicion.own)
            .map(|(subject, suspicion)| (suspicion.asked.map_or(-1.0, |at| at.seconds()), *subject))
            .collect();
        missed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        missed.truncate(count);
        missed.into_iter().map(|(_, subject)| subject).collect()
    }

    /// Whether `subject`, which this node misses, was not asked within `interval` seconds; then it counts as asked.
    pub(super) fn may_ask(&mut self, subject: &NodeId, now: Time, interval: f64) -> bool {
        let Some(suspicion) = self.by_subject.get_mut(subject).filter(|suspicion| suspicion.own) else {
            return false;
        };
        let may = suspicion.asked.is_none_or(|last| now.since(last) >= interval);
        if may {
            suspicion.asked = Some(now);
        }
        may
    }

    /// How many members accuse `subject`.
    pub(super) fn accusers(&self, subject: &NodeId) -> usize {
        self.by_subject.get(subject).map_or(0, |suspicion| suspicion.accusations.len())
    }

    /// Appends the accusations against `subject`.
    pub(super) fn write(&self, subject: &NodeId, out: &mut Vec<u8>) {
        for accusation in self.by_subject.get(subject).iter().flat_map(|suspicion| &suspicion.accusations) {
            accusation.write(out);
        }
    }

    /// Adds an accusation whose signature is good; whether it is new.
    pub(super) fn add(&mut self, accusation: Accusation, now: Time) -> bool {
        let subject = accusation.subject();
        if self.by_subject.len() >= MAX_SUBJECTS && !self.by_subject.contains_key(&subject) {
            return false;
        }
        let suspicion = self.by_subject.entry(subject).or_insert_with(|| Suspicion {
            incarnation: accusation.incarnation(),
            accusations: Vec::new(),
            own: false,
            asked: None,
            began: now,
            told: None,
            waits_for_zones: false,
        });
        let accuser = accusation.accuser();
        let known = suspicion.accusations.iter().any(|held| held.accuser() == accuser);
        if known
            || suspicion.incarnation != accusation.incarnation()
            || suspicion.accusations.len() >= MAX_ACCUSERS
        {
            return false;
        }
        suspicion.accusations.push(accusation);
        true
    }

    /// Forgets what came to nothing. Returns, in order, whom this node itself still misses after so long.
    pub(super) fn sweep(&mut self, own: &NodeId, now: Time) -> Vec<NodeId> {
        let mut again = Vec::new();
        self.by_subject.retain(|subject, suspicion| {
            if now.since(suspicion.began) < SUSPICION_AGE {
                return true;
            }
            if suspicion.own {
                suspicion.accusations.retain(|accusation| accusation.accuser() == *own);
                suspicion.began = now;
                again.push(*subject);
            }
            suspicion.own
        });
        again.sort_unstable();
        again
    }
}
