//! Who may be a member changes while the node runs.

use palaver_core::engine::{
    Admission, Command, Engine, EngineConfig, Identity, Input, Moment, Output, sign_ticket,
};
use palaver_core::{ClusterTag, KeyManager, NodeMetadata, Time};

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_new_ticket_is_shown_from_the_moment_it_is_given() {
    let (authority, keys) = (KeyManager::from_seed(&[1; 32]), KeyManager::from_seed(&[2; 32]));
    let admission = Admission::Authorities(vec![*authority.public_key().as_bytes()]);
    let ticket =
        |not_after| sign_ticket(&authority, ClusterTag::of("c"), keys.public_key().as_bytes(), not_after);
    let moment = Moment { now: Time::new(1.0).unwrap(), unix_millis: 1_000 };
    let identity = Identity {
        keys: keys.clone(),
        name: String::new(),
        address: "127.0.0.1:7882".parse().unwrap(),
        place: NodeMetadata::default(),
        incarnation: 1,
        ceiling: None,
        exchange: [3; 32],
        ticket: Some(ticket(100)),
    };
    let mut engine = Engine::new(EngineConfig::new("c", admission), identity, 7, moment).unwrap();
    assert!(holds(&engine.snapshot(), &ticket(100).signature));
    let mut output = Output::default();
    engine.handle(Input::Command(Command::SetTicket(ticket(200))), moment, &mut output).unwrap();
    assert!(holds(&engine.snapshot(), &ticket(200).signature));
    assert!(!holds(&engine.snapshot(), &ticket(100).signature));
    assert_eq!(engine.incarnation(), 1, "a new ticket is no new life");
}
