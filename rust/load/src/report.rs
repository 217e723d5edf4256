//! What a run found.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Different refusals that are told apart; the rest counts as "others".
const MAX_REASONS: usize = 32;
/// Bytes kept of the first message of each refusal.
const SAMPLE: usize = 300;
/// 100 s in nanoseconds: what takes longer counts as that.
const LONGEST: u64 = 100_000_000_000;

/// Durations by how often they came, within 0.1 %.
pub(crate) struct Durations(Histogram<u64>);

impl Durations {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(100, LONGEST, 3).expect("the bounds are constants that fit"))
    }

    pub(crate) fn add(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    fn buckets(&self) -> Vec<(u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

/// A stage's figures, of the time that was measured. Durations are pairs of nanoseconds and how often they came.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The stage.
    pub name: String,
    /// Messages sent.
    pub sent: u64,
    /// Messages that reached whom they were for, until the end of the run.
    pub arrived: u64,
    /// Those of them that did so while it was measured.
    pub in_time: u64,
    /// Replies to messages.
    pub replies: u64,
    /// Messages that were refused while they were waited for.
    pub refused: u64,
    /// Deliveries and replies that never come: what was sent after them has been answered, or nothing came for ten seconds.
    pub lost: u64,
    /// Deliveries and replies that had not come when they were waited for no longer.
    pub undrained: u64,
    /// From when on messages were refused or lost, since measuring began, and how many arrived in time after that.
    pub limited: Option<(u64, u64)>,
    /// Messages (or bursts) of an open loop that were due, but not sent, when measuring ended.
    pub overdue: u64,
    /// Messages of an open loop that were left out, because too much was under way.
    pub left_out: u64,
    /// From sent (open loop: from when it should have been) to arrived; of a churning stage from connecting to in.
    pub latency: Vec<(u64, u64)>,
    /// The same for replies.
    pub reply_latency: Vec<(u64, u64)>,
    /// How late an open loop sent.
    pub lateness: Vec<(u64, u64)>,
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order of the plan.
    pub stages: Vec<Figures>,
    /// Clients that got in, of those that stay.
    pub ready: u64,
    /// Clients that were not let in.
    pub failed: u64,
    /// From connecting to in, of each client that stays.
    pub ready_after: Vec<(u64, u64)>,
    /// From the beginning of the run to in.
    pub ready_since_start: Vec<(u64, u64)>,
    /// From the beginning of the run until everybody was in and nothing more came, in nanoseconds.
    pub settled: u64,
    /// Refusals: why, how often, the first of them, and the longest time in milliseconds after which to try again.
    pub errors: Vec<(String, u64, String, Option<u64>)>,
    /// Close codes of connections that were to stay (1006: no close frame), and how often.
    pub closes: Vec<(u16, u64)>,
    /// Addresses that clients were sent to while they got in ([`crate::Plan::moved`]), and how often.
    pub moves: Vec<(String, u64)>,
    /// Messages that came in without being waited for.
    pub others: u64,
    /// How long was measured, in nanoseconds.
    pub measured: u64,
    /// CPU time of the load thread while it was measured, in nanoseconds.
    pub cpu: u64,
    /// How long it wanted a core meanwhile, and had none.
    pub waited: u64,
    /// From the beginning of the run until everybody was in, or not let in.
    pub entry: u64,
    /// CPU time of the load thread in that time.
    pub entry_cpu: u64,
    /// How long it wanted a core in that time, and had none.
    pub entry_waited: u64,
    /// Whether it was told to stop before it was done.
    pub stopped: bool,
}

pub(crate) struct Stage {
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) in_time: u64,
    pub(crate) replies: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
    pub(crate) undrained: u64,
    /// When messages were refused or lost first, and how many had arrived in time until then.
    pub(crate) limited: Option<(u64, u64)>,
    pub(crate) overdue: u64,
    pub(crate) left_out: u64,
    pub(crate) latency: Durations,
    pub(crate) reply_latency: Durations,
    pub(crate) lateness: Durations,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let durations = Durations::new;
        let (latency, reply_latency, lateness) = (durations(), durations(), durations());
        Self {
            sent: 0,
            arrived: 0,
            in_time: 0,
            replies: 0,
            refused: 0,
            lost: 0,
            undrained: 0,
            limited: None,
            overdue: 0,
            left_out: 0,
            latency,
            reply_latency,
            lateness,
        }
    }

    /// Begins afresh at `now`; what is limited stays so.
    pub(crate) fn clear(&mut self, now: u64) {
        (self.sent, self.arrived, self.in_time) = (0, 0, 0);
        (self.replies, self.lost, self.left_out) = (0, 0, 0);
        (self.refused, self.undrained, self.overdue) = (0, 0, 0);
        self.limited = self.limited.map(|_| (now, 0));
        self.latency.clear();
        self.reply_latency.clear();
        self.lateness.clear();
    }

    pub(crate) fn limit(&mut self, now: u64) {
        self.limited.get_or_insert((now, self.in_time));
    }

    pub(crate) fn figures(&self, name: &str, began: u64) -> Figures {
        Figures {
            name: name.into(),
            sent: self.sent,
            arrived: self.arrived,
            in_time: self.in_time,
            replies: self.replies,
            refused: self.refused,
            lost: self.lost,
            undrained: self.undrained,
            limited: self.limited.map(|(at, before)| (at.saturating_sub(began), self.in_time - before)),
            overdue: self.overdue,
            left_out: self.left_out,
            latency: self.latency.buckets(),
            reply_latency: self.reply_latency.buckets(),
            lateness: self.lateness.buckets(),
        }
    }
}

struct Refusals {
    count: u64,
    sample: String,
    after: Option<u64>,
}

/// What goes on beside the stages.
pub(crate) struct Notes {
    pub(crate) ready_after: Durations,
    pub(crate) ready_since_start: Durations,
    errors: BTreeMap<String, Refusals>,
    closes: BTreeMap<u16, u64>,
}

impl Notes {
    pub(crate) fn new() -> Self {
        let (ready_after, ready_since_start) = (Durations::new(), Durations::new());
        Self { ready_after, ready_since_start, errors: BTreeMap::new(), closes: BTreeMap::new() }
    }

    /// Counts a refusal; `after`: the milliseconds after which to try again.
    pub(crate) fn refused(&mut self, reason: &str, message: &[u8], after: Option<u64>) {
        let full = self.errors.len() >= MAX_REASONS && !self.errors.contains_key(reason);
        let reason = if full { "others" } else { reason };
        let sample = || String::from_utf8_lossy(&message[..message.len().min(SAMPLE)]).into_owned();
        let found = self.errors.entry(reason.into());
        let found = found.or_insert_with(|| Refusals { count: 0, sample: sample(), after: None });
        found.count += 1;
        found.after = found.after.max(after);
    }

    pub(crate) fn closed(&mut self, code: u16) {
        *self.closes.entry(code).or_default() += 1;
    }

    pub(crate) fn write(&self, report: &mut Report) {
        report.ready_after = self.ready_after.buckets();
        report.ready_since_start = self.ready_since_start.buckets();
        report.errors = self
            .errors
            .iter()
            .map(|(reason, found)| (reason.clone(), found.count, found.sample.clone(), found.after))
            .collect();
        report.closes = self.closes.iter().map(|(&code, &count)| (code, count)).collect();
    }
}
