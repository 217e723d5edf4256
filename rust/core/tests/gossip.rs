//! The table in bytes: laws, refusals, signed records.
#![allow(clippy::unwrap_used)]

use palaver_core::record::{self, CRITICAL, KIND_NODE};
use palaver_core::{
    Beat, Error, IdHashBuilder, KeyManager, MembershipTable, NodeId, NodeMetadata, NodeRecord, Precedence,
    Status, Time, Vitals,
};
use proptest::prelude::*;

fn keys(n: u8) -> KeyManager {
    KeyManager::from_seed(&[n; 32])
}

fn table() -> MembershipTable {
    MembershipTable::new(keys(0).node_id(), 100, IdHashBuilder::new(1)).unwrap()
}

fn now() -> Time {
    Time::new(1.0).unwrap()
}

fn signed(n: u8, incarnation: u64, issued_at: u64, status: Status, name: &str) -> NodeRecord {
    let place = NodeMetadata::new("eu", "a").unwrap();
    let precedence = Precedence::new(incarnation, status).unwrap();
    NodeRecord::sign(&keys(n), precedence, issued_at, name, "10.0.0.1:7946", &place).unwrap()
}

fn framed(record: &NodeRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::write(&mut bytes, KIND_NODE, record.as_bytes());
    bytes
}

fn status(n: u8, incarnation: u64, status: Status) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::write_status(&mut bytes, &keys(n).node_id(), Precedence::new(incarnation, status).unwrap());
    bytes
}

fn beat(n: u8, incarnation: u64, seq: u64, load: u16) -> Beat {
    Beat::sign(&keys(n), incarnation, seq, Vitals { load, sessions: 70_000, draining: load > 0 }).unwrap()
}

fn beats(table: &MembershipTable) -> Vec<Option<Beat>> {
    (0..4).map(|n| table.beat(&keys(n).node_id()).cloned()).collect()
}

/// Status records, node records and beats of a few nodes, among them the own one.
fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let plain = (0_u8..4, 0_u64..4, 0_usize..6).prop_map(|(n, i, s)| status(n, i, Status::ALL[s]));
    let node =
        (0_u8..4, 0_u64..3, 0_u64..2, prop::bool::ANY, 0_usize..3).prop_map(|(n, i, at, left, name)| {
            framed(&signed(n, i, at, if left { Status::Left } else { Status::Alive }, ["x", "y", "z"][name]))
        });
    let beat =
        (0_u8..4, 0_u64..3, 0_u64..3, 0_u16..2).prop_map(|(n, i, seq, load)| beat(n, i, seq, load).framed());
    prop::collection::vec(prop_oneof![plain, node, beat], 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_repetition_and_partition_gives_the_same_bytes(
        (all, shuffled) in records().prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle())),
        cut in 0_usize..12,
    ) {
        let (mut one, mut other) = (table(), table());
        one.merge_bytes(&all.concat(), now()).unwrap();
        let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
        for part in [second, first, second] {
            other.merge_bytes(&part.concat(), now()).unwrap();
        }
        prop_assert_eq!(one.snapshot_bytes(), other.snapshot_bytes());
        prop_assert_eq!(one.root(), other.root());
        prop_assert_eq!(beats(&one), beats(&other));
    }

    #[test]
    fn the_news_is_all_that_another_view_lacks(first in records(), second in records()) {
        let (mut a, mut b) = (table(), table());
        a.merge_bytes(&first.concat(), now()).unwrap();
        b.merge_bytes(&first.concat(), now()).unwrap();
        let merged = a.merge_bytes(&second.concat(), now()).unwrap();
        b.merge_bytes(&merged.news, now()).unwrap();
        prop_assert_eq!(a.snapshot_bytes(), b.snapshot_bytes());
        prop_assert_eq!(beats(&a), beats(&b));
        prop_assert!(a.merge_bytes(&merged.news, now()).unwrap().news.is_empty());
    }

    #[test]
    fn the_differing_buckets_are_enough_to_agree(first in records(), second in records()) {
        let (mut a, mut b) = (table(), table());
        a.merge_bytes(&first.concat(), now()).unwrap();
        b.merge_bytes(&second.concat(), now()).unwrap();
        let (to_b, to_a) = (a.difference(&b.buckets()), b.difference(&a.buckets()));
        a.merge_bytes(&to_a, now()).unwrap();
        b.merge_bytes(&to_b, now()).unwrap();
        prop_assert_eq!(a.root(), b.root());
        prop_assert!(a.difference(&b.buckets()).is_empty());
    }

    #[test]
    fn any_bytes_are_joined_or_refused_whole(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut table = table();
        let before = table.snapshot_bytes();
        if table.merge_bytes(&bytes, now()).is_err() {
            prop_assert_eq!(table.snapshot_bytes(), before);
        }
    }

    #[test]
    fn a_flipped_bit_in_a_node_record_is_never_joined(bit in 0_usize..8 * 150) {
        let record = signed(1, 1, 1, Status::Alive, "name");
        let mut body = record.as_bytes().to_vec();
        let bit = bit % (8 * body.len());
        body[bit / 8] ^= 1 << (bit % 8);
        let mut bytes = Vec::new();
        record::write(&mut bytes, KIND_NODE, &body);
        let mut table = table();
        prop_assert!(table.merge_bytes(&bytes, now()).is_err());
        prop_assert_eq!(table.len(), 1);
    }
}

#[test]
fn a_node_record_tells_who_and_where() {
    let mut table = table();
    let record = signed(1, 3, 5, Status::Alive, "beta");
    let merged = table.merge_bytes(&framed(&record), now()).unwrap();
    assert_eq!(merged.changed.len(), 1);
    let known = table.record(&keys(1).node_id()).unwrap();
    assert_eq!((known.name(), known.address(), known.metadata().zone()), ("beta", "10.0.0.1:7946", "a"));
    assert!(known.verify());
    assert_eq!(table.get(&keys(1).node_id()).unwrap().precedence, Precedence::new(3, Status::Alive).unwrap());
}

#[test]
fn of_two_records_the_later_one_holds() {
    let mut table = table();
    for (issued_at, name) in [(5, "new"), (4, "old")] {
        table.merge_bytes(&framed(&signed(1, 0, issued_at, Status::Alive, name)), now()).unwrap();
    }
    assert_eq!(table.record(&keys(1).node_id()).unwrap().name(), "new");
}

#[test]
fn two_records_for_one_moment_are_proof_of_a_lie() {
    let (x, y) = (signed(1, 0, 5, Status::Alive, "x"), signed(1, 0, 5, Status::Alive, "y"));
    for (first, second) in [(&x, &y), (&y, &x)] {
        let mut table = table();
        table.merge_bytes(&framed(first), now()).unwrap();
        let merged = table.merge_bytes(&framed(second), now()).unwrap();
        assert_eq!(merged.equivocations, [(first.clone(), second.clone())]);
    }
}

#[test]
fn one_false_signature_refuses_the_whole_packet() {
    let mut forged = signed(2, 0, 0, Status::Alive, "x").as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut bytes = status(1, 0, Status::Alive);
    record::write(&mut bytes, KIND_NODE, &forged);
    let mut table = table();
    assert_eq!(table.merge_bytes(&bytes, now()), Err(Error::Signature));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_stale_record_is_dropped_before_its_signature_is_looked_at() {
    let mut table = table();
    table.merge_bytes(&framed(&signed(1, 5, 5, Status::Alive, "x")), now()).unwrap();
    let mut forged = signed(1, 4, 4, Status::Alive, "x").as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut bytes = Vec::new();
    record::write(&mut bytes, KIND_NODE, &forged);
    assert!(table.merge_bytes(&bytes, now()).unwrap().news.is_empty());
}

#[test]
fn a_forged_goodbye_that_is_older_than_the_record_held_changes_nothing() {
    let mut table = table();
    table.merge_bytes(&framed(&signed(1, 3, 100, Status::Alive, "x")), now()).unwrap();
    let left = signed(1, 3, 50, Status::Left, "x");
    let mut forged = left.as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut bytes = Vec::new();
    record::write(&mut bytes, KIND_NODE, &forged);
    assert_eq!(table.merge_bytes(&bytes, now()), Err(Error::Signature));
    assert_eq!(table.get(&keys(1).node_id()).unwrap().precedence.status(), Status::Alive);
    // Signed it holds: statuses and records join on their own, in any order.
    table.merge_bytes(&framed(&left), now()).unwrap();
    assert_eq!(table.get(&keys(1).node_id()).unwrap().precedence.status(), Status::Left);
    assert_eq!(table.record(&keys(1).node_id()).unwrap().issued_at(), 100);
}

#[test]
fn what_others_join_while_signatures_are_checked_is_not_lost() {
    let later = signed(1, 0, 9, Status::Alive, "later");
    let bytes = [framed(&signed(1, 0, 5, Status::Left, "x")), status(2, 4, Status::Dead)].concat();
    let (mut table, mut at_once) = (table(), table());
    let checked = table.read_news(&bytes).unwrap().check().unwrap();
    table.merge_bytes(&[framed(&later), status(2, 5, Status::Alive)].concat(), now()).unwrap();
    table.join_checked(checked, now()).unwrap();
    at_once.merge_bytes(&bytes, now()).unwrap();
    at_once.merge_bytes(&[framed(&later), status(2, 5, Status::Alive)].concat(), now()).unwrap();
    assert_eq!(table.snapshot_bytes(), at_once.snapshot_bytes());
    assert_eq!(table.record(&keys(1).node_id()), Some(later));
}

#[test]
fn a_record_of_a_later_version_is_skipped_unless_it_is_critical() {
    let mut bytes = status(1, 0, Status::Alive);
    record::write(&mut bytes, 0x42, b"from the future");
    let mut table = table();
    assert_eq!(table.merge_bytes(&bytes, now()).unwrap().changed.len(), 1);
    record::write(&mut bytes, 0x42 | CRITICAL, b"must be known");
    assert!(matches!(table.merge_bytes(&bytes, now()), Err(Error::Decode(_))));
}

#[test]
fn unknown_fields_survive_with_their_signature() {
    let known = signed(1, 0, 0, Status::Alive, "x");
    let mut body = known.as_bytes()[..known.as_bytes().len() - 64].to_vec();
    body.extend_from_slice(&[200, 3, 1, 2, 3]);
    let signature = keys(1).sign(&[b"palaver node record v1\0", &body[..]].concat());
    body.extend_from_slice(&signature);
    let mut bytes = Vec::new();
    record::write(&mut bytes, KIND_NODE, &body);
    let (mut first, mut second) = (table(), table());
    let news = first.merge_bytes(&bytes, now()).unwrap().news;
    second.merge_bytes(&news, now()).unwrap();
    assert_eq!(second.record(&keys(1).node_id()).unwrap().as_bytes(), body);
}

#[test]
fn only_alive_and_left_are_a_nodes_own_to_say() {
    let dead = Precedence::new(0, Status::Dead).unwrap();
    let refused = NodeRecord::sign(&keys(1), dead, 0, "", "", &NodeMetadata::default());
    assert_eq!(refused, Err(Error::OwnStatus));
    let long = NodeRecord::sign(
        &keys(1),
        Precedence::new(0, Status::Alive).unwrap(),
        0,
        &"n".repeat(256),
        "",
        &NodeMetadata::default(),
    );
    assert!(matches!(long, Err(Error::Text { what: "name", .. })));
}

#[test]
fn a_name_id_has_no_key_and_so_no_record() {
    let name: NodeId = "node-1".parse().unwrap();
    assert!(table().record(&name).is_none());
}

#[test]
fn a_beat_tells_how_a_node_is_doing_and_that_it_lives() {
    let mut table = table();
    table.merge_bytes(&beat(1, 2, 1, 9).framed(), now()).unwrap();
    let id = keys(1).node_id();
    let heard = table.get(&id).unwrap();
    assert_eq!(heard.precedence, Precedence::new(2, Status::Alive).unwrap());
    assert_eq!(heard.last_heartbeat, now());
    assert_eq!(table.beat(&id).unwrap().vitals(), Vitals { load: 9, sessions: 70_000, draining: true });
}

#[test]
fn an_old_beat_is_no_sign_of_life() {
    let mut table = table();
    table.merge_bytes(&beat(1, 0, 5, 0).framed(), now()).unwrap();
    let later = Time::new(9.0).unwrap();
    let merged =
        table.merge_bytes(&[beat(1, 0, 4, 0).framed(), beat(1, 0, 5, 0).framed()].concat(), later).unwrap();
    assert!(merged.news.is_empty());
    assert_eq!(table.get(&keys(1).node_id()).unwrap().last_heartbeat, now());
}

#[test]
fn a_beat_does_not_change_the_digest() {
    let mut table = table();
    table.merge_bytes(&beat(1, 0, 1, 0).framed(), now()).unwrap();
    let root = table.root();
    table.merge_bytes(&beat(1, 0, 2, 0).framed(), now()).unwrap();
    assert_eq!(table.root(), root);
}

#[test]
fn a_forged_beat_is_refused() {
    let mut bytes = beat(1, 0, 1, 0).framed();
    bytes[3 + 48] ^= 1; // the load
    assert_eq!(table().merge_bytes(&bytes, now()), Err(Error::Signature));
}
