//! The operations of the API, one method of [`World`](super::World) each, with the shapes they speak.
//!
//! Members are named as on the wire. Requests hold everything as optional: what is required is checked by the
//! operation, so that a client gets AWS's complaint and not a parser's. Unknown members are ignored, as AWS does.

mod activities;
mod alarm_history;
mod alarm_shapes;
mod alarms;
mod component_shapes;
mod components;
mod endpoint_configs;
mod endpoint_shapes;
mod endpoints;
mod metric_shapes;
mod metrics;
mod mute_rules;
mod page;
mod policies;
mod policy_spec;
mod put_policy;
mod sagemaker_tags;
mod scalable;
mod scheduled_actions;
mod scheduled_shapes;
mod target_tags;
mod targets;
mod variant_specs;
mod weights;

pub use activities::{
    DescribeScalingActivities, DescribeScalingActivitiesResponse, NotScaledReason,
    ScalingActivityShape,
};
pub use alarm_history::{AlarmHistoryItem, DescribeAlarmHistory, DescribeAlarmHistoryResponse};
pub use alarm_shapes::{
    AlarmNames, DescribeAlarms, DescribeAlarmsResponse, MetricAlarm, PutMetricAlarm, SetAlarmState,
};
pub use component_shapes::{
    CopyCount, CreateInferenceComponent, DescribeInferenceComponentResponse,
    InferenceComponentArnOnly, InferenceComponentNameOnly, InferenceComponentSummary,
    ListInferenceComponents, ListInferenceComponentsResponse, RuntimeConfigSummary,
    UpdateInferenceComponentRuntimeConfig,
};
pub use endpoint_configs::{
    CreateEndpointConfig, CreateEndpointConfigResponse, DescribeEndpointConfigResponse,
    EndpointConfigNameOnly, EndpointConfigSummary, ListEndpointConfigs,
    ListEndpointConfigsResponse,
};
pub use endpoint_shapes::{
    CreateEndpoint, DescribeEndpointResponse, DesiredWeightAndCapacity, EndpointArnOnly,
    EndpointNameOnly, EndpointSummary, ListEndpoints, ListEndpointsResponse, ServerlessConfigShape,
    ServerlessUpdateConfig, UpdateEndpoint, UpdateEndpointWeightsAndCapacities, VariantSummary,
};
pub(crate) use endpoints::in_progress;
pub use metric_shapes::{
    Dimension, GetMetricData, GetMetricDataResponse, ListMetrics, ListMetricsResponse, Metric,
    MetricDataQuery, MetricDataResult, MetricStat, PutMetricData,
};
pub use mute_rules::{
    AlarmMuteRuleSummary, GetAlarmMuteRuleResponse, ListAlarmMuteRules, ListAlarmMuteRulesResponse,
    MuteSchedule, MuteTargets, NamedMuteRule, PutAlarmMuteRule, Rule,
};
pub use policies::{
    AlarmReference, DeleteScalingPolicy, DescribeScalingPolicies, DescribeScalingPoliciesResponse,
    ScalingPolicyShape, StepConfiguration, TrackingConfiguration,
};
pub use put_policy::{PutScalingPolicy, PutScalingPolicyResponse};
pub use sagemaker_tags::{AddTags, ListTags, Tag, TagsResponse};
pub use scheduled_shapes::{
    DeleteScheduledAction, DescribeScheduledActions, DescribeScheduledActionsResponse,
    PutScheduledAction, ScalableTargetAction, ScheduledActionShape,
};
pub use target_tags::{ResourceArnOnly, TagMap, TagResource, UntagResource};
pub use targets::{
    DeregisterScalableTarget, DescribeScalableTargets, DescribeScalableTargetsResponse,
    RegisterScalableTarget, RegisterScalableTargetResponse, ScalableTargetShape, SuspendedState,
};

use super::scaling::{CONCURRENCY, COPIES, INSTANCES};
use serde::{Deserialize, Serialize};

/// An answer without members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Dimensions of Application Auto Scaling, all services, as the service model lists them.
const SCALABLE_DIMENSIONS: [&str; 24] = [
    "ecs:service:DesiredCount",
    "ec2:spot-fleet-request:TargetCapacity",
    "elasticmapreduce:instancegroup:InstanceCount",
    "appstream:fleet:DesiredCapacity",
    "dynamodb:table:ReadCapacityUnits",
    "dynamodb:table:WriteCapacityUnits",
    "dynamodb:index:ReadCapacityUnits",
    "dynamodb:index:WriteCapacityUnits",
    "rds:cluster:ReadReplicaCount",
    INSTANCES,
    "custom-resource:ResourceType:Property",
    "comprehend:document-classifier-endpoint:DesiredInferenceUnits",
    "comprehend:entity-recognizer-endpoint:DesiredInferenceUnits",
    "lambda:function:ProvisionedConcurrency",
    "cassandra:table:ReadCapacityUnits",
    "cassandra:table:WriteCapacityUnits",
    "kafka:broker-storage:VolumeSize",
    "elasticache:cache-cluster:Nodes",
    "elasticache:replication-group:NodeGroups",
    "elasticache:replication-group:Replicas",
    "neptune:cluster:ReadReplicaCount",
    CONCURRENCY,
    COPIES,
    "workspaces:workspacespool:DesiredUserSessions",
];

/// Namespaces of Application Auto Scaling, as the service model lists them.
const SERVICE_NAMESPACES: [&str; 15] = [
    "ecs",
    "elasticmapreduce",
    "ec2",
    "appstream",
    "dynamodb",
    "rds",
    "sagemaker",
    "custom-resource",
    "comprehend",
    "lambda",
    "cassandra",
    "kafka",
    "elasticache",
    "neptune",
    "workspaces",
];
