//! LoadRun.

use palaver_load as load;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::ArgumentError;
use crate::load_plan::Plan;
use crate::lock::Locked;

/// Carries a plan of load out on a thread of its own. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct LoadRun(Locked<load::Run>);

#[pymethods]
impl LoadRun {
    #[new]
    fn new(py: Python<'_>, plan: Plan) -> PyResult<Self> {
        let plan = plan.read()?;
        let started = py.detach(|| load::Run::start(plan));
        Ok(Self(Locked::new(started.map_err(|error| ArgumentError::new_err(error.to_string()))?)))
    }

    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let progress = self.0.lock(py).progress();
        let facts = PyDict::new(py);
        facts.set_item("phase", progress.phase.name())?;
        for (name, count) in [
            ("ready", progress.ready),
            ("failed", progress.failed),
            ("sent", progress.sent),
            ("arrived", progress.arrived),
            ("replies", progress.replies),
            ("cycles", progress.cycles),
            ("others", progress.others),
            ("errors", progress.errors),
            ("closed", progress.closed),
            ("bytes_in", progress.bytes_in),
            ("bytes_out", progress.bytes_out),
            ("cpu", progress.cpu),
        ] {
            facts.set_item(name, count)?;
        }
        Ok(facts)
    }

    fn go(&self, py: Python<'_>) {
        self.0.lock(py).go();
    }

    fn take_round<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self.0.lock(py).take_round();
        found.map(|found| report(py, found)).transpose()
    }

    fn stop(&self, py: Python<'_>) {
        self.0.lock(py).stop();
    }

    fn is_finished(&self, py: Python<'_>) -> bool {
        self.0.lock(py).is_finished()
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Some(done) = py.detach(|| self.0.lock_detached().finish()) else {
            return Err(ArgumentError::new_err("the run has been finished before"));
        };
        report(py, done.map_err(|error| PyOSError::new_err(error.to_string()))?)
    }
}

fn report(py: Python<'_>, report: load::Report) -> PyResult<Bound<'_, PyDict>> {
    let facts = PyDict::new(py);
    let stages = report.stages.into_iter().map(|figures| {
        let facts = PyDict::new(py);
        facts.set_item("name", figures.name)?;
        facts.set_item("sent", figures.sent)?;
        facts.set_item("arrived", figures.arrived)?;
        facts.set_item("in_time", figures.in_time)?;
        facts.set_item("replies", figures.replies)?;
        facts.set_item("refused", figures.refused)?;
        facts.set_item("lost", figures.lost)?;
        facts.set_item("undrained", figures.undrained)?;
        facts.set_item("limited", figures.limited)?;
        facts.set_item("overdue", figures.overdue)?;
        facts.set_item("left_out", figures.left_out)?;
        facts.set_item("latency", figures.latency)?;
        facts.set_item("reply_latency", figures.reply_latency)?;
        facts.set_item("lateness", figures.lateness)?;
        Ok(facts)
    });
    facts.set_item("stages", stages.collect::<PyResult<Vec<_>>>()?)?;
    facts.set_item("ready", report.ready)?;
    facts.set_item("failed", report.failed)?;
    facts.set_item("ready_after", report.ready_after)?;
    facts.set_item("ready_since_start", report.ready_since_start)?;
    facts.set_item("settled", report.settled)?;
    facts.set_item("errors", report.errors)?;
    facts.set_item("closes", report.closes)?;
    facts.set_item("moves", report.moves)?;
    facts.set_item("others", report.others)?;
    facts.set_item("measured", report.measured)?;
    facts.set_item("cpu", report.cpu)?;
    facts.set_item("waited", report.waited)?;
    facts.set_item("entry", report.entry)?;
    facts.set_item("entry_cpu", report.entry_cpu)?;
    facts.set_item("entry_waited", report.entry_waited)?;
    facts.set_item("stopped", report.stopped)?;
    Ok(facts)
}
