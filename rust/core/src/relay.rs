//! Relays: an SDP or candidates that one peer sends another, as nearly all clients write them in JSON. One pass reads what a
//! signaling node must know of one and checks the rest, which can then be passed on as it stands.

use std::ops::Range;

use crate::json::Cursor;
use crate::sdp::sound_json_prefix;

const MAX_ID_DIGITS: u64 = i64::MAX as u64;
const MAX_ID_CHARACTERS: usize = 64;
const MAX_NAME: usize = 128;
const MAX_GENERATION: u64 = i32::MAX as u64;
const MAX_CANDIDATES: usize = 32;
const MAX_CANDIDATE: usize = 1024;
const MAX_MID: usize = 128;
const MAX_LINE_INDEX: u64 = 65_535;
const MAX_FRAGMENT: usize = 256;
/// What is passed on has a frame with a size of 16 bits.
const MAX_PAYLOAD: usize = 48 * 1024;

/// What is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayMethod {
    /// sdpOffer.
    Offer,
    /// sdpAnswer.
    Answer,
    /// iceCandidate.
    Candidates,
}

/// The id of a request (JSON-RPC 2.0 § 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestId<'a> {
    /// 0 to 2^63 - 1.
    Number(u64),
    /// At most 64 characters, printable ASCII.
    Text(&'a str),
}

/// A request that passes something on to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay<'a> {
    /// None for a notification, which is not answered.
    pub id: Option<RequestId<'a>>,
    /// The peer that it is for.
    pub to: &'a str,
    /// What is passed on.
    pub sealed: Sealed,
}

/// What is passed on as it stands in the sender's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is.
    pub method: RelayMethod,
    /// The name of the transport that it concerns: its bytes in the message.
    pub transport: Range<usize>,
    /// Of the offer that it belongs to.
    pub generation: u32,
    /// Whether these are the last candidates (RFC 8838 § 14).
    pub end: bool,
    /// The SDP with its quotes, or the array of candidates: its bytes in the message.
    pub payload: Range<usize>,
}

/// Reads a message; None for one that needs a closer look: another method, an error, a field that stands twice, an unknown field
/// whose value is more than a word or a whole number, an escape outside of an SDP, an SDP above `max_sdp` bytes, anything above
/// 48 KiB, names that are not printable ASCII. O(bytes).
#[must_use]
pub fn read_relay(message: &[u8], max_sdp: usize) -> Option<Relay<'_>> {
    let mut cursor = Cursor::new(message);
    let mut fields = Fields::default();
    cursor.object(|cursor, key| match key {
        b"jsonrpc" => set(&mut fields.version, (cursor.string()? == "2.0").then_some(())?),
        b"method" => {
            let method = match cursor.string()? {
                "sdpOffer" => RelayMethod::Offer,
                "sdpAnswer" => RelayMethod::Answer,
                "iceCandidate" => RelayMethod::Candidates,
                _ => return None,
            };
            set(&mut fields.method, method)
        }
        b"id" => set(&mut fields.id, request_id(cursor)?),
        b"params" => cursor.object(|cursor, key| fields.param(cursor, key, max_sdp)),
        b"traceparent" => None,
        _ => cursor.scalar(),
    })?;
    cursor.finish()?;
    fields.relay()
}

#[derive(Default)]
struct Fields<'a> {
    version: Option<()>,
    method: Option<RelayMethod>,
    id: Option<RequestId<'a>>,
    transport: Option<Range<usize>>,
    to: Option<&'a str>,
    generation: Option<u32>,
    direction: Option<()>,
    sdp: Option<Range<usize>>,
    candidates: Option<Range<usize>>,
    end: Option<bool>,
}

impl<'a> Fields<'a> {
    /// Reads the value of one of the params.
    fn param(&mut self, cursor: &mut Cursor<'a>, key: &[u8], max_sdp: usize) -> Option<()> {
        match key {
            b"transport" => {
                let transport = name(cursor)?;
                let end = cursor.at() - 1;
                set(&mut self.transport, end - transport.len()..end)
            }
            b"to" => set(&mut self.to, name(cursor)?),
            b"generation" => set(&mut self.generation, u32::try_from(at_most(cursor, MAX_GENERATION)?).ok()?),
            b"direction" => set(&mut self.direction, (cursor.string()? == "p2p").then_some(())?),
            b"sdp" => {
                let start = cursor.at();
                cursor.eat(b'"')?;
                let length = sound_json_prefix(cursor.rest(), max_sdp)?;
                cursor.advance(length + 1);
                set(&mut self.sdp, start..cursor.at())
            }
            b"candidates" => {
                let start = cursor.at();
                let mut count = 0;
                cursor.array(|cursor| {
                    count += 1;
                    (count <= MAX_CANDIDATES).then_some(())?;
                    candidate(cursor)
                })?;
                set(&mut self.candidates, start..cursor.at())
            }
            b"end" => set(&mut self.end, cursor.boolean()?),
            _ => cursor.scalar(),
        }
    }

    /// The fields that the method needs, and no other.
    fn relay(self) -> Option<Relay<'a>> {
        self.version?;
        let method = self.method?;
        let of_sdp = method != RelayMethod::Candidates;
        let is_offer = method == RelayMethod::Offer;
        if self.direction.is_some() != is_offer || of_sdp && self.end.is_some() {
            return None;
        }
        let payload = match (of_sdp, self.sdp, self.candidates) {
            (true, Some(payload), None) | (false, None, Some(payload)) => payload,
            _ => return None,
        };
        if payload.len() > MAX_PAYLOAD {
            return None;
        }
        let (transport, generation, end) = (self.transport?, self.generation?, self.end.unwrap_or(false));
        Some(Relay {
            id: self.id,
            to: self.to?,
            sealed: Sealed { method, transport, generation, end, payload },
        })
    }
}

/// A field that stands twice is for a closer look.
fn set<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

fn request_id<'a>(cursor: &mut Cursor<'a>) -> Option<RequestId<'a>> {
    if cursor.peek()? == b'"' {
        let text = cursor.string()?;
        return (text.len() <= MAX_ID_CHARACTERS).then_some(RequestId::Text(text));
    }
    Some(RequestId::Number(at_most(cursor, MAX_ID_DIGITS)?))
}

fn name<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let name = cursor.string()?;
    (1..=MAX_NAME).contains(&name.len()).then_some(name)
}

fn at_most(cursor: &mut Cursor<'_>, limit: u64) -> Option<u64> {
    cursor.number().filter(|number| *number <= limit)
}

/// A candidate: the text alone, or an RTCIceCandidateInit (webrtc-pc § 4.8.1.1).
fn candidate(cursor: &mut Cursor<'_>) -> Option<()> {
    let text = |cursor: &mut Cursor<'_>, limit| (cursor.string()?.len() <= limit).then_some(());
    if cursor.peek()? == b'"' {
        return text(cursor, MAX_CANDIDATE);
    }
    let [mut line, mut mid, mut index, mut fragment] = [None; 4];
    cursor.object(|cursor, key| match key {
        b"candidate" => set(&mut line, text(cursor, MAX_CANDIDATE)?),
        b"sdpMid" => set(&mut mid, cursor.null_or(|cursor| text(cursor, MAX_MID))?),
        b"sdpMLineIndex" => {
            set(&mut index, cursor.null_or(|cursor| at_most(cursor, MAX_LINE_INDEX).map(|_| ()))?)
        }
        b"usernameFragment" => set(&mut fragment, cursor.null_or(|cursor| text(cursor, MAX_FRAGMENT))?),
        _ => None,
    })?;
    line
}

#[cfg(test)]
mod tests {
    use super::{RelayMethod, RequestId, read_relay};
    use crate::relay_frames::Place;

    const OFFER: &str = r#"{"jsonrpc":"2.0","id":7,"method":"sdpOffer","params":{"transport":"p","direction":"p2p","sdp":"v=0\r\n","generation":3,"to":"b"}}"#;
    const ICE: &str = r#"{"jsonrpc":"2.0","method":"iceCandidate","params":{"transport":"p","to":"b","generation":3,"candidates":["c"],"end":true}}"#;
    const PLACE: Place = Place { epoch: 4, seq: 18_446_744_073_709_551_615, prev: 0 };

    fn told(message: &str) -> String {
        let relay = read_relay(message.as_bytes(), 100).unwrap();
        let notification = relay.sealed.notification(message.as_bytes(), "a", PLACE).unwrap();
        let [header, body @ ..] = notification.parts();
        let body = body.concat();
        assert_eq!(header, [0x81, 126, 0, u8::try_from(body.len()).unwrap()]);
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_relay_is_read_and_told() {
        let relay = read_relay(OFFER.as_bytes(), 100).unwrap();
        assert_eq!((relay.id, relay.to), (Some(RequestId::Number(7)), "b"));
        assert_eq!((relay.sealed.method, relay.sealed.generation), (RelayMethod::Offer, 3));
        assert_eq!(
            told(OFFER),
            r#"{"jsonrpc":"2.0","method":"transportOffer","params":{"epoch":4,"seq":18446744073709551615,"prev":0,"from":"a","transport":"p","sdp":"v=0\r\n","generation":3}}"#
        );
        assert_eq!(
            told(ICE),
            r#"{"jsonrpc":"2.0","method":"transportIce","params":{"epoch":4,"seq":18446744073709551615,"prev":0,"from":"a","transport":"p","generation":3,"candidates":["c"],"end":true}}"#
        );
    }

    #[test]
    fn a_request_is_answered_and_a_notification_is_not() {
        let id = "i".repeat(64);
        for id in ["7", r#""""#, &format!("\"{id}\"")] {
            let offer = OFFER.replace(r#""id":7"#, &format!(r#""id":{id}"#));
            let relay = read_relay(offer.as_bytes(), 100).unwrap();
            let reply = relay.reply().unwrap();
            assert_eq!((reply[0], usize::from(reply[1])), (0x81, reply.len() - 2));
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"delivered":true}}}}"#);
            assert_eq!(&reply[2..], expected.as_bytes());
        }
        assert_eq!(read_relay(ICE.as_bytes(), 100).unwrap().reply(), None);
    }

    #[test]
    fn white_space_does_not_matter() {
        let spaced = OFFER.replace([','], " ,\n ").replace(':', "\t: ").replace("}}", "}\r} ");
        assert_eq!(told(&spaced), told(OFFER));
    }

    #[test]
    fn unknown_fields_do_not_matter() {
        for more in [r#""type":"offer""#, r#""more":7"#, r#""more":null"#, r#""more":true,"more":"twice""#] {
            for before in [r#""id":7"#, r#""to":"b""#] {
                assert_eq!(told(&OFFER.replace(before, &format!("{before},{more}"))), told(OFFER), "{more}");
            }
        }
    }

    #[test]
    fn what_is_not_plain_needs_a_closer_look() {
        let changes = [
            (r#""id":7"#, r#""id":7.0"#),
            (r#""id":7"#, r#""id":-7"#),
            (r#""id":7"#, r#""id":07"#),
            (r#""id":7"#, r#""id":9223372036854775808"#),
            (r#""id":7"#, r#""id":99999999999999999999"#),
            (r#""id":7"#, r#""id":null"#),
            (r#""id":7"#, r#""id":7,"id":7"#),
            (r#""id":7"#, r#""traceparent":"00""#),
            (r#""id":7"#, r#""more":[]"#),
            (r#""id":7"#, r#""more":1.5"#),
            (r#""id":7"#, r#""more":nul"#),
            (r#""to":"b""#, r#""to":"b","more":{}"#),
            (
                r#""to":"b""#,
                r#""to":"b","more":"
""#,
            ),
            ("2.0", "1.0"),
            ("p2p", "send"),
            (r#""direction":"p2p","#, ""),
            (r#""to":"b""#, r#""to":"""#),
            (r#""to":"b""#, r#""to":"\u0062""#),
            (r#""to":"b""#, "\"to\":\"\u{e9}\""),
            (r#""to":"b""#, r#""to":"b","end":true"#),
            (r#""to":"b""#, r#""to":"b","#),
            (r#""generation":3"#, r#""generation":2147483648"#),
            (r#""generation":3"#, r#""generation":3e0"#),
            ("v=0", "v=1"),
            ("}}", "}"),
            ("}}", "}}}"),
        ];
        for (old, new) in changes {
            let changed = OFFER.replace(old, new);
            assert_ne!(changed, OFFER);
            assert_eq!(read_relay(changed.as_bytes(), 100), None, "{changed}");
        }
        assert_eq!(read_relay(OFFER.as_bytes(), 6), None);
        let wide = ICE.replace(r#"["c""#, &format!(r#"[{}"c""#, " ".repeat(50_000)));
        assert_eq!(read_relay(wide.as_bytes(), 100), None);
        let long = OFFER.replace("v=0", &format!("v=0{}", r"\na=x".repeat(10_000)));
        assert_eq!(read_relay(long.as_bytes(), 100_000), None);
        for item in [
            r#"{"candidate":"c","candidate":"c"}"#,
            r#"{"sdpMid":"0"}"#,
            r#"{"candidate":"c","sdpMLineIndex":65536}"#,
            "7",
        ] {
            let changed = ICE.replace(r#""c""#, item);
            assert_eq!(read_relay(changed.as_bytes(), 100), None, "{changed}");
        }
        let many = ["\"c\""; 33].join(",");
        assert!(read_relay(ICE.replace(r#""c""#, &many[4..]).as_bytes(), 100).is_some());
        assert_eq!(read_relay(ICE.replace(r#""c""#, &many).as_bytes(), 100), None);
    }
}
