//! Local monotonic time. The core never reads a clock: whoever calls says what time it is.

use crate::Error;

/// Seconds of a local monotonic clock: finite and not negative, so that it is totally ordered.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Time(f64);

impl Time {
    /// The beginning, which as a last heartbeat means "never heard".
    pub const ZERO: Self = Self(0.0);

    /// Checks that `seconds` is finite and not negative.
    pub fn new(seconds: f64) -> Result<Self, Error> {
        if seconds.is_finite() && seconds >= 0.0 {
            Ok(Self(seconds + 0.0)) // adding zero turns -0.0 into 0.0, so that equal times have equal bits
        } else {
            Err(Error::Time(seconds))
        }
    }

    /// The seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0
    }

    /// The later of two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }

    /// The earlier of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
    }

    /// How many seconds have passed since `earlier`, zero if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_times_from_zero_on_are_times() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Time::new(bad).is_err());
        }
        assert_eq!(Time::new(-0.0).map(|t| t.seconds().to_bits()), Ok(0));
    }
}
