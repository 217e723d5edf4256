//! Status and precedence: the first semilattice of a member's state.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The largest incarnation: the precedence keeps three bits for the rank. Nobody can be accused at it, because the
/// accused could not answer at the next one.
pub const MAX_INCARNATION: u64 = (1 << 61) - 1;

/// What the cluster says of a member, in the order in which one statement overrides another of the same incarnation.
///
/// Suspect, dead and left are SWIM's (2002, §4.2). Unreachable has been confirmed by a quorum but keeps its sessions.
/// Banned is an administrator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// It answers.
    Alive = 0,
    /// Somebody missed an answer.
    Suspect = 1,
    /// Enough members missed answers: routes avoid it.
    Unreachable = 2,
    /// Given up.
    Dead = 3,
    /// It said goodbye.
    Left = 4,
    /// Removed by an administrator.
    Banned = 5,
}

impl Status {
    /// All six, by rank.
    pub const ALL: [Self; 6] =
        [Self::Alive, Self::Suspect, Self::Unreachable, Self::Dead, Self::Left, Self::Banned];

    /// The word used in Python and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Unreachable => "unreachable",
            Self::Dead => "dead",
            Self::Left => "left",
            Self::Banned => "banned",
        }
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(Error::Status)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `incarnation << 3 | rank`: of two statements about a node the one with the larger precedence holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Precedence(u64);

impl Precedence {
    /// The precedence of `status` at `incarnation`.
    pub fn new(incarnation: u64, status: Status) -> Result<Self, Error> {
        let last = match status {
            Status::Alive | Status::Banned => MAX_INCARNATION,
            Status::Suspect | Status::Unreachable | Status::Dead | Status::Left => MAX_INCARNATION - 1,
        };
        if incarnation > last {
            return Err(Error::Incarnation);
        }
        Ok(Self(incarnation << 3 | status as u64))
    }

    /// Reads back what `bits` gave; refuses whatever `new` refuses.
    pub fn from_bits(bits: u64) -> Result<Self, Error> {
        let status = Status::ALL.get((bits & 7) as usize).ok_or(Error::Status)?;
        Self::new(bits >> 3, *status)
    }

    /// The number that is compared, and written on the wire.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// How often the node has answered for itself.
    #[must_use]
    pub fn incarnation(self) -> u64 {
        self.0 >> 3
    }

    /// The status.
    #[must_use]
    pub fn status(self) -> Status {
        Status::ALL[(self.0 & 7) as usize]
    }

    /// What a running node says when it hears this about itself: accused or thought gone, it is alive one
    /// incarnation later (SWIM §4.2).
    #[must_use]
    pub fn refuted(self) -> Self {
        match self.status() {
            Status::Alive | Status::Banned => self,
            // below MAX_INCARNATION, as `new` made sure
            Status::Suspect | Status::Unreachable | Status::Dead | Status::Left => {
                Self((self.incarnation() + 1) << 3)
            }
        }
    }

    /// What a node that has left says when it hears this about itself: that it has left, at that incarnation.
    #[must_use]
    pub fn departed(self) -> Self {
        Self::new(self.incarnation(), Status::Left).map_or(self, |left| self.max(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnation_goes_before_rank() {
        let dead = Precedence::new(4, Status::Dead).unwrap();
        let alive = Precedence::new(5, Status::Alive).unwrap();
        assert!(alive > dead);
        assert!(dead > Precedence::new(4, Status::Suspect).unwrap());
    }

    #[test]
    fn bits_are_read_back_and_ranks_without_a_status_refused() {
        for status in Status::ALL {
            let precedence = Precedence::new(MAX_INCARNATION - 1, status).unwrap();
            assert_eq!(Precedence::from_bits(precedence.bits()), Ok(precedence));
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!(Precedence::from_bits(6), Err(Error::Status));
        assert_eq!(Precedence::from_bits(7), Err(Error::Status));
        assert_eq!(Precedence::new(MAX_INCARNATION + 1, Status::Alive), Err(Error::Incarnation));
    }

    #[test]
    fn nobody_can_be_accused_where_no_answer_is_left() {
        for status in [Status::Suspect, Status::Unreachable, Status::Dead, Status::Left] {
            assert_eq!(Precedence::new(MAX_INCARNATION, status), Err(Error::Incarnation));
            let last = Precedence::new(MAX_INCARNATION - 1, status).unwrap();
            assert!(last.refuted() > last);
        }
        let last = Precedence::new(MAX_INCARNATION, Status::Alive).unwrap();
        assert_eq!((last.refuted(), last.departed()), (last, last));
    }
}
