//! The replay window against a naive set.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use palaver_core::{Error, IdHashBuilder, NodeId, REPLAY_WINDOW, ReplayGuard};
use proptest::prelude::*;

const SENDER: NodeId = NodeId::from_bytes([1; 16]);

fn guard() -> ReplayGuard {
    ReplayGuard::new(2, IdHashBuilder::new(1)).unwrap()
}

fn seqs() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..20, 0_u64..5_000, 1_000_000_u64..1_002_000, u64::MAX - 1_500..=u64::MAX]
}

proptest! {
    #[test]
    fn each_packet_is_taken_once_within_the_window(script in prop::collection::vec((0_u64..3, seqs()), 0..300)) {
        let mut guard = guard();
        let (mut epoch, mut newest, mut taken): (u64, u64, HashSet<u64>) = (0, 0, HashSet::new());
        for (index, (e, seq)) in script.into_iter().enumerate() {
            if index == 0 || e > epoch {
                (epoch, newest) = (e, seq);
                taken.clear();
                taken.insert(seq);
                prop_assert!(guard.accept(SENDER, e, seq).unwrap());
                continue;
            }
            let inside = seq > newest || newest - seq < REPLAY_WINDOW;
            let expected = e == epoch && inside && !taken.contains(&seq);
            prop_assert_eq!(guard.accept(SENDER, e, seq).unwrap(), expected, "{} {}", e, seq);
            if e == epoch {
                newest = newest.max(seq);
                taken.insert(seq);
            }
        }
    }
}

#[test]
fn senders_have_windows_of_their_own_and_their_number_is_bounded() {
    let (mut guard, other) = (guard(), NodeId::from_bytes([2; 16]));
    assert!(guard.accept(SENDER, 1, 1).unwrap());
    assert!(guard.accept(other, 1, 1).unwrap());
    let full = Error::Full { what: "replay guard", limit: 2 };
    assert_eq!(guard.accept(NodeId::from_bytes([3; 16]), 1, 1), Err(full));
    assert!(!guard.accept(SENDER, 1, 1).unwrap());
}
