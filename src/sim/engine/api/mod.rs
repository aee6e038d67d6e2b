//! The operations of the API, one method of [`World`](super::World) each, with the shapes they speak.
//!
//! Members are named as on the wire. Requests hold everything as optional: what is required is checked by the
//! operation, so that a client gets AWS's complaint and not a parser's. Unknown members are ignored, as AWS does.

mod alarms;
mod endpoint_configs;
mod endpoints;
mod metrics;
mod page;
mod policies;
mod put_policy;
mod targets;

pub use alarms::{
    AlarmHistoryItem, AlarmNames, DescribeAlarmHistory, DescribeAlarmHistoryResponse,
    DescribeAlarms, DescribeAlarmsResponse, MetricAlarm, PutMetricAlarm, SetAlarmState,
};
pub use endpoint_configs::{
    CreateEndpointConfig, CreateEndpointConfigResponse, DescribeEndpointConfigResponse,
    EndpointConfigNameOnly, EndpointConfigSummary, ListEndpointConfigs,
    ListEndpointConfigsResponse,
};
pub use endpoints::{
    AddTags, CreateEndpoint, DescribeEndpointResponse, EndpointArnOnly, EndpointNameOnly,
    EndpointSummary, ListEndpoints, ListEndpointsResponse, ListTags, Tag, TagsResponse,
    UpdateEndpoint, UpdateEndpointWeightsAndCapacities, VariantSummary,
};
pub use metrics::{
    Dimension, GetMetricData, GetMetricDataResponse, ListMetrics, ListMetricsResponse, Metric,
    MetricDataQuery, MetricDataResult, MetricStat, PutMetricData,
};
pub use policies::{
    AlarmReference, DeleteScalingPolicy, DescribeScalingPolicies, DescribeScalingPoliciesResponse,
    ScalingPolicyShape, StepConfiguration, TrackingConfiguration,
};
pub use put_policy::{PutScalingPolicy, PutScalingPolicyResponse};
pub use targets::{
    DeregisterScalableTarget, DescribeScalableTargets, DescribeScalableTargetsResponse,
    DescribeScalingActivities, DescribeScalingActivitiesResponse, NotScaledReason,
    RegisterScalableTarget, RegisterScalableTargetResponse, ResourceArnOnly, ScalableTargetShape,
    ScalingActivityShape, SuspendedState, TagMap, TagResource, UntagResource,
};

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
    "sagemaker:variant:DesiredProvisionedConcurrency",
    "sagemaker:inference-component:DesiredCopyCount",
    "workspaces:workspacespool:DesiredUserSessions",
];

/// The dimension that this world scales.
const INSTANCES: &str = "sagemaker:variant:DesiredInstanceCount";

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
