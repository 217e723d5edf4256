//! Runs one scenario with one seed and measures it.

use palaver_core::Error;
use palaver_core::engine::{Admission, Command, Detection, EngineConfig, Event, Sealing};

use crate::measure::{Measure, Report, Sample};
use crate::scenario::{Rival, Scenario, Start};
use crate::timeline::{Action, Part, RUMOUR, Timeline};
use crate::world::World;

/// How to run it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whose rules, ours unless given.
    pub rival: Option<Rival>,
    /// With real cryptography in place of the model: slow beyond a hundred nodes.
    pub real_cryptography: bool,
    /// Keeps a sample every so many seconds; at least as often as views are compared.
    pub sample_every: Option<f64>,
}

/// Views are compared so often where it matters, in seconds.
const LOOK: f64 = 0.1;

/// The configuration of simulated nodes.
#[must_use]
pub fn configuration(rival: Option<Rival>, real_cryptography: bool) -> EngineConfig {
    let mut config = EngineConfig::new("simulation", Admission::open());
    config.cache_capacity = 1 << 8; // a thousand caches of the usual size would be two gigabytes
    config.max_links = 1 << 14;
    config.rules.sealing = if real_cryptography { Sealing::Pairwise } else { Sealing::Model };
    match rival {
        None => {}
        Some(rival) => {
            config.rules.detection =
                if rival == Rival::Swim { Detection::Swim } else { Detection::Memberlist };
            config.gossip_fanout = 3;
            config.quick_gossip = 0.0;
            config.rules.brake = false;
            config.rules.heal = false;
            config.rules.pause_guard = false;
            config.rules.certified_deaths = false;
            config.return_hold = 0.0;
            config.flaps_allowed = f64::MAX;
        }
    }
    config
}

/// Runs a scenario.
///
/// `progress` is told the share that is done, from 0 to 1, about once a virtual second; when it says no, the run ends there.
pub fn run(
    scenario: &Scenario,
    seed: u64,
    options: Options,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Report, Error> {
    let config = configuration(options.rival, options.real_cryptography);
    let mut world = World::new(config, scenario.quality, scenario.nodes, scenario.zones, seed);
    let mut chance = world.chance.clone();
    let ordinary = (scenario.quality.loss, scenario.quality.duplicate);
    let timeline = Timeline::draw(&scenario.faults, scenario.nodes, ordinary, &mut chance);
    world.chance = chance;
    let starts = begin(&mut world, scenario)?;
    let mut measure = Measure::new(&world, &timeline, scenario);
    let look = options.sample_every.map_or(LOOK, |every| every.min(LOOK));
    let mut steps = starts;
    steps.extend(timeline.actions.iter().map(|(at, action)| (*at, Step::Do(*action))));
    let looks = (scenario.seconds / look).round() as usize;
    steps.extend((1..=looks).map(|step| (step as f64 * look, Step::Look)));
    steps.extend(scenario.traffic.into_iter().flatten().map(|at| (at, Step::Traffic)));
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sampled, mut asked) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (at, step) in steps {
        if at > scenario.seconds {
            break;
        }
        world.run(at, &mut |told| measure.told(told));
        match step {
            Step::Start(node) => {
                world.start(node)?;
                join(&mut world, node, scenario);
            }
            Step::Do(action) => act(&mut world, action, scenario, &mut measure)?,
            Step::Traffic => measure.traffic(&world),
            Step::Look => {
                let settled = measure.look(&world);
                if at - sampled >= options.sample_every.unwrap_or(1.0) - 1e-9 {
                    sampled = at;
                    measure.sample(Sample::of(&world, at));
                }
                if at - asked >= 1.0 - 1e-9 {
                    asked = at;
                    if !progress(at / scenario.seconds) {
                        break;
                    }
                }
                if settled && scenario.until_one_view {
                    break;
                }
            }
        }
    }
    progress(1.0);
    Ok(measure.report(&world, seed))
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Start(usize),
    Do(Action),
    Traffic,
    Look,
}

fn begin(world: &mut World, scenario: &Scenario) -> Result<Vec<(f64, Step)>, Error> {
    match scenario.start {
        Start::Settled => {
            for node in 0..scenario.nodes {
                world.start(node)?;
            }
            world.introduce_all();
            Ok(Vec::new())
        }
        Start::Bootstrap { within, .. } => {
            Ok((0..scenario.nodes).map(|node| (within * world.chance.unit(), Step::Start(node))).collect())
        }
    }
}

fn join(world: &mut World, node: usize, scenario: &Scenario) {
    let seeds = match scenario.start {
        Start::Bootstrap { seeds, .. } => seeds,
        Start::Settled => 3,
    };
    let seeds = world.nodes.iter().take(seeds).map(|node| node.address).collect();
    world.command(node, Command::Join(seeds), &mut |_| {});
}

fn act(world: &mut World, action: Action, scenario: &Scenario, measure: &mut Measure) -> Result<(), Error> {
    match action {
        Action::Crash(_) | Action::Links { .. } | Action::Chaos { part: Part::Drop(_), .. } => {
            measure.fault(world.now())
        }
        Action::Rumour(_) => measure.rumour(world.now()),
        _ => {}
    }
    action.apply(world, &mut |told| measure.told(told))?;
    if let Action::Restart { node, .. } = action {
        join(world, node, scenario);
    }
    Ok(())
}

/// Whether an event is a rumour of a scenario.
pub(crate) fn is_rumour(event: &Event) -> bool {
    matches!(event, Event::Broadcast { payload, .. } if payload == RUMOUR)
}
