//! Records: type, length, value. They merge into a table, or change nothing, and what is news can be queued and merged again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::{BroadcastBuffer, Time, queue_news, record};
use palaver_fuzz::{hasher, table};

fuzz_target!(|bytes: &[u8]| {
    let (mut first, mut second) = (table(), table());
    let (root, snapshot) = (first.root(), first.snapshot_bytes());
    let merged = match first.merge_bytes(bytes, Time::ZERO) {
        Ok(merged) => merged,
        Err(_) => {
            assert_eq!((first.root(), first.snapshot_bytes()), (root, snapshot));
            return;
        }
    };
    let mut buffer = BroadcastBuffer::new(100, hasher()).expect("a bound in range");
    queue_news(&mut buffer, &merged.news, &first.self_id()).expect("news is made of good records");
    record::read(&merged.news).expect("news is made of good records");
    second.merge_bytes(&merged.news, Time::ZERO).expect("what one table takes another takes");
    assert_eq!(first.root(), second.root());
    assert!(first.merge_bytes(bytes, Time::ZERO).expect("as before").news.is_empty());
});
