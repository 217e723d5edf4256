//! What a client of a WebSocket mostly sends: whole data frames, masked, one behind the other (RFC 6455 § 5.2).

/// A masked, unfragmented data frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientFrame<'a> {
    mask: [u8; 4],
    masked: &'a [u8],
}

/// Says of a first byte that this frame is the only one of its message.
const FINAL: u8 = 0x80;
/// Says of a second byte that the payload is masked.
const MASKED: u8 = 0x80;
/// Stands for a size of 16 bits behind it.
const WIDE: u8 = 126;

impl<'a> ClientFrame<'a> {
    /// Reads the frame at the start of `bytes` if it is whole, of this opcode and of at most `max_payload` bytes: the frame and how
    /// many bytes it takes. None for what needs a closer look: any other frame, one of more than 64 KiB, one that breaks a rule.
    #[must_use]
    pub fn read(bytes: &'a [u8], opcode: u8, max_payload: usize) -> Option<(Self, usize)> {
        let [first, second, rest @ ..] = bytes else { return None };
        if *first != FINAL | opcode || second & MASKED == 0 {
            return None;
        }
        let (size, rest) = match second & !MASKED {
            WIDE => {
                let (size, rest) = rest.split_first_chunk()?;
                let size = usize::from(u16::from_be_bytes(*size));
                (size >= usize::from(WIDE)).then_some((size, rest))? // the shortest form is the only one
            }
            size if size < WIDE => (usize::from(size), rest),
            _ => return None,
        };
        let (mask, rest) = rest.split_first_chunk()?;
        let masked = rest.get(..size).filter(|_| size <= max_payload)?;
        let taken = bytes.len() - rest.len() + size;
        Some((Self { mask: *mask, masked }, taken))
    }

    /// Bytes of payload.
    #[must_use]
    pub fn size(&self) -> usize {
        self.masked.len()
    }

    /// Writes the payload without its mask (§ 5.3). `into` is of its size.
    pub fn unmask(&self, into: &mut [u8]) {
        let [a, b, c, d] = self.mask;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (mut to, mut from) = (into.chunks_exact_mut(8), self.masked.chunks_exact(8));
        for (to, word) in (&mut to).zip(&mut from) {
            let word = u64::from_ne_bytes(word.try_into().expect("chunks of eight"));
            to.copy_from_slice(&(word ^ wide).to_ne_bytes());
        }
        for ((to, byte), mask) in
            to.into_remainder().iter_mut().zip(from.remainder()).zip([a, b, c, d].iter().cycle())
        {
            *to = byte ^ mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ClientFrame;

    fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match u16::try_from(payload.len()).unwrap() {
            size @ 0..126 => bytes.push(0x80 | size as u8),
            size => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&size.to_be_bytes());
            }
        }
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    proptest! {
        #[test]
        fn a_whole_frame_is_read_and_unmasked(
            mask: [u8; 4],
            payload in prop::collection::vec(any::<u8>(), 0..300),
            behind in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let one = frame(0x81, mask, &payload);
            let bytes = [&one[..], &behind].concat();
            let (read, taken) = ClientFrame::read(&bytes, 1, 300).unwrap();
            let mut into = vec![0; read.size()];
            read.unmask(&mut into);
            prop_assert_eq!((&into, taken), (&payload, one.len()));
            prop_assert_eq!(ClientFrame::read(&bytes, 2, 300), None);
            for cut in 0..one.len() {
                prop_assert_eq!(ClientFrame::read(&bytes[..cut], 1, 300), None);
            }
            if !payload.is_empty() {
                prop_assert_eq!(ClientFrame::read(&bytes, 1, payload.len() - 1), None);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..20), opcode in 0_u8..16) {
            if let Some((frame, taken)) = ClientFrame::read(&bytes, opcode, 100) {
                prop_assert!(frame.size() < taken && taken <= bytes.len());
            }
        }
    }

    #[test]
    fn what_is_not_plain_needs_a_closer_look() {
        let plain = frame(0x81, [0; 4], b"hello");
        assert!(ClientFrame::read(&plain, 1, 100).is_some());
        for first in [0x01, 0x80, 0x82, 0x88, 0x89, 0xC1, 0xA1, 0x91] {
            assert_eq!(ClientFrame::read(&frame(first, [0; 4], b"hello"), 1, 100), None, "{first:x}");
        }
        assert_eq!(ClientFrame::read(&[0x81, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1, 100), None, "without a mask");
        let wide = |size: u8| [&[0x81, 0x80 | 126, 0, size, 0, 0, 0, 0], &[b'x'; 200][..]].concat();
        assert!(ClientFrame::read(&wide(126), 1, 200).is_some());
        assert_eq!(ClientFrame::read(&wide(125), 1, 200), None, "not the shortest form");
        assert_eq!(ClientFrame::read(&[&[0x81, 0x80 | 127][..], &[0; 30]].concat(), 1, 200), None);
    }
}
