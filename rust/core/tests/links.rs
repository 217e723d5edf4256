//! Encrypted packets: round trips, flipped bits, replays, epochs, misuse.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use palaver_core::{ClusterTag, Error, Hello, IdHashBuilder, KeyManager, NodeId, PairwiseLinks};
use proptest::prelude::*;

fn keys(n: u8) -> KeyManager {
    KeyManager::from_seed(&[n; 32])
}

fn links(n: u8, epoch: u64, secret: u8) -> PairwiseLinks {
    PairwiseLinks::new(&keys(n), ClusterTag::of("test"), epoch, [secret; 32], 10, IdHashBuilder::new(1))
        .unwrap()
}

fn greet(one: &mut PairwiseLinks, other: &mut PairwiseLinks) {
    one.establish(&other.hello().clone()).unwrap();
    other.establish(&one.hello().clone()).unwrap();
}

fn pair() -> (PairwiseLinks, PairwiseLinks) {
    let (mut a, mut b) = (links(1, 5, 11), links(2, 7, 12));
    greet(&mut a, &mut b);
    (a, b)
}

fn id(n: u8) -> NodeId {
    keys(n).node_id()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_is_opened_by_the_peer_alone(kind: u8, payload in prop::collection::vec(any::<u8>(), 0..1200)) {
        let (mut a, mut b) = pair();
        let packet = a.seal(&id(2), kind, &payload).unwrap();
        let opened = b.open(&packet).unwrap().unwrap();
        prop_assert_eq!((opened.sender, opened.postmark.kind, opened.postmark.epoch), (id(1), kind, 5));
        prop_assert_eq!(opened.payload, payload);
        prop_assert_eq!(a.open(&packet), Err(Error::NoLink)); // sent back: nobody talks to oneself
        let mut third = links(3, 1, 13);
        greet(&mut a, &mut third);
        prop_assert_eq!(third.open(&packet), Err(Error::Signature));
    }

    #[test]
    fn no_flipped_bit_is_opened_and_none_uses_up_a_number(bit in 0_usize..8 * 100) {
        let (mut a, mut b) = pair();
        let good = a.seal(&id(2), 1, &[9; 36]).unwrap();
        let mut packet = good.clone();
        // Flags and reserved bytes are authenticated too.
        packet[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(b.open(&packet).is_err());
        prop_assert!(b.open(&good).unwrap().is_some());
    }

    #[test]
    fn each_packet_is_taken_once_as_a_naive_set_would(order in prop::collection::vec(0_usize..1_500, 1..200)) {
        let (mut a, mut b) = pair();
        let packets: Vec<Vec<u8>> = (0..1_500).map(|_| a.seal(&id(2), 1, b"x").unwrap()).collect();
        let (mut taken, mut newest) = (HashSet::new(), 0);
        for number in order {
            newest = newest.max(number);
            let new = newest - number < 1_024 && taken.insert(number);
            prop_assert_eq!(b.open(&packets[number]).unwrap().is_some(), new);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_, mut b) = pair();
        prop_assert!(b.open(&bytes).is_err());
        prop_assert!(Hello::decode(&bytes, ClusterTag::of("test")).is_err());
    }

    #[test]
    fn a_flipped_bit_in_a_greeting_is_refused(bit in 0_usize..8 * Hello::LENGTH) {
        let mut bytes = *links(1, 5, 11).hello().as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let established =
            Hello::decode(&bytes, ClusterTag::of("test")).and_then(|hello| links(2, 1, 12).establish(&hello));
        prop_assert!(established.is_err());
    }
}

#[test]
fn a_later_epoch_replaces_the_link_and_an_earlier_one_is_refused() {
    let (mut a, mut b) = pair();
    let old = a.seal(&id(2), 1, b"old").unwrap();
    let mut reborn = links(1, 6, 21);
    greet(&mut reborn, &mut b);
    let packet = reborn.seal(&id(2), 1, b"new").unwrap();
    assert_eq!(b.open(&old), Err(Error::NoLink));
    assert_eq!(b.open(&packet).unwrap().unwrap().payload, b"new");
    assert_eq!(b.establish(&a.hello().clone()), Err(Error::StaleHello));
    assert_eq!(b.establish(&links(1, 6, 22).hello().clone()), Err(Error::StaleHello));
    assert_eq!(b.open(&packet).unwrap(), None);
}

#[test]
fn the_same_greeting_again_changes_nothing() {
    let (mut a, mut b) = pair();
    let packet = a.seal(&id(2), 1, b"x").unwrap();
    assert!(b.open(&packet).unwrap().is_some());
    greet(&mut a, &mut b);
    assert_eq!(b.open(&packet).unwrap(), None);
}

#[test]
fn no_nonce_is_used_twice_even_when_a_peer_was_forgotten() {
    let (mut a, b) = pair();
    let first = a.seal(&id(2), 1, b"x").unwrap();
    assert!(a.forget(&id(2)));
    assert_eq!(a.seal(&id(2), 1, b"x"), Err(Error::NoLink));
    a.establish(b.hello()).unwrap();
    assert_ne!(a.seal(&id(2), 1, b"x").unwrap(), first);
}

#[test]
fn neither_oneself_nor_one_too_many_is_linked() {
    let mut a = links(1, 5, 11);
    let own = a.hello().clone();
    assert_eq!(a.establish(&own), Err(Error::StaleHello));
    for n in 2..12 {
        a.establish(links(n, 1, n).hello()).unwrap();
    }
    assert!(matches!(a.establish(links(12, 1, 12).hello()), Err(Error::Full { .. })));
    assert!(matches!(a.establish(links(11, 2, 12).hello()), Ok(())));
    assert_eq!(a.len(), 10);
}

#[test]
fn a_payload_is_bounded() {
    let (mut a, _) = pair();
    assert!(matches!(a.seal(&id(2), 1, &vec![0; (1 << 20) + 1]), Err(Error::TooLong { .. })));
}

#[test]
fn what_was_taken_before_a_link_was_dropped_is_not_taken_again() {
    let (mut a, mut b) = pair();
    let (old, packet) = (a.hello().clone(), a.seal(&id(2), 1, b"x").unwrap());
    assert!(b.open(&packet).unwrap().is_some());
    assert!(b.forget(&id(1)));
    b.establish(&old).unwrap();
    assert_eq!(b.open(&packet).unwrap(), None);

    let mut reborn = links(1, 6, 21);
    greet(&mut reborn, &mut b);
    assert!(b.forget(&id(1)));
    assert_eq!(b.establish(&old), Err(Error::StaleHello));
}

#[test]
fn a_link_is_confirmed_by_a_packet_and_not_by_a_greeting() {
    let (mut a, mut b) = pair();
    assert!(!b.is_confirmed(&id(1)));
    b.open(&a.seal(&id(2), 1, b"x").unwrap()).unwrap();
    assert!(b.is_confirmed(&id(1)) && !a.is_confirmed(&id(2)));
}

/// Identity misbinding: somebody who signs another node's exchange key as its own agrees with nobody on anything.
#[test]
fn an_exchange_key_under_another_identity_gives_another_secret() {
    let (mut a, b) = pair();
    // the same exchange key, as the secret is the same, under the identity of node 3
    let mut thief = links(3, 5, 12);
    thief.establish(a.hello()).unwrap();
    let mut victim = links(1, 5, 11);
    victim.establish(thief.hello()).unwrap();
    victim.establish(b.hello()).unwrap();
    let for_thief = victim.seal(&id(3), 1, b"x").unwrap();
    let mut b = b;
    assert!(b.open(&for_thief).is_err());
    let for_b = a.seal(&id(2), 1, b"x").unwrap();
    assert!(thief.open(&for_b).is_err());
    assert!(thief.open(&for_thief).unwrap().is_some());
}
