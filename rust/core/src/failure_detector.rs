//! How surprising a silence is: φ-accrual (Hayashibara et al., 2004) in constant memory per node.
//!
//! φ = −log10 of the probability that a heartbeat still comes this late, from a normal distribution whose moments decay
//! with each new interval. φ ranks nodes for probing and routing; alone it never removes one.

use std::collections::HashMap;

use crate::{Error, IdHashBuilder, NodeId, Time};

/// What is known of one node's rhythm: 24 bytes.
#[derive(Debug, Clone, Copy)]
struct Rhythm {
    last: Time,
    mean: f64,
    variance: f64,
}

/// The weight of the newest interval: the moments follow about the last 32.
const DECAY: f64 = 1.0 / 32.0;

/// The smallest standard deviation as a share of the mean, so that a very even sender is not suspected for a hiccup.
const LEAST_DEVIATION: f64 = 0.25;

/// And in seconds, however often a node is heard: what a scheduler, a garbage collector or a queue on the way holds up is no
/// part of anybody's rhythm. Akka's `min-std-deviation` (akka.remote.watch-failure-detector, reference.conf) is the same.
const LEAST_SECONDS: f64 = 0.1;

/// Judges silences by each node's own rhythm.
#[derive(Debug, Clone)]
pub struct FailureDetector {
    threshold: f64,
    expected_interval: f64,
    max_nodes: usize,
    rhythms: HashMap<NodeId, Rhythm, IdHashBuilder>,
}

impl FailureDetector {
    /// Suspicion at one false alarm in 10^8 intervals, as in Cassandra.
    pub const DEFAULT_THRESHOLD: f64 = 8.0;
    /// SWIM's probe period in seconds.
    pub const DEFAULT_INTERVAL: f64 = 1.0;

    /// A detector that suspects from φ = `threshold` on and expects a first interval of `expected_interval` seconds.
    pub fn new(
        threshold: f64,
        expected_interval: f64,
        max_nodes: usize,
        hasher: IdHashBuilder,
    ) -> Result<Self, Error> {
        for (what, number) in [("threshold", threshold), ("expected_interval", expected_interval)] {
            if !(number.is_finite() && number > 0.0) {
                return Err(Error::NotPositive { what, got: number });
            }
        }
        if max_nodes == 0 {
            return Err(Error::Capacity { what: "failure detector", max: usize::MAX });
        }
        let rhythms = HashMap::with_hasher(hasher);
        Ok(Self { threshold, expected_interval, max_nodes, rhythms })
    }

    /// Notes that `id` was heard at `now`. A time before its last heartbeat is ignored.
    pub fn record_heartbeat(&mut self, id: NodeId, now: Time) -> Result<(), Error> {
        if let Some(rhythm) = self.rhythms.get_mut(&id) {
            if now > rhythm.last {
                let surprise = now.since(rhythm.last) - rhythm.mean;
                rhythm.mean += DECAY * surprise;
                rhythm.variance = (1.0 - DECAY) * (rhythm.variance + DECAY * surprise * surprise);
                rhythm.last = now;
            }
            return Ok(());
        }
        if self.rhythms.len() >= self.max_nodes {
            return Err(Error::Full { what: "failure detector", limit: self.max_nodes });
        }
        let deviation = self.expected_interval * LEAST_DEVIATION;
        let rhythm = Rhythm { last: now, mean: self.expected_interval, variance: deviation * deviation };
        self.rhythms.insert(id, rhythm);
        Ok(())
    }

    /// φ of `id` at `now`: 0.3 when a heartbeat is just due, above 8 when it is hardly to be expected any more. Zero for a
    /// node never heard of, since nothing is known against it.
    #[must_use]
    pub fn phi(&self, id: &NodeId, now: Time) -> f64 {
        self.rhythms.get(id).map_or(0.0, |rhythm| rhythm.phi(now))
    }

    /// Whether the silence of `id` is suspicious.
    #[must_use]
    pub fn check_suspicion(&self, id: &NodeId, now: Time) -> bool {
        self.phi(id, now) >= self.threshold
    }

    /// All suspicious nodes, the most suspicious first; equals by id.
    #[must_use]
    pub fn suspects(&self, now: Time) -> Vec<NodeId> {
        let mut suspects: Vec<(f64, NodeId)> = self
            .rhythms
            .iter()
            .map(|(id, rhythm)| (rhythm.phi(now), *id))
            .filter(|(phi, _)| *phi >= self.threshold)
            .collect();
        suspects.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        suspects.into_iter().map(|(_, id)| id).collect()
    }

    /// After this process itself stood still for `pause` seconds: nobody is blamed for them.
    pub fn shift(&mut self, pause: Time) -> Result<(), Error> {
        let shifted: Result<Vec<Time>, Error> =
            self.rhythms.values().map(|rhythm| Time::new(rhythm.last.seconds() + pause.seconds())).collect();
        for (rhythm, last) in self.rhythms.values_mut().zip(shifted?) {
            rhythm.last = last;
        }
        Ok(())
    }

    /// Forgets a node that is gone, and says whether it was known.
    pub fn forget(&mut self, id: &NodeId) -> bool {
        self.rhythms.remove(id).is_some()
    }

    /// How many nodes have been heard.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rhythms.len()
    }

    /// Whether no node has been heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rhythms.is_empty()
    }
}

impl Rhythm {
    /// −log10 of the upper tail of the normal distribution, by the logistic approximation that Akka and Cassandra use
    /// (relative error below 0.02). Written so that it neither overflows nor loses the tail.
    fn phi(&self, now: Time) -> f64 {
        let deviation = self.variance.sqrt().max(self.mean * LEAST_DEVIATION).max(LEAST_SECONDS);
        let y = (now.since(self.last) - self.mean) / deviation;
        let exponent = (y * (1.5976 + 0.070566 * y * y)).clamp(-700.0, f64::MAX);
        exponent * std::f64::consts::LOG10_E + (-exponent).exp().ln_1p() * std::f64::consts::LOG10_E
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: f64) -> Time {
        Time::new(seconds).unwrap()
    }

    fn id(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn detector() -> FailureDetector {
        FailureDetector::new(8.0, 1.0, 10, IdHashBuilder::new(1)).unwrap()
    }

    /// Heard every `interval` seconds until `until`.
    fn heard(interval: f64, until: f64) -> FailureDetector {
        let mut detector = detector();
        for beat in 0..(until / interval) as u32 {
            detector.record_heartbeat(id("a"), time(f64::from(beat) * interval)).unwrap();
        }
        detector.record_heartbeat(id("a"), time(until)).unwrap();
        detector
    }

    #[test]
    fn a_node_that_beats_on_time_is_not_suspected_and_a_silent_one_is() {
        let detector = heard(1.0, 100.0);
        assert!(!detector.check_suspicion(&id("a"), time(101.5)));
        assert!(detector.check_suspicion(&id("a"), time(104.0)));
    }

    #[test]
    fn silence_is_judged_by_the_nodes_own_rhythm() {
        assert!(!heard(5.0, 500.0).check_suspicion(&id("a"), time(508.0)));
        assert!(heard(0.1, 100.0).check_suspicion(&id("a"), time(101.0)));
    }

    #[test]
    fn phi_is_about_a_third_when_a_heartbeat_is_due_and_grows_with_the_silence() {
        let detector = heard(1.0, 100.0);
        assert!((detector.phi(&id("a"), time(101.0)) - 0.301).abs() < 0.01);
        let mut last = -1.0;
        for tenth in 0..200_000 {
            let phi = detector.phi(&id("a"), time(100.0 + f64::from(tenth) * 0.1));
            assert!(phi >= last && phi.is_finite());
            last = phi;
        }
    }

    #[test]
    fn a_burst_of_heartbeats_does_not_make_a_hiccup_suspicious() {
        let mut detector = heard(1.0, 20.0);
        for beat in 0..300 {
            detector.record_heartbeat(id("a"), time(20.0 + f64::from(beat) * 1e-5)).unwrap();
        }
        assert!(detector.phi(&id("a"), time(20.053)) < 1.0);
        assert!(detector.check_suspicion(&id("a"), time(21.0)));
    }

    #[test]
    fn an_unknown_node_is_not_suspected() {
        assert_eq!(detector().phi(&id("x"), time(1e9)), 0.0);
    }

    #[test]
    fn time_that_goes_back_changes_nothing() {
        let mut detector = heard(1.0, 100.0);
        let before = detector.phi(&id("a"), time(103.0));
        detector.record_heartbeat(id("a"), time(50.0)).unwrap();
        assert_eq!(detector.phi(&id("a"), time(103.0)), before);
    }

    #[test]
    fn nobody_is_blamed_for_a_pause_of_our_own() {
        let mut detector = heard(1.0, 100.0);
        assert!(detector.check_suspicion(&id("a"), time(160.5)));
        detector.shift(time(60.0)).unwrap();
        assert!(!detector.check_suspicion(&id("a"), time(160.5)));
    }

    #[test]
    fn suspects_come_by_suspicion_and_a_forgotten_node_is_not_among_them() {
        let mut detector = detector();
        for (name, beat) in [("a", 20.0), ("b", 10.0), ("c", 59.5)] {
            detector.record_heartbeat(id(name), time(beat)).unwrap();
        }
        assert_eq!(detector.suspects(time(60.0)), [id("b"), id("a")]);
        assert!(detector.forget(&id("b")));
        assert_eq!(detector.suspects(time(60.0)), [id("a")]);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let mut detector = detector();
        for n in 0..10 {
            detector.record_heartbeat(id(&n.to_string()), time(1.0)).unwrap();
        }
        assert!(detector.record_heartbeat(id("x"), time(1.0)).is_err());
        assert!(detector.record_heartbeat(id("3"), time(2.0)).is_ok());
    }
}
