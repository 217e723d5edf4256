//! What a node keeps between two lives: its view as a file, and an incarnation that never goes back.

use crate::{Error, MAX_INCARNATION};

const MAGIC: [u8; 8] = *b"PVSTATE\x01";
const HEAD: usize = 24;
const SUM: usize = 32;

/// A saved view: the records of the table and the number of the last change of the log that is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    /// What `snapshot_bytes` gave.
    pub snapshot: Vec<u8>,
    /// Changes of the log up to this one are contained.
    pub seq: u64,
}

impl SavedState {
    /// The file: magic and version (8 bytes), seq (8), length (8), snapshot, BLAKE3 of all before (32).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(HEAD + self.snapshot.len() + SUM);
        file.extend_from_slice(&MAGIC);
        file.extend_from_slice(&self.seq.to_le_bytes());
        file.extend_from_slice(&(self.snapshot.len() as u64).to_le_bytes());
        file.extend_from_slice(&self.snapshot);
        let sum = blake3::hash(&file);
        file.extend_from_slice(sum.as_bytes());
        file
    }

    /// Reads what `encode` wrote; any other byte is noticed.
    pub fn decode(file: &[u8]) -> Result<Self, Error> {
        const DAMAGED: Error = Error::Decode("a saved state is damaged or of another version");
        let (body, sum) = file.split_last_chunk::<SUM>().ok_or(DAMAGED)?;
        if body.len() < HEAD || body[..8] != MAGIC || blake3::hash(body).as_bytes() != sum {
            return Err(DAMAGED);
        }
        let number = |from: usize| u64::from_le_bytes(body[from..from + 8].try_into().expect("8 bytes"));
        if number(16) != (body.len() - HEAD) as u64 {
            return Err(DAMAGED);
        }
        Ok(Self { snapshot: body[HEAD..].to_vec(), seq: number(8) })
    }
}

/// How many incarnations one write to the disk reserves.
pub const INCARNATIONS_RESERVED: u64 = 1024;

/// The first incarnation of a new life: above every one the last life may have used, and above those of a life whose disk
/// was lost, as far as the wall clock can tell. Refused when there is none, or the clock shows a time that no incarnation
/// can be made of.
pub fn first_incarnation(ceiling: Option<u64>, unix_seconds: u64) -> Result<u64, Error> {
    if unix_seconds > MAX_INCARNATION >> 16 {
        return Err(Error::UnixTime);
    }
    let above = ceiling.map_or(0, |ceiling| ceiling.saturating_add(1));
    if above > MAX_INCARNATION {
        return Err(Error::NoIncarnation);
    }
    Ok(above.max(unix_seconds << 16))
}

/// The ceiling to write down before `incarnation` is used, if the one that is written does not cover it.
pub fn ceiling_for(incarnation: u64, written: Option<u64>) -> Result<Option<u64>, Error> {
    if incarnation > MAX_INCARNATION {
        return Err(Error::Incarnation);
    }
    if written.is_some_and(|ceiling| incarnation <= ceiling) {
        return Ok(None);
    }
    Ok(Some((incarnation + INCARNATIONS_RESERVED).min(MAX_INCARNATION)))
}

/// A ceiling as a file: the number and its CRC-32.
#[must_use]
pub fn encode_ceiling(ceiling: u64) -> [u8; 12] {
    let mut file = [0; 12];
    file[..8].copy_from_slice(&ceiling.to_le_bytes());
    file[8..].copy_from_slice(&crc32fast::hash(&ceiling.to_le_bytes()).to_le_bytes());
    file
}

/// Reads what [`encode_ceiling`] wrote.
pub fn decode_ceiling(file: &[u8]) -> Result<u64, Error> {
    const DAMAGED: Error =
        Error::Decode("the file of the reserved incarnation is damaged; remove it to go by the clock");
    let file: &[u8; 12] = file.try_into().map_err(|_| DAMAGED)?;
    let ceiling = u64::from_le_bytes(file[..8].try_into().expect("8 bytes"));
    if encode_ceiling(ceiling) == *file && ceiling <= MAX_INCARNATION { Ok(ceiling) } else { Err(DAMAGED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_is_read_back_and_no_flipped_bit_or_cut_goes_unnoticed() {
        let state = SavedState { snapshot: b"records".to_vec(), seq: 9 };
        let file = state.encode();
        assert_eq!(SavedState::decode(&file), Ok(state));
        for bit in 0..8 * file.len() {
            let mut bad = file.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(SavedState::decode(&bad).is_err(), "bit {bit}");
        }
        for length in 0..file.len() {
            assert!(SavedState::decode(&file[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_ceiling_is_read_back_and_no_flipped_bit_goes_unnoticed() {
        let file = encode_ceiling(77);
        assert_eq!(decode_ceiling(&file), Ok(77));
        for bit in 0..8 * file.len() {
            let mut bad = file;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_ceiling(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn incarnations_rise_over_any_script_of_crashes_and_clocks() {
        let mut written = None;
        let mut last = None;
        let mut chance = crate::chance::Chance::new(3);
        for _ in 0..2_000 {
            let clock = chance.below(2_000) as u64; // may go back
            let first = first_incarnation(written, clock).unwrap();
            assert!(last.is_none_or(|last| first > last));
            for incarnation in first..first + chance.below(3_000) as u64 {
                written = ceiling_for(incarnation, written).unwrap().or(written);
                last = Some(incarnation); // used only after it is covered
            }
        }
    }

    #[test]
    fn a_lost_disk_is_made_up_for_by_the_clock() {
        assert_eq!(first_incarnation(None, 1_700_000_000), Ok(1_700_000_000 << 16));
        assert_eq!(first_incarnation(None, MAX_INCARNATION >> 16), Ok((MAX_INCARNATION >> 16) << 16));
        assert_eq!(first_incarnation(None, (MAX_INCARNATION >> 16) + 1), Err(Error::UnixTime));
    }

    #[test]
    fn no_incarnation_is_given_twice_where_they_end() {
        assert_eq!(first_incarnation(Some(MAX_INCARNATION - 1), 0), Ok(MAX_INCARNATION));
        assert_eq!(ceiling_for(MAX_INCARNATION, Some(MAX_INCARNATION - 1)), Ok(Some(MAX_INCARNATION)));
        assert_eq!(first_incarnation(Some(MAX_INCARNATION), 0), Err(Error::NoIncarnation));
        assert_eq!(ceiling_for(MAX_INCARNATION + 1, None), Err(Error::Incarnation));
        assert_eq!(ceiling_for(u64::MAX, Some(MAX_INCARNATION)), Err(Error::Incarnation));
    }
}
