//! The loop of a run: it waits for the kernel, lets clients read and write, sends what is due, and goes from phase to phase.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::client::{Client, Role, State};
use crate::flow::Flow;
use crate::places::Places;
use crate::plan::{Pace, Phase, Plan, PlanError};
use crate::progress::{ABORT, Counts, STOP, Shared};
use crate::report::{Notes, Report, Stage};
use crate::spent::{Spent, cpu_time, spent};
use crate::timer::Timer;

/// How long the loop waits at most, so that phases end in time.
const TICK: Duration = Duration::from_millis(20);
/// Read at once; also the largest piece of a plain connection's bytes that is looked at in one go.
const SCRATCH: usize = 256 << 10;
/// How long goodbyes may take.
const CLOSING: u64 = 10 * SECOND;
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) struct Driver {
    pub(crate) plan: Arc<Plan>,
    pub(crate) places: Places,
    pub(crate) poll: Poll,
    pub(crate) clients: Vec<Client>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) notes: Notes,
    pub(crate) counts: Counts,
    pub(crate) phase: Phase,
    /// Nanoseconds since `epoch`.
    pub(crate) now: u64,
    /// Clients that are getting in before the stages begin.
    pub(crate) entering: usize,
    /// The next of `staying` to connect.
    next_entry: usize,
    /// Clients that do not churn.
    staying: Vec<usize>,
    pub(crate) churning: Vec<usize>,
    /// When something came in last.
    pub(crate) heard: u64,
    /// Of an open stage: when its next message is due, and the next of its flows.
    pub(crate) due: Vec<(u64, usize)>,
    /// When open stages began.
    pub(crate) due_begin: Vec<u64>,
    /// Flows by stage.
    pub(crate) flows_of: Vec<Vec<usize>>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) mask: u32,
    /// Flows that wait because the server told them to, by until when.
    pub(crate) resting: BTreeSet<(u64, usize)>,
    /// Fences that have not been answered.
    pub(crate) fences: usize,
    shared: Arc<Shared>,
    epoch: Instant,
    phase_began: u64,
    measuring_began: u64,
    ticked: u64,
    timer: Timer,
    before: Spent,
    report: Report,
    /// Rounds that were begun.
    rounds: u64,
}

impl Driver {
    pub(crate) fn new(plan: Plan, shared: Arc<Shared>) -> Result<Self, PlanError> {
        let kernel = |error: io::Error| PlanError(format!("the kernel refuses: {error}"));
        let places = Places::new(&plan)?;
        let poll = Poll::new().map_err(kernel)?;
        let timer = Timer::new(poll.registry(), Token(plan.clients.len())).map_err(kernel)?;
        let mut clients: Vec<Client> =
            plan.clients.iter().map(|_| Client::new(places.home.clone())).collect();
        let flows: Vec<Flow> = plan.flows.iter().map(Flow::new).collect();
        let mut flows_of = vec![Vec::new(); plan.stages.len()];
        for (index, (flow, state)) in plan.flows.iter().zip(&flows).enumerate() {
            flows_of[flow.stage].push(index);
            clients[flow.sender].sends.push(index);
            for (receiver, &client) in flow.receivers.iter().enumerate() {
                clients[client].roles.push(Role { flow: index, receiver, is_reply: false });
            }
            if flow.reply.is_some() {
                clients[flow.sender].roles.push(Role {
                    flow: index,
                    receiver: state.replies(),
                    is_reply: true,
                });
            }
        }
        let (churning, staying) = (0..clients.len()).partition(|&index| plan.clients[index].churns.is_some());
        Ok(Self {
            places,
            poll,
            clients,
            flows,
            stages: plan.stages.iter().map(|_| Stage::new()).collect(),
            notes: Notes::new(),
            counts: Counts::default(),
            phase: Phase::Connecting,
            now: 0,
            entering: 0,
            next_entry: 0,
            staying,
            churning,
            heard: 0,
            due: vec![(0, 0); plan.stages.len()],
            due_begin: vec![0; plan.stages.len()],
            flows_of,
            scratch: vec![0; SCRATCH],
            mask: 0x9e37_79b9,
            resting: BTreeSet::new(),
            fences: 0,
            shared,
            epoch: Instant::now(),
            phase_began: 0,
            measuring_began: 0,
            ticked: 0,
            timer,
            before: Spent::default(),
            report: Report::default(),
            rounds: 0,
            plan: Arc::new(plan),
        })
    }

    /// Carries the plan out. Each phase has a deadline, so that this ends whatever the server does.
    pub(crate) fn run(mut self) -> io::Result<Report> {
        self.epoch = Instant::now();
        self.before = spent();
        let mut events = Events::with_capacity(1024);
        let timer = Token(self.clients.len());
        while self.phase != Phase::Done {
            self.advance();
            match self.poll.poll(&mut events, Some(TICK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                done => done?,
            }
            self.look_at_clock();
            for event in &events {
                if event.token() == timer {
                    continue;
                }
                let client = event.token().0;
                let over = event.is_read_closed() || event.is_error();
                if event.is_readable() || over {
                    self.on_readable(client, over);
                }
                if event.is_writable() {
                    self.flush(client);
                }
            }
            self.send_due()?;
            self.shared.publish(self.phase, &self.counts);
        }
        self.write_report();
        self.shared.publish(self.phase, &self.counts);
        Ok(self.report)
    }

    pub(crate) fn look_at_clock(&mut self) {
        self.now = self.epoch.elapsed().as_nanos() as u64;
    }

    /// Ends the phase if it is over.
    fn advance(&mut self) {
        self.look_at_clock();
        if self.now >= self.ticked + TICK.as_nanos() as u64 {
            self.ticked = self.now;
            self.counts.cpu = cpu_time();
            self.mind_churning();
            self.mind_the_overdue();
        }
        let timing = &self.plan.timing;
        let (connect, settle) = (nanos(timing.connect), nanos(timing.settle));
        let (warm_up, measure, drain) = (nanos(timing.warm_up), nanos(timing.measure), nanos(timing.drain));
        let since = self.now - self.phase_began;
        let stop = self.shared.stop.load(Relaxed);
        if stop >= STOP && self.phase != Phase::Closing {
            self.report.stopped = true;
            self.leave_measuring();
            self.enter(Phase::Closing);
        }
        if stop >= ABORT {
            self.phase = Phase::Done;
        }
        match self.phase {
            Phase::Connecting => {
                self.let_in();
                if self.entering == 0 && self.next_entry == self.staying.len() {
                    self.end_entry();
                } else if since > connect {
                    self.give_up_entering();
                    self.end_entry();
                }
            }
            Phase::Settling if self.now.saturating_sub(self.heard) >= settle || since > 10 * settle => {
                self.report.settled = self.heard;
                if self.plan.timing.rounds {
                    self.enter(Phase::Waiting);
                } else {
                    self.enter(Phase::Warming);
                    self.start_stages();
                }
            }
            Phase::Waiting if self.shared.rounds.load(Relaxed) > self.rounds => {
                self.rounds += 1;
                self.enter(Phase::Warming);
                self.start_stages();
            }
            Phase::Warming if since >= warm_up => {
                let now = self.now;
                self.stages.iter_mut().for_each(|stage| stage.clear(now));
                self.before = spent();
                self.enter(Phase::Measuring);
            }
            Phase::Measuring if since >= measure => {
                self.leave_measuring();
                self.enter(Phase::Draining);
            }
            Phase::Draining if since >= drain || self.flows.iter().all(|flow| flow.pending == 0) => {
                self.count_undrained();
                if self.plan.timing.rounds {
                    self.write_report();
                    let mut round = self.shared.round.lock().unwrap_or_else(PoisonError::into_inner);
                    *round = Some(self.report.clone());
                    drop(round);
                    self.enter(Phase::Waiting);
                } else {
                    self.enter(Phase::Closing);
                }
            }
            Phase::Closing if since > CLOSING || self.is_empty() => self.phase = Phase::Done,
            _ => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.clients.iter().all(|client| client.state == State::Away)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_began = self.now;
        self.shared.publish(phase, &self.counts);
        if phase == Phase::Closing {
            self.say_goodbye_to_all();
        }
    }

    fn leave_measuring(&mut self) {
        if self.phase == Phase::Measuring {
            self.report.measured = self.now - self.phase_began;
            let spent = spent();
            self.report.cpu = spent.cpu - self.before.cpu;
            self.report.waited = spent.waited - self.before.waited;
            self.measuring_began = self.phase_began;
            self.count_overdue();
        }
    }

    /// Everybody is in, or was not let in.
    fn end_entry(&mut self) {
        let spent = spent();
        self.report.entry = self.now;
        self.report.entry_cpu = spent.cpu - self.before.cpu;
        self.report.entry_waited = spent.waited - self.before.waited;
        self.enter(Phase::Settling);
    }

    fn count_overdue(&mut self) {
        for (index, stage) in self.plan.stages.iter().enumerate() {
            let due = self.due[index].0;
            if let Pace::Open { rate } | Pace::Churn { rate: Some(rate) } = stage.pace
                && due < self.now
            {
                self.stages[index].overdue = ((self.now - due) as f64 * rate / 1e9) as u64;
            }
        }
    }

    /// Lets as many connect as may at once.
    fn let_in(&mut self) {
        while self.entering < self.plan.connecting
            && let Some(&client) = self.staying.get(self.next_entry)
        {
            self.next_entry += 1;
            self.entering += 1;
            self.open(client);
        }
    }

    fn give_up_entering(&mut self) {
        let missing = self.staying.len() - self.next_entry;
        self.next_entry = self.staying.len();
        for _ in 0..missing {
            self.notes.refused("no time left to connect", b"", None);
        }
        self.counts.failed += missing as u64;
        for index in 0..self.clients.len() {
            if matches!(self.clients[index].state, State::Upgrading | State::Opening(_)) {
                self.fail(index, "no answer in time", b"");
            }
        }
    }

    fn start_stages(&mut self) {
        let plan = self.plan.clone();
        for (index, spec) in plan.flows.iter().enumerate() {
            if let Some(prologue) = &spec.prologue
                && self.flows[index].bursts == 0
                && self.clients[spec.sender].state == State::Ready
            {
                self.say(spec.sender, prologue, 0);
                self.flush(spec.sender);
            }
        }
        for stage in 0..self.stages.len() {
            match self.plan.stages[stage].pace {
                Pace::Closed { .. } => {
                    for flow in self.flows_of[stage].clone() {
                        self.refill(flow);
                    }
                }
                Pace::Open { .. } | Pace::Churn { rate: Some(_) } => {
                    (self.due[stage], self.due_begin[stage]) = ((self.now, 0), self.now)
                }
                Pace::Churn { rate: None } => {}
            }
        }
        self.mind_churning();
    }

    fn count_undrained(&mut self) {
        for (flow, state) in self.plan.flows.iter().zip(&mut self.flows) {
            self.stages[flow.stage].undrained += state.give_up();
        }
    }

    /// Whether flows send and clients churn.
    pub(crate) fn flowing(&self) -> bool {
        matches!(self.phase, Phase::Warming | Phase::Measuring)
    }

    /// Sends what open stages owe, and sets the timer for what comes next.
    fn send_due(&mut self) -> io::Result<()> {
        if !self.flowing() {
            return Ok(());
        }
        self.wake_the_rested();
        let mut next = self.resting.first().map_or(u64::MAX, |&(until, _)| until);
        for stage in 0..self.stages.len() {
            if let Pace::Open { rate } | Pace::Churn { rate: Some(rate) } = self.plan.stages[stage].pace {
                self.send_stage(stage, rate);
                next = next.min(self.due[stage].0);
            }
        }
        if next == u64::MAX {
            return Ok(());
        }
        self.look_at_clock();
        self.timer.set(next.saturating_sub(self.now))
    }

    fn write_report(&mut self) {
        self.notes.write(&mut self.report);
        self.report.ready = self.counts.ready;
        self.report.failed = self.counts.failed;
        self.report.moves = self.places.visits();
        self.report.others = self.counts.others;
        let named = self.plan.stages.iter().zip(&self.stages);
        self.report.stages =
            named.map(|(plan, stage)| stage.figures(&plan.name, self.measuring_began)).collect();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 16).min(u64::MAX / 16)
}
