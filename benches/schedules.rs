//! What schedules cost: the effective bounds of 10,000 targets, and 500 targets that are due at one instant.
//!
//! The real reconciler runs against the simulator in process: what is timed is ours and the simulator's, without a
//! network and without AWS's own limits.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark reads the real clock and prints its figures"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel::app::settings;
use evenkeel::config::{Config, Sources, load};
use evenkeel::domain::{PassReason, ScheduleOutcome, ScopeName, effective_bounds, lint_schedules};
use evenkeel::ports::{Clock, Event, EventSink, NoRequestLog};
use evenkeel::runtime::{Board, Reconciler, Task, VirtualClock};
use evenkeel::sim::engine::Options;
use evenkeel::sim::scenario::Scenario;
use evenkeel::sim::{Door, Sandbox, to_instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const DUE: usize = 500;
const MANY: usize = 10_000;

/// When each change was written, by the real clock.
#[derive(Debug, Default)]
struct Written(Mutex<Vec<Instant>>);

impl EventSink for Written {
    fn emit(&self, event: &Event<'_>) {
        if let Event::Scheduled { run, .. } = event {
            assert_eq!(run.outcome, ScheduleOutcome::Applied);
            self.0.lock().expect("one thread").push(Instant::now());
        }
    }
}

fn config(targets: usize) -> Config {
    let mut text = String::from(
        "profiles:\n  office:\n    bounds: { min: 1, max: 4 }\n    schedules:\n      \
         - { name: up, cron: '0 8 ? * MON-FRI *', timezone: Europe/Berlin, bounds: { min: 2, max: 8 } }\n      \
         - { name: down, cron: '0 20 * * ? *', timezone: Europe/Berlin, bounds: { min: 1, max: 4 } }\n      \
         - { name: lunch, window: { from: '12:00', until: '13:00', days: [MON, TUE] },\n          \
         timezone: America/New_York, bounds: { min: 3 } }\ntargets:\n",
    );
    for i in 0..targets {
        writeln!(
            text,
            "  - {{ endpoint: e{i:05}, variant: v, profile: office }}"
        )
        .expect("text");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("evenkeel.yaml");
    std::fs::write(&path, text).expect("a file");
    let variables = Vec::new();
    load(&Sources { path, variables }).expect("a config")
}

fn main() {
    let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().expect("a time");
    evaluate(now);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(fire(now));
}

/// The median of some runs, in milliseconds.
fn median(run: impl Fn()) -> f64 {
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(5).copied().unwrap_or_default()
}

fn evaluate(now: DateTime<Utc>) {
    let config = config(MANY);
    let targets = || {
        config
            .scopes
            .values()
            .flat_map(|(_, fleet)| fleet.targets.values())
    };
    println!("{MANY} targets with 2 schedules and a window each (medians of 11)");
    let bounds = median(|| {
        for target in targets() {
            black_box(effective_bounds(black_box(target), None, now));
        }
    });
    println!("  effective bounds     {bounds:>9.1} ms");
    let next = median(|| {
        for target in targets() {
            black_box(black_box(target).next_change(now));
        }
    });
    println!("  next change          {next:>9.1} ms");
    let lint = median(|| {
        for target in targets().take(100) {
            black_box(lint_schedules(black_box(target), now));
        }
    });
    println!("  findings, of 100     {lint:>9.1} ms");
}

async fn fire(now: DateTime<Utc>) {
    // A minute before Monday's 08:00 in Berlin.
    let epoch = now + TimeDelta::hours(18) + TimeDelta::minutes(59);
    let mut world = String::from("endpoints:\n");
    for i in 0..DUE {
        writeln!(
            world,
            "  - {{ name: e{i:05}, variants: [{{ name: v, instance_type: ml.m5.large, instances: 2 }}] }}"
        )
        .expect("text");
    }
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(epoch));
    let engine = Scenario::parse(&world)
        .expect("a world")
        .build(&Options::default(), 1, to_instant(epoch))
        .expect("a world");
    let sandbox = Arc::new(Sandbox::new(engine, Arc::clone(&clock)));
    let ports = Door::new(sandbox, Arc::new(NoRequestLog)).ports();
    let settings = Arc::new(settings(&config(DUE), epoch));
    let scope: ScopeName = "default".parse().expect("a name");
    let (_keep, receiver) = watch::channel(Arc::clone(&settings));
    let board = Arc::new(Board::new(epoch, settings.mode, [scope.clone()]));
    let written = Arc::new(Written::default());
    let mut reconciler = Reconciler::new(
        scope,
        ports,
        Arc::clone(&clock),
        written.clone(),
        receiver,
        board,
    );
    let stop = CancellationToken::new();
    reconciler.pass(PassReason::Start, &stop).await;
    reconciler.pass(PassReason::ReadBack, &stop).await;
    clock.sleep(Duration::from_mins(1)).await;
    let started = Instant::now();
    reconciler.activate(PassReason::Due, &stop).await;
    let late = |at: &Instant| at.duration_since(started).as_secs_f64() * 1e3;
    let at = written.0.lock().expect("one thread");
    assert_eq!(at.len(), DUE);
    println!("{DUE} targets due at one instant, in process, without a network");
    println!(
        "  the first is written after {:>9.1} ms",
        at.first().map_or(0.0, late)
    );
    println!(
        "  the last is written after  {:>9.1} ms",
        at.last().map_or(0.0, late)
    );
}
