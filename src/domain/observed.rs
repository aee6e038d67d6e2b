//! What AWS holds, as far as it could be read.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::alarm::ObservedAlarm;
use super::bounds::Capacity;
use super::desired::Suspension;
use super::endpoint::{ObservedComponent, ObservedEndpoint, Running};
use super::lease::{Leases, Markers};
use super::name::{ComponentName, EndpointName, OwnerName, PolicyName, ScopeName};
use super::policy::{StepScaling, TargetTracking};
use super::target::TargetId;

/// A registered target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTarget {
    /// Which one.
    pub id: TargetId,
    /// Minimum as AWS holds it.
    pub min: Capacity,
    /// Maximum as AWS holds it.
    pub max: Capacity,
    /// What is suspended.
    pub suspended: Suspension,
    /// When it was registered: another time is another registration, without the policies of the one before.
    pub created: DateTime<Utc>,
    /// AWS's identifier, by which it is tagged.
    pub arn: Option<String>,
}

/// What kind of policy AWS holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedPolicyKind {
    /// Target tracking that our config can express.
    TargetTracking(TargetTracking),
    /// Target tracking on something our config can not express (metric math, another service's metric).
    OtherTracking,
    /// Step scaling.
    Step(StepScaling),
    /// Step scaling that our config can not express.
    OtherStep,
    /// Any other type, by AWS's word.
    Other(String),
}

impl ObservedPolicyKind {
    /// AWS's `PolicyType`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::TargetTracking(_) | Self::OtherTracking => "TargetTrackingScaling",
            Self::Step(_) | Self::OtherStep => "StepScaling",
            Self::Other(word) => word,
        }
    }
}

/// A policy that AWS holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPolicy {
    /// The target it belongs to.
    pub target: TargetId,
    /// Its name.
    pub name: PolicyName,
    /// AWS's identifier, by which alarms name it. It changes when the target is registered anew.
    pub arn: String,
    /// What it does.
    pub kind: ObservedPolicyKind,
    /// Names of the alarms that drive it. They change whenever a target-tracking policy is put.
    pub alarms: Vec<String>,
    /// Whether these alarms were named long enough ago for the list of alarms to hold them.
    pub alarms_settled: bool,
}

/// A scheduled action that AWS holds, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSchedule {
    /// The target it belongs to.
    pub target: TargetId,
    /// Its name.
    pub name: String,
    /// `cron(...)`, `rate(...)` or `at(...)`.
    pub expression: String,
    /// The zone, if one is given.
    pub zone: Option<String>,
    /// The minimum that it sets.
    pub min: Option<Capacity>,
    /// The maximum that it sets.
    pub max: Option<Capacity>,
    /// It does not run before.
    pub start: Option<DateTime<Utc>>,
    /// Nor after.
    pub end: Option<DateTime<Utc>>,
    /// When it was put for the first time, where that is known.
    pub created: Option<DateTime<Utc>>,
}

/// A part of the world that an observation reads in one go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The list of endpoints.
    Endpoints,
    /// The variants of one endpoint.
    Variants(EndpointName),
    /// The config of one endpoint.
    Config(EndpointName),
    /// The tags of one endpoint.
    Tags(EndpointName),
    /// The list of inference components.
    Components,
    /// The copies of one inference component.
    Copies(ComponentName),
    /// The list of registered targets.
    Targets,
    /// The list of policies.
    Policies,
    /// The lists of alarms.
    Alarms,
    /// The list of scheduled actions.
    Schedules,
    /// An alarm that is named as the marker of a hold, an override or an update.
    Marker(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoints => f.write_str("the list of endpoints"),
            Self::Variants(endpoint) => write!(f, "the variants of endpoint {endpoint}"),
            Self::Config(endpoint) => write!(f, "the config of endpoint {endpoint}"),
            Self::Tags(endpoint) => write!(f, "the tags of endpoint {endpoint}"),
            Self::Components => f.write_str("the list of inference components"),
            Self::Copies(component) => write!(f, "the copies of component {component}"),
            Self::Targets => f.write_str("the list of targets"),
            Self::Policies => f.write_str("the list of policies"),
            Self::Schedules => f.write_str("the list of scheduled actions"),
            Self::Alarms => f.write_str("the list of alarms"),
            Self::Marker(name) => write!(f, "alarm {name}"),
        }
    }
}

/// A part that could not be read to its end, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Which part.
    pub part: Part,
    /// The error, as a sentence.
    pub why: String,
}

/// One look at a scope.
///
/// What is in the maps was seen. What is not in them is absent only if its part has no gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The scope.
    pub scope: ScopeName,
    /// When the look began.
    pub at: DateTime<Utc>,
    /// Endpoints seen.
    pub endpoints: BTreeMap<EndpointName, ObservedEndpoint>,
    /// Inference components seen.
    pub components: BTreeMap<ComponentName, ObservedComponent>,
    /// Targets seen.
    pub targets: BTreeMap<TargetId, ObservedTarget>,
    /// Policies seen, by target and name.
    pub policies: BTreeMap<TargetId, BTreeMap<PolicyName, ObservedPolicy>>,
    /// Alarms of target tracking and of our own, by name.
    pub alarms: BTreeMap<String, ObservedAlarm>,
    /// What people ask for a while, as our alarms tell it.
    pub markers: Markers,
    /// Scheduled actions seen, by target and name.
    pub schedules: BTreeMap<TargetId, BTreeMap<String, ObservedSchedule>>,
    /// Whose registrations are, where their tags were read: `None` when they carry no tag of ours.
    pub owners: BTreeMap<TargetId, Option<OwnerName>>,
    /// Parts not read to their end.
    pub gaps: Vec<Gap>,
}

impl Observation {
    /// The gap of `part`, if it has one.
    #[must_use]
    pub fn gap(&self, part: &Part) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.part == *part)
    }

    /// Whether everything was read to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Capacity in service and asked for, when the id names something that was seen.
    #[must_use]
    pub fn capacity(&self, target: &TargetId) -> Option<Running> {
        match target {
            TargetId::Instances { endpoint, variant }
            | TargetId::ProvisionedConcurrency { endpoint, variant } => {
                let endpoint = self.endpoints.get(endpoint)?;
                endpoint.variant(variant)?.running(target.dimension())
            }
            TargetId::Copies { component } => self.components.get(component)?.copies,
        }
    }

    /// What is asked of a target for a while.
    #[must_use]
    pub fn leases(&self, target: &TargetId) -> Option<&Leases> {
        self.markers.leases.get(target)
    }

    /// The endpoint that a target is of, when it is known.
    #[must_use]
    pub fn endpoint_of<'a>(&'a self, target: &'a TargetId) -> Option<&'a EndpointName> {
        match target {
            TargetId::Instances { endpoint, .. }
            | TargetId::ProvisionedConcurrency { endpoint, .. } => Some(endpoint),
            TargetId::Copies { component } => Some(&self.components.get(component)?.endpoint),
        }
    }
}
