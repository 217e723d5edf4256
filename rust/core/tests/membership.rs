//! The laws of the merge, on random tables.
#![allow(clippy::unwrap_used)]

use palaver_core::{
    Entry, Error, IdHashBuilder, MAX_INCARNATION, MembershipTable, NodeId, Precedence, Status, Time,
};
use proptest::prelude::*;

const NOW: f64 = 50.0;

fn id(index: u8) -> NodeId {
    NodeId::from_bytes([index; 16])
}

fn entry(index: u8, incarnation: u64, status: Status, heard: f64) -> Entry {
    Entry {
        id: id(index),
        precedence: Precedence::new(incarnation, status).unwrap(),
        last_heartbeat: Time::new(heard).unwrap(),
    }
}

fn table() -> MembershipTable {
    MembershipTable::new(id(0), 100, IdHashBuilder::new(7)).unwrap()
}

fn now() -> Time {
    Time::new(NOW).unwrap()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let incarnation = prop_oneof![4 => 0_u64..4, 1 => MAX_INCARNATION - 2..=MAX_INCARNATION];
    let one = (0_u8..6, incarnation, 0_usize..6, 0.0..100.0).prop_map(|(who, incarnation, status, heard)| {
        let status = if incarnation == MAX_INCARNATION { Status::Alive } else { Status::ALL[status] };
        entry(who, incarnation, status, heard)
    });
    prop::collection::vec(one, 0..24)
}

fn view(table: &MembershipTable) -> Vec<Entry> {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|row| row.id);
    rows
}

fn merged(batches: &[&[Entry]]) -> MembershipTable {
    let mut table = table();
    for batch in batches {
        table.merge(batch, now()).unwrap();
    }
    table
}

proptest! {
    #[test]
    fn merge_does_not_depend_on_order_repetition_or_partition(
        (all, shuffled) in entries().prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle())),
        cut in 0_usize..24,
    ) {
        let once = merged(&[&all]);
        let cut = cut.min(shuffled.len());
        let other = merged(&[&shuffled[cut..], &shuffled[..cut], &shuffled[cut..]]);
        prop_assert_eq!(view(&once), view(&other));
        prop_assert_eq!(once.root(), other.root());
        prop_assert_eq!(once.buckets(), other.buckets());
    }

    #[test]
    fn exchanging_views_makes_them_equal(left in entries(), right in entries()) {
        let (mut a, mut b) = (merged(&[&left]), merged(&[&right]));
        let (view_a, view_b) = (view(&a), view(&b));
        a.merge(&view_b, now()).unwrap();
        b.merge(&view_a, now()).unwrap();
        prop_assert_eq!(view(&a), view(&b));
        prop_assert_eq!(a.root(), b.root());
    }

    #[test]
    fn merging_what_is_known_is_no_news(all in entries()) {
        let mut table = merged(&[&all]);
        let before = view(&table);
        prop_assert_eq!(table.merge(&before, now()).unwrap(), []);
        prop_assert_eq!(view(&table), before);
    }

    #[test]
    fn the_news_is_all_that_another_view_lacks(first in entries(), second in entries()) {
        let (mut a, mut b) = (merged(&[&first]), merged(&[&first]));
        let news = a.merge(&second, now()).unwrap();
        b.merge(&news, now()).unwrap();
        prop_assert_eq!(a.root(), b.root());
    }

    #[test]
    fn precedences_never_go_down(batches in prop::collection::vec(entries(), 1..5)) {
        let mut table = table();
        for batch in &batches {
            let before = view(&table);
            table.merge(batch, now()).unwrap();
            for old in before {
                prop_assert!(table.get(&old.id).unwrap().precedence >= old.precedence);
            }
        }
    }

    #[test]
    fn a_running_node_never_says_that_it_is_accused(all in entries()) {
        let own = merged(&[&all]).get(&id(0)).unwrap().precedence.status();
        prop_assert!(matches!(own, Status::Alive | Status::Banned));
    }

    #[test]
    fn different_views_have_different_roots(left in entries(), right in entries()) {
        let (a, b) = (merged(&[&left]), merged(&[&right]));
        let gossiped = |t: &MembershipTable| view(t).iter().map(|e| (e.id, e.precedence)).collect::<Vec<_>>();
        prop_assert_eq!(gossiped(&a) == gossiped(&b), a.root() == b.root());
    }
}

proptest! {
    #[test]
    fn expiry_forgets_exactly_the_old_tombstones(
        batches in prop::collection::vec(entries(), 1..6),
        age in 0_u8..4,
    ) {
        let mut table = table();
        let mut risen = std::collections::HashMap::new();
        for (second, batch) in batches.iter().enumerate() {
            let now = Time::new(second as f64).unwrap();
            for row in table.merge(batch, now).unwrap() {
                risen.insert(row.id, now);
            }
        }
        let (age, now) = (Time::new(f64::from(age)).unwrap(), Time::new(batches.len() as f64).unwrap());
        let before = view(&table);
        let mut gone = table.expire(age, now);
        gone.sort_unstable();
        let old = |row: &&Entry| {
            row.id != id(0)
                && row.precedence.status() >= Status::Dead
                && now.since(risen[&row.id]) >= age.seconds()
        };
        prop_assert_eq!(&gone, &before.iter().filter(old).map(|row| row.id).collect::<Vec<_>>());
        let kept: Vec<_> = before.iter().filter(|row| !gone.contains(&row.id)).copied().collect();
        prop_assert_eq!(view(&table), kept.clone());
        // what is left is a table like any other: found by id, with the digest of its rows
        let mut same = self::table();
        same.merge(&kept, Time::new(1e9).unwrap()).unwrap();
        prop_assert_eq!(table.root(), same.root());
        for row in kept {
            prop_assert_eq!(table.get(&row.id), Some(row));
        }
        for id in gone {
            prop_assert_eq!(table.get(&id), None);
        }
    }
}

#[test]
fn hearing_a_suspicion_of_oneself_raises_the_incarnation() {
    let mut table = table();
    let news = table.merge(&[entry(0, 3, Status::Suspect, 0.0)], now()).unwrap();
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].precedence, Precedence::new(4, Status::Alive).unwrap());
}

#[test]
fn a_stale_suspicion_of_oneself_changes_nothing() {
    let mut table = table();
    table.update(id(0), Some(5), Status::Alive, None, now()).unwrap();
    assert!(table.merge(&[entry(0, 3, Status::Dead, 0.0)], now()).unwrap().is_empty());
    assert_eq!(table.get(&id(0)).unwrap().precedence.incarnation(), 5);
}

#[test]
fn one_that_left_stays_left_whatever_it_hears() {
    let mut table = table();
    assert!(table.update(id(0), Some(1), Status::Left, None, now()).unwrap());
    table.merge(&[entry(0, 1, Status::Dead, 0.0), entry(0, 2, Status::Suspect, 0.0)], now()).unwrap();
    assert_eq!(table.get(&id(0)).unwrap().precedence, Precedence::new(2, Status::Left).unwrap());
}

#[test]
fn a_goodbye_that_does_not_hold_changes_nothing() {
    let mut table = table();
    table.update(id(0), Some(5), Status::Alive, None, now()).unwrap();
    assert!(!table.update(id(0), Some(3), Status::Left, None, now()).unwrap());
    table.merge(&[entry(0, 5, Status::Suspect, 0.0)], now()).unwrap();
    assert_eq!(table.get(&id(0)).unwrap().precedence, Precedence::new(6, Status::Alive).unwrap());
}

#[test]
fn a_running_node_that_hears_it_left_says_it_is_here() {
    let mut table = table();
    table.merge(&[entry(0, 1, Status::Left, 0.0)], now()).unwrap();
    assert_eq!(table.get(&id(0)).unwrap().precedence, Precedence::new(2, Status::Alive).unwrap());
}

#[test]
fn a_dead_node_that_was_unknown_is_kept() {
    let mut table = table();
    assert_eq!(table.merge(&[entry(1, 2, Status::Dead, 0.0)], now()).unwrap().len(), 1);
    assert_eq!(table.merge(&[entry(1, 2, Status::Alive, 0.0)], now()).unwrap(), []);
}

#[test]
fn a_heartbeat_from_the_future_counts_as_now() {
    let mut table = table();
    table.merge(&[entry(1, 0, Status::Alive, 1e9)], now()).unwrap();
    assert_eq!(table.get(&id(1)).unwrap().last_heartbeat, now());
}

#[test]
fn a_merge_that_would_overfill_the_table_changes_nothing() {
    let mut table = MembershipTable::new(id(0), 3, IdHashBuilder::new(7)).unwrap();
    let known = [entry(1, 0, Status::Alive, 0.0), entry(2, 0, Status::Alive, 0.0)];
    table.merge(&known, now()).unwrap();
    let root = table.root();
    let more = [entry(1, 1, Status::Alive, 0.0), entry(3, 0, Status::Alive, 0.0)];
    assert_eq!(table.merge(&more, now()), Err(Error::Full { what: "membership table", limit: 3 }));
    assert_eq!(table.root(), root);
    table.merge(&[known, known].concat(), now()).unwrap();
}

#[test]
fn a_bucket_holds_the_ids_that_begin_with_its_number() {
    let mut table = table();
    let before = table.buckets();
    table.merge(&[entry(5, 0, Status::Alive, 0.0)], now()).unwrap();
    let changed: Vec<_> = (0..256).filter(|&b| table.buckets()[b] != before[b]).collect();
    assert_eq!(changed, [5]);
}

/// A merge, perhaps a broken one.
type Merge = fn(&mut MembershipTable, Entry);

/// The law that two orders of one multiset give one view, on a case for each way to break it.
fn orders_agree(merge: Merge) -> bool {
    let cases = [
        [entry(1, 2, Status::Dead, 0.0), entry(1, 1, Status::Alive, 0.0)],
        [entry(1, 2, Status::Dead, 0.0), entry(1, 2, Status::Alive, 0.0)],
        [entry(1, 2, Status::Dead, 0.0), entry(1, 3, Status::Alive, 0.0)],
        [entry(1, 2, Status::Left, 0.0), entry(2, 2, Status::Dead, 0.0)],
    ];
    cases.into_iter().all(|[first, second]| {
        let [mut one, mut other] = [table(), table()];
        merge(&mut one, first);
        merge(&mut one, second);
        merge(&mut other, second);
        merge(&mut other, first);
        view(&one) == view(&other)
    })
}

#[test]
fn a_merge_that_forgets_the_unknown_dead_or_lets_others_revive_is_noticed() {
    let real: Merge = |table, row| drop(table.merge(&[row], now()).unwrap());
    assert!(orders_agree(real));
    // What memberlist does (aliveNode, deadNode in state.go).
    let ignores_unknown_dead: Merge = |table, row| {
        if row.precedence.status() < Status::Dead || table.get(&row.id).is_some() {
            table.merge(&[row], now()).unwrap();
        }
    };
    assert!(!orders_agree(ignores_unknown_dead));
    let revives: Merge = |table, mut row| {
        if let Some(held) = table.get(&row.id)
            && row.precedence.status() == Status::Alive
            && row.precedence.incarnation() >= held.precedence.incarnation()
        {
            row.precedence = Precedence::new(held.precedence.incarnation() + 1, Status::Alive).unwrap();
        }
        table.merge(&[row], now()).unwrap();
    };
    assert!(!orders_agree(revives));
}
