//! What the config asks for.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::alert::Tunings;
use super::bounds::Bounds;
use super::lint::Rule;
use super::name::{OwnerName, PolicyName, ScopeName};
use super::policy::{Policy, PolicyKind, StepPolicy, TargetTracking};
use super::schedule::Schedule;
use super::select::{Glob, Picked, Selection, Selector};
use super::target::TargetId;

/// One target as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredTarget {
    /// Which target.
    pub id: TargetId,
    /// Base bounds.
    pub bounds: Bounds,
    /// Which kinds of scaling are suspended; `None` leaves that to others.
    pub suspended: Option<Suspension>,
    /// Rules of the lint that do not count here, and why.
    pub ignored: BTreeMap<Rule, String>,
    /// How its alerts differ from their defaults.
    pub tunings: Tunings,
    /// Schedules in the order of the config; names are unique within a target.
    pub schedules: Vec<Schedule>,
    /// Policies in the order of the config; names and metrics are unique within a target.
    pub policies: Vec<Policy>,
}

/// Everything declared for one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFleet {
    /// The scope.
    pub scope: ScopeName,
    /// What evenkeel may remove, and what is its own.
    pub manage: Manage,
    /// Its targets, each once.
    pub targets: BTreeMap<TargetId, DesiredTarget>,
    /// Targets that are declared by a description, in the order of the config.
    pub selections: Vec<Selection>,
    /// Targets that selections picked, with the number of the selection.
    pub picked: Picked,
    /// How alerts of the scope and of its endpoints differ from their defaults.
    pub tunings: Tunings,
    /// Only what fits this pattern is looked at; then what is not here need not be undeclared.
    pub only: Option<Glob>,
}

impl DesiredFleet {
    /// Whether AWS is to hold scheduled actions for any target.
    #[must_use]
    pub fn has_scheduled_actions(&self) -> bool {
        let declared = self.targets.values();
        let templates = self.selections.iter().map(|s| &s.template);
        declared
            .chain(templates)
            .any(DesiredTarget::has_scheduled_actions)
    }

    /// Selections that picked nothing, once they were worked into targets.
    pub fn idle_selections(&self) -> impl Iterator<Item = &Selector> {
        let selections = self.selections.iter().enumerate();
        let idle =
            selections.filter(|(number, _)| !self.picked.values().any(|from| from == number));
        idle.map(|(_, selection)| &selection.selector)
    }
}

impl DesiredTarget {
    /// Whether AWS is to hold scheduled actions for it.
    #[must_use]
    pub fn has_scheduled_actions(&self) -> bool {
        self.schedules.iter().any(|s| s.runner.has_actions())
    }

    /// The next instant after `now` at which schedules change its bounds, or may.
    #[must_use]
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedules
            .iter()
            .filter_map(|s| s.next_change(now))
            .min()
    }

    /// The same for another target: metrics and alarms that follow from the target follow along.
    #[must_use]
    pub fn for_target(&self, id: &TargetId) -> Self {
        let policy = |policy: &Policy| Policy {
            name: policy.name.clone(),
            kind: match &policy.kind {
                PolicyKind::TargetTracking(tracking) => {
                    PolicyKind::TargetTracking(TargetTracking {
                        metric: tracking.metric.retargeted(&self.id, id),
                        ..tracking.clone()
                    })
                }
                PolicyKind::Step(step) => {
                    let mut step: StepPolicy = step.clone();
                    step.alarm.metric = step.alarm.metric.retargeted(&self.id, id);
                    PolicyKind::Step(step)
                }
            },
        };
        Self {
            id: id.clone(),
            policies: self.policies.iter().map(policy).collect(),
            ..self.clone()
        }
    }
}

/// Kinds of scaling that AWS is told not to do (aws-autoscaling.md 1.4). Suspending does not stop what a registration
/// or a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Suspension {
    /// Policies may not remove capacity.
    pub scale_in: bool,
    /// Policies may not add capacity.
    pub scale_out: bool,
    /// Scheduled actions do not run.
    pub scheduled: bool,
}

impl Suspension {
    /// Whether anything is suspended.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<&str> = [
            (self.scale_in, "scaling in"),
            (self.scale_out, "scaling out"),
            (self.scheduled, "scheduled scaling"),
        ]
        .into_iter()
        .filter_map(|(on, kind)| on.then_some(kind))
        .collect();
        if kinds.is_empty() {
            f.write_str("nothing")
        } else {
            f.write_str(&kinds.join(" and "))
        }
    }
}

/// What may be removed from a declared target because the config does not name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prune {
    /// Policies that evenkeel named, and their alarms.
    Owned,
    /// Every policy.
    All,
    /// Nothing.
    Never,
}

impl Prune {
    /// The config's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::All => "all",
            Self::Never => "never",
        }
    }
}

/// What becomes of a registration of ours when its target is no longer declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnRemoval {
    /// It stays as it is.
    Retain,
    /// It is deregistered, with its policies. Capacity stays where it is.
    Deregister,
}

impl OnRemoval {
    /// The config's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Retain => "retain",
            Self::Deregister => "deregister",
        }
    }
}

/// What is evenkeel's own in a scope, and what it may remove there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manage {
    /// Names of policies begin with this and a hyphen, names of alarms with this and a slash, when they are ours.
    pub owner: OwnerName,
    /// What may be removed.
    pub prune: Prune,
    /// What becomes of registrations that carry our tag and are no longer declared.
    pub on_removal: OnRemoval,
}

/// The tag of a registration that tells whose it is.
pub const OWNER_TAG: &str = "evenkeel:owner";

impl Default for Manage {
    fn default() -> Self {
        Self {
            owner: OwnerName::default(),
            prune: Prune::Owned,
            on_removal: OnRemoval::Retain,
        }
    }
}

impl DesiredFleet {
    /// Names of adopted alarms: they do not begin as ours do, and have to be asked for one by one.
    #[must_use]
    pub fn adopted_alarms(&self) -> Vec<String> {
        let policies = self.targets.values().flat_map(|target| &target.policies);
        let names = policies.filter_map(Policy::adopted_alarm);
        names.map(str::to_owned).collect()
    }

    /// A scope in which nothing is declared.
    #[must_use]
    pub fn empty(scope: ScopeName) -> Self {
        Self {
            scope,
            manage: Manage::default(),
            targets: BTreeMap::new(),
            selections: Vec::new(),
            picked: Picked::new(),
            tunings: Tunings::new(),
            only: None,
        }
    }
}

impl Manage {
    /// Whether a policy of this name was named by us.
    #[must_use]
    pub fn owns(&self, policy: &PolicyName) -> bool {
        self.is_ours(policy.as_str())
    }

    /// Whether a scheduled action of this name was named by us, or a policy.
    #[must_use]
    pub fn is_ours(&self, name: &str) -> bool {
        name.strip_prefix(self.owner.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// Whether a policy that the config does not name may be removed.
    #[must_use]
    pub fn prunes(&self, policy: &PolicyName) -> bool {
        match self.prune {
            Prune::Owned => self.owns(policy),
            Prune::All => true,
            Prune::Never => false,
        }
    }
}

/// Whether evenkeel may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It makes AWS agree with the config.
    Enforce,
    /// It plans, watches and reports, and writes nothing.
    Observe,
}

impl Mode {
    /// The config's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}
