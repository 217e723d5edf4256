//! Checks the promises over random histories: `palaver-soak [COUNT] [FIRST]`. Prints each seed that broke one.

use std::io::IsTerminal;
use std::process::ExitCode;

use palaver_sim::promises::check;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Ok(count), Ok(first)) = (numbers.next().unwrap_or(Ok(10_000)), numbers.next().unwrap_or(Ok(0)))
    else {
        eprintln!(
            "usage: palaver-soak [COUNT] [FIRST]: how many histories, and the seed of the first; 10000 and 0"
        );
        return ExitCode::FAILURE;
    };
    let watched = std::io::stderr().is_terminal();
    let mut broken = 0_u64;
    for done in 0..count {
        if let Err(what) = check(first.saturating_add(done), |_| {}) {
            broken += 1;
            println!("{what}");
        }
        if watched && (done + 1) % 10 == 0 {
            eprint!("\r{} of {count} histories, {broken} broke a promise ", done + 1);
        }
    }
    if watched {
        eprintln!();
    }
    println!("{broken} of {count} histories broke a promise");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
