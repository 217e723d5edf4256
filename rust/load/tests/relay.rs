//! Runs against a small relay that another WebSocket library (tungstenite) serves.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use palaver_load::{
    Capture, Client, Flow, Message, Pace, Part, Phase, Plan, Report, Run, Stage, Step, Timing,
};
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tungstenite::{Message as Frame, Utf8Bytes};

/// `hello` is answered by `welcome "NAME"`; `to NAME TEXT` reaches that one as `got TEXT`, and the sender reads `ok`; `deny` is
/// refused, `note N` refused as `noted N`, `bye` closes.
fn relay() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let seats: Arc<Mutex<Vec<Sender<String>>>> = Arc::default();
        for stream in listener.incoming() {
            let stream = stream.expect("accepting works");
            let seats = seats.clone();
            thread::spawn(move || serve(stream, &seats));
        }
    });
    address
}

fn serve(stream: TcpStream, seats: &Mutex<Vec<Sender<String>>>) {
    let mut socket = tungstenite::accept(stream).expect("it upgrades");
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout can be set");
    let (inbox, waiting) = channel();
    let name = {
        let mut seats = seats.lock().expect("nobody panics");
        seats.push(inbox);
        seats.len() - 1
    };
    loop {
        while let Ok(text) = waiting.try_recv() {
            if socket.send(Frame::text(text)).is_err() {
                return;
            }
        }
        let text = match socket.read() {
            Ok(Frame::Text(text)) => text,
            Ok(_) => continue,
            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        let answer = match words[..] {
            ["hello"] => format!("welcome \"{name}\""),
            ["to", other, body] => {
                let other: usize = other.parse().expect("names are numbers");
                let _ = seats.lock().expect("nobody panics")[other].send(format!("got {body}"));
                "ok".into()
            }
            ["note", number] => format!("error why=\"noted {number}\""),
            ["bye"] => {
                let reason = Utf8Bytes::from_static("bye");
                let _ = socket.close(Some(CloseFrame { code: CloseCode::Normal, reason }));
                continue;
            }
            _ => "error why=\"unknown word\"".into(),
        };
        if socket.send(Frame::text(answer)).is_err() {
            return;
        }
    }
}

/// Takes the first word of everybody, and closes with 4001 and this reason.
fn door(reason: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut socket = tungstenite::accept(stream.expect("accepting works")).expect("it upgrades");
            let _ = socket.read();
            let reason = Utf8Bytes::from(reason.replace("{self}", &address.to_string()));
            let _ = socket.close(Some(CloseFrame { code: CloseCode::Library(4001), reason }));
            while socket.read().is_ok() {}
        }
    });
    address
}

fn bytes(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

fn message(parts: Vec<Part>) -> Message {
    Message { parts, binary: false }
}

fn says(text: &str) -> Message {
    message(vec![Part::Bytes(bytes(text))])
}

fn client(first: &str) -> Client {
    let capture = Some(Capture { after: bytes("welcome \"") });
    Client {
        target: Arc::from("/"),
        headers: Arc::from(""),
        opening: vec![Step { send: Some(says(first)), expect: bytes("welcome"), capture }],
        goodbye: Some(says("bye")),
        source: None,
        reads: true,
        words: Vec::new(),
        churns: None,
    }
}

fn flow(sender: usize, receiver: usize, size: usize) -> Flow {
    let body = format!(" {}", "x".repeat(size));
    Flow {
        stage: 0,
        sender,
        receivers: vec![receiver],
        messages: vec![message(vec![
            Part::Bytes(bytes("to ")),
            Part::Captured(receiver),
            Part::Bytes(bytes(&body)),
            Part::Number,
        ])],
        prologue: None,
        epilogue: None,
        arrival: bytes("got"),
        reply: Some(bytes("ok")),
        burst: 1,
        limit: None,
        inquiry: None,
    }
}

fn plan(clients: Vec<Client>, flows: Vec<Flow>, pace: Pace) -> Plan {
    let address = relay();
    Plan {
        address,
        host: address.to_string(),
        tls: None,
        clients,
        stages: vec![Stage { name: "relay".into(), pace }],
        flows,
        connecting: 4,
        error: b"error".to_vec(),
        reason: b"why=\"".to_vec(),
        refused: b"number=".to_vec(),
        after: b"after=".to_vec(),
        moved: None,
        keepalive: None,
        numbered: None,
        timing: Timing {
            connect: Duration::from_secs(10),
            settle: Duration::from_millis(20),
            warm_up: Duration::from_millis(50),
            measure: Duration::from_millis(300),
            drain: Duration::from_secs(5),
            rounds: false,
        },
    }
}

fn carried_out(plan: Plan) -> Report {
    let mut run = Run::start(plan).expect("the plan is sound");
    run.finish().expect("it was started").expect("the kernel lets it")
}

#[test]
fn pairs_relay_in_a_closed_loop() {
    let flows = vec![flow(0, 1, 2000), flow(2, 3, 70_000)];
    let report = carried_out(plan(vec![client("hello"); 4], flows, Pace::Closed { window: 1 }));
    let figures = &report.stages[0];
    assert_eq!((report.ready, report.failed, report.errors.len(), report.closes.len()), (4, 0, 0, 0));
    assert!(figures.arrived > 2);
    assert_eq!(figures.lost, 0);
    assert!(figures.arrived.abs_diff(figures.replies) <= 2);
    assert_eq!(figures.latency.iter().map(|(_, count)| count).sum::<u64>(), figures.arrived);
    assert!(report.cpu > 0 && report.measured >= 300_000_000);
}

#[test]
fn an_open_loop_sends_what_is_due_whatever_comes_back() {
    let report =
        carried_out(plan(vec![client("hello"); 2], vec![flow(0, 1, 10)], Pace::Open { rate: 1000.0 }));
    let figures = &report.stages[0];
    assert!(figures.sent >= 290, "it sent {}", figures.sent);
    assert_eq!((figures.lost, figures.left_out), (0, 0));
    assert_eq!(figures.lateness.iter().map(|(_, count)| count).sum::<u64>(), figures.sent);
}

#[test]
fn after_the_last_message_everybody_says_the_number_it_saw() {
    let mut limited = flow(0, 1, 10);
    limited.limit = Some(3);
    limited.epilogue = Some(message(vec![Part::Bytes(bytes("note ")), Part::Seen]));
    let mut plan = plan(vec![client("hello"); 2], vec![limited], Pace::Closed { window: 1 });
    plan.numbered = Some(b"xxxxxxxxxx".to_vec());
    let report = carried_out(plan);
    let mut noted: Vec<(&str, u64)> =
        report.errors.iter().map(|(why, count, ..)| (why.as_str(), *count)).collect();
    noted.sort_unstable();
    assert_eq!(noted, [("noted ", 1), ("noted 3", 1)], "the sender was told no number");
}

#[test]
fn clients_come_and_go() {
    let churning = Client { churns: Some(0), ..client("hello") };
    let report = carried_out(plan(vec![churning; 3], vec![], Pace::Churn { rate: None }));
    assert!(report.stages[0].arrived > 3);
    assert_eq!((report.ready, report.failed, report.errors.len()), (0, 0, 0));
}

#[test]
fn a_client_says_another_word_each_time_it_comes() {
    let mut churning = Client { churns: Some(0), ..client("hello") };
    churning.words = ["a", "b", "c"].map(bytes).to_vec();
    let said = message(vec![Part::Bytes(bytes("note ")), Part::Word]);
    churning.opening.insert(0, Step { send: Some(said), expect: bytes("noted c"), capture: None });
    let mut plan = plan(vec![churning], vec![], Pace::Churn { rate: None });
    plan.timing.measure = Duration::from_secs(1);
    let report = carried_out(plan);
    assert!(report.stages[0].arrived >= 1, "every third time it got in: {report:?}");
    let refused: Vec<&str> = report.errors.iter().map(|(why, ..)| why.as_str()).collect();
    assert_eq!(refused, ["noted a", "noted b"]);
}

#[test]
fn a_word_that_nobody_gave_is_refused() {
    let mut none = client("hello");
    none.opening[0].send = Some(message(vec![Part::Word]));
    let refused = Run::start(plan(vec![none], vec![], Pace::Closed { window: 1 })).err();
    assert_eq!(refused.expect("it breaks a rule").0, "client 0 says a word and has none");
}

#[test]
fn who_is_refused_is_told_with_the_reason() {
    let report = carried_out(plan(vec![client("hello"), client("what")], vec![], Pace::Churn { rate: None }));
    assert_eq!((report.ready, report.failed), (1, 1));
    assert_eq!(report.errors, [("unknown word".into(), 1, "error why=\"unknown word\"".into(), None)]);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let mut nowhere = plan(vec![client("hello")], vec![], Pace::Churn { rate: None });
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    nowhere.address = listener.local_addr().expect("it is bound");
    drop(listener);
    let report = carried_out(nowhere);
    assert_eq!((report.failed, report.errors[0].0.as_str()), (1, "connection refused"));
}

#[test]
fn a_run_ends_when_it_is_told_to() {
    let mut long = plan(vec![client("hello"); 2], vec![flow(0, 1, 10)], Pace::Closed { window: 1 });
    long.timing.measure = Duration::from_secs(3600);
    let mut run = Run::start(long).expect("the plan is sound");
    while run.progress().arrived == 0 {
        thread::yield_now();
    }
    run.stop();
    let report = run.finish().expect("it was started").expect("the kernel lets it");
    assert!(report.stopped);
    assert!(run.finish().is_none());
}

#[test]
fn rounds_wait_until_they_are_asked_for_and_each_has_figures_of_its_own() {
    let mut plan = plan(vec![client("hello"); 2], vec![flow(0, 1, 10)], Pace::Closed { window: 1 });
    plan.timing.rounds = true;
    let mut run = Run::start(plan).expect("the plan is sound");
    while run.progress().phase != Phase::Waiting {
        thread::yield_now();
    }
    assert_eq!((run.progress().sent, run.take_round().is_none()), (0, true));
    let mut arrived = 0;
    for _ in 0..2 {
        run.go();
        let round = loop {
            match run.take_round() {
                Some(round) => break round,
                None => thread::yield_now(),
            }
        };
        let figures = &round.stages[0];
        assert!(figures.in_time > 0 && round.measured >= 300_000_000);
        assert_eq!((round.ready, figures.lost), (2, 0), "everybody stayed");
        arrived += figures.arrived;
    }
    assert!(run.progress().arrived >= arrived, "warming up came on top");
    run.stop();
    let last = run.finish().expect("it was started").expect("the kernel lets it");
    assert_eq!(last.closes, []);
}

#[test]
fn a_client_that_is_sent_on_gets_in_there() {
    let mut sent = plan(vec![client("hello"); 2], vec![flow(0, 1, 10)], Pace::Closed { window: 1 });
    let relay = sent.address;
    sent.address = door(format!("the room is elsewhere: ws://{relay}/rooms ws://nowhere.invalid/"));
    sent.moved = Some(4001);
    let report = carried_out(sent);
    assert_eq!((report.ready, report.failed, report.errors.len()), (2, 0, 0));
    assert_eq!(report.moves, [(format!("ws://{relay}/rooms"), 2)]);
    assert!(report.stages[0].arrived > 0);
}

#[test]
fn each_coming_of_a_client_begins_at_home() {
    let mut sent =
        plan(vec![Client { churns: Some(0), ..client("hello") }; 2], vec![], Pace::Churn { rate: None });
    let relay = sent.address;
    sent.address = door(format!("ws://{relay}/"));
    sent.moved = Some(4001);
    let mut run = Run::start(sent).expect("the plan is sound");
    while run.progress().cycles < 4 {
        thread::yield_now();
    }
    run.stop();
    let report = run.finish().expect("it was started").expect("the kernel lets it");
    let [(_, moves)] = report.moves[..] else { panic!("there is one place: {:?}", report.moves) };
    assert!(moves >= 4, "{moves}");
    assert_eq!(report.errors, []);
}

#[test]
fn where_a_client_is_sent_in_vain_is_told() {
    let report_of = |reason: &str, moved: Option<u16>| {
        let mut sent = plan(vec![client("hello")], vec![], Pace::Closed { window: 1 });
        sent.address = door(reason.into());
        sent.moved = moved;
        let report = carried_out(sent);
        assert_eq!((report.ready, report.failed, report.errors.len()), (0, 1, 1));
        report.errors[0].0.clone()
    };
    assert_eq!(report_of("ws://{self}/", None), "closed with 4001");
    assert_eq!(report_of("draining", Some(4001)), "closed with 4001");
    let circles = report_of("ws://{self}/", Some(4001));
    assert!(circles.starts_with("sent on more than 4 times, at ws://127.0.0.1:"), "{circles}");
    let gone = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let url = format!("ws://{}/", gone.local_addr().expect("it is bound"));
    drop(gone);
    let refused = report_of(&url, Some(4001));
    assert_eq!(refused, format!("connection refused, at {url} where the server had sent it"));
    assert!(report_of("wss://127.0.0.1/", Some(4001)).contains("trusts no certificate"));
}

#[test]
fn a_plan_that_names_what_is_not_there_is_refused() {
    let refused = |plan: Plan| Run::start(plan).err().expect("it breaks a rule").0;
    let closed = Pace::Closed { window: 1 };
    assert!(refused(plan(vec![], vec![], closed)).contains("needs clients"));
    assert!(refused(plan(vec![client("hello")], vec![flow(0, 1, 1)], closed)).contains("flow 0"));
    assert!(refused(plan(vec![client("hello")], vec![], Pace::Open { rate: 0.0 })).contains("rate"));
    let churning = Client { churns: Some(0), ..client("hello") };
    assert!(refused(plan(vec![churning], vec![], closed)).contains("client 0"));
}
