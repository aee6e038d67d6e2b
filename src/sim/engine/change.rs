//! What an endpoint may be doing: its status, and the changes that run on it (aws-autoscaling.md 3.8, 5.2).

use super::fleet::Variant;

/// Status of an endpoint, in SageMaker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `CreateEndpoint` runs.
    Creating,
    /// A config, weight or capacity change runs.
    Updating,
    /// Maintenance by AWS: serving, and nothing can be changed.
    SystemUpdating,
    /// A change failed; serving with what there was before.
    RollingBack,
    /// Serving, and the only status in which anything can be changed.
    InService,
    /// It could not be created, and can only be deleted.
    Failed,
    /// `DeleteEndpoint` runs.
    Deleting,
}

impl Status {
    /// SageMaker's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::SystemUpdating => "SystemUpdating",
            Self::RollingBack => "RollingBack",
            Self::Failed => "Failed",
            Self::InService => "InService",
            Self::Deleting => "Deleting",
        }
    }

    pub(crate) fn serves(self) -> bool {
        match self {
            Self::Updating | Self::SystemUpdating | Self::RollingBack | Self::InService => true,
            Self::Creating | Self::Failed | Self::Deleting => false,
        }
    }
}

/// A change that runs on an endpoint. One that is doomed finds no instances, and is taken back.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create {
        doomed: bool,
    },
    /// Capacity or weights; `activity` when Application Auto Scaling asked for it.
    Capacity {
        activity: Option<u64>,
        doomed: bool,
    },
    /// A new config; the variants that will serve when it is done.
    Config {
        config: String,
        variants: Vec<Variant>,
        doomed: bool,
    },
    /// A doomed change is taken back.
    RollBack,
    /// AWS maintains the endpoint.
    Maintenance,
    Delete,
}

/// What a finished change means for the rest of the world.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The endpoint serves; the activity that asked for it, if one did.
    InService { activity: Option<u64> },
    /// There were no instances, and the endpoint has to roll back.
    Refused { activity: Option<u64> },
    /// There were no instances to create it with.
    Failed,
    /// The endpoint is gone.
    Deleted,
}
