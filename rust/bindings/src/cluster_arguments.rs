//! What a cluster node is made with, as arguments: who may join, addresses, settings by name.

use std::net::SocketAddr;

use palaver_core::engine::{Admission, EngineConfig};
use palaver_core::{AdmissionTicket, Error, PublicKey};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::arguments::{LentOctets, Octets};
use crate::convert::{OwnText, Pairs, wrong_type};
use crate::error::{ArgumentError, Refused};
use crate::listed::Listed;

/// Public keys, or none given.
pub(crate) type Keys = Option<Listed<Octets>>;

/// Bytes of a ticket: until when, and the signature.
const TICKET: usize = 72;

fn key(bytes: &Octets) -> PyResult<[u8; 32]> {
    let got = bytes.len();
    let key = <[u8; 32]>::try_from(&bytes[..])
        .map_err(|_| Refused::from(Error::Length { what: "public key", expected: 32, got }))?;
    PublicKey::from_bytes(&key).map_err(Refused::from)?;
    Ok(key)
}

fn keys<C: FromIterator<[u8; 32]>>(given: &Listed<Octets>) -> PyResult<C> {
    given.0.iter().map(key).collect()
}

/// Who decides, from the three lists of which none, or the last with one other, may be given.
pub(crate) fn admission(authorities: Keys, allowed: Keys, administrators: Keys) -> PyResult<Admission> {
    let administrators = keys(&administrators.unwrap_or(Listed(Vec::new())))?;
    match (authorities, allowed) {
        (None, None) => Ok(Admission::Open { administrators }),
        (None, Some(allowed)) => Ok(Admission::Keys { members: keys(&allowed)?, administrators }),
        (Some(authorities), None) if administrators.is_empty() => {
            if authorities.0.is_empty() {
                return Err(ArgumentError::new_err(
                    "with no authority nobody could join; nothing was changed",
                ));
            }
            Ok(Admission::Authorities(keys(&authorities)?))
        }
        (Some(_), _) => Err(ArgumentError::new_err(
            "authorities decide alone: give neither allowed keys nor administrators with them; nothing was changed",
        )),
    }
}

/// A ticket from its 72 bytes.
pub(crate) fn ticket(bytes: Option<LentOctets<'_>>) -> PyResult<Option<AdmissionTicket>> {
    let Some(LentOctets(bytes)) = bytes else { return Ok(None) };
    let (Some(not_after), Some(signature), TICKET) =
        (bytes.first_chunk::<8>(), bytes.last_chunk::<64>(), bytes.len())
    else {
        return Err(
            Refused::from(Error::Length { what: "ticket", expected: TICKET, got: bytes.len() }).into()
        );
    };
    Ok(Some(AdmissionTicket { not_after: u64::from_le_bytes(*not_after), signature: *signature }))
}

/// An address argument.
pub(crate) fn address(text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| {
        ArgumentError::new_err(format!(
            "an address is IP:PORT or [IPv6]:PORT, not {text:?}: look names up before; nothing was changed"
        ))
    })
}

/// Several of them.
pub(crate) fn addresses(texts: &[OwnText]) -> PyResult<Vec<SocketAddr>> {
    texts.iter().map(|text| address(&text.0)).collect()
}

/// Puts settings by name into their places.
pub(crate) fn configure(config: &mut EngineConfig, settings: Option<Pairs<'_>>) -> PyResult<()> {
    let Some(Pairs(settings)) = settings else { return Ok(()) };
    for (name, value) in settings {
        let OwnText(name) = name.extract()?;
        if let Some(place) = seconds_or_factor(config, &name) {
            *place = number(&name, "a number", &value)?;
        } else if let Some(place) = whole(config, &name) {
            *place = number(&name, "an int", &value)?;
        } else {
            return Err(ArgumentError::new_err(format!(
                "there is no setting {name:?} of the engine; nothing was changed"
            )));
        }
    }
    Ok(config.check().map_err(Refused::from)?)
}

/// The value of a setting; a number that is none of its kind is refused by name.
fn number<'py, T>(name: &str, kind: &str, value: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    value.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            ArgumentError::new_err(format!("no {name} is as large, or below zero; nothing was changed"))
        } else if error.is_instance_of::<PyTypeError>(value.py()) {
            wrong_type(&format!("{name} is {kind}"), value)
        } else {
            error
        }
    })
}

fn seconds_or_factor<'a>(config: &'a mut EngineConfig, name: &str) -> Option<&'a mut f64> {
    Some(match name {
        "probe_interval" => &mut config.probe_interval,
        "probe_timeout_min" => &mut config.probe_timeout_min,
        "probe_timeout_max" => &mut config.probe_timeout_max,
        "gossip_interval" => &mut config.gossip_interval,
        "quick_gossip" => &mut config.quick_gossip,
        "dead_factor" => &mut config.dead_factor,
        "dead_factor_unconfirmed" => &mut config.dead_factor_unconfirmed,
        "mass_share" => &mut config.mass_share,
        "partition_hold" => &mut config.partition_hold,
        "heal_interval" => &mut config.heal_interval,
        "resign_interval" => &mut config.resign_interval,
        "record_age" => &mut config.record_age,
        "tombstone_age" => &mut config.tombstone_age,
        "pause_limit" => &mut config.pause_limit,
        "sync_interval" => &mut config.sync_interval,
        "view_window" => &mut config.view_window,
        "leave_timeout" => &mut config.leave_timeout,
        "return_hold" => &mut config.return_hold,
        "flaps_allowed" => &mut config.flaps_allowed,
        _ => return None,
    })
}

fn whole<'a>(config: &'a mut EngineConfig, name: &str) -> Option<&'a mut usize> {
    Some(match name {
        "indirect_probes" => &mut config.indirect_probes,
        "gossip_fanout" => &mut config.gossip_fanout,
        "observers" => &mut config.observers,
        "quorum" => &mut config.quorum,
        "leave_acknowledgements" => &mut config.leave_acknowledgements,
        "max_members" => &mut config.max_members,
        "max_links" => &mut config.max_links,
        "buffer_capacity" => &mut config.buffer_capacity,
        "cache_capacity" => &mut config.cache_capacity,
        _ => return None,
    })
}
