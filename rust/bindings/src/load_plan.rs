//! The plan of a LoadRun, read from the attributes of `palaver.bench.plan.Plan`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use palaver_load as load;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyString;

use crate::error::ArgumentError;

#[derive(FromPyObject)]
pub(crate) struct Plan {
    host: String,
    port: u16,
    authority: String,
    tls: Option<Tls>,
    clients: Vec<Client>,
    stages: Vec<Stage>,
    flows: Vec<Flow>,
    connecting: usize,
    error: PyBackedBytes,
    reason: PyBackedBytes,
    refused: PyBackedBytes,
    after: PyBackedBytes,
    moved: Option<u16>,
    keepalive: Option<(PyBackedBytes, PyBackedBytes)>,
    numbered: Option<PyBackedBytes>,
    timing: Timing,
}

#[derive(FromPyObject)]
struct Tls {
    name: String,
    roots: Vec<PyBackedBytes>,
}

#[derive(FromPyObject)]
struct Timing {
    connect: f64,
    settle: f64,
    warm_up: f64,
    measure: f64,
    drain: f64,
    rounds: bool,
}

#[derive(FromPyObject)]
struct Client {
    target: PyBackedStr,
    headers: PyBackedStr,
    opening: Vec<Step>,
    goodbye: Option<Message>,
    source: Option<String>,
    reads: bool,
    words: Vec<PyBackedBytes>,
    churns: Option<usize>,
}

#[derive(FromPyObject)]
struct Step {
    send: Option<Message>,
    expect: PyBackedBytes,
    capture: Option<PyBackedBytes>,
}

#[derive(FromPyObject)]
struct Message {
    parts: Vec<Part>,
    binary: bool,
}

#[derive(FromPyObject)]
enum Part {
    Bytes(PyBackedBytes),
    Captured(usize),
    /// Any text, the gap that one of the client's words fills.
    Word(PyWord),
    /// `...`, the gap that the number fills.
    Number(PyEllipsis),
    /// `None`, the gap that the number last seen fills.
    Seen(PyNone),
}

/// Python's `...`.
struct PyEllipsis;

impl<'py> FromPyObject<'_, 'py> for PyEllipsis {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is(object.py().Ellipsis()) {
            return Ok(Self);
        }
        Err(ArgumentError::new_err("a part of a message is bytes, the index of a client, ..., or None"))
    }
}

/// Python's `None`.
struct PyNone;

impl<'py> FromPyObject<'_, 'py> for PyNone {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() { Ok(Self) } else { Err(ArgumentError::new_err("not None")) }
    }
}

/// Any Python string.
struct PyWord;

impl<'py> FromPyObject<'_, 'py> for PyWord {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.cast::<PyString>()?;
        Ok(Self)
    }
}

#[derive(FromPyObject)]
struct Stage {
    name: String,
    window: Option<u32>,
    rate: Option<f64>,
    churn: bool,
}

#[derive(FromPyObject)]
struct Flow {
    stage: usize,
    sender: usize,
    receivers: Vec<usize>,
    messages: Vec<Message>,
    prologue: Option<Message>,
    epilogue: Option<Message>,
    arrival: PyBackedBytes,
    reply: Option<PyBackedBytes>,
    burst: u32,
    limit: Option<u64>,
    inquiry: Option<Inquiry>,
}

#[derive(FromPyObject)]
struct Inquiry {
    fence: Message,
    fenced: PyBackedBytes,
    requests: Vec<Message>,
}

fn shared(bytes: &PyBackedBytes) -> Arc<[u8]> {
    Arc::from(&bytes[..])
}

fn message(message: &Message) -> load::Message {
    let part = |part: &Part| match part {
        Part::Bytes(bytes) => load::Part::Bytes(shared(bytes)),
        Part::Captured(client) => load::Part::Captured(*client),
        Part::Word(_) => load::Part::Word,
        Part::Number(_) => load::Part::Number,
        Part::Seen(_) => load::Part::Seen,
    };
    load::Message { parts: message.parts.iter().map(part).collect(), binary: message.binary }
}

fn address(text: &str, what: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| ArgumentError::new_err(format!("{what} must be an IP address, not {text:?}")))
}

fn seconds(value: f64, what: &str) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| ArgumentError::new_err(format!("timing.{what} must be seconds from 0, not {value}")))
}

fn client(client: &Client) -> PyResult<load::Client> {
    let step = |step: &Step| load::Step {
        send: step.send.as_ref().map(message),
        expect: shared(&step.expect),
        capture: step.capture.as_ref().map(|after| load::Capture { after: shared(after) }),
    };
    Ok(load::Client {
        target: Arc::from(&client.target[..]),
        headers: Arc::from(&client.headers[..]),
        opening: client.opening.iter().map(step).collect(),
        goodbye: client.goodbye.as_ref().map(message),
        source: client.source.as_deref().map(|source| address(source, "a client's source")).transpose()?,
        reads: client.reads,
        words: client.words.iter().map(shared).collect(),
        churns: client.churns,
    })
}

fn stage(stage: &Stage) -> PyResult<load::Stage> {
    let pace = match (stage.churn, stage.window, stage.rate) {
        (true, None, rate) => load::Pace::Churn { rate },
        (false, Some(window), None) => load::Pace::Closed { window },
        (false, None, Some(rate)) => load::Pace::Open { rate },
        _ => {
            return Err(ArgumentError::new_err(
                "a stage has either a window or a rate; one that churns has no window",
            ));
        }
    };
    Ok(load::Stage { name: stage.name.clone(), pace })
}

fn flow(flow: &Flow) -> load::Flow {
    load::Flow {
        stage: flow.stage,
        sender: flow.sender,
        receivers: flow.receivers.clone(),
        messages: flow.messages.iter().map(message).collect(),
        prologue: flow.prologue.as_ref().map(message),
        epilogue: flow.epilogue.as_ref().map(message),
        arrival: shared(&flow.arrival),
        reply: flow.reply.as_ref().map(shared),
        burst: flow.burst,
        limit: flow.limit,
        inquiry: flow.inquiry.as_ref().map(|inquiry| load::Inquiry {
            fence: message(&inquiry.fence),
            fenced: shared(&inquiry.fenced),
            requests: inquiry.requests.iter().map(message).collect(),
        }),
    }
}

impl Plan {
    pub(crate) fn read(&self) -> PyResult<load::Plan> {
        let ip = address(&self.host, "host")?;
        let timing = &self.timing;
        Ok(load::Plan {
            address: (ip, self.port).into(),
            host: self.authority.clone(),
            tls: self.tls.as_ref().map(|tls| load::Tls {
                name: tls.name.clone(),
                roots: tls.roots.iter().map(|der| der.to_vec()).collect(),
            }),
            clients: self.clients.iter().map(client).collect::<PyResult<_>>()?,
            stages: self.stages.iter().map(stage).collect::<PyResult<_>>()?,
            flows: self.flows.iter().map(flow).collect(),
            connecting: self.connecting,
            error: self.error.to_vec(),
            reason: self.reason.to_vec(),
            refused: self.refused.to_vec(),
            after: self.after.to_vec(),
            moved: self.moved,
            keepalive: self
                .keepalive
                .as_ref()
                .map(|(ping, pong)| load::Keepalive { ping: ping.to_vec(), pong: pong.to_vec() }),
            numbered: self.numbered.as_ref().map(|before| before.to_vec()),
            timing: load::Timing {
                connect: seconds(timing.connect, "connect")?,
                settle: seconds(timing.settle, "settle")?,
                warm_up: seconds(timing.warm_up, "warm_up")?,
                measure: seconds(timing.measure, "measure")?,
                drain: seconds(timing.drain, "drain")?,
                rounds: timing.rounds,
            },
        })
    }
}
