//! The accusations of a quorum against one node: the proof that goes with "unreachable" and "dead".
//!
//! | bytes | field |
//! |---|---|
//! | 0–15 | the accused |
//! | 16–23 | the incarnation |
//! | 24–… | for each accuser by rising id: public key (32), signature (64) |
//!
//! After Rapid (Suresh et al., 2018), whose view changes rest on many observers' reports. Certificates with other accusers
//! prove the same, so they are evidence beside the state and not a part of it: views that hold different ones agree.

use super::Accusation;
use crate::{Error, NodeId, record};

const HEAD: usize = 24;
const PART: usize = 96;

/// Enough accusations of one incarnation of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    subject: NodeId,
    incarnation: u64,
    accusations: Vec<Accusation>,
}

impl Certificate {
    /// The most accusers of one certificate: all observers of a large cluster.
    pub const MAX_ACCUSERS: usize = 8;

    /// Puts accusations of one incarnation together: of each accuser one, at most [`Self::MAX_ACCUSERS`].
    pub(super) fn of(subject: NodeId, incarnation: u64, accusations: &[Accusation]) -> Self {
        let mut accusations = accusations.to_vec();
        accusations.sort_by_key(Accusation::accuser);
        accusations.dedup_by_key(|accusation| accusation.accuser());
        accusations.truncate(Self::MAX_ACCUSERS);
        Self { subject, incarnation, accusations }
    }

    /// What a liar makes of its own accusation: the same one `count` times.
    pub(super) fn repeating(accusation: &Accusation, count: usize) -> Self {
        let accusations = vec![accusation.clone(); count.clamp(1, Self::MAX_ACCUSERS)];
        Self { subject: accusation.subject(), incarnation: accusation.incarnation(), accusations }
    }

    /// Reads a body. No signature has been checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        const FORM: Error = Error::Decode("a certificate has 24 bytes and 96 for each of 1 to 8 accusers");
        let (head, parts) = bytes.split_first_chunk::<HEAD>().ok_or(FORM)?;
        if parts.is_empty() || parts.len() % PART != 0 || parts.len() > PART * Self::MAX_ACCUSERS {
            return Err(FORM);
        }
        let subject = NodeId::from_bytes(*head.first_chunk().expect("24 is more than 16"));
        let incarnation = u64::from_le_bytes(*head.last_chunk().expect("24 is more than 8"));
        let accusations = parts
            .chunks_exact(PART)
            .map(|part| {
                let (key, signature) = (part.first_chunk(), part.last_chunk());
                Accusation::of_parts(
                    &subject,
                    incarnation,
                    key.expect("96 is more than 32"),
                    signature.expect("96 is more than 64"),
                )
            })
            .collect();
        Ok(Self { subject, incarnation, accusations })
    }

    /// Who is accused.
    #[must_use]
    pub fn subject(&self) -> NodeId {
        self.subject
    }

    /// At which incarnation.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The accusations, not counted and not checked.
    #[must_use]
    pub fn accusations(&self) -> &[Accusation] {
        &self.accusations
    }

    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(HEAD + PART * self.accusations.len());
        body.extend_from_slice(self.subject.as_bytes());
        body.extend_from_slice(&self.incarnation.to_le_bytes());
        for accusation in &self.accusations {
            body.extend_from_slice(accusation.public_key());
            body.extend_from_slice(accusation.signature());
        }
        record::write(out, record::KIND_CERTIFICATE, &body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyManager;
    use crate::signed_body::SignedBody;

    #[test]
    fn a_certificate_is_read_back_with_each_accuser_once_and_its_signatures_hold() {
        let subject = NodeId::from_bytes([9; 16]);
        let accusations: Vec<_> = [1, 2, 1, 3]
            .map(|n| Accusation::sign(&KeyManager::from_seed(&[n; 32]), &subject, 5))
            .into_iter()
            .collect();
        let certificate = Certificate::of(subject, 5, &accusations);
        assert_eq!(certificate.accusations().len(), 3);
        let mut record = Vec::new();
        certificate.write(&mut record);
        let read = Certificate::decode(&record[3..]).unwrap();
        assert_eq!(read, certificate);
        let bodies: Vec<_> = read.accusations().iter().map(Accusation::body).collect();
        assert!(SignedBody::verify_all(&bodies));
        for length in 0..record.len() - 3 {
            let cut = Certificate::decode(&record[3..3 + length]);
            assert!(cut.is_err() || cut.is_ok_and(|cut| cut.accusations().len() < 3));
        }
    }
}
