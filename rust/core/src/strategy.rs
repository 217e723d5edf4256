//! Whom to gossip with.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Picks targets from a seeded generator: the same seed and calls give the same picks on every platform.
#[derive(Debug, Clone)]
pub struct FanoutStrategy {
    rng: Xoshiro256PlusPlus,
}

/// Up to this many picks a scan over those already made is faster than a hash set.
const SCAN: usize = 24;

impl FanoutStrategy {
    /// A strategy with its own random sequence.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// `k` different numbers below `n`, all of them if there are no more; every set of `k` is equally likely.
    ///
    /// Floyd's method (Bentley and Floyd, 1987): O(k) time and memory whatever `n` is. The set is uniform, the order
    /// within it is not.
    pub fn select(&mut self, n: usize, k: usize) -> Vec<usize> {
        if k >= n {
            return (0..n).collect();
        }
        let mut picks = Vec::with_capacity(k);
        let mut taken: HashSet<usize, BuildHasherDefault<DefaultHasher>> = HashSet::default();
        for last in n - k..n {
            let candidate = self.below(last + 1);
            let seen = if k <= SCAN { picks.contains(&candidate) } else { !taken.insert(candidate) };
            let pick = if seen { last } else { candidate };
            if seen && k > SCAN {
                taken.insert(last);
            }
            picks.push(pick);
        }
        picks
    }

    /// A uniform number below `bound` by multiplication and rejection (Lemire, 2019). `bound` is not zero.
    fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let mut wide = u128::from(self.rng.next_u64()) * u128::from(bound);
        if (wide as u64) < bound {
            let biased = bound.wrapping_neg() % bound;
            while (wide as u64) < biased {
                wide = u128::from(self.rng.next_u64()) * u128::from(bound);
            }
        }
        (wide >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_picks() {
        let picks = |seed| FanoutStrategy::new(seed).select(10_000, 3);
        assert_eq!(picks(1), picks(1));
        assert_ne!(picks(1), picks(2));
    }

    #[test]
    fn asking_for_all_or_more_gives_all() {
        assert_eq!(FanoutStrategy::new(0).select(3, 3), [0, 1, 2]);
        assert_eq!(FanoutStrategy::new(0).select(3, 9), [0, 1, 2]);
        assert!(FanoutStrategy::new(0).select(0, 3).is_empty());
        assert!(FanoutStrategy::new(0).select(3, 0).is_empty());
    }

    /// Pearson's χ² over the 210 sets of 4 of 10; the 99.99 % quantile at 209 degrees of freedom is 294.
    #[test]
    fn every_set_is_equally_likely() {
        let mut strategy = FanoutStrategy::new(42);
        let mut counts = std::collections::HashMap::new();
        const ROUNDS: usize = 210 * 500;
        for _ in 0..ROUNDS {
            let mut picks = strategy.select(10, 4);
            picks.sort_unstable();
            *counts.entry(picks).or_insert(0_usize) += 1;
        }
        assert_eq!(counts.len(), 210);
        let expected = 500.0;
        let chi: f64 = counts.values().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
        assert!(chi < 294.0, "{chi}");
    }
}
