//! Scaling policies: their shapes, listing and deletion.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::scaling::{PolicyKind, ScalableTarget, ScalingPolicy, Step, Stepping, Tracking};
use super::super::time::Timestamp;
use super::super::world::World;
use super::targets::{Ids, check_listing};
use super::{Empty, page};

/// A target-tracking configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TrackingConfiguration {
    /// The value to hold the metric at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_value: Option<f64>,
    /// `{PredefinedMetricType, ResourceLabel?}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predefined_metric_specification: Option<Value>,
    /// `{MetricName, Namespace, Dimensions, Statistic, Unit}` or `{Metrics}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customized_metric_specification: Option<Value>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_out_cooldown: Option<i64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_in_cooldown: Option<i64>,
    /// Whether the policy may never remove capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_scale_in: Option<bool>,
}

impl TrackingConfiguration {
    fn of(tracking: &Tracking) -> Self {
        Self {
            target_value: Some(tracking.target),
            predefined_metric_specification: tracking.predefined.clone(),
            customized_metric_specification: tracking.customized.clone(),
            scale_out_cooldown: tracking.scale_out_cooldown,
            scale_in_cooldown: tracking.scale_in_cooldown,
            disable_scale_in: Some(tracking.disable_scale_in),
        }
    }
}

/// A step-scaling configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StepConfiguration {
    /// How `ScalingAdjustment` is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjustment_type: Option<String>,
    /// `[{MetricIntervalLowerBound?, MetricIntervalUpperBound?, ScalingAdjustment}]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_adjustments: Option<Vec<Value>>,
    /// Only with percentages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_adjustment_magnitude: Option<i64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<i64>,
    /// How recent datapoints become one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_aggregation_type: Option<String>,
}

impl StepConfiguration {
    fn of(stepping: &Stepping) -> Self {
        let shape = |step: &Step| {
            let mut shape = serde_json::Map::new();
            if let Some(lower) = step.lower {
                shape.insert("MetricIntervalLowerBound".to_owned(), json!(lower));
            }
            if let Some(upper) = step.upper {
                shape.insert("MetricIntervalUpperBound".to_owned(), json!(upper));
            }
            shape.insert("ScalingAdjustment".to_owned(), json!(step.adjustment));
            Value::Object(shape)
        };
        Self {
            adjustment_type: Some(stepping.adjustment.word().to_owned()),
            step_adjustments: Some(stepping.steps.iter().map(shape).collect()),
            min_adjustment_magnitude: stepping.min_magnitude,
            cooldown: stepping.cooldown,
            metric_aggregation_type: stepping.aggregation.clone(),
        }
    }
}

/// An alarm that drives a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmReference {
    /// Its name.
    #[serde(rename = "AlarmName")]
    pub name: String,
    /// Its ARN.
    #[serde(rename = "AlarmARN")]
    pub arn: String,
}

/// Input of `DeleteScalingPolicy`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteScalingPolicy {
    /// The policy.
    pub policy_name: Option<String>,
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// The target's resource id.
    pub resource_id: Option<String>,
    /// The target's dimension.
    pub scalable_dimension: Option<String>,
}

/// Input of `DescribeScalingPolicies`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalingPolicies {
    /// At most 50.
    pub policy_names: Option<Vec<String>>,
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// One target's policies only.
    pub resource_id: Option<String>,
    /// Only together with a resource id.
    pub scalable_dimension: Option<String>,
    /// 1 to 10.
    pub max_results: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
}

/// Output of `DescribeScalingPolicies`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeScalingPoliciesResponse {
    /// A page of policies.
    pub scaling_policies: Vec<ScalingPolicyShape>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A policy as `DescribeScalingPolicies` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalingPolicyShape {
    /// Its ARN.
    #[serde(rename = "PolicyARN")]
    pub arn: String,
    /// Its name.
    pub policy_name: String,
    /// Always `sagemaker`.
    pub service_namespace: &'static str,
    /// The target's resource id.
    pub resource_id: String,
    /// The target's dimension.
    pub scalable_dimension: String,
    /// `TargetTrackingScaling` or `StepScaling`.
    pub policy_type: &'static str,
    /// Of a step policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_scaling_policy_configuration: Option<StepConfiguration>,
    /// Of a target-tracking policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_tracking_scaling_policy_configuration: Option<TrackingConfiguration>,
    /// The alarms that drive it.
    pub alarms: Vec<AlarmReference>,
    /// When it was first put.
    pub creation_time: Timestamp,
}

impl World {
    /// Deletes a policy, and the alarms that AWS made for it. An alarm that a user made stays, without the action.
    ///
    /// # Errors
    /// `ObjectNotFoundException`, `ValidationException`.
    pub fn delete_scaling_policy(
        &mut self,
        request: &DeleteScalingPolicy,
    ) -> Result<Empty, ApiError> {
        let name = request.policy_name.as_ref();
        let mut checks = Checks::default();
        checks
            .required("policyName", name)
            .length("policyName", name, 1, 256);
        let ids = Ids::checked(
            &mut checks,
            request.service_namespace.as_ref(),
            request.resource_id.as_ref(),
            request.scalable_dimension.as_ref(),
        )?;
        self.claim_write(ids.key())?;
        let name = name.map(String::as_str).unwrap_or_default();
        let target = self.scaling.find(ids.resource_id, ids.dimension);
        let policy = target
            .and_then(|i| self.scaling.target(i))
            .and_then(|t| t.policies.get(name).copied())
            .ok_or_else(|| {
                ApiError::object_not_found(format!(
                    "No scaling policy found for service namespace: sagemaker, resource ID: {}, scalable \
                     dimension: {}, policy name: {name}",
                    ids.resource_id, ids.dimension
                ))
            })?;
        let arn = self
            .scaling
            .policy(policy)
            .map(|p| p.arn.clone())
            .unwrap_or_default();
        let now = self.now;
        for alarm in self.scaling.remove_policy(policy) {
            self.alarms.delete(&alarm, now);
        }
        for alarm in self.alarms.iter_mut() {
            alarm.labels.alarm_actions.retain(|action| *action != arn);
        }
        self.link_alarms();
        Ok(Empty {})
    }

    /// Lists policies.
    ///
    /// # Errors
    /// `ValidationException`, `InvalidNextTokenException`.
    pub fn describe_scaling_policies(
        &self,
        request: &DescribeScalingPolicies,
    ) -> Result<DescribeScalingPoliciesResponse, ApiError> {
        let names = request.policy_names.as_ref();
        let mut checks = Checks::default();
        checks.entries("policyNames", names, 0, 50).length(
            "resourceId",
            request.resource_id.as_ref(),
            1,
            1600,
        );
        check_listing(
            &mut checks,
            request.service_namespace.as_ref(),
            request.scalable_dimension.as_ref(),
            request.resource_id.is_some(),
            request.max_results,
            10,
        )?;
        let of_target = |id: &str, dimension: &str| {
            request.resource_id.as_ref().is_none_or(|r| r == id)
                && request
                    .scalable_dimension
                    .as_ref()
                    .is_none_or(|d| d == dimension)
        };
        let named = |name: &str| names.is_none_or(|n| n.is_empty() || n.iter().any(|n| n == name));
        let wanted = self
            .scaling
            .targets_by_key()
            .filter(|t| of_target(&t.resource_id, &t.dimension))
            .flat_map(|t| self.scaling.policies_of(t).map(move |(_, p)| (p, t)))
            .filter(|(p, _)| named(&p.name))
            .collect();
        let shape =
            |(p, t): (_, &ScalableTarget)| self.policy_shape(p, &t.resource_id, &t.dimension);
        let key = (
            "policies",
            names,
            &request.resource_id,
            &request.scalable_dimension,
        );
        let size = page::size(request.max_results, 10);
        let (scaling_policies, next_token) =
            page::cut_shaped(wanted, shape, &key, request.next_token.as_ref(), size)
                .ok_or_else(ApiError::invalid_next_token)?;
        Ok(DescribeScalingPoliciesResponse {
            scaling_policies,
            next_token,
        })
    }

    fn policy_shape(
        &self,
        policy: &ScalingPolicy,
        resource_id: &str,
        dimension: &str,
    ) -> ScalingPolicyShape {
        let (policy_type, tracking, stepping) = match &policy.kind {
            PolicyKind::Tracking(t) => (
                "TargetTrackingScaling",
                Some(TrackingConfiguration::of(t)),
                None,
            ),
            PolicyKind::Stepping(s) => ("StepScaling", None, Some(StepConfiguration::of(s))),
        };
        ScalingPolicyShape {
            arn: policy.arn.clone(),
            policy_name: policy.name.to_string(),
            service_namespace: "sagemaker",
            resource_id: resource_id.to_owned(),
            scalable_dimension: dimension.to_owned(),
            policy_type,
            step_scaling_policy_configuration: stepping,
            target_tracking_scaling_policy_configuration: tracking,
            alarms: self.alarms_of(policy),
            creation_time: Timestamp(policy.created),
        }
    }

    /// The alarms of a policy: those that AWS made, also when someone deleted them since; and every alarm of a
    /// user whose action it is.
    pub(super) fn alarms_of(&self, policy: &ScalingPolicy) -> Vec<AlarmReference> {
        let own = policy.alarms.iter().cloned();
        let users = self
            .alarms
            .iter()
            .filter(|a| a.labels.alarm_actions.contains(&policy.arn))
            .map(|a| a.name.to_string());
        own.chain(users)
            .map(|name| AlarmReference {
                arn: self.alarm_arn(&name),
                name,
            })
            .collect()
    }
}
