//! What SageMaker runs: endpoints with their variants, and inference components.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::bounds::Capacity;
use super::name::{ComponentName, EndpointName, VariantName};
use super::target::Dimension;

/// Status of an endpoint or a component; only `InService` can be scaled (aws-autoscaling.md 5.2).
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

/// Capacity of a target, in the unit of its dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Running {
    /// In service.
    pub current: Option<Capacity>,
    /// Asked for.
    pub desired: Option<Capacity>,
}

impl Running {
    /// What a registration would pull into the bounds: what is asked for, or else what serves.
    #[must_use]
    pub fn aim(self) -> Option<Capacity> {
        self.desired.or(self.current)
    }
}

/// A variant of an endpoint, by what it runs on, and so by what of it can be scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedVariant {
    /// A model on instances of its own.
    Instances(Running),
    /// A model without instances.
    Serverless {
        /// The variant's `MaxConcurrency`.
        max_concurrency: Option<Capacity>,
        /// Provisioned concurrency, if it has any.
        provisioned: Option<Running>,
    },
    /// Instances that host inference components. SageMaker sets their number by itself (`ManagedInstanceScaling`).
    Components(Running),
    /// A shadow of another variant: it answers nobody, and is no target of Application Auto Scaling.
    Shadow,
}

impl ObservedVariant {
    /// The capacity that a target of this dimension has here; `None` when there is no such target.
    #[must_use]
    pub fn running(&self, dimension: Dimension) -> Option<Running> {
        match (self, dimension) {
            (Self::Instances(running), Dimension::Instances) => Some(*running),
            (Self::Serverless { provisioned, .. }, Dimension::ProvisionedConcurrency) => {
                *provisioned
            }
            _ => None,
        }
    }
}

/// What kind of endpoint it is (aws-autoscaling.md 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointKind {
    /// Answers at once, on instances.
    RealTime,
    /// Works off a queue.
    Async,
    /// Without instances.
    Serverless,
    /// Hosts inference components.
    Components,
}

impl EndpointKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::RealTime,
        Self::Async,
        Self::Serverless,
        Self::Components,
    ];

    /// The config's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RealTime => "real_time",
            Self::Async => "async",
            Self::Serverless => "serverless",
            Self::Components => "components",
        }
    }
}

/// What `DescribeEndpoint` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointDetails {
    /// The name of its config.
    pub config: String,
    /// Whether it works off a queue.
    pub is_async: bool,
    /// Its variants, shadows too.
    pub variants: BTreeMap<VariantName, ObservedVariant>,
}

impl EndpointDetails {
    /// What kind of endpoint it is.
    #[must_use]
    pub fn kind(&self) -> EndpointKind {
        let any = |wanted: fn(&ObservedVariant) -> bool| self.variants.values().any(wanted);
        if self.is_async {
            EndpointKind::Async
        } else if any(|v| matches!(v, ObservedVariant::Serverless { .. })) {
            EndpointKind::Serverless
        } else if any(|v| matches!(v, ObservedVariant::Components(_))) {
            EndpointKind::Components
        } else {
            EndpointKind::RealTime
        }
    }
}

/// What an endpoint config says of a variant. A config never changes: only another one can take its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfiguredVariant {
    /// For example `ml.m5.xlarge`; none for serverless variants.
    pub instance_type: Option<String>,
    /// Instances that a deployment of it starts with.
    pub initial: Option<Capacity>,
    /// Whether it names a model; one that does not hosts components.
    pub has_model: bool,
}

/// What `DescribeEndpointConfig` tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedConfig {
    /// Its variants.
    pub variants: BTreeMap<VariantName, ConfiguredVariant>,
    /// How often metrics are published, in seconds, where the config says so; else every 60 s.
    pub publishes_every: Option<u32>,
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
    /// `None` when it was not described.
    pub details: Option<EndpointDetails>,
    /// `None` when its config was not read.
    pub config: Option<ObservedConfig>,
    /// `None` when its tags were not read.
    pub tags: Option<BTreeMap<String, String>>,
}

impl ObservedEndpoint {
    /// A variant, if it was seen.
    #[must_use]
    pub fn variant(&self, name: &VariantName) -> Option<&ObservedVariant> {
        self.details.as_ref()?.variants.get(name)
    }

    /// The instance type of a variant, if it is known.
    #[must_use]
    pub fn instance_type(&self, variant: &VariantName) -> Option<&str> {
        let configured = self.config.as_ref()?.variants.get(variant)?;
        configured.instance_type.as_deref()
    }
}

/// An inference component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedComponent {
    /// Its name.
    pub name: ComponentName,
    /// The endpoint that hosts it.
    pub endpoint: EndpointName,
    /// The variant that hosts it.
    pub variant: VariantName,
    /// Status.
    pub status: EndpointStatus,
    /// With the name, tells a re-created component from the one before.
    pub created: DateTime<Utc>,
    /// When AWS last changed it.
    pub modified: DateTime<Utc>,
    /// Its copies; `None` when it was not described.
    pub copies: Option<Running>,
}

/// Cores of an instance type: by the size in its name, `large` has 2, `xlarge` 4 and `Nxlarge` 4 N. `None` for what
/// does not follow that rule as far as we know.
#[must_use]
pub fn cores_of(instance_type: &str) -> Option<u32> {
    if instance_type == "ml.c4.8xlarge" {
        return Some(36);
    }
    match instance_type.rsplit('.').next()? {
        "large" => Some(2),
        "xlarge" => Some(4),
        size => size
            .strip_suffix("xlarge")?
            .parse::<u32>()
            .ok()?
            .checked_mul(4),
    }
}

/// Whether an instance type is of the burstable family, which can not be scaled (aws-autoscaling.md 2.1).
#[must_use]
pub fn is_burstable(instance_type: &str) -> bool {
    let family = instance_type.strip_prefix("ml.t");
    family.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_follow_from_the_size_where_they_do() {
        for (instance_type, cores) in [
            ("ml.m5.large", Some(2)),
            ("ml.g5.xlarge", Some(4)),
            ("ml.p4d.24xlarge", Some(96)),
            ("ml.c4.8xlarge", Some(36)),
            ("ml.m7g.medium", None),
            ("nonsense", None),
        ] {
            assert_eq!(cores_of(instance_type), cores, "{instance_type}");
        }
    }

    #[test]
    fn burstable_is_not_training() {
        assert!(is_burstable("ml.t2.medium") && is_burstable("ml.t3.large"));
        assert!(!is_burstable("ml.trn1.2xlarge") && !is_burstable("ml.m5.large"));
    }
}
