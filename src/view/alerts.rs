//! Alerts in words and as JSON.

use serde_json::{Value, json};

use crate::domain::{Alert, AlertKey, AlertState, Alerts, FleetSnapshot, Subject};

/// An alert in one line, with its subject.
#[must_use]
pub fn alert_text(key: &AlertKey, alert: &Alert) -> String {
    let (subject, kind) = (&key.subject, key.kind);
    match alert.state {
        AlertState::Pending => format!("{subject}: {kind} (pending): {}", because(alert)),
        AlertState::Firing { .. } => format!("{subject}: {kind}: {}", because(alert)),
        AlertState::Resolved { at } => {
            let minutes = at.signed_duration_since(alert.since).num_minutes();
            format!(
                "{subject}: {kind} is over after {minutes} min (it was: {})",
                alert.reason
            )
        }
    }
}

/// What is wrong, and why.
fn because(alert: &Alert) -> String {
    let inhibited = alert
        .inhibited_by
        .map(|kind| format!(" (inhibited by {kind})"))
        .unwrap_or_default();
    let silenced = alert.silenced.as_ref();
    let silenced = silenced
        .map(|why| format!(" (silenced: {why})"))
        .unwrap_or_default();
    match &alert.cause {
        Some(cause) => format!(
            "{}; likely cause: {cause}{inhibited}{silenced}",
            alert.reason
        ),
        None => format!("{}{inhibited}{silenced}", alert.reason),
    }
}

/// Alerts that are not over, those that fire first, in one line each.
#[must_use]
pub fn alert_lines(alerts: &Alerts) -> Vec<(AlertState, String)> {
    let is_over = |alert: &Alert| matches!(alert.state, AlertState::Resolved { .. });
    let mut standing: Vec<_> = alerts.iter().filter(|(_, alert)| !is_over(alert)).collect();
    standing.sort_by_key(|(key, alert)| {
        let quiet = alert.state == AlertState::Pending || !alert.is_told();
        (quiet, key.kind.urgency(), key.kind)
    });
    standing
        .into_iter()
        .map(|(key, alert)| (alert.state, alert_text(key, alert)))
        .collect()
}

/// Alerts of a scope as JSON.
#[must_use]
pub fn alerts_json(alerts: &Alerts) -> Value {
    let one = |(key, alert): (&AlertKey, &Alert)| {
        let subject = match &key.subject {
            Subject::Scope => Value::Null,
            Subject::Endpoint(endpoint) => json!(endpoint.as_str()),
            Subject::Target(target) => json!(target.to_string()),
        };
        let (fired, resolved) = match alert.state {
            AlertState::Pending => (None, None),
            AlertState::Firing { since } => (Some(since), None),
            AlertState::Resolved { at } => (None, Some(at)),
        };
        json!({
            "alert": key.kind.name(),
            "urgency": key.kind.urgency().label(),
            "subject": subject,
            "state": alert.state.label(),
            "since": alert.since.to_rfc3339(),
            "fired": fired.map(|at| at.to_rfc3339()),
            "resolved": resolved.map(|at| at.to_rfc3339()),
            "reason": alert.reason,
            "cause": alert.cause,
            "silenced": alert.silenced,
            "inhibited_by": alert.inhibited_by.map(crate::domain::AlertKind::name),
        })
    };
    alerts.iter().map(one).collect()
}

/// How the fleet stands, in a line for `systemctl status`.
#[must_use]
pub fn status_line(fleet: &FleetSnapshot) -> String {
    let scopes = fleet.scopes.values();
    let targets: usize = scopes.clone().map(|scope| scope.targets.len()).sum();
    let waits = scopes.clone().filter(|scope| !scope.observed_once).count();
    if waits > 0 {
        return format!("waiting for the first complete look at AWS, in {waits} scopes");
    }
    let alerts = scopes.flat_map(|scope| scope.alerts.values());
    let firing = alerts.filter(|a| a.is_told() && matches!(a.state, AlertState::Firing { .. }));
    let problem = fleet.config.problem.as_ref();
    let problem = problem
        .map(|_| "; the config was not reloaded")
        .unwrap_or_default();
    format!("{targets} targets, {} alerts{problem}", firing.count())
}
