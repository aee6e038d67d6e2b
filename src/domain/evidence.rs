//! What is known of a target's past, for explaining it. Each part comes from where it was written down: AWS's
//! activities and alarm histories, CloudWatch's values, the config, and our own journal.

use chrono::{DateTime, Utc};

use super::activity::Activity;
use super::alarm::AlarmState;
use super::bounds::Capacity;
use super::desired::{DesiredTarget, Suspension};
use super::endpoint::{EndpointStatus, Running};
use super::lease::Leases;
use super::metric::Datapoint;
use super::name::PolicyName;

/// An entry of an alarm's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRecord {
    /// The alarm.
    pub alarm: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: AlarmRecordEvent,
}

/// What an entry of an alarm's history tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmRecordEvent {
    /// Its state changed.
    State {
        /// From this.
        from: AlarmState,
        /// To this.
        to: AlarmState,
        /// CloudWatch's sentence on why.
        reason: String,
    },
    /// It was made, changed or deleted; CloudWatch's sentence.
    Changed(String),
    /// It did something; CloudWatch's sentence.
    Acted(String),
}

/// An alarm of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyAlarm {
    /// The policy that it drives.
    pub policy: PolicyName,
    /// Its name.
    pub name: String,
    /// Its state now.
    pub state: AlarmState,
    /// Since when it is in that state.
    pub since: Option<DateTime<Utc>>,
    /// Whether it does anything.
    pub acts: bool,
    /// What happened to it, oldest first.
    pub history: Vec<AlarmRecord>,
}

/// A line of our journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    /// When the write was done.
    pub at: DateTime<Utc>,
    /// What kind of write.
    pub action: String,
    /// Whether it worked.
    pub is_done: bool,
    /// Bounds that it set, if it set any.
    pub bounds: Option<(u32, u32)>,
    /// What was changed, in words.
    pub change: String,
    /// Why, in words.
    pub reason: String,
    /// What went wrong, if anything did.
    pub problem: Option<String>,
}

/// All of it. Lists are oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// As declared.
    pub target: DesiredTarget,
    /// What someone asks for a while.
    pub leases: Leases,
    /// What AWS is told not to do, now.
    pub suspended: Suspension,
    /// Capacity now.
    pub running: Option<Running>,
    /// Status of its endpoint, or of its component, now.
    pub endpoint: Option<EndpointStatus>,
    /// When its endpoint was last changed, by whomever, and the endpoint config that is in force.
    pub changed: Option<(DateTime<Utc>, String)>,
    /// Bounds that AWS holds now.
    pub held: Option<(Capacity, Capacity)>,
    /// Activities, and decisions not to scale.
    pub activities: Vec<Activity>,
    /// Alarms of its policies.
    pub alarms: Vec<PolicyAlarm>,
    /// Values of its policies' metrics.
    pub values: Vec<(PolicyName, Vec<Datapoint>)>,
    /// Our own writes; `None` where there is no journal.
    pub journal: Option<Vec<JournalLine>>,
    /// What could not be read, as sentences.
    pub gaps: Vec<String>,
}
