//! Application Auto Scaling.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;

use super::error::ApiError;
use crate::domain::{
    Activity, Bounds, ObservedPolicy, ObservedSchedule, ObservedTarget, OwnerName, Policy,
    PolicyName, ScheduledAction, Suspension, TargetId,
};

/// A list read page by page. When a page fails, what came before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was read.
    pub items: Vec<T>,
    /// Why the list ends here, if it was not read to its end.
    pub gap: Option<ApiError>,
}

impl<T> Listing<T> {
    /// A list read to its end.
    #[must_use]
    pub fn complete(items: Vec<T>) -> Self {
        Self { items, gap: None }
    }
}

/// Targets, policies and activities of a scope.
///
/// Listings that loops read cover the whole service namespace, never one target per call; writes are upserts by key.
#[async_trait]
pub trait ScalingApi: Debug + Send + Sync {
    /// All registered targets of SageMaker.
    async fn targets(&self) -> Listing<ObservedTarget>;

    /// All policies of SageMaker targets.
    async fn policies(&self) -> Listing<ObservedPolicy>;

    /// All scheduled actions of SageMaker targets.
    async fn scheduled_actions(&self) -> Listing<ObservedSchedule>;

    /// Activities, newest first, down to the first one that began before `since` or at most `limit`; also those
    /// that tell why nothing was scaled.
    async fn activities(
        &self,
        since: chrono::DateTime<chrono::Utc>,
        limit: usize,
    ) -> Listing<Activity>;

    /// Activities of one target, newest first, down to the first one that began before `since` or at most `limit`; also
    /// those that tell why nothing was scaled.
    async fn activities_of(
        &self,
        target: &TargetId,
        since: chrono::DateTime<chrono::Utc>,
        limit: usize,
    ) -> Listing<Activity>;

    /// Registers a target, or sets its bounds and what is suspended; `None` leaves that as it is. The running
    /// capacity is pulled into the bounds at once. A new registration is tagged with its owner; AWS refuses that for
    /// one that stands.
    async fn register(
        &self,
        target: &TargetId,
        bounds: Bounds,
        suspended: Option<Suspension>,
        owner: Option<&OwnerName>,
    ) -> Result<(), ApiError>;

    /// Takes a registration away, with its policies, their alarms and its scheduled actions. One that is not there
    /// counts as taken away.
    async fn deregister(&self, target: &TargetId) -> Result<(), ApiError>;

    /// The tags of the registration of this ARN.
    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError>;

    /// Puts a policy in full, and returns its ARN.
    async fn put_policy(&self, target: &TargetId, policy: &Policy) -> Result<String, ApiError>;

    /// Puts a scheduled action in full.
    async fn put_scheduled_action(
        &self,
        target: &TargetId,
        action: &ScheduledAction,
    ) -> Result<(), ApiError>;

    /// Deletes a scheduled action. One that is not there counts as deleted.
    async fn delete_scheduled_action(&self, target: &TargetId, name: &str) -> Result<(), ApiError>;

    /// Deletes a policy. One that is not there counts as deleted.
    async fn delete_policy(&self, target: &TargetId, policy: &PolicyName) -> Result<(), ApiError>;
}
