//! A deterministic simulator of palaver clusters: virtual time, seeded faults, scenarios as data.
#![forbid(unsafe_code)]

mod chance;
mod network;
mod world;

pub use chance::Chance;
pub use network::{LinkQuality, NodeLinks};
pub use world::{Disk, EPOCH_MILLIS, START, SimNode, Told, World};
