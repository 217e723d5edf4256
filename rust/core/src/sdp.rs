//! The shape of an SDP (RFC 8866 § 5): what has to hold before anybody relays or applies one.

use memchr::memchr3;

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

#[cfg(test)]
mod tests {
    use super::first_bad_line;

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
