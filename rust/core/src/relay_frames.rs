//! What a signaling node writes when it relays: the reply to the sender and the event for the receiver, as frames of a server
//! (RFC 6455 § 5.2).

use crate::relay::{Relay, RelayMethod, RequestId, Sealed};

const FINAL_TEXT: u8 = 0x81;
/// The largest payload whose size stands in the second byte. No reply is larger: an id has at most 66 characters.
const MAX_SHORT: u8 = 125;

impl Relay<'_> {
    /// The reply that it was taken, as a whole text frame of a server; None for a notification.
    #[must_use]
    pub fn reply(&self) -> Option<Vec<u8>> {
        let mut reply = Vec::with_capacity(128);
        reply.extend_from_slice(&[FINAL_TEXT, 0]);
        match self.id? {
            RequestId::Number(number) => push_number(&mut reply, b"{\"jsonrpc\":\"2.0\",\"id\":", number),
            RequestId::Text(text) => {
                for part in [b"{\"jsonrpc\":\"2.0\",\"id\":\"", text.as_bytes(), b"\""] {
                    reply.extend_from_slice(part);
                }
            }
        }
        reply.extend_from_slice(match self.sealed.method {
            RelayMethod::Offer => b",\"result\":{\"delivered\":true}}",
            RelayMethod::Answer | RelayMethod::Candidates => b",\"result\":{}}",
        });
        reply[1] = u8::try_from(reply.len() - 2).ok().filter(|size| *size <= MAX_SHORT)?;
        Some(reply)
    }
}

/// An event for one receiver, as a whole text frame of a server (RFC 6455 § 5.2), in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    header: [u8; 4],
    header_size: usize,
    head: Vec<u8>,
    payload: &'a [u8],
    tail: Vec<u8>,
}

impl Notification<'_> {
    /// The parts in order.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 4] {
        [&self.header[..self.header_size], &self.head, self.payload, &self.tail]
    }
}

/// Where an event stands in its room (protocol § 3): `prev` is the number of the one that its receiver was sent before.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Of the room's log.
    pub epoch: u64,
    /// The event's number in it.
    pub seq: u64,
    /// The last that the receiver was sent.
    pub prev: u64,
}

impl Sealed {
    /// What the receiver is told. `message` is the one that this was read of; `from` is the sender's peer id, which has no
    /// character that JSON escapes. None above 64 KiB.
    #[must_use]
    pub fn notification<'a>(&self, message: &'a [u8], from: &str, place: Place) -> Option<Notification<'a>> {
        let (transport, payload) = (&message[self.transport.clone()], &message[self.payload.clone()]);
        let event: &[u8] = match self.method {
            RelayMethod::Offer => b"transportOffer",
            RelayMethod::Answer => b"transportAnswer",
            RelayMethod::Candidates => b"transportIce",
        };
        let mut head = Vec::with_capacity(224 + from.len() + transport.len());
        let mut tail = Vec::with_capacity(48);
        head.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":\"");
        head.extend_from_slice(event);
        push_number(&mut head, b"\",\"params\":{\"epoch\":", place.epoch);
        push_number(&mut head, b",\"seq\":", place.seq);
        push_number(&mut head, b",\"prev\":", place.prev);
        for part in [b",\"from\":\"", from.as_bytes(), b"\",\"transport\":\"", transport, b"\""] {
            head.extend_from_slice(part);
        }
        let generation = |text: &mut Vec<u8>| push_number(text, b",\"generation\":", self.generation.into());
        if self.method == RelayMethod::Candidates {
            generation(&mut head);
            head.extend_from_slice(b",\"candidates\":");
            if self.end {
                tail.extend_from_slice(b",\"end\":true");
            }
        } else {
            head.extend_from_slice(b",\"sdp\":");
            generation(&mut tail);
        }
        tail.extend_from_slice(b"}}");
        let size = u16::try_from(head.len() + payload.len() + tail.len()).ok()?;
        let [high, low] = size.to_be_bytes();
        let (header, header_size) = if size <= MAX_SHORT.into() {
            ([FINAL_TEXT, low, 0, 0], 2)
        } else {
            ([FINAL_TEXT, 126, high, low], 4)
        };
        Some(Notification { header, header_size, head, payload, tail })
    }
}

/// Appends a key and a number.
fn push_number(text: &mut Vec<u8>, key: &[u8], mut number: u64) {
    text.extend_from_slice(key);
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[first..]);
}
