//! From the name of an operation to the operation.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sim::engine::{ApiError, World};

/// A service that this door serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Application Auto Scaling.
    ApplicationAutoScaling,
    /// SageMaker.
    SageMaker,
    /// CloudWatch.
    CloudWatch,
}

impl Service {
    /// The service behind the first part of an `X-Amz-Target`.
    pub(super) fn of_target(prefix: &str) -> Option<Self> {
        match prefix {
            "AnyScaleFrontendService" => Some(Self::ApplicationAutoScaling),
            "SageMaker" => Some(Self::SageMaker),
            "GraniteServiceVersion20100801" => Some(Self::CloudWatch),
            _ => None,
        }
    }
}

/// Calls an operation with its input as a tree.
///
/// # Errors
/// What AWS would answer, `UnknownOperationException` included.
pub fn call(
    world: &mut World,
    service: Service,
    operation: &str,
    body: Value,
) -> Result<Value, ApiError> {
    if let Some(error) = world.take_fault(operation) {
        return Err(error);
    }
    match service {
        Service::ApplicationAutoScaling => call_scaling(world, operation, body),
        Service::SageMaker => call_sagemaker(world, operation, body),
        Service::CloudWatch => call_cloudwatch(world, operation, body),
    }
}

fn call_scaling(world: &mut World, operation: &str, body: Value) -> Result<Value, ApiError> {
    match operation {
        "RegisterScalableTarget" => run(body, |r| world.register_scalable_target(&r)),
        "DeregisterScalableTarget" => run(body, |r| world.deregister_scalable_target(&r)),
        "DescribeScalableTargets" => run(body, |r| world.describe_scalable_targets(&r)),
        "PutScalingPolicy" => run(body, |r| world.put_scaling_policy(&r)),
        "DeleteScalingPolicy" => run(body, |r| world.delete_scaling_policy(&r)),
        "DescribeScalingPolicies" => run(body, |r| world.describe_scaling_policies(&r)),
        "PutScheduledAction" => run(body, |r| world.put_scheduled_action(&r)),
        "DeleteScheduledAction" => run(body, |r| world.delete_scheduled_action(&r)),
        "DescribeScheduledActions" => run(body, |r| world.describe_scheduled_actions(&r)),
        "DescribeScalingActivities" => run(body, |r| world.describe_scaling_activities(&r)),
        "TagResource" => run(body, |r| world.tag_resource(&r)),
        "UntagResource" => run(body, |r| world.untag_resource(&r)),
        "ListTagsForResource" => run(body, |r| world.list_tags_for_resource(&r)),
        _ => Err(ApiError::unknown_operation()),
    }
}

fn call_sagemaker(world: &mut World, operation: &str, body: Value) -> Result<Value, ApiError> {
    match operation {
        "CreateEndpoint" => run(body, |r| world.create_endpoint(&r)),
        "DescribeEndpoint" => run(body, |r| world.describe_endpoint(&r)),
        "DeleteEndpoint" => run(body, |r| world.delete_endpoint(&r)),
        "ListEndpoints" => run(body, |r| world.list_endpoints(&r)),
        "UpdateEndpoint" => run(body, |r| world.update_endpoint(&r)),
        "UpdateEndpointWeightsAndCapacities" => {
            run(body, |r| world.update_endpoint_weights_and_capacities(&r))
        }
        "CreateEndpointConfig" => run(body, |r| world.create_endpoint_config(&r)),
        "DescribeEndpointConfig" => run(body, |r| world.describe_endpoint_config(&r)),
        "DeleteEndpointConfig" => run(body, |r| world.delete_endpoint_config(&r)),
        "ListEndpointConfigs" => run(body, |r| world.list_endpoint_configs(&r)),
        "CreateInferenceComponent" => run(body, |r| world.create_inference_component(&r)),
        "DescribeInferenceComponent" => run(body, |r| world.describe_inference_component(&r)),
        "ListInferenceComponents" => run(body, |r| world.list_inference_components(&r)),
        "DeleteInferenceComponent" => run(body, |r| world.delete_inference_component(&r)),
        "UpdateInferenceComponentRuntimeConfig" => run(body, |r| {
            world.update_inference_component_runtime_config(&r)
        }),
        "ListTags" => run(body, |r| world.list_tags(&r)),
        "AddTags" => run(body, |r| world.add_tags(&r)),
        _ => Err(ApiError::unknown_operation()),
    }
}

fn call_cloudwatch(world: &mut World, operation: &str, body: Value) -> Result<Value, ApiError> {
    match operation {
        "PutMetricData" => run(body, |r| world.put_metric_data(&r)),
        "GetMetricData" => run(body, |r| world.get_metric_data(&r)),
        "ListMetrics" => run(body, |r| world.list_metrics(&r)),
        "PutMetricAlarm" => run(body, |r| world.put_metric_alarm(&r)),
        "DescribeAlarms" => run(body, |r| world.describe_alarms(&r)),
        "DeleteAlarms" => run(body, |r| world.delete_alarms(&r)),
        "EnableAlarmActions" => run(body, |r| world.set_alarm_actions(&r, true)),
        "DisableAlarmActions" => run(body, |r| world.set_alarm_actions(&r, false)),
        "DescribeAlarmHistory" => run(body, |r| world.describe_alarm_history(&r)),
        "PutAlarmMuteRule" => run(body, |r| world.put_alarm_mute_rule(&r)),
        "GetAlarmMuteRule" => run(body, |r| world.get_alarm_mute_rule(&r)),
        "ListAlarmMuteRules" => run(body, |r| world.list_alarm_mute_rules(&r)),
        "DeleteAlarmMuteRule" => run(body, |r| world.delete_alarm_mute_rule(&r)),
        "SetAlarmState" => run(body, |r| world.set_alarm_state(&r)),
        _ => Err(ApiError::unknown_operation()),
    }
}

fn run<Input: DeserializeOwned, Output: Serialize>(
    body: Value,
    act: impl FnOnce(Input) -> Result<Output, ApiError>,
) -> Result<Value, ApiError> {
    let input = serde_json::from_value(body)
        .map_err(|error| ApiError::serialization(format!("could not read the request: {error}")))?;
    let output = act(input)?;
    serde_json::to_value(output).map_err(|error| ApiError::serialization(error.to_string()))
}
