//! `palaver.core._native`: each class takes arguments, makes one call into `palaver-core` and converts the answer.
//!
//! The manual is `python/palaver/core/_native.pyi`; it changes with every signature here.

mod admission;
mod arguments;
mod backoff;
mod beat;
mod broadcast_buffer;
mod cache;
mod client_frames;
mod cluster_arguments;
mod cluster_driver;
mod convert;
mod envelope;
mod error;
mod events;
mod failure_detector;
mod keys;
mod links;
mod listed;
mod load_plan;
mod load_run;
mod local_engine;
mod lock;
mod log_tail;
mod membership;
mod names;
mod node;
mod node_record;
mod outbox;
mod placement;
mod production_node;
mod rate_limit;
mod relay;
mod replay;
mod simulate;
mod state_store;
mod strategy;
mod text;
mod wal;
mod whole;

/// The native part of palaver.core.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::admission::{node_id_of, sign_ban, sign_ticket};
    #[pymodule_export]
    use crate::backoff::GossipBackoff;
    #[pymodule_export]
    use crate::beat::Beat;
    #[pymodule_export]
    use crate::broadcast_buffer::BroadcastBuffer;
    #[pymodule_export]
    use crate::cache::MessageCache;
    #[pymodule_export]
    use crate::client_frames::take_messages;
    #[pymodule_export]
    use crate::cluster_driver::ClusterDriver;
    #[pymodule_export]
    use crate::envelope::{GossipEnvelope, GossipMessage};
    #[pymodule_export]
    use crate::failure_detector::FailureDetector;
    #[pymodule_export]
    use crate::keys::KeyManager;
    #[pymodule_export]
    use crate::links::{Opened, PairwiseLinks};
    #[pymodule_export]
    use crate::load_run::LoadRun;
    #[pymodule_export]
    use crate::log_tail::LogTail;
    #[pymodule_export]
    use crate::membership::{MembershipTable, Merged};
    #[pymodule_export]
    use crate::node::{Node, NodeMetadata};
    #[pymodule_export]
    use crate::node_record::NodeRecord;
    #[pymodule_export]
    use crate::outbox::{Outbox, Outboxes};
    #[pymodule_export]
    use crate::placement::rendezvous;
    #[pymodule_export]
    use crate::production_node::ProductionNode;
    #[pymodule_export]
    use crate::rate_limit::RateLimit;
    #[pymodule_export]
    use crate::relay::{RelayRun, read_relays};
    #[pymodule_export]
    use crate::replay::ReplayGuard;
    #[pymodule_export]
    use crate::simulate::{simulate, simulation_scenarios};
    #[pymodule_export]
    use crate::state_store::{State, StateStore};
    #[pymodule_export]
    use crate::strategy::{FanoutStrategy, GossipStrategy};
    #[pymodule_export]
    use crate::text::{first_bad_sdp_line, is_sound_sdp, json_shape};
    #[pymodule_export]
    use crate::wal::WriteAheadLog;
}
