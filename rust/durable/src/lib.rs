//! What a node keeps on its disk, without Python: the write-ahead log and the saved state as files, each change with its fsync.
#![forbid(unsafe_code)]

mod files;
mod log;
mod shared_log;
mod store;

pub use files::{Failure, FileError};
pub use log::{Found, Log, Policy};
pub use shared_log::SharedLog;
pub use store::Store;
