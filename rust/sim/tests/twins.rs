//! Two processes with one key: one of them is heard, and it is missed by nobody meanwhile.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use palaver_core::engine::{Admission, Command, EngineConfig, Event, Sealing};
use palaver_core::{NodeId, Status};
use palaver_sim::{LinkQuality, World};

const FIRST: usize = 0;
const ONE: usize = 1;
const OTHER: usize = 2;

struct Stage {
    world: World,
    twin: NodeId,
    /// How the first node was shown the twin, whenever that changed.
    shown: Vec<Option<Status>>,
    /// Who was told when that another process has its key.
    conflicts: Vec<(f64, usize)>,
    /// How often somebody missed somebody.
    suspected: usize,
}

impl Stage {
    /// One process has joined the first node half a second ago.
    fn new(sealing: Sealing) -> Self {
        let mut config = EngineConfig::new("test", Admission::open());
        config.rules.sealing = sealing;
        let mut world = World::new(config, LinkQuality::default(), 3, 1, 1);
        world.share_key(OTHER, ONE);
        let twin = world.nodes[ONE].id;
        let mut stage = Self { world, twin, shown: Vec::new(), conflicts: Vec::new(), suspected: 0 };
        stage.world.start(FIRST).unwrap();
        stage.start(ONE);
        stage.run(0.5);
        assert_eq!(stage.shown, [Some(Status::Alive)]);
        stage
    }

    fn start(&mut self, node: usize) {
        self.world.start(node).unwrap();
        let seed = self.world.nodes[FIRST].address;
        self.world.command(node, Command::Join(vec![seed]), &mut |_| {});
    }

    fn run(&mut self, until: f64) {
        let (twin, shown) = (self.twin, &mut self.shown);
        let (conflicts, suspected) = (&mut self.conflicts, &mut self.suspected);
        self.world.run(until, &mut |told| match told.event {
            Event::View(changes) if told.node == FIRST => {
                let of = changes.iter().filter(|change| change.node == twin && change.before != change.after);
                shown.extend(of.map(|change| change.after));
            }
            Event::IdentityConflict => conflicts.push((told.at, told.node)),
            Event::Suspected { suspect: true, .. } => *suspected += 1,
            _ => {}
        });
    }

    /// Where the first node reaches the twin.
    fn address(&self) -> SocketAddr {
        let first = self.world.nodes[FIRST].engine.as_ref().unwrap();
        first.member(&self.twin).unwrap().address.unwrap()
    }
}

#[test]
fn a_greeting_of_a_later_life_that_proves_nothing_cuts_nobody_off() {
    for sealing in [Sealing::Pairwise, Sealing::Model] {
        let mut stage = Stage::new(sealing);
        stage.run(1.1); // the next second
        stage.world.nodes[OTHER].links.inbound_loss = 1.0; // greets, and takes no answer
        stage.start(OTHER);
        stage.run(30.0);
        assert_eq!((stage.shown.as_slice(), stage.suspected), (&[Some(Status::Alive)][..], 0), "{sealing:?}");
        assert_eq!(stage.address(), stage.world.nodes[ONE].address);
    }
}

#[test]
fn a_process_of_a_later_second_takes_the_place_of_the_one_before_which_is_told() {
    let mut stage = Stage::new(Sealing::Pairwise);
    stage.run(1.1);
    stage.start(OTHER);
    stage.run(6.0);
    assert_eq!(stage.shown, [Some(Status::Alive)]);
    assert_eq!(stage.address(), stage.world.nodes[OTHER].address);
    let told: Vec<usize> = stage.conflicts.iter().map(|(_, node)| *node).collect();
    assert_eq!(told, [ONE]);
}

#[test]
fn of_one_second_the_process_that_came_first_stays_and_the_other_is_told() {
    let mut stage = Stage::new(Sealing::Pairwise);
    stage.start(OTHER);
    stage.run(6.0);
    assert_eq!((stage.shown.as_slice(), stage.suspected), (&[Some(Status::Alive)][..], 0));
    assert_eq!(stage.address(), stage.world.nodes[ONE].address);
    let told: Vec<usize> = stage.conflicts.iter().map(|(_, node)| *node).collect();
    assert_eq!(told, [OTHER]);
}
