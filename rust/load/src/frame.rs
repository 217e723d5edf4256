//! Frames as a client sends and reads them (RFC 6455 § 5), without an allocation per message.

/// Opcodes of RFC 6455 § 5.2.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A server that announces a longer frame is taken for broken.
const MAX_FRAME: u64 = 64 << 20;
/// The longest head of a client's frame: two bytes, a length of 64 bits, the mask.
const ROOM: usize = 14;

/// Appends a frame to `out`; `write` appends its payload. The head is put before it afterwards, and the payload masked.
pub(crate) fn append(out: &mut Vec<u8>, opcode: u8, mask: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&[0; ROOM]);
    write(out);
    let length = out.len() - begin - ROOM;
    let mut head = [0; ROOM];
    head[0] = 0x80 | opcode;
    let used = if length < 126 {
        head[1] = 0x80 | length as u8;
        2
    } else if let Ok(short) = u16::try_from(length) {
        head[1] = 0x80 | 126;
        head[2..4].copy_from_slice(&short.to_be_bytes());
        4
    } else {
        head[1] = 0x80 | 127;
        head[2..10].copy_from_slice(&(length as u64).to_be_bytes());
        10
    };
    let key = mask.to_ne_bytes();
    head[used..used + 4].copy_from_slice(&key);
    let used = used + 4;
    // The head is as short as it can be: the payload moves down to it.
    out.copy_within(begin + ROOM.., begin + used);
    out.truncate(begin + used + length);
    out[begin..begin + used].copy_from_slice(&head[..used]);
    apply_mask(&mut out[begin + used..], key);
}

/// XORs with the key, eight bytes at a time.
fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// One frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// Bytes it took in all.
    pub(crate) size: usize,
}

/// Reads the first frame; None: it is not whole yet.
///
/// # Errors
/// The rule that a server broke.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>, &'static str> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err("a frame has reserved bits that no extension gives a meaning");
    }
    if second & 0x80 != 0 {
        return Err("a server masked a frame");
    }
    let (head, length) = match second {
        126 => match bytes.get(2..4) {
            Some(size) => (4, u64::from(size[0]) << 8 | u64::from(size[1])),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(size) => (10, size.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    if length > MAX_FRAME {
        return Err("a frame is longer than 64 MiB");
    }
    let size = head + length as usize;
    let Some(payload) = bytes.get(head..size) else { return Ok(None) };
    Ok(Some(Frame { fin: first & 0x80 != 0, opcode: first & 0x0f, payload, size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(frame: &[u8], head: usize) -> Vec<u8> {
        let key = &frame[head..head + 4];
        frame[head + 4..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    #[test]
    fn a_frame_has_the_shortest_head_and_a_masked_payload() {
        for (length, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let payload: Vec<u8> = (0..length).map(|each| each as u8).collect();
            let mut out = b"before".to_vec();
            append(&mut out, TEXT, 0x1234_5678, |out| out.extend_from_slice(&payload));
            assert_eq!(&out[..6], b"before");
            assert_eq!(out.len(), 6 + head + 4 + length);
            assert_eq!(unmasked(&out[6..], head), payload);
        }
    }

    #[test]
    fn a_frame_that_is_not_whole_is_waited_for() {
        let whole = [&[0x81, 126, 0, 200][..], &[7; 200]].concat();
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Ok(None));
        }
        let frame = read(&whole).expect("it is well formed").expect("it is whole");
        assert_eq!((frame.fin, frame.opcode, frame.payload.len(), frame.size), (true, TEXT, 200, 204));
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        assert!(read(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(read(&[0xc1, 0]).is_err());
        assert!(read(&[0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
