//! Counters that live as long as the process. The help texts are the documentation.

use prometheus::{
    CounterVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::build::COMMIT;
use crate::domain::{
    ActionReason, ActivityStatus, AlertKind, Change, NotScaled, PassOutcome, ScheduleOutcome,
    ScopeName, TargetId,
};

/// A metric that could not be made: a fault of this program, found by every test that scrapes.
pub(super) type Fault = prometheus::Error;

/// Counters, on a registry of their own.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) registry: Registry,
    pub(super) activities: IntCounterVec,
    pub(super) not_scaled: IntCounterVec,
    pub(super) schedule_applied: IntCounterVec,
    pub(super) schedule_lateness: HistogramVec,
    pub(super) drift: IntCounterVec,
    pub(super) actions: IntCounterVec,
    pub(super) passes: IntCounterVec,
    pub(super) pass_duration: HistogramVec,
    pub(super) requests: IntCounterVec,
    pub(super) cost: CounterVec,
    pub(super) skipped: IntCounterVec,
    pub(super) reload_success: IntGauge,
    pub(super) sent: IntCounterVec,
    pub(super) alerts: IntCounterVec,
    pub(super) events: IntCounterVec,
}

/// Labels of a target. A component has no endpoint and variant of its own here: it may move.
pub(super) const TARGET: [&str; 4] = ["scope", "endpoint", "variant", "component"];

/// The values of these labels.
pub(super) type TargetLabels = [String; 4];

/// The label values of a target; what an id does not have is empty.
pub(super) fn target_values(scope: &ScopeName, target: &TargetId) -> TargetLabels {
    let text = |name: Option<String>| name.unwrap_or_default();
    [
        scope.to_string(),
        text(target.endpoint().map(ToString::to_string)),
        text(target.variant().map(ToString::to_string)),
        text(target.component().map(ToString::to_string)),
    ]
}

/// Services that are called, as the labels of requests name them.
const SERVICES: [&str; 3] = ["application-autoscaling", "cloudwatch", "sagemaker"];

const PASS_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const LATENESS_BUCKETS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0];

/// Gauges of the process: whether its config is the newest, and what it was built from.
fn of_process(registry: &Registry) -> Result<IntGauge, Fault> {
    let reload_success = IntGauge::new(
        "evenkeel_config_reload_success",
        "Whether the last reload of the config was accepted (1); 0 means that an older config is in force.",
    )?;
    reload_success.set(1);
    registry.register(Box::new(reload_success.clone()))?;
    let build = Opts::new(
        "evenkeel_build_info",
        "What this process was built from; always 1.",
    );
    let build = IntGaugeVec::new(build, &["version", "commit"])?;
    build
        .with_label_values(&[env!("CARGO_PKG_VERSION"), COMMIT])
        .set(1);
    registry.register(Box::new(build))?;
    Ok(reload_success)
}

fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, Fault> {
    let vec = IntCounterVec::new(Opts::new(format!("evenkeel_{name}"), help), labels)?;
    registry.register(Box::new(vec.clone()))?;
    Ok(vec)
}

/// Counters by target: activities, refusals to scale, and schedules that came due.
fn of_targets(registry: &Registry) -> Result<[IntCounterVec; 3], Fault> {
    let [scope, endpoint, variant, component] = TARGET;
    let activities = counter(
        registry,
        "scaling_activities_total",
        "Scaling activities of AWS that reached a final status, by status. Those that tell why nothing was \
         scaled are in evenkeel_scaling_not_scaled_total.",
        &[scope, endpoint, variant, component, "status"],
    )?;
    let not_scaled = counter(
        registry,
        "scaling_not_scaled_total",
        "Decisions of AWS not to scale, by reason. The same reason twice in a row is recorded once by AWS.",
        &[scope, endpoint, variant, component, "reason"],
    )?;
    let schedule_applied = counter(
        registry,
        "schedule_applied_total",
        "Changes of bounds that schedules made due, by outcome: applied, found (AWS held them already), mended \
         (AWS was to run them and did not), failed (and tried again), missed (the next change came first).",
        &[scope, endpoint, variant, component, "outcome"],
    )?;
    Ok([activities, not_scaled, schedule_applied])
}

/// What requests cost, by service.
fn of_cost(registry: &Registry) -> Result<CounterVec, Fault> {
    let cost = CounterVec::new(
        Opts::new(
            "evenkeel_aws_cost_estimate_dollars_total",
            "What requests to AWS cost since the start, by its price list and before any free tier.",
        ),
        &["service"],
    )?;
    registry.register(Box::new(cost.clone()))?;
    for service in SERVICES {
        cost.with_label_values(&[service]);
    }
    Ok(cost)
}

impl Counters {
    pub(super) fn new() -> Result<Self, Fault> {
        let registry = Registry::new();
        let counter =
            |name: &str, help: &str, labels: &[&str]| counter(&registry, name, help, labels);
        let [activities, not_scaled, schedule_applied] = of_targets(&registry)?;
        let [scope, ..] = TARGET;
        let drift = counter(
            "drift_total",
            "Differences found between the config and AWS, each counted once however long it lasts, by kind.",
            &[scope, "kind"],
        )?;
        let actions = counter(
            "actions_total",
            "Writes to AWS, by action and outcome: ok or the kind of error.",
            &[scope, "action", "outcome"],
        )?;
        let passes = counter(
            "passes_total",
            "Reconcile passes, by outcome.",
            &[scope, "outcome"],
        )?;
        let requests = counter(
            "aws_requests_total",
            "Requests sent to AWS, retries included, by outcome: ok or the kind of error.",
            &["service", "operation", "outcome"],
        )?;
        let cost = of_cost(&registry)?;
        let skipped = counter(
            "watch_queries_skipped_total",
            "Metric queries that were not sent, to keep to the budget.",
            &[scope],
        )?;
        let sent = counter(
            "notifications_total",
            "Times that alerts were sent to a receiver, by outcome: ok, failed (and sent again soon), dropped \
             (given up: refused, or too many waited).",
            &["receiver", "outcome"],
        )?;
        let alerts = counter(
            "alerts_total",
            "Alerts that began to fire, and that are over, by state: firing, resolved.",
            &[scope, "alert", "state"],
        )?;
        let events = counter(
            "problems_total",
            "Things that went wrong: a list that could not be read, a plan that was refused, a failed look of the \
             watcher, a target that someone keeps changing back, an update that took capacity away, a hold or an \
             override that did not end in time.",
            &[scope, "problem"],
        )?;
        let histogram = |name: &str, help: &str, buckets: &[f64]| -> Result<HistogramVec, Fault> {
            let options = HistogramOpts::new(format!("evenkeel_{name}"), help);
            let vec = HistogramVec::new(options.buckets(buckets.to_vec()), &[scope])?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let pass_duration = histogram(
            "pass_duration_seconds",
            "How long reconcile passes took.",
            &PASS_BUCKETS,
        )?;
        let schedule_lateness = histogram(
            "schedule_lateness_seconds",
            "How long after its instant a change of bounds by a schedule held in AWS.",
            &LATENESS_BUCKETS,
        )?;
        let reload_success = of_process(&registry)?;
        Ok(Self {
            registry,
            activities,
            not_scaled,
            schedule_applied,
            schedule_lateness,
            drift,
            actions,
            passes,
            pass_duration,
            requests,
            cost,
            skipped,
            reload_success,
            sent,
            alerts,
            events,
        })
    }

    /// Makes the series of a scope exist from the start, so that a first failure is an increase.
    pub(super) fn create_scope(&self, scope: &ScopeName) {
        self.skipped.with_label_values(&[scope.as_str()]);
        for kind in ActionReason::LABELS {
            self.drift.with_label_values(&[scope.as_str(), kind]);
        }
        for outcome in PassOutcome::ALL {
            self.passes
                .with_label_values(&[scope.as_str(), outcome.label()]);
        }
        for action in Change::LABELS {
            self.actions
                .with_label_values(&[scope.as_str(), action, "ok"]);
        }
        for kind in AlertKind::ALL {
            for state in ["firing", "resolved"] {
                self.alerts
                    .with_label_values(&[scope.as_str(), kind.name(), state]);
            }
        }
        for problem in PROBLEMS {
            self.events.with_label_values(&[scope.as_str(), problem]);
        }
        self.pass_duration.with_label_values(&[scope.as_str()]);
        self.schedule_lateness.with_label_values(&[scope.as_str()]);
    }

    /// The same for a target.
    pub(super) fn create_target(&self, [scope, endpoint, variant, component]: &TargetLabels) {
        for status in ActivityStatus::ALL
            .into_iter()
            .filter(|status| status.is_final())
        {
            self.activities.with_label_values(&[
                scope,
                endpoint,
                variant,
                component,
                status.label(),
            ]);
        }
        for reason in NotScaled::LABELS {
            self.not_scaled
                .with_label_values(&[scope, endpoint, variant, component, reason]);
        }
        for outcome in ScheduleOutcome::COUNTED {
            let labels = [scope, endpoint, variant, component, outcome.label()];
            self.schedule_applied.with_label_values(&labels);
        }
    }

    /// Takes the series of a target away.
    pub(super) fn drop_target(&self, [scope, endpoint, variant, component]: &TargetLabels) {
        for status in ActivityStatus::ALL
            .into_iter()
            .filter(|status| status.is_final())
        {
            // A series that is not there need not go.
            self.activities
                .remove_label_values(&[scope, endpoint, variant, component, status.label()])
                .unwrap_or_default();
        }
        for reason in NotScaled::LABELS {
            self.not_scaled
                .remove_label_values(&[scope, endpoint, variant, component, reason])
                .unwrap_or_default();
        }
        for outcome in ScheduleOutcome::COUNTED {
            self.schedule_applied
                .remove_label_values(&[scope, endpoint, variant, component, outcome.label()])
                .unwrap_or_default();
        }
    }
}

/// Values of the label `problem`.
pub(super) const PROBLEMS: [&str; 6] = [
    "unseen",
    "refused",
    "watch_failed",
    "conflict",
    "capacity_reset",
    "lease_overdue",
];
