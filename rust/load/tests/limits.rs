//! Runs against a server that refuses: notifications without a word, requests with a reason and a time to wait.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use palaver_load::{Client, Flow, Inquiry, Message, Pace, Part, Plan, Report, Run, Stage, Step, Timing};
use tungstenite::Message as Frame;

/// `hello` is answered by `welcome`, `fence` by `fenced`. Of `note N` the first three come back as `got N`, the others vanish; of
/// `ask N` every third does, the others are refused.
fn stingy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accepting works");
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(stream: TcpStream) {
    let mut socket = tungstenite::accept(stream).expect("it upgrades");
    let (mut notes, mut asked) = (0, 0);
    while let Ok(Frame::Text(text)) = socket.read() {
        let words: Vec<&str> = text.split(' ').collect();
        let answer = match words[..] {
            ["hello"] => "welcome".into(),
            ["fence"] => "fenced".into(),
            ["note", number] => {
                notes += 1;
                if notes > 3 {
                    continue;
                }
                format!("got {number}")
            }
            ["ask", number] => {
                asked += 1;
                if asked % 3 == 0 {
                    format!("got {number}")
                } else {
                    format!("error why=\"slow\" number={number}, after=5,")
                }
            }
            _ => return,
        };
        if socket.send(Frame::text(answer)).is_err() {
            return;
        }
    }
}

fn bytes(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

fn says(text: &str) -> Message {
    Message { parts: vec![Part::Bytes(bytes(text))], binary: false }
}

fn numbered(word: &str) -> Message {
    Message { parts: vec![Part::Bytes(bytes(word)), Part::Number], binary: false }
}

/// A client that gets its own messages back.
fn carried_out(first: &str, requests: Vec<Message>, burst: u32, pace: Pace) -> Report {
    let address = stingy();
    let client = Client {
        target: Arc::from("/"),
        headers: Arc::from(""),
        opening: vec![Step { send: Some(says("hello")), expect: bytes("welcome"), capture: None }],
        goodbye: None,
        source: None,
        reads: true,
        words: Vec::new(),
        churns: None,
    };
    let flow = Flow {
        stage: 0,
        sender: 0,
        receivers: vec![0],
        messages: vec![numbered(first)],
        prologue: None,
        epilogue: None,
        arrival: bytes("got"),
        reply: None,
        burst,
        limit: None,
        inquiry: Some(Inquiry { fence: says("fence"), fenced: bytes("fenced"), requests }),
    };
    let plan = Plan {
        address,
        host: address.to_string(),
        tls: None,
        clients: vec![client],
        stages: vec![Stage { name: "notes".into(), pace }],
        flows: vec![flow],
        connecting: 1,
        error: b"error".to_vec(),
        reason: b"why=\"".to_vec(),
        refused: b"number=".to_vec(),
        after: b"after=".to_vec(),
        moved: None,
        keepalive: None,
        numbered: None,
        timing: Timing {
            connect: Duration::from_secs(10),
            settle: Duration::from_millis(10),
            warm_up: Duration::ZERO,
            measure: Duration::from_millis(1000),
            drain: Duration::from_secs(5),
            rounds: false,
        },
    };
    let mut run = Run::start(plan).expect("the plan is sound");
    run.finish().expect("it was started").expect("the kernel lets it")
}

#[test]
fn a_closed_loop_goes_on_with_requests_once_a_notification_was_lost() {
    let report = carried_out("note ", vec![numbered("ask ")], 1, Pace::Closed { window: 1 });
    let stage = &report.stages[0];
    assert_eq!((stage.lost, stage.undrained), (1, 0), "the fourth notification vanished");
    let (since, arrived) = stage.limited.expect("it was");
    assert!(since >= 200_000_000 && arrived >= 2 && arrived <= stage.in_time, "{stage:?}");
    assert!(stage.refused.abs_diff(2 * arrived) <= 2, "two of three requests were refused: {stage:?}");
    let [(why, count, _, after)] = &report.errors[..] else { panic!("one reason: {:?}", report.errors) };
    assert_eq!((why.as_str(), *count, *after), ("slow", stage.refused, Some(5)));
}

#[test]
fn a_closed_loop_waits_as_long_as_its_refusals_say_together() {
    let report = carried_out("ask ", vec![], 3, Pace::Closed { window: 1 });
    let stage = &report.stages[0];
    assert_eq!((stage.lost, stage.undrained), (0, 0));
    assert!(stage.refused.abs_diff(2 * stage.arrived) <= 2, "two of each burst were refused: {stage:?}");
    assert!(stage.sent <= 3 * (1000 / 10 + 1), "each burst was followed by 10 ms: {stage:?}");
}

#[test]
fn an_open_loop_does_not_wait_and_is_told_too() {
    let report = carried_out("note ", vec![numbered("ask ")], 1, Pace::Open { rate: 100.0 });
    let stage = &report.stages[0];
    assert!(stage.sent >= 90, "{stage:?}");
    assert!(stage.lost >= 20 && stage.refused >= 10, "{stage:?}");
    assert_eq!(stage.undrained, 0);
    // What was sent just before measuring began is lost within it.
    assert!(stage.sent.abs_diff(stage.arrived + stage.refused + stage.lost) <= 3, "{stage:?}");
}
