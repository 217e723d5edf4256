//! Random numbers that are the same on every platform: integers from xoshiro256++, logarithms from basic arithmetic only.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A seeded random sequence.
#[derive(Debug, Clone)]
pub(crate) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number below `bound` by multiplication and rejection (Lemire, 2019). `bound` is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let mut wide = u128::from(self.0.next_u64()) * u128::from(bound);
        if (wide as u64) < bound {
            let biased = bound.wrapping_neg() % bound;
            while (wide as u64) < biased {
                wide = u128::from(self.0.next_u64()) * u128::from(bound);
            }
        }
        (wide >> 64) as usize
    }

    /// A uniform number strictly between 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.0.next_u64())
    }

    /// How long until an event that happens `rate` times a second on average happens next. `rate` is above zero.
    pub(crate) fn waiting_time(&mut self, rate: f64) -> f64 {
        -ln(self.unit()) / rate
    }
}

/// The number strictly between 0 and 1 that 64 random bits stand for: the middle of one of 2^52 equal steps.
pub(crate) fn unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
}

/// The natural logarithm of a positive normal number, to 1e-15 of its value near 1 and of 1 elsewhere.
///
/// `f64::ln` may differ in the last bit between platforms, and two nodes would then disagree about who owns a room. IEEE
/// addition, multiplication and division never do.
#[must_use]
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh t = 2 (t + t³/3 + t⁵/5 + …) with |t| < 0.172
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut sum = 0.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * square + 1.0 / odd;
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * t * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_that_of_the_library() {
        let mut chance = Chance::new(1);
        for _ in 0..10_000 {
            let x = chance.unit();
            assert!((ln(x) - x.ln()).abs() < 2e-15 * x.ln().abs().max(1.0), "{x}");
        }
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.5), -std::f64::consts::LN_2);
    }

    #[test]
    fn units_are_strictly_between_0_and_1() {
        assert!(unit(0) > 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }

    /// The first outputs of the reference implementation of xoshiro256++ seeded by splitmix64 with 0.
    #[test]
    fn the_sequence_is_the_published_one() {
        let mut chance = Chance::new(0);
        assert_eq!(chance.0.next_u64(), 0x5317_5D61_490B_23DF);
    }
}
