//! Findings about the world: what AWS holds, and what it makes of the config.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::alarm::{AlarmState, ObservedAlarm};
use super::super::bounds::Capacity;
use super::super::desired::DesiredTarget;
use super::super::endpoint::{EndpointStatus, ObservedEndpoint, cores_of};
use super::super::metric::{Metric, PredefinedMetric};
use super::super::name::PolicyName;
use super::super::observed::{Observation, ObservedPolicy};
use super::super::policy::{Policy, PolicyKind, TargetTracking};
use super::super::target::TargetId;
use super::schedules::takes_away;
use super::{Finding, HOST, Objection, Rule};

/// An alarm without data is normal for a while: new ones have none, and metrics come late.
const SILENT_AFTER: TimeDelta = TimeDelta::minutes(30);
/// Deployments and starts of large models take this long; more is worth a look.
const STUCK_AFTER: TimeDelta = TimeDelta::hours(1);
/// So long one policy may keep the others from scaling in before it is told.
const VETO_AFTER: TimeDelta = TimeDelta::hours(1);
/// The only policy that SageMaker's console shows (aws-autoscaling.md 5.7).
const CONSOLE_POLICY: &str = "SageMakerEndpointInvocationScalingPolicy";

/// What the lint objects to in what was seen of a target, but for the rules that the target silences.
#[must_use]
pub fn lint_world(target: &DesiredTarget, observed: &Observation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut object = |policy: Option<&PolicyName>, (rule, what): Objection| {
        findings.push(Finding {
            rule,
            target: target.id.clone(),
            policy: policy.cloned(),
            what,
        });
    };
    for policy in &target.policies {
        let held = held_policy(&target.id, &policy.name, observed);
        let mut about: Vec<Objection> = held
            .into_iter()
            .filter_map(|held| silent(policy, &target.id, held, observed))
            .collect();
        if let PolicyKind::TargetTracking(tracking) = &policy.kind {
            about.extend(tracking_findings(tracking, &target.id, observed));
        }
        for objection in about {
            object(Some(&policy.name), objection);
        }
    }
    for (policy, objection) in vetoes(target, observed) {
        object(Some(policy), objection);
    }
    let capacity = [
        at_max(target, observed),
        outside_bounds(target, observed),
        stuck(target, observed),
        console_policy(target, observed),
        takes_away(target, observed),
    ];
    for objection in capacity.into_iter().flatten() {
        object(None, objection);
    }
    findings.retain(|finding| !target.ignored.contains_key(&finding.rule));
    findings
}

fn held_policy<'a>(
    id: &TargetId,
    name: &PolicyName,
    observed: &'a Observation,
) -> Option<&'a ObservedPolicy> {
    observed.policies.get(id)?.get(name)
}

/// The alarms of a policy on one side of target tracking.
fn side<'a>(
    held: &'a ObservedPolicy,
    side: &'a str,
    observed: &'a Observation,
) -> impl Iterator<Item = &'a ObservedAlarm> {
    let names = held.alarms.iter().filter(move |name| name.contains(side));
    names.filter_map(|name| observed.alarms.get(name))
}

fn lasts(alarm: &ObservedAlarm, observed: &Observation) -> Option<TimeDelta> {
    Some(observed.at.signed_duration_since(alarm.since?))
}

fn minutes(span: TimeDelta) -> String {
    match span.num_minutes() {
        minutes if minutes < 120 => format!("{minutes} min"),
        minutes => format!("{} h", minutes.checked_div(60).unwrap_or_default()),
    }
}

/// An alarm that has no data decides nothing.
fn silent(
    policy: &Policy,
    id: &TargetId,
    held: &ObservedPolicy,
    observed: &Observation,
) -> Option<Objection> {
    // Without capacity nothing publishes, or there is nothing to publish per instance.
    if observed.capacity(id).and_then(|running| running.current) == Some(Capacity::ZERO) {
        return None;
    }
    // Published only while requests fail for want of capacity: its silence is the good state.
    let wakes = matches!(&policy.kind, PolicyKind::Step(step)
        if step.alarm.metric.name == "NoCapacityInvocationFailures");
    if wakes {
        return None;
    }
    let alarms = held
        .alarms
        .iter()
        .filter_map(|name| observed.alarms.get(name));
    let silence = alarms
        .filter(|alarm| alarm.state == AlarmState::InsufficientData)
        .filter_map(|alarm| lasts(alarm, observed))
        .max()
        .filter(|silence| *silence >= SILENT_AFTER)?;
    let what = format!(
        "its metric has had no data for {}: it scales nothing, and lets nothing scale in",
        minutes(silence)
    );
    Some((Rule::SilentMetric, what))
}

fn tracking_findings(
    tracking: &TargetTracking,
    id: &TargetId,
    observed: &Observation,
) -> Vec<Objection> {
    let endpoint = id.endpoint().and_then(|name| observed.endpoints.get(name));
    let Some((endpoint, variant)) = endpoint.zip(id.variant()) else {
        return Vec::new();
    };
    let cores = endpoint.instance_type(variant).and_then(cores_of);
    [
        async_invocations(tracking, endpoint),
        cores.and_then(|cores| out_of_reach(tracking, cores)),
        slow_metrics(tracking, endpoint),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn async_invocations(tracking: &TargetTracking, endpoint: &ObservedEndpoint) -> Option<Objection> {
    let counts = match &tracking.metric {
        Metric::Predefined(metric) => *metric == PredefinedMetric::InvocationsPerInstance,
        Metric::Custom(metric) => {
            matches!(
                metric.name.as_str(),
                "Invocations" | "InvocationsPerInstance" | "OverheadLatency"
            )
        }
        Metric::Math(_) => false,
    };
    let is_async = endpoint.details.as_ref().is_some_and(|d| d.is_async);
    (counts && is_async).then(|| {
        let what = format!(
            "endpoint {} is asynchronous, and publishes no invocations",
            endpoint.name
        );
        (Rule::AsyncInvocations, what)
    })
}

fn out_of_reach(tracking: &TargetTracking, cores: u32) -> Option<Objection> {
    let Metric::Custom(metric) = &tracking.metric else {
        return None;
    };
    let cpu = metric.namespace == HOST && metric.name == "CPUUtilization";
    let most = 100.0 * f64::from(cores);
    let target = tracking.target.get();
    (cpu && !tracking.of_all_cores && target >= most).then(|| {
        let what = format!("{target} is never passed: {cores} cores make {most} at the most");
        (Rule::TargetOutOfReach, what)
    })
}

fn slow_metrics(tracking: &TargetTracking, endpoint: &ObservedEndpoint) -> Option<Objection> {
    let every = endpoint
        .config
        .as_ref()?
        .publishes_every
        .filter(|every| *every > 60)?;
    let Metric::Custom(metric) = &tracking.metric else {
        return None;
    };
    (metric.namespace == HOST).then(|| {
        let what = format!(
            "{} is published every {every} s, and its alarms look at every minute",
            metric.name
        );
        (Rule::SlowMetrics, what)
    })
}

/// Of several policies that track, all must want to scale in (aws-autoscaling.md 3.5).
fn vetoes<'a>(
    target: &'a DesiredTarget,
    observed: &Observation,
) -> Vec<(&'a PolicyName, Objection)> {
    let scales_in = |policy: &&Policy| matches!(&policy.kind, PolicyKind::TargetTracking(t) if !t.disable_scale_in);
    let lows: Vec<(&PolicyName, &ObservedAlarm)> = target
        .policies
        .iter()
        .filter(scales_in)
        .filter_map(|policy| {
            let held = held_policy(&target.id, &policy.name, observed)?;
            Some((&policy.name, side(held, "-AlarmLow-", observed).next()?))
        })
        .collect();
    let ready = |alarm: &ObservedAlarm| {
        alarm.state == AlarmState::Alarm && lasts(alarm, observed) >= Some(VETO_AFTER)
    };
    let Some((waiting, _)) = lows.iter().find(|(_, alarm)| ready(alarm)) else {
        return Vec::new();
    };
    let capacity = observed
        .capacity(&target.id)
        .and_then(|running| running.current);
    if capacity.is_none_or(|capacity| capacity <= target.bounds.min()) {
        return Vec::new();
    }
    let blocks = |alarm: &ObservedAlarm| {
        alarm.state != AlarmState::Alarm && lasts(alarm, observed) >= Some(VETO_AFTER)
    };
    let veto = |(name, alarm): &(&'a PolicyName, &ObservedAlarm)| {
        let why = match alarm.state {
            AlarmState::InsufficientData => "its low alarm has no data",
            AlarmState::Ok | AlarmState::Alarm => "its metric is not low",
        };
        let what = format!("`{waiting}` wants to scale in, and this one does not let it: {why}");
        (*name, (Rule::VetoingPolicy, what))
    };
    lows.iter()
        .filter(|(_, alarm)| blocks(alarm))
        .map(veto)
        .collect()
}

fn at_max(target: &DesiredTarget, observed: &Observation) -> Option<Objection> {
    let max = observed.targets.get(&target.id)?.max;
    let current = observed.capacity(&target.id)?.current?;
    if current < max {
        return None;
    }
    let wants = |policy: &&Policy| {
        let held = held_policy(&target.id, &policy.name, observed);
        held.is_some_and(|held| {
            side(held, "-AlarmHigh-", observed).any(|a| a.state == AlarmState::Alarm)
        })
    };
    let policy = target.policies.iter().find(wants)?;
    let what = format!(
        "it is at its maximum, {max}, and policy `{}` wants more",
        policy.name
    );
    Some((Rule::MaxTooLow, what))
}

fn outside_bounds(target: &DesiredTarget, observed: &Observation) -> Option<Objection> {
    let held = observed.targets.get(&target.id)?;
    let current = observed.capacity(&target.id)?.current?;
    let settled = *status_of(&target.id, observed)?.0 == EndpointStatus::InService;
    (settled && (current < held.min || current > held.max)).then(|| {
        let what = format!(
            "{current} are running, outside of {}..{}: AWS leaves that so until something scales",
            held.min, held.max
        );
        (Rule::OutsideBounds, what)
    })
}

/// Status of a target's endpoint or component, and since when.
fn status_of<'a>(
    id: &TargetId,
    observed: &'a Observation,
) -> Option<(&'a EndpointStatus, DateTime<Utc>)> {
    let component = id
        .component()
        .and_then(|name| observed.components.get(name));
    let endpoint = id.endpoint().and_then(|name| observed.endpoints.get(name));
    let component = component.map(|c| (&c.status, c.modified));
    component.or_else(|| endpoint.map(|e| (&e.status, e.modified)))
}

fn stuck(target: &DesiredTarget, observed: &Observation) -> Option<Objection> {
    let (status, since) = status_of(&target.id, observed)?;
    let span = observed.at.signed_duration_since(since);
    (*status != EndpointStatus::InService && span >= STUCK_AFTER).then(|| {
        let what = format!(
            "it has been {status} for {}, and nothing can be scaled meanwhile",
            minutes(span)
        );
        (Rule::Stuck, what)
    })
}

fn console_policy(target: &DesiredTarget, observed: &Observation) -> Option<Objection> {
    let held = observed.policies.get(&target.id)?;
    let declared = |name: &PolicyName| target.policies.iter().any(|p| p.name == *name);
    let console = held.keys().find(|name| name.as_str() == CONSOLE_POLICY)?;
    let others = held.len() > 1;
    (others && !declared(console)).then(|| {
        let what = format!("`{console}` was made in the console, beside the declared policies");
        (Rule::ConsolePolicy, what)
    })
}
