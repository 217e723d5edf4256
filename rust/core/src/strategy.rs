//! Whom to gossip with.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::chance::Chance;
use crate::{Error, NodeMetadata};

/// Picks targets from a seeded generator: the same seed and calls give the same picks on every platform.
#[derive(Debug, Clone)]
pub struct FanoutStrategy {
    chance: Chance,
}

/// Up to this many picks a scan over those already made is faster than a hash set.
const SCAN: usize = 24;

impl FanoutStrategy {
    /// A strategy with its own random sequence.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed) }
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
            let candidate = self.chance.below(last + 1);
            let seen = if k <= SCAN { picks.contains(&candidate) } else { !taken.insert(candidate) };
            let pick = if seen { last } else { candidate };
            if seen && k > SCAN {
                taken.insert(last);
            }
            picks.push(pick);
        }
        picks
    }

    /// `k` different numbers below `n` by their weights, one for each; a larger weight comes earlier and more often, weight 0 never.
    ///
    /// The race of Efraimidis and Spirakis (2006): each starts a clock of its own speed, the first `k` to ring win. O(n).
    /// Weights are finite and not negative.
    pub fn select_weighted(&mut self, n: usize, weights: &[f64], k: usize) -> Result<Vec<usize>, Error> {
        check_weights(weights, n)?;
        let mut rings: Vec<(f64, usize)> = Vec::with_capacity(weights.len());
        for (index, &weight) in weights.iter().enumerate() {
            if weight > 0.0 {
                rings.push((self.chance.waiting_time(weight), index));
            }
        }
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0);
        if k < rings.len() {
            rings.select_nth_unstable_by(k, order);
            rings.truncate(k);
        }
        rings.sort_unstable_by(order);
        Ok(rings.into_iter().map(|(_, index)| index).collect())
    }

    /// `k` different indices of `local`: all but one where it is true (the own zone), the rest where it is false.
    ///
    /// So that a rumour spreads within the zone and still leaves it every time. When one side has too few, the other fills
    /// up. O(n).
    pub fn select_zoned(&mut self, local: &[bool], k: usize) -> Vec<usize> {
        let (near, far): (Vec<usize>, Vec<usize>) = (0..local.len()).partition(|&index| local[index]);
        let (at_home, abroad) = self.split(&near, &far, k);
        let mut picks: Vec<usize> = self.select(near.len(), at_home).into_iter().map(|i| near[i]).collect();
        picks.extend(self.select(far.len(), abroad).into_iter().map(|i| far[i]));
        picks
    }

    /// The same, and on either side by weights, as [`select_weighted`](Self::select_weighted) does.
    pub fn select_zoned_weighted(
        &mut self,
        local: &[bool],
        weights: &[f64],
        k: usize,
    ) -> Result<Vec<usize>, Error> {
        check_weights(weights, local.len())?;
        let able = (0..local.len()).filter(|&index| weights[index] > 0.0);
        let (near, far): (Vec<usize>, Vec<usize>) = able.partition(|&index| local[index]);
        let (at_home, abroad) = self.split(&near, &far, k);
        let mut picks = Vec::with_capacity(at_home + abroad);
        for (side, k) in [(near, at_home), (far, abroad)] {
            let weights: Vec<f64> = side.iter().map(|&index| weights[index]).collect();
            picks.extend(self.select_weighted(side.len(), &weights, k)?.into_iter().map(|i| side[i]));
        }
        Ok(picks)
    }

    /// How many of `k` are of the own zone, and how many are not.
    fn split(&mut self, near: &[usize], far: &[usize], k: usize) -> (usize, usize) {
        let abroad = if k > 1 { 1 } else { self.abroad_alone(k, near) };
        let abroad = abroad.max(k.saturating_sub(near.len())).min(far.len());
        ((k - abroad.min(k)).min(near.len()), abroad)
    }

    /// A single pick goes abroad one time in [`ABROAD`]. Always staying would cut zones off, always leaving would cost
    /// the most.
    fn abroad_alone(&mut self, k: usize, near: &[usize]) -> usize {
        usize::from(k == 1 && (near.is_empty() || self.chance.below(ABROAD) == 0))
    }
}

/// One weight for each of `n` nodes, finite and not negative.
fn check_weights(weights: &[f64], n: usize) -> Result<(), Error> {
    if weights.len() != n {
        return Err(Error::Pairs { what: "weight", expected: n, got: weights.len() });
    }
    match weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
        Some(&got) => Err(Error::Weight(got)),
        None => Ok(()),
    }
}

/// One of so many single picks leaves the own zone.
const ABROAD: usize = 4;

/// Picks the peers of a node that knows where it runs; delegates to [`FanoutStrategy`].
#[derive(Debug, Clone)]
pub struct GossipStrategy {
    fanout: FanoutStrategy,
    place: NodeMetadata,
}

impl GossipStrategy {
    /// A strategy for a node at `place`; an empty zone means that zones do not matter.
    #[must_use]
    pub fn new(place: NodeMetadata, seed: u64) -> Self {
        Self { fanout: FanoutStrategy::new(seed), place }
    }

    /// Where the own node runs.
    #[must_use]
    pub fn place(&self) -> &NodeMetadata {
        &self.place
    }

    /// `k` different indices below `n`: all but one in the own zone where zones matter, otherwise any; by weights, one for
    /// each, if there are some. `is_at` says whether the node of an index is at a place; it is asked only where zones matter,
    /// which is then O(n).
    pub fn select_peers(
        &mut self,
        n: usize,
        k: usize,
        weights: Option<&[f64]>,
        is_at: impl Fn(usize, &NodeMetadata) -> bool,
    ) -> Result<Vec<usize>, Error> {
        if self.place.zone().is_empty() {
            return match weights {
                None => Ok(self.fanout.select(n, k)),
                Some(weights) => self.fanout.select_weighted(n, weights, k),
            };
        }
        let local: Vec<bool> = (0..n).map(|index| is_at(index, &self.place)).collect();
        match weights {
            None => Ok(self.fanout.select_zoned(&local, k)),
            Some(weights) => self.fanout.select_zoned_weighted(&local, weights, k),
        }
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

    #[test]
    fn weighted_picks_come_in_proportion() {
        let mut strategy = FanoutStrategy::new(5);
        let mut counts = [0_f64; 4];
        for _ in 0..60_000 {
            counts[strategy.select_weighted(4, &[1.0, 0.0, 2.0, 3.0], 1).unwrap()[0]] += 1.0;
        }
        assert_eq!(counts[1], 0.0);
        for (index, expected) in [(0, 10_000.0), (2, 20_000.0), (3, 30_000.0)] {
            assert!((counts[index] - expected).abs() < 5.0 * f64::sqrt(expected), "{counts:?}");
        }
        let mut all = strategy.select_weighted(4, &[1.0, 0.0, 2.0, 3.0], 9).unwrap();
        all.sort_unstable();
        assert_eq!(all, [0, 2, 3]);
        assert!(strategy.select_weighted(1, &[f64::NAN], 1).is_err());
    }

    #[test]
    fn all_picks_but_one_stay_in_the_zone() {
        let mut strategy = FanoutStrategy::new(5);
        let local: Vec<bool> = (0..30).map(|i| i % 3 == 0).collect();
        for _ in 0..100 {
            let picks = strategy.select_zoned(&local, 4);
            assert_eq!(picks.len(), 4);
            assert_eq!(picks.iter().filter(|&&i| local[i]).count(), 3);
        }
    }

    #[test]
    fn a_side_with_too_few_is_filled_up_from_the_other() {
        let mut strategy = FanoutStrategy::new(5);
        assert_eq!(strategy.select_zoned(&[true; 5], 3).len(), 3);
        assert_eq!(strategy.select_zoned(&[false; 5], 3).len(), 3);
        assert_eq!(strategy.select_zoned(&[true, false, false, false], 3).len(), 3);
        assert_eq!(strategy.select_zoned(&[true, true, false], 9).len(), 3);
        assert!(strategy.select_zoned(&[true, false], 0).is_empty());
    }

    #[test]
    fn weights_count_on_either_side_of_the_zones_border() {
        let mut strategy = FanoutStrategy::new(5);
        let local: Vec<bool> = (0..30).map(|i| i < 15).collect();
        let weights: Vec<f64> = (0..30).map(|i| f64::from(i % 3)).collect();
        let mut counts = [0_u32; 30];
        for _ in 0..3_000 {
            let picks = strategy.select_zoned_weighted(&local, &weights, 2).unwrap();
            assert_eq!(picks.iter().map(|&i| local[i]).collect::<Vec<_>>(), [true, false]);
            picks.into_iter().for_each(|i| counts[i] += 1);
        }
        let of_weight = |weight: usize| counts.iter().skip(weight).step_by(3).sum::<u32>();
        assert_eq!(of_weight(0), 0);
        assert!((1_700..2_300).contains(&of_weight(1)), "{counts:?}");
        assert!(strategy.select_zoned_weighted(&local, &[1.0], 2).is_err());
        assert!(strategy.select_zoned_weighted(&local, &[-1.0; 30], 2).is_err());
        assert_eq!(strategy.select_zoned_weighted(&local, &weights, 30).unwrap().len(), 20);
    }

    #[test]
    fn a_single_pick_leaves_the_zone_one_time_in_four() {
        let mut strategy = FanoutStrategy::new(5);
        let abroad = (0..10_000).filter(|_| strategy.select_zoned(&[true, false], 1) == [1]).count();
        assert!((2_300..2_700).contains(&abroad), "{abroad}");
    }

    #[test]
    fn without_a_zone_of_its_own_a_node_picks_from_all() {
        let place = |zone: &str| NodeMetadata::new("eu", zone).unwrap();
        let places = [place("a"), place("b"), place("c")];
        let mut strategy = GossipStrategy::new(NodeMetadata::default(), 1);
        assert_eq!(
            strategy.select_peers(3, 3, None, |_, _| panic!("nobody needs to know")),
            Ok(vec![0, 1, 2])
        );
        let mut strategy = GossipStrategy::new(place("b"), 1);
        let picks = strategy.select_peers(3, 2, None, |index, place| places[index] == *place).unwrap();
        assert!(picks.contains(&1) && picks.len() == 2);
    }
}
