//! Records: the type-length-value units of which packets, snapshots and log entries are made.
//!
//! | byte 0 | bytes 1–2 | then |
//! |---|---|---|
//! | kind, bit 7 set if critical | length of the body, little-endian | body |
//!
//! Records are kept and relayed as the very bytes they came in, so that signatures stay valid. A reader skips a kind it
//! does not know, unless that is critical: then it refuses the whole.

use crate::{Beat, Error, NodeId, NodeRecord, Precedence};

/// The kind bit of records that must not be skipped.
pub const CRITICAL: u8 = 0x80;

/// An id and a precedence, on the authority of whoever sends it.
pub const KIND_STATUS: u8 = 0x01;

/// What a node says of itself, signed by it: see [`NodeRecord`].
pub const KIND_NODE: u8 = 0x02;

/// How a node is doing, signed by it: see [`Beat`].
pub const KIND_BEAT: u8 = 0x03;

/// One member's word against another: see [`crate::engine::Accusation`].
pub const KIND_ACCUSATION: u8 = 0x04;

/// A quorum's word against a member: see [`crate::engine::Certificate`].
pub const KIND_CERTIFICATE: u8 = 0x05;

/// An administrator's word against a member: see [`crate::engine::Ban`].
pub const KIND_BAN: u8 = 0x06;

/// What the application spreads, signed by its origin.
pub const KIND_BROADCAST: u8 = 0x07;

const HEAD: usize = 3;
const STATUS: usize = 24;

/// The size of a status record.
pub const STATUS_RECORD_LENGTH: usize = HEAD + STATUS;

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Of this id this precedence holds.
    Status(NodeId, Precedence),
    /// A node about itself. Its signature has not been checked.
    Node(Box<NodeRecord>),
    /// How a node is doing. The signature has not been checked.
    Beat(Box<Beat>),
    /// Something of a later version.
    Unknown,
}

/// Appends one record to `out`.
///
/// # Panics
/// When `body` is longer than 65,535 bytes; every caller's is bounded far below.
pub fn write(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    let length = u16::try_from(body.len()).expect("a record's body is bounded below 64 KiB by its kind");
    out.push(kind);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
}

/// Appends a status record to `out`.
pub fn write_status(out: &mut Vec<u8>, id: &NodeId, precedence: Precedence) {
    let mut body = [0; STATUS];
    body[..16].copy_from_slice(id.as_bytes());
    body[16..].copy_from_slice(&precedence.bits().to_le_bytes());
    write(out, KIND_STATUS, &body);
}

/// Reads all records or refuses the bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<Record>, Error> {
    split(bytes).map(|part| part?.parse()).collect()
}

/// One record, not yet read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) kind: u8,
    /// Head and body: what is relayed.
    pub(crate) whole: &'a [u8],
}

impl Part<'_> {
    pub(crate) fn body(&self) -> &[u8] {
        &self.whole[HEAD..]
    }

    /// What a status record says.
    pub(crate) fn status(&self) -> Result<(NodeId, Precedence), Error> {
        let (id, bits) = self.status_bits()?;
        Ok((id, Precedence::from_bits(bits)?))
    }

    /// The same with the precedence as it came.
    pub(crate) fn status_bits(&self) -> Result<(NodeId, u64), Error> {
        let body: &[u8; STATUS] =
            self.body().try_into().map_err(|_| Error::Decode("a status record has 24 bytes"))?;
        let (id, bits) = body.split_first_chunk().expect("24 is more than 16");
        Ok((NodeId::from_bytes(*id), u64::from_le_bytes(bits.try_into().expect("24 less 16 is 8"))))
    }

    pub(crate) fn parse(&self) -> Result<Record, Error> {
        match self.kind {
            KIND_STATUS => self.status().map(|(id, precedence)| Record::Status(id, precedence)),
            KIND_NODE => Ok(Record::Node(Box::new(NodeRecord::decode(self.body())?))),
            KIND_BEAT => Ok(Record::Beat(Box::new(Beat::decode(self.body())?))),
            unknown if unknown & CRITICAL != 0 => {
                Err(Error::Decode("a critical record is of a kind unknown here"))
            }
            _ => Ok(Record::Unknown),
        }
    }
}

/// Cuts bytes into records; the last item is an error if they end within one.
pub(crate) fn split(bytes: &[u8]) -> impl Iterator<Item = Result<Part<'_>, Error>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (kind, length) = match rest {
            [] => return None,
            [kind, low, high, ..] => (*kind, usize::from(u16::from_le_bytes([*low, *high]))),
            _ => (0, usize::MAX - HEAD), // no head: longer than any bytes
        };
        let cut = rest.split_at_checked(HEAD + length);
        let (whole, tail) = cut.unwrap_or((rest, &[]));
        rest = tail;
        Some(cut.map(|_| Part { kind, whole }).ok_or(Error::Decode("the bytes end within a record")))
    })
}
