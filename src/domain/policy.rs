//! Scaling policies as declared.

use std::fmt;
use std::str::FromStr;

use super::alarm::{AlarmRule, UnknownWord, alarm_name};
use super::metric::{Metric, MetricData};
use super::name::{OwnerName, PolicyName};
use super::target::TargetId;
use super::value::{Cooldown, Number, TargetValue};

/// A target-tracking policy: hold a metric at a value by scaling in proportion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTracking {
    /// What is tracked.
    pub metric: Metric,
    /// The value to hold it at, in the metric's unit.
    pub target: TargetValue,
    /// The value is in percent of all cores, whose number is not known yet: it is to be multiplied by it.
    pub of_all_cores: bool,
    /// Starts when a scale-out completes; during it only what exceeds the capacity already added is added.
    pub scale_out_cooldown: Cooldown,
    /// Starts when a scale-in completes; a scale-out ends it at once.
    pub scale_in_cooldown: Cooldown,
    /// Whether this policy may never remove capacity.
    pub disable_scale_in: bool,
}

/// What the number of a step means (aws-autoscaling.md 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adjustment {
    /// Add it, or take it away.
    ChangeInCapacity,
    /// Add so many percent, or take them away.
    PercentChangeInCapacity,
    /// Go there.
    ExactCapacity,
}

impl Adjustment {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::ChangeInCapacity,
        Self::PercentChangeInCapacity,
        Self::ExactCapacity,
    ];

    /// AWS's word.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::ChangeInCapacity => "ChangeInCapacity",
            Self::PercentChangeInCapacity => "PercentChangeInCapacity",
            Self::ExactCapacity => "ExactCapacity",
        }
    }

    /// The config's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChangeInCapacity => "change",
            Self::PercentChangeInCapacity => "percent",
            Self::ExactCapacity => "exact",
        }
    }
}

impl FromStr for Adjustment {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|a| a.name() == s || a.aws_name() == s)
            .ok_or_else(|| UnknownWord(s.to_owned()))
    }
}

/// How the alarm's recent datapoints become the one number that picks a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aggregation {
    /// Their mean.
    Average,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
}

impl Aggregation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Average, Self::Minimum, Self::Maximum];

    /// AWS's word.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::Average => "Average",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }
}

impl FromStr for Aggregation {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|a| a.aws_name().eq_ignore_ascii_case(s))
            .ok_or_else(|| UnknownWord(s.to_owned()))
    }
}

/// One step: how far the metric may be from the alarm's threshold, and what is done then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Lower end, relative to the threshold; none is minus infinity.
    pub lower: Option<Number>,
    /// Upper end, relative to the threshold; none is infinity.
    pub upper: Option<Number>,
    /// The number that the policy's adjustment is about.
    pub adjustment: i32,
}

/// What `PutScalingPolicy` is told of a step policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepScaling {
    /// What the numbers of the steps mean.
    pub adjustment: Adjustment,
    /// The steps, from the lowest up.
    pub steps: Vec<Step>,
    /// The least change; only with percents.
    pub min_magnitude: Option<u32>,
    /// Starts when a scaling completes.
    pub cooldown: Cooldown,
    /// How datapoints are aggregated.
    pub aggregation: Aggregation,
}

/// A step policy together with the alarm that drives it: neither does anything without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPolicy {
    /// The policy.
    pub scaling: StepScaling,
    /// When its alarm goes off.
    pub alarm: AlarmRule,
    /// What its alarm is called when someone else named it: an alarm that was adopted. It is kept as declared, and not
    /// deleted with the policy.
    pub alarm_name: Option<String>,
}

impl StepPolicy {
    /// What the alarm of this policy, called `policy` on `target`, is called.
    #[must_use]
    pub fn alarm_name(&self, owner: &OwnerName, target: &TargetId, policy: &PolicyName) -> String {
        let own = || alarm_name(owner, target, policy);
        self.alarm_name.clone().unwrap_or_else(own)
    }
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyKind {
    /// Target tracking.
    TargetTracking(TargetTracking),
    /// Step scaling.
    Step(StepPolicy),
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
            PolicyKind::Step(_) => None,
        }
    }

    /// The metric that decides what it does, in full.
    #[must_use]
    pub fn watched_metric(&self, target: &TargetId) -> MetricData {
        match &self.kind {
            PolicyKind::TargetTracking(tracking) => tracking.metric.resolve(target),
            PolicyKind::Step(step) => {
                MetricData::Series(step.alarm.metric.clone(), step.alarm.period)
            }
        }
    }

    /// What its alarm is called, if someone else named it.
    #[must_use]
    pub fn adopted_alarm(&self) -> Option<&str> {
        match &self.kind {
            PolicyKind::Step(step) => step.alarm_name.as_deref(),
            PolicyKind::TargetTracking(_) => None,
        }
    }

    /// The value that the watched metric is compared with.
    #[must_use]
    pub fn aim(&self) -> f64 {
        match &self.kind {
            PolicyKind::TargetTracking(tracking) => tracking.target.get(),
            PolicyKind::Step(step) => step.alarm.threshold.get(),
        }
    }
}

/// The policy in a few words, without its name.
impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetTracking(tracking) => {
                let unit = if tracking.of_all_cores {
                    " % of all cores"
                } else {
                    ""
                };
                write!(f, "{} at {}{unit}", tracking.metric, tracking.target)
            }
            Self::Step(step) => write!(f, "{}", step.scaling),
        }
    }
}

/// The steps in a few words.
impl fmt::Display for StepScaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|step| step.describe(self.adjustment))
            .collect();
        f.write_str(&steps.join(", "))
    }
}

impl Step {
    fn describe(&self, adjustment: Adjustment) -> String {
        let change = match adjustment {
            Adjustment::ChangeInCapacity => format!("{:+}", self.adjustment),
            Adjustment::PercentChangeInCapacity => format!("{:+}%", self.adjustment),
            Adjustment::ExactCapacity => format!("to {}", self.adjustment),
        };
        match (self.lower, self.upper) {
            (Some(lower), Some(upper)) => format!("{change} from {lower} to {upper}"),
            (Some(lower), None) => format!("{change} from {lower}"),
            (None, Some(upper)) => format!("{change} up to {upper}"),
            (None, None) => change,
        }
    }
}
