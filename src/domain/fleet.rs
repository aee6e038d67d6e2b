//! The fleet snapshot: what evenkeel knows at a moment, for everything that shows something.
//!
//! One writer publishes it, immutable; the page, the metrics, `status` and later the detectors read it. Nothing
//! that shows something asks AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::activity::Activity;
use super::alarm::ObservedAlarm;
use super::alert::{Alerts, CapacityChange, Tunings};
use super::bounds::{Capacity, EffectiveBounds};
use super::desired::Mode;
use super::endpoint::{EndpointKind, EndpointStatus, Running};
use super::interest::Interest;
use super::lease::Leases;
use super::lint::Finding;
use super::metric::Datapoint;
use super::name::{EndpointName, PolicyName, ScopeName};
use super::note::Note;
use super::observed::ObservedTarget;
use super::plan::{Verdict, Wait};
use super::policy::Policy;
use super::schedule::ScheduleRun;
use super::signal::Signal;
use super::target::TargetId;

/// Everything known at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetSnapshot {
    /// When this process started.
    pub started: DateTime<Utc>,
    /// Whether this process writes.
    pub mode: Mode,
    /// The config in force.
    pub config: ConfigState,
    /// What is known of each scope.
    pub scopes: BTreeMap<ScopeName, Arc<ScopeSnapshot>>,
}

impl FleetSnapshot {
    /// Whether every scope has been observed to the end once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.scopes.is_empty() && self.scopes.values().all(|scope| scope.observed_once)
    }
}

/// The config in force, and whether the file still agrees with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigState {
    /// When the config in force was loaded.
    pub loaded: DateTime<Utc>,
    /// Why the last reload was refused; the old config goes on.
    pub problem: Option<String>,
}

/// What is known of a scope.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScopeSnapshot {
    /// Whether an observation has been complete since the start.
    pub observed_once: bool,
    /// The last pass.
    pub last_pass: Option<PassSummary>,
    /// When a pass last ended without error.
    pub last_success: Option<DateTime<Utc>>,
    /// Every declared target.
    pub targets: BTreeMap<TargetId, TargetSnapshot>,
    /// Registered targets that the config does not name.
    pub unmanaged: Vec<TargetId>,
    /// What someone asks for a while of targets that the config does not name.
    pub asked: BTreeMap<TargetId, Leases>,
    /// Selections of the config that nothing fits.
    pub idle_selections: Vec<String>,
    /// Endpoints of which no variant is declared or registered: nobody scales them.
    pub unscaled: Vec<EndpointName>,
    /// What the watcher last saw.
    pub watch: WatchSnapshot,
    /// What is wrong, and for how long.
    pub alerts: Alerts,
    /// How alerts of the scope and of its endpoints differ from their defaults.
    pub tunings: Tunings,
}

/// Why a pass ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassReason {
    /// The daemon started.
    Start,
    /// Its time had come.
    Interval,
    /// The config was reloaded.
    Reload,
    /// The watcher saw something that a pass may act on.
    Nudge,
    /// The pass before it wrote something, and this one reads it back.
    ReadBack,
    /// A hold or an override ends, a schedule fires, or a window opens or closes.
    Due,
    /// Someone asked for exactly one.
    Once,
}

impl PassReason {
    /// The reason as a stable label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Interval => "interval",
            Self::Reload => "reload",
            Self::Nudge => "nudge",
            Self::ReadBack => "read_back",
            Self::Due => "due",
            Self::Once => "once",
        }
    }
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassOutcome {
    /// Everything is as declared.
    Converged,
    /// It made changes, and all worked.
    Changed,
    /// There were changes to make, and the mode forbids them.
    Observed,
    /// Some targets wait or are held; the rest is as declared.
    Waiting,
    /// Part of the world could not be read.
    Partial,
    /// Some writes failed.
    Failed,
    /// The checker refused the plan.
    Refused,
    /// The daemon was told to stop.
    Cancelled,
}

impl PassOutcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Converged,
        Self::Changed,
        Self::Observed,
        Self::Waiting,
        Self::Partial,
        Self::Failed,
        Self::Refused,
        Self::Cancelled,
    ];

    /// The outcome as a stable label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Changed => "changed",
            Self::Observed => "observed",
            Self::Waiting => "waiting",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the pass did what it was there for.
    #[must_use]
    pub fn is_success(self) -> bool {
        match self {
            Self::Converged | Self::Changed | Self::Observed | Self::Waiting => true,
            Self::Partial | Self::Failed | Self::Refused | Self::Cancelled => false,
        }
    }
}

/// A pass in a few figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassSummary {
    /// Counts from 1 since the start.
    pub number: u64,
    /// Why it ran.
    pub reason: PassReason,
    /// The instant it was for.
    pub at: DateTime<Utc>,
    /// How long it took, in real time.
    pub took: Duration,
    /// How it ended.
    pub outcome: PassOutcome,
    /// Writes that worked.
    pub done: usize,
    /// Writes that failed.
    pub failed: usize,
    /// What could not be read, and what the checker refused, as sentences.
    pub problems: Vec<String>,
}

/// A write that keeps failing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFailure {
    /// How often in a row.
    pub times: u32,
    /// The last error, as a sentence.
    pub error: String,
    /// When it is tried again.
    pub retry_at: DateTime<Utc>,
}

/// Someone keeps changing a target back: it is left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// How often it was mended within the hour.
    pub corrections: usize,
    /// When it is mended again.
    pub until: DateTime<Utc>,
}

/// An update of an endpoint started a variant with fewer instances than it had (aws-autoscaling.md 5.4): whoever made
/// it did not set `RetainAllVariantProperties`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityReset {
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// Capacity before.
    pub from: Capacity,
    /// Capacity after.
    pub to: Capacity,
    /// The endpoint config that came with it.
    pub config: String,
}

/// What the last pass knows of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSnapshot {
    /// The bounds it should have, and why.
    pub effective: EffectiveBounds,
    /// Declared policies.
    pub policies: Vec<Policy>,
    /// How its alerts differ from their defaults.
    pub tunings: Tunings,
    /// The outcome of planning.
    pub verdict: Verdict,
    /// Remarks of the plan.
    pub notes: Vec<Note>,
    /// What AWS held when the pass looked.
    pub registered: Option<ObservedTarget>,
    /// Capacity when the pass looked.
    pub running: Option<Running>,
    /// Status of its endpoint, or of its component.
    pub endpoint: Option<EndpointStatus>,
    /// What kind of endpoint it is of; not known of components.
    pub kind: Option<EndpointKind>,
    /// What someone asks of it for a while.
    pub leases: Leases,
    /// An update of its endpoint that took its capacity away.
    pub reset: Option<CapacityReset>,
    /// Whether the list of registrations could be read as far as it matters here.
    pub registration_seen: bool,
    /// When schedules next change its bounds, or may.
    pub next_change: Option<DateTime<Utc>>,
    /// How the last change by a schedule came out; `None` before the first since the start.
    pub last_change: Option<ScheduleRun>,
    /// What the end of an override will do to the running capacity: from, to.
    pub at_end: Option<(Capacity, Capacity)>,
    /// What the lint objects to, in the config and in AWS.
    pub findings: Vec<Finding>,
    /// Names of the alarms of each policy that AWS held.
    pub alarms: BTreeMap<PolicyName, Vec<String>>,
    /// A write that keeps failing.
    pub failure: Option<WriteFailure>,
    /// Someone who keeps changing it back.
    pub conflict: Option<Conflict>,
}

impl TargetSnapshot {
    /// Whether the last pass could not read what AWS holds for it: then what is absent here is unknown.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        matches!(self.verdict, Verdict::Waiting(Wait::Unseen(_))) || !self.registration_seen
    }
}

/// When metrics were read, and when they will be again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// When they were.
    pub at: DateTime<Utc>,
    /// Until then nothing newer is to be expected: quiet targets are read rarely.
    pub until: DateTime<Utc>,
}

/// Values older than this, when they were read, say nothing about then.
const FRESH: TimeDelta = TimeDelta::minutes(6);

impl WatchSnapshot {
    /// The newest value of a policy's metric, if it is of now: young, or as young as a quiet target's can be.
    #[must_use]
    pub fn fresh(
        &self,
        id: &TargetId,
        policy: &PolicyName,
        now: DateTime<Utc>,
    ) -> Option<&Datapoint> {
        let point = self.values.get(&(id.clone(), policy.clone()))?;
        let by_read =
            |read: &&Read| now <= read.until && read.at.signed_duration_since(point.at) < FRESH;
        let is_fresh = now.signed_duration_since(point.at) < FRESH
            || self.reads.get(id).as_ref().is_some_and(by_read);
        is_fresh.then_some(point)
    }
}

/// What the watcher knows of a scope.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WatchSnapshot {
    /// When it last saw everything.
    pub at: Option<DateTime<Utc>>,
    /// When alarms were last read: they may be older than the look, to keep to the budget.
    pub alarms_at: Option<DateTime<Utc>>,
    /// Alarms of target tracking by name.
    pub alarms: BTreeMap<String, ObservedAlarm>,
    /// Alarms that mute rules keep from doing anything.
    pub muted: BTreeSet<String>,
    /// Alarms that a policy named before the last look, and that CloudWatch did not have then.
    pub gone: BTreeSet<String>,
    /// The newest mature value of each declared policy's metric.
    pub values: BTreeMap<(TargetId, PolicyName), Datapoint>,
    /// What the last look at each of these metrics brought, oldest first.
    pub recent: BTreeMap<(TargetId, PolicyName), Vec<Datapoint>>,
    /// The newest mature value of what else each target publishes.
    pub signals: BTreeMap<TargetId, BTreeMap<Signal, Datapoint>>,
    /// When the metrics of each target's policies were last read.
    pub reads: BTreeMap<TargetId, Read>,
    /// Dollars that watching comes to in a month, as things stand: metrics, and lists of alarms.
    pub monthly: f64,
    /// Targets that are watched at every look, and why.
    pub interesting: BTreeMap<TargetId, Interest>,
    /// The last activity of each target that scaled, or tried to.
    pub activities: BTreeMap<TargetId, Activity>,
    /// The last refusal to scale of each target.
    pub refusals: BTreeMap<TargetId, Activity>,
    /// Changes of capacity within the last hours, by target, in order of time.
    pub changes: BTreeMap<TargetId, Vec<CapacityChange>>,
    /// What could not be read, as sentences.
    pub problems: Vec<String>,
}
