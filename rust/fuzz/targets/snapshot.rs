//! What a state store and anti-entropy read: a saved view, a reserved incarnation, bucket sums.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::{SavedState, Time, decode_ceiling, encode_ceiling, read_buckets, write_buckets};
use palaver_fuzz::table;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(state) = SavedState::decode(bytes) {
        assert_eq!(state.encode(), bytes);
        let mut restored = table();
        drop(restored.merge_bytes(&state.snapshot, Time::ZERO));
    }
    if let Ok(ceiling) = decode_ceiling(bytes) {
        assert_eq!(encode_ceiling(ceiling)[..], *bytes);
    }
    if let Ok(buckets) = read_buckets(bytes) {
        assert_eq!(write_buckets(&buckets), bytes);
        drop(table().difference(&buckets));
    }
});
