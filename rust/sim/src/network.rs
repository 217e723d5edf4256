//! The network between simulated nodes: what is lost, doubled, late.

use serde::Deserialize;

use crate::chance::Chance;

/// How good the links are when nothing is broken.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkQuality {
    /// The shortest one-way delay in seconds.
    pub delay: f64,
    /// The mean of what is added to it, exponentially distributed: this reorders.
    pub jitter: f64,
    /// The delay added between two zones.
    pub zone_delay: f64,
    /// The share of datagrams that is lost.
    pub loss: f64,
    /// The share that comes twice.
    pub duplicate: f64,
}

impl Default for LinkQuality {
    fn default() -> Self {
        Self { delay: 0.000_25, jitter: 0.000_25, zone_delay: 0.0, loss: 0.0, duplicate: 0.0 }
    }
}

/// What is wrong with one node's links at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NodeLinks {
    /// The share of what is sent to it that is lost.
    pub inbound_loss: f64,
    /// The share of what it sends that is lost.
    pub outbound_loss: f64,
    /// Nodes of different groups do not hear each other.
    pub group: u32,
    /// Where it stands.
    pub zone: u32,
    /// What happens to what it is sent.
    pub chaos: Chaos,
}

/// What happens to what a node is sent, in the words of `chaosInject`. Streams lose segments and are late; they keep their order.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Chaos {
    /// The share that is lost.
    pub drop: f64,
    /// The share that comes later.
    pub delay: Late,
    /// The share that comes twice.
    pub duplicate: f64,
    /// The share that waits until the next datagram has overtaken it, or so long.
    pub reorder: Late,
}

/// How many, and by how much.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Late {
    /// The share.
    pub p: f64,
    /// By so many seconds.
    pub seconds: f64,
}

/// When the copies of a datagram arrive, in seconds from now.
pub(crate) fn datagram(
    quality: &LinkQuality,
    from: &NodeLinks,
    to: &NodeLinks,
    chance: &mut Chance,
) -> [Option<f64>; 2] {
    if from.group != to.group || lost(quality, from, to, chance) {
        return [None, None];
    }
    let first = delay(quality, from, to, chance);
    let twice = chance.happens(quality.duplicate) || chance.happens(to.chaos.duplicate);
    let second = twice.then(|| delay(quality, from, to, chance));
    [Some(first), second]
}

/// When a stream message arrives: lost segments are sent again after pauses that double (RFC 6298), and a connection that
/// makes no progress in about six seconds is given up.
pub(crate) fn stream(
    quality: &LinkQuality,
    from: &NodeLinks,
    to: &NodeLinks,
    chance: &mut Chance,
) -> Option<f64> {
    if from.group != to.group {
        return None;
    }
    // Connection and data: two segments that must be acknowledged, each lost in either direction.
    let mut late = 0.0;
    for _segment in 0..2 {
        let mut pause = 0.2;
        while lost(quality, from, to, chance) || lost(quality, to, from, chance) {
            late += pause;
            pause *= 2.0;
            if late > 6.0 {
                return None;
            }
        }
        late += delay(quality, from, to, chance) + delay(quality, to, from, chance);
    }
    Some(late)
}

fn lost(quality: &LinkQuality, from: &NodeLinks, to: &NodeLinks, chance: &mut Chance) -> bool {
    chance.happens(quality.loss)
        || chance.happens(from.outbound_loss)
        || chance.happens(to.inbound_loss)
        || chance.happens(to.chaos.drop)
}

fn delay(quality: &LinkQuality, from: &NodeLinks, to: &NodeLinks, chance: &mut Chance) -> f64 {
    let abroad = if from.zone == to.zone { 0.0 } else { quality.zone_delay };
    let ordinary = quality.delay + abroad - quality.jitter * palaver_core::ln(1.0 - chance.unit());
    ordinary + if chance.happens(to.chaos.delay.p) { to.chaos.delay.seconds } else { 0.0 }
}
