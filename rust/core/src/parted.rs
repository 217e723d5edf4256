//! What is remembered of peers whose link was dropped, so that greeting again does not make their old packets new.

use std::collections::{HashMap, VecDeque};

use crate::replay::Window;
use crate::{IdHashBuilder, NodeId};

/// A peer as it was when its link was dropped.
#[derive(Debug, Clone)]
pub(crate) struct Parting {
    pub(crate) epoch: u64,
    pub(crate) taken: Option<Window>,
    pub(crate) forged: u64,
}

/// The latest partings, of a bounded number of peers.
#[derive(Debug, Clone)]
pub(crate) struct Parted {
    limit: usize,
    count: u64,
    peers: HashMap<NodeId, (u64, Parting), IdHashBuilder>,
    oldest_first: VecDeque<(u64, NodeId)>,
}

impl Parted {
    pub(crate) fn new(limit: usize, hasher: IdHashBuilder) -> Self {
        Self { limit, count: 0, peers: HashMap::with_hasher(hasher), oldest_first: VecDeque::new() }
    }

    /// Remembers a parting, in place of the oldest if there are too many.
    pub(crate) fn remember(&mut self, peer: NodeId, parting: Parting) {
        self.count += 1;
        self.peers.insert(peer, (self.count, parting));
        self.oldest_first.push_back((self.count, peer));
        if self.oldest_first.len() > self.limit {
            let oldest = self.oldest_first.pop_front();
            if let Some((_, peer)) = oldest.filter(|(count, peer)| self.is_latest(peer, *count)) {
                self.peers.remove(&peer);
            }
        }
    }

    pub(crate) fn get(&self, peer: &NodeId) -> Option<&Parting> {
        self.peers.get(peer).map(|(_, parting)| parting)
    }

    /// Whether the peer has not come and gone again since.
    fn is_latest(&self, peer: &NodeId, count: u64) -> bool {
        self.peers.get(peer).is_some_and(|(latest, _)| *latest == count)
    }

    /// Takes back what is remembered of a peer that is linked again.
    pub(crate) fn recall(&mut self, peer: &NodeId) -> Option<Parting> {
        self.peers.remove(peer).map(|(_, parting)| parting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_partings_are_remembered_whoever_comes_and_goes() {
        let mut parted = Parted::new(3, IdHashBuilder::new(1));
        let id = |n: u8| NodeId::from_bytes([n; 16]);
        for n in [0, 1, 0, 2, 3, 0, 4, 5, 0] {
            let _ = parted.recall(&id(n));
            parted.remember(id(n), Parting { epoch: u64::from(n), taken: None, forged: 0 });
            assert!(parted.peers.len() <= 3 && parted.oldest_first.len() <= 3);
        }
        assert_eq!((0..6).filter(|&n| parted.get(&id(n)).is_some()).collect::<Vec<_>>(), [0, 4, 5]);
    }
}
