//! simulate, simulation_scenarios.

use palaver_sim::{Options, Report, Rival, Scenario, run};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::convert::{Number, TextArgument, wrong_type};
use crate::error::{ArgumentError, Refused};
use crate::whole;

/// The scenarios that come along, by name.
const SCENARIOS: &[(&str, &str)] = &[
    ("blocked", include_str!("../../sim/scenarios/blocked.toml")),
    ("bootstrap", include_str!("../../sim/scenarios/bootstrap.toml")),
    ("chaos", include_str!("../../sim/scenarios/chaos.toml")),
    ("crash-100", include_str!("../../sim/scenarios/crash-100.toml")),
    ("crash-1000", include_str!("../../sim/scenarios/crash-1000.toml")),
    ("crash-4500", include_str!("../../sim/scenarios/crash-4500.toml")),
    ("flip-flop", include_str!("../../sim/scenarios/flip-flop.toml")),
    ("idle", include_str!("../../sim/scenarios/idle.toml")),
    ("lossy-members", include_str!("../../sim/scenarios/lossy-members.toml")),
    ("mass-restart", include_str!("../../sim/scenarios/mass-restart.toml")),
    ("one-way", include_str!("../../sim/scenarios/one-way.toml")),
    ("partition", include_str!("../../sim/scenarios/partition.toml")),
    ("rumour", include_str!("../../sim/scenarios/rumour.toml")),
    ("rumour-lossy", include_str!("../../sim/scenarios/rumour-lossy.toml")),
    ("semi-detached", include_str!("../../sim/scenarios/semi-detached.toml")),
    ("stopped", include_str!("../../sim/scenarios/stopped.toml")),
];

/// The scenarios that come along. The manual is palaver/core/_native.pyi.
#[pyfunction]
pub(crate) fn simulation_scenarios(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let scenarios = PyDict::new(py);
    for (name, text) in SCENARIOS {
        scenarios.set_item(name, text)?;
    }
    Ok(scenarios)
}

/// Runs a scenario. The manual is palaver/core/_native.pyi.
#[pyfunction]
#[pyo3(signature = (scenario, nodes = None, seed = 1, *, rules = TextArgument("palaver"), sample_every = Number(1.0), progress = None), text_signature = "(scenario, nodes=None, seed=1, *, rules='palaver', sample_every=1.0, progress=None)")]
pub(crate) fn simulate<'py>(
    py: Python<'py>,
    scenario: TextArgument<'_>,
    #[pyo3(from_py_with = whole::maybe_nodes)] nodes: Option<usize>,
    #[pyo3(from_py_with = whole::seed)] seed: u64,
    rules: TextArgument<'_>,
    sample_every: Number,
    #[pyo3(from_py_with = maybe_callable)] progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (scenario, rules, sample_every) = (scenario.0, rules.0, sample_every.0);
    let named = SCENARIOS.iter().find(|(name, _)| *name == scenario).map(|(_, text)| *text);
    let text = named.unwrap_or(scenario);
    if named.is_none() && !text.contains('=') {
        let names: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        return Err(refused(format!(
            "there is no scenario {scenario:?}: one of {}, or the text of one in TOML",
            names.join(", ")
        )));
    }
    let mut read = Scenario::from_toml(text).map_err(refused)?;
    read.nodes = nodes.unwrap_or(read.nodes);
    read.check().map_err(refused)?;
    if !(sample_every.is_finite() && sample_every >= 0.01) {
        return Err(refused("sample_every is a finite number of seconds from 0.01 on"));
    }
    let rival = match rules {
        "palaver" => None,
        "memberlist" => Some(Rival::Memberlist),
        "swim" => Some(Rival::Swim),
        _ => return Err(refused("rules are one of palaver, memberlist, swim")),
    };
    let options = Options { rival, sample_every: Some(sample_every), ..Options::default() };
    let mut raised = None;
    let report = py.detach(|| {
        let mut tell = |share: f64| {
            if raised.is_some() {
                return false;
            }
            let told = Python::attach(|py| {
                py.check_signals()?;
                progress.as_ref().map_or(Ok(()), |callable| callable.call1(py, (share,)).map(|_| ()))
            });
            raised = told.err();
            raised.is_none()
        };
        run(&read, seed, options, &mut tell)
    });
    match raised {
        Some(error) => Err(error),
        None => figures(py, &read, rules, &report.map_err(Refused::from)?),
    }
}

fn refused(reason: impl std::fmt::Display) -> PyErr {
    ArgumentError::new_err(format!("{reason}; nothing was changed"))
}

/// What can be called, or None.
fn maybe_callable(given: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
    if given.is_none() {
        Ok(None)
    } else if given.is_callable() {
        Ok(Some(given.clone().unbind()))
    } else {
        Err(wrong_type("progress is a callable", given))
    }
}

fn figures<'py>(
    py: Python<'py>,
    scenario: &Scenario,
    rules: &str,
    report: &Report,
) -> PyResult<Bound<'py, PyDict>> {
    let facts = PyDict::new(py);
    facts.set_item("title", &scenario.title)?;
    facts.set_item("nodes", scenario.nodes)?;
    facts.set_item("seed", report.seed)?;
    facts.set_item("rules", rules)?;
    facts.set_item("seconds", scenario.seconds)?;
    let measures = PyDict::new(py);
    for (name, value) in &report.measures {
        measures.set_item(name, value)?;
    }
    facts.set_item("measures", measures)?;
    let samples = report.samples.iter().map(|sample| {
        let [least, mean, most] = sample.sizes;
        (sample.at, sample.running, sample.views, least, mean, most)
    });
    facts.set_item("samples", PyList::new(py, samples.collect::<Vec<_>>())?)?;
    facts.set_item("spread", PyList::new(py, report.spread.iter().copied())?)?;
    let bars = scenario.bars.iter().map(|bar| {
        let got = report.measures.get(bar.measure.as_str()).copied();
        (bar.measure.as_str(), bar.at_most, got, got.is_some_and(|got| got <= bar.at_most))
    });
    facts.set_item("bars", PyList::new(py, bars.collect::<Vec<_>>())?)?;
    Ok(facts)
}
