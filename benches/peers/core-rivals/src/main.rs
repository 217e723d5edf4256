//! The native core beside foca and chitchat, through their public API, in one process and by turns.
//!
//! Prints one JSON line for each figure: nanoseconds for one operation, the median of the rounds.

mod chitchat_rival;
mod foca_rival;
mod ours;

use std::time::Instant;

use palaver_core::MembershipTable;

/// So many members do both sides know.
const MEMBERS: usize = 10_000;
const ROUNDS: usize = 9;
/// A thirty-second part of a million fills its hash table as a million does, and is signed in seconds.
const SIGNED: usize = 31_250;

/// One side of a comparison: does `operations` of them.
type Side<'a> = (&'a str, usize, Box<dyn FnMut(usize) + 'a>);

/// Runs all sides by turns, so that whatever slows the machine down slows all of them down.
fn compare(row: &str, mut sides: Vec<Side<'_>>) {
    let mut spent: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
    for _ in 0..=ROUNDS {
        for ((_, operations, run), spent) in sides.iter_mut().zip(&mut spent) {
            let start = Instant::now();
            run(*operations);
            spent.push(start.elapsed().as_nanos() as f64 / *operations as f64);
        }
    }
    for ((who, _, _), spent) in sides.iter().zip(&mut spent) {
        let warm = &mut spent[1..];
        warm.sort_unstable_by(f64::total_cmp);
        println!(
            "{{\"row\":\"{row}\",\"who\":\"{who}\",\"ns\":{:.2}}}",
            warm[warm.len() / 2]
        );
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("signed") {
        return memory("signed", SIGNED, ours::signed_table); // in a process of its own, whose heap nobody has used before
    }
    let (mut table, mut foca, mut chitchat) = (
        ours::Table::new(),
        foca_rival::Table::new(),
        chitchat_rival::Table::new(),
    );
    compare(
        "merge unchanged",
        vec![
            ("palaver", 200_000, Box::new(|n| table.merge_unchanged(n))),
            ("foca", 4_000, Box::new(|n| foca.merge_unchanged(n))),
            (
                "chitchat",
                100_000,
                Box::new(|n| chitchat.merge_unchanged(n)),
            ),
        ],
    );
    compare(
        "merge newer and queue",
        vec![
            ("palaver", 100_000, Box::new(|n| table.merge_newer(n))),
            ("foca", 4_000, Box::new(|n| foca.merge_newer(n))),
            ("chitchat", 50_000, Box::new(|n| chitchat.merge_newer(n))),
        ],
    );
    let mut ingest = ours::Ingest::new();
    compare(
        "ingest unchanged",
        vec![("palaver", 200_000, Box::new(|n| ingest.unchanged(n)))],
    );
    compare(
        "ingest newer and queue",
        vec![("palaver", 100_000, Box::new(|n| ingest.newer(n)))],
    );
    memory("a million", 1_000_000, ours::table);
}

/// What the table takes that `make` makes.
fn memory(of: &str, members: usize, make: fn(usize) -> MembershipTable) {
    let bytes = ours::memory_of(make, members);
    println!("{{\"row\":\"memory of {of}\",\"who\":\"palaver\",\"bytes\":{bytes}}}");
}
