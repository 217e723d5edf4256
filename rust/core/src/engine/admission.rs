//! Who may be a member, and who may never be one again.

use std::collections::HashSet;

use super::contact::Contact;
use crate::signed_body::{LEAST, SignedBody};
use crate::{AdmissionTicket, ClusterTag, Error, KeyManager, NodeId, PublicKey, Signed, record, verify};

const TICKET_CONTEXT: &[u8] = b"palaver admission v1\0";
const BAN_CONTEXT: &[u8] = b"palaver ban v1\0";
const BAN_CONTENT: usize = 24;

/// Who decides whether a key may join, and whose bans count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Every key. Whoever uses this binds loopback only.
    Open {
        /// The public keys whose bans count.
        administrators: Vec<[u8; 32]>,
    },
    /// The listed keys.
    Keys {
        /// Who may join.
        members: HashSet<[u8; 32]>,
        /// The public keys whose bans count.
        administrators: Vec<[u8; 32]>,
    },
    /// Keys with a ticket signed by one of these authorities, whose bans count too. Several, so that one can be replaced by
    /// the next while both count.
    Authorities(Vec<[u8; 32]>),
}

impl Admission {
    /// Lets every key in and nobody ban.
    #[must_use]
    pub fn open() -> Self {
        Self::Open { administrators: Vec::new() }
    }

    /// Why the node of a record is not let in.
    pub(super) fn refusal(
        &self,
        contact: &Contact,
        cluster: ClusterTag,
        unix_seconds: u64,
    ) -> Option<&'static str> {
        match self {
            Self::Open { .. } => None,
            Self::Keys { members, .. } => {
                (!members.contains(&contact.public_key)).then_some("its key is not on the list")
            }
            Self::Authorities(authorities) => {
                let Some(ticket) = &contact.ticket else { return Some("it has no ticket") };
                if ticket.not_after < unix_seconds {
                    return Some("its ticket has run out");
                }
                let data = ticket_data(cluster, &contact.public_key, ticket.not_after);
                let good = authorities.iter().any(|authority| signed(authority, &data, &ticket.signature));
                (!good).then_some("its ticket is signed by no authority known here")
            }
        }
    }

    /// Whether a ban by this key counts.
    pub(super) fn may_ban(&self, public_key: &[u8; 32]) -> bool {
        match self {
            Self::Open { administrators } | Self::Keys { administrators, .. } => {
                administrators.contains(public_key)
            }
            Self::Authorities(authorities) => authorities.contains(public_key),
        }
    }
}

/// Lets the key `public_key` into the cluster until `not_after`, in seconds of Unix time. `authority` is who signs.
#[must_use]
pub fn sign_ticket(
    authority: &KeyManager,
    cluster: ClusterTag,
    public_key: &[u8; 32],
    not_after: u64,
) -> AdmissionTicket {
    let signature = authority.sign(&ticket_data(cluster, public_key, not_after));
    AdmissionTicket { not_after, signature }
}

fn ticket_data(cluster: ClusterTag, public_key: &[u8; 32], not_after: u64) -> Vec<u8> {
    [TICKET_CONTEXT, cluster.as_bytes(), public_key, &not_after.to_le_bytes()].concat()
}

fn signed(key: &[u8; 32], data: &[u8], signature: &[u8; 64]) -> bool {
    PublicKey::from_bytes(key)
        .is_ok_and(|public_key| verify(&Signed { data, signature, public_key: &public_key }))
}

/// An administrator's word that a node is out for good.
///
/// | bytes | field |
/// |---|---|
/// | 0–31 | the administrator's public key |
/// | 32–47 | the banned node |
/// | 48–55 | cluster tag |
/// | 56–119 | Ed25519 signature over a context string and all before |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    body: SignedBody,
}

impl Ban {
    /// Bans a node from a cluster.
    #[must_use]
    pub fn sign(administrator: &KeyManager, cluster: ClusterTag, subject: &NodeId) -> Self {
        let mut content = [0; BAN_CONTENT];
        content[..16].copy_from_slice(subject.as_bytes());
        content[16..].copy_from_slice(cluster.as_bytes());
        Self { body: SignedBody::sign(BAN_CONTEXT, administrator, &content) }
    }

    /// Reads a body for `cluster`. The signature has not been checked.
    pub fn decode(bytes: &[u8], cluster: ClusterTag) -> Result<Self, Error> {
        if bytes.len() != LEAST + BAN_CONTENT {
            return Err(Error::Decode("a ban has 120 bytes"));
        }
        let body = SignedBody::unchecked(BAN_CONTEXT, bytes);
        if body.content()[16..] != *cluster.as_bytes() {
            return Err(Error::Decode("the ban is for another cluster"));
        }
        Ok(Self { body })
    }

    /// Who is banned.
    #[must_use]
    pub fn subject(&self) -> NodeId {
        NodeId::from_bytes(*self.body.content().first_chunk().expect("24 is more than 16"))
    }

    pub(super) fn body(&self) -> &SignedBody {
        &self.body
    }

    /// The very bytes, for keeping and passing on.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        record::write(out, record::KIND_BAN, self.body.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeMetadata, NodeRecord, Precedence, Status};

    fn record(ticket: Option<&AdmissionTicket>) -> Contact {
        let alive = Precedence::new(1, Status::Alive).unwrap();
        let keys = KeyManager::from_seed(&[5; 32]);
        let place = NodeMetadata::default();
        Contact::of(&NodeRecord::sign_life(&keys, alive, 0, "", "", &place, None, ticket).unwrap())
    }

    #[test]
    fn a_ticket_lets_one_key_into_one_cluster_until_its_time() {
        let (authority, cluster) = (KeyManager::from_seed(&[1; 32]), ClusterTag::of("c"));
        let key = *KeyManager::from_seed(&[5; 32]).public_key().as_bytes();
        let admission = Admission::Authorities(vec![*authority.public_key().as_bytes()]);
        let ticket = sign_ticket(&authority, cluster, &key, 100);
        assert_eq!(admission.refusal(&record(Some(&ticket)), cluster, 100), None);
        assert!(admission.refusal(&record(Some(&ticket)), cluster, 101).is_some());
        assert!(admission.refusal(&record(Some(&ticket)), ClusterTag::of("d"), 100).is_some());
        assert!(admission.refusal(&record(None), cluster, 100).is_some());
        let stranger = sign_ticket(&KeyManager::from_seed(&[2; 32]), cluster, &key, 100);
        assert!(admission.refusal(&record(Some(&stranger)), cluster, 100).is_some());
        let other = sign_ticket(&authority, cluster, &[9; 32], 100);
        assert!(admission.refusal(&record(Some(&other)), cluster, 100).is_some());
    }
}
