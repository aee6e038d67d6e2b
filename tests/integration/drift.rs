//! What others change, and what evenkeel makes of it: suspension, alarms, step policies, leftovers.

use std::time::Duration;

use evenkeel::domain::{PassOutcome, PassReason, Verdict};
use evenkeel::sim::engine::api::{MetricAlarm, PutMetricAlarm, RegisterScalableTarget};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{INSTANCES, THREE, World, request, resource, scope};

const ONE: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1, start_up: 4m }]
    traffic: { steady: 100 }
";

fn config(policies: &str, more: &str) -> String {
    format!(
        "targets:\n  - endpoint: chat\n    variant: AllTraffic\n    bounds: {{ min: 1, max: 8 }}\n    {more}\n    \
         policies: [{policies}]\n"
    )
}

const TRACKING: &str = "{ target_tracking: { metric: invocations_per_instance, target: 300 } }";
const STEPS: &str = "{ step: { steps: [{ from: 0, to: 50, adjust: 1 }, { from: 50, adjust: 3 }], cooldown: 60s, \
                     alarm: { metric: { namespace: App, name: Queue, statistic: Maximum }, threshold: 100 } } }";
const STEP_ALARM: &str = "evenkeel/endpoint/chat/variant/AllTraffic/evenkeel-step-Queue";

fn alarms(world: &World) -> Vec<MetricAlarm> {
    world.aws(|aws| {
        aws.describe_alarms(&request(json!({})))
            .unwrap()
            .metric_alarms
    })
}

fn alarm(world: &World, name: &str) -> Option<MetricAlarm> {
    alarms(world)
        .into_iter()
        .find(|a| a.alarm_name.contains(name))
}

fn delete_alarm(world: &World, name: &str) {
    let name = alarm(world, name).unwrap().alarm_name;
    let names = request(json!({ "AlarmNames": [name] }));
    world.aws(|aws| aws.delete_alarms(&names).unwrap());
}

fn put_metric(world: &World, value: f64) {
    let data = json!([{ "MetricName": "Queue", "Value": value }]);
    let put = request(json!({ "Namespace": "App", "MetricData": data }));
    world.aws(|aws| aws.put_metric_data(&put).unwrap());
}

fn suspended(world: &World) -> Value {
    world.aws(|aws| {
        let all =
            aws.describe_scalable_targets(&request(json!({ "ServiceNamespace": "sagemaker" })));
        serde_json::to_value(all.unwrap().scalable_targets[0].suspended_state).unwrap()
    })
}

fn suspend(world: &World, shape: &Value) {
    let put: RegisterScalableTarget = request(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"), "ScalableDimension": INSTANCES,
        "SuspendedState": shape,
    }));
    world.aws(|aws| aws.register_scalable_target(&put).unwrap());
}

fn notes(world: &World) -> Vec<String> {
    let snapshot = world.snapshot();
    let target = snapshot.scopes[&scope()].targets.values().next().unwrap();
    target.notes.iter().map(evenkeel::view::note_text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_declared_suspension_is_made_true_and_kept_true() {
    let world = World::new(ONE, &config(TRACKING, "suspended: { scale_in: true }"));
    world.pass().await;
    assert_eq!(
        suspended(&world),
        json!({
            "DynamicScalingInSuspended": true,
            "DynamicScalingOutSuspended": false,
            "ScheduledScalingSuspended": false,
        })
    );
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
    suspend(
        &world,
        &json!({ "DynamicScalingInSuspended": false, "DynamicScalingOutSuspended": true }),
    );
    assert_eq!(world.pass().await.done, 1);
    assert_eq!(suspended(&world)["DynamicScalingOutSuspended"], false);
    assert_eq!(
        world
            .events
            .count("drift: endpoint/chat/variant/AllTraffic: suspension"),
        1
    );
}

/// Someone may have suspended scaling for a reason; only a config that speaks of it overrules them.
#[tokio::test(start_paused = true)]
async fn a_suspension_that_the_config_does_not_speak_of_is_left_and_mentioned() {
    let world = World::new(ONE, &config(TRACKING, ""));
    world.pass().await;
    suspend(&world, &json!({ "DynamicScalingOutSuspended": true }));
    let pass = world.pass().await;
    assert_eq!((pass.outcome, pass.done), (PassOutcome::Converged, 0));
    assert_eq!(suspended(&world)["DynamicScalingOutSuspended"], true);
    assert!(
        notes(&world)[0].contains("AWS has scaling out suspended"),
        "{:?}",
        notes(&world)
    );
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_aws_that_was_deleted_or_switched_off_is_made_anew() {
    let world = World::new(ONE, &config(TRACKING, ""));
    world.run_for(Duration::from_mins(4)).await;
    let before = world.events.count("done:");
    delete_alarm(&world, "AlarmHigh");
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(
        world.events.count("done:"),
        before + 1,
        "{:?}",
        world.events.lines()
    );
    assert_eq!(world.events.count("alarms_tampered"), 1);
    assert_eq!(alarms(&world).len(), 2);
    world.run_for(Duration::from_mins(5)).await;
    assert_eq!(
        world.events.count("done:"),
        before + 1,
        "mended once, not again and again"
    );

    let low = alarm(&world, "AlarmLow").unwrap().alarm_name;
    let names = request(json!({ "AlarmNames": [low] }));
    world.aws(|aws| aws.set_alarm_actions(&names, false).unwrap());
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(world.events.count("done:"), before + 2);
    assert!(alarms(&world).iter().all(|a| a.actions_enabled));
}

#[tokio::test(start_paused = true)]
async fn a_step_policy_comes_with_its_alarm_and_scales() {
    let world = World::new(ONE, &config(STEPS, ""));
    let first = world.pass().await;
    assert_eq!(
        (first.done, first.failed),
        (3, 0),
        "{:?}",
        world.events.lines()
    );
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
    assert_eq!(alarm(&world, "step-Queue").unwrap().alarm_name, STEP_ALARM);
    put_metric(&world, 170.0);
    world.run_for(Duration::from_mins(4)).await;
    let instances = world.aws(|aws| aws.instances("chat", "AllTraffic").unwrap());
    assert_eq!(instances.1, 4, "70 above the threshold is the second step");
}

#[tokio::test(start_paused = true)]
async fn the_alarm_of_a_step_policy_is_kept_as_declared() {
    let world = World::new(ONE, &config(STEPS, ""));
    world.pass().await;
    let held = alarm(&world, "step-Queue").unwrap();
    let mut edited = serde_json::to_value(&held).unwrap();
    edited["Threshold"] = json!(500.0);
    let put: PutMetricAlarm = request(edited);
    world.aws(|aws| aws.put_metric_alarm(&put).unwrap());
    assert_eq!(world.pass().await.done, 1);
    assert!((alarm(&world, "step-Queue").unwrap().threshold - 100.0).abs() < 1e-9);

    let names = request(json!({ "AlarmNames": [STEP_ALARM] }));
    world.aws(|aws| aws.set_alarm_actions(&names, false).unwrap());
    assert_eq!(world.pass().await.done, 1);
    assert!(alarm(&world, "step-Queue").unwrap().actions_enabled);

    delete_alarm(&world, "step-Queue");
    assert_eq!(world.pass().await.done, 1);
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
    assert_eq!(
        world.events.count("alarm_missing"),
        2,
        "the first time, and after the deletion"
    );
}

/// A new registration gives its policies new ARNs, and the alarm still names the old one (pitfall 25).
#[tokio::test(start_paused = true)]
async fn after_a_new_registration_the_alarm_drives_the_new_policy() {
    let world = World::new(ONE, &config(STEPS, ""));
    world.pass().await;
    let before = alarm(&world, "step-Queue").unwrap().alarm_actions;
    let gone = request(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"), "ScalableDimension": INSTANCES,
    }));
    world.aws(|aws| aws.deregister_scalable_target(&gone).unwrap());
    assert_eq!(world.pass().await.done, 3);
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
    let after = alarm(&world, "step-Queue").unwrap().alarm_actions;
    assert_eq!(after.len(), 1);
    assert_ne!(before, after);
    put_metric(&world, 120.0);
    world.run_for(Duration::from_mins(4)).await;
    assert_eq!(
        world
            .aws(|aws| aws.instances("chat", "AllTraffic").unwrap())
            .1,
        2
    );
}

#[tokio::test(start_paused = true)]
async fn what_evenkeel_named_goes_with_its_declaration_and_takes_its_alarm_along() {
    let both = format!("{TRACKING}, {STEPS}");
    let world = World::new(ONE, &config(&both, ""));
    world.pass().await;
    assert_eq!((world.policies("chat").len(), alarms(&world).len()), (2, 3));
    world.reload(&config(TRACKING, ""));
    assert_eq!(world.pass().await.done, 2);
    assert_eq!((world.policies("chat").len(), alarms(&world).len()), (1, 2));
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
}

#[tokio::test(start_paused = true)]
async fn an_orphaned_alarm_of_ours_is_removed_and_one_of_others_is_not() {
    let two = format!(
        "{ONE}{}",
        ONE.replace("endpoints:\n", "").replace("chat", "other")
    );
    let world = World::new(&two, &config(TRACKING, ""));
    world.pass().await;
    // Another target that is registered by someone else, and one that nobody has any more.
    let other = "endpoint/other/variant/AllTraffic";
    for name in [
        STEP_ALARM,
        "someone/endpoint/chat/variant/AllTraffic/x",
        "evenkeel/endpoint/gone/variant/v/x",
        &format!("evenkeel/{other}/x"),
    ] {
        let put: PutMetricAlarm = request(json!({
            "AlarmName": name, "Namespace": "App", "MetricName": "Queue", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        }));
        world.aws(|aws| aws.put_metric_alarm(&put).unwrap());
    }
    world.register("other", 1, 2);
    assert_eq!(world.pass().await.done, 2);
    assert!(alarm(&world, STEP_ALARM).is_none());
    assert!(alarm(&world, "gone").is_none());
    assert_eq!(alarms(&world).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn pruning_follows_the_config() {
    for (prune, left) in [("never", 3), ("owned", 2), ("all", 1)] {
        let tracking_by = |name: &str, metric: &str| {
            format!(
                "{{ name: {name}, target_tracking: {{ metric: {{ namespace: App, name: {metric}, statistic: Sum }}, \
                 target: 1 }} }}"
            )
        };
        let all = [
            TRACKING.to_owned(),
            tracking_by("evenkeel-a", "A"),
            tracking_by("by-hand", "B"),
        ];
        let world = World::new(ONE, &config(&all.join(", "), ""));
        world.pass().await;
        assert_eq!(world.policies("chat").len(), 3);
        let pruned = format!("manage: {{ prune: {prune} }}\n{}", config(TRACKING, ""));
        world.reload(&pruned);
        world.pass().await;
        assert_eq!(world.policies("chat").len(), left, "prune: {prune}");
        assert_eq!(notes(&world).len(), left - 1, "what stays is mentioned");
    }
}

/// The rival of the new policy is ours, so it makes way.
#[tokio::test(start_paused = true)]
async fn a_renamed_policy_takes_the_metric_over() {
    let world = World::new(ONE, &config(TRACKING, ""));
    world.pass().await;
    let renamed = TRACKING.replace("{ target_tracking", "{ name: mine, target_tracking");
    world.reload(&config(&renamed, ""));
    let pass = world.pass().await;
    assert_eq!(
        (pass.done, pass.failed),
        (2, 0),
        "{:?}",
        world.events.lines()
    );
    let names: Vec<String> = world
        .policies("chat")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["mine"]);
}

#[tokio::test(start_paused = true)]
async fn an_unread_list_of_alarms_removes_and_mends_nothing() {
    let world = World::new(THREE, &config(STEPS, ""));
    world.pass().await;
    world
        .faults
        .fail("DescribeAlarms", evenkeel::ports::ErrorKind::Throttled);
    let pass = world.pass().await;
    assert_eq!((pass.outcome, pass.done), (PassOutcome::Partial, 0));
    let snapshot = world.snapshot();
    let target = snapshot.scopes[&scope()].targets.values().next().unwrap();
    assert_eq!(target.verdict, Verdict::Held);
}

/// Twice as much queue as instances: the math divides one metric by another.
#[tokio::test(start_paused = true)]
async fn metric_math_is_put_read_back_watched_and_scales() {
    let math = "{ target_tracking: { target: 10, metric: { expression: 'FILL(queue, 0) / workers', metrics: { \
                queue: { namespace: App, name: Queue, statistic: Maximum }, \
                workers: { namespace: App, name: Workers, statistic: Average } } } } }";
    let world = World::new(ONE, &config(math, ""));
    let first = world.pass().await;
    assert_eq!(
        (first.done, first.failed),
        (2, 0),
        "{:?}",
        world.events.lines()
    );
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
    for _ in 0..8 {
        put_metric(&world, 40.0);
        let data = json!([{ "MetricName": "Workers", "Value": 2.0 }]);
        let put = request(json!({ "Namespace": "App", "MetricData": data }));
        world.aws(|aws| aws.put_metric_data(&put).unwrap());
        world.run_for(Duration::from_mins(1)).await;
    }
    let snapshot = world.snapshot();
    let values: Vec<f64> = snapshot.scopes[&scope()]
        .watch
        .values
        .values()
        .map(|p| p.value)
        .collect();
    assert_eq!(values, [20.0]);
    assert_eq!(
        world
            .aws(|aws| aws.instances("chat", "AllTraffic").unwrap())
            .1,
        2,
        "twice the target"
    );
}

/// Someone else's automation sets the bounds back every minute. After five corrections evenkeel gives way for a while.
#[tokio::test(start_paused = true)]
async fn a_second_owner_is_noticed_and_not_fought_for_ever() {
    let world = World::new(ONE, &config(TRACKING, ""));
    let mut reconciler = world.reconciler();
    let stop = CancellationToken::new();
    for _ in 0..50 {
        world.register("chat", 2, 5);
        reconciler.pass(PassReason::Interval, &stop).await;
        world.clock.sleep(Duration::from_mins(1)).await;
    }
    let done = world
        .events
        .count("done: endpoint/chat/variant/AllTraffic: register_target");
    assert_eq!(
        done,
        6,
        "once at first, and five corrections: {:?}",
        world.events.lines()
    );
    assert_eq!(
        world
            .events
            .count("conflict: endpoint/chat/variant/AllTraffic: 5 corrections"),
        1
    );
    assert_eq!(
        world.bounds("chat"),
        Some((2, 5)),
        "the other one has its way for now"
    );
    let target = world.snapshot().scopes[&scope()]
        .targets
        .values()
        .next()
        .unwrap()
        .clone();
    assert!(target.conflict.is_some());
    // The other one gives up, and the hour goes by.
    for _ in 0..20 {
        world.clock.sleep(Duration::from_mins(1)).await;
        reconciler.pass(PassReason::Interval, &stop).await;
    }
    assert_eq!(world.bounds("chat"), Some((1, 8)));
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_nobody_scales_are_reported() {
    let world = World::new(THREE, &config(TRACKING, ""));
    world.register("rank", 1, 2);
    world.pass().await;
    let unscaled = |world: &World| -> Vec<String> {
        let snapshot = world.snapshot();
        let names = snapshot.scopes[&scope()].unscaled.iter();
        names.map(ToString::to_string).collect()
    };
    assert_eq!(unscaled(&world), ["embed"]);
    world
        .faults
        .fail("ListEndpoints", evenkeel::ports::ErrorKind::Throttled);
    world.pass().await;
    assert_eq!(unscaled(&world), ["embed"], "unread is not empty");
}

/// An alarm that pages someone is not turned into one of ours; another alarm on our policy is mentioned.
#[tokio::test(start_paused = true)]
async fn an_alarm_that_does_something_else_is_not_taken() {
    let named = STEPS.replace("alarm: { ", "alarm: { name: pager, ");
    let world = World::new(ONE, &config(&named, ""));
    let pager = json!({
        "AlarmName": "pager", "Namespace": "App", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 9.0, "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:pager"],
    });
    let put: PutMetricAlarm = request(pager);
    world.aws(|aws| aws.put_metric_alarm(&put).unwrap());
    assert_eq!(world.pass().await.done, 2);
    assert_eq!(
        alarm(&world, "pager").unwrap().metric_name.as_deref(),
        Some("Errors")
    );
    world.pass().await;
    assert!(
        notes(&world)[0].contains("sns:us-east-1:123456789012:pager"),
        "{:?}",
        notes(&world)
    );

    let world = World::new(ONE, &config(STEPS, ""));
    world.pass().await;
    let ours = serde_json::to_value(alarm(&world, "step-Queue").unwrap()).unwrap();
    let mut second = ours.clone();
    second["AlarmName"] = json!("second");
    let put: PutMetricAlarm = request(second);
    world.aws(|aws| aws.put_metric_alarm(&put).unwrap());
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
    assert!(
        notes(&world)[0].contains("alarm `second` triggers policy"),
        "{:?}",
        notes(&world)
    );
}

/// Each flip moves capacity, so the endpoint is busy before it can be mended.
#[tokio::test(start_paused = true)]
async fn a_second_owner_is_noticed_although_the_endpoint_is_busy_in_between() {
    let world = World::new(ONE, &config(TRACKING, ""));
    let mut reconciler = world.reconciler();
    let stop = CancellationToken::new();
    for minute in 0..70 {
        if minute % 10 == 9 {
            world.register("chat", if minute % 20 == 9 { 3 } else { 2 }, 9);
        }
        reconciler.pass(PassReason::Interval, &stop).await;
        world.clock.sleep(Duration::from_mins(1)).await;
    }
    assert!(
        world.events.count("endpoint_busy") >= 3,
        "{:?}",
        world.events.lines()
    );
    assert_eq!(
        world
            .events
            .count("conflict: endpoint/chat/variant/AllTraffic"),
        1
    );
}

/// Math is read by itself, and when that is refused the values of everything else are read all the same.
#[tokio::test(start_paused = true)]
async fn metric_math_that_fails_takes_no_other_value_along() {
    let math = "{ target_tracking: { target: 10, metric: { expression: 'queue / 2', metrics: { \
                queue: { namespace: App, name: Queue, statistic: Maximum } } } } }";
    let world = World::new(ONE, &config(&format!("{TRACKING}, {math}"), ""));
    world
        .faults
        .fail("math", evenkeel::ports::ErrorKind::Invalid);
    world.run_for(Duration::from_mins(15)).await;
    let snapshot = world.snapshot();
    let watch = &snapshot.scopes[&scope()].watch;
    let names: Vec<String> = watch
        .values
        .keys()
        .map(|(_, name)| name.to_string())
        .collect();
    assert_eq!(names, ["evenkeel-invocations_per_instance"]);
    assert!(watch.problems[0].contains("math"), "{:?}", watch.problems);
}

/// A put replaces all of an alarm, and whoever is paged by it should go on being paged.
#[tokio::test(start_paused = true)]
async fn what_else_an_alarm_does_survives_its_mending() {
    let steps = STEPS.replace("alarm: {", "alarm: { name: theirs,");
    let world = World::new(ONE, &config(&steps, ""));
    let sns = "arn:aws:sns:us-east-1:123456789012:calm";
    world.pass().await;
    let mut held = serde_json::to_value(alarm(&world, "theirs").unwrap()).unwrap();
    let fields = held.as_object_mut().unwrap();
    fields.insert("OKActions".to_owned(), json!([sns]));
    fields.insert("InsufficientDataActions".to_owned(), json!([sns]));
    fields.insert("AlarmDescription".to_owned(), json!("page the team"));
    fields.insert("Threshold".to_owned(), json!(999.0));
    let put: PutMetricAlarm = request(held);
    world.aws(|aws| aws.put_metric_alarm(&put).unwrap());
    assert_eq!(world.pass().await.done, 1);
    let mended = alarm(&world, "theirs").unwrap();
    assert!((mended.threshold - 100.0).abs() < 1e-9);
    assert_eq!(
        (mended.ok_actions, mended.insufficient_data_actions),
        (vec![sns.to_owned()], vec![sns.to_owned()])
    );
    assert_eq!(mended.alarm_description.as_deref(), Some("page the team"));
}
