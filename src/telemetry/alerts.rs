//! Gauges of alerts and of what they go by.

use chrono::{DateTime, Utc};
use prometheus::GaugeVec;

use super::fleet::gauge;
use super::metrics::{Fault, TARGET, TargetLabels, target_values};
use crate::domain::{
    AlertState, ScopeName, ScopeSnapshot, Subject, TargetId, TargetSnapshot, reversals,
    unmet_demand,
};

/// The gauges.
pub(super) struct AlertGauges {
    pub(super) state: GaugeVec,
    pub(super) reversals: GaugeVec,
    pub(super) unmet: GaugeVec,
}

const ALERT: [&str; 6] = [
    TARGET[0], TARGET[1], TARGET[2], TARGET[3], "alert", "urgency",
];

impl AlertGauges {
    pub(super) fn new() -> Result<Self, Fault> {
        Ok(Self {
            state: gauge(
                "alert_state",
                "Alerts that are pending (1) or firing (2). Absent where nothing is wrong, and for what another one \
                 says already.",
                &ALERT,
            )?,
            reversals: gauge(
                "target_reversals",
                "How often the target's capacity changed its direction within the hour.",
                &TARGET,
            )?,
            unmet: gauge(
                "target_unmet_demand",
                "Capacity that target tracking wants above the maximum, in the target's unit. Absent without a value \
                 of now.",
                &TARGET,
            )?,
        })
    }

    pub(super) fn set_scope(&self, name: &ScopeName, scope: &ScopeSnapshot) {
        for (key, alert) in scope.alerts.iter().filter(|(_, a)| a.is_told()) {
            let value = match alert.state {
                AlertState::Pending => 1.0,
                AlertState::Firing { .. } => 2.0,
                AlertState::Resolved { .. } => continue,
            };
            let [scope_label, endpoint, variant, component] = labels(name, &key.subject);
            let labels = [
                scope_label.as_str(),
                &endpoint,
                &variant,
                &component,
                key.kind.name(),
                key.kind.urgency().label(),
            ];
            self.state.with_label_values(&labels).set(value);
        }
    }

    /// `now` is the scrape's.
    pub(super) fn set_target(
        &self,
        name: &ScopeName,
        id: &TargetId,
        target: &TargetSnapshot,
        scope: &ScopeSnapshot,
        now: DateTime<Utc>,
    ) {
        let labels = target_values(name, id);
        if let Some(unmet) = unmet_demand(id, target, scope, now) {
            self.unmet.with_label_values(&labels).set(f64::from(unmet));
        }
        let changes = scope.watch.changes.get(id).map_or(&[][..], Vec::as_slice);
        self.reversals
            .with_label_values(&labels)
            .set(crate::num::from_usize(reversals(changes, now)));
    }
}

fn labels(scope: &ScopeName, subject: &Subject) -> TargetLabels {
    let none = String::new;
    match subject {
        Subject::Scope => [scope.to_string(), none(), none(), none()],
        Subject::Endpoint(endpoint) => [scope.to_string(), endpoint.to_string(), none(), none()],
        Subject::Target(target) => target_values(scope, target),
    }
}
