//! The in-process door: the simulated AWS behind our ports, without a wire.
//!
//! It speaks the same operations as the wire door, pages and all, and translates what comes back; it takes no
//! short cuts through the world's insides.

mod endpoints;
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::engine::api::{
    AlarmHistoryItem, AlarmNames, DeleteScalingPolicy, DeleteScheduledAction,
    DeregisterScalableTarget, DescribeAlarmHistory, DescribeAlarms, DescribeScalableTargets,
    DescribeScalingActivities, DescribeScalingPolicies, DescribeScheduledActions, GetMetricData,
    ListAlarmMuteRules, MetricDataResult, NamedMuteRule, PutMetricAlarm, PutScalingPolicy,
    PutScheduledAction, RegisterScalableTarget, ResourceArnOnly,
};
use super::engine::{ApiError as EngineError, World};
use super::sandbox::{Sandbox, to_instant, to_time};
use crate::domain::{
    Activity, AlarmExtras, AlarmRecord, AlarmRule, Bounds, Capacity, Datapoint, MathMetric,
    OWNER_TAG, ObservedAlarm, ObservedPolicy, ObservedSchedule, ObservedTarget, OwnerName, Policy,
    PolicyKind, PolicyName, ScheduledAction, Suspension, TargetId, metrics_billed, metrics_of,
};
use crate::ports::{
    AlarmApi, ApiError, ErrorKind, Listing, MetricQuery, MetricSource, RequestLog, ScalingApi,
    ScopePorts, absent_is_deleted, alarm_record_event,
};
use shapes::{
    alarm_shape, marker_shape, math_shape, observed_activity, observed_alarm, observed_policy,
    observed_schedule, put_schedule_shape, steps_shape, suspension_shape, tracking_shape,
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
            alarms: door.clone(),
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
        let ordered = |world: &mut World| match world.take_fault(operation) {
            Some(error) => Err(error),
            None => act(world),
        };
        let result = self.sandbox.with(ordered).map_err(|error| ApiError {
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

impl Door {
    /// Of one target, or of all.
    fn read_activities(
        &self,
        target: Option<&TargetId>,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Listing<Activity> {
        let since = to_instant(since);
        let mut items = Vec::new();
        let mut token = None;
        loop {
            let query = DescribeScalingActivities {
                service_namespace: Some("sagemaker".to_owned()),
                resource_id: target.map(TargetId::resource_id),
                scalable_dimension: target.map(|t| t.dimension().aws_name().to_owned()),
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
                suspended: Suspension {
                    scale_in: shape.suspended_state.dynamic_scaling_in_suspended == Some(true),
                    scale_out: shape.suspended_state.dynamic_scaling_out_suspended == Some(true),
                    scheduled: shape.suspended_state.scheduled_scaling_suspended == Some(true),
                },
                created: to_time(shape.creation_time.0),
                arn: Some(shape.arn),
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

    async fn scheduled_actions(&self) -> Listing<ObservedSchedule> {
        let listing = self.pages(AAS, "DescribeScheduledActions", |world, next_token| {
            let query = DescribeScheduledActions {
                service_namespace: Some("sagemaker".to_owned()),
                next_token,
                ..DescribeScheduledActions::default()
            };
            let page = world.describe_scheduled_actions(&query)?;
            Ok((page.scheduled_actions, page.next_token))
        });
        let items = listing.items.into_iter().filter_map(observed_schedule);
        Listing {
            items: items.collect(),
            gap: listing.gap,
        }
    }

    async fn activities(&self, since: DateTime<Utc>, limit: usize) -> Listing<Activity> {
        self.read_activities(None, since, limit)
    }

    async fn activities_of(
        &self,
        target: &TargetId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Listing<Activity> {
        self.read_activities(Some(target), since, limit)
    }

    async fn register(
        &self,
        target: &TargetId,
        bounds: Bounds,
        suspended: Option<Suspension>,
        owner: Option<&OwnerName>,
    ) -> Result<(), ApiError> {
        let shape = json!({
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
            "MinCapacity": bounds.min().get(),
            "MaxCapacity": bounds.max().get(),
            "SuspendedState": suspended.map(suspension_shape),
            "Tags": owner.map(|owner| json!({ OWNER_TAG: owner.as_str() })),
        });
        let query: RegisterScalableTarget = request(shape);
        self.call(AAS, "RegisterScalableTarget", |world| {
            world.register_scalable_target(&query)
        })
        .map(drop)
    }

    async fn deregister(&self, target: &TargetId) -> Result<(), ApiError> {
        let query: DeregisterScalableTarget = request(json!({
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
        }));
        absent_is_deleted(self.call(AAS, "DeregisterScalableTarget", |world| {
            world.deregister_scalable_target(&query).map(drop)
        }))
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let query: ResourceArnOnly = request(json!({ "ResourceARN": arn }));
        let answer = self.call(AAS, "ListTagsForResource", |world| {
            world.list_tags_for_resource(&query)
        })?;
        Ok(answer.tags.unwrap_or_default())
    }

    async fn put_scheduled_action(
        &self,
        target: &TargetId,
        action: &ScheduledAction,
    ) -> Result<(), ApiError> {
        let query: PutScheduledAction = request(put_schedule_shape(target, action));
        self.call(AAS, "PutScheduledAction", |world| {
            world.put_scheduled_action(&query)
        })
        .map(drop)
    }

    async fn delete_scheduled_action(&self, target: &TargetId, name: &str) -> Result<(), ApiError> {
        let query: DeleteScheduledAction = request(json!({
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
            "ScheduledActionName": name,
        }));
        absent_is_deleted(self.call(AAS, "DeleteScheduledAction", |world| {
            world.delete_scheduled_action(&query).map(drop)
        }))
    }

    async fn put_policy(&self, target: &TargetId, policy: &Policy) -> Result<String, ApiError> {
        let (word, member, shape) = match &policy.kind {
            PolicyKind::TargetTracking(tracking) => (
                "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration",
                tracking_shape(tracking),
            ),
            PolicyKind::Step(step) => (
                "StepScaling",
                "StepScalingPolicyConfiguration",
                steps_shape(&step.scaling),
            ),
        };
        let query: PutScalingPolicy = request(json!({
            "PolicyName": policy.name.as_str(),
            "PolicyType": word,
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
            member: shape,
        }));
        self.call(AAS, "PutScalingPolicy", |world| {
            world.put_scaling_policy(&query)
        })
        .map(|answer| answer.arn)
    }

    async fn delete_policy(&self, target: &TargetId, policy: &PolicyName) -> Result<(), ApiError> {
        let query: DeleteScalingPolicy = request(json!({
            "PolicyName": policy.as_str(),
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource_id(),
            "ScalableDimension": target.dimension().aws_name(),
        }));
        absent_is_deleted(self.call(AAS, "DeleteScalingPolicy", |world| {
            world.delete_scaling_policy(&query).map(drop)
        }))
    }
}

#[async_trait]
impl AlarmApi for Door {
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
        Listing {
            items: listing.items.into_iter().map(observed_alarm).collect(),
            gap: listing.gap,
        }
    }

    async fn alarms_named(&self, names: &[String]) -> Listing<ObservedAlarm> {
        let mut items = Vec::new();
        for some in names.chunks(100) {
            let query = DescribeAlarms {
                alarm_names: Some(some.to_vec()),
                max_records: Some(100),
                ..DescribeAlarms::default()
            };
            match self.call(CLOUDWATCH, "DescribeAlarms", |world| {
                world.describe_alarms(&query)
            }) {
                Ok(page) => items.extend(page.metric_alarms.into_iter().map(observed_alarm)),
                Err(error) => {
                    let gap = Some(error);
                    return Listing { items, gap };
                }
            }
        }
        Listing::complete(items)
    }

    async fn muted(&self) -> Listing<String> {
        let active = ListAlarmMuteRules {
            statuses: Some(vec!["ACTIVE".to_owned()]),
            ..ListAlarmMuteRules::default()
        };
        let rules = self.call(CLOUDWATCH, "ListAlarmMuteRules", |world| {
            world.list_alarm_mute_rules(&active)
        });
        let mut names = Vec::new();
        for rule in rules.into_iter().flat_map(|r| r.alarm_mute_rule_summaries) {
            let name = rule
                .alarm_mute_rule_arn
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .to_owned();
            let named = NamedMuteRule {
                alarm_mute_rule_name: name,
            };
            let rule = self.call(CLOUDWATCH, "GetAlarmMuteRule", |world| {
                world.get_alarm_mute_rule(&named)
            });
            names.extend(rule.into_iter().flat_map(|r| r.mute_targets.alarm_names));
        }
        Listing::complete(names)
    }

    async fn history(
        &self,
        name: &str,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Listing<AlarmRecord> {
        let mut listing = self.pages(CLOUDWATCH, "DescribeAlarmHistory", |world, token| {
            let query: DescribeAlarmHistory = request(json!({
                "AlarmName": name, "StartDate": from.timestamp(), "EndDate": until.timestamp(),
                "NextToken": token,
            }));
            let page = world.describe_alarm_history(&query)?;
            let record = |item: &AlarmHistoryItem| AlarmRecord {
                alarm: item.alarm_name.clone(),
                at: to_time(item.timestamp.0),
                event: alarm_record_event(
                    item.history_item_type,
                    &item.history_summary,
                    Some(&item.history_data),
                ),
            };
            let items = page.alarm_history_items.iter().map(record).collect();
            Ok((items, page.next_token))
        });
        listing.items.truncate(limit);
        listing
    }

    async fn put_alarm(
        &self,
        name: &str,
        rule: &AlarmRule,
        policy: &str,
        keeps: &AlarmExtras,
    ) -> Result<(), ApiError> {
        let query: PutMetricAlarm = request(alarm_shape(name, rule, policy, keeps));
        self.call(CLOUDWATCH, "PutMetricAlarm", |world| {
            world.put_metric_alarm(&query).map(drop)
        })
    }

    async fn put_marker(&self, name: &str, description: &str) -> Result<(), ApiError> {
        let query: PutMetricAlarm = request(marker_shape(name, description));
        self.call(CLOUDWATCH, "PutMetricAlarm", |world| {
            world.put_metric_alarm(&query).map(drop)
        })
    }

    async fn delete_alarm(&self, name: &str) -> Result<(), ApiError> {
        let query: AlarmNames = request(json!({ "AlarmNames": [name] }));
        absent_is_deleted(self.call(CLOUDWATCH, "DeleteAlarms", |world| {
            world.delete_alarms(&query).map(drop)
        }))
    }
}

#[async_trait]
impl MetricSource for Door {
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
        self.log
            .metrics(metrics_billed(queries.iter().map(|q| &q.metric)));
        Ok(answer.metric_data_results.iter().map(points_of).collect())
    }

    async fn math(
        &self,
        math: &MathMetric,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Datapoint>, ApiError> {
        let query: GetMetricData = request(json!({
            "MetricDataQueries": math_shape(math, Some(60)),
            "StartTime": from.timestamp(),
            "EndTime": until.timestamp(),
        }));
        let answer = self.call(CLOUDWATCH, "GetMetricData", |world| {
            world.get_metric_data(&query)
        })?;
        self.log.metrics(metrics_billed(metrics_of(math)));
        Ok(answer
            .metric_data_results
            .iter()
            .flat_map(points_of)
            .collect())
    }
}

fn points_of(result: &MetricDataResult) -> Vec<Datapoint> {
    let points = result.timestamps.iter().zip(&result.values);
    points
        .map(|(at, value)| Datapoint {
            at: to_time(at.0),
            value: *value,
        })
        .collect()
}
