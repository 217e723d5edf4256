//! What a client sends over a WebSocket: plain frames, each taken whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::ClientFrame;

const TEXT: u8 = 1;
const MAX_PAYLOAD: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Some((frame, taken)) = ClientFrame::read(rest, TEXT, MAX_PAYLOAD) {
        let size = frame.size();
        let head = if size < 126 { 6 } else { 8 };
        assert_eq!(taken, head + size);
        assert!(size <= MAX_PAYLOAD);
        let mut payload = vec![0; size];
        frame.unmask(&mut payload);
        let mask = &rest[head - 4..head];
        assert!(
            payload
                .iter()
                .zip(&rest[head..taken])
                .zip(mask.iter().cycle())
                .all(|((is, was), mask)| *is == was ^ mask)
        );
        rest = &rest[taken..];
    }
});
