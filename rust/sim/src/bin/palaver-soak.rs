//! Checks the promises over random histories: `palaver-soak [COUNT] [FIRST]`. Prints each seed that broke one.

use std::process::ExitCode;

use palaver_sim::promises::check;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Ok(count), Ok(first)) = (numbers.next().unwrap_or(Ok(10_000)), numbers.next().unwrap_or(Ok(0)))
    else {
        eprintln!("palaver-soak: count and first seed are whole numbers");
        return ExitCode::FAILURE;
    };
    let mut broken = 0_u64;
    for seed in first..first.saturating_add(count) {
        if let Err(what) = check(seed, |_| {}) {
            broken += 1;
            println!("{what}");
        }
    }
    println!("{broken} of {count} histories broke a promise");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
