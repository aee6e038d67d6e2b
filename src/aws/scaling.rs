//! Application Auto Scaling.

use async_trait::async_trait;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{PolicyType, ScalableDimension, ServiceNamespace};
use chrono::{DateTime, Utc};

use super::MAX_PAGES;
use super::convert;
use super::error::{classify, endless, unreadable};
use crate::domain::{Activity, Bounds, ObservedPolicy, ObservedTarget, Policy, TargetId};
use crate::ports::{ApiError, Listing, ScalingApi};

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

#[async_trait]
impl ScalingApi for ApplicationAutoScaling {
    async fn targets(&self) -> Listing<ObservedTarget> {
        const OPERATION: &str = "DescribeScalableTargets";
        let mut items = Vec::new();
        let request = self
            .client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Sagemaker);
        let mut pages = request.into_paginator().send();
        for _ in 0..MAX_PAGES {
            match pages.next().await {
                None => return Listing::complete(items),
                Some(Ok(page)) => {
                    items.extend(page.scalable_targets().iter().filter_map(convert::target));
                }
                Some(Err(error)) => {
                    return Listing {
                        items,
                        gap: Some(classify(OPERATION, &error)),
                    };
                }
            }
        }
        Listing {
            items,
            gap: Some(endless(OPERATION)),
        }
    }

    async fn policies(&self) -> Listing<ObservedPolicy> {
        const OPERATION: &str = "DescribeScalingPolicies";
        let mut items = Vec::new();
        let request = self
            .client
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Sagemaker);
        let mut pages = request.into_paginator().send();
        for _ in 0..MAX_PAGES {
            match pages.next().await {
                None => return Listing::complete(items),
                Some(Ok(page)) => {
                    items.extend(page.scaling_policies().iter().filter_map(convert::policy));
                }
                Some(Err(error)) => {
                    return Listing {
                        items,
                        gap: Some(classify(OPERATION, &error)),
                    };
                }
            }
        }
        Listing {
            items,
            gap: Some(endless(OPERATION)),
        }
    }

    async fn activities(&self, since: DateTime<Utc>, limit: usize) -> Listing<Activity> {
        const OPERATION: &str = "DescribeScalingActivities";
        let mut items: Vec<Activity> = Vec::new();
        let request = self
            .client
            .describe_scaling_activities()
            .service_namespace(ServiceNamespace::Sagemaker)
            .include_not_scaled_activities(true);
        let mut pages = request.into_paginator().send();
        for _ in 0..MAX_PAGES {
            match pages.next().await {
                None => return Listing::complete(items),
                Some(Ok(page)) => {
                    for activity in page.scaling_activities() {
                        if convert::time(activity.start_time()) < since || items.len() >= limit {
                            return Listing::complete(items);
                        }
                        items.extend(convert::activity(activity));
                    }
                }
                Some(Err(error)) => {
                    return Listing {
                        items,
                        gap: Some(classify(OPERATION, &error)),
                    };
                }
            }
        }
        Listing {
            items,
            gap: Some(endless(OPERATION)),
        }
    }

    async fn register(&self, target: &TargetId, bounds: Bounds) -> Result<(), ApiError> {
        self.client
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .min_capacity(convert::api_count(bounds.min()))
            .max_capacity(convert::api_count(bounds.max()))
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("RegisterScalableTarget", &error))
    }

    async fn put_policy(&self, target: &TargetId, policy: &Policy) -> Result<(), ApiError> {
        const OPERATION: &str = "PutScalingPolicy";
        let configuration = convert::tracking_configuration(policy)
            .ok_or_else(|| unreadable(OPERATION, "was not asked for: the policy lacks a member"))?;
        self.client
            .put_scaling_policy()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.resource_id())
            .scalable_dimension(dimension(target))
            .policy_name(policy.name.as_str())
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(configuration)
            .send()
            .await
            .map(drop)
            .map_err(|error| classify(OPERATION, &error))
    }
}
