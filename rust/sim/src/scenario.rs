//! Scenarios as data: a cluster, what goes wrong with it and when, and what is good enough.
//!
//! ```toml
//! title = "one crash"
//! nodes = 1000
//! seconds = 40
//!
//! [[faults]]
//! at = 10
//! kind = "crash"
//! nodes = 1          # or "10%"
//!
//! [[bars]]
//! measure = "unreachable_99"
//! of = "median"      # or "p99", "max", "sum"
//! at_most = 2.5
//! ```

use serde::Deserialize;

use crate::network::LinkQuality;

/// A cluster and its troubles.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for the table.
    pub title: String,
    /// How many nodes.
    pub nodes: usize,
    /// Over how many zones they are spread.
    #[serde(default = "one")]
    pub zones: u32,
    /// How long it lasts, in seconds.
    pub seconds: f64,
    /// How the cluster comes to be.
    #[serde(default)]
    pub start: Start,
    /// How good the network is when nothing is broken.
    #[serde(default)]
    pub quality: LinkQuality,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// From when to when traffic is measured.
    pub traffic: Option<[f64; 2]>,
    /// The time from which "one view" is measured: the end of the faults unless given.
    pub settle_from: Option<f64>,
    /// The run ends as soon as there has been one view after that.
    #[serde(default)]
    pub until_one_view: bool,
    /// What is good enough.
    #[serde(default)]
    pub bars: Vec<Bar>,
    /// What is to be better than a rival by how much.
    #[serde(default)]
    pub compared: Vec<Compared>,
    /// Rivals whose rules are run beside ours.
    #[serde(default)]
    pub rivals: Vec<Rival>,
}

fn one() -> u32 {
    1
}

fn certain() -> f64 {
    1.0
}

/// As REORDER_MS of `chaosInject`.
fn reorder_ms() -> f64 {
    200.0
}

/// How the cluster comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// All know all: it has been running for long.
    #[default]
    Settled,
    /// All start within `within` seconds and know the addresses of the first `seeds`.
    Bootstrap {
        /// How many seeds.
        seeds: usize,
        /// Within how many seconds.
        within: f64,
    },
}

/// Share of the nodes: so many, or such a share.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Amount")]
pub struct Share {
    share: f64,
    count: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Count(usize),
    Share(String),
}

impl TryFrom<Amount> for Share {
    type Error = String;

    fn try_from(amount: Amount) -> Result<Self, String> {
        match amount {
            Amount::Count(count) => Ok(Self { share: 0.0, count }),
            Amount::Share(text) => {
                let percent: Option<f64> =
                    text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
                let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
                let percent = percent.ok_or_else(|| format!("\"{text}\" is no share: write \"10%\""))?;
                Ok(Self { share: percent / 100.0, count: 0 })
            }
        }
    }
}

impl Share {
    /// So many.
    #[must_use]
    pub fn count(count: usize) -> Self {
        Self { share: 0.0, count }
    }

    /// How many of `nodes`.
    #[must_use]
    pub fn of(&self, nodes: usize) -> usize {
        (self.count + (self.share * nodes as f64).round() as usize).min(nodes)
    }
}

/// Something that goes wrong.
///
/// `drop`, `delay`, `duplicate`, `reorder` and `partition` are words of `chaosInject`, with its `p` and `ms`; the others are of
/// clusters only, as some of its words are of sessions only: docs/gossip.md has the table.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Processes are killed.
    Crash {
        /// When.
        at: f64,
        /// How many.
        nodes: Share,
        /// So long afterwards they are started again; never unless given.
        restart_after: Option<f64>,
        /// Whether their disks are lost too: they come back as somebody else.
        #[serde(default)]
        lose_disk: bool,
    },
    /// Processes stand still, again and again, what arrives waits.
    Block {
        /// Whether only messages stand still, while timers go on.
        #[serde(default)]
        timers_run: bool,
        /// When it begins.
        at: f64,
        /// How many.
        nodes: Share,
        /// For how long each time, uniformly between these.
        seconds: [f64; 2],
        /// How long they run in between, uniformly between these.
        pause: [f64; 2],
        /// When it ends.
        until: f64,
    },
    /// Links of nodes lose packets.
    Links {
        /// When it begins.
        at: f64,
        /// How many.
        nodes: Share,
        /// The share of what is sent to them.
        #[serde(default)]
        inbound_loss: f64,
        /// The share of what they send.
        #[serde(default)]
        outbound_loss: f64,
        /// Good and bad for so many seconds in turn; always bad unless given.
        flip: Option<f64>,
        /// When it ends.
        until: Option<f64>,
    },
    /// Everything takes longer on nodes.
    Slow {
        /// When it begins.
        at: f64,
        /// How many.
        nodes: Share,
        /// By how many seconds.
        by: f64,
        /// When it ends.
        until: f64,
    },
    /// What nodes are sent is lost.
    Drop {
        /// When it begins.
        at: f64,
        /// How many, which count as affected; all, and nobody counts, unless given.
        nodes: Option<Share>,
        /// The share.
        #[serde(default = "certain")]
        p: f64,
        /// When it ends.
        until: f64,
    },
    /// What nodes are sent comes later.
    Delay {
        /// When it begins.
        at: f64,
        /// How many, which count as affected; all, and nobody counts, unless given.
        nodes: Option<Share>,
        /// The share.
        #[serde(default = "certain")]
        p: f64,
        /// By how many milliseconds.
        ms: f64,
        /// When it ends.
        until: f64,
    },
    /// What nodes are sent comes twice.
    Duplicate {
        /// When it begins.
        at: f64,
        /// How many; all unless given.
        nodes: Option<Share>,
        /// The share.
        #[serde(default = "certain")]
        p: f64,
        /// When it ends.
        until: f64,
    },
    /// What nodes are sent is overtaken by what is sent next.
    Reorder {
        /// When it begins.
        at: f64,
        /// How many; all unless given.
        nodes: Option<Share>,
        /// The share.
        #[serde(default = "certain")]
        p: f64,
        /// How long it waits at most for another to overtake it, in milliseconds.
        #[serde(default = "reorder_ms")]
        ms: f64,
        /// When it ends.
        until: f64,
    },
    /// The cluster falls into two.
    Partition {
        /// When.
        at: f64,
        /// How many are on the smaller side.
        nodes: Share,
        /// When it ends.
        until: f64,
    },
    /// The whole network loses and doubles packets.
    Weather {
        /// When it begins.
        at: f64,
        /// The share that is lost.
        loss: f64,
        /// The share that comes twice.
        #[serde(default)]
        duplicate: f64,
        /// When it ends.
        until: f64,
    },
    /// Wall clocks jump.
    Clock {
        /// When.
        at: f64,
        /// How many.
        nodes: Share,
        /// By how many seconds.
        by: f64,
    },
    /// Nodes leave.
    Leave {
        /// When.
        at: f64,
        /// How many.
        nodes: Share,
    },
    /// A node broadcasts something.
    Rumour {
        /// When.
        at: f64,
    },
}

/// What is good enough.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    /// Which measure: see [`crate::Report::measures`].
    pub measure: String,
    /// Over the seeds.
    pub of: Of,
    /// The bar.
    pub at_most: f64,
}

/// What is good enough beside a rival.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// Which measure.
    pub measure: String,
    /// Over the seeds that both have run.
    pub of: Of,
    /// Beside whom.
    pub rival: Rival,
    /// The rival's number is at least this many times ours.
    pub times: f64,
}

/// How measures of many seeds become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The middle one.
    Median,
    /// The 99th percentile; of fewer than 100 seeds, the largest.
    P99,
    /// The largest.
    Max,
    /// All together.
    Sum,
}

impl Of {
    /// The one number. Not a number if there are none.
    #[must_use]
    pub fn over(self, values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        match self {
            Self::Median if sorted.len() % 2 == 0 => (sorted[last / 2] + sorted[last / 2 + 1]) / 2.0,
            Self::Median => sorted[last / 2],
            Self::P99 => sorted[(sorted.len() * 99).div_ceil(100) - 1],
            Self::Max => sorted[last],
            Self::Sum => sorted.iter().sum(),
        }
    }
}

/// Whose rules are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rival {
    /// A model of memberlist's LAN rules.
    Memberlist,
    /// A model of plain SWIM.
    Swim,
}

impl Scenario {
    /// Reads a scenario and checks it; the error names the line or the number.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        scenario.check()?;
        Ok(scenario)
    }
}
