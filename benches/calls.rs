//! What a scope of 500 targets with two policies each costs: calls of a pass, writes, and the time of a plan.
//!
//! The real reconciler runs against the simulator in process, on a clock that is turned.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark reads the real clock and prints its figures"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::DateTime;
use evenkeel::app::settings;
use evenkeel::config::{Sources, load};
use evenkeel::domain::{PassReason, ScopeName, plan};
use evenkeel::ports::{Clock, NoEvents, RequestLog};
use evenkeel::runtime::{Board, Observer, Reconciler, Settings, VirtualClock};
use evenkeel::sim::engine::Options;
use evenkeel::sim::scenario::Scenario;
use evenkeel::sim::{Door, Sandbox, to_instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const TARGETS: usize = 500;

#[derive(Debug, Default)]
struct Calls(Mutex<BTreeMap<String, usize>>);

impl RequestLog for Calls {
    fn request(&self, _service: &'static str, operation: &str, _outcome: &'static str) {
        let mut calls = self.0.lock().expect("one thread");
        *calls.entry(operation.to_owned()).or_default() += 1;
    }

    fn metrics(&self, _billed: usize) {}
}

impl Calls {
    fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.0.lock().expect("one thread"))
    }
}

fn show(what: &str, calls: &BTreeMap<String, usize>, passes: usize) {
    let total: usize = calls.values().sum();
    let each: Vec<String> = calls
        .iter()
        .map(|(operation, n)| format!("{operation} {}", n.div_ceil(passes)))
        .collect();
    let mean = total.div_ceil(passes);
    println!(
        "  {what:<44} {mean:>5} calls a pass   ({})",
        each.join(", ")
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let schedules = |runner: &str| {
        format!(
            "    schedules:\n      \
             - {{ name: up, cron: '0 8 ? * MON-FRI *', timezone: UTC, bounds: {{ max: 4 }}, runner: {runner} }}\n      \
             - {{ name: down, cron: '0 20 * * ? *', timezone: UTC, bounds: {{ min: 1, max: 4 }}, runner: {runner} }}\n"
        )
    };
    runtime.block_on(run("no schedules", "", 3));
    runtime.block_on(run("2 schedules by daemon", &schedules("daemon"), 3));
    runtime.block_on(run("2 schedules by aws", &schedules("aws"), 5));
}

/// `writes` is how many a target takes to make everything.
async fn run(what: &str, schedules: &str, writes_each: usize) {
    let mut world = String::from("endpoints:\n");
    let mut config = String::from(
        "profiles:\n  realtime:\n    bounds: { min: 1, max: 4 }\n    policies:\n      \
         - target_tracking: { metric: invocations_per_instance, target: 70 }\n      \
         - target_tracking: { metric: concurrent_requests_per_model, target: 5 }\n",
    );
    config.push_str(schedules);
    config.push_str("targets:\n");
    for i in 0..TARGETS {
        writeln!(
            world,
            "  - {{ name: e{i:03}, variants: [{{ name: v, instance_type: ml.m5.large, instances: 1 }}] }}"
        )
        .expect("text");
        writeln!(
            config,
            "  - {{ endpoint: e{i:03}, variant: v, profile: realtime }}"
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
    let variables = Vec::new();
    let config = load(&Sources { path, variables }).expect("a config");
    let settings: Arc<Settings> = Arc::new(settings(&config, epoch));
    let scope: ScopeName = "default".parse().expect("a name");
    let fleet = settings.fleets.get(&scope).expect("a fleet").clone();
    let (_keep, receiver) = watch::channel(Arc::clone(&settings));
    let board = Arc::new(Board::new(epoch, settings.mode, [scope.clone()]));
    let mut reconciler = Reconciler::new(
        scope,
        ports.clone(),
        Arc::clone(&clock),
        Arc::new(NoEvents),
        receiver,
        board,
    );
    let stop = CancellationToken::new();

    println!("{TARGETS} targets with 2 policies and {what} each in one scope");
    let first = reconciler.pass(PassReason::Start, &stop).await;
    show("the first pass, which makes everything", &calls.take(), 1);
    assert_eq!((first.done, first.failed), (writes_each * TARGETS, 0));
    reconciler.pass(PassReason::ReadBack, &stop).await;
    show("a converged full pass", &calls.take(), 1);
    let mut writes = 0;
    let started = Instant::now();
    for _ in 0..100 {
        clock.sleep(Duration::from_mins(1)).await;
        writes += reconciler.pass(PassReason::Interval, &stop).await.done;
    }
    let each = started.elapsed().as_secs_f64() * 1e3 / 100.0;
    show("the mean of 100 passes, one a minute", &calls.take(), 100);
    println!("  writes in these 100 passes: {writes}; {each:.1} ms each, with the simulated AWS");

    let observed = Observer::new(ports).observe(&fleet, clock.now()).await;
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let started = Instant::now();
            black_box(plan(
                black_box(&fleet),
                black_box(&observed.observed),
                clock.now(),
            ));
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "  a plan: {:.2} ms (median of 21)",
        times.get(10).copied().unwrap_or_default()
    );
}
