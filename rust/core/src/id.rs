//! Node ids: sixteen bytes, with one text form that reads back to the same bytes.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::str::FromStr;

use crate::Error;

/// Sixteen bytes that name a node: the start of the BLAKE3 hash of its public key, or a short name padded with zeros.
///
/// Text form: a name of 1 to 15 characters from `A-Z a-z 0-9 . _ : -` stands for itself, every other id is 32
/// lower-case hex digits. Longer names stand for a hash ([`NodeId::of_long_name`]). Names are for tables without signatures;
/// no key hashes to one, so no signature is ever valid for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// The longest name, so that at least one zero follows it.
    pub const MAX_NAME: usize = 15;

    /// The longest text in characters that can stand for an id.
    pub const MAX_TEXT: usize = 128;

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id of the node that holds this public key.
    #[must_use]
    pub fn of_public_key(public_key: &[u8; 32]) -> Self {
        let hash = blake3::hash(public_key);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        Self(id)
    }

    /// The id that stands for a text of another form than [`FromStr`] reads: the start of its BLAKE3 hash in a mode of its own
    /// (`derive_key`), so that it cannot be made the id of a key. It does not tell the text.
    pub fn of_long_name(text: &str) -> Result<Self, Error> {
        if !(1..=Self::MAX_TEXT).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            return Err(Error::NodeId);
        }
        let hash = blake3::derive_key("palaver 2026-12-01 node id of a long name", text.as_bytes());
        Ok(Self(*hash.first_chunk().expect("32 is more than 16")))
    }

    /// The sixteen bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The name this id stands for, if it has the form of one.
    fn name(&self) -> Option<&str> {
        let length = self.0.iter().position(|&byte| byte == 0)?;
        let (name, padding) = self.0.split_at(length);
        if length == 0 || padding.iter().any(|&byte| byte != 0) || !name.iter().copied().all(in_name) {
            return None;
        }
        std::str::from_utf8(name).ok()
    }

    /// Calls `with` with the text form, without a heap allocation.
    pub fn with_text<R>(&self, with: impl FnOnce(&str) -> R) -> R {
        if let Some(name) = self.name() {
            return with(name);
        }
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        with(std::str::from_utf8(&hex).expect("hex digits are ASCII"))
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The value of each lower-case hex digit, 0xFF for every other byte.
const UNHEX: [u8; 256] = {
    let mut table = [0xFF; 256];
    let mut digit = 0;
    while digit < 16 {
        table[HEX[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-')
}

impl FromStr for NodeId {
    type Err = Error;

    #[inline]
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.as_bytes();
        let mut id = [0; 16];
        if text.len() == 32 {
            let mut seen = 0;
            for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
                let (high, low) = (UNHEX[usize::from(pair[0])], UNHEX[usize::from(pair[1])]);
                seen |= high | low;
                *byte = high << 4 | (low & 15);
            }
            if seen < 16 { Ok(Self(id)) } else { Err(Error::NodeId) }
        } else if (1..=Self::MAX_NAME).contains(&text.len()) && text.iter().copied().all(in_name) {
            id[..text.len()].copy_from_slice(text);
            Ok(Self(id))
        } else {
            Err(Error::NodeId)
        }
    }
}

impl TryFrom<&[u8]> for NodeId {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::NodeIdLength(bytes.len()))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes 16-byte ids for hash tables: one folded multiplication under a per-process seed, so that somebody who grinds
/// keys cannot choose where they fall.
#[derive(Debug, Clone, Copy)]
pub struct IdHashBuilder {
    seed: u64,
}

impl IdHashBuilder {
    /// A hasher for this process. Take the seed from the operating system.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The hash of sixteen bytes.
    #[must_use]
    pub fn hash(&self, bytes: &[u8; 16]) -> u64 {
        let both = u128::from_le_bytes(*bytes);
        fold((both as u64) ^ self.seed, ((both >> 64) as u64) ^ MULTIPLIER)
    }
}

/// The fractional digits of the golden ratio, as in splitmix64.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ MULTIPLIER.rotate_left(32)) * u128::from(b | 1);
    (wide as u64) ^ ((wide >> 64) as u64)
}

impl BuildHasher for IdHashBuilder {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher(self.seed)
    }
}

/// The state of [`IdHashBuilder`] when it is used through the standard collections.
#[derive(Debug)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = fold(self.0, u64::from_le_bytes(word));
        }
    }

    fn write_usize(&mut self, length: usize) {
        self.0 = fold(self.0, length as u64);
    }

    fn finish(&self) -> u64 {
        fold(self.0, MULTIPLIER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back_to_the_same_id() {
        for text in ["a", "node-1", "eu.west:1_b-2345", "00112233445566778899aabbccddeeff"] {
            let id: Result<NodeId, _> = text.parse();
            if text.len() == 16 {
                assert_eq!(id, Err(Error::NodeId));
            } else {
                assert_eq!(id.unwrap().to_string(), text);
            }
        }
    }

    #[test]
    fn hex_that_spells_a_name_is_that_name() {
        let hex: NodeId = "61000000000000000000000000000000".parse().unwrap();
        assert_eq!(hex, "a".parse().unwrap());
        assert_eq!(hex.to_string(), "a");
    }

    #[test]
    fn a_long_name_is_no_keys_id_and_no_other_names() {
        let id = NodeId::of_long_name("signaling-node-eu-west-1").unwrap();
        assert_eq!(id.to_string().len(), 32);
        assert_ne!(id, NodeId::of_long_name("signaling-node-eu-west-2").unwrap());
        let key = *b"a text of 32 bytes, like any key";
        assert_ne!(NodeId::of_long_name(std::str::from_utf8(&key).unwrap()), Ok(NodeId::of_public_key(&key)));
        let long = "ü".repeat(128);
        assert!(NodeId::of_long_name(&long).is_ok());
        for text in ["", "a\n", &(long + "ü")] {
            assert_eq!(NodeId::of_long_name(text), Err(Error::NodeId), "{text:?}");
        }
    }

    #[test]
    fn text_of_another_form_is_refused() {
        let long = "g".repeat(32);
        for text in [
            "",
            "with space",
            "ümlaut",
            "0011223344556677",
            long.as_str(),
            "A0112233445566778899aabbccddeeff",
        ] {
            assert_eq!(text.parse::<NodeId>(), Err(Error::NodeId), "{text}");
        }
    }

    #[test]
    fn the_id_of_a_key_is_the_start_of_its_blake3_hash() {
        let hash = blake3::hash(&[7; 32]);
        assert_eq!(NodeId::of_public_key(&[7; 32]).as_bytes()[..], hash.as_bytes()[..16]);
    }
}
