//! Ed25519 signatures, verified one by one or in batches by one and the same rule.
//!
//! The rule is the cofactored equation of RFC 8032 §5.1.7 with strict encodings: `s` below the group order, `A` and `R`
//! in canonical form and not of small order. The usual equation without the cofactor gives single and batch
//! verification different answers on crafted signatures ("Taming the Many EdDSAs", 2020), and nodes that disagree about
//! a record never converge.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
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
        difference.mul_by_cofactor().is_identity()
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
    let keys = equations.iter().zip(coefficients).map(|((_, e), z)| z * e.k);
    let scalars = std::iter::once(base).chain(coefficients.iter().copied()).chain(keys);
    let points = std::iter::once(curve25519_dalek::constants::ED25519_BASEPOINT_POINT)
        .chain(equations.iter().map(|(_, e)| e.negated_r))
        .chain(equations.iter().map(|(_, e)| e.negated_a));
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).mul_by_cofactor().is_identity()
}

/// The point, if `bytes` is its canonical form and it is not of small order.
fn decompress(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    // y is reduced unless its 255 bits are at least p = 2^255 - 19. The other non-canonical forms, a sign bit on x = 0,
    // only belong to points of small order.
    let above = bytes[0] >= 0xED && bytes[1..31].iter().all(|&byte| byte == 0xFF) && bytes[31] | 0x80 == 0xFF;
    if above {
        return None;
    }
    CompressedEdwardsY(*bytes).decompress().filter(|point| !point.is_small_order())
}
