//! A whole deployment in one process: a simulated AWS, a config, and the runtime, all on a clock that the test turns.

mod faults;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel::app::settings;
use evenkeel::config::{Sources, load};
use evenkeel::domain::{FleetSnapshot, PassReason, PassSummary, ScopeName};
use evenkeel::ports::{
    AlertMemory, Clock, Event, EventSink, Heartbeats, NoMemory, RequestLog, ScopePorts,
};
use evenkeel::runtime::{
    Alerter, Board, Pace, Reconciler, Settings, SystemClock, VirtualClock, Watcher, drive, nudger,
};
use evenkeel::sim::engine::api;
use evenkeel::sim::engine::{Options, Shape, Traffic, World as Engine};
use evenkeel::sim::scenario::Scenario;
use evenkeel::sim::wire::{Service, call};
use evenkeel::sim::{Door, Sandbox, SandboxClock, to_instant};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use faults::Faults;

/// Monday, 2026-11-23, 06:00 UTC.
pub const EPOCH: i64 = 1_795_413_600;

/// Events in words, for tests to look through.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The last that is worth reading: passes that found nothing to do are not.
    pub fn told(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line != "pass: converged");
        lines.split_off(lines.len().saturating_sub(40))
    }

    pub fn count(&self, part: &str) -> usize {
        self.lines()
            .iter()
            .filter(|line| line.contains(part))
            .count()
    }
}

impl EventSink for Recorder {
    fn emit(&self, event: &Event<'_>) {
        let line = match event {
            Event::Unseen { gap, .. } => format!("unseen: {}: {}", gap.part, gap.why),
            Event::Drift {
                target,
                action,
                was_converged,
                ..
            } => {
                format!(
                    "drift: {target}: {} was_converged={was_converged}",
                    action.reason.label()
                )
            }
            Event::Scheduled { target, run, .. } => format!(
                "scheduled: {target}: {} {} after {}",
                run.due.format("%H:%M"),
                run.outcome.label(),
                run.late().num_seconds()
            ),
            Event::Done {
                target,
                action,
                mends,
                ..
            } => {
                format!("done: {target}: {} mends={mends}", action.change.label())
            }
            Event::Failed { target, error, .. } => format!("failed: {target}: {error}"),
            Event::Settled {
                target, verdict, ..
            } => format!("settled: {target}: {}", verdict.label()),
            Event::Refused { violations, .. } => format!("refused: {violations:?}"),
            Event::Conflict {
                target, conflict, ..
            } => {
                format!("conflict: {target}: {} corrections", conflict.corrections)
            }
            Event::CapacityReset { target, reset, .. } => {
                format!("capacity reset: {target}: {} to {}", reset.from, reset.to)
            }
            Event::Asked { target, .. } => format!("asked: {target}"),
            Event::LeaseOverdue { target, .. } => format!("lease overdue: {target}"),
            Event::PassEnded { summary, .. } => format!("pass: {}", summary.outcome.label()),
            Event::Scaling { activity, .. } => {
                format!(
                    "scaling: {}: {} {}",
                    activity.target,
                    activity.description,
                    activity.status.label()
                )
            }
            Event::WatchFailed { error, .. } => format!("watch failed: {error}"),
            Event::Sent {
                receiver, problem, ..
            } => format!("sent: {receiver}: {problem:?}"),
            Event::Alert { key, alert, .. } => format!(
                "alert: {}: {} {}: {} [{}]",
                key.subject,
                key.kind,
                alert.state.label(),
                alert.reason,
                alert.cause.as_deref().unwrap_or_default()
            ),
            Event::Dropped { receiver, .. } => format!("dropped: {receiver}"),
            Event::WatchSkipped { queries, .. } => format!("skipped: {queries} queries"),
            Event::Reloaded { problem } => format!("reloaded: {problem:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

/// Counts requests by operation, and the metrics that are billed.
#[derive(Debug, Default)]
pub struct Requests {
    calls: Mutex<BTreeMap<String, usize>>,
    billed: AtomicUsize,
}

impl Requests {
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Metrics that were billed since the last time.
    pub fn take_billed(&self) -> usize {
        self.billed.swap(0, Ordering::SeqCst)
    }
}

impl RequestLog for Requests {
    fn request(&self, _service: &'static str, operation: &str, _outcome: &'static str) {
        *self
            .calls
            .lock()
            .unwrap()
            .entry(operation.to_owned())
            .or_default() += 1;
    }

    fn metrics(&self, billed: usize) {
        self.billed.fetch_add(billed, Ordering::SeqCst);
    }
}

pub struct World {
    pub sandbox: Arc<Sandbox>,
    pub clock: Arc<dyn Clock>,
    pub events: Arc<Recorder>,
    pub requests: Arc<Requests>,
    pub faults: Arc<Faults>,
    pub board: Arc<Board>,
    pub settings: watch::Sender<Arc<Settings>>,
    pub memory: Arc<dyn AlertMemory>,
    ports: ScopePorts,
}

pub fn scope() -> ScopeName {
    "default".parse().unwrap()
}

/// Reads a config as the daemon would, from a file.
pub fn config(text: &str, now: DateTime<Utc>) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evenkeel.yaml");
    std::fs::write(&path, text).unwrap();
    settings(
        &load(&Sources {
            path,
            variables: Vec::new(),
        })
        .unwrap(),
        now,
    )
}

impl World {
    /// A deployment of `config` on the world file `world`. Needs a paused runtime.
    pub fn new(world: &str, config_text: &str) -> Self {
        Self::seeded(1, world, config_text)
    }

    pub fn seeded(seed: u64, world: &str, config_text: &str) -> Self {
        Self::with_options(seed, &Options::default(), world, config_text)
    }

    pub fn with_options(seed: u64, options: &Options, world: &str, config_text: &str) -> Self {
        let epoch = DateTime::from_timestamp(EPOCH, 0).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(epoch));
        let engine = Scenario::parse(world)
            .unwrap()
            .build(options, seed, to_instant(epoch))
            .unwrap();
        let sandbox = Arc::new(Sandbox::new(engine, Arc::clone(&clock)));
        let requests = Arc::new(Requests::default());
        let door = Door::new(Arc::clone(&sandbox), requests.clone());
        let faults = Arc::new(Faults::new(door));
        let settings = config(config_text, epoch);
        let board = Arc::new(Board::new(epoch, settings.mode, [scope()]));
        let ports = faults.ports();
        Self {
            sandbox,
            clock,
            events: Arc::default(),
            requests,
            faults,
            board,
            settings: watch::Sender::new(Arc::new(settings)),
            memory: Arc::new(NoMemory),
            ports,
        }
    }

    /// A reconciler as a fresh process would have it.
    pub fn reconciler(&self) -> Reconciler {
        Reconciler::new(
            scope(),
            self.ports.clone(),
            Arc::clone(&self.clock),
            self.events.clone(),
            self.settings.subscribe(),
            Arc::clone(&self.board),
        )
    }

    /// One pass of a fresh process.
    pub async fn pass(&self) -> PassSummary {
        self.reconciler()
            .pass(PassReason::Once, &CancellationToken::new())
            .await
    }

    pub fn reload(&self, config_text: &str) {
        self.settings
            .send_replace(Arc::new(config(config_text, self.clock.now())));
    }

    /// Runs the whole daemon for a while.
    pub async fn run_for(&self, duration: Duration) {
        let stop = CancellationToken::new();
        let (nudge, nudges) = nudger();
        let (_, no_nudges) = nudger();
        let watcher = Watcher::new(
            scope(),
            self.ports.clone(),
            Arc::clone(&self.clock),
            self.events.clone(),
            self.settings.subscribe(),
            Arc::clone(&self.board),
            nudge,
        );
        let heartbeats = Arc::new(Heartbeats::default());
        let pace = |seed| Pace {
            clock: Arc::clone(&self.clock),
            heartbeats: Arc::clone(&heartbeats),
            seed,
            patience: Duration::from_mins(1),
        };
        let passes = drive(self.reconciler(), nudges, pace(1), stop.clone());
        let looks = drive(watcher, no_nudges, pace(2), stop.clone());
        let events = self.events.clone();
        let alerter = Alerter::new(
            Arc::clone(&self.clock),
            events,
            Arc::clone(&self.board),
            self.settings.subscribe(),
            Arc::clone(&self.memory),
        );
        let (_, none) = nudger();
        let alerts = drive(alerter, none, pace(3), stop.clone());
        let clock = Arc::clone(&self.clock);
        let end = async {
            clock.sleep(duration).await;
            stop.cancel();
        };
        tokio::join!(passes, looks, alerts, end);
    }

    /// Whoever starts now knows nothing of before.
    pub fn forget(&mut self) {
        let mode = self.settings.borrow().mode;
        self.board = Arc::new(Board::new(self.clock.now(), mode, [scope()]));
    }

    pub fn snapshot(&self) -> Arc<FleetSnapshot> {
        self.board.current()
    }

    /// Does something with the simulated AWS behind evenkeel's back.
    pub fn aws<T>(&self, act: impl FnOnce(&mut Engine) -> T) -> T {
        self.sandbox.with(act)
    }

    /// A call as a client makes it, in AWS's words.
    pub fn call(&self, service: Service, operation: &str, body: Value) -> Value {
        self.aws(|engine| call(engine, service, operation, body))
            .unwrap()
    }

    /// From now on so many requests a minute go to an endpoint.
    pub fn set_load(&self, endpoint: &str, rpm: f64) {
        self.aws(|engine| {
            let traffic = Traffic {
                shape: Shape::Steady { rpm },
                random: false,
                origin: engine.now().minute(),
            };
            engine.set_traffic(endpoint, traffic).unwrap();
        });
    }

    pub fn timeline(&self) -> Vec<String> {
        let entry =
            |e: &evenkeel::sim::engine::TimelineEntry| format!("{} {}", e.at.aws_text(), e.what);
        self.aws(|world| world.timeline().iter().map(entry).collect())
    }

    /// Policies of an endpoint's variant `AllTraffic`, as AWS lists them.
    pub fn policies(&self, endpoint: &str) -> Vec<(String, f64)> {
        let query =
            request(json!({ "ServiceNamespace": "sagemaker", "ResourceId": resource(endpoint) }));
        self.aws(|world| {
            let all = world
                .describe_scaling_policies(&query)
                .unwrap()
                .scaling_policies;
            all.into_iter()
                .map(|p| {
                    let config = p.target_tracking_scaling_policy_configuration;
                    (
                        p.policy_name,
                        config.and_then(|c| c.target_value).unwrap_or_default(),
                    )
                })
                .collect()
        })
    }

    /// Bounds that AWS holds for an endpoint's variant `AllTraffic`.
    pub fn bounds(&self, endpoint: &str) -> Option<(u32, u32)> {
        let query = request(
            json!({ "ServiceNamespace": "sagemaker", "ResourceIds": [resource(endpoint)] }),
        );
        self.aws(|world| {
            let all = world
                .describe_scalable_targets(&query)
                .unwrap()
                .scalable_targets;
            all.first().map(|t| (t.min_capacity, t.max_capacity))
        })
    }

    pub fn delete_policy(&self, endpoint: &str, policy: &str) {
        let query: api::DeleteScalingPolicy = request(json!({
            "PolicyName": policy, "ServiceNamespace": "sagemaker", "ResourceId": resource(endpoint),
            "ScalableDimension": INSTANCES,
        }));
        self.aws(|world| world.delete_scaling_policy(&query).unwrap());
    }

    pub fn register(&self, endpoint: &str, min: u32, max: u32) {
        let query: api::RegisterScalableTarget = request(json!({
            "ServiceNamespace": "sagemaker", "ResourceId": resource(endpoint),
            "ScalableDimension": INSTANCES, "MinCapacity": min, "MaxCapacity": max,
        }));
        self.aws(|world| world.register_scalable_target(&query).unwrap());
    }
}

/// A sandbox for real sockets: its clock stands at [`EPOCH`] until it is turned.
///
/// A whole second, as the CloudWatch SDK cuts digits off floating-point instants, so others come 1 ms early.
pub fn standing_sandbox(world: &str) -> (Arc<Sandbox>, Arc<SandboxClock>) {
    let epoch = DateTime::from_timestamp(EPOCH, 0).unwrap();
    let clock = Arc::new(SandboxClock::starting_at(epoch, Arc::new(SystemClock), 0.0));
    let engine = Scenario::parse(world)
        .unwrap()
        .build(&Options::default(), 7, to_instant(epoch))
        .unwrap();
    (Arc::new(Sandbox::new(engine, clock.clone())), clock)
}

pub const INSTANCES: &str = "sagemaker:variant:DesiredInstanceCount";

pub fn resource(endpoint: &str) -> String {
    format!("endpoint/{endpoint}/variant/AllTraffic")
}

pub fn request<T: serde::de::DeserializeOwned>(shape: Value) -> T {
    serde_json::from_value(shape).unwrap()
}

/// Three endpoints in service with different loads.
pub const THREE: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 5m..8m }]
    traffic: { daily: { low: 100, high: 2400, peak_after: 6h } }
  - name: embed
    variants: [{ name: AllTraffic, instance_type: ml.c5.large, instances: 1, start_up: 4m }]
    traffic: { steady: 150 }
  - name: rank
    variants: [{ name: AllTraffic, instance_type: ml.m5.large, instances: 1, start_up: 6m }]
    traffic: { bursts: { base: 50, burst: 900, every: 90m, lasting: 30m } }
";

/// A config for them.
pub const THREE_CONFIG: &str = "
profiles:
  realtime:
    bounds: { min: 1, max: 10 }
    policies:
      - target_tracking: { metric: invocations_per_instance, target: 300, scale_out_cooldown: 60s }
targets:
  - { endpoint: chat, variant: AllTraffic, profile: realtime }
  - { endpoint: embed, variant: AllTraffic, profile: realtime }
  - { endpoint: rank, variant: AllTraffic, profile: realtime, bounds: { max: 4 } }
";
