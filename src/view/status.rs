//! The fleet at a glance, as text and as JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::alarms::alarms_of;
use super::alerts::{alert_lines, alerts_json};
use super::words::{
    activity_line, aim_text, conflict_text, happened, hold_text, leases_text, note_text,
    override_text, policy_metric, policy_type, reset_text, short, wait_text,
};
use super::{Lines, Paint, Tone, finding_json};
use crate::domain::{
    Activity, AlertState, BoundSource, Datapoint, EffectiveBounds, EndpointName, FleetSnapshot,
    Lease, Note, ScheduleOutcome, ScheduleRun, ScopeSnapshot, Signal, TargetId, TargetSnapshot,
    Verdict,
};

/// The fleet as a few lines per target.
#[must_use]
pub fn status_text(fleet: &FleetSnapshot, paint: Paint) -> String {
    let mut lines = Lines::default();
    for (name, scope) in &fleet.scopes {
        let passed = scope.last_pass.as_ref().map_or_else(
            || "no pass yet".to_owned(),
            |pass| {
                format!(
                    "pass {} {} at {}",
                    pass.number,
                    pass.outcome.label(),
                    pass.at.format(TIME)
                )
            },
        );
        lines.push(paint.paint(Tone::Strong, &format!("scope {name}: {passed}")));
        let problems = scope.last_pass.iter().flat_map(|pass| &pass.problems);
        for problem in problems.chain(&scope.watch.problems) {
            lines.push(format!("  {} {problem}", paint.paint(Tone::Bad, "!")));
        }
        for (state, text) in alert_lines(&scope.alerts) {
            let tone = match state {
                AlertState::Firing { .. } => Tone::Bad,
                AlertState::Pending | AlertState::Resolved { .. } => Tone::Change,
            };
            lines.push(format!("  {} {text}", paint.paint(tone, "alert:")));
        }
        if scope.watch.at.is_some() {
            lines.push(format!("  {}", watch_text(scope)));
        }
        for (id, target) in &scope.targets {
            target_lines(id, target, scope, paint, &mut lines);
        }
        for (id, leases) in &scope.asked {
            let now = scope
                .last_pass
                .as_ref()
                .map_or(DateTime::<Utc>::MIN_UTC, |pass| pass.at);
            for text in leases_text(leases, now) {
                lines.push(format!("  {id}, which is not in the config: {text}"));
            }
        }
        for selection in &scope.idle_selections {
            lines.push(format!("  nothing fits: {selection}"));
        }
        if !scope.unscaled.is_empty() {
            lines.push(format!(
                "  endpoints that nobody scales: {}",
                names_of(&scope.unscaled)
            ));
        }
        if !scope.unmanaged.is_empty() {
            let names: Vec<String> = scope.unmanaged.iter().map(ToString::to_string).collect();
            lines.push(format!(
                "  registered, and not in the config: {}",
                names.join(", ")
            ));
        }
    }
    lines.finish()
}

/// How much is looked at, and what that comes to.
fn watch_text(scope: &ScopeSnapshot) -> String {
    let (often, all) = (scope.watch.interesting.len(), scope.targets.len());
    let monthly = scope.watch.monthly;
    format!(
        "watched at every look: {often} of {all} targets; about ${monthly:.2} a month as things stand"
    )
}

/// What it publishes, beside what policies follow.
fn signals_text(signals: &BTreeMap<Signal, Datapoint>) -> String {
    let values = signals.iter().map(|(signal, point)| {
        let value = match signal {
            Signal::ModelLatency | Signal::OverheadLatency => format!("{:.3} s", point.value),
            Signal::Cpu | Signal::Memory | Signal::Gpu | Signal::GpuMemory | Signal::Disk => {
                format!("{} %", short(point.value))
            }
            Signal::Invocations | Signal::Errors5xx | Signal::Errors4xx | Signal::NoCapacity => {
                format!("{}/min", short(point.value))
            }
            Signal::Concurrency | Signal::Backlog => short(point.value),
        };
        format!("{} {value}", signal.words())
    });
    values.collect::<Vec<_>>().join(", ")
}

/// As many names as can be read at a glance.
#[must_use]
pub fn names_of(endpoints: &[EndpointName]) -> String {
    const MOST: usize = 20;
    let shown: Vec<&str> = endpoints
        .iter()
        .take(MOST)
        .map(EndpointName::as_str)
        .collect();
    match endpoints.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

const TIME: &str = "%Y-%m-%d %H:%M:%S UTC";

fn target_lines(
    id: &TargetId,
    target: &TargetSnapshot,
    scope: &ScopeSnapshot,
    paint: Paint,
    lines: &mut Lines,
) {
    let now = scope
        .last_pass
        .as_ref()
        .map_or(DateTime::<Utc>::MIN_UTC, |pass| pass.at);
    lines.push(format!("  {}", paint.paint(Tone::Strong, &id.to_string())));
    let mut line = |what: &str, value: String| lines.push(format!("    {what:<10}{value}"));
    line("capacity", capacity_text(id, target, paint));
    line("bounds", bounds_text(target));
    line("state", verdict_text(target, paint));
    for policy in &target.policies {
        let value = scope.watch.values.get(&(id.clone(), policy.name.clone()));
        let value = value.map_or_else(|| "no data".to_owned(), |point| short(point.value));
        let alarms: Vec<String> = alarms_of(target, scope, &policy.name)
            .into_iter()
            .map(|view| {
                let (tone, text) = view.text();
                format!("{} {}", view.side, paint.paint(tone, &text))
            })
            .collect();
        let alarms = if target.is_unseen() {
            "alarms unknown".to_owned()
        } else if alarms.is_empty() {
            "no alarms".to_owned()
        } else {
            alarms.join(", ")
        };
        line(
            "policy",
            format!("{}: {}; {alarms}", policy.name, aim_text(policy, &value)),
        );
    }
    if let Some(signals) = scope.watch.signals.get(id).filter(|s| !s.is_empty()) {
        line("signals", signals_text(signals));
    }
    if let Some(activity) = scope.watch.activities.get(id) {
        line(
            "activity",
            format!(
                "{}: {}",
                happened(activity).format(TIME),
                activity_line(activity)
            ),
        );
    }
    if let Some(refusal) = scope.watch.refusals.get(id) {
        line(
            "refusal",
            format!(
                "{}: {}",
                refusal.started.format(TIME),
                activity_line(refusal)
            ),
        );
    }
    for text in leases_text(&target.leases, now) {
        line("asked", paint.paint(Tone::Change, &text));
    }
    if let Some((from, to)) = target.at_end {
        line(
            "at end",
            format!("AWS will pull the running capacity from {from} to {to}"),
        );
    }
    if let Some(reset) = &target.reset {
        line("reset", paint.paint(Tone::Bad, &reset_text(reset)));
    }
    let is_said = |note: &&Note| !matches!(note, Note::Held(_) | Note::Overridden(_));
    for note in target.notes.iter().filter(is_said) {
        line("note", note_text(note));
    }
    for finding in &target.findings {
        let policy = finding.policy.as_ref();
        let policy = policy.map_or_else(String::new, |name| format!("policy `{name}`: "));
        let (rule, what) = (finding.rule, &finding.what);
        line("finding", format!("{rule}: {policy}{what}"));
    }
    if let Some(conflict) = &target.conflict {
        line("conflict", paint.paint(Tone::Bad, &conflict_text(conflict)));
    }
    if let Some(failure) = &target.failure {
        let times = if failure.times == 1 {
            "once".to_owned()
        } else {
            format!("{} times", failure.times)
        };
        let next = failure.retry_at.format(TIME);
        line(
            "failing",
            paint.paint(
                Tone::Bad,
                &format!("{times}, next try {next}: {}", failure.error),
            ),
        );
    }
}

fn capacity_text(id: &TargetId, target: &TargetSnapshot, paint: Paint) -> String {
    let Some(running) = &target.running else {
        return paint.paint(Tone::Dim, "unknown");
    };
    let number = |c: Option<crate::domain::Capacity>| c.map_or("?".to_owned(), |c| c.to_string());
    let (current, desired) = (number(running.current), number(running.desired));
    let mut text = if current == desired {
        current
    } else {
        format!("{current} -> {desired}")
    };
    if running.current == Some(target.effective.bounds.max()) {
        text.push_str(&paint.paint(Tone::Change, " (at max)"));
    }
    match &target.endpoint {
        Some(status) if id.component().is_some() => format!("{text}, component {status}"),
        Some(status) => format!("{text}, endpoint {status}"),
        None => text,
    }
}

fn bounds_text(target: &TargetSnapshot) -> String {
    let due = target.effective.bounds;
    match &target.registered {
        None if target.is_unseen() => format!("{due}; what AWS holds could not be read"),
        None => format!("{due}; not registered"),
        Some(held) => {
            let mut parts = vec![due.to_string()];
            parts.extend(sources_text(&target.effective));
            let next = target
                .next_change
                .map(|at| format!("next change {}", at.format(TIME)));
            parts.extend(next);
            parts.extend(target.last_change.as_ref().and_then(late_text));
            if (held.min, held.max) != (due.min(), due.max()) {
                parts.push(format!("AWS holds {}..{}", held.min, held.max));
            }
            if held.suspended.any() {
                parts.push(format!("suspended: {}", held.suspended));
            }
            parts.join("; ")
        }
    }
}

/// A change by a schedule that did not come out.
fn late_text(run: &ScheduleRun) -> Option<String> {
    let due = run.due.format(TIME);
    match run.outcome {
        ScheduleOutcome::Applied | ScheduleOutcome::Found => None,
        ScheduleOutcome::Mended => Some(format!("AWS missed the change due {due}; it was mended")),
        ScheduleOutcome::Waiting => Some(format!("the change due {due} is still to be made")),
        ScheduleOutcome::Failed => Some(format!("the change due {due} failed, and is tried again")),
        ScheduleOutcome::Missed => Some(format!("the change due {due} was never made")),
    }
}

fn run_json(run: &ScheduleRun) -> Value {
    json!({
        "due": run.due.to_rfc3339(),
        "outcome": run.outcome.label(),
        "at": run.at.to_rfc3339(),
        "late_seconds": run.late().as_seconds_f64(),
    })
}

/// Why the bounds are where they are, when that is not the config's bounds.
fn sources_text(effective: &EffectiveBounds) -> Option<String> {
    let (min, max) = (&effective.min_source, &effective.max_source);
    match (min, max) {
        (BoundSource::Base, BoundSource::Base) => None,
        (min, max) if min == max => Some(format!("by {min}")),
        (min, max) => Some(format!("min by {min}, max by {max}")),
    }
}

fn verdict_text(target: &TargetSnapshot, paint: Paint) -> String {
    match &target.verdict {
        Verdict::Converged => paint.paint(Tone::Good, "as declared"),
        Verdict::Changes => paint.paint(Tone::Change, "differs from the config"),
        Verdict::Waiting(wait) => wait_text(wait),
        Verdict::Held => paint.paint(Tone::Bad, "held"),
    }
}

/// The fleet as JSON.
#[must_use]
pub fn status_json(fleet: &FleetSnapshot) -> Value {
    let scopes: Map<String, Value> = fleet
        .scopes
        .iter()
        .map(|(name, scope)| (name.to_string(), scope_json(scope)))
        .collect();
    json!({
        "mode": fleet.mode.label(),
        "config": { "loaded": fleet.config.loaded.to_rfc3339(), "problem": fleet.config.problem },
        "scopes": scopes,
    })
}

fn scope_json(scope: &ScopeSnapshot) -> Value {
    let pass = scope.last_pass.as_ref().map(|pass| {
        json!({
            "number": pass.number,
            "reason": pass.reason.label(),
            "at": pass.at.to_rfc3339(),
            "outcome": pass.outcome.label(),
            "done": pass.done,
            "failed": pass.failed,
            "problems": pass.problems,
        })
    });
    json!({
        "pass": pass,
        "targets": scope.targets.iter().map(|(id, t)| target_json(id, t, scope)).collect::<Vec<_>>(),
        "unmanaged": scope.unmanaged.iter().map(TargetId::resource_id).collect::<Vec<_>>(),
        "unscaled_endpoints": scope.unscaled.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "problems": scope.watch.problems,
        "alerts": alerts_json(&scope.alerts),
        "watch": {
            "at": scope.watch.at.map(|at| at.to_rfc3339()),
            "interesting": scope.watch.interesting.len(),
            "dollars_a_month": (scope.watch.monthly * 100.0).round() / 100.0,
        },
    })
}

fn signals_json(signals: Option<&BTreeMap<Signal, Datapoint>>) -> Value {
    let signals = signals.into_iter().flatten().map(|(signal, point)| {
        let value = json!({ "value": point.value, "at": point.at.to_rfc3339() });
        (signal.name().to_owned(), value)
    });
    Value::Object(signals.collect())
}

fn lease_json<T>(lease: &Lease<T>, text: &str) -> Value {
    json!({
        "what": text,
        "by": lease.by,
        "reason": lease.reason,
        "since": lease.since.to_rfc3339(),
        "until": lease.until.to_rfc3339(),
    })
}

fn activity_json(activity: &Activity) -> Value {
    json!({
        "what": activity_line(activity),
        "status": activity.status.label(),
        "started": activity.started.to_rfc3339(),
        "ended": activity.ended.map(|t| t.to_rfc3339()),
    })
}

fn target_json(id: &TargetId, target: &TargetSnapshot, scope: &ScopeSnapshot) -> Value {
    let policies: Vec<Value> = target
        .policies
        .iter()
        .map(|policy| {
            let value = scope.watch.values.get(&(id.clone(), policy.name.clone()));
            let alarms: Map<String, Value> = alarms_of(target, scope, &policy.name)
                .into_iter()
                .map(|view| (view.side.to_owned(), view.json()))
                .collect();
            json!({
                "name": policy.name.as_str(),
                "type": policy_type(policy),
                "metric": policy_metric(policy),
                "target": policy.aim(),
                "value": value.map(|point| point.value),
                "alarms": alarms,
            })
        })
        .collect();
    let capacity = |c: Option<crate::domain::Capacity>| c.map(crate::domain::Capacity::get);
    json!({
        "target": id.resource_id(),
        "dimension": id.dimension().aws_name(),
        "signals": signals_json(scope.watch.signals.get(id)),
        "endpoint_status": target.endpoint.as_ref().map(ToString::to_string),
        "capacity": {
            "current": capacity(target.running.as_ref().and_then(|r| r.current)),
            "desired": capacity(target.running.as_ref().and_then(|r| r.desired)),
        },
        "bounds": {
            "min": target.effective.bounds.min().get(),
            "max": target.effective.bounds.max().get(),
            "min_source": target.effective.min_source.label(),
            "max_source": target.effective.max_source.label(),
            "min_by": target.effective.min_source.to_string(),
            "max_by": target.effective.max_source.to_string(),
            "next_change": target.next_change.map(|at| at.to_rfc3339()),
            "last_change": target.last_change.as_ref().map(run_json),
            "registered": target.registered.as_ref().map(|t| [t.min.get(), t.max.get()]),
        },
        "suspended": target.registered.as_ref().map(|t| json!({
            "scale_in": t.suspended.scale_in,
            "scale_out": t.suspended.scale_out,
            "scheduled": t.suspended.scheduled,
        })),
        "verdict": target.verdict.label(),
        "policies": policies,
        "last_activity": scope.watch.activities.get(id).map(activity_json),
        "last_refusal": scope.watch.refusals.get(id).map(activity_json),
        "notes": target.notes.iter().map(note_text).collect::<Vec<_>>(),
        "hold": target.leases.hold.as_ref().map(|l| lease_json(l, &hold_text(l))),
        "override": target.leases.bounds.as_ref().map(|l| lease_json(l, &override_text(l))),
        "at_end": target.at_end.map(|(from, to)| json!({ "from": from.get(), "to": to.get() })),
        "capacity_reset": target.reset.as_ref().map(reset_text),
        "findings": target.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "conflict": target.conflict.as_ref().map(conflict_text),
        "failing": target.failure.as_ref().map(|f| f.error.clone()),
    })
}
