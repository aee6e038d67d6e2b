//! What AWS holds, as far as it could be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};

use super::alarm::ObservedAlarm;
use super::bounds::Capacity;
use super::desired::Suspension;
use super::name::{EndpointName, PolicyName, ScopeName, VariantName};
use super::policy::{StepScaling, TargetTracking};
use super::target::TargetId;

/// Status of an endpoint; only `InService` can be scaled (aws-autoscaling.md 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointStatus {
    /// Not available.
    OutOfService,
    /// Being created.
    Creating,
    /// A config, weight or capacity change runs, AWS's own scaling included.
    Updating,
    /// SageMaker maintenance.
    SystemUpdating,
    /// A change failed and is being undone.
    RollingBack,
    /// Serving; the only status in which anything can be scaled.
    InService,
    /// Being deleted.
    Deleting,
    /// Can only be deleted.
    Failed,
    /// Update and rollback both failed.
    UpdateRollbackFailed,
    /// A status that this version does not know.
    Unknown(String),
}

impl EndpointStatus {
    /// Reads AWS's word; one we do not know is kept, and counts as not scalable.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "OutOfService" => Self::OutOfService,
            "Creating" => Self::Creating,
            "Updating" => Self::Updating,
            "SystemUpdating" => Self::SystemUpdating,
            "RollingBack" => Self::RollingBack,
            "InService" => Self::InService,
            "Deleting" => Self::Deleting,
            "Failed" => Self::Failed,
            "UpdateRollbackFailed" => Self::UpdateRollbackFailed,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// AWS's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::OutOfService => "OutOfService",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::SystemUpdating => "SystemUpdating",
            Self::RollingBack => "RollingBack",
            Self::InService => "InService",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
            Self::UpdateRollbackFailed => "UpdateRollbackFailed",
            Self::Unknown(word) => word,
        }
    }
}

impl fmt::Display for EndpointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A production variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedVariant {
    /// Capacity in service; absent for serverless variants.
    pub current: Option<Capacity>,
    /// Capacity asked for.
    pub desired: Option<Capacity>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEndpoint {
    /// Its name.
    pub name: EndpointName,
    /// Status.
    pub status: EndpointStatus,
    /// With the name, tells a re-created endpoint from the one before.
    pub created: DateTime<Utc>,
    /// When AWS last changed it.
    pub modified: DateTime<Utc>,
    /// Variants by name; `None` when they were not read, which is not the same as none.
    pub variants: Option<BTreeMap<VariantName, ObservedVariant>>,
}

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

/// A part of the world that an observation reads in one go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The list of endpoints.
    Endpoints,
    /// The variants of one endpoint.
    Variants(EndpointName),
    /// The list of registered targets.
    Targets,
    /// The list of policies.
    Policies,
    /// The lists of alarms.
    Alarms,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoints => f.write_str("the list of endpoints"),
            Self::Variants(endpoint) => write!(f, "the variants of endpoint {endpoint}"),
            Self::Targets => f.write_str("the list of targets"),
            Self::Policies => f.write_str("the list of policies"),
            Self::Alarms => f.write_str("the list of alarms"),
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
    /// Targets seen.
    pub targets: BTreeMap<TargetId, ObservedTarget>,
    /// Policies seen, by target and name.
    pub policies: BTreeMap<TargetId, BTreeMap<PolicyName, ObservedPolicy>>,
    /// Alarms of target tracking and of our own, by name.
    pub alarms: BTreeMap<String, ObservedAlarm>,
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

    /// Capacity in service and asked for, when the id names a variant that was seen.
    #[must_use]
    pub fn capacity(&self, target: &TargetId) -> Option<&ObservedVariant> {
        let endpoint = self.endpoints.get(target.endpoint()?)?;
        endpoint.variants.as_ref()?.get(target.variant()?)
    }

    /// Endpoints whose variants a plan for `targets` needs.
    #[must_use]
    pub fn endpoints_of<'a>(
        targets: impl IntoIterator<Item = &'a TargetId>,
    ) -> BTreeSet<EndpointName> {
        targets
            .into_iter()
            .filter_map(|id| id.endpoint().cloned())
            .collect()
    }
}
