//! Who owns a key: weighted rendezvous hashing (Thaler and Ravishankar, 1998; weights after Schindelhauer, 2005).
//!
//! Every node computes the same answer from the same members, without talking. A node that joins or leaves moves only the
//! keys that it gains or loses, and a key's successors are who would own it next.

use crate::NodeId;
use crate::chance::{ln, unit};

/// The first `count` owners of `key` among `nodes` by weight: the owner, then its successors in order.
///
/// A node is first with a probability proportional to its weight; weight 0 never owns anything. The order of `nodes` does
/// not matter; each is listed once. O(n + count · log count).
#[must_use]
pub fn rendezvous(key: &[u8], nodes: &[(NodeId, u32)], count: usize) -> Vec<NodeId> {
    let key = half_hash(key);
    let mut scored: Vec<(f64, NodeId)> = nodes
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|&(id, weight)| (-ln(unit(mix(key, &id))) / f64::from(weight), id))
        .collect();
    // The smallest waiting time wins; ids decide between equal ones, so that the order is total.
    let order = |a: &(f64, NodeId), b: &(f64, NodeId)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if count < scored.len() {
        scored.select_nth_unstable_by(count, order);
        scored.truncate(count);
    }
    scored.sort_unstable_by(order);
    scored.into_iter().map(|(_, id)| id).collect()
}

fn half_hash(key: &[u8]) -> [u64; 2] {
    words(blake3::hash(key).as_bytes())
}

fn words(bytes: &[u8]) -> [u64; 2] {
    let word = |from: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[from..from + 8]);
        u64::from_le_bytes(word)
    };
    [word(0), word(8)]
}

/// 64 bits from a hashed key and an id, by two rounds of the splitmix64 finalizer.
fn mix(key: [u64; 2], id: &NodeId) -> u64 {
    let id = words(id.as_bytes());
    finalize(finalize(key[0] ^ id[0]).wrapping_add(key[1]) ^ id[1])
}

fn finalize(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(n: u8) -> Vec<(NodeId, u32)> {
        (0..n).map(|i| (NodeId::of_public_key(&[i; 32]), 1)).collect()
    }

    fn owner(key: u32, nodes: &[(NodeId, u32)]) -> NodeId {
        rendezvous(&key.to_le_bytes(), nodes, 1)[0]
    }

    #[test]
    fn a_node_that_leaves_moves_only_its_own_keys_to_their_successors() {
        let all = nodes(20);
        let gone = all[7].0;
        let rest: Vec<_> = all.iter().copied().filter(|(id, _)| *id != gone).collect();
        for key in 0..2_000_u32 {
            let order = rendezvous(&key.to_le_bytes(), &all, 2);
            let expected = if order[0] == gone { order[1] } else { order[0] };
            assert_eq!(owner(key, &rest), expected);
        }
    }

    #[test]
    fn the_order_in_which_members_are_listed_does_not_matter() {
        let (all, mut reversed) = (nodes(20), nodes(20));
        reversed.reverse();
        for key in 0..200_u32 {
            assert_eq!(
                rendezvous(&key.to_le_bytes(), &all, 20),
                rendezvous(&key.to_le_bytes(), &reversed, 20)
            );
        }
    }

    #[test]
    fn a_node_owns_keys_in_proportion_to_its_weight() {
        let mut all = nodes(4);
        for (node, weight) in all.iter_mut().zip([1, 2, 3, 0]) {
            node.1 = weight;
        }
        let mut counts = [0_f64; 4];
        for key in 0..60_000_u32 {
            let owner = owner(key, &all);
            counts[all.iter().position(|(id, _)| *id == owner).unwrap()] += 1.0;
        }
        assert_eq!(counts[3], 0.0);
        for (count, expected) in counts.iter().zip([10_000.0, 20_000.0, 30_000.0]) {
            assert!((count - expected).abs() < 5.0 * f64::sqrt(expected), "{counts:?}");
        }
    }

    #[test]
    fn nobody_owns_a_key_where_nobody_has_weight() {
        assert!(rendezvous(b"room", &[], 1).is_empty());
        assert!(rendezvous(b"room", &[(NodeId::from_bytes([1; 16]), 0)], 1).is_empty());
    }

    /// Nodes of different versions must agree: this may only change together with the protocol version.
    #[test]
    fn the_owner_of_a_known_key_stays_the_same() {
        let order: Vec<String> =
            rendezvous(b"room", &["a", "b", "c"].map(|name| (name.parse().unwrap(), 1)), 3)
                .iter()
                .map(ToString::to_string)
                .collect();
        assert_eq!(order, ["c", "a", "b"]);
    }
}
