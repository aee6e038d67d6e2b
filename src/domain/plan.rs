//! A plan: what a pass wants to change, and why it leaves the rest alone.

use chrono::{DateTime, Utc};

use super::alarm::AlarmRule;
use super::bounds::{Bounds, Capacity, EffectiveBounds};
use super::desired::Suspension;
use super::name::{EndpointName, PolicyName, ScopeName, VariantName};
use super::observed::{EndpointStatus, Gap, ObservedPolicyKind, ObservedTarget};
use super::policy::Policy;
use super::target::TargetId;

/// What a pass wants to do with a scope. It holds an entry for every declared target, changed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The scope.
    pub scope: ScopeName,
    /// The instant the plan is for.
    pub at: DateTime<Utc>,
    /// One entry per declared target, in the order of target ids.
    pub targets: Vec<TargetPlan>,
}

impl Plan {
    /// All actions with their targets, in the order of execution.
    pub fn actions(&self) -> impl Iterator<Item = (&TargetId, &Action)> {
        self.targets
            .iter()
            .flat_map(|t| t.actions.iter().map(move |a| (&t.id, a)))
    }

    /// Whether the plan changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions().next().is_none()
    }

    /// Whether every declared target is as declared.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        self.targets.iter().all(|t| t.verdict == Verdict::Converged)
    }
}

/// What a pass wants to do with one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPlan {
    /// The target.
    pub id: TargetId,
    /// The bounds it should have now, and why.
    pub effective: EffectiveBounds,
    /// The outcome in one word.
    pub verdict: Verdict,
    /// Changes in the order in which they must be made.
    pub actions: Vec<Action>,
    /// Remarks: what was seen and left alone, what is wanted and held back.
    pub notes: Vec<Note>,
}

/// The outcome of planning one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as declared.
    Converged,
    /// There are actions.
    Changes,
    /// Left alone until the world changes; no actions.
    Waiting(Wait),
    /// Something is wanted that can not be done, the notes say what; no actions.
    Held,
}

impl Verdict {
    /// The verdict as a stable label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Changes => "changes",
            Self::Waiting(wait) => wait.label(),
            Self::Held => "held",
        }
    }
}

/// Why a target is left alone as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The endpoint does not exist.
    EndpointMissing(EndpointName),
    /// The endpoint is in a status in which nothing can be scaled.
    EndpointBusy {
        /// The endpoint.
        endpoint: EndpointName,
        /// Its status.
        status: EndpointStatus,
        /// When AWS last changed it.
        since: DateTime<Utc>,
    },
    /// The endpoint has no such variant; the ones it has are listed.
    VariantMissing {
        /// The endpoint.
        endpoint: EndpointName,
        /// The declared variant.
        variant: VariantName,
        /// What the endpoint has.
        known: Vec<VariantName>,
    },
    /// A part of the world could not be read, so what is missing from it may be there.
    Unseen(Gap),
    /// This version does not manage targets of this dimension.
    Unsupported,
}

impl Wait {
    /// The reason as a stable label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::EndpointMissing(_) => "endpoint_missing",
            Self::EndpointBusy { .. } => "endpoint_busy",
            Self::VariantMissing { .. } => "variant_missing",
            Self::Unseen(_) => "unseen",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A remark on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// AWS holds a policy that the config does not name. It is left alone.
    ForeignPolicy {
        /// Its name.
        name: PolicyName,
        /// AWS's word for its type.
        type_name: String,
    },
    /// A declared policy can not be put: the name is taken by a policy of another type, which AWS can not change.
    TypeTaken {
        /// The declared policy.
        name: PolicyName,
        /// AWS's word for the type that stands there.
        type_name: String,
    },
    /// A declared policy can not be put: another one on the target tracks the same metric already.
    MetricTaken {
        /// The declared policy.
        name: PolicyName,
        /// The policy that stands in its way.
        by: PolicyName,
    },
    /// AWS has kinds of scaling suspended, and the config says nothing of it. It is left so.
    Suspended(Suspension),
    /// A declared policy can not have its alarm: one of this name exists, and does something else.
    AlarmTaken {
        /// The declared policy.
        name: PolicyName,
        /// The alarm.
        alarm: String,
        /// What it does now.
        action: String,
    },
    /// Another alarm triggers a declared step policy too.
    ExtraAlarm {
        /// The declared policy.
        name: PolicyName,
        /// The other alarm.
        alarm: String,
    },
    /// The alarm of a declared policy can not be judged: the list of alarms could not be read to its end.
    AlarmUnseen {
        /// The declared policy.
        name: PolicyName,
        /// The gap.
        gap: Gap,
    },
    /// A declared policy can not be judged: the list of policies could not be read to its end.
    PolicyUnseen {
        /// The declared policy.
        name: PolicyName,
        /// The gap.
        gap: Gap,
    },
}

impl Note {
    /// Whether the note holds something back that the config asks for.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self {
            Self::ForeignPolicy { .. } | Self::Suspended(_) | Self::ExtraAlarm { .. } => false,
            Self::TypeTaken { .. }
            | Self::MetricTaken { .. }
            | Self::PolicyUnseen { .. }
            | Self::AlarmUnseen { .. }
            | Self::AlarmTaken { .. } => true,
        }
    }
}

/// One change, its reason, and what AWS will do by itself because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is written.
    pub change: Change,
    /// Why.
    pub reason: ActionReason,
    /// What follows without our doing.
    pub effects: Vec<Effect>,
}

/// What is written. Each is an upsert: doing it twice does it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Register the target, or set its bounds.
    Register {
        /// The bounds to set.
        bounds: Bounds,
        /// What to suspend, and with that what not to; `None` leaves it as it is.
        suspended: Option<Suspension>,
        /// What AWS holds now; `None` when the target is not registered.
        previous: Option<ObservedTarget>,
    },
    /// Put a policy, always in full: what is left out of a put, AWS keeps or resets by rules of its own.
    PutPolicy {
        /// The policy.
        policy: Policy,
        /// What stands there now.
        previous: Option<ObservedPolicyKind>,
    },
    /// Put the alarm that drives a step policy, always in full.
    PutAlarm {
        /// The alarm's name.
        name: String,
        /// The policy that it drives.
        policy: PolicyName,
        /// When it goes off.
        rule: AlarmRule,
        /// The policy's ARN; `None` when the policy is put before it in the same plan, which tells it.
        arn: Option<String>,
        /// Whether an alarm of this name stands there now.
        exists: bool,
    },
    /// Delete a policy. AWS deletes the alarms of target tracking with it.
    DeletePolicy {
        /// Its name.
        name: PolicyName,
        /// AWS's word for its type.
        type_name: String,
    },
    /// Delete an alarm of ours.
    DeleteAlarm {
        /// Its name.
        name: String,
    },
}

impl Change {
    /// Labels of all changes.
    pub const LABELS: [&'static str; 5] = [
        "register_target",
        "put_policy",
        "put_alarm",
        "delete_policy",
        "delete_alarm",
    ];

    /// What of a target it is about, to tell one difference from another.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Register { .. } => "",
            Self::PutPolicy { policy, .. } => policy.name.as_str(),
            Self::DeletePolicy { name, .. } => name.as_str(),
            Self::PutAlarm { name, .. } | Self::DeleteAlarm { name } => name,
        }
    }

    /// The change as a stable label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register_target",
            Self::PutPolicy { .. } => "put_policy",
            Self::PutAlarm { .. } => "put_alarm",
            Self::DeletePolicy { .. } => "delete_policy",
            Self::DeleteAlarm { .. } => "delete_alarm",
        }
    }
}

/// The difference that made an action necessary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionReason {
    /// AWS has no such target.
    TargetMissing,
    /// AWS holds other bounds.
    BoundsDiffer,
    /// AWS has other kinds of scaling suspended.
    SuspensionDiffers,
    /// The target has no such policy.
    PolicyMissing,
    /// The policy differs in these fields.
    PolicyDiffers(Vec<Difference>),
    /// Someone deleted or changed alarms that AWS made for the policy. Putting the policy makes new ones.
    AlarmsTampered(Vec<(String, Tampering)>),
    /// The alarm that drives the policy does not exist.
    AlarmMissing,
    /// The alarm differs in these fields.
    AlarmDiffers(Vec<Difference>),
    /// The config does not name it.
    NotDeclared,
    /// Nothing is left that it would drive.
    Orphaned,
}

impl ActionReason {
    /// The kind of drift, as a stable label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::TargetMissing => "target_missing",
            Self::BoundsDiffer => "bounds",
            Self::PolicyMissing => "policy_missing",
            Self::PolicyDiffers(_) => "policy",
            Self::SuspensionDiffers => "suspension",
            Self::AlarmsTampered(_) => "alarms_tampered",
            Self::AlarmMissing => "alarm_missing",
            Self::AlarmDiffers(_) => "alarm",
            Self::NotDeclared => "not_declared",
            Self::Orphaned => "alarm_orphaned",
        }
    }

    /// Labels of all kinds.
    pub const LABELS: [&'static str; 10] = [
        "target_missing",
        "bounds",
        "suspension",
        "policy_missing",
        "policy",
        "alarms_tampered",
        "alarm_missing",
        "alarm",
        "not_declared",
        "alarm_orphaned",
    ];
}

/// One field that differs, by the name that the config gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The config key.
    pub key: &'static str,
    /// What AWS holds.
    pub held: String,
    /// What is declared.
    pub wanted: String,
}

impl Difference {
    /// The field, if the two differ.
    pub(super) fn between<T: PartialEq + std::fmt::Display>(
        key: &'static str,
        held: &T,
        wanted: &T,
    ) -> Option<Self> {
        (held != wanted).then(|| Self {
            key,
            held: held.to_string(),
            wanted: wanted.to_string(),
        })
    }
}

/// What is wrong with an alarm that AWS made for target tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tampering {
    /// It was deleted.
    Gone,
    /// Its actions were switched off.
    SwitchedOff,
    /// It does not trigger the policy any more.
    Disconnected,
}

/// What AWS does by itself when an action is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Registering pulls the running capacity into the bounds at once (aws-autoscaling.md 1.4).
    CapacityClamped {
        /// Running now.
        from: Capacity,
        /// Running after.
        to: Capacity,
    },
    /// Updating a target-tracking policy re-creates its alarms under new names (aws-autoscaling.md 1.5).
    AlarmsRecreated,
    /// Deleting a target-tracking policy deletes its alarms.
    AlarmsDeleted,
}
