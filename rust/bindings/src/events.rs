//! Notices, members and reachability as the Python values of palaver/core/events.py.

use palaver_core::engine::{Change, Event, Member};
use palaver_core::{NodeId, Priority, Status};
use palaver_driver::{Notice, Reachability, Seeds};
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::convert::status_text;
use crate::names::id_text;

fn make<'py>(py: Python<'py>, class: &str, args: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    py.import("palaver.core.events")?.getattr(class)?.call1(args)
}

fn standing(py: Python<'_>, status: Option<Status>) -> Option<Bound<'_, PyString>> {
    status.map(|status| status_text(py, status))
}

fn change<'py>(py: Python<'py>, change: &Change) -> PyResult<Bound<'py, PyAny>> {
    let Change { node, before, after, incarnation } = change;
    make(py, "Change", (id_text(py, node), standing(py, *before), standing(py, *after), *incarnation))
}

/// A list of events.
pub(crate) fn events(py: Python<'_>, notices: Vec<Notice>) -> PyResult<Bound<'_, PyList>> {
    let events = notices.into_iter().map(|notice| event(py, notice));
    PyList::new(py, events.collect::<PyResult<Vec<_>>>()?)
}

fn event(py: Python<'_>, notice: Notice) -> PyResult<Bound<'_, PyAny>> {
    match notice {
        Notice::Engine(event) => engine_event(py, event),
        Notice::BroadcastsLost(count) => make(py, "BroadcastsLost", (count,)),
        Notice::Blocked(seconds) => make(py, "Blocked", (seconds,)),
        Notice::Unblocked(seconds) => make(py, "Unblocked", (seconds,)),
        Notice::LogFailed(why) => make(py, "LogFailed", (why,)),
        Notice::Stopped { acknowledged, why } => make(py, "Stopped", (acknowledged, why)),
    }
}

fn engine_event(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::View(changes) => {
            let changes = changes.iter().map(|one| change(py, one)).collect::<PyResult<Vec<_>>>()?;
            make(py, "ViewChanged", (PyTuple::new(py, changes)?,))
        }
        Event::Suspected { node, suspect } => make(py, "Suspected", (id_text(py, &node), suspect)),
        Event::Broadcast { origin, priority, payload } => {
            let urgent = priority == Priority::Gone;
            make(py, "BroadcastReceived", (id_text(py, &origin), urgent, PyBytes::new(py, &payload)))
        }
        Event::PartitionSuspected { unreachable, members } => {
            make(py, "PartitionSuspected", (unreachable, members))
        }
        Event::PartitionEnded => make(py, "PartitionEnded", ()),
        Event::Paused(seconds) => make(py, "Paused", (seconds,)),
        Event::Equivocation(records) => make(py, "Equivocation", (id_text(py, &records.0.node_id()),)),
        Event::IdentityConflict => make(py, "IdentityConflict", ()),
        Event::Refused { node, why } => make(py, "Refused", (id_text(py, &node), why)),
        Event::Joined => make(py, "Joined", ()),
        Event::Alone => make(py, "Alone", ()),
        Event::Stopped { acknowledged, banned } => {
            make(py, "Stopped", (acknowledged, if banned { "banned" } else { "left" }))
        }
    }
}

/// One member.
pub(crate) fn member<'py>(py: Python<'py>, member: &Member) -> PyResult<Bound<'py, PyAny>> {
    let standing = (
        id_text(py, &member.id),
        status_text(py, member.status),
        member.suspected,
        member.incarnation,
        &member.name,
        member.address.map(|address| address.to_string()),
    );
    let place = (member.place.region(), member.place.zone());
    let vitals = member.vitals;
    let doing = (vitals.load, vitals.sessions, vitals.draining);
    let heard = (member.last_heartbeat.seconds(), member.round_trip);
    let fields = standing.into_pyobject(py)?.into_any();
    let fields = fields.add(place)?.add(doing)?.add(heard)?;
    make(py, "Member", fields.cast_into::<PyTuple>()?)
}

/// A list of members.
pub(crate) fn members<'py>(py: Python<'py>, members: &[Member]) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, members.iter().map(|one| member(py, one)).collect::<PyResult<Vec<_>>>()?)
}

/// Who can be reached.
pub(crate) fn reachability<'py>(py: Python<'py>, found: &Reachability) -> PyResult<Bound<'py, PyAny>> {
    let ids = |ids: &[NodeId]| PyTuple::new(py, ids.iter().map(|id| id_text(py, id)));
    let seeds = match found.seeds {
        Seeds::None => "none",
        Seeds::Asking => "asking",
        Seeds::Silent => "silent",
        Seeds::Joined => "joined",
    };
    let fields = (
        found.members,
        ids(&found.suspected)?,
        ids(&found.unreachable)?,
        ids(&found.dead)?,
        found.partition_suspected,
        seeds,
    );
    make(py, "Reachability", fields)
}
