//! The generic cell rate algorithm (ITU-T I.371 Annex A): a leaky bucket that is one number.

use crate::Error;

/// A rate of events, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gcra {
    interval: f64,
    tolerance: f64,
}

/// So that sums of intervals do not miss by a rounding, in seconds: a clock of a year has steps of 4e-9.
const ROUNDING: f64 = 1e-6;

impl Gcra {
    /// Of `rate` events a second in the long run, and `burst` at once after a quiet time.
    ///
    /// # Errors
    /// `rate` is not above zero, or `burst` below one.
    pub fn new(rate: f64, burst: f64) -> Result<Self, Error> {
        for (what, got) in [("rate", rate), ("burst", burst)] {
            if !(got.is_finite() && got > 0.0) {
                return Err(Error::NotPositive { what, got });
            }
        }
        if burst < 1.0 {
            return Err(Error::Negative { what: "burst - 1", got: burst - 1.0 });
        }
        let interval = 1.0 / rate;
        Ok(Self { interval, tolerance: (burst - 1.0) * interval + ROUNDING })
    }

    /// Seconds from one event to the next.
    #[must_use]
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// How far the due time may be ahead of an event, in seconds.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// When the next event is due after `count` that come `now`, of a bucket whose next was due at `due`; None: they are too many.
    #[must_use]
    pub fn admit(&self, due: f64, now: f64, count: u32) -> Option<f64> {
        let due = due.max(now);
        let count = f64::from(count);
        (due - now + (count - 1.0) * self.interval <= self.tolerance).then_some(due + count * self.interval)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Gcra;

    proptest! {
        /// As many as the burst at once, and then one each interval.
        #[test]
        fn a_burst_and_then_the_rate(rate in 0.1_f64..1e4, burst in 1_u32..200, start in 0.0_f64..1e6) {
            let gcra = Gcra::new(rate, f64::from(burst)).unwrap();
            let mut due = 0.0;
            for _ in 0..burst {
                due = gcra.admit(due, start, 1).unwrap();
            }
            prop_assert_eq!(gcra.admit(due, start, 1), None);
            prop_assert_eq!(gcra.admit(due, start + 0.9 * gcra.interval(), 1), None);
            prop_assert!(gcra.admit(due, start + gcra.interval(), 1).is_some());
        }

        /// So many together are admitted where they are one by one, and leave the same behind.
        #[test]
        fn together_is_one_by_one(rate in 0.1_f64..1e4, burst in 1_u32..50, count in 1_u32..60, ahead in 0.0_f64..60.0) {
            let gcra = Gcra::new(rate, f64::from(burst)).unwrap();
            let (now, due) = (1000.0, 1000.0 + ahead.floor() * gcra.interval());
            let together = gcra.admit(due, now, count);
            let alone = (0..count).try_fold(due, |due, _| gcra.admit(due, now, 1));
            match (together, alone) {
                (Some(together), Some(alone)) => prop_assert!((together - alone).abs() < 1e-6 * (1.0 + 1.0 / rate)),
                (together, alone) => prop_assert_eq!(together, alone),
            }
        }
    }

    #[test]
    fn a_rate_is_above_zero_and_a_burst_at_least_one() {
        for (rate, burst) in [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, 0.5), (1.0, f64::INFINITY)] {
            assert!(Gcra::new(rate, burst).is_err(), "{rate} {burst}");
        }
    }
}
