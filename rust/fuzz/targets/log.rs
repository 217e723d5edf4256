//! The bytes of a write-ahead log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::{LogEnd, replay};

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = replay(bytes) else { return };
    assert!(read.good <= bytes.len());
    assert!(read.end != LogEnd::Clean || read.good == bytes.len());
    let again = replay(&bytes[..read.good]).expect("the good part is a log");
    assert_eq!(again.frames, read.frames);
    assert_eq!(again.end, LogEnd::Clean);
    let mut longer = bytes[..read.good].to_vec();
    let mut writer = read.writer;
    writer.frame(&mut longer, 7, b"next").expect("a short change");
    let longer = replay(&longer).expect("the good part and a frame");
    assert_eq!(longer.frames.len(), read.frames.len() + 1);
    assert_eq!(longer.frames.last().map(|frame| frame.change), Some(&b"next"[..]));
});
