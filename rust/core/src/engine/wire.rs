//! What engines say to each other: the payload of a sealed packet, told apart by the type of its head.
//!
//! | type | name | payload |
//! |---|---|---|
//! | 16 | ping | nonce (4), root (16), load (2), sessions (4), flags (1), records |
//! | 17 | ack | as ping |
//! | 18 | ping request | nonce (4), subject (16) |
//! | 19 | nack | nonce (4) |
//! | 20 | gossip | records |
//! | 21 | accuse | records, of which accusations count |
//! | 22 | leave | records, of which the own one counts |
//! | 23 | leave ack | – |
//! | 24 | sync request | 256 bucket sums of 16 bytes |
//! | 25 | sync reply | flags (1): bit 0 = more follows; bucket bits (32); records |
//! | 26 | sync push | records |
//!
//! Numbers are little-endian; records are as in [`crate::record`]. Unknown types are ignored.

use crate::{Error, NodeId, Vitals, read_buckets, write_buckets};

/// The length of a ping or ack without records.
pub(super) const PING: usize = 27;

const DRAINING: u8 = 1;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message<'a> {
    Ping(Ping<'a>),
    Ack(Ping<'a>),
    PingRequest { nonce: u32, subject: NodeId },
    Nack { nonce: u32 },
    Gossip { records: &'a [u8] },
    Accuse { records: &'a [u8] },
    Leave { records: &'a [u8] },
    LeaveAck,
    SyncRequest { sums: Box<[u128; 256]> },
    SyncReply { more: bool, buckets: [u8; 32], records: &'a [u8] },
    SyncPush { records: &'a [u8] },
}

/// What pings and acks carry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ping<'a> {
    pub(super) nonce: u32,
    pub(super) root: u128,
    pub(super) vitals: Vitals,
    pub(super) records: &'a [u8],
}

impl<'a> Message<'a> {
    /// The type in the head of the packet.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Ping(_) => 16,
            Self::Ack(_) => 17,
            Self::PingRequest { .. } => 18,
            Self::Nack { .. } => 19,
            Self::Gossip { .. } => 20,
            Self::Accuse { .. } => 21,
            Self::Leave { .. } => 22,
            Self::LeaveAck => 23,
            Self::SyncRequest { .. } => 24,
            Self::SyncReply { .. } => 25,
            Self::SyncPush { .. } => 26,
        }
    }

    /// The payload.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(PING + 64);
        match self {
            Self::Ping(ping) | Self::Ack(ping) => {
                out.extend_from_slice(&ping.nonce.to_le_bytes());
                out.extend_from_slice(&ping.root.to_le_bytes());
                out.extend_from_slice(&ping.vitals.load.to_le_bytes());
                out.extend_from_slice(&ping.vitals.sessions.to_le_bytes());
                out.push(if ping.vitals.draining { DRAINING } else { 0 });
                out.extend_from_slice(ping.records);
            }
            Self::PingRequest { nonce, subject } => {
                out.extend_from_slice(&nonce.to_le_bytes());
                out.extend_from_slice(subject.as_bytes());
            }
            Self::Nack { nonce } => out.extend_from_slice(&nonce.to_le_bytes()),
            Self::Gossip { records }
            | Self::Accuse { records }
            | Self::Leave { records }
            | Self::SyncPush { records } => out.extend_from_slice(records),
            Self::LeaveAck => {}
            Self::SyncRequest { sums } => out = write_buckets(sums),
            Self::SyncReply { more, buckets, records } => {
                out.push(u8::from(*more));
                out.extend_from_slice(buckets);
                out.extend_from_slice(records);
            }
        }
        out
    }

    /// Reads a payload; `None` for a type of a later version.
    pub(super) fn decode(kind: u8, payload: &'a [u8]) -> Result<Option<Self>, Error> {
        Ok(Some(match kind {
            16 => Self::Ping(Ping::decode(payload)?),
            17 => Self::Ack(Ping::decode(payload)?),
            18 => {
                let (nonce, subject) =
                    payload.split_first_chunk().ok_or(Error::Decode("a ping request has 20 bytes"))?;
                Self::PingRequest { nonce: u32::from_le_bytes(*nonce), subject: NodeId::try_from(subject)? }
            }
            19 => {
                let nonce = payload.try_into().map_err(|_| Error::Decode("a nack has 4 bytes"))?;
                Self::Nack { nonce: u32::from_le_bytes(nonce) }
            }
            20 => Self::Gossip { records: payload },
            21 => Self::Accuse { records: payload },
            22 => Self::Leave { records: payload },
            23 => Self::LeaveAck,
            24 => Self::SyncRequest { sums: Box::new(read_buckets(payload)?) },
            25 => {
                let [flags, rest @ ..] = payload else { return Err(Self::SHORT_REPLY) };
                let (buckets, records) = rest.split_first_chunk().ok_or(Self::SHORT_REPLY)?;
                Self::SyncReply { more: flags & 1 != 0, buckets: *buckets, records }
            }
            26 => Self::SyncPush { records: payload },
            _ => return Ok(None),
        }))
    }

    const SHORT_REPLY: Error = Error::Decode("a sync reply has at least 33 bytes");
}

impl<'a> Ping<'a> {
    fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        let (fixed, records) =
            payload.split_first_chunk::<PING>().ok_or(Error::Decode("a ping has at least 27 bytes"))?;
        let (nonce, rest) = fixed.split_first_chunk().expect("27 is more than 4");
        let (root, rest) = rest.split_first_chunk().expect("23 is more than 16");
        let vitals = Vitals {
            load: u16::from_le_bytes([rest[0], rest[1]]),
            sessions: u32::from_le_bytes([rest[2], rest[3], rest[4], rest[5]]),
            draining: rest[6] & DRAINING != 0,
        };
        Ok(Self { nonce: u32::from_le_bytes(*nonce), root: u128::from_le_bytes(*root), vitals, records })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_read_back_and_no_cut_panics() {
        let ping = Ping {
            nonce: 7,
            root: 9 << 100,
            vitals: Vitals { load: 3, sessions: 70_000, draining: true },
            records: b"records",
        };
        let messages = [
            Message::Ping(ping.clone()),
            Message::Ack(ping),
            Message::PingRequest { nonce: 1, subject: NodeId::from_bytes([3; 16]) },
            Message::Nack { nonce: 2 },
            Message::Gossip { records: b"r" },
            Message::Accuse { records: b"r" },
            Message::Leave { records: b"r" },
            Message::LeaveAck,
            Message::SyncRequest { sums: Box::new([5; 256]) },
            Message::SyncReply { more: true, buckets: [1; 32], records: b"r" },
            Message::SyncPush { records: b"r" },
        ];
        for message in messages {
            let bytes = message.encode();
            assert_eq!(Message::decode(message.kind(), &bytes), Ok(Some(message.clone())));
            for length in 0..bytes.len() {
                let _ = Message::decode(message.kind(), &bytes[..length]); // refused or shorter
            }
        }
        assert_eq!(Message::decode(200, b""), Ok(None));
    }
}
