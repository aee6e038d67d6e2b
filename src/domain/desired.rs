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
