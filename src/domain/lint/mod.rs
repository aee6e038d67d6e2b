//! The lint: what AWS accepts, and what will still not do what it looks like.
//!
//! Those of [`lint`] follow from the config alone, those of [`lint_world`] from what was seen in AWS. Rows are those of
//! aws-autoscaling.md section 9.

mod rule;
mod schedules;
mod world;

use super::alarm::Comparison;
use super::bounds::Capacity;
use super::desired::DesiredTarget;
use super::metric::{CustomMetric, Metric, PredefinedMetric};
use super::name::PolicyName;
use super::policy::{Adjustment, Policy, PolicyKind, StepPolicy, TargetTracking};
use super::target::TargetId;
pub use rule::{Rule, Severity};
pub use schedules::{lint_fleet, lint_schedules};
pub use world::lint_world;

/// Something that the lint objects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The target.
    pub target: TargetId,
    /// The policy, if it is about one.
    pub policy: Option<PolicyName>,
    /// What is so, with numbers.
    pub what: String,
}

/// What the lint objects to in a target, but for the rules that it silences.
#[must_use]
pub fn lint(target: &DesiredTarget) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in &target.policies {
        let about = match &policy.kind {
            PolicyKind::TargetTracking(tracking) => tracking_findings(policy, tracking),
            PolicyKind::Step(step) => step_findings(step),
        };
        findings.extend(about.into_iter().map(|(rule, what)| Finding {
            rule,
            target: target.id.clone(),
            policy: Some(policy.name.clone()),
            what,
        }));
    }
    findings.extend(
        target_findings(target)
            .into_iter()
            .map(|(rule, what)| Finding {
                rule,
                target: target.id.clone(),
                policy: None,
                what,
            }),
    );
    findings.retain(|finding| !target.ignored.contains_key(&finding.rule));
    findings
}

type Objection = (Rule, String);

fn tracking_findings(policy: &Policy, tracking: &TargetTracking) -> Vec<Objection> {
    let custom = match &tracking.metric {
        Metric::Custom(metric) => Some(metric),
        Metric::Predefined(_) | Metric::Math(_) => None,
    };
    [
        misnamed(policy, tracking),
        small_target(tracking),
        custom
            .filter(|_| !tracking.of_all_cores)
            .and_then(|metric| per_core(metric, tracking.target.get())),
        custom.and_then(not_proportional),
        custom.and_then(unknown_metric),
        custom.and_then(unit_set),
        flapping(tracking),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn misnamed(policy: &Policy, tracking: &TargetTracking) -> Option<Objection> {
    let Metric::Predefined(metric) = tracking.metric else {
        return None;
    };
    let name = policy.name.as_str().to_lowercase();
    let word = ["cpu", "gpu", "memory"]
        .into_iter()
        .find(|word| name.contains(word))?;
    let (target, unit) = (tracking.target, metric.unit());
    Some((
        Rule::NameMetricMismatch,
        format!("its name says {word}, and it tracks {metric}: {target} is {target} {unit}"),
    ))
}

fn small_target(tracking: &TargetTracking) -> Option<Objection> {
    let Metric::Predefined(metric) = tracking.metric else {
        return None;
    };
    let target = tracking.target.get();
    match metric {
        PredefinedMetric::InvocationsPerInstance | PredefinedMetric::InvocationsPerCopy => {
            (target < 15.0).then(|| {
                let what = format!(
                    "{target} {}, one request every {:.0} s",
                    metric.unit(),
                    60.0 / target
                );
                (Rule::PerSecondTarget, what)
            })
        }
        PredefinedMetric::ConcurrentRequestsPerModel
        | PredefinedMetric::ConcurrentRequestsPerCopy => (target < 2.0).then(|| {
            let what = format!(
                "{target} {}: the metric is the maximum of 10 s, and counts the queue",
                metric.unit()
            );
            (Rule::TinyConcurrency, what)
        }),
        PredefinedMetric::ProvisionedConcurrencyUtilization => (target >= 1.0).then(|| {
            let what = format!(
                "{target} is never passed: the metric is a ratio, 1 when all of it is in use"
            );
            (Rule::TargetOutOfReach, what)
        }),
    }
}

const HOST: &str = "/aws/sagemaker/Endpoints";
const SERVICE: &str = "AWS/SageMaker";
const COMPONENTS: &str = "/aws/sagemaker/InferenceComponents";

fn per_core(metric: &CustomMetric, target: f64) -> Option<Objection> {
    let adds_up = metric.namespace == HOST
        && matches!(
            metric.name.as_str(),
            "CPUUtilization" | "GPUUtilization" | "GPUMemoryUtilization"
        );
    (adds_up && target <= 100.0).then(|| {
        let what = format!(
            "{} adds up over cores: {target} is {target} % of one, not of the instance",
            metric.name
        );
        (Rule::UtilizationPerCore, what)
    })
}

fn not_proportional(metric: &CustomMetric) -> Option<Objection> {
    let name = metric.name.as_str();
    let total = matches!(
        name,
        "Invocations"
            | "ApproximateBacklogSize"
            | "GPUMemoryUtilization"
            | "DiskUtilization"
            | "ApproximateAgeOfOldestRequest"
    );
    let ours = metric.namespace == HOST || metric.namespace == SERVICE;
    let wrong = total || name.contains("Latency") || name.contains("Error");
    (ours && wrong).then(|| {
        let what = format!("{name} does not fall in proportion as instances are added: capacity runs away, or freezes");
        (Rule::NotProportional, what)
    })
}

/// Host metrics by instance.
const HOST_METRICS: [&str; 12] = [
    "CPUUtilization",
    "GPUUtilization",
    "GPUMemoryUtilization",
    "MemoryUtilization",
    "DiskUtilization",
    "CPUUtilizationNormalized",
    "GPUUtilizationNormalized",
    "GPUMemoryUtilizationNormalized",
    "CPUReservation",
    "GPUReservation",
    "MemoryReservation",
    "LoadedModelCount",
];

/// What AWS publishes in `AWS/SageMaker`, by how the names begin.
const SERVICE_METRICS: [&str; 26] = [
    "Invocation",
    "ModelLatency",
    "OverheadLatency",
    "ModelSetupTime",
    "ConcurrentRequestsPer",
    "NoCapacityInvocationFailures",
    "Serverless",
    "FirstChunk",
    "MidStreamErrors",
    "ModelLoading",
    "ModelUnloadingTime",
    "ModelDownloadingTime",
    "ModelCacheHit",
    "ApproximateBacklogSize",
    "ApproximateAgeOfOldestRequest",
    "HasBacklogWithoutCapacity",
    "RequestDownload",
    "ResponseUpload",
    "NotificationFailures",
    "ExpiredRequests",
    "TimeInBacklog",
    "TotalProcessingTime",
    "TotalLatency",
    "InvocationsPerCopy",
    "MemoryUtilization",
    "ExplanationLatency",
];

fn unknown_metric(metric: &CustomMetric) -> Option<Objection> {
    let name = metric.name.as_str();
    let known = match metric.namespace.as_str() {
        HOST => HOST_METRICS.contains(&name),
        SERVICE => SERVICE_METRICS.iter().any(|known| name.starts_with(known)),
        // One that looks like SageMaker's and is not: nothing of one's own is called so.
        other => other == COMPONENTS || !other.to_ascii_lowercase().contains("sagemaker"),
    };
    (!known).then(|| {
        let what = format!(
            "SageMaker publishes no {name} in {}: the alarm would never have data",
            metric.namespace
        );
        (Rule::UnknownMetric, what)
    })
}

fn unit_set(metric: &CustomMetric) -> Option<Objection> {
    let unit = metric.unit.as_ref()?;
    let what = format!(
        "`unit: {unit}` finds no data at all if {} is published with another one",
        metric.name
    );
    Some((Rule::UnitSet, what))
}

fn flapping(tracking: &TargetTracking) -> Option<Objection> {
    let (out, scale_in) = (tracking.scale_out_cooldown, tracking.scale_in_cooldown);
    (!tracking.disable_scale_in && scale_in <= out).then(|| {
        let what = format!(
            "it scales in {scale_in} after a change and out after {out}, and new capacity takes minutes to start"
        );
        (Rule::FlappingCooldowns, what)
    })
}

/// What says that something waits while nothing runs.
const WAKES: [&str; 2] = ["HasBacklogWithoutCapacity", "NoCapacityInvocationFailures"];

fn step_findings(step: &StepPolicy) -> Vec<Objection> {
    let mut found = Vec::new();
    let alarm = &step.alarm;
    let wakes = WAKES.contains(&alarm.metric.name.as_str());
    if wakes && alarm.comparison == Comparison::Greater && alarm.threshold.get() >= 1.0 {
        let what = format!(
            "the alarm asks for more than {}, and one waiting request makes it 1",
            alarm.threshold
        );
        found.push((Rule::WakeNeedsTwo, what));
    }
    found.extend(unknown_metric(&alarm.metric));
    found.extend(unit_set(&alarm.metric));
    let upward = alarm.comparison.is_upward();
    for step in &step.scaling.steps {
        let below = step.upper.is_some_and(|upper| upper.get() <= 0.0);
        let above = step.lower.is_some_and(|lower| lower.get() >= 0.0);
        let beyond = if upward {
            below
        } else {
            above && step.lower.is_some_and(|l| l.get() > 0.0)
        };
        if beyond {
            let what = format!(
                "a step on the other side of the threshold: the alarm goes off {} {}",
                alarm.comparison.sign(),
                alarm.threshold
            );
            found.push((Rule::UnreachableStep, what));
        }
    }
    found
}

fn removes(policy: &Policy) -> bool {
    match &policy.kind {
        PolicyKind::TargetTracking(tracking) => !tracking.disable_scale_in,
        PolicyKind::Step(step) => {
            let exact = step.scaling.adjustment == Adjustment::ExactCapacity;
            exact || step.scaling.steps.iter().any(|step| step.adjustment < 0)
        }
    }
}

fn target_findings(target: &DesiredTarget) -> Vec<Objection> {
    let mut found = Vec::new();
    let policies = &target.policies;
    let is_step = |p: &&Policy| matches!(p.kind, PolicyKind::Step(_));
    let bounds = target.bounds;
    if policies.is_empty() {
        found.push((Rule::NoPolicies, "nothing scales it".to_owned()));
    } else if bounds.min() == bounds.max() {
        found.push((
            Rule::FixedBounds,
            format!("bounds {bounds} leave its policies no choice"),
        ));
    }
    let adds = |p: &Policy| match &p.kind {
        PolicyKind::Step(step) => {
            let relative = step.scaling.adjustment != Adjustment::PercentChangeInCapacity;
            relative && step.scaling.steps.iter().any(|step| step.adjustment > 0)
        }
        PolicyKind::TargetTracking(_) => false,
    };
    if bounds.min() == Capacity::ZERO && !policies.is_empty() && !policies.iter().any(adds) {
        let what = "it may go down to 0, and a metric per instance says nothing at 0".to_owned();
        found.push((Rule::NoWakeFromZero, what));
    }
    let waking = policies.iter().find(|p| match &p.kind {
        PolicyKind::Step(step) => WAKES.contains(&step.alarm.metric.name.as_str()),
        PolicyKind::TargetTracking(_) => false,
    });
    if let Some(policy) = waking.filter(|_| bounds.min() > Capacity::ZERO) {
        let what = format!(
            "policy `{}` leaves zero, and the minimum is {}",
            policy.name,
            bounds.min()
        );
        found.push((Rule::WakeWithoutZero, what));
    }
    if !policies.is_empty() && !policies.iter().any(removes) {
        found.push((
            Rule::OnlyGrows,
            "no policy ever removes capacity".to_owned(),
        ));
    }
    let tracks_both_ways = policies.iter().any(|p| !is_step(&p) && removes(p));
    if tracks_both_ways && policies.iter().filter(is_step).any(removes) {
        let what =
            "a step policy removes capacity without asking target tracking, which adds it again"
                .to_owned();
        found.push((Rule::StepFightsTracking, what));
    }
    if let Some(suspended) = target.suspended.filter(|s| s.any()) {
        found.push((
            Rule::Suspended,
            format!("{suspended} is suspended until the config says otherwise"),
        ));
    }
    found
}
