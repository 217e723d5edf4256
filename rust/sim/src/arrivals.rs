//! What arrives at a node: taken, kept in the socket of one that stands still, or overtaken by what comes next.

use crate::queue::Happening;
use crate::sim_node::Arrival;
use crate::world::{Told, World};

/// So many inputs wait for a blocked node: a socket buffer of about 200 KiB.
const SOCKET_BUFFER: usize = 512;

impl World {
    pub(crate) fn arrives(&mut self, node: usize, arrival: Arrival, watch: &mut dyn FnMut(&Told<'_>)) {
        let Some(place) = self.nodes.get_mut(node) else { return };
        if place.engine.is_none() {
            return;
        }
        let reorder = place.links.chaos.reorder;
        if !arrival.stream && place.overtaken.is_none() && self.chance.happens(reorder.p) {
            place.held += 1;
            place.overtaken = Some(arrival);
            let overdue = Happening::Overdue { node: node as u32, held: place.held };
            self.queue.put(self.now + reorder.seconds, overdue);
            return;
        }
        let overtaken = place.overtaken.take_if(|_| !arrival.stream);
        self.takes(node, arrival, watch);
        if let Some(overtaken) = overtaken {
            self.takes(node, overtaken, watch);
        }
    }

    /// Nothing has overtaken a datagram in its time.
    pub(crate) fn overdue(&mut self, node: usize, held: u64, watch: &mut dyn FnMut(&Told<'_>)) {
        let place = &mut self.nodes[node];
        if place.held == held
            && let Some(arrival) = place.overtaken.take()
        {
            self.takes(node, arrival, watch);
        }
    }

    fn takes(&mut self, node: usize, arrival: Arrival, watch: &mut dyn FnMut(&Told<'_>)) {
        let place = &mut self.nodes[node];
        if place.blocked_until.max(place.muffled_until) > self.now {
            if place.waiting.len() < SOCKET_BUFFER || arrival.stream {
                place.waiting.push_back(arrival);
            }
            return;
        }
        self.handle(node, arrival.input(), watch);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use palaver_core::engine::{Admission, EngineConfig};

    use super::*;
    use crate::network::{Late, LinkQuality};

    /// A node that stands still, so that what it takes stays in its socket, in order; and what was sent to it.
    fn order(reorder: Late, sent: &[(f64, u8, bool)]) -> Vec<u8> {
        let config = EngineConfig::new("test", Admission::open());
        let mut world = World::new(config, LinkQuality::default(), 1, 1, 1);
        world.start(0).unwrap();
        world.block(0, 100.0);
        world.nodes[0].links.chaos.reorder = reorder;
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        for (at, byte, stream) in sent {
            let arrival = Arrival { from, bytes: vec![*byte], stream: *stream };
            let at = world.now + at;
            world.queue.put(at, Happening::Arrives { to: 0, arrival });
        }
        world.run(50.0, &mut |_| {});
        world.nodes[0].waiting.iter().map(|arrival| arrival.bytes[0]).collect()
    }

    #[test]
    fn a_datagram_is_overtaken_by_the_next_or_comes_after_its_time() {
        let all = Late { p: 1.0, seconds: 0.2 };
        let pairs = [(1.0, 1, false), (1.1, 2, false), (1.2, 3, false), (1.3, 4, false), (1.35, 5, false)];
        assert_eq!(order(Late::default(), &pairs), [1, 2, 3, 4, 5]);
        assert_eq!(order(all, &pairs), [2, 1, 4, 3, 5]);
        assert_eq!(order(all, &[(1.0, 1, false), (1.3, 2, false)]), [1, 2], "nobody came within 200 ms");
        assert_eq!(order(all, &[(1.0, 1, true), (1.1, 2, true)]), [1, 2], "a stream keeps its order");
    }
}
