//! What the targets share: two nodes that know each other.

use std::sync::LazyLock;

use palaver_core::{ClusterTag, IdHashBuilder, KeyManager, MembershipTable, NodeId, PairwiseLinks};

/// The cluster of every input.
pub fn cluster() -> ClusterTag {
    ClusterTag::of("fuzz")
}

/// The keys of one of the nodes 8 and 9.
pub fn keys(node: u8) -> KeyManager {
    KeyManager::from_seed(&[node; 32])
}

/// A seed is fixed, so that an input that fails fails again.
pub fn hasher() -> IdHashBuilder {
    IdHashBuilder::new(1)
}

/// The links of a node, with nobody yet.
pub fn links(node: u8) -> PairwiseLinks {
    PairwiseLinks::new(&keys(node), cluster(), 1, [node; 32], 100, hasher()).expect("a bound in range")
}

/// Making keys costs more than most inputs do.
static OWN: LazyLock<NodeId> = LazyLock::new(|| keys(9).node_id());

/// The table of node 9: small, so that being full is reached.
pub fn table() -> MembershipTable {
    MembershipTable::new(*OWN, 20, hasher()).expect("a bound in range")
}
