//! A change that was made, as a line of the journal.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::words::{change_text, reason_text};
use crate::domain::{
    Action, Bounds, Change, ObservedPolicyKind, ObservedSchedule, ObservedTarget, PolicyKind,
    ScopeName, Suspension, TargetId,
};

/// A write and what came of it: `problem` is why it failed.
#[must_use]
pub fn journal_json(
    at: DateTime<Utc>,
    scope: &ScopeName,
    target: &TargetId,
    action: &Action,
    problem: Option<&str>,
) -> Value {
    let (before, after) = sides(&action.change);
    json!({
        "at": at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "scope": scope.as_str(),
        "target": target.to_string(),
        "action": action.change.label(),
        "name": action.change.subject(),
        "outcome": if problem.is_none() { "ok" } else { "failed" },
        "problem": problem,
        "kind": action.reason.label(),
        "reason": reason_text(action),
        "change": change_text(action),
        "before": before,
        "after": after,
    })
}

/// What stood there, and what stands there now.
fn sides(change: &Change) -> (Value, Value) {
    match change {
        Change::Register {
            bounds,
            suspended,
            previous,
            ..
        } => {
            let kept = previous.as_ref().map(|held| held.suspended);
            let after = registration(*bounds, suspended.or(kept).unwrap_or_default());
            (previous.as_ref().map_or(Value::Null, held), after)
        }
        Change::Deregister { previous } => (held(previous), Value::Null),
        Change::PutPolicy { policy, previous } => (
            previous.as_ref().map_or(Value::Null, held_policy),
            json!(policy.kind.to_string()),
        ),
        Change::PutAlarm { rule, .. } => (Value::Null, json!(rule.to_string())),
        Change::DeletePolicy { type_name, .. } => (json!(type_name), Value::Null),
        Change::PutSchedule { action, previous } => (
            previous.as_ref().map_or(Value::Null, held_schedule),
            json!(action.to_string()),
        ),
        Change::DeleteAlarm { name } | Change::DeleteSchedule { name } => {
            (json!(name), Value::Null)
        }
        Change::EndLease { kind, .. } => (json!(kind.word()), Value::Null),
    }
}

fn registration(bounds: Bounds, suspended: Suspension) -> Value {
    json!({
        "min": bounds.min().get(),
        "max": bounds.max().get(),
        "suspended": suspended.to_string(),
    })
}

fn held(target: &ObservedTarget) -> Value {
    json!({
        "min": target.min.get(),
        "max": target.max.get(),
        "suspended": target.suspended.to_string(),
    })
}

fn held_policy(kind: &ObservedPolicyKind) -> Value {
    match kind {
        ObservedPolicyKind::TargetTracking(tracking) => {
            json!(PolicyKind::TargetTracking(tracking.clone()).to_string())
        }
        ObservedPolicyKind::Step(_)
        | ObservedPolicyKind::OtherTracking
        | ObservedPolicyKind::OtherStep
        | ObservedPolicyKind::Other(_) => json!(kind.type_name()),
    }
}

fn held_schedule(action: &ObservedSchedule) -> Value {
    json!({
        "expression": action.expression,
        "timezone": action.zone,
        "min": action.min.map(crate::domain::Capacity::get),
        "max": action.max.map(crate::domain::Capacity::get),
    })
}
