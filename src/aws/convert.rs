//! From the SDKs' types to ours, and nowhere else. A member that AWS always sends and that is missing is an error
//! here, not a default.

use std::collections::BTreeMap;

use aws_sdk_applicationautoscaling::types as aas;
use aws_smithy_types::DateTime as SdkTime;
use chrono::{DateTime, Utc};

use crate::domain::{
    Activity, ActivityStatus, Aggregation, Capacity, Cooldown, CustomMetric, MathMetric, MathPart,
    Metric, NotScaled, Number, ObservedPolicy, ObservedPolicyKind, ObservedSchedule,
    ObservedTarget, PredefinedMetric, Statistic, Step, StepScaling, Suspension, TargetId,
    TargetTracking, TargetValue,
};

/// The SDK's instant as ours, in whole milliseconds: AWS sends instants as floating-point seconds, whose further
/// digits are noise. Instants out of our range become the epoch.
pub(super) fn time(time: &SdkTime) -> DateTime<Utc> {
    let millis = time.to_millis().unwrap_or_default();
    let rounds_up = time.subsec_nanos() % 1_000_000 >= 500_000;
    DateTime::from_timestamp_millis(millis + i64::from(rounds_up)).unwrap_or_default()
}

/// Our instant as the SDK's.
pub(super) fn sdk_time(time: DateTime<Utc>) -> SdkTime {
    SdkTime::from_secs_and_nanos(time.timestamp(), time.timestamp_subsec_nanos())
}

/// A count as the API has it.
pub(super) fn capacity(n: i32) -> Option<Capacity> {
    u32::try_from(n).ok().and_then(Capacity::new)
}

/// A capacity as the API wants it; capacities fit by construction.
pub(super) fn api_count(capacity: Capacity) -> i32 {
    i32::try_from(capacity.get()).unwrap_or(i32::MAX)
}

/// A target, or `None` when it is not one of SageMaker's.
pub(super) fn target(target: &aas::ScalableTarget) -> Option<ObservedTarget> {
    Some(ObservedTarget {
        id: TargetId::parse(target.resource_id(), target.scalable_dimension().as_str()).ok()?,
        min: capacity(target.min_capacity())?,
        max: capacity(target.max_capacity())?,
        suspended: target.suspended_state().map(suspension).unwrap_or_default(),
        created: time(target.creation_time()),
        arn: target.scalable_target_arn().map(str::to_owned),
    })
}

/// A scheduled action, or `None` when it is not of one of SageMaker's targets.
pub(super) fn schedule(action: &aas::ScheduledAction) -> Option<ObservedSchedule> {
    let dimension = action.scalable_dimension()?.as_str();
    let sets = action.scalable_target_action();
    Some(ObservedSchedule {
        target: TargetId::parse(action.resource_id(), dimension).ok()?,
        name: action.scheduled_action_name().to_owned(),
        expression: action.schedule().to_owned(),
        zone: action.timezone().map(str::to_owned),
        min: sets
            .and_then(aas::ScalableTargetAction::min_capacity)
            .and_then(capacity),
        max: sets
            .and_then(aas::ScalableTargetAction::max_capacity)
            .and_then(capacity),
        start: action.start_time().map(time),
        end: action.end_time().map(time),
        created: Some(time(action.creation_time())),
    })
}

/// What a scheduled action sets.
pub(super) fn scheduled_bounds(
    min: Option<Capacity>,
    max: Option<Capacity>,
) -> aas::ScalableTargetAction {
    aas::ScalableTargetAction::builder()
        .set_min_capacity(min.map(api_count))
        .set_max_capacity(max.map(api_count))
        .build()
}

fn suspension(state: &aas::SuspendedState) -> Suspension {
    Suspension {
        scale_in: state.dynamic_scaling_in_suspended().unwrap_or(false),
        scale_out: state.dynamic_scaling_out_suspended().unwrap_or(false),
        scheduled: state.scheduled_scaling_suspended().unwrap_or(false),
    }
}

/// All three members, always: AWS keeps the ones that are left out (aws-autoscaling.md 1.4).
pub(super) fn suspended_state(suspended: Suspension) -> aas::SuspendedState {
    aas::SuspendedState::builder()
        .dynamic_scaling_in_suspended(suspended.scale_in)
        .dynamic_scaling_out_suspended(suspended.scale_out)
        .scheduled_scaling_suspended(suspended.scheduled)
        .build()
}

/// A policy, or `None` when it is not of one of SageMaker's targets.
pub(super) fn policy(policy: &aas::ScalingPolicy) -> Option<ObservedPolicy> {
    let kind = match policy.policy_type() {
        aas::PolicyType::TargetTrackingScaling => policy
            .target_tracking_scaling_policy_configuration()
            .and_then(tracking)
            .map_or(
                ObservedPolicyKind::OtherTracking,
                ObservedPolicyKind::TargetTracking,
            ),
        aas::PolicyType::StepScaling => policy
            .step_scaling_policy_configuration()
            .and_then(stepping)
            .map_or(ObservedPolicyKind::OtherStep, ObservedPolicyKind::Step),
        other => ObservedPolicyKind::Other(other.as_str().to_owned()),
    };
    Some(ObservedPolicy {
        target: TargetId::parse(policy.resource_id(), policy.scalable_dimension().as_str()).ok()?,
        name: policy.policy_name().parse().ok()?,
        arn: policy.policy_arn().to_owned(),
        kind,
        alarms_settled: true,
        alarms: policy
            .alarms()
            .iter()
            .map(|alarm| alarm.alarm_name().to_owned())
            .collect(),
    })
}

/// Target tracking that our config can express; `None` for metric math and the like.
fn tracking(config: &aas::TargetTrackingScalingPolicyConfiguration) -> Option<TargetTracking> {
    let metric = match (
        config.predefined_metric_specification(),
        config.customized_metric_specification(),
    ) {
        (Some(spec), _) => {
            let word = spec.predefined_metric_type().as_str();
            Metric::Predefined(word.parse::<PredefinedMetric>().ok()?)
        }
        (None, Some(spec)) if !spec.metrics().is_empty() => Metric::Math(math(spec.metrics())?),
        (None, Some(spec)) => Metric::Custom(custom(spec)?),
        (None, None) => return None,
    };
    Some(TargetTracking {
        metric,
        target: TargetValue::new(config.target_value()).ok()?,
        of_all_cores: false,
        scale_out_cooldown: cooldown(config.scale_out_cooldown())?,
        scale_in_cooldown: cooldown(config.scale_in_cooldown())?,
        disable_scale_in: config.disable_scale_in().unwrap_or(false),
    })
}

/// Step scaling that our config can express, with AWS's defaults filled in.
fn stepping(config: &aas::StepScalingPolicyConfiguration) -> Option<StepScaling> {
    let number = |x: Option<f64>| match x {
        None => Some(None),
        Some(x) => Number::new(x).map(Some),
    };
    let step = |step: &aas::StepAdjustment| {
        Some(Step {
            lower: number(step.metric_interval_lower_bound())?,
            upper: number(step.metric_interval_upper_bound())?,
            adjustment: step.scaling_adjustment(),
        })
    };
    let mut steps = config
        .step_adjustments()
        .iter()
        .map(step)
        .collect::<Option<Vec<_>>>()?;
    steps.sort();
    let magnitude = config.min_adjustment_magnitude().filter(|n| *n != 0);
    Some(StepScaling {
        adjustment: config.adjustment_type()?.as_str().parse().ok()?,
        steps,
        min_magnitude: match magnitude {
            None => None,
            Some(n) => Some(u32::try_from(n).ok()?),
        },
        cooldown: cooldown(config.cooldown())?,
        aggregation: match config.metric_aggregation_type() {
            None => Aggregation::Average,
            Some(word) => word.as_str().parse().ok()?,
        },
    })
}

/// Step scaling as `PutScalingPolicy` takes it, always in full.
pub(super) fn step_configuration(
    scaling: &StepScaling,
) -> Option<aas::StepScalingPolicyConfiguration> {
    let step = |step: &Step| {
        aas::StepAdjustment::builder()
            .set_metric_interval_lower_bound(step.lower.map(Number::get))
            .set_metric_interval_upper_bound(step.upper.map(Number::get))
            .scaling_adjustment(step.adjustment)
            .build()
            .ok()
    };
    let steps = scaling.steps.iter().map(step).collect::<Option<Vec<_>>>()?;
    let magnitude = scaling.min_magnitude.and_then(|n| i32::try_from(n).ok());
    let config = aas::StepScalingPolicyConfiguration::builder()
        .adjustment_type(aas::AdjustmentType::from(scaling.adjustment.aws_name()))
        .set_step_adjustments(Some(steps))
        .set_min_adjustment_magnitude(magnitude)
        .cooldown(api_secs(scaling.cooldown))
        .metric_aggregation_type(aas::MetricAggregationType::from(
            scaling.aggregation.aws_name(),
        ))
        .build();
    Some(config)
}

fn api_secs(cooldown: Cooldown) -> i32 {
    i32::try_from(cooldown.as_secs()).unwrap_or(i32::MAX)
}

/// A cooldown that is not told is the default (aws-autoscaling.md 2.4).
fn cooldown(secs: Option<i32>) -> Option<Cooldown> {
    match secs {
        None => Some(Cooldown::SAGEMAKER_DEFAULT),
        Some(secs) => Cooldown::from_secs(u32::try_from(secs).ok()?).ok(),
    }
}

/// Metric math that our config can express: its series have one of the five plain statistics.
fn math(queries: &[aas::TargetTrackingMetricDataQuery]) -> Option<MathMetric> {
    let mut parts = BTreeMap::new();
    for query in queries {
        let part = match (query.expression(), query.metric_stat()) {
            (Some(expression), _) => MathPart::Expression(expression.to_owned()),
            (None, Some(stat)) => MathPart::Series(series(stat)?),
            (None, None) => return None,
        };
        parts.insert(query.id().to_owned(), part);
    }
    let mut returned = queries.iter().filter(|q| q.return_data().unwrap_or(true));
    let (only, None) = (returned.next()?, returned.next()) else {
        return None;
    };
    Some(MathMetric::returning(only.id(), parts))
}

fn series(stat: &aas::TargetTrackingMetricStat) -> Option<CustomMetric> {
    let metric = stat.metric()?;
    let dimension =
        |d: &aas::TargetTrackingMetricDimension| (d.name().to_owned(), d.value().to_owned());
    Some(CustomMetric {
        namespace: metric.namespace()?.to_owned(),
        name: metric.metric_name()?.to_owned(),
        dimensions: metric.dimensions().iter().map(dimension).collect(),
        statistic: stat.stat().parse().ok()?,
        unit: stat.unit().map(str::to_owned),
    })
}

fn math_specification(math: &MathMetric) -> Option<aas::CustomizedMetricSpecification> {
    let query = |id: &str| aas::TargetTrackingMetricDataQuery::builder().id(id);
    let mut queries = Vec::new();
    for (id, part) in &math.parts {
        let query = query(id).return_data(false);
        let query = match part {
            MathPart::Expression(expression) => query.expression(expression),
            MathPart::Series(metric) => query.metric_stat(metric_stat(metric)?),
        };
        queries.push(query.build().ok()?);
    }
    let result = query(MathMetric::RESULT)
        .expression(&math.expression)
        .return_data(true);
    queries.push(result.build().ok()?);
    let spec = aas::CustomizedMetricSpecification::builder().set_metrics(Some(queries));
    Some(spec.build())
}

fn metric_stat(metric: &CustomMetric) -> Option<aas::TargetTrackingMetricStat> {
    let dimensions: Vec<aas::TargetTrackingMetricDimension> = metric
        .dimensions
        .iter()
        .map(|(name, value)| {
            aas::TargetTrackingMetricDimension::builder()
                .name(name)
                .value(value)
                .build()
                .ok()
        })
        .collect::<Option<_>>()?;
    let named = aas::TargetTrackingMetric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions((!dimensions.is_empty()).then_some(dimensions))
        .build();
    aas::TargetTrackingMetricStat::builder()
        .metric(named)
        .stat(metric.statistic.aws_name())
        .set_unit(metric.unit.clone())
        .build()
        .ok()
}

fn custom(spec: &aas::CustomizedMetricSpecification) -> Option<CustomMetric> {
    let dimension = |d: &aas::MetricDimension| (d.name().to_owned(), d.value().to_owned());
    Some(CustomMetric {
        namespace: spec.namespace()?.to_owned(),
        name: spec.metric_name()?.to_owned(),
        dimensions: spec
            .dimensions()
            .iter()
            .map(dimension)
            .collect::<BTreeMap<_, _>>(),
        statistic: spec.statistic()?.as_str().parse::<Statistic>().ok()?,
        unit: spec.unit().map(str::to_owned),
    })
}

/// A policy as `PutScalingPolicy` takes it, always in full.
pub(super) fn tracking_configuration(
    tracking: &TargetTracking,
) -> Option<aas::TargetTrackingScalingPolicyConfiguration> {
    let builder = aas::TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(tracking.target.get())
        .scale_out_cooldown(api_secs(tracking.scale_out_cooldown))
        .scale_in_cooldown(api_secs(tracking.scale_in_cooldown))
        .disable_scale_in(tracking.disable_scale_in);
    let builder = match &tracking.metric {
        Metric::Predefined(metric) => {
            let spec = aas::PredefinedMetricSpecification::builder()
                .predefined_metric_type(aas::MetricType::from(metric.aws_name()))
                .build()
                .ok()?;
            builder.predefined_metric_specification(spec)
        }
        Metric::Custom(metric) => {
            builder.customized_metric_specification(customized_specification(metric)?)
        }
        Metric::Math(math) => builder.customized_metric_specification(math_specification(math)?),
    };
    builder.build().ok()
}

fn customized_specification(metric: &CustomMetric) -> Option<aas::CustomizedMetricSpecification> {
    let dimensions: Vec<aas::MetricDimension> = metric
        .dimensions
        .iter()
        .map(|(name, value)| {
            aas::MetricDimension::builder()
                .name(name)
                .value(value)
                .build()
                .ok()
        })
        .collect::<Option<_>>()?;
    let spec = aas::CustomizedMetricSpecification::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .statistic(aas::MetricStatistic::from(metric.statistic.aws_name()))
        .set_unit(metric.unit.clone())
        .set_dimensions((!dimensions.is_empty()).then_some(dimensions))
        .build();
    Some(spec)
}

/// An activity, or `None` when it is not of one of SageMaker's targets.
pub(super) fn activity(activity: &aas::ScalingActivity) -> Option<Activity> {
    let status = match activity.status_code() {
        aas::ScalingActivityStatusCode::Pending => ActivityStatus::Pending,
        aas::ScalingActivityStatusCode::InProgress => ActivityStatus::InProgress,
        aas::ScalingActivityStatusCode::Successful => ActivityStatus::Successful,
        aas::ScalingActivityStatusCode::Overridden => ActivityStatus::Overridden,
        aas::ScalingActivityStatusCode::Unfulfilled => ActivityStatus::Unfulfilled,
        aas::ScalingActivityStatusCode::Failed => ActivityStatus::Failed,
        _ => ActivityStatus::Unknown,
    };
    let reason = |reason: &aas::NotScaledReason| {
        NotScaled::parse(
            reason.code(),
            reason.max_capacity().and_then(capacity),
            reason.min_capacity().and_then(capacity),
            reason.current_capacity().and_then(capacity),
        )
    };
    Some(Activity {
        id: activity.activity_id().to_owned(),
        target: TargetId::parse(
            activity.resource_id(),
            activity.scalable_dimension().as_str(),
        )
        .ok()?,
        description: activity.description().to_owned(),
        cause: activity.cause().to_owned(),
        status,
        status_message: activity.status_message().map(str::to_owned),
        started: time(activity.start_time()),
        ended: activity.end_time().map(time),
        not_scaled: activity.not_scaled_reasons().iter().map(reason).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Adjustment;

    #[test]
    fn a_policy_goes_out_and_comes_back_the_same() {
        for metric in [
            Metric::Predefined(PredefinedMetric::InvocationsPerInstance),
            Metric::Custom(CustomMetric {
                namespace: "/aws/sagemaker/Endpoints".to_owned(),
                name: "CPUUtilization".to_owned(),
                dimensions: BTreeMap::from([("EndpointName".to_owned(), "chat".to_owned())]),
                statistic: Statistic::Average,
                unit: Some("Percent".to_owned()),
            }),
            Metric::Math(MathMetric {
                expression: "m1 / e1".to_owned(),
                parts: BTreeMap::from([
                    (
                        "e1".to_owned(),
                        MathPart::Expression("FILL(m1, 1)".to_owned()),
                    ),
                    (
                        "m1".to_owned(),
                        MathPart::Series(CustomMetric {
                            namespace: "App".to_owned(),
                            name: "Queue".to_owned(),
                            dimensions: BTreeMap::from([("Shard".to_owned(), "7".to_owned())]),
                            statistic: Statistic::Maximum,
                            unit: Some("Count".to_owned()),
                        }),
                    ),
                ]),
            }),
        ] {
            let wanted = TargetTracking {
                metric,
                target: TargetValue::new(70.5).unwrap(),
                of_all_cores: false,
                scale_out_cooldown: Cooldown::from_secs(60).unwrap(),
                scale_in_cooldown: Cooldown::SAGEMAKER_DEFAULT,
                disable_scale_in: true,
            };
            assert_eq!(
                tracking(&tracking_configuration(&wanted).unwrap()),
                Some(wanted)
            );
        }
    }

    #[test]
    fn steps_go_out_and_come_back_the_same_and_defaults_are_filled_in() {
        let number = |x| Number::new(x);
        let wanted = StepScaling {
            adjustment: Adjustment::PercentChangeInCapacity,
            steps: vec![
                Step {
                    lower: number(0.0),
                    upper: number(10.5),
                    adjustment: 20,
                },
                Step {
                    lower: number(10.5),
                    upper: None,
                    adjustment: 50,
                },
            ],
            min_magnitude: Some(2),
            cooldown: Cooldown::from_secs(0).unwrap(),
            aggregation: Aggregation::Maximum,
        };
        assert_eq!(
            stepping(&step_configuration(&wanted).unwrap()),
            Some(wanted)
        );
        let bare = aas::StepScalingPolicyConfiguration::builder()
            .adjustment_type(aas::AdjustmentType::ChangeInCapacity)
            .min_adjustment_magnitude(0)
            .build();
        let read = stepping(&bare).unwrap();
        assert_eq!(
            (read.cooldown, read.aggregation, read.min_magnitude),
            (Cooldown::SAGEMAKER_DEFAULT, Aggregation::Average, None)
        );
    }

    #[test]
    fn cooldowns_left_out_are_the_default_and_percentiles_in_math_are_not_ours() {
        let spec = aas::PredefinedMetricSpecification::builder()
            .predefined_metric_type(aas::MetricType::SageMakerVariantInvocationsPerInstance)
            .build()
            .unwrap();
        let config = aas::TargetTrackingScalingPolicyConfiguration::builder().target_value(1.0);
        let bare = config
            .clone()
            .predefined_metric_specification(spec)
            .build()
            .unwrap();
        assert_eq!(
            tracking(&bare).unwrap().scale_in_cooldown,
            Cooldown::SAGEMAKER_DEFAULT
        );
        let stat = aas::TargetTrackingMetricStat::builder()
            .stat("p99")
            .metric(aas::TargetTrackingMetric::builder().build())
            .build()
            .unwrap();
        let query = aas::TargetTrackingMetricDataQuery::builder()
            .id("m")
            .metric_stat(stat)
            .build()
            .unwrap();
        let math = aas::CustomizedMetricSpecification::builder()
            .metrics(query)
            .build();
        let math = config
            .customized_metric_specification(math)
            .build()
            .unwrap();
        assert_eq!(tracking(&math), None);
    }
}
