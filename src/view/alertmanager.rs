//! Alerts as Alertmanager's API v2 takes them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::domain::{Alert, AlertKey, AlertState, FleetSnapshot, ScopeName, Subject};

/// Alerts that fire as entries for the body of `POST /api/v2/alerts`, each by what identifies it.
///
/// `now` is by the clock that the snapshot goes by, and `wall` by that of the receiver: a sandbox's days may pass in
/// minutes. What fires has no end: it is sent again and again, and Alertmanager ends it when that stops.
#[must_use]
pub fn alertmanager_alerts(
    fleet: &FleetSnapshot,
    now: DateTime<Utc>,
    wall: DateTime<Utc>,
) -> BTreeMap<String, Value> {
    let scopes = fleet.scopes.iter();
    let alerts = scopes.flat_map(|(name, scope)| {
        let told = scope.alerts.iter().filter(|(_, a)| a.is_told());
        told.filter_map(move |(key, alert)| {
            let id = format!("{name} {} {}", key.kind, key.subject);
            Some((id, one(name, key, alert, now, wall)?))
        })
    });
    alerts.collect()
}

fn one(
    scope: &ScopeName,
    key: &AlertKey,
    alert: &Alert,
    now: DateTime<Utc>,
    wall: DateTime<Utc>,
) -> Option<Value> {
    if !matches!(alert.state, AlertState::Firing { .. }) {
        return None;
    }
    let ago = now.signed_duration_since(alert.since);
    let began = wall.checked_sub_signed(ago).unwrap_or(wall);
    let mut labels = Map::from_iter([
        ("alertname".to_owned(), json!(key.kind.name())),
        ("severity".to_owned(), json!(key.kind.urgency().label())),
        ("scope".to_owned(), json!(scope.as_str())),
        ("job".to_owned(), json!("evenkeel")),
    ]);
    for (label, value) in subject_labels(&key.subject) {
        labels.insert(label.to_owned(), json!(value));
    }
    let mut annotations = Map::from_iter([
        (
            "summary".to_owned(),
            json!(format!("{}: {}", key.subject, key.kind)),
        ),
        ("description".to_owned(), json!(alert.reason)),
        (
            "runbook".to_owned(),
            json!(format!("docs/runbooks/{}.md", key.kind)),
        ),
    ]);
    if let Some(cause) = &alert.cause {
        annotations.insert("cause".to_owned(), json!(cause));
    }
    Some(json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": began.to_rfc3339_opts(SecondsFormat::Millis, true),
    }))
}

pub(super) fn subject_labels(subject: &Subject) -> Vec<(&'static str, String)> {
    match subject {
        Subject::Scope => Vec::new(),
        Subject::Endpoint(endpoint) => vec![("endpoint", endpoint.to_string())],
        Subject::Target(target) => {
            let labels = [
                ("endpoint", target.endpoint().map(ToString::to_string)),
                ("variant", target.variant().map(ToString::to_string)),
                ("component", target.component().map(ToString::to_string)),
            ];
            let given = labels.into_iter();
            given
                .filter_map(|(label, value)| Some((label, value?)))
                .collect()
        }
    }
}
