//! A greeting: only what its node signed makes a link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::Hello;
use palaver_fuzz::{cluster, links};

fuzz_target!(|bytes: &[u8]| {
    let Ok(hello) = Hello::decode(bytes, cluster()) else { return };
    assert_eq!(hello.as_bytes()[..], *bytes);
    thread_local!(static OWN: palaver_core::PairwiseLinks = links(9));
    let mut own = OWN.with(Clone::clone); // it never seals
    if own.establish(&hello).is_ok() {
        assert!(hello.verify() && own.contains(&hello.node_id()));
        assert_eq!(own.establish(&hello), Ok(()));
    } else {
        assert!(own.is_empty());
    }
});
