//! Scalable targets and their policies, as Application Auto Scaling keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::activity::{Activities, Reason};
use super::scheduled::ScheduledAction;
use super::series::MetricKey;
use super::stats::Stat;
use super::time::{Instant, Span};

/// The key of a target: resource id and dimension.
pub(crate) type TargetKey = (String, String);

/// The dimension of a variant's instances.
pub(crate) const INSTANCES: &str = "sagemaker:variant:DesiredInstanceCount";
/// The dimension of a serverless variant's provisioned concurrency.
pub(crate) const CONCURRENCY: &str = "sagemaker:variant:DesiredProvisionedConcurrency";
/// The dimension of an inference component's copies.
pub(crate) const COPIES: &str = "sagemaker:inference-component:DesiredCopyCount";

/// What a target scales. Each has the number that it had when it was registered; one that was made again under the
/// same name has another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Instances of a variant, or its provisioned concurrency.
    Variant {
        endpoint: String,
        variant: String,
        index: usize,
    },
    /// Copies of an inference component.
    Component { name: String, index: usize },
}

impl Resource {
    /// The endpoint and the variant, if it is one.
    pub(crate) fn variant(&self) -> Option<(&str, &str)> {
        match self {
            Self::Variant {
                endpoint, variant, ..
            } => Some((endpoint, variant)),
            Self::Component { .. } => None,
        }
    }
}

/// Which kinds of scaling are suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Suspended {
    pub(crate) scale_in: bool,
    pub(crate) scale_out: bool,
    pub(crate) scheduled: bool,
}

/// A registered target.
#[derive(Debug, Clone)]
pub(crate) struct ScalableTarget {
    pub(crate) resource_id: Arc<str>,
    pub(crate) dimension: Arc<str>,
    pub(crate) resource: Resource,
    pub(crate) arn: String,
    /// Part of every policy ARN of this registration; a new registration gets a new one.
    pub(crate) uuid: String,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) suspended: Suspended,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Instant,
    /// Until then puts may not see the registration.
    pub(crate) visible_from: Instant,
    pub(crate) policies: BTreeMap<String, usize>,
    /// Scheduled actions by name.
    pub(crate) actions: BTreeMap<Arc<str>, ScheduledAction>,
    /// When the last of its scheduled actions that have come due runs: the next one does not overtake it.
    pub(crate) busy_until: Instant,
    /// The last reason for not scaling: identical ones in a row are recorded once.
    pub(crate) last_reason: Option<Reason>,
}

/// The metric of a target-tracking policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tracked {
    /// One metric, predefined or custom.
    Metric {
        key: MetricKey,
        stat: Stat,
        unit: Option<String>,
        period: Span,
    },
    /// Metric math: the queries as put.
    Math(serde_json::Value),
}

/// A target-tracking configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tracking {
    pub(crate) target: f64,
    pub(crate) tracked: Tracked,
    pub(crate) scale_out_cooldown: Option<i64>,
    pub(crate) scale_in_cooldown: Option<i64>,
    pub(crate) disable_scale_in: bool,
    /// `PredefinedMetricSpecification` and `CustomizedMetricSpecification` as put.
    pub(crate) predefined: Option<serde_json::Value>,
    pub(crate) customized: Option<serde_json::Value>,
}

/// How a step changes capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adjustment {
    Change,
    Exact,
    PercentChange,
}

impl Adjustment {
    pub(crate) const ALL: [Self; 3] = [Self::Change, Self::PercentChange, Self::Exact];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Change => "ChangeInCapacity",
            Self::Exact => "ExactCapacity",
            Self::PercentChange => "PercentChangeInCapacity",
        }
    }
}

/// One step: an interval relative to the alarm's threshold, and what to do in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) lower: Option<f64>,
    pub(crate) upper: Option<f64>,
    pub(crate) adjustment: i64,
}

/// A step-scaling configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stepping {
    pub(crate) adjustment: Adjustment,
    pub(crate) steps: Vec<Step>,
    pub(crate) min_magnitude: Option<i64>,
    pub(crate) cooldown: Option<i64>,
    /// `Average`, `Minimum` or `Maximum`; nothing means the first.
    pub(crate) aggregation: Option<String>,
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PolicyKind {
    Tracking(Tracking),
    Stepping(Stepping),
}

/// A scale-out cooldown: until when, and how much was added that later proposals must be credited with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutCooldown {
    pub(crate) until: Instant,
    pub(crate) added: u32,
}

/// A policy.
#[derive(Debug, Clone)]
pub(crate) struct ScalingPolicy {
    pub(crate) target: usize,
    pub(crate) name: Arc<str>,
    pub(crate) arn: String,
    /// The action of its own alarms: the ARN with a suffix.
    pub(crate) alarm_action: String,
    pub(crate) created: Instant,
    pub(crate) kind: PolicyKind,
    /// Names of the alarms that AWS made for it, high one first. A name stays here when the alarm is deleted by hand.
    pub(crate) alarms: Vec<String>,
    pub(crate) out_cooldown: Option<OutCooldown>,
    pub(crate) in_cooldown_until: Option<Instant>,
}

/// What a running activity will mean for cooldowns when it succeeds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    pub(crate) policy: usize,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// Everything that Application Auto Scaling keeps.
#[derive(Debug, Default)]
pub(crate) struct Scaling {
    pub(crate) targets: Vec<Option<ScalableTarget>>,
    pub(crate) target_of: BTreeMap<TargetKey, usize>,
    pub(crate) policies: Vec<Option<ScalingPolicy>>,
    /// Policies by what an alarm may name as its action: the ARN, with or without suffix.
    pub(crate) policy_of_action: BTreeMap<String, usize>,
    /// Targets that have scheduled actions: the others cost nothing.
    pub(crate) scheduled: BTreeSet<usize>,
    /// Numbers the timings of scheduled actions.
    pub(crate) next_timing: u64,
    pub(crate) activities: Activities,
    /// Activities whose capacity change runs.
    pub(crate) in_flight: BTreeMap<u64, InFlight>,
    /// When each target was last written, as long as writes can be in each other's way.
    pub(crate) written: BTreeMap<TargetKey, Instant>,
}

impl Scaling {
    pub(crate) fn target(&self, index: usize) -> Option<&ScalableTarget> {
        self.targets.get(index)?.as_ref()
    }

    pub(crate) fn target_mut(&mut self, index: usize) -> Option<&mut ScalableTarget> {
        self.targets.get_mut(index)?.as_mut()
    }

    pub(crate) fn policy(&self, index: usize) -> Option<&ScalingPolicy> {
        self.policies.get(index)?.as_ref()
    }

    pub(crate) fn policy_mut(&mut self, index: usize) -> Option<&mut ScalingPolicy> {
        self.policies.get_mut(index)?.as_mut()
    }

    pub(crate) fn find(&self, resource_id: &str, dimension: &str) -> Option<usize> {
        self.target_of
            .get(&(resource_id.to_owned(), dimension.to_owned()))
            .copied()
    }

    /// Targets in order of their key.
    pub(crate) fn targets_by_key(&self) -> impl Iterator<Item = &ScalableTarget> {
        self.target_of
            .values()
            .filter_map(|index| self.target(*index))
    }

    /// Policies of a target in order of name.
    pub(crate) fn policies_of<'a>(
        &'a self,
        target: &'a ScalableTarget,
    ) -> impl Iterator<Item = (usize, &'a ScalingPolicy)> {
        target
            .policies
            .values()
            .filter_map(|index| Some((*index, self.policy(*index)?)))
    }

    /// Takes a policy out. The names of its alarms are returned, for the caller to delete those that AWS owns.
    pub(crate) fn remove_policy(&mut self, index: usize) -> Vec<String> {
        let Some(policy) = self.policies.get_mut(index).and_then(Option::take) else {
            return Vec::new();
        };
        self.policy_of_action.remove(&policy.arn);
        self.policy_of_action.remove(&policy.alarm_action);
        if let Some(target) = self.target_mut(policy.target) {
            target.policies.remove(&*policy.name);
        }
        policy.alarms
    }

    /// Takes a target out with its policies. The names of the alarms to delete are returned.
    pub(crate) fn remove_target(&mut self, index: usize) -> Vec<String> {
        let policies: Vec<usize> = self
            .target(index)
            .map(|t| t.policies.values().copied().collect())
            .unwrap_or_default();
        let alarms = policies
            .into_iter()
            .flat_map(|p| self.remove_policy(p))
            .collect();
        if let Some(target) = self.targets.get_mut(index).and_then(Option::take) {
            let key = (target.resource_id.to_string(), target.dimension.to_string());
            self.target_of.remove(&key);
            self.scheduled.remove(&index);
        }
        alarms
    }
}
