//! Application Auto Scaling.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{PolicyType, ScalableDimension, ServiceNamespace};
use chrono::{DateTime, Utc};

use super::convert;
use super::error::{classify, unreadable};
use super::pages::turn;
use crate::domain::{
    Activity, Bounds, OWNER_TAG, ObservedPolicy, ObservedSchedule, ObservedTarget, OwnerName,
    Policy, PolicyKind, PolicyName, ScheduledAction, Suspension, TargetId,
};
use crate::ports::{ApiError, Listing, ScalingApi, absent_is_deleted};

/// The adapter.
#[derive(Debug, Clone)]
pub(super) struct ApplicationAutoScaling {
    client: Client,
}

impl ApplicationAutoScaling {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }
}

fn dimension(target: &TargetId) -> ScalableDimension {
    ScalableDimension::from(target.dimension().aws_name())
}

impl ApplicationAutoScaling {
    /// Of one target, or of all.
    async fn read_activities(
        &self,
        target: Option<&TargetId>,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Listing<Activity> {
        const OPERATION: &str = "DescribeScalingActivities";
        let read = AtomicUsize::new(0);
        let listing = turn(OPERATION, |token| async {
            let page = self
                .client
                .describe_scaling_activities()
                .service_namespace(ServiceNamespace::Sagemaker)
                .set_resource_id(target.map(TargetId::resource_id))
                .set_scalable_dimension(target.map(dimension))
                .include_not_scaled_activities(true)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            // Newest first: the first one that is too old ends the listing.
            let all = page.scaling_activities();
            let fresh = all
                .iter()
                .take_while(|a| convert::time(a.start_time()) >= since);
            let items: Vec<Activity> = fresh.clone().filter_map(convert::activity).collect();
            let so_far = read.fetch_add(items.len(), Ordering::Relaxed) + items.len();
            let ends = fresh.count() < all.len() || so_far >= limit;
            Ok((items, page.next_token.filter(|_| !ends)))
        })
        .await;
        let items = listing.items.into_iter().take(limit).collect();
        Listing {
            items,
            gap: listing.gap,
        }
    }
}

#[async_trait]
impl ScalingApi for ApplicationAutoScaling {
    async fn targets(&self) -> Listing<ObservedTarget> {
        const OPERATION: &str = "DescribeScalableTargets";
        turn(OPERATION, |token| async {
            let page = self
                .client
                .describe_scalable_targets()
                .service_namespace(ServiceNamespace::Sagemaker)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page.scalable_targets().iter().filter_map(convert::target);
            Ok((items.collect(), page.next_token))
        })
        .await
    }

    async fn policies(&self) -> Listing<ObservedPolicy> {
        const OPERATION: &str = "DescribeScalingPolicies";
        turn(OPERATION, |token| async {
            let page = self
                .client
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Sagemaker)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page.scaling_policies().iter().filter_map(convert::policy);
            Ok((items.collect(), page.next_token))
        })
        .await
    }

    async fn scheduled_actions(&self) -> Listing<ObservedSchedule> {
        const OPERATION: &str = "DescribeScheduledActions";
        turn(OPERATION, |token| async {
            let page = self
                .client
                .describe_scheduled_actions()
                .service_namespace(ServiceNamespace::Sagemaker)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page
                .scheduled_actions()
                .iter()
                .filter_map(convert::schedule);
            Ok((items.collect(), page.next_token))
        })
        .await
    }

    async fn activities(&self, since: DateTime<Utc>, limit: usize) -> Listing<Activity> {
        self.read_activities(None, since, limit).await
    }

    async fn activities_of(
        &self,
        target: &TargetId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Listing<Activity> {
        self.read_activities(Some(target), since, limit).await
    }

    async fn register(
        &self,
        target: &TargetId,
        bounds: Bounds,
        suspended: Option<Suspension>,
        owner: Option<&OwnerName>,
    ) -> Result<(), ApiError> {
        let tag =
            owner.map(|owner| HashMap::from([(OWNER_TAG.to_owned(), owner.as_str().to_owned())]));
        self.client
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .min_capacity(convert::api_count(bounds.min()))
            .max_capacity(convert::api_count(bounds.max()))
            .set_suspended_state(suspended.map(convert::suspended_state))
            .set_tags(tag)
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("RegisterScalableTarget", &error))
    }

    async fn deregister(&self, target: &TargetId) -> Result<(), ApiError> {
        let deregistered = self
            .client
            .deregister_scalable_target()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("DeregisterScalableTarget", &error));
        absent_is_deleted(deregistered)
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let answer = self
            .client
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .map_err(|error| classify("ListTagsForResource", &error))?;
        Ok(answer.tags.unwrap_or_default().into_iter().collect())
    }

    async fn put_policy(&self, target: &TargetId, policy: &Policy) -> Result<String, ApiError> {
        const OPERATION: &str = "PutScalingPolicy";
        let lacks = || unreadable(OPERATION, "was not asked for: the policy lacks a member");
        let request = self
            .client
            .put_scaling_policy()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .policy_name(policy.name.as_str());
        let request = match &policy.kind {
            PolicyKind::TargetTracking(tracking) => request
                .policy_type(PolicyType::TargetTrackingScaling)
                .target_tracking_scaling_policy_configuration(
                    convert::tracking_configuration(tracking).ok_or_else(lacks)?,
                ),
            PolicyKind::Step(step) => request
                .policy_type(PolicyType::StepScaling)
                .step_scaling_policy_configuration(
                    convert::step_configuration(&step.scaling).ok_or_else(lacks)?,
                ),
        };
        let answer = request.send().await;
        let answer = answer.map_err(|error| classify(OPERATION, &error))?;
        Ok(answer.policy_arn)
    }

    async fn put_scheduled_action(
        &self,
        target: &TargetId,
        action: &ScheduledAction,
    ) -> Result<(), ApiError> {
        self.client
            .put_scheduled_action()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .scheduled_action_name(&action.name)
            .schedule(&action.expression)
            .timezone(action.zone.name())
            .set_start_time(action.start.map(convert::sdk_time))
            .set_end_time(action.end.map(convert::sdk_time))
            .scalable_target_action(convert::scheduled_bounds(action.min, action.max))
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("PutScheduledAction", &error))
    }

    async fn delete_scheduled_action(&self, target: &TargetId, name: &str) -> Result<(), ApiError> {
        let deleted = self
            .client
            .delete_scheduled_action()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .scheduled_action_name(name)
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("DeleteScheduledAction", &error));
        absent_is_deleted(deleted)
    }

    async fn delete_policy(&self, target: &TargetId, policy: &PolicyName) -> Result<(), ApiError> {
        let deleted = self
            .client
            .delete_scaling_policy()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .policy_name(policy.as_str())
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("DeleteScalingPolicy", &error));
        absent_is_deleted(deleted)
    }
}
