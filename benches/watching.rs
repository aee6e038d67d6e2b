//! A day of 500 targets with two policies each: what watching them costs, beside what reading everything each minute
//! would cost, and what one call per target and metric would.
//!
//! The real runtime runs against the simulator in process. Money is counted by AWS's price list.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark reads the real clock and prints its figures"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::DateTime;
use evenkeel::app::settings;
use evenkeel::config::{Sources, load};
use evenkeel::domain::{PassReason, ScopeName};
use evenkeel::ports::{Clock, NoEvents, NoMemory, RequestLog};
use evenkeel::runtime::{Alerter, Board, Reconciler, VirtualClock, Watcher, nudger};
use evenkeel::sim::engine::Options;
use evenkeel::sim::scenario::Scenario;
use evenkeel::sim::{Door, Sandbox, to_instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const TARGETS: u32 = 500;
const MINUTES: u32 = 24 * 60;
/// Dollars per metric asked for, and per other call to CloudWatch.
const PRICE: f64 = 0.01 / 1000.0;
/// What a target publishes that is watched: two policies' metrics, and eleven signals.
const METRICS: u32 = 13;

#[derive(Debug, Default)]
struct Calls {
    calls: Mutex<BTreeMap<String, u32>>,
    billed: AtomicUsize,
}

impl RequestLog for Calls {
    fn request(&self, _service: &'static str, operation: &str, _outcome: &'static str) {
        let mut calls = self.calls.lock().expect("one thread");
        *calls.entry(operation.to_owned()).or_default() += 1;
    }

    fn metrics(&self, billed: usize) {
        self.billed.fetch_add(billed, Ordering::Relaxed);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(day());
}

async fn day() {
    let mut world = String::from("endpoints:\n");
    let mut config = String::from(
        "profiles:\n  p:\n    bounds: { min: 2, max: 12 }\n    policies:\n      \
         - target_tracking: { metric: invocations_per_instance, target: 300, scale_out_cooldown: 5m }\n      \
         - target_tracking: { metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: \
         Average }, target: 300 }\ntargets:\n",
    );
    for i in 0..TARGETS {
        // One in ten has a wave that it scales with; the others carry theirs.
        let high = if i % 10 == 0 { 1500 } else { 480 };
        writeln!(
            world,
            "  - {{ name: e{i:03}, traffic: {{ daily: {{ low: 300, high: {high}, peak_at: '14:00' }} }}, variants: \
             [{{ name: v, instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }}] }}"
        )
        .expect("text");
        writeln!(
            config,
            "  - {{ endpoint: e{i:03}, variant: v, profile: p }}"
        )
        .expect("text");
    }
    let epoch = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(epoch));
    let engine = Scenario::parse(&world)
        .expect("a world")
        .build(&Options::default(), 1, to_instant(epoch))
        .expect("a world");
    let sandbox = Arc::new(Sandbox::new(engine, Arc::clone(&clock)));
    let calls = Arc::new(Calls::default());
    let ports = Door::new(sandbox, calls.clone()).ports();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("evenkeel.yaml");
    std::fs::write(&path, config).expect("a file");
    let config = load(&Sources {
        path,
        variables: Vec::new(),
    })
    .expect("a config");
    let scope: ScopeName = "default".parse().expect("a name");
    let (_keep, settings) = watch::channel(Arc::new(settings(&config, epoch)));
    let mode = settings.borrow().mode;
    let board = Arc::new(Board::new(epoch, mode, [scope.clone()]));
    let events = Arc::new(NoEvents);
    let (nudge, _nudges) = nudger();
    let mut reconciler = Reconciler::new(
        scope.clone(),
        ports.clone(),
        Arc::clone(&clock),
        events.clone(),
        settings.clone(),
        Arc::clone(&board),
    );
    let mut watcher = Watcher::new(
        scope.clone(),
        ports,
        Arc::clone(&clock),
        events.clone(),
        settings.clone(),
        Arc::clone(&board),
        nudge,
    );
    let memory = Arc::new(NoMemory);
    let mut alerter = Alerter::new(
        Arc::clone(&clock),
        events,
        Arc::clone(&board),
        settings,
        memory,
    );
    let began = Instant::now();
    let stop = CancellationToken::new();
    let (mut interesting, mut looks) = (0_usize, Duration::ZERO);
    for _ in 0..MINUTES {
        reconciler.pass(PassReason::Interval, &stop).await;
        let look = Instant::now();
        watcher.look().await;
        looks += look.elapsed();
        alerter.look();
        let fleet = board.current();
        let held = fleet.scopes.get(&scope).expect("the scope");
        interesting += held.watch.interesting.len();
        clock.sleep(Duration::from_mins(1)).await;
    }
    let took = began.elapsed();
    let mean = f64::from(u32::try_from(interesting).unwrap_or(u32::MAX)) / f64::from(MINUTES);
    report(&calls, mean, took, looks);
}

fn report(calls: &Calls, mean: f64, took: Duration, looks: Duration) {
    let all = calls.calls.lock().expect("one thread").clone();
    let count = |operation: &str| all.get(operation).copied().unwrap_or_default();
    let billed = u32::try_from(calls.billed.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
    let alarms = count("DescribeAlarms");
    println!(
        "a day of {TARGETS} targets, simulated in {:.0} s ({:.0} s of it looking)",
        took.as_secs_f64(),
        looks.as_secs_f64()
    );
    println!("  watched each minute: {mean:.1} targets in the mean");
    for (operation, n) in &all {
        println!("  {operation:<32} {n:>9} calls");
    }
    let everything = TARGETS * METRICS * MINUTES;
    let policies = TARGETS * 2 * MINUTES;
    println!(
        "{:<52} {:>10} {:>12} {:>14}",
        "", "calls", "dollars/day", "a target-month"
    );
    show("evenkeel: metrics", count("GetMetricData"), billed);
    show(
        "evenkeel: lists of alarms, by looks and passes",
        alarms,
        alarms,
    );
    show(
        "each minute, the policies' metrics, in batches",
        MINUTES * 2,
        policies,
    );
    show(
        "each minute, everything, in batches of 500",
        MINUTES * (TARGETS * METRICS).div_ceil(500),
        everything,
    );
    show(
        "each minute, everything, a call per target and metric",
        everything,
        everything,
    );
}

fn show(what: &str, calls: u32, billed: u32) {
    let dollars = f64::from(billed) * PRICE;
    let monthly = dollars * 30.4375 / f64::from(TARGETS);
    println!("{what:<52} {calls:>10} {dollars:>12.2} {monthly:>14.3}");
}
