//! A datagram from the network: an envelope, a message, or a packet for one peer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::{GossipEnvelope, GossipMessage, PairwiseLinks};
use palaver_fuzz::{cluster, links};

fn acquainted() -> PairwiseLinks {
    let mut own = links(9);
    own.establish(links(8).hello()).expect("a good greeting");
    own
}

fuzz_target!(init: { acquainted(); }, |bytes: &[u8]| {
    if let Ok(envelope) = GossipEnvelope::decode(bytes, cluster()) {
        assert_eq!(envelope.as_bytes(), bytes);
        assert_eq!(envelope.payload().len() + GossipEnvelope::OVERHEAD, bytes.len());
    }
    if let Ok(message) = GossipMessage::decode(bytes, cluster()) {
        assert_eq!(message.envelope().as_bytes(), bytes);
    }
    thread_local!(static OWN: std::cell::RefCell<PairwiseLinks> = std::cell::RefCell::new(acquainted()));
    OWN.with_borrow_mut(|own| {
        if let Ok(Some(opened)) = own.open(bytes) {
            assert_eq!(opened.sender, links(8).hello().node_id());
        }
    });
});
