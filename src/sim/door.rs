//! The in-process door: the simulated AWS behind our ports, without a wire.
//!
//! It speaks the same operations as the wire door, pages and all, and translates what comes back; it takes no
//! short cuts through the world's insides.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::engine::api::{
    DescribeAlarms, DescribeScalableTargets, DescribeScalingActivities, DescribeScalingPolicies,
    EndpointNameOnly, GetMetricData, ListEndpoints, PutScalingPolicy, RegisterScalableTarget,
    ScalingActivityShape, ScalingPolicyShape,
};
use super::engine::{ApiError as EngineError, World};
use super::sandbox::{Sandbox, to_instant, to_time};
use crate::domain::{
    Activity, ActivityStatus, AlarmState, Bounds, Capacity, Cooldown, CustomMetric, Datapoint,
    EndpointName, EndpointStatus, Metric, NotScaled, ObservedAlarm, ObservedPolicy,
    ObservedPolicyKind, ObservedTarget, ObservedVariant, Policy, PolicyKind, PredefinedMetric,
    TargetId, TargetTracking, TargetValue, VariantName,
};
use crate::ports::{
    ApiError, EndpointApi, EndpointSummary, ErrorKind, Listing, MetricQuery, MetricSource,
    RequestLog, ScalingApi, ScopePorts,
};

/// The door. It counts requests as the AWS adapters do.
#[derive(Debug, Clone)]
pub struct Door {
    sandbox: Arc<Sandbox>,
    log: Arc<dyn RequestLog>,
}

impl Door {
    /// A door to a sandbox.
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>, log: Arc<dyn RequestLog>) -> Self {
        Self { sandbox, log }
    }

    /// The door as the ports of a scope.
    #[must_use]
    pub fn ports(self) -> ScopePorts {
        let door = Arc::new(self);
        ScopePorts {
            scaling: door.clone(),
            endpoints: door.clone(),
            metrics: door,
        }
    }

    /// One request.
    fn call<T>(
        &self,
        service: &'static str,
        operation: &'static str,
        act: impl FnOnce(&mut World) -> Result<T, EngineError>,
    ) -> Result<T, ApiError> {
        let result = self.sandbox.with(act).map_err(|error| ApiError {
            operation,
            kind: kind_of(&error),
            message: error.message,
            request_id: None,
        });
        let outcome = result.as_ref().map_or_else(|e| e.kind.label(), |_| "ok");
        self.log.request(service, operation, outcome);
        result
    }

    /// Reads all pages of a listing. `page` is given the token of the page before.
    fn pages<T>(
        &self,
        service: &'static str,
        operation: &'static str,
        mut page: impl FnMut(
            &mut World,
            Option<String>,
        ) -> Result<(Vec<T>, Option<String>), EngineError>,
    ) -> Listing<T> {
        let mut items = Vec::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            match self.call(service, operation, |world| page(world, token.take())) {
                Ok((more, next)) => {
                    items.extend(more);
                    token = next;
                }
                Err(error) => {
                    return Listing {
                        items,
                        gap: Some(error),
                    };
                }
            }
            if token.is_none() {
                return Listing::complete(items);
            }
        }
        let gap = ApiError {
            operation,
            kind: ErrorKind::Unknown,
            message: format!("the list did not end after {MAX_PAGES} pages"),
            request_id: None,
        };
        Listing {
            items,
            gap: Some(gap),
        }
    }
}

/// A bound on every listing; far above what AWS's quotas allow to exist.
const MAX_PAGES: usize = 10_000;
const AAS: &str = "application-autoscaling";
const SAGEMAKER: &str = "sagemaker";
const CLOUDWATCH: &str = "cloudwatch";

fn kind_of(error: &EngineError) -> ErrorKind {
    let kind = ErrorKind::of_code(error.query_code.unwrap_or(error.code));
    // SageMaker's way of saying not found (aws-autoscaling.md 5.1).
    let missing = error.message.starts_with("Could not find");
    if kind == ErrorKind::Invalid && missing {
        ErrorKind::NotFound
    } else {
        kind
    }
}

/// Reads a request from JSON; the shapes are ours on both sides.
fn request<T: serde::de::DeserializeOwned + Default>(shape: Value) -> T {
    serde_json::from_value(shape).unwrap_or_default()
}

fn capacity(n: u32) -> Capacity {
    Capacity::new(n).unwrap_or(Capacity::ZERO)
}

#[async_trait]
impl ScalingApi for Door {
    async fn targets(&self) -> Listing<ObservedTarget> {
        let listing = self.pages(AAS, "DescribeScalableTargets", |world, next_token| {
            let query = DescribeScalableTargets {
                service_namespace: Some("sagemaker".to_owned()),
                next_token,
                ..DescribeScalableTargets::default()
            };
            let page = world.describe_scalable_targets(&query)?;
            Ok((page.scalable_targets, page.next_token))
        });
        let observed = |shape: super::engine::api::ScalableTargetShape| {
            Some(ObservedTarget {
                id: TargetId::parse(&shape.resource_id, &shape.scalable_dimension).ok()?,
                min: capacity(shape.min_capacity),
                max: capacity(shape.max_capacity),
            })
        };
        let items = listing.items.into_iter().filter_map(observed).collect();
        Listing {
            items,
            gap: listing.gap,
        }
    }

    async fn policies(&self) -> Listing<ObservedPolicy> {
        let listing = self.pages(AAS, "DescribeScalingPolicies", |world, next_token| {
            let query = DescribeScalingPolicies {
                service_namespace: Some("sagemaker".to_owned()),
                next_token,
                ..DescribeScalingPolicies::default()
            };
            let page = world.describe_scaling_policies(&query)?;
            Ok((page.scaling_policies, page.next_token))
        });
        let items = listing.items.iter().filter_map(observed_policy).collect();
        Listing {
            items,
            gap: listing.gap,
        }
    }

    async fn activities(&self, since: DateTime<Utc>, limit: usize) -> Listing<Activity> {
        let since = to_instant(since);
        let mut items = Vec::new();
        let mut token = None;
        loop {
            let query = DescribeScalingActivities {
                service_namespace: Some("sagemaker".to_owned()),
                include_not_scaled_activities: Some(true),
                next_token: token,
                ..DescribeScalingActivities::default()
            };
            let page = self.call(AAS, "DescribeScalingActivities", |world| {
                world.describe_scaling_activities(&query)
            });
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    return Listing {
                        items,
                        gap: Some(error),
                    };
                }
            };
            for shape in &page.scaling_activities {
                if shape.start_time.0 < since || items.len() >= limit {
                    return Listing::complete(items);
                }
                items.extend(observed_activity(shape));
            }
            token = page.next_token;
            if token.is_none() {
                return Listing::complete(items);
            }
        }
    }

    async fn register(&self, target: &TargetId, bounds: Bounds) -> Result<(), ApiError> {
        let shape = json!({
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
            "MinCapacity": bounds.min().get(),
            "MaxCapacity": bounds.max().get(),
        });
        let query: RegisterScalableTarget = request(shape);
        self.call(AAS, "RegisterScalableTarget", |world| {
            world.register_scalable_target(&query)
        })
        .map(drop)
    }

    async fn put_policy(&self, target: &TargetId, policy: &Policy) -> Result<(), ApiError> {
        let PolicyKind::TargetTracking(tracking) = &policy.kind;
        let shape = json!({
            "PolicyName": policy.name.as_str(),
            "PolicyType": "TargetTrackingScaling",
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
            "TargetTrackingScalingPolicyConfiguration": tracking_shape(tracking),
        });
        let query: PutScalingPolicy = request(shape);
        self.call(AAS, "PutScalingPolicy", |world| {
            world.put_scaling_policy(&query)
        })
        .map(drop)
    }
}

fn tracking_shape(tracking: &TargetTracking) -> Value {
    let mut shape = json!({
        "TargetValue": tracking.target.get(),
        "ScaleOutCooldown": tracking.scale_out_cooldown.as_secs(),
        "ScaleInCooldown": tracking.scale_in_cooldown.as_secs(),
        "DisableScaleIn": tracking.disable_scale_in,
    });
    let (member, spec) = match &tracking.metric {
        Metric::Predefined(metric) => (
            "PredefinedMetricSpecification",
            json!({ "PredefinedMetricType": metric.aws_name() }),
        ),
        Metric::Custom(metric) => ("CustomizedMetricSpecification", custom_shape(metric)),
    };
    if let Some(map) = shape.as_object_mut() {
        map.insert(member.to_owned(), spec);
    }
    shape
}

fn custom_shape(metric: &CustomMetric) -> Value {
    let dimensions: Vec<Value> = metric
        .dimensions
        .iter()
        .map(|(n, v)| json!({ "Name": n, "Value": v }))
        .collect();
    let mut shape = json!({
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        "Statistic": metric.statistic.aws_name(),
        "Dimensions": dimensions,
    });
    if let (Some(unit), Some(map)) = (&metric.unit, shape.as_object_mut()) {
        map.insert("Unit".to_owned(), json!(unit));
    }
    shape
}

fn observed_policy(shape: &ScalingPolicyShape) -> Option<ObservedPolicy> {
    let kind = match &shape.target_tracking_scaling_policy_configuration {
        Some(config) => observed_tracking(config).map_or(
            ObservedPolicyKind::OtherTracking,
            ObservedPolicyKind::TargetTracking,
        ),
        None => ObservedPolicyKind::Step,
    };
    Some(ObservedPolicy {
        target: TargetId::parse(&shape.resource_id, &shape.scalable_dimension).ok()?,
        name: shape.policy_name.parse().ok()?,
        kind,
        alarms: shape.alarms.iter().map(|a| a.name.clone()).collect(),
    })
}

fn observed_tracking(config: &super::engine::api::TrackingConfiguration) -> Option<TargetTracking> {
    let cooldown = |secs: Option<i64>| match secs {
        None => Some(Cooldown::SAGEMAKER_DEFAULT),
        Some(secs) => Cooldown::from_secs(u32::try_from(secs).ok()?).ok(),
    };
    let metric = match (
        &config.predefined_metric_specification,
        &config.customized_metric_specification,
    ) {
        (Some(spec), _) => {
            let word = spec.get("PredefinedMetricType")?.as_str()?;
            Metric::Predefined(word.parse::<PredefinedMetric>().ok()?)
        }
        (None, Some(spec)) => Metric::Custom(observed_custom(spec)?),
        (None, None) => return None,
    };
    Some(TargetTracking {
        metric,
        target: TargetValue::new(config.target_value?).ok()?,
        scale_out_cooldown: cooldown(config.scale_out_cooldown)?,
        scale_in_cooldown: cooldown(config.scale_in_cooldown)?,
        disable_scale_in: config.disable_scale_in.unwrap_or(false),
    })
}

fn observed_custom(spec: &Value) -> Option<CustomMetric> {
    let text =
        |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let dimensions = spec.get("Dimensions").and_then(Value::as_array);
    let dimensions = dimensions.map(Vec::as_slice).unwrap_or_default();
    Some(CustomMetric {
        namespace: text(spec, "Namespace")?,
        name: text(spec, "MetricName")?,
        dimensions: dimensions
            .iter()
            .map(|d| text(d, "Name").zip(text(d, "Value")))
            .collect::<Option<BTreeMap<_, _>>>()?,
        statistic: text(spec, "Statistic")?.parse().ok()?,
        unit: text(spec, "Unit"),
    })
}

fn observed_activity(shape: &ScalingActivityShape) -> Option<Activity> {
    let status = match shape.status_code {
        "InProgress" => ActivityStatus::InProgress,
        "Successful" => ActivityStatus::Successful,
        "Failed" => ActivityStatus::Failed,
        _ => ActivityStatus::Unknown,
    };
    let reason = |r: &super::engine::api::NotScaledReason| {
        let of = |n: Option<u32>| n.map(capacity);
        NotScaled::parse(
            r.code,
            of(r.max_capacity),
            of(r.min_capacity),
            of(r.current_capacity),
        )
    };
    Some(Activity {
        id: shape.activity_id.clone(),
        target: TargetId::parse(&shape.resource_id, &shape.scalable_dimension).ok()?,
        description: shape.description.clone(),
        cause: shape.cause.clone(),
        status,
        status_message: shape.status_message.clone(),
        started: to_time(shape.start_time.0),
        ended: shape.end_time.map(|t| to_time(t.0)),
        not_scaled: shape.not_scaled_reasons.iter().map(reason).collect(),
    })
}

#[async_trait]
impl EndpointApi for Door {
    async fn endpoints(&self) -> Listing<EndpointSummary> {
        let listing = self.pages(SAGEMAKER, "ListEndpoints", |world, next_token| {
            let query = ListEndpoints {
                sort_by: Some("Name".to_owned()),
                sort_order: Some("Ascending".to_owned()),
                max_results: Some(100),
                next_token,
                ..ListEndpoints::default()
            };
            let page = world.list_endpoints(&query)?;
            Ok((page.endpoints, page.next_token))
        });
        let summary = |shape: super::engine::api::EndpointSummary| {
            Some(EndpointSummary {
                name: shape.endpoint_name.parse().ok()?,
                status: EndpointStatus::parse(shape.endpoint_status),
                created: to_time(shape.creation_time.0),
                modified: to_time(shape.last_modified_time.0),
            })
        };
        let items = listing.items.into_iter().filter_map(summary).collect();
        Listing {
            items,
            gap: listing.gap,
        }
    }

    async fn variants(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<VariantName, ObservedVariant>, ApiError> {
        let query = EndpointNameOnly {
            endpoint_name: Some(endpoint.to_string()),
        };
        let shape = self.call(SAGEMAKER, "DescribeEndpoint", |world| {
            world.describe_endpoint(&query)
        })?;
        let variant = |v: &super::engine::api::VariantSummary| {
            let observed = ObservedVariant {
                current: v.current_instance_count.and_then(Capacity::new),
                desired: v.desired_instance_count.and_then(Capacity::new),
            };
            Some((v.variant_name.parse().ok()?, observed))
        };
        Ok(shape
            .production_variants
            .iter()
            .filter_map(variant)
            .collect())
    }
}

#[async_trait]
impl MetricSource for Door {
    async fn alarms(&self, prefix: &str) -> Listing<ObservedAlarm> {
        let listing = self.pages(CLOUDWATCH, "DescribeAlarms", |world, next_token| {
            let query = DescribeAlarms {
                alarm_name_prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
                max_records: Some(100),
                next_token,
                ..DescribeAlarms::default()
            };
            let page = world.describe_alarms(&query)?;
            Ok((page.metric_alarms, page.next_token))
        });
        let observed = |shape: super::engine::api::MetricAlarm| ObservedAlarm {
            name: shape.alarm_name,
            state: match shape.state_value {
                "OK" => AlarmState::Ok,
                "ALARM" => AlarmState::Alarm,
                _ => AlarmState::InsufficientData,
            },
            actions_enabled: shape.actions_enabled,
            threshold: Some(shape.threshold),
            since: Some(to_time(shape.state_transitioned_timestamp.0)),
        };
        Listing {
            items: listing.items.into_iter().map(observed).collect(),
            gap: listing.gap,
        }
    }

    async fn datapoints(
        &self,
        queries: &[MetricQuery],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Vec<Datapoint>>, ApiError> {
        let shapes: Vec<Value> = queries
            .iter()
            .enumerate()
            .map(|(i, query)| {
                let dimensions: Vec<Value> = query
                    .metric
                    .dimensions
                    .iter()
                    .map(|(n, v)| json!({ "Name": n, "Value": v }))
                    .collect();
                json!({
                    "Id": format!("q{i}"),
                    "MetricStat": {
                        "Metric": {
                            "Namespace": query.metric.namespace,
                            "MetricName": query.metric.name,
                            "Dimensions": dimensions,
                        },
                        "Period": query.period,
                        "Stat": query.metric.statistic.aws_name(),
                    },
                })
            })
            .collect();
        let query: GetMetricData = request(json!({
            "MetricDataQueries": shapes,
            "StartTime": from.timestamp(),
            "EndTime": until.timestamp(),
        }));
        let answer = self.call(CLOUDWATCH, "GetMetricData", |world| {
            world.get_metric_data(&query)
        })?;
        let points = |result: &super::engine::api::MetricDataResult| {
            result
                .timestamps
                .iter()
                .zip(&result.values)
                .map(|(at, value)| Datapoint {
                    at: to_time(at.0),
                    value: *value,
                })
                .collect()
        };
        Ok(answer.metric_data_results.iter().map(points).collect())
    }
}
