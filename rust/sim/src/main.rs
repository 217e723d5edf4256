//! Runs scenarios over many seeds and prints what was measured as JSON, one line for each scenario and rival.
//!
//! `palaver-sim [--seeds N] [--first SEED] [--nodes N] [--samples SECONDS] [--whose RULES] [--real] FILE…`
//!
//! RULES are ours, memberlist or swim; ours and those of all rivals that a scenario names unless given.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use palaver_sim::{Options, Report, Rival, Scenario, run};
use serde_json::{Value, json};

struct Arguments {
    seeds: u64,
    first: u64,
    nodes: Option<usize>,
    samples: Option<f64>,
    real: bool,
    whose: Option<Option<Rival>>,
    files: Vec<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        seeds: 20,
        first: 1,
        nodes: None,
        samples: None,
        real: false,
        whose: None,
        files: Vec::new(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        if argument == "--whose" {
            parsed.whose = Some(match given.next().as_deref() {
                Some("ours") => None,
                Some("memberlist") => Some(Rival::Memberlist),
                Some("swim") => Some(Rival::Swim),
                _ => return Err("--whose needs one of ours, memberlist, swim".to_owned()),
            });
            continue;
        }
        let mut number = || {
            let text = given.next().ok_or_else(|| format!("{argument} needs a number"))?;
            text.parse::<f64>().map_err(|_| format!("{argument} needs a number, not {text}"))
        };
        match argument.as_str() {
            "--seeds" => parsed.seeds = number()? as u64,
            "--first" => parsed.first = number()? as u64,
            "--nodes" => parsed.nodes = Some(number()? as usize),
            "--samples" => parsed.samples = Some(number()?),
            "--real" => parsed.real = true,
            option if option.starts_with("--") => return Err(format!("there is no option {option}")),
            file => parsed.files.push(file.to_owned()),
        }
    }
    if parsed.files.is_empty() { Err("name at least one scenario file".to_owned()) } else { Ok(parsed) }
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run_all(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("palaver-sim: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(arguments: &Arguments) -> Result<(), String> {
    for file in &arguments.files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let mut scenario = Scenario::from_toml(&text).map_err(|error| format!("{file}: {error}"))?;
        scenario.nodes = arguments.nodes.unwrap_or(scenario.nodes);
        scenario.check()?;
        let rivals = [None].into_iter().chain(scenario.rivals.iter().copied().map(Some));
        for rival in arguments.whose.map_or_else(|| rivals.collect(), |whose| vec![whose]) {
            let line = run_seeds(file, &scenario, rival, arguments)?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{line}").map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn run_seeds(
    file: &str,
    scenario: &Scenario,
    rival: Option<Rival>,
    arguments: &Arguments,
) -> Result<Value, String> {
    let whose = match rival {
        None => "ours",
        Some(Rival::Memberlist) => "memberlist",
        Some(Rival::Swim) => "swim",
    };
    let options = Options { rival, real_cryptography: arguments.real, sample_every: arguments.samples };
    let began = Instant::now();
    let mut reports: Vec<Report> = Vec::new();
    for seed in arguments.first..arguments.first + arguments.seeds {
        let mut told = Instant::now();
        let mut progress = |share: f64| {
            if told.elapsed().as_secs_f64() > 0.5 {
                told = Instant::now();
                eprint!("\r{file} {whose} seed {seed} {:3.0} %  ", share * 100.0);
            }
            true
        };
        reports
            .push(run(scenario, seed, options, &mut progress).map_err(|error| format!("{file}: {error}"))?);
    }
    eprintln!(
        "\r{file} {whose}: {} seeds in {:.1} s        ",
        arguments.seeds,
        began.elapsed().as_secs_f64()
    );
    let mut names: Vec<&str> = reports.iter().flat_map(|report| report.measures.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let values = |name: &str| -> Vec<f64> {
        reports.iter().filter_map(|report| report.measures.get(name)).copied().collect()
    };
    let measures: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!(values(name)))).collect();
    let bars: Vec<Value> = if rival.is_none() {
        let bars = scenario.bars.iter().map(|bar| {
            let got = values(&bar.measure);
            let of = bar.of.over(&got);
            // What did not happen in a seed has not been good enough in it.
            let pass = got.len() == reports.len() && of <= bar.at_most;
            json!({"measure": bar.measure, "of": format!("{:?}", bar.of).to_lowercase(), "at_most": bar.at_most,
                   "got": of, "in": got.len(), "pass": pass})
        });
        bars.collect()
    } else {
        Vec::new()
    };
    let first = &reports[0];
    Ok(json!({
        "scenario": file, "title": scenario.title, "nodes": scenario.nodes, "seeds": arguments.seeds,
        "first_seed": arguments.first, "whose": whose, "seconds": scenario.seconds, "measures": measures, "bars": bars,
        "samples": first.samples, "spread": thin(&first.spread),
        "wall_seconds": began.elapsed().as_secs_f64(),
    }))
}

/// At most 200 points of a curve.
fn thin(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = curve.len().div_ceil(200).max(1);
    curve.iter().step_by(step).chain(curve.last()).copied().collect()
}
