//! From domain values to the shapes that the operations speak, and back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::engine::api::{
    MetricAlarm, NotScaledReason, ScalingActivityShape, ScalingPolicyShape, ScheduledActionShape,
    StepConfiguration, TrackingConfiguration,
};
use super::super::sandbox::to_time;
use super::capacity;
use crate::domain::{
    Activity, ActivityStatus, Aggregation, AlarmExtras, AlarmRule, AlarmState, Cooldown,
    CustomMetric, MathMetric, MathPart, Metric, MissingData, NotScaled, Number, ObservedAlarm,
    ObservedPolicy, ObservedPolicyKind, ObservedSchedule, PredefinedMetric, ScheduledAction, Step,
    StepScaling, Suspension, TargetId, TargetTracking, TargetValue,
};
use crate::ports::last_evaluated;

fn cooldown(secs: Option<i64>) -> Option<Cooldown> {
    match secs {
        None => Some(Cooldown::SAGEMAKER_DEFAULT),
        Some(secs) => Cooldown::from_secs(u32::try_from(secs).ok()?).ok(),
    }
}

pub(super) fn suspension_shape(suspended: Suspension) -> Value {
    json!({
        "DynamicScalingInSuspended": suspended.scale_in,
        "DynamicScalingOutSuspended": suspended.scale_out,
        "ScheduledScalingSuspended": suspended.scheduled,
    })
}

pub(super) fn steps_shape(scaling: &StepScaling) -> Value {
    let step = |step: &Step| {
        let mut shape = json!({ "ScalingAdjustment": step.adjustment });
        for (member, end) in [
            ("MetricIntervalLowerBound", step.lower),
            ("MetricIntervalUpperBound", step.upper),
        ] {
            if let (Some(end), Some(map)) = (end, shape.as_object_mut()) {
                map.insert(member.to_owned(), json!(end.get()));
            }
        }
        shape
    };
    json!({
        "AdjustmentType": scaling.adjustment.aws_name(),
        "StepAdjustments": scaling.steps.iter().map(step).collect::<Vec<_>>(),
        "MinAdjustmentMagnitude": scaling.min_magnitude,
        "Cooldown": scaling.cooldown.as_secs(),
        "MetricAggregationType": scaling.aggregation.aws_name(),
    })
}

fn observed_steps(config: &StepConfiguration) -> Option<StepScaling> {
    let end = |step: &Value, member: &str| match step.get(member).and_then(Value::as_f64) {
        None => Some(None),
        Some(x) => Number::new(x).map(Some),
    };
    let step = |step: &Value| {
        Some(Step {
            lower: end(step, "MetricIntervalLowerBound")?,
            upper: end(step, "MetricIntervalUpperBound")?,
            adjustment: i32::try_from(step.get("ScalingAdjustment")?.as_i64()?).ok()?,
        })
    };
    let steps = config.step_adjustments.as_deref().unwrap_or_default();
    let mut steps = steps.iter().map(step).collect::<Option<Vec<_>>>()?;
    steps.sort();
    let magnitude = config.min_adjustment_magnitude.filter(|n| *n != 0);
    Some(StepScaling {
        adjustment: config.adjustment_type.as_ref()?.parse().ok()?,
        steps,
        min_magnitude: match magnitude {
            None => None,
            Some(n) => Some(u32::try_from(n).ok()?),
        },
        cooldown: cooldown(config.cooldown)?,
        aggregation: match &config.metric_aggregation_type {
            None => Aggregation::Average,
            Some(word) => word.parse().ok()?,
        },
    })
}

pub(super) fn alarm_shape(
    name: &str,
    rule: &AlarmRule,
    policy: &str,
    keeps: &AlarmExtras,
) -> Value {
    let dimensions: Vec<Value> = rule
        .metric
        .dimensions
        .iter()
        .map(|(n, v)| json!({ "Name": n, "Value": v }))
        .collect();
    json!({
        "AlarmName": name,
        "ActionsEnabled": true,
        "AlarmActions": [policy],
        "AlarmDescription": keeps.description,
        "OKActions": keeps.ok_actions,
        "InsufficientDataActions": keeps.insufficient_actions,
        "Namespace": rule.metric.namespace,
        "MetricName": rule.metric.name,
        "Dimensions": dimensions,
        "Statistic": rule.metric.statistic.aws_name(),
        "Unit": rule.metric.unit,
        "Period": rule.period,
        "EvaluationPeriods": rule.periods,
        "DatapointsToAlarm": rule.datapoints,
        "Threshold": rule.threshold.get(),
        "ComparisonOperator": rule.comparison.aws_name(),
        "TreatMissingData": rule.missing.aws_name(),
    })
}

/// An alarm that watches nothing and does nothing, and keeps its description.
pub(super) fn marker_shape(name: &str, description: &str) -> Value {
    json!({
        "AlarmName": name,
        "AlarmDescription": description,
        "ActionsEnabled": false,
        "Namespace": "evenkeel",
        "MetricName": "Marker",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    })
}

pub(super) fn observed_alarm(shape: MetricAlarm) -> ObservedAlarm {
    ObservedAlarm {
        state: AlarmState::parse(shape.state_value),
        actions_enabled: shape.actions_enabled,
        threshold: Number::new(shape.threshold),
        since: Some(to_time(shape.state_transitioned_timestamp.0)),
        rule: observed_rule(&shape),
        extras: AlarmExtras {
            ok_actions: shape.ok_actions.clone(),
            insufficient_actions: shape.insufficient_data_actions.clone(),
            description: shape.alarm_description.clone(),
        },
        last: shape.state_reason_data.as_deref().and_then(last_evaluated),
        name: shape.alarm_name,
        actions: shape.alarm_actions,
    }
}

pub(super) fn put_schedule_shape(target: &TargetId, action: &ScheduledAction) -> Value {
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp());
    let mut sets = serde_json::Map::new();
    for (member, end) in [("MinCapacity", action.min), ("MaxCapacity", action.max)] {
        if let Some(end) = end {
            sets.insert(member.to_owned(), json!(end.get()));
        }
    }
    json!({
        "ServiceNamespace": "sagemaker",
        "ResourceId": target.resource_id(),
        "ScalableDimension": target.dimension().aws_name(),
        "ScheduledActionName": action.name,
        "Schedule": action.expression,
        "Timezone": action.zone.name(),
        "StartTime": seconds(action.start),
        "EndTime": seconds(action.end),
        "ScalableTargetAction": sets,
    })
}

pub(super) fn observed_schedule(shape: ScheduledActionShape) -> Option<ObservedSchedule> {
    let sets = shape.scalable_target_action;
    let end = |end: Option<i64>| end.and_then(|n| u32::try_from(n).ok()).map(capacity);
    Some(ObservedSchedule {
        target: TargetId::parse(&shape.resource_id, &shape.scalable_dimension).ok()?,
        name: shape.scheduled_action_name,
        expression: shape.schedule,
        zone: shape.timezone,
        min: end(sets.min_capacity),
        max: end(sets.max_capacity),
        start: shape.start_time.map(|at| to_time(at.0)),
        end: shape.end_time.map(|at| to_time(at.0)),
        created: Some(to_time(shape.creation_time.0)),
    })
}

fn observed_rule(shape: &MetricAlarm) -> Option<AlarmRule> {
    let dimensions = shape.dimensions.iter();
    Some(AlarmRule {
        metric: CustomMetric {
            namespace: shape.namespace.clone()?,
            name: shape.metric_name.clone()?,
            dimensions: dimensions
                .map(|d| d.name.clone().zip(d.value.clone()))
                .collect::<Option<_>>()?,
            statistic: shape.statistic.as_ref()?.parse().ok()?,
            unit: shape.unit.clone(),
        },
        period: u32::try_from(shape.period?).ok()?,
        periods: shape.evaluation_periods,
        datapoints: shape
            .datapoints_to_alarm
            .unwrap_or(shape.evaluation_periods),
        threshold: Number::new(shape.threshold)?,
        comparison: shape.comparison_operator.parse().ok()?,
        missing: match &shape.treat_missing_data {
            None => MissingData::Missing,
            Some(word) => word.parse().ok()?,
        },
    })
}

pub(super) fn tracking_shape(tracking: &TargetTracking) -> Value {
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
        Metric::Math(math) => (
            "CustomizedMetricSpecification",
            json!({ "Metrics": math_shape(math, None) }),
        ),
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

pub(super) fn observed_policy(shape: &ScalingPolicyShape) -> Option<ObservedPolicy> {
    let tracking = &shape.target_tracking_scaling_policy_configuration;
    let stepping = &shape.step_scaling_policy_configuration;
    let kind = match (tracking, stepping) {
        (Some(config), _) => observed_tracking(config).map_or(
            ObservedPolicyKind::OtherTracking,
            ObservedPolicyKind::TargetTracking,
        ),
        (None, Some(config)) => {
            observed_steps(config).map_or(ObservedPolicyKind::OtherStep, ObservedPolicyKind::Step)
        }
        (None, None) => ObservedPolicyKind::Other(String::new()),
    };
    Some(ObservedPolicy {
        target: TargetId::parse(&shape.resource_id, &shape.scalable_dimension).ok()?,
        name: shape.policy_name.parse().ok()?,
        arn: shape.arn.clone(),
        kind,
        alarms: shape.alarms.iter().map(|a| a.name.clone()).collect(),
        alarms_settled: true,
    })
}

fn observed_tracking(config: &TrackingConfiguration) -> Option<TargetTracking> {
    let metric = match (
        &config.predefined_metric_specification,
        &config.customized_metric_specification,
    ) {
        (Some(spec), _) => {
            let word = spec.get("PredefinedMetricType")?.as_str()?;
            Metric::Predefined(word.parse::<PredefinedMetric>().ok()?)
        }
        (None, Some(spec)) => match spec.get("Metrics").and_then(Value::as_array) {
            Some(queries) => Metric::Math(observed_math(queries)?),
            None => Metric::Custom(observed_custom(spec)?),
        },
        (None, None) => return None,
    };
    Some(TargetTracking {
        metric,
        target: TargetValue::new(config.target_value?).ok()?,
        of_all_cores: false,
        scale_out_cooldown: cooldown(config.scale_out_cooldown)?,
        scale_in_cooldown: cooldown(config.scale_in_cooldown)?,
        disable_scale_in: config.disable_scale_in.unwrap_or(false),
    })
}

fn observed_math(queries: &[Value]) -> Option<MathMetric> {
    let mut parts = BTreeMap::new();
    let mut returned = None;
    for query in queries {
        let id = query.get("Id")?.as_str()?.to_owned();
        if query.get("ReturnData") != Some(&Value::Bool(false))
            && returned.replace(id.clone()).is_some()
        {
            return None;
        }
        let part = match (
            query.get("Expression").and_then(Value::as_str),
            query.get("MetricStat"),
        ) {
            (Some(expression), _) => MathPart::Expression(expression.to_owned()),
            (None, Some(stat)) => {
                let mut spec = stat.get("Metric")?.as_object()?.clone();
                spec.insert("Statistic".to_owned(), stat.get("Stat")?.clone());
                if let Some(unit) = stat.get("Unit") {
                    spec.insert("Unit".to_owned(), unit.clone());
                }
                MathPart::Series(observed_custom(&Value::Object(spec))?)
            }
            (None, None) => return None,
        };
        parts.insert(id, part);
    }
    Some(MathMetric::returning(&returned?, parts))
}

/// The queries of metric math; with a period as `GetMetricData` wants them, without as `PutScalingPolicy` does.
pub(super) fn math_shape(math: &MathMetric, period: Option<u32>) -> Vec<Value> {
    let expression = |id: &str, text: &str, returns: bool| {
        let mut shape = json!({ "Id": id, "Expression": text, "ReturnData": returns });
        if let (Some(period), Some(map)) = (period, shape.as_object_mut()) {
            map.insert("Period".to_owned(), json!(period));
        }
        shape
    };
    let part = |(id, part): (&String, &MathPart)| match part {
        MathPart::Expression(text) => expression(id, text, false),
        MathPart::Series(metric) => {
            let mut named = custom_shape(metric);
            let mut stat = json!({ "Stat": metric.statistic.aws_name() });
            if let (Some(named), Some(stat)) = (named.as_object_mut(), stat.as_object_mut()) {
                named.remove("Statistic");
                stat.extend(named.remove("Unit").map(|unit| ("Unit".to_owned(), unit)));
                stat.insert("Metric".to_owned(), json!(named));
                stat.extend(period.map(|period| ("Period".to_owned(), json!(period))));
            }
            json!({ "Id": id, "MetricStat": stat, "ReturnData": false })
        }
    };
    let result = expression(MathMetric::RESULT, &math.expression, true);
    math.parts.iter().map(part).chain([result]).collect()
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

pub(super) fn observed_activity(shape: &ScalingActivityShape) -> Option<Activity> {
    let status = match shape.status_code {
        "InProgress" => ActivityStatus::InProgress,
        "Successful" => ActivityStatus::Successful,
        "Failed" => ActivityStatus::Failed,
        _ => ActivityStatus::Unknown,
    };
    let reason = |r: &NotScaledReason| {
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
