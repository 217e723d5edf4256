//! What the bytes of a JSON message show before it is decoded (RFC 8259).

/// What one pass over a message has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// All printable ASCII, but for white space, and without an escape: no text in it breaks a rule for text.
    pub is_plain: bool,
    /// Brackets that open, those in strings included: it cannot nest deeper.
    pub openers: usize,
}

/// Looks at a JSON message. O(bytes), some 16 at a time.
#[must_use]
pub fn json_shape(message: &[u8]) -> Shape {
    let mut odd = 0u8;
    let mut openers = 0;
    for block in message.chunks(128) {
        // A byte counts what a block can hold, so that the loop works on vectors of bytes.
        let mut opening = 0u8;
        for byte in block {
            odd |= byte & 0x80 | u8::from(*byte == b'\\') | u8::from(*byte == 0x7f);
            opening += u8::from(*byte | 0x20 == b'{');
        }
        openers += usize::from(opening);
    }
    Shape { is_plain: odd == 0, openers }
}

#[cfg(test)]
mod tests {
    use super::{Shape, json_shape};

    #[test]
    fn a_message_is_plain_and_shallow_or_not() {
        let cases: [(&[u8], bool, usize); 6] = [
            (b"", true, 0),
            (b"{\"a\":[1]}", true, 2),
            (b"{\"a\":\"\\n\"}", false, 1),
            (b"\x7f", false, 0),
            ("[\"ü\"]".as_bytes(), false, 1),
            (&[b'['; 300], true, 300),
        ];
        for (message, is_plain, openers) in cases {
            assert_eq!(json_shape(message), Shape { is_plain, openers });
        }
    }
}
