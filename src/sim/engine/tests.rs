//! The engine as a whole: a policy, traffic, and capacity that follows as AWS documents.

use std::sync::Arc;

use serde_json::json;

use super::api::*;
use super::*;

const RESOURCE: &str = "endpoint/chat/variant/AllTraffic";
const INSTANCES: &str = "sagemaker:variant:DesiredInstanceCount";
const START: Instant = Instant::from_secs(1_800_000_000);

/// No chance anywhere: data is visible 60 s after its minute, signals take 5 s, instances 420 s.
fn exact() -> Options {
    Options {
        publish_delay: SpanRange::secs(60, 60),
        signal_delay: SpanRange::secs(5, 5),
        scale_in: SpanRange::secs(180, 180),
        creation: SpanRange::secs(300, 300),
        deletion: SpanRange::secs(60, 60),
        ..Options::default()
    }
}

fn world(rpm: &[f64]) -> World {
    world_with(exact(), rpm, 2)
}

fn world_with(options: Options, rpm: &[f64], instances: u32) -> World {
    let mut world = World::new(options, 7, START);
    let machine = Machine {
        start_up: SpanRange::secs(420, 420),
        ..Machine::of_type(None, SpanRange::secs(1, 1))
    };
    let shape = match rpm {
        [rpm] => Shape::Steady { rpm: *rpm },
        many => Shape::Trace {
            rpm: Arc::from(many),
        },
    };
    world.add_endpoint(&EndpointSetup {
        name: "chat".to_owned(),
        variants: vec![VariantSetup {
            name: "AllTraffic".to_owned(),
            instance_type: "ml.m5.xlarge".to_owned(),
            instances,
            weight: 1.0,
            machine,
        }],
        traffic: Traffic {
            shape,
            random: false,
            origin: START.minute(),
        },
    });
    world
}

fn register(world: &mut World, min: i64, max: i64) {
    world
        .register_scalable_target(&registration(min, max))
        .unwrap();
}

fn registration(min: i64, max: i64) -> RegisterScalableTarget {
    serde_json::from_value(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
        "MinCapacity": min, "MaxCapacity": max,
    }))
    .unwrap()
}

fn tracking(name: &str, config: impl Into<serde_json::Value>) -> PutScalingPolicy {
    serde_json::from_value(json!({
        "PolicyName": name, "PolicyType": "TargetTrackingScaling", "ServiceNamespace": "sagemaker",
        "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
        "TargetTrackingScalingPolicyConfiguration": config.into(),
    }))
    .unwrap()
}

fn invocations(target: f64, out: i64, scale_in: i64) -> serde_json::Value {
    json!({
        "TargetValue": target, "ScaleOutCooldown": out, "ScaleInCooldown": scale_in,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    })
}

fn put(world: &mut World, policy: &PutScalingPolicy) -> PutScalingPolicyResponse {
    world.put_scaling_policy(policy).unwrap()
}

fn minutes(world: &mut World, n: i64) {
    let to = world.now() + Span::from_secs(60 * n);
    world.advance(to);
}

fn capacity(world: &World) -> (u32, u32) {
    world.instances("chat", "AllTraffic").unwrap()
}

fn activities(world: &World) -> Vec<ScalingActivityShape> {
    let request = serde_json::from_value(json!({
        "ServiceNamespace": "sagemaker", "IncludeNotScaledActivities": true,
    }))
    .unwrap();
    world
        .describe_scaling_activities(&request)
        .unwrap()
        .scaling_activities
}

fn alarm_states(world: &World) -> Vec<&'static str> {
    let all = world.describe_alarms(&DescribeAlarms::default()).unwrap();
    all.metric_alarms.iter().map(|a| a.state_value).collect()
}

#[test]
fn target_tracking_scales_out_in_proportion_after_three_breaching_minutes() {
    let mut world = world(&[400.0]);
    register(&mut world, 1, 10);
    put(&mut world, &tracking("inv", invocations(100.0, 300, 300)));
    // Three full minutes, one minute of publishing delay, and the signal.
    minutes(&mut world, 4);
    assert_eq!(capacity(&world), (2, 2));
    minutes(&mut world, 1);
    assert_eq!(capacity(&world), (2, 4), "400 requests at 100 each need 4");
    minutes(&mut world, 7);
    assert_eq!(capacity(&world).0, 4);
    let all = activities(&world);
    let first = all
        .iter()
        .rfind(|a| a.not_scaled_reasons.is_empty())
        .unwrap();
    assert_eq!(first.description, "Setting desired instance count to 4.");
    assert_eq!(first.status_code, "Successful");
    assert_eq!(
        first.status_message.as_deref(),
        Some(
            "Successfully set desired instance count to 4. Change successfully fulfilled by sagemaker."
        )
    );
    assert!(
        first.cause.starts_with(
            "monitor alarm TargetTracking-endpoint/chat/variant/AllTraffic-AlarmHigh-"
        )
    );
    assert!(first.cause.ends_with("in state ALARM triggered policy inv"));
}

#[test]
fn scale_in_waits_for_fifteen_low_minutes() {
    let mut world = world(&[90.0]);
    register(&mut world, 1, 10);
    put(&mut world, &tracking("inv", invocations(100.0, 300, 300)));
    minutes(&mut world, 16);
    assert_eq!(
        capacity(&world),
        (2, 2),
        "15 minutes of data and one of delay"
    );
    minutes(&mut world, 1);
    assert_eq!(capacity(&world), (2, 1), "90 requests at 100 each need 1");
    minutes(&mut world, 4);
    assert_eq!(capacity(&world), (1, 1));
    // At the minimum the low alarm stays in ALARM, which is its idle state, and says so once.
    minutes(&mut world, 60);
    assert_eq!(capacity(&world), (1, 1));
    assert_eq!(alarm_states(&world), ["OK", "OK"]);
}

#[test]
fn the_low_alarm_at_minimum_refuses_once_not_every_minute() {
    let mut world = world(&[20.0]);
    register(&mut world, 2, 10);
    put(&mut world, &tracking("inv", invocations(100.0, 300, 300)));
    minutes(&mut world, 120);
    assert_eq!(alarm_states(&world), ["OK", "ALARM"]);
    let all = activities(&world);
    assert_eq!(all.len(), 1);
    let reason = &all[0].not_scaled_reasons[0];
    assert_eq!(
        (reason.code, reason.min_capacity),
        ("AlreadyAtMinCapacity", Some(2))
    );
}

#[test]
fn at_maximum_the_refusal_names_the_maximum() {
    let mut world = world(&[900.0]);
    register(&mut world, 1, 2);
    put(&mut world, &tracking("inv", invocations(100.0, 300, 300)));
    minutes(&mut world, 30);
    assert_eq!(capacity(&world), (2, 2));
    let reason = &activities(&world)[0].not_scaled_reasons[0];
    assert_eq!(
        (reason.code, reason.max_capacity),
        ("AlreadyAtMaxCapacity", Some(2))
    );
}

#[test]
fn nothing_scales_while_the_endpoint_updates() {
    let mut world = world(&[400.0]);
    register(&mut world, 1, 10);
    put(&mut world, &tracking("inv", invocations(100.0, 0, 0)));
    minutes(&mut world, 6);
    let signalled = activities(&world);
    assert_eq!(
        signalled[0].not_scaled_reasons[0].code,
        "TargetServicePutResourceAsUnscalable"
    );
    assert_eq!(signalled.len(), 2);
    minutes(&mut world, 3);
    assert_eq!(
        activities(&world).len(),
        2,
        "the same reason in a row is recorded once"
    );
}

/// Tells the high alarm's policy that the metric is at `value`, as CloudWatch would.
fn signal(world: &mut World, value: f64) {
    let all = world
        .describe_alarms(&DescribeAlarms::default())
        .unwrap()
        .metric_alarms;
    let data = json!({
        "recentDatapoints": [value], "threshold": 100.0, "queryDate": world.now().aws_text(),
    });
    let request = SetAlarmState {
        alarm_name: Some(all[0].alarm_name.clone()),
        state_value: Some("ALARM".to_owned()),
        state_reason: Some("by hand".to_owned()),
        state_reason_data: Some(data.to_string()),
    };
    world.set_alarm_state(&request).unwrap();
}

/// The worked example of AWS: +2 done, a new breach wants +3, only one more is added.
#[test]
fn what_was_added_is_credited_within_the_scale_out_cooldown() {
    let mut world = world(&[100.0]);
    register(&mut world, 1, 20);
    put(&mut world, &tracking("inv", invocations(100.0, 3600, 300)));
    signal(&mut world, 200.0);
    assert_eq!(capacity(&world), (2, 4));
    minutes(&mut world, 8);
    signal(&mut world, 150.0);
    assert_eq!(capacity(&world), (4, 4), "+2 wanted, +2 credited");
    signal(&mut world, 175.0);
    assert_eq!(capacity(&world), (4, 5), "+3 wanted, +2 credited");
    minutes(&mut world, 8);
    signal(&mut world, 160.0);
    assert_eq!(
        capacity(&world),
        (5, 5),
        "+3 wanted, and by now +3 credited"
    );
}

#[test]
fn after_the_cooldown_nothing_is_credited() {
    let mut world = world(&[199.0]);
    register(&mut world, 1, 20);
    put(&mut world, &tracking("inv", invocations(100.0, 60, 36_000)));
    signal(&mut world, 200.0);
    minutes(&mut world, 9);
    assert_eq!(capacity(&world), (4, 4));
    signal(&mut world, 150.0);
    assert_eq!(capacity(&world), (4, 6));
}

#[test]
fn a_scale_out_ends_the_scale_in_cooldown_and_a_cooldown_holds_scale_in() {
    let low_then_high: Vec<f64> = (0..600)
        .map(|m| if m < 60 { 290.0 } else { 900.0 })
        .collect();
    let mut world = world_with(exact(), &low_then_high, 6);
    register(&mut world, 1, 20);
    put(&mut world, &tracking("inv", invocations(100.0, 60, 36_000)));
    minutes(&mut world, 22);
    assert_eq!(capacity(&world), (3, 3));
    minutes(&mut world, 38);
    assert_eq!(capacity(&world), (3, 3));
    minutes(&mut world, 6);
    assert_eq!(
        capacity(&world).1,
        9,
        "out at once, in spite of ten hours of scale-in cooldown"
    );
}

#[test]
fn registering_pulls_capacity_into_the_bounds_and_says_why() {
    let mut world = world_with(exact(), &[0.0], 6);
    register(&mut world, 1, 4);
    assert_eq!(capacity(&world), (6, 4));
    assert_eq!(activities(&world)[0].cause, "maximum capacity was set to 4");
    // While that runs, another registration changes bounds but not capacity.
    register(&mut world, 5, 8);
    assert_eq!(capacity(&world), (6, 4));
    minutes(&mut world, 4);
    assert_eq!(capacity(&world), (4, 4));
    register(&mut world, 5, 8);
    assert_eq!(capacity(&world), (4, 5));
    assert_eq!(activities(&world)[0].cause, "minimum capacity was set to 5");
}

#[test]
fn an_update_of_the_policy_makes_new_alarms_and_keeps_its_arn() {
    let mut world = world(&[100.0]);
    register(&mut world, 1, 4);
    let first = put(&mut world, &tracking("inv", invocations(100.0, 60, 60)));
    let second = put(&mut world, &tracking("inv", invocations(120.0, 60, 60)));
    assert_eq!(first.arn, second.arn);
    assert_eq!(second.alarms.len(), 2);
    assert!(first.alarms.iter().all(|a| !second.alarms.contains(a)));
    assert_eq!(alarm_states(&world).len(), 2);
    let low = world
        .describe_alarms(&DescribeAlarms::default())
        .unwrap()
        .metric_alarms
        .pop()
        .unwrap();
    assert!((low.threshold - 108.0).abs() < 1e-9);
    assert_eq!((low.period, low.evaluation_periods), (Some(60), 15));
    assert_eq!(low.comparison_operator, "LessThanThreshold");
}

#[test]
fn a_policy_that_may_not_scale_in_has_one_alarm() {
    let mut world = world(&[10.0]);
    register(&mut world, 1, 4);
    let mut config = invocations(100.0, 60, 60);
    config["DisableScaleIn"] = json!(true);
    assert_eq!(put(&mut world, &tracking("inv", config)).alarms.len(), 1);
    minutes(&mut world, 60);
    assert_eq!(capacity(&world), (2, 2));
}

#[test]
fn one_policy_without_data_blocks_all_scale_in() {
    let mut world = world(&[20.0]);
    register(&mut world, 1, 4);
    put(&mut world, &tracking("inv", invocations(100.0, 60, 60)));
    let custom = json!({
        "TargetValue": 5.0,
        "CustomizedMetricSpecification": {"MetricName": "Queue", "Namespace": "App", "Statistic": "Average"},
    });
    put(&mut world, &tracking("queue", custom));
    minutes(&mut world, 120);
    assert_eq!(capacity(&world), (2, 2));
    // Once the other policy has data and agrees, scale-in goes ahead.
    for _ in 0..20 {
        let datum: PutMetricData = serde_json::from_value(json!({
            "Namespace": "App", "MetricData": [{"MetricName": "Queue", "Value": 0.0}],
        }))
        .unwrap();
        world.put_metric_data(&datum).unwrap();
        minutes(&mut world, 1);
    }
    assert_eq!(capacity(&world).1, 1);
}

#[test]
fn a_step_policy_with_an_alarm_of_its_own_scales() {
    let mut world = world(&[1000.0]);
    register(&mut world, 1, 10);
    let policy = serde_json::from_value(json!({
        "PolicyName": "steps", "PolicyType": "StepScaling", "ServiceNamespace": "sagemaker",
        "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity", "Cooldown": 60,
            "StepAdjustments": [
                {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 100.0, "ScalingAdjustment": 1},
                {"MetricIntervalLowerBound": 100.0, "ScalingAdjustment": 3},
            ],
        },
    }))
    .unwrap();
    let arn = put(&mut world, &policy).arn;
    minutes(&mut world, 30);
    assert_eq!(
        capacity(&world),
        (2, 2),
        "a step policy without an alarm never runs"
    );
    let alarm: PutMetricAlarm = serde_json::from_value(json!({
        "AlarmName": "busy", "Namespace": "AWS/SageMaker", "MetricName": "InvocationsPerInstance",
        "Dimensions": [{"Name": "EndpointName", "Value": "chat"}, {"Name": "VariantName", "Value": "AllTraffic"}],
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 300.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": [arn],
    }))
    .unwrap();
    world.put_metric_alarm(&alarm).unwrap();
    minutes(&mut world, 2);
    assert_eq!(
        capacity(&world),
        (2, 5),
        "500 is 200 above the threshold: the second step"
    );
    world
        .delete_scaling_policy(
            &serde_json::from_value(json!({
                "PolicyName": "steps", "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE,
                "ScalableDimension": INSTANCES,
            }))
            .unwrap(),
        )
        .unwrap();
    assert_eq!(
        alarm_states(&world),
        ["ALARM"],
        "the alarm stays, without its action"
    );
}

#[test]
fn suspension_stops_policies_but_not_registrations() {
    let mut world = world(&[400.0]);
    let mut request = registration(1, 10);
    request.suspended_state = Some(SuspendedState {
        dynamic_scaling_out_suspended: Some(true),
        ..SuspendedState::default()
    });
    world.register_scalable_target(&request).unwrap();
    put(&mut world, &tracking("inv", invocations(100.0, 60, 60)));
    minutes(&mut world, 30);
    assert_eq!(capacity(&world), (2, 2));
    register(&mut world, 3, 10);
    assert_eq!(
        capacity(&world),
        (2, 3),
        "a registration that leaves suspension out keeps it, and clamps"
    );
    minutes(&mut world, 10);
    assert_eq!(capacity(&world), (3, 3));
}

#[test]
fn deregistering_takes_policies_and_their_alarms_along() {
    let mut world = world(&[100.0]);
    register(&mut world, 1, 4);
    let before = put(&mut world, &tracking("inv", invocations(100.0, 60, 60)));
    let ids = serde_json::from_value(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
    }))
    .unwrap();
    world.deregister_scalable_target(&ids).unwrap();
    assert_eq!(
        world.deregister_scalable_target(&ids).unwrap_err().code,
        "ObjectNotFoundException"
    );
    assert!(alarm_states(&world).is_empty());
    register(&mut world, 1, 4);
    let after = put(&mut world, &tracking("inv", invocations(100.0, 60, 60)));
    assert_ne!(
        before.arn, after.arn,
        "a new registration has new policy ARNs"
    );
}

#[test]
fn a_deleted_endpoint_takes_its_target_along_and_comes_back_bare() {
    let mut world = world(&[100.0]);
    register(&mut world, 1, 4);
    let name = EndpointNameOnly {
        endpoint_name: Some("chat".to_owned()),
    };
    world.delete_endpoint(&name).unwrap();
    assert_eq!(
        world.describe_endpoint(&name).unwrap().endpoint_status,
        "Deleting"
    );
    minutes(&mut world, 3);
    let gone = world.describe_endpoint(&name).unwrap_err();
    assert_eq!(gone.code, "ValidationException");
    assert!(
        gone.message
            .starts_with("Could not find endpoint \"arn:aws:sagemaker:")
    );
    let again = serde_json::from_value(json!({
        "EndpointName": "chat", "EndpointConfigName": "chat-config",
    }))
    .unwrap();
    world.create_endpoint(&again).unwrap();
    assert_eq!(
        world.describe_endpoint(&name).unwrap().endpoint_status,
        "Creating"
    );
    assert!(
        world
            .describe_endpoint(&name)
            .unwrap()
            .production_variants
            .is_empty()
    );
    minutes(&mut world, 6);
    assert_eq!(
        world.describe_endpoint(&name).unwrap().endpoint_status,
        "InService"
    );
    let targets = serde_json::from_value(json!({"ServiceNamespace": "sagemaker"})).unwrap();
    assert!(
        world
            .describe_scalable_targets(&targets)
            .unwrap()
            .scalable_targets
            .is_empty()
    );
}

#[test]
fn an_update_forgets_scaled_capacity_unless_told_to_retain_it() {
    let mut world = world(&[400.0]);
    register(&mut world, 4, 10);
    minutes(&mut world, 8);
    assert_eq!(capacity(&world), (4, 4));
    let update = |retain: bool| {
        serde_json::from_value::<UpdateEndpoint>(json!({
            "EndpointName": "chat", "EndpointConfigName": "chat-config",
            "RetainAllVariantProperties": retain,
        }))
        .unwrap()
    };
    world.update_endpoint(&update(true)).unwrap();
    assert!(
        world.update_endpoint(&update(true)).is_err(),
        "an endpoint that updates takes no update"
    );
    minutes(&mut world, 6);
    assert_eq!(capacity(&world), (4, 4));
    world.update_endpoint(&update(false)).unwrap();
    minutes(&mut world, 5);
    assert_eq!(capacity(&world).0, 2);
}

#[test]
fn set_alarm_state_scales_only_with_fresh_reason_data() {
    let mut world = world(&[150.0]);
    register(&mut world, 1, 10);
    let alarms = put(&mut world, &tracking("inv", invocations(100.0, 60, 60))).alarms;
    minutes(&mut world, 10);
    let set = |world: &mut World, data: Option<String>| {
        let request = SetAlarmState {
            alarm_name: Some(alarms[0].name.clone()),
            state_value: Some("ALARM".to_owned()),
            state_reason: Some("by hand".to_owned()),
            state_reason_data: data,
        };
        world.set_alarm_state(&request).unwrap();
        capacity(world).1
    };
    assert_eq!(set(&mut world, None), 2);
    let data = |at: Instant| {
        Some(
            json!({"recentDatapoints": [300.0], "threshold": 100.0, "queryDate": at.aws_text()})
                .to_string(),
        )
    };
    let stale = data(world.now() - Span::from_secs(16));
    assert_eq!(set(&mut world, stale), 2);
    let fresh = data(world.now() - Span::from_secs(5));
    assert_eq!(set(&mut world, fresh), 6);
}

#[test]
fn the_same_seed_gives_the_same_day_and_another_seed_another() {
    let day = |seed| {
        let scenario = super::super::scenario::Scenario::parse(
            "endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 3m..9m }]
    traffic: { daily: { low: 100, high: 1500, peak_after: 8h } }",
        )
        .unwrap();
        let mut world = scenario.build(&Options::default(), seed, START).unwrap();
        register(&mut world, 1, 20);
        put(&mut world, &tracking("inv", invocations(100.0, 60, 300)));
        minutes(&mut world, 1440);
        world.timeline()
    };
    let first = day(1);
    assert!(
        first.len() > 20,
        "a day with a rhythm has something to tell"
    );
    assert_eq!(first, day(1));
    assert_ne!(first, day(2));
}

/// Whoever moves the clock, in one leap or in many steps, the world is the same.
#[test]
fn the_size_of_the_steps_does_not_matter() {
    let run = |step: i64| {
        let mut world = world_with(Options::default(), &[400.0], 2);
        register(&mut world, 1, 10);
        put(&mut world, &tracking("inv", invocations(100.0, 60, 300)));
        let end = START + Span::from_secs(4 * 3600);
        while world.now() < end {
            let to = (world.now() + Span::from_millis(step)).min(end);
            world.advance(to);
        }
        world.timeline()
    };
    let leap = run(i64::from(i32::MAX));
    assert!(!leap.is_empty());
    assert_eq!(leap, run(60_000));
    assert_eq!(leap, run(7_919));
}

#[test]
fn metric_data_is_read_with_math() {
    let mut world = world(&[120.0]);
    minutes(&mut world, 10);
    let request: GetMetricData = serde_json::from_value(json!({
        "StartTime": START.millis() / 1000, "EndTime": world.now().millis() / 1000,
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [
            {"Id": "inv", "ReturnData": false, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {
                "Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": [
                    {"Name": "EndpointName", "Value": "chat"}, {"Name": "VariantName", "Value": "AllTraffic"}]}}},
            {"Id": "rps", "Expression": "inv / PERIOD(inv)"},
            {"Id": "bad", "Expression": "inv +"},
        ],
    }))
    .unwrap();
    let results = world.get_metric_data(&request).unwrap().metric_data_results;
    assert_eq!(results.len(), 2);
    assert_eq!(
        results[0].values.len(),
        9,
        "the newest minute is not visible yet"
    );
    assert!(results[0].values.iter().all(|x| (x - 2.0).abs() < 1e-9));
    assert_eq!(results[1].status_code, "InternalError");
}

#[test]
fn a_target_that_is_not_visible_yet_is_not_found_by_a_put() {
    let options = Options {
        registration_lag: Span::from_secs(5),
        ..exact()
    };
    let mut world = world_with(options, &[100.0], 2);
    register(&mut world, 1, 4);
    let policy = tracking("inv", invocations(100.0, 60, 60));
    assert_eq!(
        world.put_scaling_policy(&policy).unwrap_err().code,
        "ObjectNotFoundException"
    );
    let later = world.now() + Span::from_secs(6);
    world.advance(later);
    assert!(world.put_scaling_policy(&policy).is_ok());
}

#[test]
fn wrong_requests_are_refused_with_awss_codes() {
    let mut world = world(&[100.0]);
    let refused = |result: Result<RegisterScalableTargetResponse, ApiError>| {
        let error = result.unwrap_err();
        assert_eq!(error.code, "ValidationException");
        error.message
    };
    assert_eq!(
        refused(world.register_scalable_target(&registration(5, 4))),
        "Minimum capacity cannot be greater than maximum capacity"
    );
    refused(world.register_scalable_target(&registration(-1, 4)));
    refused(world.register_scalable_target(&registration(0, 4)));
    let mut ecs = registration(1, 4);
    ecs.service_namespace = Some("nope".to_owned());
    assert!(refused(world.register_scalable_target(&ecs)).starts_with(
        "1 validation error detected: Value 'nope' at 'serviceNamespace' failed to satisfy constraint: Member must \
         satisfy enum value set: [ecs, "
    ));
    let mut missing = registration(1, 4);
    missing.resource_id = Some("endpoint/nobody/variant/v".to_owned());
    assert!(refused(world.register_scalable_target(&missing)).contains("Could not find endpoint"));
    let unregistered = world
        .put_scaling_policy(&tracking("p", invocations(1.0, 0, 0)))
        .unwrap_err();
    assert_eq!(unregistered.code, "ObjectNotFoundException");
    register(&mut world, 1, 4);
    let mut tagged = registration(1, 4);
    tagged.tags = Some(TagMap::from([("a".to_owned(), "b".to_owned())]));
    assert!(
        refused(world.register_scalable_target(&tagged))
            .starts_with("The scalable target that you tried to tag")
    );
    put(&mut world, &tracking("p", invocations(10.0, 0, 0)));
    let second = world
        .put_scaling_policy(&tracking("q", invocations(20.0, 0, 0)))
        .unwrap_err();
    assert_eq!(
        second.message,
        "Only one TargetTrackingScaling policy for a given metric specification is allowed."
    );
    let wrong = json!({"TargetValue": 1.0, "PredefinedMetricSpecification": {
        "PredefinedMetricType": "SageMakerInferenceComponentInvocationsPerCopy"}});
    let wrong = world.put_scaling_policy(&tracking("r", wrong)).unwrap_err();
    assert!(
        wrong
            .message
            .contains("only supports the following predefined metric types")
    );
}

mod kinds;
mod limits;
mod scheduled_puts;
mod schedules;
