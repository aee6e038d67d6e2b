//! What the config asks for.

use std::collections::BTreeMap;

use super::bounds::Bounds;
use super::name::ScopeName;
use super::policy::Policy;
use super::target::TargetId;

/// One target as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredTarget {
    /// Which target.
    pub id: TargetId,
    /// Base bounds.
    pub bounds: Bounds,
    /// Policies in the order of the config; names and metrics are unique within a target.
    pub policies: Vec<Policy>,
}

/// Everything declared for one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFleet {
    /// The scope.
    pub scope: ScopeName,
    /// Its targets, each once.
    pub targets: BTreeMap<TargetId, DesiredTarget>,
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
