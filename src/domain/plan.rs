//! A plan: what a pass wants to change, and why it leaves the rest alone.

use chrono::{DateTime, Utc};

use super::alarm::{AlarmExtras, AlarmRule, alarm_prefix};
use super::bounds::{Bounds, Capacity, EffectiveBounds};
use super::desired::{Manage, Suspension};
use super::endpoint::EndpointStatus;
use super::lease::{MarkerKind, PreparedUpdate};
use super::name::{
    ComponentName, EndpointName, OwnerName, PolicyName, ScheduleName, ScopeName, VariantName,
};
use super::note::Note;
use super::observed::{Gap, ObservedPolicyKind, ObservedSchedule, ObservedTarget};
use super::policy::Policy;
use super::scheduled::ScheduledAction;
use super::target::TargetId;

/// What a pass wants to do with a scope. It holds an entry for every declared target, changed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The scope.
    pub scope: ScopeName,
    /// The instant the plan is for.
    pub at: DateTime<Utc>,
    /// Whose names are ours.
    pub owner: OwnerName,
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
    /// Whose the registration is, where its tags were read.
    pub registration: Option<Who>,
}

/// Whose something is that a plan writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// evenkeel made it, or makes it now.
    Owned,
    /// Someone else made it, and the config names it.
    Adopted,
    /// Someone else made it, and the config does not name it.
    Unknown,
}

impl Who {
    /// The word for it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Adopted => "adopted",
            Self::Unknown => "unknown",
        }
    }
}

impl TargetPlan {
    /// Whose the thing is that an action writes to; `None` when it is not known.
    #[must_use]
    pub fn who(&self, action: &Action, owner: &OwnerName) -> Option<Who> {
        let manage = Manage {
            owner: owner.clone(),
            ..Manage::default()
        };
        let or = |is_ours: bool, other: Who| if is_ours { Who::Owned } else { other };
        let is_our_alarm = |name: &str| name.starts_with(&alarm_prefix(owner));
        match &action.change {
            Change::Register { previous: None, .. } | Change::EndLease { .. } => Some(Who::Owned),
            Change::Register { .. } | Change::Deregister { .. } => self.registration,
            Change::PutPolicy { previous: None, .. } | Change::PutAlarm { keeps: None, .. } => {
                Some(Who::Owned)
            }
            Change::PutPolicy { policy, .. } => Some(or(manage.owns(&policy.name), Who::Adopted)),
            Change::DeletePolicy { name, .. } => Some(or(manage.owns(name), Who::Unknown)),
            Change::PutAlarm { name, .. } => Some(or(is_our_alarm(name), Who::Adopted)),
            Change::DeleteAlarm { name } => Some(or(is_our_alarm(name), Who::Unknown)),
            Change::PutSchedule { action, .. } => {
                Some(or(manage.is_ours(&action.name), Who::Adopted))
            }
            Change::DeleteSchedule { name } => Some(or(manage.is_ours(name), Who::Unknown)),
        }
    }
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
    /// The inference component does not exist.
    ComponentMissing(ComponentName),
    /// The inference component is in a status in which nothing can be scaled.
    ComponentBusy {
        /// The component.
        component: ComponentName,
        /// Its status.
        status: EndpointStatus,
        /// When AWS last changed it.
        since: DateTime<Utc>,
    },
    /// Someone is about to change the endpoint, and had its targets deregistered for that.
    UpdatePrepared {
        /// The endpoint.
        endpoint: EndpointName,
        /// Who, why, since when.
        update: PreparedUpdate,
    },
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
            Self::ComponentMissing(_) => "component_missing",
            Self::ComponentBusy { .. } => "component_busy",
            Self::UpdatePrepared { .. } => "update_prepared",
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
        /// Whose tag a new registration is to carry. AWS takes none with one that stands.
        owner: Option<OwnerName>,
    },
    /// Take the registration away. Its policies and their alarms go with it; capacity stays where it is.
    Deregister {
        /// What AWS holds now.
        previous: ObservedTarget,
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
        /// What an alarm of this name has now; `None` when there is none.
        keeps: Option<AlarmExtras>,
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
    /// Put a scheduled action, always in full: its start and its end go when they are left out.
    PutSchedule {
        /// The scheduled action.
        action: ScheduledAction,
        /// What stands there now.
        previous: Option<ObservedSchedule>,
    },
    /// Delete a scheduled action. The bounds that it set stay.
    DeleteSchedule {
        /// Its name.
        name: String,
    },
    /// Delete the marker of a hold or an override that is over.
    EndLease {
        /// Which of the two.
        kind: MarkerKind,
        /// The marker's name.
        name: String,
        /// When it was to end.
        until: DateTime<Utc>,
    },
}

impl Change {
    /// Labels of all changes.
    pub const LABELS: [&'static str; 9] = [
        "register_target",
        "deregister_target",
        "put_policy",
        "put_alarm",
        "delete_policy",
        "delete_alarm",
        "put_schedule",
        "delete_schedule",
        "end_lease",
    ];

    /// What of a target it is about, to tell one difference from another.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Register { .. } | Self::Deregister { .. } => "",
            Self::PutPolicy { policy, .. } => policy.name.as_str(),
            Self::DeletePolicy { name, .. } => name.as_str(),
            Self::PutSchedule { action, .. } => &action.name,
            Self::PutAlarm { name, .. }
            | Self::DeleteAlarm { name }
            | Self::DeleteSchedule { name }
            | Self::EndLease { name, .. } => name,
        }
    }

    /// Whether it is about scheduled actions only.
    #[must_use]
    pub fn is_of_schedules(&self) -> bool {
        matches!(self, Self::PutSchedule { .. } | Self::DeleteSchedule { .. })
    }

    /// The change as a stable label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register_target",
            Self::Deregister { .. } => "deregister_target",
            Self::PutPolicy { .. } => "put_policy",
            Self::PutAlarm { .. } => "put_alarm",
            Self::DeletePolicy { .. } => "delete_policy",
            Self::DeleteAlarm { .. } => "delete_alarm",
            Self::PutSchedule { .. } => "put_schedule",
            Self::DeleteSchedule { .. } => "delete_schedule",
            Self::EndLease { .. } => "end_lease",
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
    /// A schedule was due, AWS was to run it, and did not: it holds what held before.
    ScheduleMissed {
        /// The schedule.
        name: ScheduleName,
        /// When it was due.
        due: DateTime<Utc>,
    },
    /// AWS has no such scheduled action.
    ScheduleMissing,
    /// The scheduled action differs in these fields.
    ScheduleDiffers(Vec<Difference>),
    /// It has run for the last time.
    ScheduleOver,
    /// The config does not name it.
    NotDeclared,
    /// Nothing is left that it would drive.
    Orphaned,
    /// Its time is over.
    TimeOver,
    /// evenkeel is being removed. That is no drift, so it is none of [`Self::LABELS`].
    Withdrawn,
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
            Self::ScheduleMissed { .. } => "schedule_missed",
            Self::ScheduleMissing => "schedule_missing",
            Self::ScheduleDiffers(_) => "schedule",
            Self::ScheduleOver => "schedule_over",
            Self::NotDeclared => "not_declared",
            Self::Orphaned => "alarm_orphaned",
            Self::TimeOver => "lease_over",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Labels of all kinds of drift.
    pub const LABELS: [&'static str; 15] = [
        "target_missing",
        "bounds",
        "suspension",
        "policy_missing",
        "policy",
        "alarms_tampered",
        "alarm_missing",
        "alarm",
        "schedule_missed",
        "schedule_missing",
        "schedule",
        "schedule_over",
        "not_declared",
        "alarm_orphaned",
        "lease_over",
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
    /// Deregistering deletes so many policies, and all scheduled actions (aws-autoscaling.md 1.5).
    PoliciesDeleted(usize),
}
