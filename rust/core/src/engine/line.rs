//! Sealed packets between this node and others, opened once each.

use std::collections::HashMap;

use super::config::{EngineConfig, Sealing};
use super::contact::Contact;
use super::identity::Identity;
use crate::envelope::{HEAD, PAIRWISE};
use crate::lives::Lives;
use crate::replay::Window;
use crate::{ClusterTag, Error, IdHashBuilder, Life, NodeId, Opened, PairwiseLinks, Postmark};

/// All links of one life.
#[derive(Debug, Clone)]
pub(super) enum Line {
    /// The real ones.
    Pairwise(Box<PairwiseLinks>),
    /// Those of a simulation.
    Model(Box<ModelLinks>),
}

/// What every packet adds to its payload.
pub(super) const OVERHEAD: usize = PairwiseLinks::OVERHEAD;

impl Line {
    /// The line of `identity`'s life.
    pub(super) fn new(
        config: &EngineConfig,
        identity: &Identity,
        cluster: ClusterTag,
        hasher: IdHashBuilder,
    ) -> Result<Self, Error> {
        let (keys, epoch, max_peers) = (&identity.keys, identity.incarnation, config.max_links);
        Ok(match config.rules.sealing {
            Sealing::Pairwise => {
                let links = PairwiseLinks::new(keys, cluster, epoch, identity.exchange, max_peers, hasher)?;
                Self::Pairwise(Box::new(links))
            }
            Sealing::Model => Self::Model(Box::new(ModelLinks {
                own: keys.node_id(),
                cluster,
                epoch,
                next_seq: 0,
                max_peers,
                replay_window: config.rules.replay_window,
                peers: HashMap::with_hasher(hasher),
            })),
        })
    }

    /// What others need to talk to this node.
    pub(super) fn life(&self, versions: (u8, u8)) -> Life {
        match self {
            Self::Pairwise(links) => {
                let hello = links.hello();
                Life { epoch: hello.epoch(), exchange: *hello.exchange(), versions }
            }
            Self::Model(links) => Life { epoch: links.epoch, exchange: [1; 32], versions },
        }
    }

    /// Makes it possible to talk to the node of a checked record: what is sealed is for this life of it. One before the life whose
    /// packets have been opened is refused.
    pub(super) fn establish(&mut self, contact: &Contact, cluster: ClusterTag) -> Result<(), Error> {
        match self {
            Self::Pairwise(links) => links.establish_vouched(&contact.hello(cluster).ok_or(Error::NoLink)?),
            Self::Model(links) => links.establish(contact),
        }
    }

    /// Whether there is a link with this node.
    pub(super) fn contains(&self, peer: &NodeId) -> bool {
        match self {
            Self::Pairwise(links) => links.contains(peer),
            Self::Model(links) => links.peers.contains_key(peer),
        }
    }

    pub(super) fn seal(&mut self, peer: &NodeId, kind: u8, payload: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Pairwise(links) => links.seal(peer, kind, payload),
            Self::Model(links) => links.seal(peer, kind, payload),
        }
    }

    pub(super) fn open(&mut self, packet: &[u8]) -> Result<Option<Opened>, Error> {
        match self {
            Self::Pairwise(links) => links.open(packet),
            Self::Model(links) => links.open(packet),
        }
    }

    pub(super) fn forget(&mut self, peer: &NodeId) {
        match self {
            Self::Pairwise(links) => drop(links.forget(peer)),
            Self::Model(links) => drop(links.peers.remove(peer)),
        }
    }

    /// Who says to have sent a packet, before anything is opened.
    pub(super) fn claimed_sender(packet: &[u8], cluster: ClusterTag) -> Result<NodeId, Error> {
        let head = packet.first_chunk::<HEAD>().ok_or(Error::Decode("a packet has a head of 48 bytes"))?;
        Postmark::read(head, PAIRWISE, cluster).map(|(_, sender)| sender)
    }
}

/// The links of a simulation: sizes, heads and windows of [`PairwiseLinks`], a checksum in place of the cipher.
#[derive(Debug, Clone)]
pub(super) struct ModelLinks {
    own: NodeId,
    cluster: ClusterTag,
    epoch: u64,
    next_seq: u64,
    max_peers: usize,
    replay_window: bool,
    peers: HashMap<NodeId, Lives<ModelLink>, IdHashBuilder>,
}

#[derive(Debug, Clone)]
struct ModelLink {
    epoch: u64,
    taken: Option<Box<Window>>,
}

const TAG: usize = 16;

impl ModelLinks {
    fn establish(&mut self, contact: &Contact) -> Result<(), Error> {
        if contact.exchange.is_none() {
            return Err(Error::NoLink);
        }
        if let Some(lives) = self.peers.get_mut(&contact.id) {
            if lives.pick(|link| link.epoch == contact.epoch) {
                return Ok(());
            }
            if lives.latest().epoch > contact.epoch {
                return Err(Error::StaleHello);
            }
        } else if self.peers.len() >= self.max_peers {
            return Err(Error::Full { what: "list of links", limit: self.max_peers });
        }
        let link = ModelLink { epoch: contact.epoch, taken: None };
        let lives = match self.peers.remove(&contact.id) {
            Some(lives) => lives.greeted_by(link),
            None => Lives::of(link),
        };
        self.peers.insert(contact.id, lives);
        Ok(())
    }

    fn seal(&mut self, peer: &NodeId, kind: u8, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let link = self.peers.get(peer).ok_or(Error::NoLink)?.picked();
        let postmark = Postmark { kind, cluster: self.cluster, epoch: self.epoch, seq: self.next_seq };
        let mut packet = Vec::with_capacity(OVERHEAD + payload.len());
        packet.extend_from_slice(&postmark.head(PAIRWISE, &self.own));
        packet.extend_from_slice(payload);
        let tag = checksum(&packet, peer, link.epoch);
        packet.extend_from_slice(&tag);
        self.next_seq += 1;
        Ok(packet)
    }

    fn open(&mut self, packet: &[u8]) -> Result<Option<Opened>, Error> {
        let Some(head) = packet.first_chunk::<HEAD>().filter(|_| packet.len() >= OVERHEAD) else {
            return Err(Error::Decode("a packet has at least 64 bytes"));
        };
        let (postmark, sender) = Postmark::read(head, PAIRWISE, self.cluster)?;
        let lives = self.peers.get_mut(&sender).ok_or(Error::NoLink)?;
        let link = lives.find_mut(|link| link.epoch == postmark.epoch).ok_or(Error::NoLink)?;
        let (content, tag) = packet.split_at(packet.len() - TAG);
        if checksum(content, &self.own, self.epoch) != *tag {
            return Err(Error::Signature);
        }
        let new = match &mut link.taken {
            Some(window) => window.accept(postmark.epoch, postmark.seq),
            none => {
                *none = Some(Box::new(Window::starting_at(postmark.epoch, postmark.seq)));
                true
            }
        };
        lives.opened(|link| link.epoch == postmark.epoch);
        let opened = Opened { sender, postmark, payload: content[HEAD..].to_vec() };
        Ok((new || !self.replay_window).then_some(opened))
    }
}

/// Binds a packet to its receiver's life.
fn checksum(content: &[u8], receiver: &NodeId, epoch: u64) -> [u8; TAG] {
    let mut sums = [epoch, u64::from_le_bytes(*receiver.as_bytes().first_chunk().expect("16 bytes"))];
    for chunk in content.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let wide = u128::from(sums[0] ^ u64::from_le_bytes(word)) * 0x9E37_79B9_7F4A_7C15;
        sums = [sums[1] ^ wide as u64, sums[0].wrapping_add((wide >> 64) as u64)];
    }
    let mut tag = [0; TAG];
    tag[..8].copy_from_slice(&sums[0].to_le_bytes());
    tag[8..].copy_from_slice(&sums[1].to_le_bytes());
    tag
}
