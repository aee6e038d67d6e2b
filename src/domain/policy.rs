//! Scaling policies as declared.

use super::metric::Metric;
use super::name::PolicyName;
use super::value::{Cooldown, TargetValue};

/// A target-tracking policy: hold a metric at a value by scaling in proportion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTracking {
    /// What is tracked.
    pub metric: Metric,
    /// The value to hold it at, in the metric's unit.
    pub target: TargetValue,
    /// Starts when a scale-out completes; during it only what exceeds the capacity already added is added.
    pub scale_out_cooldown: Cooldown,
    /// Starts when a scale-in completes; a scale-out ends it at once.
    pub scale_in_cooldown: Cooldown,
    /// Whether this policy may never remove capacity.
    pub disable_scale_in: bool,
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyKind {
    /// Target tracking.
    TargetTracking(TargetTracking),
}

/// A policy as declared: its name, unique on its target, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The name. AWS can not rename a policy.
    pub name: PolicyName,
    /// What it does.
    pub kind: PolicyKind,
}

impl Policy {
    /// The metric that this policy tracks, if it tracks one.
    #[must_use]
    pub fn tracked_metric(&self) -> Option<&Metric> {
        match &self.kind {
            PolicyKind::TargetTracking(tracking) => Some(&tracking.metric),
        }
    }
}
