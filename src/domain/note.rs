//! Remarks of a plan: what was seen and left alone, what is wanted and held back.

use chrono::{DateTime, Utc};

use super::desired::Suspension;
use super::lease::{Hold, Lease, Override};
use super::name::{OwnerName, PolicyName};
use super::observed::Gap;
use super::scalable::Unscalable;

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
    /// AWS would refuse the target, or should not be given it.
    CannotScale(Unscalable),
    /// A declared policy can not be put: its target is in percent of all cores, and their number is not known.
    CoresUnknown(PolicyName),
    /// The registration is not touched: whether someone asks for something else for a while could not be read.
    LeasesUnseen(Gap),
    /// Someone holds scaling.
    Held(Lease<Hold>),
    /// Someone asks for other bounds.
    Overridden(Lease<Override>),
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
    /// AWS holds a scheduled action that the config does not name. It is left alone, and sets bounds when it runs.
    ForeignSchedule {
        /// Its name.
        name: String,
        /// When it runs, in AWS's words.
        expression: String,
    },
    /// The target would have more scheduled actions than AWS takes; so many are not put.
    TooManySchedules(usize),
    /// Its scheduled actions can not be judged: their list could not be read to its end.
    SchedulesUnseen(Gap),
    /// AWS holds other bounds than the effective ones, and is given until then to run what is due.
    LeftToAws {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The registration carries the tag of another owner: where two declare one target, each undoes the other's work.
    OtherOwner(OwnerName),
    /// `remove` leaves the registration: someone else made it, or put something on it that would go with it.
    RegistrationStays {
        /// Whether it carries our tag.
        is_ours: bool,
        /// Policies and scheduled actions of others on it.
        others: Vec<String>,
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
            Self::ForeignPolicy { .. }
            | Self::Suspended(_)
            | Self::ExtraAlarm { .. }
            | Self::Held(_)
            | Self::ForeignSchedule { .. }
            | Self::LeftToAws { .. }
            | Self::RegistrationStays { .. }
            | Self::OtherOwner(_)
            | Self::Overridden(_) => false,
            Self::TypeTaken { .. }
            | Self::MetricTaken { .. }
            | Self::PolicyUnseen { .. }
            | Self::AlarmUnseen { .. }
            | Self::AlarmTaken { .. }
            | Self::CannotScale(_)
            | Self::CoresUnknown(_)
            | Self::TooManySchedules(_)
            | Self::SchedulesUnseen(_)
            | Self::LeasesUnseen(_) => true,
        }
    }
}
