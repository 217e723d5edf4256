//! The log under every truncation and every single-bit flip.
#![allow(clippy::unwrap_used)]

use palaver_core::{Error, LOG_HEAD, LogEnd, LogWriter, replay};
use proptest::prelude::*;

fn log(first_seq: u64, changes: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let mut writer = LogWriter::new(0x5EED, first_seq);
    let mut bytes = writer.head().to_vec();
    let mut ends = vec![bytes.len()];
    for (index, change) in changes.iter().enumerate() {
        assert_eq!(writer.frame(&mut bytes, index as u8, change).unwrap(), first_seq + index as u64);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn changes() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), Vec::new(), vec![0; 40], b"four".to_vec()]
}

#[test]
fn what_is_written_is_found_again() {
    let (bytes, _) = log(7, &changes());
    let found = replay(&bytes).unwrap();
    assert_eq!(found.end, LogEnd::Clean);
    assert_eq!(found.frames.iter().map(|frame| frame.change.to_vec()).collect::<Vec<_>>(), changes());
    assert_eq!(found.frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [7, 8, 9, 10]);
    assert_eq!(found.writer.next_seq(), 11);
}

#[test]
fn a_log_cut_anywhere_keeps_every_whole_frame_and_says_what_is_torn() {
    let (bytes, ends) = log(0, &changes());
    for length in 0..=bytes.len() {
        if length < LOG_HEAD {
            assert!(matches!(replay(&bytes[..length]), Err(Error::Decode(_))));
            continue;
        }
        let found = replay(&bytes[..length]).unwrap();
        let whole = ends.iter().filter(|&&end| end <= length).count() - 1;
        assert_eq!(found.frames.len(), whole, "cut at {length}");
        assert_eq!(found.good, ends[whole]);
        let expected = if found.good == length { LogEnd::Clean } else { LogEnd::Torn };
        assert_eq!(found.end, expected, "cut at {length}");
    }
}

#[test]
fn no_flipped_bit_gives_a_wrong_change_and_one_before_the_last_frame_is_corruption() {
    let (bytes, ends) = log(0, &changes());
    for bit in 0..8 * bytes.len() {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if bit / 8 < LOG_HEAD {
            assert!(replay(&bad).is_err(), "bit {bit}");
            continue;
        }
        let found = replay(&bad).unwrap();
        let before = ends.iter().filter(|&&end| end <= bit / 8).count() - 1;
        assert_eq!(found.frames.len(), before, "bit {bit}");
        for (frame, change) in found.frames.iter().zip(changes()) {
            assert_eq!(frame.change, change);
        }
        let expected = if before + 1 < changes().len() { LogEnd::Corrupt } else { LogEnd::Torn };
        assert_eq!(found.end, expected, "bit {bit}");
    }
}

#[test]
fn a_tail_of_zeros_is_torn_and_not_a_frame() {
    let (mut bytes, _) = log(0, &changes());
    bytes.extend_from_slice(&[0; 4096]);
    let found = replay(&bytes).unwrap();
    assert_eq!((found.frames.len(), found.end), (4, LogEnd::Torn));
}

#[test]
fn a_frame_of_another_log_is_not_taken_for_a_later_one() {
    let mut inner = Vec::new();
    LogWriter::new(1, 1).frame(&mut inner, 0, b"planted").unwrap();
    let (bytes, ends) = log(0, &[inner]);
    let torn = &bytes[..ends[1] - 1];
    assert_eq!(replay(torn).unwrap().end, LogEnd::Torn);
}

#[test]
fn a_change_is_bounded() {
    let long = vec![0; LogWriter::MAX_CHANGE + 1];
    let mut writer = LogWriter::new(0, 0);
    let mut out = Vec::new();
    assert!(matches!(writer.frame(&mut out, 0, &long), Err(Error::TooLong { .. })));
    assert!(out.is_empty());
    assert_eq!(writer.frame(&mut out, 0, &long[1..]), Ok(0));
}

#[test]
fn numbers_end_and_do_not_begin_again() {
    let mut writer = LogWriter::new(0, u64::MAX);
    let mut out = Vec::new();
    assert!(matches!(writer.frame(&mut out, 0, b"x"), Err(Error::Full { .. })));
    assert!(out.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_after_a_good_head_are_frames_or_a_bad_end(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let (mut bytes, _) = log(0, &changes());
        bytes.extend_from_slice(&tail);
        let found = replay(&bytes).unwrap();
        prop_assert_eq!(found.frames.len(), 4);
        prop_assert_eq!(found.end == LogEnd::Clean, tail.is_empty());
    }

    #[test]
    fn any_changes_are_found_again(changes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)) {
        let (bytes, _) = log(3, &changes);
        let found = replay(&bytes).unwrap();
        prop_assert_eq!(found.frames.iter().map(|frame| frame.change.to_vec()).collect::<Vec<_>>(), changes);
        prop_assert_eq!(found.end, LogEnd::Clean);
    }
}
