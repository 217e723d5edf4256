//! The tests notice when a rule is broken: each rule is, one by one.

use super::histories::{self, Break, Rule};

#[test]
fn every_broken_rule_is_noticed() {
    let mutants: [(&str, Break, Rule); 14] = [
        ("signatures are not checked", |r| r.check_signatures = false, histories::two_liars_evict_nobody),
        (
            "foreign incarnations are accepted",
            |r| r.own_incarnation_only = false,
            histories::two_liars_evict_nobody,
        ),
        ("others may revive the dead", |r| r.own_revival_only = false, histories::nobody_revives_another),
        ("deaths are believed unproven", |r| r.certified_deaths = false, histories::two_liars_evict_nobody),
        ("accusers are not counted", |r| r.count_accusers = false, histories::two_liars_evict_nobody),
        ("the accused do not answer", |r| r.refute = false, histories::random_histories_keep_the_promises),
        (
            "views are never compared",
            |r| r.anti_entropy = false,
            histories::random_histories_keep_the_promises,
        ),
        ("broadcasts are told again", |r| r.deduplicate = false, histories::a_broadcast_is_told_once),
        (
            "packets are taken twice",
            |r| r.replay_window = false,
            histories::a_replayed_packet_is_not_answered,
        ),
        (
            "old records are believed",
            |r| r.refuse_old = false,
            histories::a_trace_replayed_after_two_days_changes_nothing,
        ),
        ("pauses are not noticed", |r| r.pause_guard = false, histories::a_stopped_process_blames_nobody),
        ("partitions kill", |r| r.brake = false, histories::a_partition_kills_nobody),
        ("the buried may come back", |r| r.tombstones = false, histories::the_buried_stay_buried),
        (
            "incarnations are not reserved",
            |r| r.reserve_incarnations = false,
            histories::incarnations_survive_a_clock_that_goes_back,
        ),
    ];
    let unnoticed: Vec<&str> = mutants
        .into_iter()
        .filter(|(_, broken, rule)| rule(*broken).is_ok())
        .map(|(name, ..)| name)
        .collect();
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

#[test]
fn a_cluster_that_greets_nobody_does_not_find_a_late_seed() {
    assert!(histories::a_seed_that_starts_later_is_found(|r| r.heal = false).is_err());
}
