//! The traps of aws-autoscaling.md section 9: the fault goes in, and the right finding or mending comes out.
//!
//! Here are those that need a world that goes wrong. The others have their tests where their code is:
//!
//! | rows | where |
//! |---|---|
//! | 3, 4, 25, 30, 31, 42 | `drift`, `converges`, and the round trips with boto3 in tests/clients |
//! | 6 to 9, 18, 19, 33, 36 | the lint of the config, `src/domain/lint` |
//! | 21 | `kinds` |
//! | 23 | tests/clients/test_kinds.py |
//! | 32, 34, 35, 38 | `src/config/tests.rs`, `aws_errors`, `src/aws/pace.rs`, `drift` |
//! | 1, 26 to 29 | schedules, which this version does not manage |

use std::time::Duration;

use evenkeel::domain::*;
use evenkeel::sim::engine::Span;
use evenkeel::sim::wire::Service;
use serde_json::{Value, json};

use crate::world::{World, request, resource, scope};

const WORLD: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }]
    traffic: { steady: 600 }
    exact: true
";

fn config(policies: &str, bounds: &str) -> String {
    format!(
        "targets:\n  - {{ endpoint: chat, variant: AllTraffic, bounds: {bounds}, policies: [{policies}] }}\n"
    )
}

const TRACKING: &str = "{ target_tracking: { metric: invocations_per_instance, target: 300, scale_out_cooldown: 1m } }";

fn chat() -> TargetId {
    resource("chat").parse().unwrap()
}

fn snapshot(world: &World) -> TargetSnapshot {
    world.snapshot().scopes[&scope()].targets[&chat()].clone()
}

fn rules(world: &World) -> Vec<Rule> {
    snapshot(world).findings.iter().map(|f| f.rule).collect()
}

fn found(world: &World, rule: Rule) -> Option<Finding> {
    snapshot(world)
        .findings
        .into_iter()
        .find(|f| f.rule == rule)
}

/// Row 2: what is deleted with an endpoint comes back with it, the alarm of a step policy connected to the new policy.
#[tokio::test(start_paused = true)]
async fn a_recreated_endpoint_gets_everything_again() {
    let step = "{ step: { steps: [{ from: 0, adjust: 1 }], alarm: { threshold: 100, \
                metric: { namespace: App, name: Queue, statistic: Maximum } } } }";
    let world = World::new(
        WORLD,
        &config(&format!("{TRACKING}, {step}"), "{ min: 1, max: 8 }"),
    );
    world.run_for(Duration::from_mins(5)).await;
    let alarm = || {
        let named = json!({ "AlarmNamePrefix": "evenkeel/" });
        let all = world.call(Service::CloudWatch, "DescribeAlarms", named);
        all["MetricAlarms"][0]["AlarmActions"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let before = alarm();
    world.call(
        Service::SageMaker,
        "DeleteEndpoint",
        json!({ "EndpointName": "chat" }),
    );
    world.run_for(Duration::from_mins(10)).await;
    assert_eq!(world.bounds("chat"), None);
    let again = json!({ "EndpointName": "chat", "EndpointConfigName": "chat-config" });
    world.call(Service::SageMaker, "CreateEndpoint", again);
    world.run_for(Duration::from_mins(15)).await;
    assert_eq!(world.bounds("chat"), Some((1, 8)));
    assert_eq!(world.policies("chat").len(), 2);
    assert_ne!(alarm(), before, "the policy has another ARN now");
    assert_eq!(snapshot(&world).verdict, Verdict::Converged);
}

/// Rows 5 and 10: a metric that is published nowhere.
#[tokio::test(start_paused = true)]
async fn a_silent_metric_is_found_after_half_an_hour_and_not_before() {
    let silent = "{ name: queue, target_tracking: { target: 5, \
                  metric: { namespace: App, name: Depth, statistic: Average } } }";
    let world = World::new(WORLD, &config(silent, "{ min: 1, max: 8 }"));
    world.run_for(Duration::from_mins(25)).await;
    assert_eq!(found(&world, Rule::SilentMetric), None);
    world.run_for(Duration::from_mins(10)).await;
    let finding = found(&world, Rule::SilentMetric).unwrap();
    assert_eq!(finding.policy.unwrap().as_str(), "queue");
}

/// Row 11: the load is gone, and one policy that never has data keeps the instances.
#[tokio::test(start_paused = true)]
async fn a_policy_that_vetoes_scale_in_is_named() {
    let silent = "{ name: queue, target_tracking: { target: 5, \
                  metric: { namespace: App, name: Depth, statistic: Average } } }";
    let world = World::new(
        WORLD,
        &config(&format!("{TRACKING}, {silent}"), "{ min: 1, max: 8 }"),
    );
    world.run_for(Duration::from_mins(5)).await;
    world.set_load("chat", 30.0);
    world.run_for(Duration::from_hours(2)).await;
    assert_eq!(
        snapshot(&world).running.unwrap().current,
        Capacity::new(2),
        "nothing scaled in"
    );
    let finding = found(&world, Rule::VetoingPolicy).unwrap();
    assert_eq!(finding.policy.unwrap().as_str(), "queue");
    assert!(finding.what.contains("no data"), "{}", finding.what);
    // Row 43: the low alarm alone, at the minimum, is no finding.
    let idle = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    idle.set_load("chat", 10.0);
    idle.run_for(Duration::from_hours(3)).await;
    assert_eq!(rules(&idle), []);
}

/// Row 14: nothing is written while the endpoint is busy, and how long it has been so is told.
#[tokio::test(start_paused = true)]
async fn a_stuck_endpoint_is_left_alone_and_told() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    world.run_for(Duration::from_mins(5)).await;
    world.aws(|engine| {
        engine
            .system_update("chat", Span::from_secs(3 * 3600))
            .unwrap();
    });
    world.delete_policy("chat", "evenkeel-invocations_per_instance");
    world.run_for(Duration::from_mins(50)).await;
    assert_eq!(snapshot(&world).verdict.label(), "endpoint_busy");
    assert_eq!(found(&world, Rule::Stuck), None);
    world.run_for(Duration::from_mins(20)).await;
    assert!(
        found(&world, Rule::Stuck)
            .unwrap()
            .what
            .contains("SystemUpdating")
    );
    assert!(world.policies("chat").is_empty());
    world.run_for(Duration::from_hours(2)).await;
    assert_eq!(
        world.policies("chat").len(),
        1,
        "mended as soon as it can be"
    );
    assert_eq!(rules(&world), []);
}

/// Rows 15 and 16: no hardware, and no quota. The only sign is a failed activity, and it is told with AWS's reason.
#[tokio::test(start_paused = true)]
async fn failures_to_get_instances_are_told() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    world.run_for(Duration::from_mins(5)).await;
    world.aws(|engine| engine.set_shortage("ml.m5.xlarge", true));
    world.set_load("chat", 1500.0);
    failure_within(&world, "InsufficientInstanceCapacity").await;
    world.aws(|engine| {
        engine.set_shortage("ml.m5.xlarge", false);
        engine.set_quota("ml.m5.xlarge", Some(3));
    });
    let failed = failure_within(&world, "ml.m5.xlarge for endpoint usage").await;
    assert!(failed.contains("request delta of"), "{failed}");
    assert_eq!(
        snapshot(&world).running.unwrap().current,
        Capacity::new(2),
        "refused whole"
    );
    world.aws(|engine| engine.set_quota("ml.m5.xlarge", None));
    world.run_for(Duration::from_mins(40)).await;
    let capacity = snapshot(&world).running.unwrap().current.unwrap().get();
    assert!(capacity >= 5, "{capacity}");
}

/// The first failed activity that the status shows within 40 minutes and that says this.
async fn failure_within(world: &World, part: &str) -> String {
    for _ in 0..40 {
        world.run_for(Duration::from_mins(1)).await;
        let snapshot = world.snapshot();
        let last = snapshot.scopes[&scope()].watch.activities.get(&chat());
        let line = last.map(evenkeel::view::activity_line).unwrap_or_default();
        if line.contains("failed") && line.contains(part) {
            return line;
        }
    }
    panic!("nothing failed with {part}: {:#?}", world.timeline())
}

/// Row 17.
#[tokio::test(start_paused = true)]
async fn a_maximum_that_is_too_low_is_found_only_while_more_is_wanted() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 3 }"));
    world.run_for(Duration::from_mins(5)).await;
    world.set_load("chat", 1500.0);
    world.run_for(Duration::from_mins(30)).await;
    assert!(
        found(&world, Rule::MaxTooLow)
            .unwrap()
            .what
            .contains("maximum, 3")
    );
    world.set_load("chat", 880.0);
    world.run_for(Duration::from_mins(15)).await;
    assert_eq!(snapshot(&world).running.unwrap().current, Capacity::new(3));
    assert_eq!(
        found(&world, Rule::MaxTooLow),
        None,
        "at the maximum, and content"
    );
}

/// Row 20.
#[tokio::test(start_paused = true)]
async fn invocations_of_an_asynchronous_endpoint_are_objected_to() {
    let world = World::new(
        &WORLD.replace("name: chat\n", "name: chat\n    async: true\n"),
        &config(TRACKING, "{ min: 1, max: 8 }"),
    );
    world.pass().await;
    assert_eq!(rules(&world), [Rule::AsyncInvocations]);
}

fn endpoint_config(world: &World, name: &str, count: u32, more: &Value) {
    let mut config = json!({ "EndpointConfigName": name, "ProductionVariants": [{
        "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": count, "InitialVariantWeight": 1.0 }] });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world.call(Service::SageMaker, "CreateEndpointConfig", config);
}

/// Row 22: a deployment that forgot `RetainAllVariantProperties`.
#[tokio::test(start_paused = true)]
async fn a_deployment_that_takes_capacity_away_is_told_once() {
    // The load that five instances are right for.
    let full = 5;
    let aws_world = WORLD.replace("instances: 2", "instances: 5");
    let world = World::new(
        &aws_world.replace("600", "1500"),
        &config(TRACKING, "{ min: 1, max: 8 }"),
    );
    let line = format!("capacity reset: endpoint/chat/variant/AllTraffic: {full} to 1");
    for (name, retain, told) in [("v2", true, 0), ("v3", false, 1)] {
        endpoint_config(&world, name, 1, &json!({}));
        let update = json!({
            "EndpointName": "chat", "EndpointConfigName": name, "RetainAllVariantProperties": retain,
        });
        // One process sees both sides of the update.
        let during = world.run_for(Duration::from_mins(30));
        let update = async {
            world.clock.sleep(Duration::from_mins(3)).await;
            world.call(Service::SageMaker, "UpdateEndpoint", update);
        };
        tokio::join!(during, update);
        assert_eq!(world.events.count(&line), told, "{name}");
    }
    world.run_for(Duration::from_mins(30)).await;
    let again = snapshot(&world).running.unwrap().current.unwrap().get();
    assert!(again > 1, "AWS scales out again");
}

/// Rows 37 and 39: capacity set by hand, and weights moved.
#[tokio::test(start_paused = true)]
async fn capacity_outside_the_bounds_is_found_and_left_alone() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 3 }"));
    world.run_for(Duration::from_mins(5)).await;
    let writes = world
        .faults
        .writes
        .load(std::sync::atomic::Ordering::SeqCst);
    let by_hand = json!({ "EndpointName": "chat", "DesiredWeightsAndCapacities": [
        { "VariantName": "AllTraffic", "DesiredInstanceCount": 5 }] });
    world.call(
        Service::SageMaker,
        "UpdateEndpointWeightsAndCapacities",
        by_hand,
    );
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(snapshot(&world).verdict.label(), "endpoint_busy");
    world.run_for(Duration::from_mins(8)).await;
    assert!(
        found(&world, Rule::OutsideBounds)
            .unwrap()
            .what
            .contains("5 are running")
    );
    assert_eq!(
        writes,
        world
            .faults
            .writes
            .load(std::sync::atomic::Ordering::SeqCst)
    );
}

/// Row 40.
#[tokio::test(start_paused = true)]
async fn metrics_that_are_published_too_rarely_are_found() {
    let cpu = "{ name: cpu, target_tracking: { target: 200, \
               metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: Average } } }";
    let world = World::new(WORLD, &config(cpu, "{ min: 2, max: 2 }"));
    world.run_for(Duration::from_mins(5)).await;
    assert_eq!(found(&world, Rule::SlowMetrics), None);
    let rarely = json!({ "MetricsConfig": { "MetricPublishFrequencyInSeconds": 300 } });
    endpoint_config(&world, "rare", 2, &rarely);
    let update = json!({ "EndpointName": "chat", "EndpointConfigName": "rare", "RetainAllVariantProperties": true });
    world.call(Service::SageMaker, "UpdateEndpoint", update);
    world.run_for(Duration::from_mins(15)).await;
    let finding = found(&world, Rule::SlowMetrics).unwrap();
    assert!(finding.what.contains("every 300 s"), "{}", finding.what);
}

/// Row 41.
#[tokio::test(start_paused = true)]
async fn the_consoles_policy_beside_ours_is_found() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    world.run_for(Duration::from_mins(5)).await;
    let put = request(json!({
        "PolicyName": "SageMakerEndpointInvocationScalingPolicy", "PolicyType": "TargetTrackingScaling",
        "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"),
        "ScalableDimension": crate::world::INSTANCES,
        "TargetTrackingScalingPolicyConfiguration": { "TargetValue": 9.0, "CustomizedMetricSpecification": {
            "MetricName": "CPUUtilization", "Namespace": "/aws/sagemaker/Endpoints", "Statistic": "Average",
            "Dimensions": [
                { "Name": "EndpointName", "Value": "chat" }, { "Name": "VariantName", "Value": "AllTraffic" }] } },
    }));
    world.aws(|engine| engine.put_scaling_policy(&put).unwrap());
    world.run_for(Duration::from_mins(12)).await;
    assert!(rules(&world).contains(&Rule::ConsolePolicy));
}
