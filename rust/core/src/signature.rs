//! Ed25519 signatures, verified one by one or in batches by one and the same rule.
//!
//! The rule is the cofactored equation of RFC 8032 §5.1.7 with strict encodings: `s` below the group order, `A` and `R`
//! in canonical form and not of small order. The usual equation without the cofactor gives single and batch
//! verification different answers on crafted signatures ("Taming the Many EdDSAs", 2020), and nodes that disagree about
//! a record never converge.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsBasepointTable, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{BasepointTable, IsIdentity, VartimeMultiscalarMul};
use sha2::{Digest, Sha512};

use crate::Error;

/// A public key that has been checked and decompressed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; 32],
    negated: EdwardsPoint,
}

impl PublicKey {
    /// Refuses bytes that are no point of the curve, not canonical or of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        let point = decompress(bytes).ok_or(Error::PublicKey)?;
        Ok(Self { bytes: *bytes, negated: -point })
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// Something signed, by whom, and the signature to check.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What was signed.
    pub data: &'a [u8],
    /// The 64 bytes of RFC 8032.
    pub signature: &'a [u8; 64],
    /// Who is said to have signed.
    pub public_key: &'a PublicKey,
}

/// A signature whose encodings are in order, ready for the equation `8·(s·B − R − k·A) = 0`.
struct Equation {
    s: Scalar,
    k: Scalar,
    negated_r: EdwardsPoint,
    negated_a: EdwardsPoint,
}

impl Equation {
    fn of(signed: &Signed<'_>) -> Option<Self> {
        let (r, s) = signed.signature.split_at(32);
        let r: &[u8; 32] = r.try_into().expect("half of 64 bytes");
        let s: [u8; 32] = s.try_into().expect("half of 64 bytes");
        let s: Scalar = Option::from(Scalar::from_canonical_bytes(s))?;
        let hash =
            Sha512::new().chain_update(r).chain_update(signed.public_key.bytes).chain_update(signed.data);
        Some(Self {
            s,
            k: Scalar::from_bytes_mod_order_wide(&hash.finalize().into()),
            negated_r: -decompress(r)?,
            negated_a: signed.public_key.negated,
        })
    }

    fn holds(&self) -> bool {
        let difference = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &self.negated_a, &self.s)
            + self.negated_r;
        vanishes(difference)
    }
}

/// The multiples of one key that make checking its signatures faster: 30 KiB.
pub(crate) struct Multiples(Box<EdwardsBasepointTable>);

impl Multiples {
    /// Takes about a millisecond.
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self(Box::new(EdwardsBasepointTable::create(&key.negated)))
    }

    /// What [`verify`] says of something signed with this key.
    pub(crate) fn verify(&self, signed: &Signed<'_>) -> bool {
        Equation::of(signed).is_some_and(|Equation { s, k, negated_r, .. }| {
            vanishes(EdwardsPoint::mul_base(&s) + &*self.0 * &k + negated_r)
        })
    }
}

impl std::fmt::Debug for Multiples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Multiples")
    }
}

/// Whether the signature is valid.
#[must_use]
pub fn verify(signed: &Signed<'_>) -> bool {
    Equation::of(signed).is_some_and(|equation| equation.holds())
}

/// Whether each signature is valid: the same answers as [`verify`], in about half of the time when all are good.
///
/// The equations are added with random 128-bit coefficients; a false sum is halved until the false ones are found. The
/// coefficients are hashed from all inputs, so the answer depends on nothing else.
#[must_use]
pub fn verify_batch(items: &[Signed<'_>]) -> Vec<bool> {
    if items.is_empty() {
        return Vec::new(); // most packets: no need to hash a transcript of nothing
    }
    let mut valid = vec![false; items.len()];
    let mut equations = Vec::with_capacity(items.len());
    let mut transcript = blake3::Hasher::new_derive_key("palaver 2026 batch verification coefficients");
    for (index, item) in items.iter().enumerate() {
        if let Some(equation) = Equation::of(item) {
            transcript.update(item.signature);
            transcript.update(equation.k.as_bytes()); // binds the key and the data
            equations.push((index, equation));
        }
    }
    let mut stream = transcript.finalize_xof();
    let coefficients: Vec<Scalar> = equations
        .iter()
        .map(|_| {
            let mut low = [0; 16];
            stream.fill(&mut low);
            Scalar::from(u128::from_le_bytes(low) | 1)
        })
        .collect();
    for index in bisect(&equations, &coefficients) {
        valid[index] = true;
    }
    valid
}

/// So many equations are added in one multiplication: the tables of 64 points are the most that malloc takes from the heap
/// and not anew from the system each time.
const AT_ONCE: usize = 32;

/// The indices of the equations that hold.
fn bisect(equations: &[(usize, Equation)], coefficients: &[Scalar]) -> Vec<usize> {
    match equations {
        [] => Vec::new(),
        [(index, equation)] => equation.holds().then_some(*index).into_iter().collect(),
        _ if sum_holds(equations, coefficients) => equations.iter().map(|(index, _)| *index).collect(),
        _ => {
            let half = equations.len() / 2;
            let mut valid = bisect(&equations[..half], &coefficients[..half]);
            valid.extend(bisect(&equations[half..], &coefficients[half..]));
            valid
        }
    }
}

fn sum_holds(equations: &[(usize, Equation)], coefficients: &[Scalar]) -> bool {
    let base: Scalar = equations.iter().zip(coefficients).map(|((_, e), z)| z * e.s).sum();
    let points =
        equations.chunks(AT_ONCE).zip(coefficients.chunks(AT_ONCE)).map(|(equations, coefficients)| {
            let keys = equations.iter().zip(coefficients).map(|((_, e), z)| z * e.k);
            let points =
                equations.iter().map(|(_, e)| e.negated_r).chain(equations.iter().map(|(_, e)| e.negated_a));
            EdwardsPoint::vartime_multiscalar_mul(coefficients.iter().copied().chain(keys), points)
        });
    vanishes(EdwardsPoint::mul_base(&base) + points.sum::<EdwardsPoint>())
}

/// Whether the equation's left side is zero, torsion apart.
fn vanishes(difference: EdwardsPoint) -> bool {
    difference.mul_by_cofactor().is_identity()
}

/// The point, if `bytes` is its canonical form and it is not of small order.
fn decompress(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    // y is reduced unless its 255 bits are at least p = 2^255 - 19. The other non-canonical forms, a sign bit on x = 0,
    // only belong to points of small order.
    let above = bytes[0] >= 0xED && bytes[1..31].iter().all(|&byte| byte == 0xFF) && bytes[31] | 0x80 == 0xFF;
    if above || is_of_small_order(bytes) {
        return None;
    }
    CompressedEdwardsY(*bytes).decompress()
}

/// Whether a canonical y, whatever the sign of x, is that of one of the eight points of small order. Comparing bytes is
/// a hundred times faster than multiplying the point by eight.
fn is_of_small_order(bytes: &[u8; 32]) -> bool {
    // 0, 1 and p - 1, then the two of the points of order eight
    const Y: [[u8; 32]; 5] = [
        number(0, 0, 0),
        number(1, 0, 0),
        number(0xEC, 0xFF, 0x7F),
        [
            0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
            0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
        ],
        [
            0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F,
            0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
        ],
    ];
    let mut y = *bytes;
    y[31] &= 0x7F;
    Y.contains(&y)
}

/// A number of 32 little-endian bytes, most of them alike.
const fn number(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use proptest::prelude::*;

    use super::*;
    use crate::KeyManager;

    #[test]
    fn exactly_the_eight_points_of_small_order_are_known_by_their_bytes() {
        for point in EIGHT_TORSION {
            let mut bytes = point.compress().to_bytes();
            assert!(is_of_small_order(&bytes));
            bytes[31] ^= 0x80; // of the point with the other x, or of none
            assert!(is_of_small_order(&bytes));
        }
        let distinct: std::collections::BTreeSet<_> = EIGHT_TORSION
            .iter()
            .map(|point| {
                let mut y = point.compress().to_bytes();
                y[31] &= 0x7F;
                y
            })
            .collect();
        assert_eq!(distinct.len(), 5); // so each of the five stands for one of them
    }

    /// Halves of signatures and keys from which honest and crafted ones are put together.
    fn points() -> impl Strategy<Value = [u8; 32]> {
        let small = (0_usize..8).prop_map(|n| EIGHT_TORSION[n].compress().to_bytes());
        let mixed = (1_u64..5, 0_usize..8).prop_map(|(n, torsion)| {
            (EdwardsPoint::mul_base(&n.into()) + EIGHT_TORSION[torsion]).compress().to_bytes()
        });
        let not_reduced = (0_u8..19).prop_map(|n| number(0xED + n, 0xFF, 0x7F));
        let signed = (0_u8..19).prop_map(|n| number(0xED + n, 0xFF, 0xFF));
        prop_oneof![1 => small, 4 => mixed, 1 => not_reduced, 1 => signed, 1 => any::<[u8; 32]>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn alone_in_a_batch_and_with_a_table_the_answer_is_the_same(
            r in points(),
            key in points(),
            (log, nonce, torsion) in (1_u64..5, 1_u64..5, 0_usize..8),
            craft in 0_u8..4,
        ) {
            let (log, nonce) = (Scalar::from(log), Scalar::from(nonce));
            let (key, r) = match craft {
                0 => (key, r), // anything
                1 => ((EdwardsPoint::mul_base(&log) + EIGHT_TORSION[torsion]).compress().to_bytes(), r),
                _ => (
                    (EdwardsPoint::mul_base(&log) + EIGHT_TORSION[torsion]).compress().to_bytes(),
                    (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[7 - torsion]).compress().to_bytes(),
                ),
            };
            let k = Sha512::new().chain_update(r).chain_update(key).chain_update(b"x").finalize();
            let s = nonce + Scalar::from_bytes_mod_order_wide(&k.into()) * log;
            let signature: [u8; 64] = [r, s.to_bytes()].concat().try_into().unwrap();
            let honest = KeyManager::from_seed(&[1; 32]);
            if let Ok(public_key) = PublicKey::from_bytes(&key) {
                let item = Signed { data: b"x", signature: &signature, public_key: &public_key };
                let fine = honest.sign(b"y");
                let good = Signed { data: b"y", signature: &fine, public_key: honest.public_key() };
                let alone = verify(&item);
                prop_assert!(alone || craft < 2); // torsion apart, the last two are honest
                prop_assert_eq!(verify_batch(&[good, item, good]), [true, alone, true]);
                prop_assert_eq!(Multiples::of(&public_key).verify(&item), alone);
                let strict = ed25519_dalek::VerifyingKey::from_bytes(&key)
                    .is_ok_and(|key| key.verify_strict(b"x", &signature.into()).is_ok());
                prop_assert!(alone || !strict); // what verify_strict takes is taken; the cofactor adds crafted ones
            }
        }
    }
}
