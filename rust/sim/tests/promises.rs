//! Fifty random histories keep the six promises. `make soak-cluster` runs ten thousand.
#![allow(clippy::unwrap_used)]

use palaver_sim::promises::check;

#[test]
fn fifty_random_histories_keep_the_promises() {
    let broken: Vec<String> = (0..50).filter_map(|seed| check(seed, |_| {}).err()).collect();
    assert!(broken.is_empty(), "{} broken, first: {}", broken.len(), broken.join("\n"));
}
