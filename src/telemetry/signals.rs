//! Gauges of what targets publish beside the metrics that policies follow.

use prometheus::GaugeVec;

use super::fleet::{gauge, seconds};
use super::metrics::{Fault, TARGET, target_values};
use crate::domain::{ScopeName, ScopeSnapshot, TargetId};

/// The gauges.
pub(super) struct SignalGauges {
    pub(super) value: GaugeVec,
    pub(super) at: GaugeVec,
    pub(super) interesting: GaugeVec,
}

const SIGNAL: [&str; 5] = [TARGET[0], TARGET[1], TARGET[2], TARGET[3], "signal"];

impl SignalGauges {
    pub(super) fn new() -> Result<Self, Fault> {
        Ok(Self {
            value: gauge(
                "target_signal_value",
                "The newest complete value of what the target publishes, in the unit that the signal's name says. \
                 Absent without data.",
                &SIGNAL,
            )?,
            at: gauge(
                "target_signal_timestamp_seconds",
                "The minute that this value is of.",
                &SIGNAL,
            )?,
            interesting: gauge(
                "watch_interesting_targets",
                "Targets of which metrics are read at every look; those of the others are read rarely.",
                &[TARGET[0]],
            )?,
        })
    }

    pub(super) fn set_scope(&self, name: &ScopeName, scope: &ScopeSnapshot) {
        self.interesting
            .with_label_values(&[name.as_str()])
            .set(crate::num::from_usize(scope.watch.interesting.len()));
    }

    pub(super) fn set_target(&self, name: &ScopeName, id: &TargetId, scope: &ScopeSnapshot) {
        let Some(signals) = scope.watch.signals.get(id) else {
            return;
        };
        let [scope_label, endpoint, variant, component] = target_values(name, id);
        for (signal, point) in signals {
            let labels = [
                scope_label.as_str(),
                &endpoint,
                &variant,
                &component,
                signal.name(),
            ];
            self.value.with_label_values(&labels).set(point.value);
            self.at
                .with_label_values(&labels)
                .set(seconds(Some(point.at)));
        }
    }
}
