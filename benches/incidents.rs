//! How soon and how surely alerts find what is wrong: the labelled set of incidents, each let happen, and what was told
//! held against what should have been.
//!
//! The tests run each incident with one seed, and what alerts wait for was chosen looking at that; here each runs
//! with others too. Times are simulated; "after AWS" counts from when AWS itself shows it: an alarm's state, an
//! activity's end.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures"
)]

#[expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "shared with the tests, which use all of it and may panic"
)]
#[path = "../tests/integration/world/mod.rs"]
mod world;

#[expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shared with the tests, which use all of it and may panic"
)]
#[path = "../tests/integration/incidents/mod.rs"]
mod incidents;

use std::collections::BTreeMap;

use evenkeel::domain::AlertKind;
use incidents::{incidents, judge, run};

/// Added to each incident's own: the tests' noise, and four others.
const SEEDS: [u64; 5] = [0, 100, 200, 300, 400];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let all: Vec<_> = SEEDS
        .into_iter()
        .flat_map(|offset| {
            incidents()
                .into_iter()
                .map(move |incident| incidents::Incident {
                    seed: incident.seed + offset,
                    ..incident
                })
        })
        .collect();
    let mut delays: BTreeMap<AlertKind, Vec<(f64, f64)>> = BTreeMap::new();
    let (mut found, mut missed, mut false_alarms, mut flapped) = (0, 0, 0, 0);
    println!("{:<52} {:>24}  minutes after its cause", "incident", "told");
    for incident in &all {
        let told = runtime.block_on(run(incident));
        let verdict = judge(incident, &told);
        for (kind, after_cause, after_aws) in &verdict.found {
            println!("{:<52} {kind:>24}  {after_cause:.2}", incident.name);
            delays
                .entry(*kind)
                .or_default()
                .push((*after_cause, *after_aws));
        }
        for kind in &verdict.missed {
            println!("{:<52} {kind:>24}  MISSED", incident.name);
        }
        for kind in &verdict.false_alarms {
            println!("{:<52} {kind:>24}  FALSE", incident.name);
        }
        for kind in &verdict.flapped {
            println!("{:<52} {kind:>24}  TWICE", incident.name);
        }
        if incident.expected.is_empty() && verdict.false_alarms.is_empty() {
            println!("{:<52} {:>24}", incident.name, "-");
        }
        found += verdict.found.len();
        missed += verdict.missed.len();
        false_alarms += verdict.false_alarms.len();
        flapped += verdict.flapped.len();
    }
    println!(
        "\n{:<24} {:>5} {:>22} {:>22}",
        "alert", "found", "after its cause, min", "after AWS, min"
    );
    for (kind, all) in &delays {
        let worst = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).fold(0.0, f64::max);
        let mean = |of: fn(&(f64, f64)) -> f64| {
            let sum: f64 = all.iter().map(of).sum();
            sum / all.iter().fold(0.0, |n, _| n + 1.0)
        };
        println!(
            "{kind:<24} {:>5} {:>10.1} (most {:>4.1}) {:>10.1} (most {:>4.1})",
            all.len(),
            mean(|d| d.0),
            worst(|d| d.0),
            mean(|d| d.1),
            worst(|d| d.1),
        );
    }
    let share = |part: usize, rest: usize| {
        let whole = part + rest;
        if whole == 0 {
            "-".to_owned()
        } else {
            format!("{:.1} %", percent(part, whole))
        }
    };
    let quiet = all.iter().filter(|i| i.expected.is_empty()).count();
    println!(
        "\n{} incidents, {quiet} of them with nothing to tell: recall {}, precision {}, {flapped} told twice",
        all.len(),
        share(found, missed),
        share(found, false_alarms),
    );
}

fn percent(part: usize, whole: usize) -> f64 {
    let number = |n: usize| u32::try_from(n).map_or(f64::NAN, f64::from);
    number(part) / number(whole) * 100.0
}
