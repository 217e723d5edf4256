//! What a run does, as data.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A whole run. Indices into `clients` and `stages` are checked before anything connects.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The Host header.
    pub host: String,
    /// Encrypts every connection; None: plain.
    pub tls: Option<Tls>,
    /// Everybody who connects.
    pub clients: Vec<Client>,
    /// What is measured together, each with figures of its own.
    pub stages: Vec<Stage>,
    /// Who sends what to whom.
    pub flows: Vec<Flow>,
    /// Clients that are connecting at once, before the stages begin.
    pub connecting: usize,
    /// Stands in every message that is refused.
    pub error: Vec<u8>,
    /// Stands before the word that tells why; the word ends like a [`Capture`].
    pub reason: Vec<u8>,
    /// Stands before the number of the request that is refused. Empty: refusals do not tell.
    pub refused: Vec<u8>,
    /// Stands before the milliseconds after which it may be tried again.
    pub after: Vec<u8>,
    /// The close code by which a server sends a client that is not in yet to another address: the words of the reason that begin
    /// with `ws://` or `wss://`, best first. None: a close is a refusal.
    pub moved: Option<u16>,
    /// A ping of the protocol above WebSocket, as Engine.IO has one.
    pub keepalive: Option<Keepalive>,
    /// Stands before the number of what a client is told, for [`Part::Seen`]; the number ends like a [`Capture`].
    pub numbered: Option<Vec<u8>>,
    /// How long each phase takes.
    pub timing: Timing,
}

/// What a TLS client trusts.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The name that the certificate must have.
    pub name: String,
    /// DER of the certificates that are trusted.
    pub roots: Vec<Vec<u8>>,
}

/// How long each phase takes.
#[derive(Clone, Debug)]
pub struct Timing {
    /// How long all clients together may take to get in.
    pub connect: Duration,
    /// The run is settled once nothing has come in for this long (at most ten times it).
    pub settle: Duration,
    /// Before figures are taken.
    pub warm_up: Duration,
    /// While figures are taken.
    pub measure: Duration,
    /// How long is waited for what is still under way.
    pub drain: Duration,
    /// Warm-up, measuring and draining wait for [`crate::Run::go`], and come as often as it is called.
    pub rounds: bool,
}

/// One client.
#[derive(Clone, Debug)]
pub struct Client {
    /// The request target of the upgrade.
    pub target: Arc<str>,
    /// Further header lines of the upgrade, each ended by CRLF.
    pub headers: Arc<str>,
    /// What is said and heard until the client is in.
    pub opening: Vec<Step>,
    /// Said before closing.
    pub goodbye: Option<Message>,
    /// The local address to connect from.
    pub source: Option<IpAddr>,
    /// Stops reading once it is in, with a small receive buffer: a slow reader.
    pub reads: bool,
    /// What fills [`Part::Word`] of its opening: another one each time it comes, by turns.
    pub words: Vec<Arc<[u8]>>,
    /// Comes and goes all the time as part of this stage ([`Pace::Churn`]); None: stays for the whole run.
    pub churns: Option<usize>,
}

/// One step of getting in: say something, then hear something.
#[derive(Clone, Debug)]
pub struct Step {
    /// Said first; None: only listen.
    pub send: Option<Message>,
    /// The step is done when a message has this in it.
    pub expect: Arc<[u8]>,
    /// Remembered of that message, for [`Part::Captured`].
    pub capture: Option<Capture>,
}

/// A word of a message: what stands after `after`, up to the next `"`, `,`, `}` or `<`, so that numbers of JSON
/// and text of XML are words, too.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Stands before the word.
    pub after: Arc<[u8]>,
}

/// A message with gaps that are filled when it is sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// In this order.
    pub parts: Vec<Part>,
    /// A binary frame rather than a text frame.
    pub binary: bool,
}

/// A part of a message.
#[derive(Clone, Debug)]
pub enum Part {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// The number of the message in its flow, in decimal, from 1.
    Number,
    /// What a client captured while it got in.
    Captured(usize),
    /// The last number that the client who says it was told ([`Plan::numbered`]).
    Seen,
    /// One of the client's own words ([`Client::words`]).
    Word,
}

/// An answer to a ping of the protocol above.
#[derive(Clone, Debug)]
pub struct Keepalive {
    /// The whole message.
    pub ping: Vec<u8>,
    /// Is answered by this text.
    pub pong: Vec<u8>,
}

/// What is measured together.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What it is called.
    pub name: String,
    /// When its flows send.
    pub pace: Pace,
}

/// When to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Closed loop: each flow has this many messages (or bursts) under way.
    Closed {
        /// From 1.
        window: u32,
    },
    /// Open loop: this many messages (or bursts) per second over all flows by turns, whatever comes back.
    /// Latency counts from the moment that was scheduled.
    Open {
        /// Per second, above 0.
        rate: f64,
    },
    /// Clients of this stage get in, go, and come again; one cycle is one message.
    Churn {
        /// So many come per second, and their latency counts from when they were due; None: each comes again at once.
        rate: Option<f64>,
    },
}

/// One sender's messages.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The stage it is counted in.
    pub stage: usize,
    /// Index of the client that sends.
    pub sender: usize,
    /// Indices of the clients that each message must reach.
    pub receivers: Vec<usize>,
    /// Sent by turns.
    pub messages: Vec<Message>,
    /// Sent once, before the first; not counted.
    pub prologue: Option<Message>,
    /// Sent once by the sender and by each receiver when the last burst of `limit` has arrived; not counted.
    pub epilogue: Option<Message>,
    /// Stands near the beginning of what the receivers get.
    pub arrival: Arc<[u8]>,
    /// Stands near the beginning of the reply that the sender gets; None: there is none.
    pub reply: Option<Arc<[u8]>>,
    /// Messages sent at once.
    pub burst: u32,
    /// Bursts sent at most.
    pub limit: Option<u64>,
    /// How to learn what became of messages that do not arrive; None: they are waited for.
    pub inquiry: Option<Inquiry>,
}

/// How to learn what became of messages that do not arrive, where a server tells nobody of a refusal that was not asked for.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// A request that the server answers after all that was sent before it. Said when a message is overdue.
    pub fence: Message,
    /// Stands near the beginning of its answer, whatever that is.
    pub fenced: Arc<[u8]>,
    /// The flow's messages as requests, sent from when one was lost: refusals of these are told. Empty: they are requests anyway.
    pub requests: Vec<Message>,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Clients get in.
    Connecting,
    /// What getting in has set off is waited for.
    Settling,
    /// Of a run in rounds: nothing flows until it is told to go.
    Waiting,
    /// Everything flows, nothing is counted.
    Warming,
    /// Everything counts.
    Measuring,
    /// Nothing new is sent.
    Draining,
    /// Clients go.
    Closing,
    /// The report is there.
    Done,
}

impl Phase {
    /// As one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Settling => "settling",
            Self::Waiting => "waiting",
            Self::Warming => "warming",
            Self::Measuring => "measuring",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Done => "done",
        }
    }
}

/// The plan cannot be carried out; says why.
#[derive(Clone, Debug)]
pub struct PlanError(pub String);

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Looks whether all indices and numbers can be used.
    ///
    /// # Errors
    /// Says which part of the plan breaks which rule.
    pub fn check(&self) -> Result<(), PlanError> {
        let refuse = |what: String| Err(PlanError(what));
        let clients = self.clients.len();
        if clients == 0 || self.connecting == 0 {
            return refuse("a plan needs clients, and at least one that connects at a time".into());
        }
        for stage in &self.stages {
            let fits = match stage.pace {
                Pace::Closed { window } => window >= 1,
                Pace::Open { rate } | Pace::Churn { rate: Some(rate) } => {
                    rate.is_finite() && rate > 0.0 && rate <= 1e7
                }
                Pace::Churn { rate: None } => true,
            };
            if !fits {
                return refuse(format!(
                    "stage {}: a window is at least 1, a rate above 0 and at most 1e7",
                    stage.name
                ));
            }
        }
        for (index, client) in self.clients.iter().enumerate() {
            if let Some(stage) = client.churns
                && self.stages.get(stage).is_none_or(|stage| !matches!(stage.pace, Pace::Churn { .. }))
            {
                return refuse(format!("client {index} churns in stage {stage}, which is not of that pace"));
            }
            if client
                .opening
                .iter()
                .filter_map(|step| step.send.as_ref())
                .any(|message| !message.fits(clients))
            {
                return refuse(format!(
                    "client {index} says something captured by a client that is not there"
                ));
            }
        }
        for (index, client) in self.clients.iter().enumerate() {
            let mut said = client.opening.iter().filter_map(|step| step.send.as_ref());
            if client.words.is_empty() && said.any(Message::has_word) {
                return refuse(format!("client {index} says a word and has none"));
            }
        }
        for (index, flow) in self.flows.iter().enumerate() {
            let stays =
                |client: usize| self.clients.get(client).is_some_and(|client| client.churns.is_none());
            if flow.stage >= self.stages.len() || matches!(self.stages[flow.stage].pace, Pace::Churn { .. }) {
                return refuse(format!("flow {index} is in stage {}, which has no flows", flow.stage));
            }
            if !stays(flow.sender) || !flow.receivers.iter().all(|&receiver| stays(receiver)) {
                return refuse(format!("flow {index} names clients that are not there all the time"));
            }
            if flow.messages.is_empty()
                || flow.burst == 0
                || (flow.receivers.is_empty() && flow.reply.is_none())
            {
                return refuse(format!(
                    "flow {index} needs messages, a burst from 1, and receivers or replies"
                ));
            }
            if !flow
                .messages
                .iter()
                .chain(&flow.prologue)
                .chain(&flow.epilogue)
                .chain(
                    flow.inquiry.iter().flat_map(|inquiry| inquiry.requests.iter().chain([&inquiry.fence])),
                )
                .all(|message| message.fits(clients))
            {
                return refuse(format!(
                    "flow {index} sends something captured by a client that is not there"
                ));
            }
        }
        Ok(())
    }
}

impl Message {
    fn has_word(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Word))
    }

    fn fits(&self, clients: usize) -> bool {
        self.parts.iter().all(|part| !matches!(part, Part::Captured(client) if *client >= clients))
    }
}
