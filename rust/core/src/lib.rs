//! The gossip core of palaver, sans I/O: no socket, clock, thread or Python; time and chance are arguments.
//!
//! Every rule is in the module named after its noun; this file only re-exports.
#![forbid(unsafe_code)]

mod backoff;
mod beat;
mod broadcast_buffer;
mod cache;
mod chance;
mod client_frames;
mod digest;
pub mod engine;
mod envelope;
mod error;
mod failure_detector;
mod frame_tail;
mod gcra;
mod gossip;
mod hello;
mod id;
mod json;
mod keys;
mod links;
mod lives;
mod membership;
mod message;
mod node;
mod node_record;
mod parted;
mod placement;
pub mod record;
mod relay;
mod relay_frames;
mod replay;
mod sdp;
mod shape;
mod signature;
mod signed_body;
mod state;
mod status;
mod strategy;
mod time;
mod trusted_key;
mod wal;

pub use backoff::{BackoffLimits, GossipBackoff};
pub use beat::{Beat, Vitals};
pub use broadcast_buffer::{BroadcastBuffer, ChangeKey, Priority};
pub use cache::{MessageCache, MessageId};
pub use chance::ln;
pub use client_frames::ClientFrame;
pub use envelope::{ClusterTag, GossipEnvelope, Postmark};
pub use error::Error;
pub use failure_detector::FailureDetector;
pub use frame_tail::FrameTail;
pub use gcra::Gcra;
pub use gossip::{Checked, Merged, Unchecked, queue_news, read_buckets, write_buckets};
pub use hello::Hello;
pub use id::{IdHashBuilder, NodeId};
pub use keys::{Claim, KeyManager};
pub use links::{Opened, PairwiseLinks};
pub use membership::{DEFAULT_MAX_MEMBERS, Entry, MembershipTable};
pub use message::{GossipMessage, MESSAGE_KIND};
pub use node::{Node, NodeMetadata};
pub use node_record::{AdmissionTicket, Life, NodeRecord, RecordOrder};
pub use placement::rendezvous;
pub use relay::{Relay, RelayMethod, RequestId, Sealed, read_relay};
pub use relay_frames::{Notification, Place};
pub use replay::{DEFAULT_MAX_SENDERS, REPLAY_WINDOW, ReplayGuard};
pub use sdp::{first_bad_line, is_sound_json, is_sound_msgpack};
pub use shape::{Shape, json_shape};
pub use signature::{PublicKey, Signed, verify, verify_batch};
pub use state::{
    INCARNATIONS_RESERVED, SavedState, ceiling_for, decode_ceiling, encode_ceiling, first_incarnation,
};
pub use status::{MAX_INCARNATION, Precedence, Status};
pub use strategy::{FanoutStrategy, GossipStrategy};
pub use time::Time;
pub use wal::{Frame, LOG_HEAD, LogEnd, LogWriter, Replay, replay};
