//! MembershipTable.

use palaver_core as core;
use palaver_core::{Entry, Status};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::arguments::{LentOctets, Octets};
use crate::beat::Beat;
use crate::convert::{self, IncarnationArgument, Number, Pairs, StatusArgument, count, row, seconds};
use crate::error::Refused;
use crate::lock::Locked;
use crate::names::{IdArgument, KeptIdArgument, id_text, shown};
use crate::node_record::NodeRecord;

/// One node's view of the cluster, as a join-semilattice. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct MembershipTable(pub(crate) Locked<core::MembershipTable>);

#[pymethods]
impl MembershipTable {
    #[new]
    #[pyo3(signature = (self_node_id, *, max_members = None), text_signature = "(self_node_id, *, max_members=1048576)")]
    fn new(self_node_id: KeptIdArgument, max_members: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let limit = max_members.map_or(Ok(core::DEFAULT_MAX_MEMBERS), |given| count(given, "members"))?;
        let table =
            core::MembershipTable::new(self_node_id.0, limit, convert::hasher()).map_err(Refused::from)?;
        Ok(Self(Locked::new(table)))
    }

    #[getter]
    fn self_node_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, &self.0.lock(py).self_id())
    }

    #[getter]
    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.snapshot(py)
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let rows: Vec<Entry> = self.0.lock(py).iter().collect(); // copied, because making Python objects may run Python code
        convert::members(py, rows)
    }

    fn get<'py>(&self, py: Python<'py>, node_id: IdArgument) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let found = self.0.lock(py).get(&node_id.0);
        found.map(|entry| row(py, &entry)).transpose()
    }

    #[pyo3(signature = (incoming, *, now = None))]
    fn merge<'py>(
        &self,
        py: Python<'py>,
        incoming: Pairs<'py>,
        now: Option<Number>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (entries, now) = (convert::entries(&incoming)?, convert::now(py, now)?);
        let news = self.0.lock(py).merge(&entries, now).map_err(Refused::from)?;
        convert::members(py, news)
    }

    #[pyo3(signature = (data, *, now = None))]
    fn merge_bytes(&self, py: Python<'_>, data: Octets, now: Option<Number>) -> PyResult<Merged> {
        let now = convert::now(py, now)?;
        let merged = py.detach(|| {
            let unchecked = self.0.lock_detached().read_news(&data)?;
            let checked = unchecked.check()?; // which takes long, with the table left to others
            self.0.lock_detached().join_checked(checked, now)
        });
        Ok(Merged(merged.map_err(Refused::from)?))
    }

    fn snapshot_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = py.detach(|| self.0.lock_detached().snapshot_bytes());
        PyBytes::new(py, &bytes)
    }

    fn difference<'py>(&self, py: Python<'py>, buckets: LentOctets<'_>) -> PyResult<Bound<'py, PyBytes>> {
        let theirs = core::read_buckets(buckets.0).map_err(Refused::from)?;
        let bytes = py.detach(|| self.0.lock_detached().difference(&theirs));
        Ok(PyBytes::new(py, &bytes))
    }

    #[getter]
    fn buckets<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &core::write_buckets(&self.0.lock(py).buckets()))
    }

    fn beat(&self, py: Python<'_>, node_id: IdArgument) -> Option<Beat> {
        self.0.lock(py).beat(&node_id.0).cloned().map(Beat)
    }

    fn record(&self, py: Python<'_>, node_id: IdArgument) -> Option<NodeRecord> {
        self.0.lock(py).record(&node_id.0).map(NodeRecord)
    }

    #[pyo3(
        signature = (node_id, incarnation = None, status = StatusArgument(Status::Alive), last_heartbeat = None, *, now = None),
        text_signature = "($self, node_id, incarnation=None, status='alive', last_heartbeat=None, *, now=None)"
    )]
    fn update(
        &self,
        py: Python<'_>,
        node_id: KeptIdArgument,
        incarnation: Option<IncarnationArgument>,
        status: StatusArgument,
        last_heartbeat: Option<Number>,
        now: Option<Number>,
    ) -> PyResult<bool> {
        let (now, heard) = (convert::now(py, now)?, last_heartbeat.map(seconds).transpose()?);
        let incarnation = incarnation.map(|given| given.0);
        let updated = self.0.lock(py).update(node_id.0, incarnation, status.0, heard, now);
        Ok(updated.map_err(Refused::from)?)
    }

    #[pyo3(signature = (age = Number(86400.0), *, now = None), text_signature = "($self, age=86400.0, *, now=None)")]
    fn expire<'py>(
        &self,
        py: Python<'py>,
        age: Number,
        now: Option<Number>,
    ) -> PyResult<Vec<Bound<'py, PyString>>> {
        let (age, now) = (seconds(age)?, convert::now(py, now)?);
        let gone = self.0.lock(py).expire(age, now);
        Ok(gone.iter().map(|id| id_text(py, id)).collect())
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.lock(py).root().to_le_bytes())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.lock(py).len()
    }

    fn __contains__(&self, py: Python<'_>, node_id: IdArgument) -> bool {
        self.0.lock(py).get(&node_id.0).is_some()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let table = self.0.lock(py);
        let alive = table.iter().filter(|entry| entry.precedence.status() == Status::Alive).count();
        format!(
            "MembershipTable({:?}, {} members, {alive} alive, root {:08x})",
            shown(py, &table.self_id()),
            table.len(),
            table.root() as u32,
        )
    }
}

/// What came of merging bytes. The manual is palaver/core/_native.pyi.
#[pyclass(frozen, module = "palaver.core")]
pub(crate) struct Merged(core::Merged);

#[pymethods]
impl Merged {
    #[getter]
    fn news<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.news)
    }

    #[getter]
    fn changed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::members(py, self.0.changed.iter().copied())
    }

    #[getter]
    fn equivocations(&self) -> Vec<(NodeRecord, NodeRecord)> {
        self.0
            .equivocations
            .iter()
            .map(|(one, other)| (NodeRecord(one.clone()), NodeRecord(other.clone())))
            .collect()
    }

    fn __repr__(&self) -> String {
        format!("Merged({} changed, {} bytes of news)", self.0.changed.len(), self.0.news.len())
    }
}
