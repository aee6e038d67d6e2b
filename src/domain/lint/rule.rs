//! The rules, with the ids by which they are silenced.

use std::fmt;
use std::str::FromStr;

use super::super::alarm::UnknownWord;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It will not work as meant.
    Warning,
    /// It may be meant; worth a second look.
    Notice,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A rule, by the id with which it is silenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The name of a policy and its metric say different things (row 6).
    NameMetricMismatch,
    /// A utilisation that adds up over cores is held at a value for one core (row 8).
    UtilizationPerCore,
    /// A target that looks like requests per second, where AWS counts per minute (row 7).
    PerSecondTarget,
    /// A concurrency of less than 2, where the metric is a maximum over 10 s (row 9).
    TinyConcurrency,
    /// The metric does not fall as capacity rises (row 33).
    NotProportional,
    /// The metric is not in this namespace, or is not known at all (row 5).
    UnknownMetric,
    /// A unit that has to match what is published (row 5).
    UnitSet,
    /// Cooldowns that invite flapping (row 36).
    FlappingCooldowns,
    /// A minimum of zero that nothing leaves (row 18).
    NoWakeFromZero,
    /// An alarm that one request does not set off (row 19).
    WakeNeedsTwo,
    /// Nothing may ever remove capacity (row 12).
    OnlyGrows,
    /// A step policy scales in beside target tracking (row 36).
    StepFightsTracking,
    /// Steps that the alarm can never reach.
    UnreachableStep,
    /// Bounds that leave no choice.
    FixedBounds,
    /// Nothing that scales.
    NoPolicies,
    /// Kinds of scaling that are suspended for good (row 12).
    Suspended,
    /// A policy that leaves zero on a target that never goes there.
    WakeWithoutZero,
    /// An alarm that has had no data for half an hour (rows 5 and 10).
    SilentMetric,
    /// One policy keeps the others from scaling in (row 11).
    VetoingPolicy,
    /// Invocations are tracked where none are published (row 20).
    AsyncInvocations,
    /// A utilisation that the instance can not reach (row 8).
    TargetOutOfReach,
    /// Metrics are published more rarely than alarms look (row 40).
    SlowMetrics,
    /// At the maximum, and wanting more (row 17).
    MaxTooLow,
    /// Capacity outside the bounds (row 37).
    OutsideBounds,
    /// An endpoint or component that has been busy for an hour (row 14).
    Stuck,
    /// The console's own policy stands beside the declared ones (row 41).
    ConsolePolicy,
    /// A schedule that never does anything (row 28).
    ScheduleNeverFires,
    /// A schedule whose time is over.
    ScheduleOver,
    /// What schedules set is never set back (section 4.3).
    ScheduleOneWay,
    /// Two schedules set one end to different values at one instant (section 4.3).
    SchedulesAtOnce,
    /// Together, schedules ask for a minimum above the maximum (row 27).
    SchedulesCross,
    /// Two windows that are open together ask for different things.
    WindowsOverlap,
    /// A wall clock in nobody's zone (row 28).
    ScheduleWithoutZone,
    /// A schedule that is about to set the maximum below what runs.
    ScheduleTakesAway,
    /// So many targets change at one second that AWS may slow the calls down.
    ManyAtOnce,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 35] = [
        Self::NameMetricMismatch,
        Self::UtilizationPerCore,
        Self::PerSecondTarget,
        Self::TinyConcurrency,
        Self::NotProportional,
        Self::UnknownMetric,
        Self::UnitSet,
        Self::FlappingCooldowns,
        Self::NoWakeFromZero,
        Self::WakeNeedsTwo,
        Self::OnlyGrows,
        Self::StepFightsTracking,
        Self::UnreachableStep,
        Self::FixedBounds,
        Self::NoPolicies,
        Self::Suspended,
        Self::WakeWithoutZero,
        Self::SilentMetric,
        Self::VetoingPolicy,
        Self::AsyncInvocations,
        Self::TargetOutOfReach,
        Self::SlowMetrics,
        Self::MaxTooLow,
        Self::OutsideBounds,
        Self::Stuck,
        Self::ConsolePolicy,
        Self::ScheduleNeverFires,
        Self::ScheduleOver,
        Self::ScheduleOneWay,
        Self::SchedulesAtOnce,
        Self::SchedulesCross,
        Self::WindowsOverlap,
        Self::ScheduleWithoutZone,
        Self::ScheduleTakesAway,
        Self::ManyAtOnce,
    ];

    /// The id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::NameMetricMismatch => "name-metric-mismatch",
            Self::UtilizationPerCore => "utilization-per-core",
            Self::PerSecondTarget => "per-second-target",
            Self::TinyConcurrency => "tiny-concurrency",
            Self::NotProportional => "not-proportional",
            Self::UnknownMetric => "unknown-metric",
            Self::UnitSet => "unit-set",
            Self::FlappingCooldowns => "flapping-cooldowns",
            Self::NoWakeFromZero => "no-wake-from-zero",
            Self::WakeNeedsTwo => "wake-needs-two",
            Self::OnlyGrows => "only-grows",
            Self::StepFightsTracking => "step-fights-tracking",
            Self::UnreachableStep => "unreachable-step",
            Self::FixedBounds => "fixed-bounds",
            Self::NoPolicies => "no-policies",
            Self::Suspended => "suspended",
            Self::WakeWithoutZero => "wake-without-zero",
            Self::SilentMetric => "silent-metric",
            Self::VetoingPolicy => "vetoing-policy",
            Self::AsyncInvocations => "async-invocations",
            Self::TargetOutOfReach => "target-out-of-reach",
            Self::SlowMetrics => "slow-metrics",
            Self::MaxTooLow => "max-too-low",
            Self::OutsideBounds => "outside-bounds",
            Self::Stuck => "stuck",
            Self::ConsolePolicy => "console-policy",
            Self::ScheduleNeverFires => "schedule-never-fires",
            Self::ScheduleOver => "schedule-over",
            Self::ScheduleOneWay => "schedule-one-way",
            Self::SchedulesAtOnce => "schedules-at-once",
            Self::SchedulesCross => "schedules-cross",
            Self::WindowsOverlap => "windows-overlap",
            Self::ScheduleWithoutZone => "schedule-without-zone",
            Self::ScheduleTakesAway => "schedule-takes-away",
            Self::ManyAtOnce => "many-at-once",
        }
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::NameMetricMismatch
            | Self::UtilizationPerCore
            | Self::PerSecondTarget
            | Self::NotProportional
            | Self::UnknownMetric
            | Self::NoWakeFromZero
            | Self::WakeNeedsTwo
            | Self::UnreachableStep
            | Self::SilentMetric
            | Self::AsyncInvocations
            | Self::TargetOutOfReach
            | Self::MaxTooLow
            | Self::Stuck
            | Self::ScheduleNeverFires
            | Self::ScheduleOneWay
            | Self::SchedulesAtOnce
            | Self::SchedulesCross => Severity::Warning,
            Self::TinyConcurrency
            | Self::UnitSet
            | Self::FlappingCooldowns
            | Self::OnlyGrows
            | Self::StepFightsTracking
            | Self::FixedBounds
            | Self::NoPolicies
            | Self::Suspended
            | Self::WakeWithoutZero
            | Self::VetoingPolicy
            | Self::SlowMetrics
            | Self::OutsideBounds
            | Self::ConsolePolicy
            | Self::ScheduleOver
            | Self::WindowsOverlap
            | Self::ScheduleWithoutZone
            | Self::ScheduleTakesAway
            | Self::ManyAtOnce => Severity::Notice,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NameMetricMismatch => "track what the name says, or name what is tracked",
            Self::UtilizationPerCore => {
                "multiply by the cores of the instance: 60 % of 4 cores is 240"
            }
            Self::PerSecondTarget => "write requests per minute: 10 a second are 600",
            Self::TinyConcurrency => {
                "take the target from CloudWatch's own 10 s maximum, not from a mean that a client sees"
            }
            Self::NotProportional => {
                "track something per instance that falls when instances are added, or use a step policy"
            }
            Self::UnknownMetric => {
                "look the metric up: host metrics are in /aws/sagemaker/Endpoints, requests and queues in AWS/SageMaker"
            }
            Self::UnitSet => "leave `unit` out unless two units are published under one name",
            Self::FlappingCooldowns => "scale in more slowly than out: 60s out and 300s or more in",
            Self::NoWakeFromZero => "add `wake_from_zero: {}`",
            Self::WakeNeedsTwo => "compare with `>=` 1",
            Self::OnlyGrows => "let one policy scale in, or say why not under `ignore`",
            Self::StepFightsTracking => {
                "set `disable_scale_in` on the tracking policies, or let the step policy only add"
            }
            Self::UnreachableStep => {
                "steps are distances from the threshold: begin at 0 on the alarm's side of it"
            }
            Self::FixedBounds => "raise `max` or lower `min`",
            Self::NoPolicies => "add a policy, for example target tracking on its requests",
            Self::Suspended => "remove it when it has served its purpose",
            Self::WakeWithoutZero => "remove it, or lower `bounds.min` to 0",
            Self::SilentMetric => {
                "look for namespace, dimensions and unit; where silence means no load, track FILL(m, 0)"
            }
            Self::VetoingPolicy => {
                "set `disable_scale_in` on it if the other one is to decide, or leave it out"
            }
            Self::AsyncInvocations => "track ApproximateBacklogSizePerInstance, or a host metric",
            Self::TargetOutOfReach => "state it with its unit: `60% of all cores`, `70%`",
            Self::SlowMetrics => "set MetricPublishFrequencyInSeconds to 60 in the endpoint config",
            Self::MaxTooLow => "raise `bounds.max`, or make an instance do more",
            Self::OutsideBounds => {
                "someone set it by hand: set it back, or let the next registration pull it in"
            }
            Self::Stuck => "look at the endpoint's FailureReason and its deployment",
            Self::ConsolePolicy => "declare one of the two under its name, or delete it",
            Self::ScheduleNeverFires => {
                "correct its expression, its `start` and `end`, or remove it"
            }
            Self::ScheduleOver => "remove it; if it fired, write what it set into `bounds`",
            Self::ScheduleOneWay => "add the schedule that sets it back, or use a `window`",
            Self::SchedulesAtOnce => "move one of them by a minute",
            Self::SchedulesCross => "let the schedule set both ends",
            Self::WindowsOverlap => {
                "let one close before the other opens, or put into one what both shall do"
            }
            Self::ScheduleWithoutZone => {
                "add `timezone: Europe/Berlin`, or `timezone: UTC` if that is meant"
            }
            Self::ScheduleTakesAway => "nothing, if that is meant; else raise its maximum",
            Self::ManyAtOnce => "spread them: give groups of them a `lead` of a minute or two",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Rule {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.id() == s)
            .ok_or_else(|| UnknownWord(s.to_owned()))
    }
}
