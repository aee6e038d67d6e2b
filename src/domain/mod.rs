//! What evenkeel knows about scaling, as pure data and pure functions.
//!
//! Nothing here performs IO, reads a clock, or knows that AWS has SDKs: the outside world arrives as a
//! [`DesiredFleet`] (from config), an [`Observation`] (from the ports) and an instant, and leaves as a
//! [`Plan`] so specific that execution has no decisions left. Dry run, apply, daemon and status page are
//! different readers of the same plan.
//!
//! # Notes for implementors
//!
//! - Time is a parameter. A function that needs an instant takes `now`.
//! - Maps are `BTreeMap`: iteration order is behaviour, and the order of a plan must not depend on a hash seed.
//! - Every action, every wait and every "nothing to do" carries a reason made of typed facts; the sentences
//!   that people read are made in [`crate::view`].

#![deny(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)]

mod activity;
mod alarm;
mod alert;
mod bounds;
mod check;
mod cost;
mod desired;
mod endpoint;
mod evidence;
mod fleet;
mod interest;
mod lease;
mod lint;
mod metric;
mod name;
mod note;
mod observed;
mod plan;
mod planner;
mod policy;
mod scalable;
mod schedule;
mod scheduled;
mod select;
mod signal;
mod target;
mod value;

pub use activity::{Activity, ActivityStatus, NotScaled};
pub use alarm::{
    AlarmExtras, AlarmRule, AlarmState, Comparison, LONGEST_ALARM_NAME, MissingData, ObservedAlarm,
    UnknownWord, alarm_name, alarm_prefix, target_alarm_prefix,
};
pub use alert::{
    Alert, AlertKey, AlertKind, AlertState, Alerts, CapacityChange, Detectors, Group, Grouping,
    Line, Notice, Notices, Refusal, Remembered, Silence, Subject, Told, Tuning, Tunings, Urgency,
    refusal_of, reversals, unmet_demand,
};
pub use bounds::{BoundSource, Bounds, BoundsError, Capacity, EffectiveBounds, effective_bounds};
pub use check::{CheckedPlan, Safety, Violation, check, check_withdrawal};
pub use cost::{
    Allowance, call_dollars, calls_dollars, metrics_billed, metrics_dollars, metrics_of,
    monthly_dollars, share,
};
pub use desired::{
    DesiredFleet, DesiredTarget, Manage, Mode, OWNER_TAG, OnRemoval, Prune, Suspension,
};
pub use endpoint::{
    ConfiguredVariant, EndpointDetails, EndpointKind, EndpointStatus, ObservedComponent,
    ObservedConfig, ObservedEndpoint, ObservedVariant, Running, cores_of, is_burstable,
};
pub use evidence::{AlarmRecord, AlarmRecordEvent, Evidence, JournalLine, PolicyAlarm};
pub use fleet::{
    CapacityReset, ConfigState, Conflict, FleetSnapshot, PassOutcome, PassReason, PassSummary,
    Read, ScopeSnapshot, TargetSnapshot, WatchSnapshot, WriteFailure,
};
pub use interest::{Interest, interest};
pub use lease::{
    Hold, Lease, Leases, MarkerKind, Markers, Override, PreparedUpdate, lease_marker, read_markers,
    update_marker,
};
pub use lint::{Finding, Rule, Severity, lint, lint_fleet, lint_schedules, lint_world};
pub use metric::{
    CustomMetric, Datapoint, MathMetric, MathPart, Metric, MetricData, PredefinedMetric, Statistic,
    UnknownMetric, UnknownStatistic, known_dimensions,
};
pub use name::{
    ComponentName, EndpointName, NameError, OwnerName, PolicyName, ProfileName, ScheduleName,
    ScopeName, VariantName, is_region, is_role,
};
pub use note::Note;
pub use observed::{
    Gap, Observation, ObservedPolicy, ObservedPolicyKind, ObservedSchedule, ObservedTarget, Part,
};
pub use plan::{
    Action, ActionReason, Change, Difference, Effect, Plan, Tampering, TargetPlan, Verdict, Wait,
    Who,
};
pub use planner::{plan, plan_withdrawal};
pub use policy::{
    Adjustment, Aggregation, Policy, PolicyKind, Step, StepPolicy, StepScaling, TargetTracking,
};
pub use scalable::{Unscalable, unscalable};
pub use schedule::{
    At, Cron, CronFault, Expression, Field, FieldFault, Rate, RateUnit, Reason, Runner, Schedule,
    ScheduleError, ScheduleOutcome, ScheduleRun, When, Window, Zone, ZoneError, day_of_week,
};
pub use scheduled::{
    MAX_SCHEDULED_ACTIONS, ScheduledAction, action_names, left_to_aws, running_actions,
    schedule_of_action, scheduled_actions,
};
pub use select::{Glob, Picked, Selection, Selector, expand, placeholder};
pub use signal::{Rank, Signal};
pub use target::{Dimension, ParseTargetError, TargetId};
pub use value::{Cooldown, CooldownError, Number, TargetValue, TargetValueError};

#[cfg(test)]
mod tests;
