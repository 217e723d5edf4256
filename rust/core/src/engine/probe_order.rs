//! Who is probed next.
//!
//! Plain SWIM lets each node go through a shuffled list of its own: a crashed member is first missed by somebody after an
//! exponentially distributed time, on average one period but five in one case of a hundred. Here all nodes go through one
//! common order: members sorted by id stand in a ring, and in the period with number p each probes the one `offset(p)` places
//! further on. So everybody is probed once in every period, by another one each time, and all pairs come up in n − 1 periods.
//! The number of the period comes from the wall clock; where clocks or views differ, the order is random instead, and
//! nothing else changes.

use crate::NodeId;
use crate::chance::Chance;

/// The members that are probed, by rising id, and the own place among them.
#[derive(Debug, Clone)]
pub(super) struct ProbeOrder {
    own: NodeId,
    ring: Vec<NodeId>,
    shuffled: Option<Vec<NodeId>>,
}

impl ProbeOrder {
    /// Nobody is probed yet. Without `common` order each node shuffles for itself.
    pub(super) fn new(own: NodeId, common: bool) -> Self {
        Self { own, ring: Vec::new(), shuffled: (!common).then(Vec::new) }
    }

    /// Probes `id` from now on.
    pub(super) fn add(&mut self, id: NodeId) {
        if id != self.own
            && let Err(at) = self.ring.binary_search(&id)
        {
            self.ring.insert(at, id);
        }
    }

    /// Does not any more.
    pub(super) fn remove(&mut self, id: &NodeId) {
        if let Ok(at) = self.ring.binary_search(id) {
            self.ring.remove(at);
        }
    }

    /// Everybody who is probed, by rising id.
    pub(super) fn members(&self) -> &[NodeId] {
        &self.ring
    }

    /// Whom to probe in period `number`.
    pub(super) fn next(&mut self, number: u64, chance: &mut Chance) -> Option<NodeId> {
        if self.ring.is_empty() {
            return None;
        }
        let Some(shuffled) = &mut self.shuffled else {
            let own = self.ring.partition_point(|id| *id < self.own);
            // The own node is not in the ring, so places from its own on count one less.
            return Some(self.ring[(own + offset(number, self.ring.len())) % self.ring.len()]);
        };
        loop {
            let Some(id) = shuffled.pop() else {
                shuffled.clone_from(&self.ring);
                for last in (1..shuffled.len()).rev() {
                    shuffled.swap(last, chance.below(last + 1));
                }
                continue;
            };
            if self.ring.binary_search(&id).is_ok() {
                return Some(id);
            }
        }
    }
}

/// How many places further on the probed one stands in period `number`, of `others` places: each once in `others` periods, in
/// an order that changes with each round.
fn offset(number: u64, others: usize) -> usize {
    let others = others as u64;
    let (round, step) = (number / others, number % others);
    let mix = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (round >> 7);
    let mut factor = mix % others;
    while gcd(factor.max(1), others) != 1 || factor == 0 {
        factor = (factor + 1) % others.max(2);
    }
    ((u128::from(step) * u128::from(factor) + u128::from(mix >> 32)) % u128::from(others)) as usize
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: u8) -> Vec<NodeId> {
        (0..n).map(|i| NodeId::of_public_key(&[i; 32])).collect()
    }

    #[test]
    fn everybody_is_probed_once_in_a_period_and_every_pair_comes_up_in_a_round() {
        for n in [2_u8, 3, 4, 5, 12, 31] {
            let all = ids(n);
            let mut orders: Vec<ProbeOrder> = all.iter().map(|id| ProbeOrder::new(*id, true)).collect();
            for order in &mut orders {
                all.iter().for_each(|id| order.add(*id));
            }
            let mut chance = Chance::new(1);
            let others = u64::from(n) - 1;
            let mut pairs = std::collections::BTreeSet::new();
            for number in others * 40..others * 41 {
                let mut probed: Vec<_> =
                    orders.iter_mut().filter_map(|order| order.next(number, &mut chance)).collect();
                pairs.extend(all.iter().copied().zip(probed.iter().copied()));
                probed.sort_unstable();
                probed.dedup();
                assert_eq!(probed.len(), usize::from(n), "{n} nodes, period {number}");
            }
            assert_eq!(pairs.len(), usize::from(n) * (usize::from(n) - 1));
        }
    }

    #[test]
    fn a_shuffled_order_goes_through_all_before_it_repeats() {
        let all = ids(20);
        let mut order = ProbeOrder::new(all[0], false);
        all.iter().for_each(|id| order.add(*id));
        let mut chance = Chance::new(1);
        let mut round: Vec<_> = (0..19).filter_map(|_| order.next(0, &mut chance)).collect();
        round.sort_unstable();
        round.dedup();
        assert_eq!(round.len(), 19);
        order.remove(&all[7]);
        assert!((0..40).all(|_| order.next(0, &mut chance) != Some(all[7])));
    }
}
