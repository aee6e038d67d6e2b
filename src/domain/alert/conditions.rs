//! The conditions, one function each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::activity::{Activity, ActivityStatus};
use super::super::alarm::{AlarmState, ObservedAlarm};
use super::super::bounds::Capacity;
use super::super::endpoint::Running;
use super::super::fleet::{PassOutcome, TargetSnapshot};
use super::super::lint::Rule;
use super::super::note::Note;
use super::super::plan::Verdict;
use super::super::policy::{Policy, PolicyKind};
use super::super::schedule::ScheduleOutcome;
use super::super::target::TargetId;
use super::capacity::{Demand, alarms_of, at_maximum, fresh, predicted, saturated, stuck_at_zero};
use super::failure::{Refusal, refusal_of};
use super::thrash::thrashing;
use super::{AlertKey, AlertKind, Condition, Subject, View};

/// An activity that failed is told of for so long, unless a later one works.
const FAILURE_COUNTS: TimeDelta = TimeDelta::hours(1);
/// A capacity that was reset is told of for so long, unless it comes back.
const RESET_COUNTS: TimeDelta = TimeDelta::hours(1);

/// How every condition of a scope stands.
pub(super) fn all(
    view: View<'_>,
    demand: &BTreeMap<TargetId, Demand>,
    firing: &BTreeSet<AlertKey>,
) -> Vec<(AlertKey, Condition)> {
    let mut all = vec![(
        key(AlertKind::EvenkeelUnhealthy, Subject::Scope),
        unhealthy(view),
    )];
    for endpoint in &view.scope.unscaled {
        let subject = Subject::Endpoint(endpoint.clone());
        let condition =
            Condition::met("no variant of it is declared or registered: nobody scales it");
        all.push((key(AlertKind::UnmanagedEndpoint, subject), condition));
    }
    // An endpoint that is managed now is not in that list any more: its alert is over.
    for held in firing
        .iter()
        .filter(|k| k.kind == AlertKind::UnmanagedEndpoint)
    {
        if !all.iter().any(|(key, _)| key == held) {
            all.push((held.clone(), Condition::Clear));
        }
    }
    for (id, target) in &view.scope.targets {
        for kind in AlertKind::ALL {
            let key = key(kind, Subject::Target(id.clone()));
            let was_firing = firing.contains(&key);
            let demand = demand.get(id);
            if let Some(condition) = of_target(kind, id, target, demand, was_firing, view) {
                all.push((key, condition));
            }
        }
    }
    all
}

fn key(kind: AlertKind, subject: Subject) -> AlertKey {
    AlertKey { kind, subject }
}

fn of_target(
    kind: AlertKind,
    id: &TargetId,
    target: &TargetSnapshot,
    demand: Option<&Demand>,
    was_firing: bool,
    view: View<'_>,
) -> Option<Condition> {
    let changes = view
        .scope
        .watch
        .changes
        .get(id)
        .map_or(&[][..], Vec::as_slice);
    Some(match kind {
        AlertKind::Thrashing => thrashing(target, changes, was_firing, view.now),
        AlertKind::MaxCapacitySaturated => saturated(id, target, was_firing, view),
        AlertKind::AtMaxCapacity => at_maximum(target),
        AlertKind::SaturationPredicted => predicted(target, demand?, view.now),
        AlertKind::ScalingFailed => scaling_failed(view.scope.watch.activities.get(id), view.now),
        AlertKind::ScalingStuck if sees(view) => scaling_stuck(view.scope.watch.activities.get(id)),
        AlertKind::AlarmTampered if sees(view) => alarm_tampered(target, view),
        AlertKind::ScalingStuck | AlertKind::AlarmTampered => Condition::Unknown,
        AlertKind::ScheduleNotApplied => schedule_not_applied(target),
        AlertKind::DriftUnresolved => drift_unresolved(target, view),
        AlertKind::MetricsStale => metrics_stale(id, target, view),
        AlertKind::ScaleInBlocked => scale_in_blocked(target),
        AlertKind::ScalingSuspended => scaling_suspended(target),
        AlertKind::CapacityReset => capacity_reset(target, view.now),
        AlertKind::StuckAtZero => stuck_at_zero(id, target, view),
        AlertKind::UnmanagedEndpoint | AlertKind::EvenkeelUnhealthy => return None,
    })
}

fn young(at: DateTime<Utc>, now: DateTime<Utc>, counts: TimeDelta) -> bool {
    now.signed_duration_since(at) < counts
}

/// Whether alarms, values and activities are of now. Who does not see can not say that there is nothing.
fn sees(view: View<'_>) -> bool {
    let watch = &view.scope.watch;
    watch.at.is_some_and(|at| young(at, view.now, view.overdue)) && watch.problems.is_empty()
}

fn scaling_failed(last: Option<&Activity>, now: DateTime<Utc>) -> Condition {
    let Some(last) = last else {
        return Condition::Clear;
    };
    match last.status {
        // It may fail as the one before did.
        ActivityStatus::Pending | ActivityStatus::InProgress | ActivityStatus::Unknown => {
            return Condition::Unknown;
        }
        // Bounds that were set say nothing of capacity that could not be.
        ActivityStatus::Successful | ActivityStatus::Overridden if last.capacity().is_none() => {
            return Condition::Unknown;
        }
        ActivityStatus::Successful | ActivityStatus::Overridden => return Condition::Clear,
        ActivityStatus::Failed | ActivityStatus::Unfulfilled => {}
    }
    let ended = last.ended.unwrap_or(last.started);
    let refusal = refusal_of(last);
    // A scheduled action that met a busy endpoint is its schedule's affair.
    if !young(ended, now, FAILURE_COUNTS) || refusal == Refusal::Busy {
        return Condition::Clear;
    }
    let what = last.description.trim_end_matches('.');
    let message = last
        .status_message
        .as_deref()
        .unwrap_or("AWS says nothing more");
    // What follows is for AWS's support: service, codes and ids.
    let message = message.split(" (Service: ").next().unwrap_or(message);
    let message = message
        .rsplit_once("Reason: ")
        .map_or(message, |(_, why)| why);
    Condition::met(format!("{what} failed: {message}"))
        .since(Some(ended))
        .because(refusal.text())
}

fn scaling_stuck(last: Option<&Activity>) -> Condition {
    match last {
        Some(last) if !last.status.is_final() => {
            let what = last.description.trim_end_matches('.');
            let since = last.started.format("%H:%M UTC");
            // The next activity may begin before anyone sees that this one ended.
            Condition::met(format!("{what} is in progress since {since}"))
                .since(Some(last.started))
                .anew()
        }
        _ => Condition::Clear,
    }
}

fn schedule_not_applied(target: &TargetSnapshot) -> Condition {
    let Some(run) = &target.last_change else {
        return Condition::Clear;
    };
    let (bounds, due) = (run.effective.bounds, run.due.format("%Y-%m-%d %H:%M UTC"));
    let what = match run.outcome {
        ScheduleOutcome::Applied | ScheduleOutcome::Found | ScheduleOutcome::Mended => {
            return Condition::Clear;
        }
        ScheduleOutcome::Waiting => "are still to be set",
        ScheduleOutcome::Failed | ScheduleOutcome::Missed => "could not be set",
    };
    let source = &run.effective.min_source;
    let cause = match (&target.verdict, &target.failure) {
        (_, Some(failure)) => Some(failure.error.clone()),
        (Verdict::Waiting(wait), None) => Some(format!(
            "the target waits: {}",
            wait.label().replace('_', " ")
        )),
        _ => None,
    };
    Condition::met(format!("bounds {bounds} by {source}, due {due}, {what}"))
        .since(Some(run.due))
        .because(cause)
}

fn drift_unresolved(target: &TargetSnapshot, view: View<'_>) -> Condition {
    if let Some(conflict) = target.conflict {
        return Condition::met(format!(
            "someone keeps changing it back: mended {} times within the hour, left alone until {}",
            conflict.corrections,
            conflict.until.format("%H:%M UTC")
        ));
    }
    if let Some(failure) = target.failure.as_ref().filter(|_| view.enforces()) {
        let times = failure.times;
        return Condition::met(format!(
            "writes failed ({times} in a row): {}",
            failure.error
        ));
    }
    match &target.verdict {
        Verdict::Changes => {
            let what = match target.registered {
                None => "it is not registered",
                Some(_) => "AWS holds it differently than the config says",
            };
            let why = if view.enforces() {
                ""
            } else {
                "; `mode: observe` writes nothing, `plan` says what it would"
            };
            Condition::met(format!("{what}{why}"))
        }
        Verdict::Converged | Verdict::Held => Condition::Clear,
        Verdict::Waiting(_) => Condition::Unknown,
    }
}

fn metrics_stale(id: &TargetId, target: &TargetSnapshot, view: View<'_>) -> Condition {
    let current = target.running.and_then(|r| r.current);
    if !sees(view) || current.is_none() || target.registered.is_none() {
        return Condition::Unknown;
    }
    // Nothing runs, and nothing publishes.
    if current == Some(Capacity::ZERO) {
        return Condition::Clear;
    }
    let (mut silent, mut late) = (Vec::new(), Vec::new());
    let mut since = None;
    for policy in &target.policies {
        let mut alarms = alarms_of(target, policy, view.scope).peekable();
        let heard = fresh(id, policy, view).is_some() || alarms.peek().is_none();
        if heard || is_silent_when_well(policy) {
            continue;
        }
        let blind = |alarm: &&ObservedAlarm| alarm.state == AlarmState::InsufficientData;
        let all: Vec<&ObservedAlarm> = alarms.collect();
        // Of target tracking the alarm that adds capacity looks back 3 minutes, and the other one 15.
        let tracks = matches!(policy.kind, PolicyKind::TargetTracking(_));
        let adds = |alarm: &&&ObservedAlarm| tracks && alarm.name.contains("-AlarmHigh-");
        if all.iter().all(blind) {
            silent.push(format!("`{}`", policy.name));
        } else if all.iter().filter(adds).any(blind) {
            late.push(format!("`{}`", policy.name));
        } else {
            continue;
        }
        let begins = all
            .iter()
            .filter(|a| blind(a))
            .filter_map(|alarm| alarm.since);
        since = since.max(begins.max());
    }
    let mut faults = Vec::new();
    if !silent.is_empty() {
        let policies = silent.join(", ");
        faults.push(format!(
            "the metric of {policies} has no data, and its alarms have too little: AWS scales in neither direction"
        ));
    }
    if !late.is_empty() {
        let policies = late.join(", ");
        faults.push(format!(
            "the metric of {policies} comes late, and the alarm that adds capacity has too little data: AWS does not \
             scale out by it"
        ));
    }
    if faults.is_empty() {
        return Condition::Clear;
    }
    Condition::met(faults.join("; ")).since(since)
}

/// Whether its metric is published only while requests fail or wait for want of capacity: then silence is good.
fn is_silent_when_well(policy: &Policy) -> bool {
    let PolicyKind::Step(step) = &policy.kind else {
        return false;
    };
    let name = step.alarm.metric.name.as_str();
    matches!(
        name,
        "NoCapacityInvocationFailures" | "HasBacklogWithoutCapacity"
    )
}

fn scale_in_blocked(target: &TargetSnapshot) -> Condition {
    let Some(running) = target.running.and_then(Running::aim) else {
        return Condition::Unknown;
    };
    if running <= target.effective.bounds.min() {
        return Condition::Clear;
    }
    let veto = target
        .findings
        .iter()
        .find(|f| f.rule == Rule::VetoingPolicy);
    veto.map_or(Condition::Clear, |finding| {
        let policy = finding
            .policy
            .as_ref()
            .map(|name| format!("policy `{name}`: "));
        let policy = policy.unwrap_or_default();
        Condition::met(format!("{running} run: {policy}{}", finding.what))
            .because(Some(finding.rule.remedy().to_owned()))
    })
}

fn alarm_tampered(target: &TargetSnapshot, view: View<'_>) -> Condition {
    let mut faults = Vec::new();
    for policy in &target.policies {
        for name in target.alarms.get(&policy.name).into_iter().flatten() {
            let fault = match view.scope.watch.alarms.get(name) {
                None if view.scope.watch.gone.contains(name) => "was deleted",
                Some(alarm) if !alarm.actions_enabled => "has its actions switched off",
                Some(alarm) if alarm.actions.is_empty() => "triggers nothing any more",
                Some(_) if view.scope.watch.muted.contains(name) => "is muted by a mute rule",
                _ => continue,
            };
            faults.push(format!(
                "alarm `{name}` of policy `{}` {fault}",
                policy.name
            ));
        }
    }
    if faults.is_empty() {
        Condition::Clear
    } else {
        Condition::met(faults.join("; "))
    }
}

fn scaling_suspended(target: &TargetSnapshot) -> Condition {
    let unasked = target.notes.iter().find_map(|note| {
        if let Note::Suspended(kinds) = note {
            Some(kinds)
        } else {
            None
        }
    });
    // While the endpoint is busy the pass does not look that far.
    if unasked.is_none() && matches!(target.verdict, Verdict::Waiting(_)) {
        return Condition::Unknown;
    }
    unasked.map_or(Condition::Clear, |kinds| {
        Condition::met(format!(
            "AWS has {kinds} suspended, and neither the config nor a hold asks for it"
        ))
    })
}

fn capacity_reset(target: &TargetSnapshot, now: DateTime<Utc>) -> Condition {
    let Some(reset) = &target.reset else {
        return Condition::Clear;
    };
    let is_back = target
        .running
        .and_then(|r| r.current)
        .is_some_and(|current| current >= reset.from);
    if is_back || !young(reset.at, now, RESET_COUNTS) {
        return Condition::Clear;
    }
    Condition::met(format!(
        "an update to endpoint config {} dropped capacity from {} to {}",
        reset.config, reset.from, reset.to
    ))
    .since(Some(reset.at))
    .because(Some(
        "whoever made it did not set RetainAllVariantProperties".to_owned(),
    ))
}

fn unhealthy(view: View<'_>) -> Condition {
    let started = view.fleet.started;
    let mut faults = Vec::new();
    let mut since = None;
    if let Some(problem) = &view.fleet.config.problem {
        let first = problem.lines().next().unwrap_or_default();
        faults.push(format!(
            "the config was not reloaded ({first}), and an older one is in force"
        ));
    }
    let said = |problems: Option<&String>| problems.map(|p| format!(": {p}")).unwrap_or_default();
    let minutes = view.overdue.num_minutes();
    let mut overdue = |at: Option<DateTime<Utc>>| {
        let at = at.unwrap_or(started);
        let is_overdue = !young(at, view.now, view.overdue);
        if is_overdue {
            since = Some(since.map_or(at, |s: DateTime<Utc>| s.min(at)));
        }
        is_overdue
    };
    let last = view.scope.last_pass.as_ref();
    let problems = last.and_then(|pass| pass.problems.first());
    if overdue(last.map(|pass| pass.at)) {
        faults.push(format!("no pass ended in {minutes} minutes"));
    }
    // What fails to be written is told of its target.
    match last.map(|pass| pass.outcome) {
        Some(PassOutcome::Partial) => {
            faults.push(format!(
                "part of the world can not be read{}",
                said(problems)
            ));
        }
        Some(PassOutcome::Refused) => {
            faults.push(format!("the plan was refused{}", said(problems)));
        }
        Some(
            PassOutcome::Converged
            | PassOutcome::Changed
            | PassOutcome::Observed
            | PassOutcome::Waiting
            | PassOutcome::Failed
            | PassOutcome::Cancelled,
        )
        | None => {}
    }
    if overdue(view.scope.watch.at) {
        let problems = view.scope.watch.problems.first();
        faults.push(format!(
            "metrics, alarms and activities were not read in {minutes} minutes{}",
            said(problems)
        ));
    }
    if faults.is_empty() {
        Condition::Clear
    } else {
        Condition::met(faults.join("; ")).since(since)
    }
}
