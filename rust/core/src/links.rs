//! Encrypted packets between two nodes that have greeted each other: X25519, then ChaCha20-Poly1305 (RFC 7748, RFC 8439).
//!
//! A packet is the head of an envelope with algorithm 2, which is authenticated, then the encrypted payload and a tag of 16
//! bytes. Each direction has a key of its own, hashed from the shared secret and both greetings, so that what was agreed
//! with one node, in one epoch, under one identity, is good for nothing else. The nonce is the sequence number: one counter
//! for all peers, which never repeats while the exchange key lives, whatever is forgotten and greeted again.
//!
//! Keys are drawn for one epoch and kept in memory only: whoever later steals the identity's key cannot read what was sent.
//! What this protects against, and what it does not, is in docs/pairwise-links.md.

use std::collections::HashMap;

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use curve25519_dalek::montgomery::MontgomeryPoint;
use zeroize::Zeroizing;

use crate::envelope::{HEAD, PAIRWISE};
use crate::lives::Lives;
use crate::parted::{Parted, Parting};
use crate::replay::Window;
use crate::{ClusterTag, Error, GossipEnvelope, Hello, IdHashBuilder, KeyManager, NodeId, Postmark};

const TAG: usize = 16;
const CONTEXT: &str = "palaver 2026 pairwise key v1";

/// A packet that was opened: it came from the sender, unchanged and for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Who sent it.
    pub sender: NodeId,
    /// What is written on the outside.
    pub postmark: Postmark,
    /// What was inside.
    pub payload: Vec<u8>,
}

/// What was agreed with one node.
#[derive(Clone)]
struct Link {
    hello: Hello,
    out: ChaCha20Poly1305,
    back: ChaCha20Poly1305,
    taken: Option<Window>,
    /// Packets in its name that were not of it.
    forged: u64,
}

/// The links of one node in one epoch. A copy has the same key and the same counter: only one of the two may ever seal.
#[derive(Clone)]
pub struct PairwiseLinks {
    secret: Zeroizing<[u8; 32]>,
    hello: Hello,
    cluster: ClusterTag,
    next_seq: u64,
    max_peers: usize,
    links: HashMap<NodeId, Lives<Link>, IdHashBuilder>,
    parted: Parted,
}

impl std::fmt::Debug for PairwiseLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PairwiseLinks({}, {} peers)", self.hello.node_id(), self.links.len()) // never a key
    }
}

impl PairwiseLinks {
    /// What a packet adds to its payload.
    pub const OVERHEAD: usize = HEAD + TAG;
    /// How many peers there are at most unless told otherwise; each takes about 500 bytes.
    pub const DEFAULT_MAX_PEERS: usize = 1 << 16;
    /// So many forged packets are looked at under one key: the limit of RFC 9001 §6.6 for this cipher. Beyond it the peer has
    /// to greet in a later epoch.
    pub const MAX_FORGED: u64 = 1 << 36;

    /// No links yet. Draw `secret` from the operating system for this one value, and never keep it: two values with one
    /// secret would use nonces twice.
    pub fn new(
        keys: &KeyManager,
        cluster: ClusterTag,
        epoch: u64,
        secret: [u8; 32],
        max_peers: usize,
        hasher: IdHashBuilder,
    ) -> Result<Self, Error> {
        if max_peers == 0 {
            return Err(Error::Capacity { what: "list of links", max: usize::MAX });
        }
        let exchange = MontgomeryPoint::mul_base_clamped(secret).to_bytes();
        Ok(Self {
            secret: Zeroizing::new(secret),
            hello: Hello::sign(keys, cluster, epoch, &exchange),
            cluster,
            next_seq: 0,
            max_peers,
            links: HashMap::with_hasher(hasher),
            parted: Parted::new(max_peers, hasher),
        })
    }

    /// The own greeting: send it to whomever you want to talk to.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Takes a greeting whose sender may be talked to: admission is the caller's. The same greeting again changes nothing;
    /// one of a later epoch replaces the link; an earlier one, and another one of the same epoch, is refused.
    pub fn establish(&mut self, theirs: &Hello) -> Result<(), Error> {
        self.link(theirs, Hello::verify, false)
    }

    /// The same with a greeting that a checked node record vouches for. One of a later epoch replaces the link when a packet of
    /// it has been opened; until then there are both, and what is sealed is for whichever was established last.
    pub(crate) fn establish_vouched(&mut self, theirs: &Hello) -> Result<(), Error> {
        self.link(theirs, |_| true, true)
    }

    fn link(&mut self, theirs: &Hello, verify: impl Fn(&Hello) -> bool, beside: bool) -> Result<(), Error> {
        let node_id = theirs.node_id();
        if let Some(lives) = self.links.get_mut(&node_id) {
            if lives.pick(|link| link.hello.content() == theirs.content()) {
                return Ok(());
            }
            if lives.latest().hello.epoch() >= theirs.epoch() {
                return Err(Error::StaleHello);
            }
        } else if self.links.len() >= self.max_peers {
            return Err(Error::Full { what: "list of links", limit: self.max_peers });
        }
        if self.parted.get(&node_id).is_some_and(|parting| parting.epoch > theirs.epoch()) {
            return Err(Error::StaleHello);
        }
        if node_id == self.hello.node_id() {
            return Err(Error::StaleHello);
        }
        if !verify(theirs) {
            return Err(Error::Signature);
        }
        let shared = Zeroizing::new(MontgomeryPoint(*theirs.exchange()).mul_clamped(*self.secret).to_bytes());
        if *shared == [0; 32] {
            return Err(Error::PublicKey); // a point of small order: the secret would be everybody's
        }
        let key = |from: &Hello, to: &Hello| {
            let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
            hasher.update(&*shared).update(from.content()).update(to.content());
            ChaCha20Poly1305::new(hasher.finalize().as_bytes().into())
        };
        let (out, back) = (key(&self.hello, theirs), key(theirs, &self.hello));
        let before = self.parted.recall(&node_id).filter(|parting| parting.epoch == theirs.epoch());
        let (taken, forged) = before.map_or((None, 0), |parting| (parting.taken, parting.forged));
        let link = Link { hello: theirs.clone(), out, back, taken, forged };
        let lives = match self.links.remove(&node_id).filter(|_| beside) {
            Some(lives) => lives.greeted_by(link),
            None => Lives::of(link),
        };
        self.links.insert(node_id, lives);
        Ok(())
    }

    /// Encrypts a payload for a peer.
    pub fn seal(&mut self, peer: &NodeId, kind: u8, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let max = GossipEnvelope::MAX_PAYLOAD;
        if payload.len() > max {
            return Err(Error::TooLong { what: "payload", max, got: payload.len() });
        }
        let link = self.links.get(peer).ok_or(Error::NoLink)?.picked();
        let Some(following) = self.next_seq.checked_add(1) else {
            return Err(Error::Full { what: "numbering of packets", limit: usize::MAX });
        };
        let postmark =
            Postmark { kind, cluster: self.cluster, epoch: self.hello.epoch(), seq: self.next_seq };
        let head = postmark.head(PAIRWISE, &self.hello.node_id());
        let mut packet = Vec::with_capacity(Self::OVERHEAD + payload.len());
        packet.extend_from_slice(&head);
        packet.extend_from_slice(payload);
        let tag = link
            .out
            .encrypt_in_place_detached(&nonce(self.next_seq), &head, &mut packet[HEAD..])
            .expect("a payload of at most 1 MiB is below the cipher's 256 GiB");
        packet.extend_from_slice(&tag);
        self.next_seq = following;
        Ok(packet)
    }

    /// Opens a packet from a peer; `None` if it has been taken before or is 1,024 or more behind the newest.
    ///
    /// In the order of what is cheap: length, head, cluster, link, epoch, window, cipher. Only what is authentic counts as
    /// taken.
    pub fn open(&mut self, packet: &[u8]) -> Result<Option<Opened>, Error> {
        let Some(head) = packet.first_chunk::<HEAD>().filter(|_| {
            (Self::OVERHEAD..=Self::OVERHEAD + GossipEnvelope::MAX_PAYLOAD).contains(&packet.len())
        }) else {
            return Err(Error::Decode("a pairwise packet has 64 bytes and a payload of at most 1 MiB"));
        };
        let (postmark, sender) = Postmark::read(head, PAIRWISE, self.cluster)?;
        let lives = self.links.get_mut(&sender).ok_or(Error::NoLink)?;
        let (epoch, seq) = (postmark.epoch, postmark.seq);
        // None: of an earlier life, or of one that has not greeted yet.
        let link = lives.find_mut(|link| link.hello.epoch() == epoch).ok_or(Error::NoLink)?;
        if link.forged >= Self::MAX_FORGED {
            return Err(Error::NoLink);
        }
        if link.taken.as_ref().is_some_and(|window| !window.is_new(epoch, seq)) {
            return Ok(None);
        }
        let (sealed, tag) = packet[HEAD..].split_at(packet.len() - Self::OVERHEAD);
        let mut payload = sealed.to_vec();
        if link.back.decrypt_in_place_detached(&nonce(seq), head, &mut payload, tag.into()).is_err() {
            link.forged += 1;
            return Err(Error::Signature);
        }
        match &mut link.taken {
            Some(window) => {
                window.accept(epoch, seq);
            }
            none => *none = Some(Window::starting_at(epoch, seq)),
        }
        lives.opened(|link| link.hello.epoch() == epoch);
        Ok(Some(Opened { sender, postmark, payload }))
    }

    /// Drops the link with a node that is gone, and says whether there was one. What has been taken of it stays remembered,
    /// for as many nodes as there may be links: greeting again does not make its old packets new.
    pub fn forget(&mut self, peer: &NodeId) -> bool {
        let Some(lives) = self.links.remove(peer) else { return false };
        let Link { hello, taken, forged, .. } = lives.into_latest();
        self.parted.remember(*peer, Parting { epoch: hello.epoch(), taken, forged });
        true
    }

    /// Whether a packet of the node has been opened. A greeting may be an old one that somebody sends again; a packet proves
    /// that the node is there and has taken our greeting.
    #[must_use]
    pub fn is_confirmed(&self, peer: &NodeId) -> bool {
        self.links.get(peer).is_some_and(|lives| lives.latest().taken.is_some())
    }

    /// Whether there is a link with the node.
    #[must_use]
    pub fn contains(&self, peer: &NodeId) -> bool {
        self.links.contains_key(peer)
    }

    /// How many links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is no link.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

fn nonce(seq: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&seq.to_le_bytes());
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_forgeries_end_a_key_until_a_later_epoch_whatever_is_forgotten() {
        let cluster = ClusterTag::of("test");
        let node = |n, epoch, secret| {
            let keys = KeyManager::from_seed(&[n; 32]);
            PairwiseLinks::new(&keys, cluster, epoch, [secret; 32], 9, IdHashBuilder::new(1)).unwrap()
        };
        let (mut a, mut b) = (node(1, 1, 1), node(2, 1, 2));
        a.establish(b.hello()).unwrap();
        b.establish(a.hello()).unwrap();
        let (from, to) = (a.hello().node_id(), b.hello().node_id());
        let mut forged = a.seal(&to, 1, b"x").unwrap();
        *forged.last_mut().unwrap() ^= 1;
        b.links.get_mut(&from).unwrap().find_mut(|_| true).unwrap().forged = PairwiseLinks::MAX_FORGED - 1;
        assert_eq!(b.open(&forged), Err(Error::Signature));
        assert!(b.forget(&from));
        b.establish(a.hello()).unwrap();
        let good = a.seal(&to, 1, b"x").unwrap();
        assert_eq!(b.open(&good), Err(Error::NoLink));
        let mut reborn = node(1, 2, 3);
        reborn.establish(b.hello()).unwrap();
        b.establish(reborn.hello()).unwrap();
        assert!(b.open(&reborn.seal(&to, 1, b"x").unwrap()).unwrap().is_some());
    }

    #[test]
    fn a_key_that_makes_the_secret_everybodys_is_refused() {
        let (keys, cluster) = (KeyManager::from_seed(&[1; 32]), ClusterTag::of("test"));
        let mut links = PairwiseLinks::new(&keys, cluster, 1, [2; 32], 9, IdHashBuilder::new(1)).unwrap();
        for weak in [[0; 32], std::array::from_fn(|byte| u8::from(byte == 0))] {
            let hello = Hello::sign(&KeyManager::from_seed(&[3; 32]), cluster, 1, &weak);
            assert_eq!(links.establish(&hello), Err(Error::PublicKey));
        }
    }
}
