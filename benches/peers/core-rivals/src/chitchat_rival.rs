//! chitchat: `reset_node_state_if_update`, the one way in that its public API has for the state of another node. It queues
//! nothing: its digests carry the news. Each node has one key.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chitchat::{
    Chitchat, ChitchatConfig, ChitchatId, DeletionStatus, FailureDetectorConfig, ProtocolVersion,
    VersionedValue,
};
use tokio::sync::watch;

use crate::MEMBERS;

pub struct Table {
    chitchat: Chitchat,
    ids: Vec<ChitchatId>,
    version: u64,
    _seeds: watch::Sender<HashSet<SocketAddr>>,
}

impl Table {
    pub fn new() -> Self {
        let ids: Vec<ChitchatId> = (0..MEMBERS)
            .map(|n| {
                let address = Ipv4Addr::from_bits(0x0A00_0000 + n as u32);
                ChitchatId::new(format!("node-{n}"), 0, (address, 7946).into())
            })
            .collect();
        let (seeds, watched) = watch::channel(HashSet::new());
        let config = ChitchatConfig {
            chitchat_id: ids[0].clone(),
            cluster_id: "bench".to_owned(),
            gossip_interval: Duration::from_secs(1),
            listen_addr: ids[0].gossip_advertise_addr,
            seed_nodes: Vec::new(),
            failure_detector_config: FailureDetectorConfig::default(),
            marked_for_deletion_grace_period: Duration::from_secs(10_000),
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: ProtocolVersion::V0,
        };
        let chitchat = Chitchat::with_chitchat_id_and_seeds(config, watched, Vec::new());
        let mut table = Self {
            chitchat,
            ids,
            version: 1,
            _seeds: seeds,
        };
        for n in 1..MEMBERS {
            table.merge(n, 1);
        }
        table
    }

    fn merge(&mut self, n: usize, version: u64) {
        let value = VersionedValue {
            value: "alive".to_owned(),
            version,
            status: DeletionStatus::Set,
        };
        let keys = std::iter::once(("status".to_owned(), value));
        self.chitchat
            .reset_node_state_if_update(&self.ids[n], keys, version, 0);
    }

    pub fn merge_unchanged(&mut self, operations: usize) {
        for n in 0..operations {
            self.merge(1 + (n * 7_919) % (MEMBERS - 1), 1);
        }
    }

    pub fn merge_newer(&mut self, operations: usize) {
        for n in 0..operations {
            self.version += 1;
            self.merge(1 + (n * 7_919) % (MEMBERS - 1), self.version);
        }
    }
}
