//! The cache against a naive model.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use palaver_core::{Error, IdHashBuilder, MessageCache, MessageId};
use proptest::prelude::*;

fn cache(capacity: usize) -> MessageCache {
    MessageCache::new(capacity, IdHashBuilder::new(3)).unwrap()
}

fn id(n: u16) -> MessageId {
    MessageId::of(&n.to_le_bytes())
}

proptest! {
    #[test]
    fn the_last_capacity_ids_are_known_and_never_one_that_was_not_tracked(
        capacity in 1_usize..8,
        script in prop::collection::vec(0_u16..32, 0..200),
    ) {
        let mut cache = cache(capacity);
        let mut recent: VecDeque<u16> = VecDeque::new(); // least recent first
        let mut ever = std::collections::HashSet::new();
        for n in script {
            let known = cache.is_duplicate(&id(n));
            prop_assert!(!recent.contains(&n) || known, "forgot one of the last {capacity}");
            prop_assert!(ever.contains(&n) || !known, "claims to know {n}");
            prop_assert_eq!(cache.track(id(n)), !known);
            prop_assert!(cache.is_duplicate(&id(n)));
            prop_assert!(cache.len() <= 2 * capacity);
            ever.insert(n);
            recent.retain(|&m| m != n);
            recent.push_back(n);
            if recent.len() > capacity {
                recent.pop_front();
            }
            let held = (0..32).filter(|&m| cache.is_duplicate(&id(m))).count();
            prop_assert_eq!(cache.len(), held);
        }
    }
}

#[test]
fn the_all_zero_id_is_an_id_like_any_other() {
    let (zero, one) = (MessageId::from_bytes([0; 16]), MessageId::from_bytes([1; 16]));
    let mut cache = cache(4);
    assert!(!cache.is_duplicate(&zero));
    assert!(cache.track(zero));
    assert!(cache.is_duplicate(&zero) && !cache.is_duplicate(&one));
    cache.clear();
    assert!(cache.is_empty() && !cache.is_duplicate(&zero));
}

#[test]
fn a_capacity_of_nothing_or_of_too_much_is_refused() {
    for capacity in [0, MessageCache::MAX_CAPACITY + 1] {
        let refused = MessageCache::new(capacity, IdHashBuilder::new(0));
        assert!(matches!(refused, Err(Error::Capacity { .. })));
    }
}
