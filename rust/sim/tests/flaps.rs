//! When a member that was away is shown again.
#![allow(clippy::unwrap_used)]

use palaver_core::Status::{Alive, Dead, Unreachable};
use palaver_core::engine::{EngineConfig, Event};
use palaver_core::{NodeId, Status};
use palaver_sim::{LinkQuality, World, configuration};

const VICTIM: usize = 5;
const WATCHER: usize = 0;

struct Stage {
    world: World,
    victim: NodeId,
    /// When the watcher was told how the victim stands, and how.
    told: Vec<(f64, Status)>,
    /// Changes of the view that change nothing.
    empty: usize,
}

impl Stage {
    fn new(seed: u64) -> Self {
        Self::of(configuration(None, false), seed)
    }

    fn of(config: EngineConfig, seed: u64) -> Self {
        let mut world = World::new(config, LinkQuality::default(), 12, 1, seed);
        for node in 0..12 {
            world.start(node).unwrap();
        }
        world.introduce_all();
        let victim = world.nodes[VICTIM].id;
        let mut stage = Self { world, victim, told: Vec::new(), empty: 0 };
        stage.run(10.0);
        stage.told.clear();
        stage.empty = 0;
        stage
    }

    fn run(&mut self, until: f64) {
        let (victim, told, empty) = (self.victim, &mut self.told, &mut self.empty);
        self.world.run(until, &mut |news| {
            let Event::View(changes) = news.event else { return };
            *empty += changes.iter().filter(|change| change.before == change.after).count();
            if news.node == WATCHER {
                let of = changes.iter().filter(|change| change.node == victim);
                told.extend(of.map(|change| (news.at, change.after.unwrap())));
            }
        });
    }

    /// Cuts the victim off until then.
    fn away(&mut self, until: f64) {
        self.world.nodes[VICTIM].links.group = 1;
        self.run(until);
        self.world.nodes[VICTIM].links.group = 0;
    }

    /// Runs until the watcher has heard that the victim is back, and says when that was.
    fn until_back(&mut self, mut now: f64) -> f64 {
        while !self.is_back() {
            now += 0.1;
            self.run(now);
        }
        now
    }

    fn is_back(&self) -> bool {
        let engine = self.world.nodes[WATCHER].engine.as_ref().unwrap();
        engine.proven_standings().any(|standing| standing == (self.victim, Alive))
    }

    fn standings(&self) -> Vec<Status> {
        self.told.iter().map(|(_, status)| *status).collect()
    }
}

#[test]
fn a_member_that_was_away_is_shown_when_it_has_been_back_for_three_seconds() {
    for seed in 1..=5 {
        let mut stage = Stage::new(seed);
        stage.away(16.0);
        let back = stage.until_back(16.0);
        stage.run(back + 10.0);
        assert_eq!(stage.standings(), [Unreachable, Alive], "seed {seed}");
        let hidden = stage.told[1].0 - back;
        assert!((2.9..=3.2).contains(&hidden), "seed {seed}: shown {hidden} s after it came back");
        assert_eq!(stage.empty, 0, "seed {seed}");
    }
}

#[test]
fn a_member_that_goes_again_before_that_is_not_shown_in_between() {
    for seed in 1..=5 {
        let mut stage = Stage::new(seed);
        stage.away(16.0);
        let now = stage.until_back(16.0);
        stage.away(now + 6.0);
        assert_eq!(stage.standings(), [Unreachable], "seed {seed}");
        stage.run(now + 16.0);
        assert!(stage.is_back(), "seed {seed}");
        // Twice within a minute: now it takes one.
        assert_eq!(stage.standings(), [Unreachable], "seed {seed}");
        stage.run(now + 90.0);
        assert_eq!(stage.standings(), [Unreachable, Alive], "seed {seed}");
        assert_eq!(stage.empty, 0, "seed {seed}");
    }
}

#[test]
fn each_return_is_waited_for_anew() {
    let mut config = configuration(None, false);
    (config.return_hold, config.flaps_allowed) = (12.0, 9.0);
    let mut stage = Stage::of(config, 1);
    stage.away(16.0);
    let first = stage.until_back(16.0);
    stage.away(first + 4.0);
    let second = stage.until_back(first + 4.0);
    assert!(second < first + 11.0, "it took {} s: nothing was put to the test", second - first);
    stage.run(second + 20.0);
    assert_eq!(stage.standings(), [Unreachable, Alive]);
    assert!(stage.told[1].0 > second + 11.0, "{:?} after {first} and {second}", stage.told);
}

#[test]
fn time_away_forgives_nothing() {
    let mut stage = Stage::new(1);
    stage.away(130.0);
    let now = stage.until_back(130.0) + 4.0;
    stage.run(now);
    stage.away(now + 5.0);
    let now = stage.until_back(now + 5.0);
    stage.run(now + 20.0);
    assert_eq!(stage.standings(), [Unreachable, Dead, Unreachable, Alive, Unreachable]);
}

#[test]
fn a_hold_is_from_nothing_to_ten_years() {
    for (hold, allowed) in [(0.0, true), (-0.5, false), (f64::NAN, false), (f64::INFINITY, false)] {
        let mut config = configuration(None, false);
        config.return_hold = hold;
        let told = config.check().map_err(|error| error.to_string());
        assert_eq!(told.is_ok(), allowed, "{hold}: {told:?}");
        assert!(allowed || told.unwrap_err().contains("return_hold is from 0 to 315532800"));
    }
}
