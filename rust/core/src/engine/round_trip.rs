//! How long answers take, by the place they come from (RFC 6298 §2).

use std::collections::HashMap;

/// Smoothed round-trip time and its variation, in seconds.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    smoothed: f64,
    variation: f64,
}

/// The estimates of one node. Places beyond the bound share one.
#[derive(Debug, Clone)]
pub(super) struct RoundTrips {
    min: f64,
    max: f64,
    places: HashMap<u64, Estimate>,
}

/// So many zones are told apart.
const MAX_PLACES: usize = 256;

impl RoundTrips {
    pub(super) fn new(min: f64, max: f64) -> Self {
        Self { min, max, places: HashMap::new() }
    }

    /// Notes an answer from `place` after `seconds`.
    pub(super) fn record(&mut self, place: u64, seconds: f64) {
        let place = self.key(place);
        match self.places.get_mut(&place) {
            Some(estimate) => {
                let error = seconds - estimate.smoothed;
                estimate.smoothed += error / 8.0;
                estimate.variation += (error.abs() - estimate.variation) / 4.0;
            }
            None => {
                self.places.insert(place, Estimate { smoothed: seconds, variation: seconds / 2.0 });
            }
        }
    }

    /// How long to wait for an answer from `place`.
    pub(super) fn timeout(&self, place: u64) -> f64 {
        let estimate = self.places.get(&self.key(place));
        estimate.map_or(self.max, |e| (e.smoothed + 4.0 * e.variation).clamp(self.min, self.max))
    }

    /// The smoothed round-trip time to `place`, if it has answered.
    pub(super) fn smoothed(&self, place: u64) -> Option<f64> {
        self.places.get(&self.key(place)).map(|estimate| estimate.smoothed)
    }

    fn key(&self, place: u64) -> u64 {
        if self.places.len() < MAX_PLACES || self.places.contains_key(&place) { place } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_round_trips_of_each_place_within_its_bounds() {
        let mut trips = RoundTrips::new(0.1, 0.5);
        assert_eq!(trips.timeout(1), 0.5);
        for _ in 0..50 {
            trips.record(1, 0.001);
            trips.record(2, 0.2);
        }
        assert_eq!(trips.timeout(1), 0.1);
        assert!((0.2..0.25).contains(&trips.timeout(2)));
        trips.record(2, 9.0);
        assert_eq!(trips.timeout(2), 0.5);
    }
}
