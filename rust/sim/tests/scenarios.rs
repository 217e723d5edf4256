//! Scenarios: which are refused, and what they do.
#![allow(clippy::unwrap_used)]

use palaver_core::engine::{Admission, EngineConfig};
use palaver_sim::{Late, LinkQuality, Options, Report, Scenario, World, run};

fn with(what: &str) -> Result<Scenario, String> {
    Scenario::from_toml(&format!("title = \"t\"\nnodes = 5\nseconds = 40\n{what}"))
}

fn fault(what: &str) -> Result<Scenario, String> {
    with(&format!("[[faults]]\n{}", what.replace("; ", "\n")))
}

fn report(scenario: &Scenario) -> Report {
    run(scenario, 1, Options::default(), &mut |_| true).unwrap()
}

#[test]
fn numbers_that_could_not_be_run_are_refused_by_name() {
    let refused = [
        (with("zones = 0"), "zones"),
        (with("settle_from = -1"), "settle_from"),
        (with("traffic = [9, 3]"), "traffic"),
        (with("[quality]\nloss = 2.0"), "loss"),
        (with("[quality]\ndelay = -1.0"), "delay"),
        (with("[start]\nhow = \"bootstrap\"\nseeds = 0\nwithin = 1"), "seeds"),
        (with("[start]\nhow = \"bootstrap\"\nseeds = 1\nwithin = nan"), "within"),
        (with("[[bars]]\nmeasure = \"unreachable\"\nof = \"max\"\nat_most = 1"), "no measure"),
        (with("[[bars]]\nmeasure = \"one_view\"\nof = \"max\"\nat_most = inf"), "at_most"),
        (fault("kind = \"crash\"; at = nan; nodes = 1"), "at is"),
        (fault("kind = \"crash\"; at = 1; nodes = 1; restart_after = -1"), "restart_after"),
        (fault("kind = \"links\"; at = 1; nodes = 1; flip = 0"), "flip"),
        (fault("kind = \"links\"; at = 1; nodes = 1; flip = 1e-9"), "too often"),
        (fault("kind = \"links\"; at = 1; nodes = 1; outbound_loss = 1.5"), "outbound_loss"),
        (fault("kind = \"block\"; at = 1; nodes = 1; seconds = [0, 0]; pause = [0, 0]; until = 9"), "pause"),
        (
            fault("kind = \"block\"; at = 1; nodes = 1; seconds = [3, 2]; pause = [1, 1]; until = 9"),
            "seconds",
        ),
        (
            fault("kind = \"block\"; at = 1; nodes = 1; seconds = [0, 0]; pause = [1e-9, 1e-9]; until = 9"),
            "too often",
        ),
        (fault("kind = \"weather\"; at = 9; loss = 0.1; until = 3"), "until"),
        (fault("kind = \"clock\"; at = 1; nodes = 1; by = 1e300"), "by"),
        (fault("kind = \"slow\"; at = 1; nodes = 1; by = -1; until = 3"), "by"),
        (fault("kind = \"drop\"; at = 1; p = 1.1; until = 3"), "p is"),
        (fault("kind = \"delay\"; at = 1; ms = nan; until = 3"), "ms is"),
        (fault("kind = \"rumour\"; at = 1e12"), "at is"),
    ];
    for (result, rule) in refused {
        let error = result.expect_err(rule);
        assert!(error.contains(rule), "{error}, not {rule}");
    }
    for seconds in ["-1", "1e12", "nan", "0"] {
        let error = Scenario::from_toml(&format!("title = \"t\"\nnodes = 5\nseconds = {seconds}"));
        assert!(error.unwrap_err().contains("seconds is"));
    }
    for nodes in ["2", "5001"] {
        let error = Scenario::from_toml(&format!("title = \"t\"\nnodes = {nodes}\nseconds = 1"));
        assert!(error.unwrap_err().contains("3 to 5000 nodes"));
    }
}

#[test]
fn who_has_left_runs_no_more_and_the_others_have_one_view() {
    let report = report(&fault("kind = \"leave\"; at = 5; nodes = 2").unwrap());
    let last = report.samples.last().unwrap();
    assert_eq!((last.running, last.views, last.sizes), (3, 1, [3.0; 3]));
    assert!(report.measures["one_view"] < 10.0);
}

#[test]
fn progress_is_asked_each_virtual_second_however_rare_the_samples_are() {
    let mut asked = 0;
    let options = Options { sample_every: Some(1e300), ..Options::default() };
    let mut enough = |_| {
        asked += 1;
        asked < 5
    };
    let report = run(&with("").unwrap(), 1, options, &mut enough).unwrap();
    assert_eq!(report.samples.len(), 1);
    assert!((5..=6).contains(&asked)); // and once at the end
}

/// What node 0 receives under chaos: how often each of node 1's probes arrives, in the order of arrival.
fn arrivals(set: impl Fn(&mut World)) -> (u64, u64) {
    let config = EngineConfig::new("test", Admission::open());
    let mut world = World::new(config, LinkQuality::default(), 3, 1, 1);
    for node in 0..3 {
        world.start(node).unwrap();
    }
    world.introduce_all();
    set(&mut world);
    world.run(30.0, &mut |_| {});
    let counters = world.nodes[0].engine.as_ref().unwrap().counters();
    (counters.received, counters.refused)
}

#[test]
fn chaos_loses_doubles_and_reorders_what_a_node_is_sent() {
    let (plain, refused) = arrivals(|_| {});
    assert_eq!(refused, 0);
    assert_eq!(arrivals(|world| world.nodes[0].links.chaos.drop = 1.0).0, 0);
    let (doubled, _) = arrivals(|world| world.nodes[0].links.chaos.duplicate = 1.0);
    assert!(doubled > plain + plain / 2, "{doubled} of {plain}");
    let late = Late { p: 0.5, seconds: 0.2 };
    let (reordered, refused) = arrivals(|world| world.nodes[0].links.chaos.reorder = late);
    assert!(reordered > plain / 2 && refused == 0, "{reordered} of {plain}, {refused} refused");
}

/// Faults end at 45 s, the whole run at 130.
fn chaos(seed: u64, until: f64) -> Report {
    let scenario = Scenario::from_toml(include_str!("../scenarios/chaos.toml")).unwrap();
    run(&scenario, seed, Options::default(), &mut |share| share * scenario.seconds < until).unwrap()
}

#[test]
fn a_record_signed_anew_long_after_the_faults_is_not_taken_for_views_that_differ() {
    let report = chaos(9, 130.0);
    let differ = report.samples.iter().any(|sample| sample.at > 110.0 && sample.views > 1);
    assert!(differ, "nobody signs anew in the last 20 s: nothing is put to the test");
    assert!(report.measures["one_view"] < 65.0, "{:?}", report.measures);
}

#[test]
fn views_are_not_one_while_any_node_hides_a_member() {
    let report = chaos(2, 130.0); // the first node hides nobody after the fourth second
    assert!((60.0..65.0).contains(&report.measures["one_view"]), "{:?}", report.measures);
}

#[test]
fn five_seconds_after_chaos_all_agree_on_what_is_proven() {
    for seed in 1..=3 {
        let report = chaos(seed, 52.0);
        let sample = report.samples.iter().find(|sample| sample.at > 50.0).unwrap();
        assert_eq!((sample.views, sample.sizes), (1, [50.0; 3]), "seed {seed}");
    }
}
