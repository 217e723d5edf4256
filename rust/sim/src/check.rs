//! What the numbers of a scenario have to be: one that is let through can be run.

use crate::measure::MEASURES;
use crate::network::LinkQuality;
use crate::scenario::{Fault, Scenario, Start};

/// The longest delay of one packet, in seconds.
const MAX_DELAY: f64 = 60.0;
/// How far a wall clock may jump, in seconds: a hundred years.
const MAX_JUMP: f64 = 100.0 * 365.25 * 86_400.0;
/// How often something may be done to one node or another, on average: each takes 40 bytes.
const MAX_ACTIONS: f64 = 1_000_000.0;

impl Scenario {
    /// The most nodes. Each keeps what it knows of each other one, 200 to 600 bytes: so many take 5 to 15 GB.
    pub const MAX_NODES: usize = 5_000;
    /// The longest, in seconds: ten hours.
    pub const MAX_SECONDS: f64 = 36_000.0;

    /// Refuses what cannot be run, with the name of the number.
    pub fn check(&self) -> Result<(), String> {
        if !(3..=Self::MAX_NODES).contains(&self.nodes) {
            return Err(format!("a simulation has 3 to {} nodes, not {}", Self::MAX_NODES, self.nodes));
        }
        within("seconds", self.seconds, 0.1, Self::MAX_SECONDS)?;
        if !(1..=256).contains(&self.zones) {
            return Err(format!("zones is from 1 to 256, not {}", self.zones));
        }
        if let Start::Bootstrap { seeds, within: span } = self.start {
            if !(1..=64).contains(&seeds) {
                return Err(format!("seeds is from 1 to 64, not {seeds}"));
            }
            moment("within", span)?;
        }
        self.quality.check()?;
        for at in self.traffic.iter().flatten() {
            moment("traffic", *at)?;
        }
        if let Some([from, to]) = self.traffic {
            after("traffic", from, to)?;
        }
        self.settle_from.map_or(Ok(()), |at| moment("settle_from", at))?;
        let mut actions = 0.0;
        for fault in &self.faults {
            fault.check()?;
            actions += fault.repeats(self.nodes);
        }
        if actions > MAX_ACTIONS {
            return Err("the faults come too often: fewer nodes, or a longer flip or pause".to_owned());
        }
        let judged = self.bars.iter().map(|bar| (&bar.measure, "at_most", bar.at_most));
        let compared = self.compared.iter().map(|bar| (&bar.measure, "times", bar.times));
        for (measure, what, bar) in judged.chain(compared) {
            if !MEASURES.contains(&measure.as_str()) {
                return Err(format!("there is no measure {measure:?}: one of {}", MEASURES.join(", ")));
            }
            within(what, bar, 0.0, f64::MAX)?;
        }
        Ok(())
    }
}

impl LinkQuality {
    fn check(&self) -> Result<(), String> {
        for (what, got) in [("delay", self.delay), ("jitter", self.jitter), ("zone_delay", self.zone_delay)] {
            within(what, got, 0.0, MAX_DELAY)?;
        }
        share("loss", self.loss)?;
        share("duplicate", self.duplicate)
    }
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        match *self {
            Self::Crash { at, restart_after, .. } => {
                moment("at", at)?;
                restart_after.map_or(Ok(()), |after| moment("restart_after", after))
            }
            Self::Block { at, seconds, pause, until, .. } => {
                spell(at, until)?;
                range("seconds", seconds)?;
                range("pause", pause)?;
                if pause[0] > 0.0 { Ok(()) } else { Err("pause is above 0".to_owned()) }
            }
            Self::Links { at, inbound_loss, outbound_loss, flip, until, .. } => {
                moment("at", at)?;
                until.map_or(Ok(()), |until| spell(at, until))?;
                share("inbound_loss", inbound_loss)?;
                share("outbound_loss", outbound_loss)?;
                match flip {
                    Some(flip) if flip <= 0.0 => Err("flip is above 0".to_owned()),
                    flip => flip.map_or(Ok(()), |flip| moment("flip", flip)),
                }
            }
            Self::Slow { at, by, until, .. } => {
                spell(at, until)?;
                within("by", by, 0.0, MAX_DELAY)
            }
            Self::Drop { at, p, until, .. } | Self::Duplicate { at, p, until, .. } => {
                spell(at, until)?;
                share("p", p)
            }
            Self::Delay { at, p, ms, until, .. } | Self::Reorder { at, p, ms, until, .. } => {
                spell(at, until)?;
                share("p", p)?;
                within("ms", ms, 0.0, MAX_DELAY * 1000.0)
            }
            Self::Partition { at, until, .. } => spell(at, until),
            Self::Weather { at, loss, duplicate, until } => {
                spell(at, until)?;
                share("loss", loss)?;
                share("duplicate", duplicate)
            }
            Self::Clock { at, by, .. } => {
                moment("at", at)?;
                within("by", by, -MAX_JUMP, MAX_JUMP)
            }
            Self::Leave { at, .. } | Self::Rumour { at } => moment("at", at),
        }
    }

    /// How often it does something, on average, where that has no bound of its own.
    fn repeats(&self, nodes: usize) -> f64 {
        match *self {
            Self::Block { at, nodes: some, seconds, pause, until, .. } => {
                let cycle = (seconds[0] + seconds[1] + pause[0] + pause[1]) / 2.0;
                some.of(nodes) as f64 * (until - at) / cycle
            }
            Self::Links { nodes: some, flip: Some(flip), .. } => some.of(nodes) as f64 * 3_600.0 / flip,
            _ => 0.0,
        }
    }
}

fn within(what: &str, got: f64, least: f64, most: f64) -> Result<(), String> {
    // Not a number is in no range.
    if (least..=most).contains(&got) {
        Ok(())
    } else if most == f64::MAX {
        Err(format!("{what} is from {least} on, and finite, not {got}"))
    } else {
        Err(format!("{what} is from {least} to {most}, not {got}"))
    }
}

fn share(what: &str, got: f64) -> Result<(), String> {
    within(what, got, 0.0, 1.0)
}

fn moment(what: &str, got: f64) -> Result<(), String> {
    within(what, got, 0.0, Scenario::MAX_SECONDS)
}

fn range(what: &str, [least, most]: [f64; 2]) -> Result<(), String> {
    moment(what, least)?;
    moment(what, most)?;
    if least <= most { Ok(()) } else { Err(format!("{what} is from less to more, not {least} to {most}")) }
}

fn spell(at: f64, until: f64) -> Result<(), String> {
    moment("at", at)?;
    moment("until", until)?;
    after("until", at, until)
}

fn after(what: &str, begin: f64, end: f64) -> Result<(), String> {
    if begin <= end { Ok(()) } else { Err(format!("{what} ends at {end}, before it begins at {begin}")) }
}
