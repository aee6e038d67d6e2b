//! Gauges made from the fleet snapshot at scrape time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use super::alerts::AlertGauges;
use super::metrics::{Fault, TARGET, target_values};
use super::signals::SignalGauges;
use crate::domain::{
    Capacity, FleetSnapshot, Mode, PolicyKind, ScopeName, ScopeSnapshot, Severity, TargetId,
    TargetSnapshot,
};

/// The gauges of one scrape.
struct Gauges {
    capacity_current: GaugeVec,
    capacity_desired: GaugeVec,
    capacity_min: GaugeVec,
    capacity_max: GaugeVec,
    at_max: GaugeVec,
    metric_value: GaugeVec,
    metric_target: GaugeVec,
    utilization: GaugeVec,
    write_failures: GaugeVec,
    conflict: GaugeVec,
    asked: Asked,
    alerts: AlertGauges,
    signals: SignalGauges,
    unscaled: GaugeVec,
    targets: GaugeVec,
    last_success: GaugeVec,
    last_watch: GaugeVec,
    ready: GaugeVec,
    enforcing: GaugeVec,
    config_loaded: GaugeVec,
}

const POLICY: [&str; 5] = [TARGET[0], TARGET[1], TARGET[2], TARGET[3], "policy"];

/// What people and schedules ask for, and what the lint objects to.
struct Asked {
    findings: GaugeVec,
    hold_until: GaugeVec,
    override_until: GaugeVec,
    schedule_next: GaugeVec,
    schedule_last: GaugeVec,
}

pub(super) fn gauge(name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Fault> {
    GaugeVec::new(Opts::new(format!("evenkeel_{name}"), help), labels)
}

impl Asked {
    fn new() -> Result<Self, Fault> {
        Ok(Self {
            findings: gauge(
                "target_findings",
                "What the lint objects to about the target, in the config and in AWS, by severity.",
                &FINDINGS,
            )?,
            hold_until: gauge(
                "target_hold_until_timestamp_seconds",
                "When the hold on the target ends, or should have ended. Absent without a hold.",
                &TARGET,
            )?,
            override_until: gauge(
                "target_override_until_timestamp_seconds",
                "When the override of the target's bounds ends, or should have ended. Absent without one.",
                &TARGET,
            )?,
            schedule_next: gauge(
                "schedule_next_timestamp_seconds",
                "When schedules next change the target's bounds, or may. Absent when they never do.",
                &TARGET,
            )?,
            schedule_last: gauge(
                "schedule_last_timestamp_seconds",
                "When schedules last changed the target's bounds since this process began. Absent before that.",
                &TARGET,
            )?,
        })
    }
}

const FINDINGS: [&str; 5] = [TARGET[0], TARGET[1], TARGET[2], TARGET[3], "severity"];

impl Gauges {
    fn new() -> Result<Self, Fault> {
        Ok(Self {
            capacity_current: gauge(
                "target_capacity_current",
                "Capacity in service, in the target's unit, when the last pass looked.",
                &TARGET,
            )?,
            capacity_desired: gauge(
                "target_capacity_desired",
                "Capacity asked for, in the target's unit, when the last pass looked.",
                &TARGET,
            )?,
            capacity_min: gauge(
                "target_capacity_min",
                "The minimum that should hold now.",
                &TARGET,
            )?,
            capacity_max: gauge(
                "target_capacity_max",
                "The maximum that should hold now.",
                &TARGET,
            )?,
            at_max: gauge(
                "target_at_max",
                "Whether the capacity in service is at the maximum (1).",
                &TARGET,
            )?,
            metric_value: gauge(
                "target_metric_value",
                "The newest complete value of the metric that a policy tracks, in its own unit. Absent without data.",
                &POLICY,
            )?,
            metric_target: gauge(
                "target_metric_target",
                "The value that a policy holds its metric at; for a step policy the threshold of its alarm.",
                &POLICY,
            )?,
            utilization: gauge(
                "target_utilization_ratio",
                "The metric's value over its target: above 1 the policy wants more capacity. Absent without data, and \
                 for step policies.",
                &POLICY,
            )?,
            write_failures: gauge(
                "target_write_failures",
                "How often in a row writes to the target have failed.",
                &TARGET,
            )?,
            conflict: gauge(
                "target_conflict",
                "Whether the target is left alone because someone keeps changing it back (1).",
                &TARGET,
            )?,
            asked: Asked::new()?,
            alerts: AlertGauges::new()?,
            signals: SignalGauges::new()?,
            unscaled: gauge(
                "unscaled_endpoints",
                "Endpoints of which no variant is declared or registered.",
                &[TARGET[0]],
            )?,
            targets: gauge(
                "targets",
                "Declared targets by the state that the last pass found them in.",
                &[TARGET[0], "state"],
            )?,
            last_success: gauge(
                "pass_last_success_timestamp_seconds",
                "When a pass last did all that it was there for; 0 before the first.",
                &[TARGET[0]],
            )?,
            last_watch: gauge(
                "watch_last_timestamp_seconds",
                "When metrics, alarms and activities were last read without error; 0 before that.",
                &[TARGET[0]],
            )?,
            ready: gauge(
                "scope_observed",
                "Whether the scope has been observed to the end since the start (1).",
                &[TARGET[0]],
            )?,
            enforcing: gauge(
                "enforcing",
                "Whether this process writes (1) or only observes (0).",
                &[],
            )?,
            config_loaded: gauge(
                "config_loaded_timestamp_seconds",
                "When the config in force was loaded.",
                &[],
            )?,
        })
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let all: [&GaugeVec; 28] = [
            &self.capacity_current,
            &self.capacity_desired,
            &self.capacity_min,
            &self.capacity_max,
            &self.at_max,
            &self.metric_value,
            &self.metric_target,
            &self.utilization,
            &self.write_failures,
            &self.conflict,
            &self.asked.findings,
            &self.asked.hold_until,
            &self.asked.override_until,
            &self.asked.schedule_next,
            &self.asked.schedule_last,
            &self.alerts.state,
            &self.alerts.reversals,
            &self.alerts.unmet,
            &self.signals.value,
            &self.signals.at,
            &self.signals.interesting,
            &self.unscaled,
            &self.targets,
            &self.last_success,
            &self.last_watch,
            &self.ready,
            &self.enforcing,
            &self.config_loaded,
        ];
        all.iter()
            .flat_map(|gauge| gauge.collect())
            .filter(|f| !f.get_metric().is_empty())
            .collect()
    }

    fn set_scope(&self, name: &ScopeName, scope: &ScopeSnapshot, now: DateTime<Utc>) {
        let label = [name.as_str()];
        self.last_success
            .with_label_values(&label)
            .set(seconds(scope.last_success));
        self.last_watch
            .with_label_values(&label)
            .set(seconds(scope.watch.at));
        self.ready
            .with_label_values(&label)
            .set(flag(scope.observed_once));
        self.unscaled
            .with_label_values(&label)
            .set(crate::num::from_usize(scope.unscaled.len()));
        self.alerts.set_scope(name, scope);
        self.signals.set_scope(name, scope);
        let mut states: BTreeMap<&str, usize> = STATES.iter().map(|state| (*state, 0)).collect();
        for (id, target) in &scope.targets {
            *states.entry(target.verdict.label()).or_default() += 1;
            self.set_target(name, id, target, scope);
            self.alerts.set_target(name, id, target, scope, now);
            self.signals.set_target(name, id, scope);
        }
        for (state, count) in states {
            let value = crate::num::from_usize(count);
            self.targets
                .with_label_values(&[name.as_str(), state])
                .set(value);
        }
    }

    fn set_target(
        &self,
        name: &ScopeName,
        id: &TargetId,
        target: &TargetSnapshot,
        scope: &ScopeSnapshot,
    ) {
        let labels = target_values(name, id);
        let bounds = target.effective.bounds;
        let running = target.running.as_ref();
        let current = running.and_then(|r| r.current);
        let set = |gauge: &GaugeVec, value: Option<f64>| {
            if let Some(value) = value {
                gauge.with_label_values(&labels).set(value);
            }
        };
        let units = |capacity: Option<Capacity>| capacity.map(|c| f64::from(c.get()));
        set(&self.capacity_current, units(current));
        set(
            &self.capacity_desired,
            units(running.and_then(|r| r.desired)),
        );
        set(&self.capacity_min, units(Some(bounds.min())));
        set(&self.capacity_max, units(Some(bounds.max())));
        set(&self.at_max, current.map(|c| flag(c >= bounds.max())));
        set(&self.conflict, Some(flag(target.conflict.is_some())));
        let failures = target.failure.as_ref().map_or(0, |failure| failure.times);
        set(&self.write_failures, Some(f64::from(failures)));
        let until = |time: Option<DateTime<Utc>>| time.map(|time| seconds(Some(time)));
        let (hold, over) = (&target.leases.hold, &target.leases.bounds);
        set(
            &self.asked.hold_until,
            until(hold.as_ref().map(|l| l.until)),
        );
        set(
            &self.asked.override_until,
            until(over.as_ref().map(|l| l.until)),
        );
        set(&self.asked.schedule_next, until(target.next_change));
        let last = target.last_change.as_ref().map(|run| run.due);
        set(&self.asked.schedule_last, until(last));
        for severity in [Severity::Warning, Severity::Notice] {
            let [scope_label, endpoint, variant, component] = &labels;
            let labels = [
                scope_label.as_str(),
                endpoint,
                variant,
                component,
                severity.label(),
            ];
            let found = target.findings.iter();
            let count = found.filter(|f| f.rule.severity() == severity).count();
            self.asked
                .findings
                .with_label_values(&labels)
                .set(crate::num::from_usize(count));
        }
        for policy in &target.policies {
            let [scope_label, endpoint, variant, component] = &labels;
            let labels = [
                scope_label.as_str(),
                endpoint,
                variant,
                component,
                policy.name.as_str(),
            ];
            let wanted = policy.aim();
            let tracks = matches!(policy.kind, PolicyKind::TargetTracking(_));
            self.metric_target.with_label_values(&labels).set(wanted);
            if let Some(point) = scope.watch.values.get(&(id.clone(), policy.name.clone())) {
                self.metric_value
                    .with_label_values(&labels)
                    .set(point.value);
                if tracks {
                    self.utilization
                        .with_label_values(&labels)
                        .set(point.value / wanted);
                }
            }
        }
    }
}

/// Values of the label `state`: every verdict, so that a state that empties reads 0.
const STATES: [&str; 10] = [
    "converged",
    "changes",
    "held",
    "endpoint_missing",
    "endpoint_busy",
    "variant_missing",
    "unseen",
    "component_missing",
    "component_busy",
    "update_prepared",
];

fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

pub(super) fn seconds(time: Option<DateTime<Utc>>) -> f64 {
    time.map_or(0.0, |t| crate::num::from_i64(t.timestamp_millis()) / 1000.0)
}

/// The families of a snapshot.
pub(super) fn families(
    fleet: &FleetSnapshot,
    now: DateTime<Utc>,
) -> Result<Vec<MetricFamily>, Fault> {
    let gauges = Gauges::new()?;
    gauges
        .enforcing
        .with_label_values::<&str>(&[])
        .set(flag(fleet.mode == Mode::Enforce));
    gauges
        .config_loaded
        .with_label_values::<&str>(&[])
        .set(seconds(Some(fleet.config.loaded)));
    for (name, scope) in &fleet.scopes {
        gauges.set_scope(name, scope, now);
    }
    Ok(gauges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EndpointStatus, Gap, Part, PreparedUpdate, Verdict, Wait};

    #[test]
    fn every_verdict_is_a_known_state() {
        let endpoint = || "chat".parse().unwrap();
        let gap = Gap {
            part: Part::Targets,
            why: String::new(),
        };
        let variant = "v".parse().unwrap();
        for verdict in [
            Verdict::Converged,
            Verdict::Changes,
            Verdict::Held,
            Verdict::Waiting(Wait::EndpointMissing(endpoint())),
            Verdict::Waiting(Wait::EndpointBusy {
                endpoint: endpoint(),
                status: EndpointStatus::Updating,
                since: DateTime::UNIX_EPOCH,
            }),
            Verdict::Waiting(Wait::VariantMissing {
                endpoint: endpoint(),
                variant,
                known: vec![],
            }),
            Verdict::Waiting(Wait::Unseen(gap)),
            Verdict::Waiting(Wait::ComponentMissing("c".parse().unwrap())),
            Verdict::Waiting(Wait::ComponentBusy {
                component: "c".parse().unwrap(),
                status: EndpointStatus::Updating,
                since: DateTime::UNIX_EPOCH,
            }),
            Verdict::Waiting(Wait::UpdatePrepared {
                endpoint: endpoint(),
                update: PreparedUpdate {
                    by: String::new(),
                    reason: String::new(),
                    since: DateTime::UNIX_EPOCH,
                    others: std::collections::BTreeSet::new(),
                },
            }),
        ] {
            assert!(STATES.contains(&verdict.label()), "{verdict:?}");
        }
    }
}
