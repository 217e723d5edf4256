//! The write-ahead log as bytes: what is written, and what is found again after a crash.
//!
//! A log begins with a head: magic `PVWAL` and version (8 bytes), salt (8), number of the first frame (8), CRC-32 (4).
//! Then frames: length of the change (4), CRC-32 (4), number (8), kind (1), change. All little-endian. Every checksum
//! starts from the salt, so that nobody can hide the form of a frame inside a change.

use crate::Error;

/// The length of a log's head.
pub const LOG_HEAD: usize = 28;

const MAGIC: [u8; 8] = *b"PVWAL\0\0\x01";
const FRAME_HEAD: usize = 17;

/// One change of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number: one more than that of the frame before.
    pub seq: u64,
    /// What it is; its meaning belongs to the writer.
    pub kind: u8,
    /// The change.
    pub change: &'a [u8],
}

/// What stands after the last good frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    /// Nothing.
    Clean,
    /// A frame that was not written to its end when the process died: it was never acknowledged and may be cut off.
    Torn,
    /// A bad frame with a good one behind it: the medium has lost acknowledged changes.
    Corrupt,
}

/// A log that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay<'a> {
    /// The good frames from the beginning on.
    pub frames: Vec<Frame<'a>>,
    /// How many bytes the head and the good frames have.
    pub good: usize,
    /// What comes after them.
    pub end: LogEnd,
    /// How to go on writing.
    pub writer: LogWriter,
}

/// Encodes frames for the end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogWriter {
    salt: u64,
    next_seq: u64,
}

impl LogWriter {
    /// The longest change in bytes: 1 MiB.
    pub const MAX_CHANGE: usize = 1 << 20;

    /// The writer of a new log whose first frame will be `first_seq`. Take the salt from the operating system.
    #[must_use]
    pub fn new(salt: u64, first_seq: u64) -> Self {
        Self { salt, next_seq: first_seq }
    }

    /// The head of the new log.
    #[must_use]
    pub fn head(&self) -> [u8; LOG_HEAD] {
        let mut head = [0; LOG_HEAD];
        head[..8].copy_from_slice(&MAGIC);
        head[8..16].copy_from_slice(&self.salt.to_le_bytes());
        head[16..24].copy_from_slice(&self.next_seq.to_le_bytes());
        let sum = checksum(self.salt, &head[..24]);
        head[24..].copy_from_slice(&sum.to_le_bytes());
        head
    }

    /// The number that the next frame gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Appends the next frame to `out` and returns its number.
    pub fn frame(&mut self, out: &mut Vec<u8>, kind: u8, change: &[u8]) -> Result<u64, Error> {
        let length = u32::try_from(change.len()).ok().filter(|&length| length as usize <= Self::MAX_CHANGE);
        let Some(length) = length else {
            return Err(Error::TooLong { what: "change", max: Self::MAX_CHANGE, got: change.len() });
        };
        let seq = self.next_seq;
        let Some(following) = seq.checked_add(1) else {
            return Err(Error::Full { what: "numbering of the log", limit: usize::MAX });
        };
        let start = out.len();
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&seq.to_le_bytes());
        out.push(kind);
        out.extend_from_slice(change);
        let sum = frame_checksum(self.salt, &out[start..]);
        out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
        self.next_seq = following;
        Ok(seq)
    }
}

/// Reads a log. Refuses bytes whose head is not that of a log: then nothing of it can be trusted.
pub fn replay(log: &[u8]) -> Result<Replay<'_>, Error> {
    let head = log
        .first_chunk::<LOG_HEAD>()
        .ok_or(Error::Decode("a write-ahead log begins with a head of 28 bytes"))?;
    let salt = u64::from_le_bytes(head[8..16].try_into().expect("8 bytes"));
    if head[..8] != MAGIC || checksum(salt, &head[..24]).to_le_bytes() != head[24..] {
        return Err(Error::Decode("the head of a write-ahead log is damaged or of another version"));
    }
    let first_seq = u64::from_le_bytes(head[16..24].try_into().expect("8 bytes"));
    let mut writer = LogWriter::new(salt, first_seq);
    let (mut frames, mut good) = (Vec::new(), LOG_HEAD);
    while let Some(frame) = frame_at(salt, &log[good..]).filter(|frame| frame.seq == writer.next_seq) {
        good += FRAME_HEAD + frame.change.len();
        writer.next_seq = frame.seq.saturating_add(1);
        frames.push(frame);
    }
    let end = if good == log.len() {
        LogEnd::Clean
    } else if later_frame(salt, &log[good..], writer.next_seq) {
        LogEnd::Corrupt
    } else {
        LogEnd::Torn
    };
    Ok(Replay { frames, good, end, writer })
}

/// The frame at the beginning of `bytes`, if there is a good one.
fn frame_at(salt: u64, bytes: &[u8]) -> Option<Frame<'_>> {
    let head = bytes.first_chunk::<FRAME_HEAD>()?;
    let length = u32::from_le_bytes(head[..4].try_into().expect("4 bytes")) as usize;
    if length > LogWriter::MAX_CHANGE {
        return None;
    }
    let frame = bytes.get(..FRAME_HEAD + length)?;
    if frame_checksum(salt, frame).to_le_bytes() != head[4..8] {
        return None;
    }
    let seq = u64::from_le_bytes(head[8..16].try_into().expect("8 bytes"));
    Some(Frame { seq, kind: head[16], change: &frame[FRAME_HEAD..] })
}

/// Whether a good frame with a number from `next_seq` on begins anywhere in `bytes`.
fn later_frame(salt: u64, bytes: &[u8], next_seq: u64) -> bool {
    // There cannot be more frames than bytes: a cheap test that spares most checksums.
    let numbers = next_seq..=next_seq.saturating_add(bytes.len() as u64);
    (1..bytes.len().saturating_sub(FRAME_HEAD - 1)).any(|at| {
        let seq = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().expect("8 bytes"));
        numbers.contains(&seq) && frame_at(salt, &bytes[at..]).is_some()
    })
}

fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Over everything but the checksum itself.
fn frame_checksum(salt: u64, frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&frame[..4]);
    hasher.update(&frame[8..]);
    hasher.finalize()
}
