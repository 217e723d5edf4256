//! The record of one member, and where it runs.

use crate::{Error, NodeId, Precedence, Status, Time};

/// Where a node runs. Both names may be empty, which means "not said".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct NodeMetadata {
    region: String,
    zone: String,
}

impl NodeMetadata {
    /// The longest region or zone name in bytes: cloud providers stay under 32.
    pub const MAX_NAME: usize = 64;

    /// Checks that both names are short and free of control characters.
    pub fn new(region: impl Into<String>, zone: impl Into<String>) -> Result<Self, Error> {
        let (region, zone) = (region.into(), zone.into());
        for (what, name) in [("region", &region), ("zone", &zone)] {
            if name.len() > Self::MAX_NAME || name.chars().any(char::is_control) {
                return Err(Error::Text { what, max: Self::MAX_NAME });
            }
        }
        Ok(Self { region, zone })
    }

    /// The region, for example `eu-west`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The zone within the region: nodes of one zone tend to fail together.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }
}

/// The record of a member: a value, except for its last heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Who it is.
    pub node_id: NodeId,
    /// Its incarnation and status.
    pub precedence: Precedence,
    /// When it was last heard of, [`Time::ZERO`] if never.
    pub last_heartbeat: Time,
    /// Where it runs.
    pub metadata: NodeMetadata,
}

impl Node {
    /// The record of a node.
    pub fn new(
        node_id: NodeId,
        incarnation: u64,
        status: Status,
        last_heartbeat: Time,
        metadata: NodeMetadata,
    ) -> Result<Self, Error> {
        let precedence = Precedence::new(incarnation, status)?;
        Ok(Self { node_id, precedence, last_heartbeat, metadata })
    }

    /// Notes that the node was heard at `now`; an earlier time changes nothing. Returns the last heartbeat.
    pub fn heartbeat(&mut self, now: Time) -> Time {
        self.last_heartbeat = self.last_heartbeat.max(now);
        self.last_heartbeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_never_goes_back() {
        let id = "a".parse().unwrap();
        let mut node = Node::new(id, 0, Status::Alive, Time::ZERO, NodeMetadata::default()).unwrap();
        node.heartbeat(Time::new(5.0).unwrap());
        assert_eq!(node.heartbeat(Time::new(3.0).unwrap()).seconds(), 5.0);
    }

    #[test]
    fn names_of_places_are_bounded() {
        assert!(NodeMetadata::new("r".repeat(64), "").is_ok());
        assert!(NodeMetadata::new("r".repeat(65), "").is_err());
        assert!(NodeMetadata::new("eu", "a\n").is_err());
    }
}
