//! One function a rule of the cluster: small histories that say what went wrong when the rule does not hold.

use palaver_core::engine::{Admission, Command, Event, Rules};
use palaver_core::{Priority, Status};
use palaver_sim::promises::check;
use palaver_sim::{LinkQuality, World, configuration};

/// What breaks a rule.
pub(crate) type Break = fn(&mut Rules);
/// A rule: what goes wrong in a small history with something broken.
pub(crate) type Rule = fn(Break) -> Verdict;
/// What went wrong.
pub(crate) type Verdict = Result<(), String>;

fn world(nodes: usize, seed: u64, broken: Break) -> World {
    let mut config = configuration(None, false);
    broken(&mut config.rules);
    World::new(config, LinkQuality::default(), nodes, 1, seed)
}

fn settled(nodes: usize, seed: u64, broken: Break) -> World {
    let mut world = world(nodes, seed, broken);
    begin(&mut world);
    world
}

fn begin(world: &mut World) {
    for node in 0..world.nodes.len() {
        world.start(node).unwrap();
    }
    world.introduce_all();
    world.run(3.0, &mut |_| {});
}

fn sent(world: &World, node: usize) -> u64 {
    let counters = world.nodes[node].engine.as_ref().unwrap().counters();
    counters.sent_bytes + counters.stream_bytes
}

/// Two liars, one less than a quorum, say all they can for half a minute: nobody is thought to be gone.
pub(crate) fn two_liars_evict_nobody(broken: Break) -> Verdict {
    let mut world = world(12, 1, broken);
    world.liars = vec![3, 8];
    begin(&mut world);
    let mut wrong = None;
    world.run(33.0, &mut |told| {
        let Event::View(changes) = told.event else { return };
        let gone = changes.iter().find(|c| c.after.is_some_and(|status| status > Status::Suspect));
        wrong = wrong.take().or(gone.map(|change| format!("{} sees {change:?}", told.node)));
    });
    wrong.map_or(Ok(()), Err)
}

/// Half a cluster is cut off for half a minute: nobody is declared dead.
pub(crate) fn a_partition_kills_nobody(broken: Break) -> Verdict {
    let mut world = settled(20, 2, broken);
    for node in 0..10 {
        world.nodes[node].links.group = 1;
    }
    let mut deaths = 0;
    world.run(33.0, &mut |told| {
        let Event::View(changes) = told.event else { return };
        deaths += changes.iter().filter(|change| change.after == Some(Status::Dead)).count();
    });
    if deaths == 0 { Ok(()) } else { Err(format!("{deaths} deaths")) }
}

/// A process that stood still for eight seconds knows it, and blames nobody.
pub(crate) fn a_stopped_process_blames_nobody(broken: Break) -> Verdict {
    let mut world = settled(10, 3, broken);
    world.block(4, 8.0);
    let (mut paused, mut blamed) = (false, false);
    world.run(20.0, &mut |told| match told.event {
        Event::Paused(_) if told.node == 4 => paused = true,
        Event::Suspected { suspect: true, .. } if told.node == 4 => blamed = true,
        _ => {}
    });
    if paused && !blamed { Ok(()) } else { Err(format!("paused {paused}, blamed {blamed}")) }
}

/// A node whose wall clock went back over a restart still begins above all its incarnations.
pub(crate) fn incarnations_survive_a_clock_that_goes_back(broken: Break) -> Verdict {
    let mut world = settled(5, 4, broken);
    let before = world.nodes[2].engine.as_ref().unwrap().incarnation();
    world.crash(2);
    world.nodes[2].clock_error = -3_600.0;
    world.start(2).unwrap();
    let after = world.nodes[2].engine.as_ref().unwrap().incarnation();
    if after > before { Ok(()) } else { Err(format!("{after} after {before}")) }
}

/// A packet that comes twice is answered once.
pub(crate) fn a_replayed_packet_is_not_answered(broken: Break) -> Verdict {
    let mut world = settled(5, 5, broken);
    world.run(15.0, &mut |_| {}); // records are old enough not to go in front
    world.capture = Some(Vec::new());
    world.run(20.0, &mut |_| {});
    for (node, stream, bytes) in world.capture.take().unwrap() {
        let (before, from) = (sent(&world, node), world.nodes[0].address);
        world.inject(node, from, &bytes, stream, &mut |_| {});
        if sent(&world, node) != before {
            return Err(format!("node {node} answered a replay"));
        }
    }
    Ok(())
}

/// A trace is replayed 48 hours later, to who has gone on and to who has been restarted: no view changes.
pub(crate) fn a_trace_replayed_after_two_days_changes_nothing(broken: Break) -> Verdict {
    let mut config = configuration(None, false);
    broken(&mut config.rules);
    (config.probe_interval, config.heal_interval) = (60.0, 1_800.0); // two days in a moment
    let mut world = World::new(config, LinkQuality::default(), 5, 1, 6);
    world.capture = Some(Vec::new());
    let seed = world.nodes[0].address;
    for node in 0..5 {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![seed]), &mut |_| {});
    }
    world.run(300.0, &mut |_| {});
    let trace = world.capture.take().unwrap();
    world.command(4, Command::Leave, &mut |_| {});
    world.run(600.0, &mut |_| {});
    world.crash(4);
    world.run(48.0 * 3_600.0, &mut |_| {});
    world.crash(1);
    world.start(1).unwrap();
    world.command(1, Command::Join(vec![seed]), &mut |_| {});
    world.run(48.0 * 3_600.0 + 900.0, &mut |_| {});
    let before = (world.state_hash(), world.views());
    for (node, stream, bytes) in trace.iter().filter(|(node, ..)| *node != 4) {
        world.inject(*node, seed, bytes, *stream, &mut |_| {});
    }
    let after = (world.state_hash(), world.views());
    if before == after && before.1 == 1 { Ok(()) } else { Err(format!("{before:?} became {after:?}")) }
}

/// A member dies and is buried an hour after its record has grown too old; then all wall clocks are set back by three, so that its record is no longer
/// old, and all that it ever sent is replayed: it stays buried.
pub(crate) fn the_buried_stay_buried(broken: Break) -> Verdict {
    let mut config = configuration(None, false);
    broken(&mut config.rules);
    (config.probe_interval, config.heal_interval) = (60.0, 1_800.0); // hours in a moment
    let buried = config.record_age + 3_600.0;
    let mut world = World::new(config, LinkQuality::default(), 4, 1, 11);
    world.capture = Some(Vec::new());
    let (seed, late) = (world.nodes[0].address, world.nodes[3].id);
    for node in 0..4 {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![seed]), &mut |_| {});
    }
    world.run(300.0, &mut |_| {});
    let trace = world.capture.take().unwrap();
    world.crash(3);
    world.run(buried, &mut |_| {});
    let known = |world: &World| {
        (0..3).filter(|node| world.nodes[*node].engine.as_ref().unwrap().status(&late).is_some()).count()
    };
    if known(&world) > 0 {
        return Err(format!("{} have not buried it", known(&world)));
    }
    for node in 0..3 {
        world.nodes[node].clock_error = -3.0 * 3_600.0;
    }
    for (node, stream, bytes) in trace.iter().filter(|(node, ..)| *node != 3) {
        world.inject(*node, seed, bytes, *stream, &mut |_| {});
    }
    world.run(buried + 10.0, &mut |_| {});
    if known(&world) == 0 { Ok(()) } else { Err(format!("{} know it again", known(&world))) }
}

/// A liar says of others that they are at incarnations that they never took: nobody believes a word.
pub(crate) fn nobody_raises_the_incarnation_of_another(broken: Break) -> Verdict {
    let mut world = world(6, 12, broken);
    world.liars = vec![2];
    begin(&mut world);
    world.run(33.0, &mut |_| {});
    for observer in 0..6 {
        let engine = world.nodes[observer].engine.as_ref().unwrap();
        if observer != 2 && engine.counters().refused == 0 {
            return Err(format!("{observer} has refused nothing"));
        }
        for subject in 0..6 {
            let own = world.nodes[subject].engine.as_ref().unwrap().incarnation();
            let seen = engine.incarnation_of(&world.nodes[subject].id);
            if observer != 2 && seen.is_none_or(|seen| seen > own) {
                return Err(format!("{observer} sees {subject} at {seen:?}, it is at {own}"));
            }
        }
    }
    Ok(())
}

/// Whoever is dead stays so, whatever another member says.
pub(crate) fn nobody_revives_another(broken: Break) -> Verdict {
    let mut world = world(8, 13, broken);
    world.liars = vec![2];
    begin(&mut world);
    world.crash(5);
    let dead = world.nodes[5].id;
    let mut seen = vec![false; 8];
    let mut back = None;
    world.run(60.0, &mut |told| {
        let Event::View(changes) = told.event else { return };
        for change in changes.iter().filter(|change| change.node == dead && told.node != 2) {
            if seen[told.node] && change.after != Some(Status::Dead) {
                back = Some(format!("{} sees {change:?}", told.node));
            }
            seen[told.node] |= change.after == Some(Status::Dead);
        }
    });
    if seen.iter().filter(|seen| **seen).count() < 6 {
        return Err(format!("who has seen the death: {seen:?}"));
    }
    back.map_or(Ok(()), Err)
}

/// A seed that starts later and knows nobody is found.
pub(crate) fn a_seed_that_starts_later_is_found(broken: Break) -> Verdict {
    let mut world = world(5, 7, broken);
    let (first, late) = (world.nodes[0].address, world.nodes[4].address);
    for node in 0..4 {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![first, late]), &mut |_| {});
    }
    world.run(30.0, &mut |_| {});
    world.start(4).unwrap();
    world.command(4, Command::Join(Vec::new()), &mut |_| {});
    world.run(90.0, &mut |_| {});
    if world.views() == 1 { Ok(()) } else { Err(format!("{} views", world.views())) }
}

/// A broadcast is told to each application once.
pub(crate) fn a_broadcast_is_told_once(broken: Break) -> Verdict {
    let mut world = settled(10, 8, broken);
    let command = Command::Broadcast { priority: Priority::Application, payload: b"x".to_vec() };
    world.command(2, command, &mut |_| {});
    let mut heard = [0; 10];
    // Not long: where the rule is broken, each hearing is a new telling.
    world
        .run(3.5, &mut |told| heard[told.node] += usize::from(matches!(told.event, Event::Broadcast { .. })));
    heard[2] += 1;
    if heard == [1; 10] { Ok(()) } else { Err(format!("{heard:?}")) }
}

/// The promises over a few random histories.
pub(crate) fn random_histories_keep_the_promises(broken: Break) -> Verdict {
    (0..15).try_for_each(|seed| check(seed, broken))
}

/// Strangers send noise, cut, altered and replayed packets: nothing changes, and less comes back than went in.
pub(crate) fn outsiders_change_nothing_and_are_not_amplified(broken: Break) -> Verdict {
    let mut world = settled(6, 9, broken);
    world.capture = Some(Vec::new());
    world.run(6.0, &mut |_| {});
    let captured = world.capture.take().unwrap();
    let mut chance = palaver_sim::Chance::new(9);
    let mut packets: Vec<(usize, Vec<u8>)> = Vec::new();
    for length in (0..64).chain([500, 1_200, 1_201, 9_000, 65_507]) {
        packets.push((length % 6, (0..length).map(|_| chance.bits() as u8).collect()));
    }
    for (node, _, bytes) in captured.iter().take(150) {
        let mut flipped = bytes.clone();
        let bit = chance.below(8 * bytes.len());
        flipped[bit / 8] ^= 1 << (bit % 8);
        packets.extend([(*node, flipped), (*node, bytes[..chance.below(bytes.len())].to_vec())]);
        packets.push(((*node + 1) % 6, bytes.clone()));
    }
    let before = world.state_hash();
    let stranger = "10.9.9.9:9".parse().unwrap();
    for (node, bytes) in packets {
        let sent_before = sent(&world, node);
        let mut told = Vec::new();
        world.inject(node, stranger, &bytes, false, &mut |what| told.push(format!("{what:?}")));
        let answer = sent(&world, node) - sent_before;
        if answer > bytes.len() as u64 || !told.is_empty() {
            return Err(format!("{} bytes drew {answer}, events {told:?}", bytes.len()));
        }
    }
    if world.state_hash() == before { Ok(()) } else { Err("a view changed".to_owned()) }
}

/// The rules of a cluster with a list of members, and a node that is not on it.
pub(crate) fn a_stranger_is_not_let_in(broken: Break) -> Verdict {
    let mut world = world(4, 10, broken);
    let listed: Vec<usize> = vec![0, 1, 2];
    let keys = listed.iter().map(|node| world.public_key(*node)).collect();
    world.config.admission = Admission::Keys { members: keys, administrators: Vec::new() };
    let seed = world.nodes[0].address;
    let mut refused = 0;
    for node in 0..4 {
        world.start(node).unwrap();
        world.command(node, Command::Join(vec![seed]), &mut |_| {});
    }
    world.run(10.0, &mut |told| refused += usize::from(matches!(told.event, Event::Refused { .. })));
    let stranger = world.nodes[3].id;
    let known =
        listed.iter().any(|node| world.nodes[*node].engine.as_ref().unwrap().status(&stranger).is_some());
    if known || refused == 0 { Err(format!("known {known}, refused {refused}")) } else { Ok(()) }
}
