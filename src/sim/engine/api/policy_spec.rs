//! What a policy asks for: the checks of `PutScalingPolicy`, and the policy as the engine keeps it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::time::Span;

use super::super::scaling::{
    Adjustment, CONCURRENCY, COPIES, INSTANCES, PolicyKind, Step, Stepping, Tracked, Tracking,
};
use super::super::series::MetricKey;
use super::super::stats::Stat;
use super::alarms::{parse_dimensions, parse_queries};
use super::policies::{StepConfiguration, TrackingConfiguration};
use super::put_policy::PutScalingPolicy;
use super::targets::Ids;

/// A predefined metric type of SageMaker (aws-autoscaling.md 2.2).
struct Predefined {
    name: &'static str,
    metric: &'static str,
    stat: Stat,
    period: Span,
    dimension: &'static str,
}

const PREDEFINED: [Predefined; 5] = [
    Predefined {
        name: "SageMakerVariantInvocationsPerInstance",
        metric: "InvocationsPerInstance",
        stat: Stat::Sum,
        period: Span::MINUTE,
        dimension: INSTANCES,
    },
    Predefined {
        name: "SageMakerVariantConcurrentRequestsPerModelHighResolution",
        metric: "ConcurrentRequestsPerModel",
        stat: Stat::Maximum,
        period: TEN_SECONDS,
        dimension: INSTANCES,
    },
    Predefined {
        name: "SageMakerVariantProvisionedConcurrencyUtilization",
        metric: "ServerlessProvisionedConcurrencyUtilization",
        stat: Stat::Average,
        period: Span::MINUTE,
        dimension: CONCURRENCY,
    },
    Predefined {
        name: "SageMakerInferenceComponentInvocationsPerCopy",
        metric: "InvocationsPerCopy",
        stat: Stat::Sum,
        period: Span::MINUTE,
        dimension: COPIES,
    },
    Predefined {
        name: "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution",
        metric: "ConcurrentRequestsPerCopy",
        stat: Stat::Maximum,
        period: TEN_SECONDS,
        dimension: COPIES,
    },
];

const TEN_SECONDS: Span = Span::from_secs(10);

/// AWS's limit of steps per policy.
const MAX_STEPS: usize = 20;

pub(super) fn wanted_kind(
    request: &PutScalingPolicy,
    ids: &Ids<'_>,
    held: Option<&PolicyKind>,
) -> Result<PolicyKind, ApiError> {
    let held_type = held.map(|kind| match kind {
        PolicyKind::Tracking(_) => "TargetTrackingScaling",
        PolicyKind::Stepping(_) => "StepScaling",
    });
    let wanted_type = request.policy_type.as_deref().or(held_type);
    if let Some((held, wanted)) = held_type
        .zip(wanted_type)
        .filter(|(held, wanted)| held != wanted)
    {
        return Err(ApiError::validation(format!(
            "The policy type of an existing scaling policy cannot be changed from {held} to {wanted}."
        )));
    }
    match wanted_type {
        Some("TargetTrackingScaling") => {
            let held = held.and_then(|kind| match kind {
                PolicyKind::Tracking(tracking) => Some(tracking),
                PolicyKind::Stepping(_) => None,
            });
            let config = request
                .target_tracking_scaling_policy_configuration
                .as_ref();
            let config = config.ok_or_else(|| {
                ApiError::validation(
                    "TargetTrackingScalingPolicyConfiguration is required for the policy type \
                     TargetTrackingScaling.",
                )
            })?;
            wanted_tracking(config, ids, held).map(PolicyKind::Tracking)
        }
        Some("StepScaling") => {
            let held = held.and_then(|kind| match kind {
                PolicyKind::Stepping(stepping) => Some(stepping),
                PolicyKind::Tracking(_) => None,
            });
            let config = request.step_scaling_policy_configuration.as_ref();
            let config = config.ok_or_else(|| {
                ApiError::validation(
                    "StepScalingPolicyConfiguration is required for the policy type StepScaling.",
                )
            })?;
            wanted_stepping(config, held).map(PolicyKind::Stepping)
        }
        Some(other) => Err(ApiError::validation(format!(
            "The policy type {other} is not supported for the service namespace sagemaker."
        ))),
        None => Err(ApiError::validation(
            "PolicyType is required to create a scaling policy.",
        )),
    }
}

fn cooldown(secs: Option<i64>, member: &str) -> Result<Option<i64>, ApiError> {
    match secs {
        Some(n) if n < 0 => Err(ApiError::validation(format!(
            "{member} must be greater than or equal to 0."
        ))),
        other => Ok(other),
    }
}

fn wanted_tracking(
    config: &TrackingConfiguration,
    ids: &Ids<'_>,
    held: Option<&Tracking>,
) -> Result<Tracking, ApiError> {
    let mut checks = Checks::default();
    checks
        .required(
            "targetTrackingScalingPolicyConfiguration.targetValue",
            config.target_value.as_ref(),
        )
        .finish()?;
    let target = config.target_value.unwrap_or_default();
    if !(target > 0.0 && target <= 2.0_f64.powi(360)) {
        return Err(ApiError::validation(
            "TargetValue must be greater than 0 and within the range of 2^360.",
        ));
    }
    let predefined = config.predefined_metric_specification.clone();
    let customized = config.customized_metric_specification.clone();
    let (tracked, predefined, customized) = match (predefined, customized) {
        (Some(spec), None) => (predefined_metric(&spec, ids)?, Some(spec), None),
        (None, Some(spec)) => (customized_metric(&spec)?, None, Some(spec)),
        (None, None) => match held {
            // An update that names no metric keeps the one it had.
            Some(held) => (
                held.tracked.clone(),
                held.predefined.clone(),
                held.customized.clone(),
            ),
            None => return Err(ApiError::validation(ONE_METRIC)),
        },
        (Some(_), Some(_)) => return Err(ApiError::validation(ONE_METRIC)),
    };
    Ok(Tracking {
        target,
        tracked,
        scale_out_cooldown: cooldown(config.scale_out_cooldown, "ScaleOutCooldown")?,
        scale_in_cooldown: cooldown(config.scale_in_cooldown, "ScaleInCooldown")?,
        disable_scale_in: config.disable_scale_in.unwrap_or(false),
        predefined,
        customized,
    })
}

const ONE_METRIC: &str =
    "You must specify either a PredefinedMetricSpecification or a CustomizedMetricSpecification.";

fn predefined_metric(spec: &Value, ids: &Ids<'_>) -> Result<Tracked, ApiError> {
    let word = spec
        .get("PredefinedMetricType")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let known = PREDEFINED
        .iter()
        .find(|p| p.name == word && p.dimension == ids.dimension);
    let Some(metric) = known else {
        let fitting: Vec<&str> = PREDEFINED
            .iter()
            .filter(|p| p.dimension == ids.dimension)
            .map(|p| p.name)
            .collect();
        return Err(ApiError::validation(format!(
            "Scalable dimension {} only supports the following predefined metric types: {}",
            ids.dimension,
            fitting.join(", ")
        )));
    };
    if spec
        .get("ResourceLabel")
        .is_some_and(|label| !label.is_null())
    {
        return Err(ApiError::validation(format!(
            "ResourceLabel cannot be specified for the predefined metric type {word}."
        )));
    }
    let mut dimensions = BTreeMap::new();
    match ids.resource_id.split('/').collect::<Vec<_>>().as_slice() {
        ["endpoint", endpoint, "variant", variant] => {
            dimensions.insert("EndpointName".to_owned(), (*endpoint).to_owned());
            dimensions.insert("VariantName".to_owned(), (*variant).to_owned());
        }
        other => {
            let component = other.last().copied().unwrap_or_default();
            dimensions.insert("InferenceComponentName".to_owned(), component.to_owned());
        }
    }
    let key = MetricKey {
        namespace: "AWS/SageMaker".to_owned(),
        name: metric.metric.to_owned(),
        dimensions,
    };
    Ok(Tracked::Metric {
        key,
        stat: metric.stat,
        unit: None,
        period: metric.period,
    })
}

fn customized_metric(spec: &Value) -> Result<Tracked, ApiError> {
    let text = |member: &str| spec.get(member).and_then(Value::as_str).map(str::to_owned);
    if let Some(queries) = spec.get("Metrics").filter(|m| !m.is_null()) {
        if text("MetricName").is_some() || text("Namespace").is_some() {
            return Err(ApiError::validation(
                "A customized metric specification has either Metrics, or MetricName and Namespace.",
            ));
        }
        parse_queries(queries, Span::MINUTE).map_err(ApiError::validation)?;
        return Ok(Tracked::Math(queries.clone()));
    }
    let (Some(name), Some(namespace), Some(statistic)) =
        (text("MetricName"), text("Namespace"), text("Statistic"))
    else {
        return Err(ApiError::validation(
            "MetricName, Namespace and Statistic are required in a customized metric specification.",
        ));
    };
    let words = ["Average", "Minimum", "Maximum", "SampleCount", "Sum"];
    let member = "targetTrackingScalingPolicyConfiguration.customizedMetricSpecification.statistic";
    Checks::default()
        .one_of(member, Some(&statistic), &words)
        .finish()?;
    let stat = Stat::parse(&statistic).unwrap_or(Stat::Average);
    let dimensions = parse_dimensions(spec.get("Dimensions")).map_err(ApiError::validation)?;
    let key = MetricKey {
        namespace,
        name,
        dimensions,
    };
    Ok(Tracked::Metric {
        key,
        stat,
        unit: text("Unit"),
        period: Span::MINUTE,
    })
}

fn wanted_stepping(
    config: &StepConfiguration,
    held: Option<&Stepping>,
) -> Result<Stepping, ApiError> {
    let words = Adjustment::ALL.map(Adjustment::word);
    let aggregations = ["Average", "Minimum", "Maximum"];
    Checks::default()
        .one_of(
            "stepScalingPolicyConfiguration.adjustmentType",
            config.adjustment_type.as_ref(),
            &words,
        )
        .one_of(
            "stepScalingPolicyConfiguration.metricAggregationType",
            config.metric_aggregation_type.as_ref(),
            &aggregations,
        )
        .finish()?;
    let adjustment = config
        .adjustment_type
        .as_deref()
        .and_then(|word| Adjustment::ALL.into_iter().find(|a| a.word() == word))
        .or(held.map(|s| s.adjustment))
        .ok_or_else(|| ApiError::validation("AdjustmentType is required for step scaling."))?;
    let steps = match (&config.step_adjustments, held) {
        (Some(steps), _) => steps
            .iter()
            .map(parse_step)
            .collect::<Result<Vec<_>, _>>()?,
        (None, Some(held)) => held.steps.clone(),
        (None, None) => Vec::new(),
    };
    check_steps(&steps)?;
    let percent = adjustment == Adjustment::PercentChange;
    if config.min_adjustment_magnitude.is_some() && !percent {
        return Err(ApiError::validation(
            "MinAdjustmentMagnitude is only valid for the adjustment type PercentChangeInCapacity.",
        ));
    }
    Ok(Stepping {
        adjustment,
        steps,
        min_magnitude: config.min_adjustment_magnitude,
        cooldown: cooldown(config.cooldown, "Cooldown")?,
        aggregation: config.metric_aggregation_type.clone(),
    })
}

fn parse_step(shape: &Value) -> Result<Step, ApiError> {
    let adjustment = shape.get("ScalingAdjustment").and_then(Value::as_i64).ok_or_else(|| {
        ApiError::validation(
            "1 validation error detected: Value null at \
             'stepScalingPolicyConfiguration.stepAdjustments.1.member.scalingAdjustment' failed to satisfy \
             constraint: Member must not be null",
        )
    })?;
    let bound = |member: &str| shape.get(member).and_then(Value::as_f64);
    Ok(Step {
        lower: bound("MetricIntervalLowerBound"),
        upper: bound("MetricIntervalUpperBound"),
        adjustment,
    })
}

/// The rules on intervals (aws-autoscaling.md 2.5).
fn check_steps(steps: &[Step]) -> Result<(), ApiError> {
    let refuse = |why: &str| Err(ApiError::validation(why));
    if steps.is_empty() {
        return refuse("At least one step adjustment is required for step scaling.");
    }
    if steps.len() > MAX_STEPS {
        let text = format!("A step scaling policy can have at most {MAX_STEPS} step adjustments.");
        return Err(ApiError::limit_exceeded(text));
    }
    if steps.iter().any(|s| s.lower.is_none() && s.upper.is_none()) {
        return refuse("At least one bound must be specified for each step adjustment.");
    }
    let lower = |s: &Step| s.lower.unwrap_or(f64::NEG_INFINITY);
    let upper = |s: &Step| s.upper.unwrap_or(f64::INFINITY);
    if steps.iter().any(|s| lower(s) >= upper(s)) {
        return refuse("The lower bound of a step adjustment must be less than its upper bound.");
    }
    let unbounded_below = steps.iter().filter(|s| s.lower.is_none()).count();
    let unbounded_above = steps.iter().filter(|s| s.upper.is_none()).count();
    if unbounded_below > 1 || unbounded_above > 1 {
        return refuse(
            "At most one step adjustment can have an unspecified lower bound, and one an upper.",
        );
    }
    if steps.iter().any(|s| s.lower.is_some_and(|x| x < 0.0)) && unbounded_below == 0 {
        return refuse("A step adjustment with an unspecified lower bound is required.");
    }
    if steps.iter().any(|s| s.upper.is_some_and(|x| x > 0.0)) && unbounded_above == 0 {
        return refuse("A step adjustment with an unspecified upper bound is required.");
    }
    let mut sorted: Vec<&Step> = steps.iter().collect();
    sorted.sort_by(|a, b| lower(a).total_cmp(&lower(b)));
    let touching = |pair: &[&Step]| match pair {
        [a, b] => upper(a).total_cmp(&lower(b)).is_eq(),
        _ => true,
    };
    if sorted.windows(2).all(touching) {
        Ok(())
    } else {
        refuse("The intervals of step adjustments must not overlap or leave gaps.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(lower: Option<f64>, upper: Option<f64>) -> Step {
        Step {
            lower,
            upper,
            adjustment: 1,
        }
    }

    #[test]
    fn the_rules_on_step_intervals() {
        assert!(check_steps(&[step(Some(0.0), None)]).is_ok());
        assert!(check_steps(&[step(Some(0.0), Some(50.0)), step(Some(50.0), None)]).is_ok());
        for bad in [
            vec![],
            vec![step(None, None)],
            vec![step(Some(5.0), Some(5.0))],
            vec![step(Some(0.0), Some(50.0))],
            vec![step(Some(-5.0), None)],
            vec![step(Some(0.0), Some(50.0)), step(Some(60.0), None)],
            vec![step(Some(0.0), Some(50.0)), step(Some(40.0), None)],
            vec![step(Some(0.0), None), step(Some(10.0), None)],
        ] {
            assert!(check_steps(&bad).is_err(), "{bad:?}");
        }
    }
}
