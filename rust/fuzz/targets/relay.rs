//! A client's message, read as a relay: what is read of it can be passed on as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::{Place, RelayMethod, is_sound_json, read_relay};

fuzz_target!(|message: &[u8]| {
    let Some(relay) = read_relay(message, 1000) else { return };
    let payload = &message[relay.sealed.payload.clone()];
    assert_eq!(relay.sealed.method != RelayMethod::Candidates, is_sound_json(payload, 1000));
    let place = Place { epoch: 1, seq: 2, prev: 1 };
    let notification = relay.sealed.notification(message, "peer", place).expect("less than 64 KiB");
    let [header, rest @ ..] = notification.parts();
    let size = rest.iter().map(|part| part.len()).sum::<usize>();
    let told = if header.len() == 2 {
        usize::from(header[1])
    } else {
        usize::from(u16::from_be_bytes([header[2], header[3]]))
    };
    assert_eq!(size, told);
});
