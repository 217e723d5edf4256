//! When not to send: a rate per peer, and pauses that double while it does not answer.

use std::collections::HashMap;

use crate::chance::Chance;
use crate::{Error, Gcra, IdHashBuilder, NodeId, Time};

/// How fast, how long and for how many peers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffLimits {
    /// Messages a second to one peer in the long run.
    pub rate: f64,
    /// Messages at once to a peer that has been quiet.
    pub burst: u32,
    /// The longest pause in seconds after the first failure; it doubles with each further one.
    pub base: f64,
    /// The longest pause in seconds after any number of failures.
    pub cap: f64,
    /// How many peers are followed.
    pub max_nodes: usize,
}

impl Default for BackoffLimits {
    fn default() -> Self {
        Self { rate: 20.0, burst: 10, base: 0.2, cap: 30.0, max_nodes: crate::DEFAULT_MAX_MEMBERS }
    }
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    /// See [`Gcra::admit`].
    due: f64,
    resume: f64,
    failures: u32,
}

/// Decides per peer whether gossip may be sent now. Probes do not ask: they find out whether a peer is back.
#[derive(Debug, Clone)]
pub struct GossipBackoff {
    limits: BackoffLimits,
    gcra: Gcra,
    chance: Chance,
    peers: HashMap<NodeId, Peer, IdHashBuilder>,
}

impl GossipBackoff {
    /// Nobody has been sent to yet.
    pub fn new(limits: BackoffLimits, seed: u64, hasher: IdHashBuilder) -> Result<Self, Error> {
        for (what, number) in [("base", limits.base), ("cap", limits.cap)] {
            if !(number.is_finite() && number > 0.0) {
                return Err(Error::NotPositive { what, got: number });
            }
        }
        if limits.max_nodes == 0 {
            return Err(Error::Capacity { what: "gossip backoff", max: usize::MAX });
        }
        let gcra = Gcra::new(limits.rate, f64::from(limits.burst))?;
        Ok(Self { limits, gcra, chance: Chance::new(seed), peers: HashMap::with_hasher(hasher) })
    }

    /// Whether a message may go to `id` now. If so it is counted: send it.
    pub fn should_send(&mut self, id: NodeId, now: Time) -> Result<bool, Error> {
        let now = now.seconds();
        let gcra = self.gcra;
        let peer = self.peer(id)?;
        if now < peer.resume {
            return Ok(false);
        }
        let Some(due) = gcra.admit(peer.due, now, 1) else { return Ok(false) };
        peer.due = due;
        Ok(true)
    }

    /// Notes that `id` did not take a message or did not answer. Returns the pause in seconds until the next.
    ///
    /// Full jitter: uniform between nothing and base · 2^failures, so that those who fail together do not come back
    /// together (Brooker, 2015).
    pub fn record_failure(&mut self, id: NodeId, now: Time) -> Result<f64, Error> {
        let (base, cap) = (self.limits.base, self.limits.cap);
        let share = self.chance.unit();
        let peer = self.peer(id)?;
        let longest = (base * 2_f64.powi(peer.failures.min(64) as i32)).min(cap);
        peer.failures = peer.failures.saturating_add(1);
        let pause = share * longest;
        peer.resume = now.seconds() + pause;
        Ok(pause)
    }

    /// Notes that `id` answered: the next failure starts small again.
    pub fn record_success(&mut self, id: &NodeId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.failures = 0;
            peer.resume = 0.0;
        }
    }

    /// Forgets a node that is gone, and says whether it was known.
    pub fn forget(&mut self, id: &NodeId) -> bool {
        self.peers.remove(id).is_some()
    }

    fn peer(&mut self, id: NodeId) -> Result<&mut Peer, Error> {
        if self.peers.len() >= self.limits.max_nodes && !self.peers.contains_key(&id) {
            return Err(Error::Full { what: "gossip backoff", limit: self.limits.max_nodes });
        }
        Ok(self.peers.entry(id).or_insert(Peer { due: 0.0, resume: 0.0, failures: 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: f64) -> Time {
        Time::new(seconds).unwrap()
    }

    fn backoff(limits: BackoffLimits) -> GossipBackoff {
        GossipBackoff::new(limits, 7, IdHashBuilder::new(1)).unwrap()
    }

    const PEER: NodeId = NodeId::from_bytes([1; 16]);

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut backoff = backoff(BackoffLimits { rate: 10.0, burst: 5, ..Default::default() });
        let mut sent = 0;
        for millisecond in 0..10_000 {
            sent +=
                usize::from(backoff.should_send(PEER, time(1.0 + f64::from(millisecond) / 1000.0)).unwrap());
        }
        assert_eq!(sent, 5 + 99);
    }

    #[test]
    fn peers_do_not_share_their_rate() {
        let mut backoff = backoff(BackoffLimits { burst: 1, ..Default::default() });
        assert!(backoff.should_send(PEER, time(1.0)).unwrap());
        assert!(!backoff.should_send(PEER, time(1.0)).unwrap());
        assert!(backoff.should_send(NodeId::from_bytes([2; 16]), time(1.0)).unwrap());
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_a_success_ends_them() {
        let limits = BackoffLimits { base: 1.0, cap: 60.0, ..Default::default() };
        let mut longest = [0_f64; 10];
        for seed in 0..400 {
            let mut backoff = GossipBackoff::new(limits, seed, IdHashBuilder::new(1)).unwrap();
            for longest in &mut longest {
                *longest = longest.max(backoff.record_failure(PEER, time(0.0)).unwrap());
            }
        }
        for (failures, longest) in longest.iter().enumerate() {
            let bound = 2_f64.powi(failures as i32).min(60.0);
            assert!(*longest <= bound && *longest > 0.95 * bound, "{failures}: {longest}");
        }
        let mut backoff = backoff(limits);
        let pause = backoff.record_failure(PEER, time(5.0)).unwrap();
        assert!(!backoff.should_send(PEER, time(5.0 + pause * 0.99)).unwrap());
        backoff.record_success(&PEER);
        assert!(backoff.should_send(PEER, time(5.0 + pause * 0.99)).unwrap());
    }

    #[test]
    fn the_number_of_peers_is_bounded() {
        let mut backoff = backoff(BackoffLimits { max_nodes: 1, ..Default::default() });
        assert!(backoff.should_send(PEER, time(1.0)).is_ok());
        let other = NodeId::from_bytes([2; 16]);
        assert!(backoff.should_send(other, time(1.0)).is_err());
        assert!(backoff.forget(&PEER) && backoff.should_send(other, time(1.0)).is_ok());
    }
}
