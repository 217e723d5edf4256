//! node_id_of, sign_ban, sign_ticket.

use palaver_core::engine::{self, Ban};
use palaver_core::{AdmissionTicket, ClusterTag, Error, NodeId};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::{Instance, LentOctets};
use crate::convert::TextArgument;
use crate::error::Refused;
use crate::keys::KeyManager;
use crate::names::{IdArgument, id_text};
use crate::whole;

/// The bytes of a ticket: when it ends (8, little-endian), and the signature (64).
const TICKET: usize = 72;

/// Lets a key into a cluster. The manual is palaver/core/_native.pyi.
#[pyfunction]
pub(crate) fn sign_ticket<'py>(
    py: Python<'py>,
    authority: Instance<'_, KeyManager>,
    cluster: TextArgument<'_>,
    public_key: LentOctets<'_>,
    #[pyo3(from_py_with = whole::not_after)] not_after: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = sized(public_key.0)?;
    let ticket = engine::sign_ticket(&authority.keys(py), ClusterTag::of(cluster.0), key, not_after);
    Ok(PyBytes::new(py, &ticket_bytes(&ticket)))
}

/// Bans a node from a cluster. The manual is palaver/core/_native.pyi.
#[pyfunction]
pub(crate) fn sign_ban<'py>(
    py: Python<'py>,
    authority: Instance<'_, KeyManager>,
    cluster: TextArgument<'_>,
    node_id: IdArgument,
) -> Bound<'py, PyBytes> {
    let ban = Ban::sign(&authority.keys(py), ClusterTag::of(cluster.0), &node_id.0);
    PyBytes::new(py, ban.as_bytes())
}

/// The id of whoever has a key. The manual is palaver/core/_native.pyi.
#[pyfunction]
pub(crate) fn node_id_of<'py>(py: Python<'py>, public_key: LentOctets<'_>) -> PyResult<Bound<'py, PyString>> {
    Ok(id_text(py, &NodeId::of_public_key(sized(public_key.0)?)))
}

fn sized(public_key: &[u8]) -> Result<&[u8; 32], Refused> {
    public_key
        .try_into()
        .map_err(|_| Refused::from(Error::Length { what: "public key", expected: 32, got: public_key.len() }))
}

fn ticket_bytes(ticket: &AdmissionTicket) -> [u8; TICKET] {
    let mut bytes = [0; TICKET];
    bytes[..8].copy_from_slice(&ticket.not_after.to_le_bytes());
    bytes[8..].copy_from_slice(&ticket.signature);
    bytes
}
