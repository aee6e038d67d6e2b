//! Alerts: conditions with a life. Pure: a snapshot and an instant come in, alerts go out.
//!
//! # Design notes
//!
//! - What is not known never counts as a fact: a condition without data neither fires nor resolves.
//! - A condition says since when it holds, as AWS tells it, so that a restart does not begin to count anew.
//! - What has fired resolves only after it has been over for a while: nothing flaps on its boundary.

mod capacity;
mod conditions;
mod failure;
mod life;
mod notice;
mod thrash;
mod tuning;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::desired::Mode;
use super::fleet::{FleetSnapshot, ScopeSnapshot};
use super::name::{EndpointName, ScopeName};
use super::target::TargetId;
use capacity::Demand;
use life::Life;

pub use capacity::unmet_demand;
pub use failure::{Refusal, refusal_of};
pub use life::AlertState;
pub use life::Remembered;
pub use notice::{Group, Grouping, Line, Notice, Notices, Told};
pub use thrash::{CapacityChange, reversals};
pub use tuning::{Silence, Tuning, Tunings};

/// What is wrong (design section 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// Capacity goes up and down and up again.
    Thrashing,
    /// At the maximum, and more is wanted.
    MaxCapacitySaturated,
    /// At the maximum for long.
    AtMaxCapacity,
    /// At this slope the maximum will be reached soon.
    SaturationPredicted,
    /// AWS tried to scale and failed.
    ScalingFailed,
    /// A scaling activity does not come to an end.
    ScalingStuck,
    /// A schedule was due and its bounds do not hold.
    ScheduleNotApplied,
    /// AWS is not as declared, and does not become so.
    DriftUnresolved,
    /// A policy's metric has no data: AWS scales in neither direction.
    MetricsStale,
    /// Capacity is above the minimum, and something keeps it there.
    ScaleInBlocked,
    /// Someone deleted or changed the alarms that drive a policy.
    AlarmTampered,
    /// Scaling is suspended, and nobody asked for it.
    ScalingSuspended,
    /// A deployment dropped the count.
    CapacityReset,
    /// At zero, and work is waiting.
    StuckAtZero,
    /// An endpoint that nobody scales.
    UnmanagedEndpoint,
    /// evenkeel itself does not see or do what it is there for.
    EvenkeelUnhealthy,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Someone is to get up.
    Critical,
    /// Someone is to look today.
    Warning,
    /// Good to know.
    Info,
}

impl Urgency {
    /// The urgency as a stable label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Thrashing,
        Self::MaxCapacitySaturated,
        Self::AtMaxCapacity,
        Self::SaturationPredicted,
        Self::ScalingFailed,
        Self::ScalingStuck,
        Self::ScheduleNotApplied,
        Self::DriftUnresolved,
        Self::MetricsStale,
        Self::ScaleInBlocked,
        Self::AlarmTampered,
        Self::ScalingSuspended,
        Self::CapacityReset,
        Self::StuckAtZero,
        Self::UnmanagedEndpoint,
        Self::EvenkeelUnhealthy,
    ];

    /// The name, as in the label `alert`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Thrashing => "Thrashing",
            Self::MaxCapacitySaturated => "MaxCapacitySaturated",
            Self::AtMaxCapacity => "AtMaxCapacity",
            Self::SaturationPredicted => "SaturationPredicted",
            Self::ScalingFailed => "ScalingFailed",
            Self::ScalingStuck => "ScalingStuck",
            Self::ScheduleNotApplied => "ScheduleNotApplied",
            Self::DriftUnresolved => "DriftUnresolved",
            Self::MetricsStale => "MetricsStale",
            Self::ScaleInBlocked => "ScaleInBlocked",
            Self::AlarmTampered => "AlarmTampered",
            Self::ScalingSuspended => "ScalingSuspended",
            Self::CapacityReset => "CapacityReset",
            Self::StuckAtZero => "StuckAtZero",
            Self::UnmanagedEndpoint => "UnmanagedEndpoint",
            Self::EvenkeelUnhealthy => "EvenkeelUnhealthy",
        }
    }

    /// How much it matters.
    #[must_use]
    pub fn urgency(self) -> Urgency {
        match self {
            Self::MaxCapacitySaturated
            | Self::ScalingFailed
            | Self::StuckAtZero
            | Self::CapacityReset
            | Self::EvenkeelUnhealthy => Urgency::Critical,
            Self::Thrashing
            | Self::SaturationPredicted
            | Self::ScalingStuck
            | Self::ScheduleNotApplied
            | Self::DriftUnresolved
            | Self::MetricsStale
            | Self::AlarmTampered
            | Self::ScalingSuspended => Urgency::Warning,
            Self::AtMaxCapacity | Self::ScaleInBlocked | Self::UnmanagedEndpoint => Urgency::Info,
        }
    }

    /// So long it has to hold before it fires.
    #[must_use]
    pub fn pending_for(self) -> TimeDelta {
        TimeDelta::minutes(match self {
            // AWS has looked for minutes already.
            Self::MaxCapacitySaturated
            | Self::Thrashing
            | Self::ScalingFailed
            | Self::CapacityReset
            // What it goes by has lasted for an hour.
            | Self::ScaleInBlocked => 0,
            Self::AlarmTampered | Self::ScheduleNotApplied => 2,
            Self::SaturationPredicted => 3,
            Self::EvenkeelUnhealthy => 5,
            Self::StuckAtZero | Self::DriftUnresolved => 10,
            Self::MetricsStale | Self::ScalingSuspended | Self::UnmanagedEndpoint => 15,
            // AWS itself takes 20 minutes and more before it takes away what was too much.
            Self::AtMaxCapacity | Self::ScalingStuck => 30,
        })
    }

    /// So long it has to be over before it resolves.
    #[must_use]
    pub fn resolves_after(self) -> TimeDelta {
        TimeDelta::minutes(match self {
            Self::ScalingFailed
            | Self::ScheduleNotApplied
            | Self::DriftUnresolved
            | Self::AlarmTampered
            | Self::EvenkeelUnhealthy => 1,
            Self::CapacityReset
            | Self::ScalingStuck
            | Self::ScalingSuspended
            | Self::UnmanagedEndpoint
            | Self::StuckAtZero => 2,
            Self::MaxCapacitySaturated
            | Self::AtMaxCapacity
            | Self::SaturationPredicted
            | Self::MetricsStale
            | Self::ScaleInBlocked => 5,
            Self::Thrashing => 10,
        })
    }

    /// What makes it say nothing new: while one of these fires for the same subject, or for the scope, it is inhibited.
    #[must_use]
    pub fn inhibited_by(self) -> &'static [Self] {
        match self {
            Self::AtMaxCapacity => &[Self::MaxCapacitySaturated],
            Self::MetricsStale | Self::DriftUnresolved | Self::ScheduleNotApplied => {
                &[Self::EvenkeelUnhealthy]
            }
            Self::MaxCapacitySaturated
            | Self::Thrashing
            | Self::SaturationPredicted
            | Self::ScalingFailed
            | Self::ScalingStuck
            | Self::ScaleInBlocked
            | Self::AlarmTampered
            | Self::ScalingSuspended
            | Self::CapacityReset
            | Self::StuckAtZero
            | Self::UnmanagedEndpoint
            | Self::EvenkeelUnhealthy => &[],
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A scope as a whole.
    Scope,
    /// An endpoint.
    Endpoint(EndpointName),
    /// A target.
    Target(TargetId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope => f.write_str("the scope"),
            Self::Endpoint(endpoint) => write!(f, "endpoint/{endpoint}"),
            Self::Target(target) => target.fmt(f),
        }
    }
}

/// Which alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// What is wrong.
    pub kind: AlertKind,
    /// With what.
    pub subject: Subject,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Where it is in its life.
    pub state: AlertState,
    /// Since when what it says holds, as far as that is known.
    pub since: DateTime<Utc>,
    /// What is wrong, with numbers.
    pub reason: String,
    /// Why, as far as it can be told.
    pub cause: Option<String>,
    /// Another one says it already: it is shown, and nobody is told.
    pub inhibited_by: Option<AlertKind>,
    /// Why someone wants to hear nothing of it for a while: it is shown, and nobody is told.
    pub silenced: Option<String>,
}

impl Alert {
    /// Whether anyone is told of it.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.inhibited_by.is_none() && self.silenced.is_none()
    }
}

/// How a condition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// It holds.
    Met {
        /// Since when, where something other than us says so.
        since: Option<DateTime<Utc>>,
        /// Whether that is the beginning, whatever went before; else the first one counts.
        anew: bool,
        /// What is wrong, with numbers.
        reason: String,
        /// Why, as far as it can be told.
        cause: Option<String>,
    },
    /// It does not hold.
    Clear,
    /// Nothing can be said.
    Unknown,
}

impl Condition {
    fn met(reason: impl Into<String>) -> Self {
        Self::Met {
            since: None,
            anew: false,
            reason: reason.into(),
            cause: None,
        }
    }

    fn since(self, since: Option<DateTime<Utc>>) -> Self {
        match self {
            Self::Met {
                reason,
                cause,
                anew,
                ..
            } => Self::Met {
                since,
                anew,
                reason,
                cause,
            },
            other @ (Self::Clear | Self::Unknown) => other,
        }
    }

    /// What it says of its beginning counts, whatever went before.
    fn anew(self) -> Self {
        match self {
            Self::Met {
                since,
                reason,
                cause,
                ..
            } => Self::Met {
                since,
                anew: true,
                reason,
                cause,
            },
            other @ (Self::Clear | Self::Unknown) => other,
        }
    }

    fn because(self, cause: Option<String>) -> Self {
        match self {
            Self::Met {
                since,
                reason,
                anew,
                ..
            } => Self::Met {
                since,
                anew,
                reason,
                cause,
            },
            other @ (Self::Clear | Self::Unknown) => other,
        }
    }
}

/// Alerts of a scope.
pub type Alerts = BTreeMap<AlertKey, Alert>;

/// What the detectors look at, of one scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) fleet: &'a FleetSnapshot,
    pub(super) scope: &'a ScopeSnapshot,
    pub(super) now: DateTime<Utc>,
    /// A look or a pass that is older than this should have been followed by another one.
    pub(super) overdue: TimeDelta,
}

/// How a kind of alert is set for a target; those of endpoints and of the scope go by the scope's.
fn tuning_of(scope: &ScopeSnapshot, key: &AlertKey) -> Tuning {
    let of_target = match &key.subject {
        Subject::Target(id) => scope.targets.get(id).map(|target| &target.tunings),
        Subject::Endpoint(_) | Subject::Scope => None,
    };
    let tunings = of_target.unwrap_or(&scope.tunings);
    tunings.get(&key.kind).copied().unwrap_or_default()
}

impl View<'_> {
    fn enforces(&self) -> bool {
        self.fleet.mode == Mode::Enforce
    }
}

/// The detectors of one scope.
#[derive(Debug, Default)]
pub struct Detectors {
    lives: BTreeMap<AlertKey, Life>,
    demand: BTreeMap<TargetId, Demand>,
}

impl Detectors {
    /// Takes up what fired when another process ended: it goes on firing until it is known to be over, and nobody is
    /// told of it again.
    pub fn restore(&mut self, remembered: impl IntoIterator<Item = Remembered>) {
        for one in remembered {
            self.lives.insert(one.key.clone(), Life::restored(one));
        }
    }

    /// What fires, for a later process.
    #[must_use]
    pub fn remembered(&self) -> Vec<Remembered> {
        let lives = self.lives.iter();
        lives
            .filter_map(|(key, life)| life.remembered(key))
            .collect()
    }

    /// Looks at a snapshot, and says which alerts there are now. Resolved ones are among them for a while. A look or a
    /// pass that is older than `overdue` should have been followed by another one.
    pub fn look(
        &mut self,
        fleet: &FleetSnapshot,
        scope_name: &ScopeName,
        silences: &[Silence],
        now: DateTime<Utc>,
        overdue: TimeDelta,
    ) -> Alerts {
        let Some(scope) = fleet.scopes.get(scope_name) else {
            return Alerts::new();
        };
        let view = View {
            fleet,
            scope,
            now,
            overdue,
        };
        for (id, target) in &scope.targets {
            let demand = self.demand.entry(id.clone()).or_default();
            demand.note(id, target, scope);
        }
        self.demand.retain(|id, _| scope.targets.contains_key(id));
        let mut seen = BTreeSet::new();
        for (key, condition) in conditions::all(view, &self.demand, &self.firing()) {
            let kind = key.kind;
            let tuning = tuning_of(scope, &key);
            if tuning.off {
                continue;
            }
            seen.insert(key.clone());
            let pending_for = tuning.pending_for.unwrap_or(kind.pending_for());
            let life = self.lives.entry(key).or_default();
            life.step(condition, now, pending_for, kind.resolves_after());
        }
        // What is no longer declared has no alerts. Before the first pass nothing is known to be gone.
        if scope.last_pass.is_some() {
            self.lives.retain(|key, _| seen.contains(key));
        }
        let mut alerts = self.alerts(now);
        for (key, alert) in &mut alerts {
            let silence = silences.iter().find(|s| s.covers(scope_name, key, now));
            alert.silenced = silence.map(|silence| silence.reason.clone());
        }
        alerts
    }

    fn firing(&self) -> BTreeSet<AlertKey> {
        let firing = self.lives.iter().filter(|(_, life)| life.is_firing());
        firing.map(|(key, _)| key.clone()).collect()
    }

    fn alerts(&self, now: DateTime<Utc>) -> Alerts {
        let firing = self.firing();
        let fires = |kind: AlertKind, subject: &Subject| {
            firing.contains(&AlertKey {
                kind,
                subject: subject.clone(),
            })
        };
        let lives = self.lives.iter();
        let alerts = lives.filter_map(|(key, life)| {
            let mut alert = life.alert(now)?;
            let mut inhibitors = key.kind.inhibited_by().iter();
            alert.inhibited_by = inhibitors
                .find(|kind| fires(**kind, &key.subject) || fires(**kind, &Subject::Scope))
                .copied();
            Some((key.clone(), alert))
        });
        alerts.collect()
    }
}

#[cfg(test)]
mod tests;
