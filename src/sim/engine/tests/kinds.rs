//! Hours and days of resources that are not plain instances: queues, provisioned concurrency, copies.

use super::*;

pub(super) const CONCURRENCY: &str = "sagemaker:variant:DesiredProvisionedConcurrency";
pub(super) const COPIES: &str = "sagemaker:inference-component:DesiredCopyCount";

pub(super) fn steady(rpm: f64) -> Traffic {
    traced(&[rpm])
}

pub(super) fn traced(rpm: &[f64]) -> Traffic {
    Traffic {
        shape: Shape::Trace {
            rpm: Arc::from(rpm),
        },
        random: false,
        origin: START.minute(),
    }
}

pub(super) fn endpoint(name: &str, instances: u32, traffic: Traffic) -> EndpointSetup {
    EndpointSetup {
        name: name.to_owned(),
        variants: vec![VariantSetup {
            name: "AllTraffic".to_owned(),
            instance_type: "ml.g5.xlarge".to_owned(),
            instances,
            weight: 1.0,
            machine: Machine {
                serves_rpm: 60.0,
                start_up: SpanRange::secs(420, 420),
                ..Machine::of_type(None, SpanRange::secs(1, 1))
            },
        }],
        traffic,
    }
}

pub(super) fn extras(hosting: Hosting) -> Extras {
    Extras {
        hosting: [("AllTraffic".to_owned(), hosting)].into(),
        ..Extras::default()
    }
}

pub(super) fn empty() -> World {
    let options = Options {
        copy_scale_in: SpanRange::secs(60, 60),
        hosting_start_up: SpanRange::secs(120, 120),
        ..exact()
    };
    World::new(options, 7, START)
}

pub(super) fn target(
    resource: &str,
    dimension: &str,
    min: i64,
    max: i64,
) -> RegisterScalableTarget {
    serde_json::from_value(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": dimension,
        "MinCapacity": min, "MaxCapacity": max,
    }))
    .unwrap()
}

pub(super) fn policy(
    resource: &str,
    dimension: &str,
    name: &str,
    config: impl Into<serde_json::Value>,
) -> PutScalingPolicy {
    let config: serde_json::Value = config.into();
    let steps = config.get("AdjustmentType").is_some();
    let (kind, member) = if steps {
        ("StepScaling", "StepScalingPolicyConfiguration")
    } else {
        (
            "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration",
        )
    };
    serde_json::from_value(json!({
        "PolicyName": name, "PolicyType": kind, "ServiceNamespace": "sagemaker",
        "ResourceId": resource, "ScalableDimension": dimension, member: config,
    }))
    .unwrap()
}

fn add_one() -> serde_json::Value {
    json!({
        "AdjustmentType": "ChangeInCapacity", "Cooldown": 300, "MetricAggregationType": "Maximum",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
    })
}

fn predefined(metric: &str, target: f64) -> serde_json::Value {
    json!({
        "TargetValue": target, "ScaleOutCooldown": 60, "ScaleInCooldown": 1200,
        "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
    })
}

fn wake_alarm(world: &mut World, metric: &str, dimension: (&str, &str), periods: u32, arn: &str) {
    let alarm: PutMetricAlarm = serde_json::from_value(json!({
        "AlarmName": "wake", "Namespace": "AWS/SageMaker", "MetricName": metric,
        "Dimensions": [{"Name": dimension.0, "Value": dimension.1}],
        "Statistic": if metric.starts_with("Has") { "Average" } else { "Sum" },
        "Period": 60, "EvaluationPeriods": periods, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": [arn],
    }))
    .unwrap();
    world.put_metric_alarm(&alarm).unwrap();
}

/// All datapoints of one statistic from the beginning on, oldest first.
pub(super) fn points(
    world: &World,
    metric: &str,
    dimensions: &[(&str, &str)],
    stat: &str,
    period: i64,
) -> Vec<f64> {
    let dimensions: Vec<_> = dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let request = serde_json::from_value(json!({
        "StartTime": START.millis() / 1000, "EndTime": world.now().millis() / 1000,
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [{"Id": "q", "MetricStat": {"Period": period, "Stat": stat, "Metric": {
            "Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions}}}],
    }))
    .unwrap();
    let mut results = world.get_metric_data(&request).unwrap().metric_data_results;
    results.pop().unwrap().values
}

fn set_actions(world: &World) -> Vec<(String, &'static str)> {
    let all = activities(world);
    let set = all.iter().filter(|a| a.not_scaled_reasons.is_empty());
    set.map(|a| (a.description.clone(), a.status_code))
        .collect()
}

// ----------------------------------------------------------------------------- queues

fn async_world(rpm: &[f64], instances: u32) -> World {
    let mut world = empty();
    let extras = Extras {
        is_async: true,
        ..Extras::default()
    };
    world.add_endpoint_with(&endpoint("chat", instances, traced(rpm)), &extras);
    world
}

#[test]
fn an_async_endpoint_goes_to_zero_when_idle_and_wakes_by_its_step_policy() {
    // Work for half an hour, silence for two hours, then three requests a minute.
    let rates: Vec<f64> = (0..600)
        .map(|m| match m {
            0..30 => 30.0,
            30..150 => 0.0,
            _ => 3.0,
        })
        .collect();
    let mut world = async_world(&rates, 1);
    world
        .register_scalable_target(&target(RESOURCE, INSTANCES, 0, 4))
        .unwrap();
    let backlog = json!({
        "TargetValue": 5.0, "ScaleInCooldown": 60, "ScaleOutCooldown": 60,
        "CustomizedMetricSpecification": {
            "MetricName": "ApproximateBacklogSizePerInstance", "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": "chat"}], "Statistic": "Average",
        },
    });
    put(&mut world, &policy(RESOURCE, INSTANCES, "backlog", backlog));
    let arn = put(&mut world, &policy(RESOURCE, INSTANCES, "wake", add_one())).arn;
    let name = ("EndpointName", "chat");
    wake_alarm(&mut world, "HasBacklogWithoutCapacity", name, 2, &arn);
    minutes(&mut world, 149);
    assert_eq!(capacity(&world), (0, 0), "an empty queue scales in to zero");
    assert!(world.backlog("chat").unwrap().abs() < 1e-9);
    minutes(&mut world, 3);
    assert_eq!(capacity(&world), (0, 0));
    assert!(world.backlog("chat").unwrap() > 3.0);
    minutes(&mut world, 3);
    assert_eq!(
        capacity(&world),
        (0, 1),
        "two minutes of backlog without capacity wake it"
    );
    minutes(&mut world, 20);
    assert_eq!(capacity(&world).0, 1);
    assert!(
        world.backlog("chat").unwrap() < 1.0,
        "it works the queue off"
    );
    let flags = points(&world, "HasBacklogWithoutCapacity", &[name], "Average", 60);
    assert!(flags.contains(&1.0) && flags.contains(&0.0));
}

#[test]
fn without_instances_there_is_no_backlog_per_instance_and_no_invocations_ever() {
    let mut world = async_world(&[10.0], 0);
    minutes(&mut world, 12);
    let by_endpoint = [("EndpointName", "chat")];
    let by_variant = [("EndpointName", "chat"), ("VariantName", "AllTraffic")];
    let sizes = points(
        &world,
        "ApproximateBacklogSize",
        &by_endpoint,
        "Maximum",
        60,
    );
    assert!(sizes.windows(2).all(|pair| pair[1] > pair[0]), "{sizes:?}");
    let ages = points(
        &world,
        "ApproximateAgeOfOldestRequest",
        &by_endpoint,
        "Maximum",
        60,
    );
    assert!((ages.last().unwrap() - 660.0).abs() < 61.0, "{ages:?}");
    for (metric, dimensions) in [
        ("ApproximateBacklogSizePerInstance", &by_endpoint[..]),
        ("Invocations", &by_variant[..]),
        ("InvocationsPerInstance", &by_variant[..]),
        ("ConcurrentRequestsPerModel", &by_variant[..]),
    ] {
        assert!(
            points(&world, metric, dimensions, "Sum", 60).is_empty(),
            "{metric}"
        );
    }
    world.invoke_async("chat").unwrap();
    assert!(
        world.invoke("chat", None).is_err(),
        "it answers nobody at once"
    );
}

// ----------------------------------------------------------------------------- provisioned concurrency

fn serverless_world(rpm: &[f64], provisioned: Option<u32>) -> World {
    let mut world = empty();
    let it = Serverless {
        memory_mb: 2048,
        max_concurrency: 20,
        provisioned,
    };
    let mut setup = endpoint("chat", 0, traced(rpm));
    setup.variants[0].machine.latency_us = 1_000_000.0;
    world.add_endpoint_with(&setup, &extras(Hosting::Serverless(it)));
    world
}

#[test]
fn provisioned_concurrency_follows_utilization() {
    // A second per request: 230 a minute are nearly 4 at a time, 600 are 10.
    let rates: Vec<f64> = (0..600)
        .map(|m| if (60..180).contains(&m) { 600.0 } else { 230.0 })
        .collect();
    let mut world = serverless_world(&rates, Some(8));
    let wanted = |min, max| target(RESOURCE, CONCURRENCY, min, max);
    world.register_scalable_target(&wanted(2, 20)).unwrap();
    let utilization = predefined("SageMakerVariantProvisionedConcurrencyUtilization", 0.5);
    put(
        &mut world,
        &policy(RESOURCE, CONCURRENCY, "pc", utilization),
    );
    minutes(&mut world, 60);
    assert_eq!(capacity(&world), (8, 8), "nearly 4 of 8 is the target");
    minutes(&mut world, 60);
    assert_eq!(capacity(&world).1, 20, "10 at a time at half use need 20");
    let shown = world
        .describe_endpoint(&EndpointNameOnly {
            endpoint_name: Some("chat".to_owned()),
        })
        .unwrap();
    let variant = &shown.production_variants[0];
    assert_eq!(variant.current_instance_count, None);
    let current = variant.current_serverless_config.unwrap();
    assert_eq!(
        (current.max_concurrency, current.provisioned_concurrency),
        (20, Some(20))
    );
    assert_eq!(
        set_actions(&world).last().unwrap().0,
        "Setting desired provisioned concurrency to 16."
    );
    minutes(&mut world, 180);
    assert_eq!(capacity(&world), (8, 8), "and back again");
    let dimensions = [("EndpointName", "chat"), ("VariantName", "AllTraffic")];
    let name = "ServerlessProvisionedConcurrencyUtilization";
    let all = points(&world, name, &dimensions, "Average", 60);
    assert!(all.iter().all(|x| *x <= 1.0) && all.contains(&1.0));
    assert!(points(&world, "InvocationsPerInstance", &dimensions, "Sum", 60).is_empty());
    assert!(!points(&world, "Invocations", &dimensions, "Sum", 60).is_empty());
}

#[test]
fn what_is_not_provisioned_concurrency_can_not_be_registered_as_it() {
    let refused = |world: &mut World, dimension, min, max| {
        let request = target(RESOURCE, dimension, min, max);
        let error = world.register_scalable_target(&request).unwrap_err();
        assert_eq!(error.code, "ValidationException");
        error.message
    };
    let mut with = serverless_world(&[0.0], Some(2));
    assert!(refused(&mut with, CONCURRENCY, 0, 4).contains("at least 1"));
    assert!(refused(&mut with, CONCURRENCY, 1, 21).contains("MaxConcurrency, 20"));
    assert!(refused(&mut with, INSTANCES, 1, 4).contains("serverless"));
    let mut without = serverless_world(&[0.0], None);
    assert!(refused(&mut without, CONCURRENCY, 1, 4).contains("no provisioned concurrency"));
    let mut plain = world(&[0.0]);
    assert!(refused(&mut plain, CONCURRENCY, 1, 4).contains("not serverless"));
}

// ----------------------------------------------------------------------------- copies

const COMPONENT: &str = "inference-component/llm";

fn hosting_world(copies: u32, per_instance: u32, max: u32, traffic: Traffic) -> World {
    let mut world = empty();
    let hosting = Hosting::Components { min: 0, max };
    world.add_endpoint_with(&endpoint("chat", 0, steady(0.0)), &extras(hosting));
    world
        .add_component(&ComponentSetup {
            name: "llm".to_owned(),
            endpoint: "chat".to_owned(),
            variant: "AllTraffic".to_owned(),
            copies,
            copies_per_instance: per_instance,
            machine: Machine {
                serves_rpm: 60.0,
                start_up: SpanRange::secs(180, 180),
                ..Machine::of_type(None, SpanRange::secs(1, 1))
            },
            traffic,
        })
        .unwrap();
    world
}

fn component(world: &World) -> DescribeInferenceComponentResponse {
    let request = InferenceComponentNameOnly {
        inference_component_name: Some("llm".to_owned()),
    };
    world.describe_inference_component(&request).unwrap()
}

#[test]
fn a_component_sleeps_and_wakes_by_the_requests_that_failed() {
    let rates: Vec<f64> = (0..600)
        .map(|m| match m {
            0..20 => 20.0,
            20..120 => 0.0,
            _ => 2.0,
        })
        .collect();
    let mut world = hosting_world(1, 1, 4, traced(&rates));
    assert_eq!(capacity(&world), (1, 1));
    world
        .register_scalable_target(&target(COMPONENT, COPIES, 0, 4))
        .unwrap();
    let per_copy = predefined("SageMakerInferenceComponentInvocationsPerCopy", 30.0);
    put(&mut world, &policy(COMPONENT, COPIES, "inv", per_copy));
    let arn = put(&mut world, &policy(COMPONENT, COPIES, "wake", add_one())).arn;
    let name = ("InferenceComponentName", "llm");
    wake_alarm(&mut world, "NoCapacityInvocationFailures", name, 1, &arn);
    minutes(&mut world, 40);
    assert_eq!(world.copies("llm"), Some((0, 0)));
    assert_eq!(
        capacity(&world),
        (1, 1),
        "the instance stays for twelve minutes"
    );
    minutes(&mut world, 12);
    assert_eq!(capacity(&world), (0, 0));
    minutes(&mut world, 71);
    assert_eq!(world.copies("llm"), Some((0, 1)), "failed requests wake it");
    assert_eq!(capacity(&world), (0, 1));
    assert_eq!(component(&world).inference_component_status, "Updating");
    minutes(&mut world, 6);
    assert_eq!(
        world.copies("llm"),
        Some((1, 1)),
        "instance, then copy: five minutes"
    );
    assert_eq!(capacity(&world), (1, 1));
    assert_eq!(
        set_actions(&world)[0],
        ("Setting desired copy count to 1.".to_owned(), "Successful")
    );
    minutes(&mut world, 10);
    let failures = points(&world, "NoCapacityInvocationFailures", &[name], "Sum", 60);
    assert!((5..=8).contains(&failures.len()), "{failures:?}");
    assert!(failures.iter().all(|x| *x > 0.0 && *x <= 2.0));
}

#[test]
fn copies_beyond_the_instances_end_as_a_failed_activity() {
    let mut world = hosting_world(1, 2, 1, steady(200.0));
    world
        .register_scalable_target(&target(COMPONENT, COPIES, 1, 8))
        .unwrap();
    let per_copy = predefined("SageMakerInferenceComponentInvocationsPerCopy", 50.0);
    put(&mut world, &policy(COMPONENT, COPIES, "inv", per_copy));
    minutes(&mut world, 12);
    let all = activities(&world);
    let failed = all
        .iter()
        .find(|a| a.status_code == "Failed" && a.status_message.is_some());
    assert_eq!(
        failed.unwrap().status_message.as_deref(),
        Some(
            "Failed to set desired copy count to 4. Reason: There is not enough hardware resources on the instances \
             for this endpoint to create a copy of the inference component."
        )
    );
    let it = component(&world);
    assert_eq!(it.runtime_config.unwrap().current_copy_count, 1);
    assert!(
        it.failure_reason
            .unwrap()
            .starts_with("There is not enough hardware")
    );
    // Two copies fit on the one instance.
    world
        .register_scalable_target(&target(COMPONENT, COPIES, 1, 2))
        .unwrap();
    minutes(&mut world, 16);
    assert_eq!(world.copies("llm").unwrap().0, 2);
    assert_eq!(capacity(&world), (1, 1));
}

#[test]
fn components_are_created_listed_and_outlive_their_endpoint() {
    let mut world = hosting_world(1, 1, 4, steady(0.0));
    for name in ["a", "b"] {
        let request = serde_json::from_value(json!({
            "InferenceComponentName": name, "EndpointName": "chat", "VariantName": "AllTraffic",
            "Specification": {"ModelName": "m"}, "RuntimeConfig": {"CopyCount": 1},
        }))
        .unwrap();
        world.create_inference_component(&request).unwrap();
        assert!(world.create_inference_component(&request).is_err());
    }
    let names = |world: &World, request: serde_json::Value| {
        let request: ListInferenceComponents = serde_json::from_value(request).unwrap();
        let page = world.list_inference_components(&request).unwrap();
        let name = |c: InferenceComponentSummary| c.inference_component_name;
        let names: Vec<String> = page.inference_components.into_iter().map(name).collect();
        (names, page.next_token.is_some())
    };
    let creating = json!({"StatusEquals": "Creating", "SortBy": "Name", "SortOrder": "Ascending"});
    assert_eq!(
        names(&world, creating),
        (vec!["a".to_owned(), "b".to_owned()], false)
    );
    let first = json!({"MaxResults": 2, "SortBy": "Name", "EndpointNameEquals": "chat"});
    assert_eq!(
        names(&world, first),
        (vec!["llm".to_owned(), "b".to_owned()], true)
    );
    assert!(
        names(&world, json!({"EndpointNameEquals": "other"}))
            .0
            .is_empty()
    );
    minutes(&mut world, 10);
    assert_eq!(world.copies("a"), Some((1, 1)));
    assert_eq!(capacity(&world), (3, 3), "three copies on three instances");
    world
        .delete_endpoint(&EndpointNameOnly {
            endpoint_name: Some("chat".to_owned()),
        })
        .unwrap();
    minutes(&mut world, 4);
    assert_eq!(world.components().len(), 3);
    let told = |world: &World| {
        let name = [("InferenceComponentName", "llm")];
        points(world, "InvocationsPerCopy", &name, "Sum", 60).len()
    };
    let before = told(&world);
    minutes(&mut world, 5);
    assert_eq!(told(&world), before, "without its endpoint it says nothing");
    let gone = InferenceComponentNameOnly {
        inference_component_name: Some("a".to_owned()),
    };
    world.delete_inference_component(&gone).unwrap();
    minutes(&mut world, 2);
    assert_eq!(world.components().len(), 2);
    let error = world.describe_inference_component(&gone).unwrap_err();
    assert!(
        error
            .message
            .starts_with("Could not find inference component")
    );
}

#[test]
fn a_hosting_variant_is_refused_as_a_target_unless_the_option_says_otherwise() {
    let mut world = hosting_world(1, 1, 4, steady(0.0));
    let request = target(RESOURCE, INSTANCES, 1, 4);
    assert!(world.register_scalable_target(&request).is_err());
    world.options.hosting_variants_register = true;
    assert!(world.register_scalable_target(&request).is_ok());
}

// ----------------------------------------------------------------------------- concurrency every 10 s

#[test]
fn a_policy_on_concurrency_sees_a_rise_within_a_minute() {
    let rates: Vec<f64> = (0..120)
        .map(|m| if m < 30 { 30.0 } else { 110.0 })
        .collect();
    let mut world = empty();
    let mut setup = endpoint("chat", 2, traced(&rates));
    setup.variants[0].machine.latency_us = 1_000_000.0;
    world.add_endpoint(&setup);
    register(&mut world, 2, 10);
    let name = "SageMakerVariantConcurrentRequestsPerModelHighResolution";
    put(&mut world, &tracking("fast", predefined(name, 5.0)));
    minutes(&mut world, 30);
    assert_eq!(capacity(&world).1, 2);
    minutes(&mut world, 1);
    assert!(
        capacity(&world).1 > 2,
        "three slots of 10 s, 10 to 20 s of delay, and the signal"
    );
    let dimensions = [("EndpointName", "chat"), ("VariantName", "AllTraffic")];
    let metric = "ConcurrentRequestsPerModel";
    let most = points(&world, metric, &dimensions, "Maximum", 10);
    let mean = points(&world, metric, &dimensions, "Average", 10);
    assert!(
        most.len() > 170 && most.len() == mean.len(),
        "{}",
        most.len()
    );
    assert!(most.iter().zip(&mean).all(|(most, mean)| most > mean));
}

#[test]
fn worlds_without_fast_alarms_still_show_concurrency() {
    let mut world = world(&[100.0]);
    minutes(&mut world, 10);
    let dimensions = [("EndpointName", "chat"), ("VariantName", "AllTraffic")];
    let metric = "ConcurrentRequestsPerModel";
    assert_eq!(points(&world, metric, &dimensions, "Maximum", 60).len(), 9);
    assert!(!points(&world, metric, &dimensions, "Maximum", 10).is_empty());
}
