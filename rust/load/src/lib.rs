//! The load core: thousands of WebSocket clients on one thread, so that the client is not what is measured.
//!
//! A [`Plan`] says as data who connects, what each says to get in, and what flows from whom to whom; nothing here
//! knows a protocol above WebSocket, so that any server that speaks it can be loaded. [`Run::start`] carries the plan out
//! on a thread of its own; [`Run::progress`] may be asked at any time, [`Run::finish`] waits for the [`Report`].

mod churn;
mod client;
mod connections;
mod driver;
mod flow;
mod frame;
mod handshake;
mod limits;
mod places;
mod plan;
mod progress;
mod report;
mod run;
mod spent;
mod stream;
mod timer;
mod traffic;

pub use plan::{
    Capture, Client, Flow, Inquiry, Keepalive, Message, Pace, Part, Phase, Plan, PlanError, Stage, Step,
    Timing, Tls,
};
pub use progress::Progress;
pub use report::{Figures, Report};
pub use run::Run;
