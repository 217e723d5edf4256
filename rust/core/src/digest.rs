//! The digest of a view: a sum of hashes, kept up with every change, by which two nodes see whether they agree.
//!
//! Each row has a fingerprint, the first 16 bytes of a keyed BLAKE3 hash of what is gossiped of it. 256 buckets, by the first
//! byte of the id, hold the sums of the fingerprints modulo 2^128; the root is the sum of the buckets. The order in which rows
//! came does not matter.
//!
//! One hash alone costs 77 ns and sixteen at once 170, because the processor hashes them side by side. So changed rows wait
//! until there are sixteen, or until whoever asks often has them settled. Whoever asks meanwhile gets the digest with the
//! waiting rows hashed in, which are few: no answer depends on when the hashing was done.

use blake3::IncrementCounter;
use blake3::platform::Platform;

use crate::{NodeId, Precedence};

/// What is hashed of a row: id, precedence and the digest of its signed record, then zeros up to one block of BLAKE3.
type Block = [u8; 64];

/// So many rows wait at most: what AVX-512 hashes at once.
const LANES: usize = 16;

const KEY: &[u8; 32] = b"palaver membership digest v1 key";

/// Fingerprints by row and their sums.
#[derive(Debug, Clone)]
pub(crate) struct Digest {
    fingerprints: Vec<u128>,
    buckets: Box<[u128; 256]>,
    root: u128,
    rows: [u32; LANES],
    blocks: Box<[Block; LANES]>,
    waiting: usize,
}

impl Digest {
    /// The digest of no rows.
    pub(crate) fn new() -> Self {
        Self {
            fingerprints: Vec::new(),
            buckets: Box::new([0; 256]),
            root: 0,
            rows: [0; LANES],
            blocks: Box::new([[0; 64]; LANES]),
            waiting: 0,
        }
    }

    /// Adds a row behind the last.
    pub(crate) fn push(&mut self, id: &NodeId, precedence: Precedence, record: &[u8; 16]) {
        let row = self.fingerprints.len();
        self.fingerprints.push(0); // counts for nothing until it is hashed
        self.change(row, id, precedence, record);
    }

    /// Says what is gossiped of a row from now on.
    pub(crate) fn change(&mut self, row: usize, id: &NodeId, precedence: Precedence, record: &[u8; 16]) {
        let row = u32::try_from(row).expect("a row number has 32 bits");
        let waiting = &self.rows[..self.waiting];
        let slot = waiting.iter().position(|&other| other == row).unwrap_or(self.waiting);
        let block = &mut self.blocks[slot];
        block[..16].copy_from_slice(id.as_bytes());
        block[16..24].copy_from_slice(&precedence.bits().to_le_bytes());
        block[24..40].copy_from_slice(record);
        self.rows[slot] = row;
        self.waiting = self.waiting.max(slot + 1);
        if self.waiting == LANES {
            self.settle();
        }
    }

    /// Removes a row; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, row: usize, id: &NodeId) {
        self.settle();
        let bucket = &mut self.buckets[bucket_of(id.as_bytes())];
        *bucket = bucket.wrapping_sub(self.fingerprints[row]);
        self.root = self.root.wrapping_sub(self.fingerprints[row]);
        self.fingerprints.swap_remove(row);
    }

    /// The sum of all fingerprints.
    pub(crate) fn root(&self) -> u128 {
        self.hashed().fold(self.root, |sum, (_, old, new)| sum.wrapping_sub(old).wrapping_add(new))
    }

    /// The sums by the first byte of the id.
    pub(crate) fn buckets(&self) -> [u128; 256] {
        let mut buckets = *self.buckets;
        for (bucket, old, new) in self.hashed() {
            buckets[bucket] = buckets[bucket].wrapping_sub(old).wrapping_add(new);
        }
        buckets
    }

    /// Hashes all that waits.
    pub(crate) fn settle(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let hashed: [_; LANES] = std::array::from_fn({
            let mut changes = self.hashed();
            move |_| changes.next()
        });
        for ((bucket, old, new), row) in hashed.into_iter().flatten().zip(self.rows) {
            self.buckets[bucket] = self.buckets[bucket].wrapping_sub(old).wrapping_add(new);
            self.root = self.root.wrapping_sub(old).wrapping_add(new);
            self.fingerprints[row as usize] = new;
        }
        self.waiting = 0;
    }

    /// Of each waiting row its bucket, the fingerprint that is in the sums and the one that should be.
    fn hashed(&self) -> impl Iterator<Item = (usize, u128, u128)> + '_ {
        let blocks = &self.blocks[..self.waiting];
        let rows = self.rows.iter().map(|&row| self.fingerprints[row as usize]);
        blocks
            .iter()
            .zip(rows)
            .zip(fingerprints(blocks))
            .map(|((block, old), new)| (bucket_of(block), old, new))
    }
}

fn bucket_of(id: &[u8]) -> usize {
    usize::from(id[0])
}

/// `blake3::keyed_hash(KEY, block)`, the first half, of up to sixteen blocks.
///
/// The crate has no documented way to hash several short inputs side by side. This one is public but may change with a
/// minor version, to which Cargo.toml holds it; the test below compares it with the documented one, which can take its place.
fn fingerprints(blocks: &[Block]) -> [u128; LANES] {
    const CHUNK_START: u8 = 1; // the flags of §2.2 of the BLAKE3 paper: one block is a whole chunk and the root
    const CHUNK_END_AND_ROOT: u8 = 2 | 8;
    const KEYED_HASH: u8 = 16;
    let mut inputs = [&[0; 64]; LANES];
    for (input, block) in inputs.iter_mut().zip(blocks) {
        *input = block;
    }
    let mut hashes = [0; 32 * LANES];
    if !blocks.is_empty() {
        Platform::detect().hash_many(
            &inputs[..blocks.len()],
            &blake3::platform::words_from_le_bytes_32(KEY),
            0,
            IncrementCounter::No,
            KEYED_HASH,
            CHUNK_START,
            CHUNK_END_AND_ROOT,
            &mut hashes,
        );
    }
    std::array::from_fn(|lane| {
        u128::from_le_bytes(hashes[32 * lane..32 * lane + 16].try_into().expect("sixteen bytes"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Status;

    fn naive(block: &Block) -> u128 {
        u128::from_le_bytes(*blake3::keyed_hash(KEY, block).as_bytes().first_chunk().unwrap())
    }

    proptest! {
        /// Rows are added, changed and removed, and now and then somebody asks or settles.
        #[test]
        fn the_digest_kept_up_is_the_digest_computed_anew(
            script in prop::collection::vec((0_u8..8, any::<u8>(), 0_u64..9), 0..200),
        ) {
            let (mut digest, mut rows) = (Digest::new(), Vec::<(NodeId, Block)>::new());
            for (verb, which, incarnation) in script {
                let precedence = Precedence::new(incarnation, Status::Alive).unwrap();
                let record = [incarnation as u8; 16];
                let block = |id: &NodeId| {
                    let said = [&id.as_bytes()[..], &precedence.bits().to_le_bytes(), &record, &[0; 24]].concat();
                    said.try_into().unwrap()
                };
                let row = usize::from(which) % rows.len().max(1);
                match verb {
                    0..3 => {
                        let id = NodeId::from_bytes([which; 16]);
                        digest.push(&id, precedence, &record);
                        rows.push((id, block(&id)));
                    }
                    3..7 if !rows.is_empty() => {
                        let id = rows[row].0;
                        digest.change(row, &id, precedence, &record);
                        rows[row].1 = block(&id);
                    }
                    7 if !rows.is_empty() => {
                        let (id, _) = rows.swap_remove(row);
                        digest.swap_remove(row, &id);
                    }
                    _ => {}
                }
                if which % 8 == 4 {
                    digest.settle();
                }
                if which % 4 == 0 {
                    let mut buckets = [0_u128; 256];
                    for (id, block) in &rows {
                        let bucket = &mut buckets[bucket_of(id.as_bytes())];
                        *bucket = bucket.wrapping_add(naive(block));
                    }
                    prop_assert_eq!(digest.buckets(), buckets);
                    prop_assert_eq!(digest.root(), buckets.iter().fold(0, |sum, bucket| bucket.wrapping_add(sum)));
                }
            }
        }
    }

    #[test]
    fn hashing_side_by_side_gives_the_keyed_hash_of_each() {
        let blocks: [Block; LANES] = std::array::from_fn(|lane| [lane as u8 * 7; 64]);
        for count in 0..=LANES {
            let expected = blocks[..count].iter().map(naive);
            assert!(fingerprints(&blocks[..count])[..count].iter().copied().eq(expected));
        }
    }
}
