//! Fifty random histories keep the six promises. `make soak-cluster` runs ten thousand.
#![allow(clippy::unwrap_used)]

use palaver_sim::promises::{check, check_under};
use palaver_sim::{Fault, Scenario};

#[test]
fn fifty_random_histories_keep_the_promises() {
    let broken: Vec<String> = (0..50).filter_map(|seed| check(seed, |_| {}).err()).collect();
    assert!(broken.is_empty(), "{} broken, first: {}", broken.len(), broken.join("\n"));
}

#[test]
fn all_that_chaos_inject_does_to_messages_breaks_no_promise() {
    let faults = Scenario::from_toml(include_str!("../scenarios/chaos.toml")).unwrap().faults;
    assert!(matches!(
        faults[..],
        [
            Fault::Drop { .. },
            Fault::Delay { .. },
            Fault::Duplicate { .. },
            Fault::Reorder { .. },
            Fault::Partition { .. }
        ]
    ));
    let broken: Vec<String> = (0..20).filter_map(|seed| check_under(&faults, seed).err()).collect();
    assert!(broken.is_empty(), "{} broken, first: {}", broken.len(), broken.join("\n"));
}
