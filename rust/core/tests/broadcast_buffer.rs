//! The buffer against a plain list.
#![allow(clippy::unwrap_used)]

use palaver_core::{BroadcastBuffer, ChangeKey, Error, IdHashBuilder, NodeId, Priority};
use proptest::prelude::*;

fn key(n: u8) -> ChangeKey {
    ChangeKey { kind: 1, subject: NodeId::from_bytes([n; 16]) }
}

fn buffer(capacity: usize) -> BroadcastBuffer {
    BroadcastBuffer::new(capacity, IdHashBuilder::new(1)).unwrap()
}

fn batch(buffer: &mut BroadcastBuffer, max_bytes: usize) -> Vec<Vec<u8>> {
    let mut changes = Vec::new();
    let given = buffer.next_batch(max_bytes, |bytes| changes.push(bytes.to_vec()));
    assert_eq!(given, changes.iter().map(Vec::len).sum::<usize>());
    changes
}

/// A change in the model: what it is, how often it was told, when it got into its ring.
#[derive(Clone)]
struct Waiting {
    key: u8,
    priority: Priority,
    bytes: Vec<u8>,
    sent: u8,
    times: u8,
    since: usize,
}

#[derive(Debug, Clone)]
enum Step {
    Add { key: u8, priority: usize, length: usize, times: Option<u8> },
    Batch { max_bytes: usize },
    Withdraw { key: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let add = (0_u8..12, 0_usize..5, 1_usize..30, prop::option::of(0_u8..9))
        .prop_map(|(key, priority, length, times)| Step::Add { key, priority, length, times });
    let batch = (0_usize..120).prop_map(|max_bytes| Step::Batch { max_bytes });
    let withdraw = (0_u8..12).prop_map(|key| Step::Withdraw { key });
    prop::collection::vec(prop_oneof![4 => add, 4 => batch, 1 => withdraw], 0..80)
}

proptest! {
    #[test]
    fn the_buffer_does_what_a_sorted_list_does(script in steps(), capacity in 1_usize..10) {
        let mut buffer = buffer(capacity);
        let mut model: Vec<Waiting> = Vec::new();
        for (clock, step) in script.into_iter().enumerate() {
            match step {
                Step::Add { key: n, priority, length, times } => {
                    let priority = Priority::ALL[priority];
                    let bytes = vec![n; length];
                    let known = model.iter().any(|change| change.key == n);
                    model.sort_by_key(|change| (change.priority, change.sent, std::cmp::Reverse(change.since)));
                    let mut taken = known || model.len() < capacity;
                    if !taken && model.last().unwrap().priority >= priority {
                        model.pop();
                        taken = true;
                    }
                    let added = match times {
                        None => buffer.add_change(key(n), priority, &bytes),
                        Some(times) => buffer.add_minor_change(key(n), priority, &bytes, times),
                    };
                    prop_assert_eq!(added.unwrap(), taken);
                    // In a cluster of one the limit is 4.
                    let times = times.map_or(4, |times| times.clamp(1, 4));
                    if taken {
                        model.retain(|change| change.key != n);
                        model.push(Waiting { key: n, priority, bytes, sent: 0, times, since: clock * 1000 });
                    }
                }
                Step::Withdraw { key: n } => {
                    let known = model.iter().any(|change| change.key == n);
                    model.retain(|change| change.key != n);
                    prop_assert_eq!(buffer.withdraw(&key(n)), known);
                }
                Step::Batch { max_bytes } => {
                    model.sort_by_key(|change| (change.priority, change.sent, change.since));
                    let (mut room, mut expected) = (max_bytes, Vec::new());
                    for change in &mut model {
                        if change.bytes.len() <= room {
                            room -= change.bytes.len();
                            expected.push(change.bytes.clone());
                            change.sent += 1;
                            change.since = clock * 1000 + expected.len();
                        }
                    }
                    model.retain(|change| change.sent < change.times);
                    prop_assert_eq!(batch(&mut buffer, max_bytes), expected);
                }
            }
            prop_assert_eq!(buffer.len(), model.len());
        }
    }
}

#[test]
fn each_change_is_told_four_times_per_digit_of_the_cluster() {
    for (members, limit) in
        [(0, 4), (1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (1_000_000, 28), (usize::MAX, 63)]
    {
        let mut buffer = buffer(4);
        buffer.set_members(members);
        assert_eq!(buffer.transmit_limit(), limit, "{members}");
        buffer.add_change(key(1), Priority::Alive, b"x").unwrap();
        let told = (0..100).filter(|_| !batch(&mut buffer, 100).is_empty()).count();
        assert_eq!(told, usize::from(limit));
    }
}

#[test]
fn a_refutation_goes_before_everything_that_waits() {
    let mut buffer = buffer(10);
    for (n, priority) in Priority::ALL.into_iter().rev().enumerate() {
        buffer.add_change(key(n as u8), priority, &[priority as u8]).unwrap();
    }
    assert_eq!(batch(&mut buffer, 100), [[0], [1], [2], [3], [4]]);
}

#[test]
fn a_status_does_not_replace_an_address() {
    let mut buffer = buffer(10);
    buffer.add_change(key(1), Priority::Alive, b"status").unwrap();
    buffer.add_change(ChangeKey { kind: 2, ..key(1) }, Priority::Alive, b"address").unwrap();
    assert_eq!(batch(&mut buffer, 100).len(), 2);
}

#[test]
fn a_change_that_fits_no_packet_is_refused() {
    let long = vec![0; BroadcastBuffer::MAX_CHANGE + 1];
    let refused = buffer(1).add_change(key(1), Priority::Alive, &long);
    assert!(matches!(refused, Err(Error::TooLong { what: "change", .. })));
}
