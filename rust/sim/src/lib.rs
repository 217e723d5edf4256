//! A deterministic simulator of palaver clusters: virtual time, seeded faults, scenarios as data.
#![forbid(unsafe_code)]

mod amid;
mod arrivals;
mod chance;
mod check;
mod measure;
mod network;
pub mod promises;
mod queue;
mod recording;
mod run;
mod scenario;
mod sim_node;
mod timeline;
mod world;

pub use chance::Chance;
pub use measure::{Report, Sample};
pub use network::{Chaos, Late, LinkQuality, NodeLinks};
pub use recording::Recording;
pub use run::{Options, configuration, run};
pub use scenario::{Bar, Compared, Fault, Of, Rival, Scenario, Share, Start};
pub use sim_node::{Disk, SimNode};
pub use world::{EPOCH_MILLIS, START, Told, World};
