//! The shape of an SDP (RFC 8866 § 5): what has to hold before anybody relays or applies one.

use memchr::{memchr2, memchr3};

/// The number, from 1, of the first line that is not `<type>=<value>`; None where all are.
///
/// Line 1 is `v=0` and has an end. Lines end with CRLF or (tolerated, § 5) with LF; the last may go without. A value has
/// no CR, LF or NUL. O(bytes).
#[must_use]
pub fn first_bad_line(sdp: &[u8]) -> Option<usize> {
    let mut rest = sdp;
    for number in 1.. {
        let (line, end) = rest.split_at(memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len()));
        let fits = match line {
            _ if number == 1 => line == b"v=0",
            [b'a'..=b'z', b'=', ..] => true,
            _ => false,
        };
        if !fits {
            return Some(number);
        }
        rest = match end {
            [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => rest,
            [] if number > 1 => return None,
            _ => return Some(number),
        };
        if rest.is_empty() {
            return None;
        }
    }
    None
}

/// Whether an SDP that is still a JSON string, quotes included, can be passed on as it stands: it is a JSON string (RFC 8259
/// § 7), every line of it is `<type>=<value>`, and it has at most `max_bytes`.
///
/// False also for what would need a closer look: a control character as an escape, half of a surrogate pair. O(bytes).
#[must_use]
pub fn is_sound_json(quoted: &[u8], max_bytes: usize) -> bool {
    let Some((b'"', rest)) = quoted.split_first() else { return false };
    sound_json_prefix(rest, max_bytes).is_some_and(|length| length + 1 == rest.len())
}

/// The length of such an SDP up to the quote that ends it, of bytes that begin behind the first.
pub(crate) fn sound_json_prefix(rest: &[u8], max_bytes: usize) -> Option<usize> {
    let window = &rest[..rest.len().min(max_bytes + 1)];
    let (mut line, mut at) = (0, 0);
    loop {
        at += memchr2(b'\\', b'"', &window[at..])?;
        let ending = match &window[at..] {
            [b'"', ..] => break,
            [b'\\', b'r', b'\\', b'n', ..] => 4,
            [b'\\', b'n', ..] => 2,
            [b'\\', b'"' | b'\\' | b'/' | b't' | b'b' | b'f', ..] if line > 0 => {
                at += 2;
                continue;
            }
            [b'\\', b'u', escape @ ..] if line > 0 => {
                at += 2 + escaped_character(escape)?;
                continue;
            }
            _ => return None,
        };
        if !is_line(&window[line..at], line) {
            return None;
        }
        at += ending;
        line = at;
    }
    let text = &window[..at];
    // All bytes are looked at, so that the loop works on vectors of them.
    let controls = text.iter().fold(false, |found, byte| found | (*byte < 0x20));
    let is_whole = line > 0 && (line == at || is_line(&text[line..], line));
    (is_whole && !controls && std::str::from_utf8(text).is_ok()).then_some(at)
}

/// How many bytes the rest of a `\u` escape has, behind the `\u`: two of them where it is a surrogate pair (RFC 8259 § 7). None for
/// control characters and halves of a pair.
fn escaped_character(escape: &[u8]) -> Option<usize> {
    match unit(escape)? {
        0..0x20 | 0xdc00..0xe000 => None,
        0xd800..0xdc00 => {
            let low = unit(escape.get(4..)?.strip_prefix(br"\u")?)?;
            (0xdc00..0xe000).contains(&low).then_some(10)
        }
        _ => Some(4),
    }
}

/// The UTF-16 code unit of four hex digits.
fn unit(digits: &[u8]) -> Option<u32> {
    digits.get(..4)?.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// Whether the line that begins at `start` is `<type>=<value>`; the first is the version.
fn is_line(line: &[u8], start: usize) -> bool {
    if start == 0 { line == b"v=0" } else { matches!(line, [b'a'..=b'z', b'=', ..]) }
}

/// The same for an SDP that is still a MessagePack string, header included.
#[must_use]
pub fn is_sound_msgpack(packed: &[u8], max_bytes: usize) -> bool {
    let (length, text) = match packed {
        [head @ 0xa0..=0xbf, text @ ..] => (usize::from(head & 0x1f), text),
        [0xd9, length, text @ ..] => (usize::from(*length), text),
        [0xda, a, b, text @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), text),
        _ => return false, // 64 KiB and more: not worth a shortcut
    };
    length == text.len()
        && length <= max_bytes
        && std::str::from_utf8(text).is_ok()
        && first_bad_line(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::{first_bad_line, is_sound_json, is_sound_msgpack};

    #[test]
    fn what_is_sound_as_it_stands_is_sound_when_decoded() {
        let good = [
            r#""v=0\na=\u00fc\ud83d\uDE00\u2028""#,
            r#""v=0\r\na=x\r\n""#,
            r#""v=0\na=x\t\"\\\/""#,
            r#""v=0\r\n""#,
            r#""v=0\na=ü\n""#,
        ];
        for quoted in good {
            assert!(is_sound_json(quoted.as_bytes(), 100), "{quoted}");
            assert!(!is_sound_json(quoted.as_bytes(), 5), "{quoted}");
        }
        let bad = [
            r#""v=0""#,
            r#""v=0\r""#,
            r#""v=0\na=\u000a""#,
            r#""v=0\na=\u0000""#,
            r#""v=0\na=\ud83d""#,
            r#""v=0\na=\ud83d\u0041""#,
            r#""v=0\na=\ude00""#,
            r#""v=0\na=\u00f""#,
            r#""v=0\na=\u00fg""#,
            r#""v=0\n\u0061=x\n""#,
            r#""v=0\u000aa=x""#,
            r#""v=0\na=x\ra=y\n""#,
            r#""v=0\nA=x\n""#,
            r#""v=0\n\n""#,
            r#""v=0\na=\x\n""#,
            "\"v=0\\na=\t\"",
            r"7",
            r#"""#,
            "null",
        ];
        for quoted in bad {
            assert!(!is_sound_json(quoted.as_bytes(), 100), "{quoted}");
        }
        assert!(!is_sound_json(b"\"v=0\\na=\xff\"", 100));
    }

    #[test]
    fn a_packed_sdp_has_the_length_that_it_says() {
        assert!(is_sound_msgpack(b"\xa9v=0\r\na=x\n", 100));
        assert!(is_sound_msgpack(b"\xd9\x09v=0\r\na=x\n", 100));
        assert!(is_sound_msgpack(b"\xda\x00\x09v=0\r\na=x\n", 100));
        for bad in [
            &b"\xa8v=0\r\na=x\n"[..],
            b"\xa5v=0\r\n\xff",
            b"\xa6v=0\r\n\xff",
            b"\xa5v=1\r\n",
            b"\x07",
            b"",
            b"\xd9",
            b"\xa2v=",
        ] {
            assert!(!is_sound_msgpack(bad, 100), "{bad:?}");
        }
        assert!(!is_sound_msgpack(b"\xa5v=0\r\n", 4));
    }

    #[test]
    fn lines_end_with_crlf_or_lf_and_the_last_may_go_without() {
        for good in ["v=0\r\n", "v=0\n", "v=0\r\no=-\r\na=x\r\n", "v=0\na=x", "v=0\r\na=\nm=1\r\n"] {
            assert_eq!(first_bad_line(good.as_bytes()), None, "{good:?}");
        }
    }

    #[test]
    fn the_first_bad_line_is_named() {
        let cases = [
            ("", 1),
            ("v=0", 1),
            ("v=1\n", 1),
            ("v=0\n\n", 2),
            ("v=0\r\r\n", 1),
            ("v=0\na=x\r", 2),
            ("v=0\na=x\ra=y\n", 2),
            ("v=0\na=x\nA=y\n", 3),
            ("v=0\na=x\na\n", 3),
            ("v=0\na=x\0\n", 2),
        ];
        for (bad, line) in cases {
            assert_eq!(first_bad_line(bad.as_bytes()), Some(line), "{bad:?}");
        }
    }
}
