//! Places: where clients connect, which is home, or where a server has sent them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::plan::{Plan, PlanError};
use crate::stream::Trust;

/// How often one client is sent on until it is taken for being sent in circles.
pub(crate) const MAX_HOPS: u8 = 4;
/// Different places that are followed to; a node has at most 64 workers.
const MAX_PLACES: usize = 256;

/// One address of the server.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// The Host header.
    pub(crate) authority: String,
    /// The request target; None: each client's own.
    pub(crate) target: Option<String>,
    pub(crate) trust: Option<Trust>,
    /// How it was named; empty: it is home.
    pub(crate) url: String,
}

/// Home, and all other places that were named. A name is looked up once.
pub(crate) struct Places {
    pub(crate) home: Arc<Place>,
    others: BTreeMap<String, Known>,
}

struct Known {
    place: Result<Arc<Place>, String>,
    /// How many clients were sent there.
    visits: u64,
}

impl Places {
    pub(crate) fn new(plan: &Plan) -> Result<Self, PlanError> {
        let home = Place {
            address: plan.address,
            authority: plan.host.clone(),
            target: None,
            trust: plan.tls.as_ref().map(Trust::new).transpose()?,
            url: String::new(),
        };
        Ok(Self { home: Arc::new(home), others: BTreeMap::new() })
    }

    /// The first address in the reason of a close to which a client may go, if there is one: from an encrypted home to
    /// encrypted ones alone, because a token is not shown in the clear.
    pub(crate) fn named<'a>(&self, reason: &'a str) -> Option<&'a str> {
        let encrypted = self.home.trust.is_some();
        reason.split(' ').find(|word| word.starts_with("wss://") || (!encrypted && word.starts_with("ws://")))
    }

    /// Where that is, for a client that goes there now.
    ///
    /// # Errors
    /// Why nobody can go there.
    pub(crate) fn visit(&mut self, url: &str) -> Result<Arc<Place>, String> {
        if !self.others.contains_key(url) {
            if self.others.len() >= MAX_PLACES {
                return Err(format!("sent to more than {MAX_PLACES} places"));
            }
            let place = place(url, &self.home).map(Arc::new);
            self.others.insert(url.to_owned(), Known { place, visits: 0 });
        }
        let known = self.others.get_mut(url).expect("it was there, or has just been put there");
        let place = known.place.clone()?;
        known.visits += 1;
        Ok(place)
    }

    /// Where clients were sent, and how many.
    pub(crate) fn visits(&self) -> Vec<(String, u64)> {
        let visited = self.others.iter().filter(|(_, known)| known.visits > 0);
        visited.map(|(url, known)| (url.clone(), known.visits)).collect()
    }
}

fn place(url: &str, home: &Place) -> Result<Place, String> {
    let broken = |why: &str| format!("sent to {url}: {why}");
    let (scheme, rest) = url.split_once("://").ok_or_else(|| broken("that is no URL"))?;
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| broken("its port is no port"))?)
        }
        _ => (authority, if scheme == "wss" { 443 } else { 80 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let trust = match (scheme, &home.trust) {
        ("wss", Some(trust)) => Some(trust.named(host).map_err(|error| broken(&error.0))?),
        ("wss", None) => return Err(broken("the plan trusts no certificate, so that nobody can go there")),
        _ => None,
    };
    let ip = if is_host_of(host, &home.authority) {
        home.address.ip()
    } else {
        look_up(host, port).ok_or_else(|| broken("its host cannot be found"))?
    };
    let target = Some(if target.is_empty() { "/".into() } else { target.into() });
    Ok(Place { address: (ip, port).into(), authority: authority.into(), target, trust, url: url.into() })
}

/// Whether an authority has this host, with any port.
fn is_host_of(host: &str, authority: &str) -> bool {
    let port = authority.rfind(':').filter(|&place| place > authority.rfind(']').unwrap_or(0));
    let name = &authority[..port.unwrap_or(authority.len())];
    name.trim_start_matches('[').trim_end_matches(']').eq_ignore_ascii_case(host)
}

/// Blocks for a name that is none of this machine's files; it is done once for each.
fn look_up(host: &str, port: u16) -> Option<IpAddr> {
    (host, port).to_socket_addrs().ok()?.next().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(authority: &str) -> Place {
        let address = "127.0.0.9:7880".parse().expect("it is an address");
        Place { address, authority: authority.into(), target: None, trust: None, url: String::new() }
    }

    fn read(url: &str, home: &Place) -> (String, String, Option<String>) {
        let place = place(url, home).expect("it is a place");
        (place.address.to_string(), place.authority, place.target)
    }

    #[test]
    fn a_url_is_read() {
        let home = home("node.example:7880");
        let local = read("ws://127.0.0.1:7890/v1?a=b", &home);
        assert_eq!(local, ("127.0.0.1:7890".into(), "127.0.0.1:7890".into(), Some("/v1?a=b".into())));
        assert_eq!(
            read("ws://[::1]:7890", &home),
            ("[::1]:7890".into(), "[::1]:7890".into(), Some("/".into()))
        );
        assert_eq!(read("ws://127.0.0.1/v1", &home).0, "127.0.0.1:80");
    }

    #[test]
    fn the_host_of_home_is_where_home_is() {
        assert_eq!(read("ws://Node.example:7890/v1", &home("node.example")).0, "127.0.0.9:7890");
        assert_eq!(read("ws://[::2]:7890/v1", &home("[::2]:7880")).0, "127.0.0.9:7890");
    }

    #[test]
    fn what_cannot_be_reached_is_told() {
        let refused = |url: &str| place(url, &home("node.example")).err().expect("nobody can go there");
        assert!(refused("ws://127.0.0.1:x/v1").contains("no port"));
        assert!(refused("wss://127.0.0.1/v1").contains("trusts no certificate"));
        assert!(refused("ws://:1/v1").contains("cannot be found"));
    }
}
