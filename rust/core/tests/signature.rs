//! One rule for single and batch verification.
#![allow(clippy::unwrap_used)]

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use palaver_core::{KeyManager, NodeId, PublicKey, Signed, verify, verify_batch};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

fn manager(n: u8) -> KeyManager {
    KeyManager::from_seed(&[n; 32])
}

#[test]
fn the_first_test_vector_of_rfc_8032_holds() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = hex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    let manager = KeyManager::from_seed(&seed.try_into().unwrap());
    assert_eq!(manager.public_key().as_bytes()[..], public);
    assert_eq!(manager.sign(b"")[..], signature);
    assert!(manager.verify_own(b"", &signature));
}

#[test]
fn the_node_id_is_the_hash_of_the_public_key() {
    let manager = manager(1);
    assert_eq!(manager.node_id(), NodeId::of_public_key(manager.public_key().as_bytes()));
}

#[test]
fn debug_output_does_not_show_the_key() {
    assert!(!format!("{:?}", manager(9)).contains("9, 9"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_finds_exactly_the_false_signatures(damage in prop::collection::vec(0_u8..4, 0..20)) {
        let keys: Vec<_> = (0..3).map(manager).collect();
        let data: Vec<[u8; 2]> = (0..damage.len()).map(|i| [i as u8, damage[i]]).collect();
        let signatures: Vec<[u8; 64]> = damage.iter().enumerate().map(|(i, &kind)| {
            let mut signature = keys[i % 3].sign(&data[i]);
            match kind {
                1 => signature[0] ^= 1,
                2 => signature[40] ^= 1,
                3 => signature = keys[(i + 1) % 3].sign(&data[i]),
                _ => {}
            }
            signature
        }).collect();
        let items: Vec<_> = (0..damage.len())
            .map(|i| Signed { data: &data[i], signature: &signatures[i], public_key: keys[i % 3].public_key() })
            .collect();
        let expected: Vec<bool> = damage.iter().map(|&kind| kind == 0).collect();
        prop_assert_eq!(items.iter().map(verify).collect::<Vec<_>>(), expected.clone());
        prop_assert_eq!(verify_batch(&items), expected);
    }
}

/// A signature whose R carries a point of order eight passes the cofactored equation. The equation without the cofactor
/// refuses it alone and accepts it in one batch of eight: the disagreement that the rule exists to prevent.
#[test]
fn single_and_batch_agree_on_signatures_with_torsion() {
    let (a, r) = (Scalar::from(12345_u64), Scalar::from(67890_u64));
    let public = PublicKey::from_bytes(EdwardsPoint::mul_base(&a).compress().as_bytes()).unwrap();
    for (index, torsion) in EIGHT_TORSION.iter().enumerate() {
        let crooked = (EdwardsPoint::mul_base(&r) + torsion).compress();
        let k =
            Sha512::new().chain_update(crooked.as_bytes()).chain_update(public.as_bytes()).chain_update(b"x");
        let k = Scalar::from_bytes_mod_order_wide(&k.finalize().into());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(crooked.as_bytes());
        signature[32..].copy_from_slice((r + k * a).as_bytes());
        let item = Signed { data: b"x", signature: &signature, public_key: &public };
        assert!(verify(&item), "torsion {index}");
        assert_eq!(verify_batch(&[item; 5]), [true; 5], "torsion {index}");
    }
}

#[test]
fn an_s_above_the_group_order_is_refused() {
    let manager = manager(1);
    let mut signature = manager.sign(b"x");
    // s + L: the same equation in other bytes, which would make signatures malleable
    let order: [u8; 32] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!manager.verify_own(b"x", &signature));
}

#[test]
fn keys_of_small_order_or_in_another_form_are_refused() {
    for point in EIGHT_TORSION {
        assert!(PublicKey::from_bytes(point.compress().as_bytes()).is_err());
    }
    let mut not_reduced = [0xFF; 32];
    not_reduced[0] = 0xED + 4; // y = p + 4 stands for y = 4
    not_reduced[31] = 0x7F;
    assert!(PublicKey::from_bytes(&not_reduced).is_err());
}
