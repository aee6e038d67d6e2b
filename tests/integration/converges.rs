//! From a config to an AWS that agrees, and stays so.

use std::time::Duration;

use evenkeel::domain::Verdict;
use evenkeel::domain::{PassOutcome, TargetId};

use crate::world::{THREE, THREE_CONFIG, World, request, scope};
use serde_json::json;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn one_pass_registers_everything_and_the_next_writes_nothing() {
    let world = World::new(THREE, THREE_CONFIG);
    let first = world.pass().await;
    assert_eq!((first.outcome, first.done), (PassOutcome::Changed, 6));
    assert_eq!(world.bounds("rank"), Some((1, 4)));
    assert_eq!(
        world.policies("chat"),
        [("evenkeel-invocations_per_instance".to_owned(), 300.0)]
    );
    world.requests.take();
    let second = world.pass().await;
    assert_eq!((second.outcome, second.done), (PassOutcome::Converged, 0));
    let requests = world.requests.take();
    let calls: Vec<_> = requests.iter().map(|(op, n)| (op.as_str(), *n)).collect();
    assert_eq!(
        calls,
        [
            ("DescribeAlarms", 2),
            ("DescribeEndpoint", 3),
            ("DescribeEndpointConfig", 3),
            ("DescribeScalableTargets", 1),
            ("DescribeScalingPolicies", 1),
            ("DescribeScheduledActions", 1),
            ("ListEndpoints", 1)
        ]
    );
}

/// DescribeEndpoint is one call per endpoint, so it is made only for endpoints that changed.
#[tokio::test(start_paused = true)]
async fn a_quiet_fleet_costs_its_list_pages_only() {
    let quiet = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }]
";
    let config = "targets: [{ endpoint: chat, variant: AllTraffic, bounds: { min: 1, max: 4 } }]";
    let world = World::new(quiet, config);
    let mut reconciler = world.reconciler();
    let stop = tokio_util::sync::CancellationToken::new();
    for _ in 0..9 {
        reconciler
            .pass(evenkeel::domain::PassReason::Interval, &stop)
            .await;
    }
    let requests = world.requests.take();
    assert_eq!(requests["ListEndpoints"], 9);
    assert_eq!(requests["DescribeEndpoint"], 1);
    assert_eq!(requests["RegisterScalableTarget"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_day_of_traffic_scales_out_and_in_within_bounds() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(24 * HOUR).await;
    let ups = world.events.count("scaling: endpoint/chat");
    assert!(ups > 10, "chat follows its daily rhythm: {ups}");
    assert_eq!(world.events.count("failed:"), 0);
    assert_eq!(
        world.events.count("drift:"),
        6,
        "only the first pass found anything to do"
    );
    let snapshot = world.snapshot();
    let scope = &snapshot.scopes[&scope()];
    assert!(scope.observed_once && scope.watch.problems.is_empty());
    let chat: TargetId = "endpoint/chat/variant/AllTraffic".parse().unwrap();
    assert!(scope.watch.activities.contains_key(&chat));
    assert_eq!(scope.watch.values.len(), 3);
    assert_eq!(scope.watch.alarms.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn two_runs_of_a_day_with_one_seed_are_the_same_and_another_seed_differs() {
    async fn day(seed: u64) -> Vec<String> {
        let world = World::seeded(seed, THREE, THREE_CONFIG);
        world.run_for(24 * HOUR).await;
        world.timeline()
    }
    let first = day(7).await;
    assert!(first.len() > 50);
    assert_eq!(first, day(7).await);
    assert_ne!(first, day(8).await);
}

/// What someone else removes or changes is back within one interval, and told with its reason.
#[tokio::test(start_paused = true)]
async fn drift_is_mended_within_one_interval_and_told_once() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(3)).await;
    assert_eq!(world.events.count("drift:"), 6);
    world.delete_policy("embed", "evenkeel-invocations_per_instance");
    world.register("rank", 1, 9);
    world.run_for(Duration::from_secs(70)).await;
    assert_eq!(world.policies("embed").len(), 1);
    assert_eq!(world.bounds("rank"), Some((1, 4)));
    // Each run is a fresh process, which does not know that it was as declared a moment before.
    assert_eq!(
        world
            .events
            .count("drift: endpoint/embed/variant/AllTraffic: policy_missing"),
        2
    );
    assert_eq!(
        world
            .events
            .count("drift: endpoint/rank/variant/AllTraffic: bounds"),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_saw_the_target_converged_says_that_someone_changed_it() {
    let world = World::new(THREE, THREE_CONFIG);
    let mut reconciler = world.reconciler();
    let stop = tokio_util::sync::CancellationToken::new();
    for _ in 0..2 {
        reconciler
            .pass(evenkeel::domain::PassReason::Interval, &stop)
            .await;
    }
    world.delete_policy("embed", "evenkeel-invocations_per_instance");
    reconciler
        .pass(evenkeel::domain::PassReason::Interval, &stop)
        .await;
    assert_eq!(world.events.count("policy_missing was_converged=true"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_does_not_exist_is_waited_for_and_picked_up() {
    let config = "
targets:
  - endpoint: late
    variant: AllTraffic
    bounds: { min: 1, max: 3 }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 100 } }]
";
    let world = World::new("", config);
    world.run_for(Duration::from_mins(10)).await;
    assert_eq!(
        world
            .events
            .count("settled: endpoint/late/variant/AllTraffic: endpoint_missing"),
        1
    );
    world.aws(|aws| {
        let config = request(json!({"EndpointConfigName": "c", "ProductionVariants": [{
            "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1}]}));
        aws.create_endpoint_config(&config).unwrap();
        aws.create_endpoint(&request(
            json!({"EndpointName": "late", "EndpointConfigName": "c"}),
        ))
        .unwrap();
    });
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(
        world
            .events
            .count("settled: endpoint/late/variant/AllTraffic: endpoint_busy"),
        1
    );
    assert_eq!(
        world.bounds("late"),
        None,
        "an endpoint that is being created is left alone"
    );
    world.run_for(Duration::from_mins(10)).await;
    assert_eq!(world.bounds("late"), Some((1, 3)));
    assert_eq!(world.policies("late").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn observe_mode_writes_nothing_and_says_what_it_would() {
    let config = format!("daemon: {{ mode: observe }}\n{THREE_CONFIG}");
    let world = World::new(THREE, &config);
    world.run_for(HOUR).await;
    assert_eq!(
        world
            .faults
            .writes
            .load(std::sync::atomic::Ordering::SeqCst),
        0
    );
    assert_eq!(world.events.count("drift:"), 6);
    assert!(world.events.count("pass: observed") > 50);
}

#[tokio::test(start_paused = true)]
async fn a_reloaded_config_is_what_the_next_pass_goes_by() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(2)).await;
    world.reload(&THREE_CONFIG.replace("target: 300", "target: 250"));
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(world.policies("chat")[0].1.to_string(), "250");
}

/// The watcher sees that a scaling activity has ended, and wakes whoever waits for the endpoint.
#[tokio::test(start_paused = true)]
async fn a_policy_deleted_while_the_endpoint_updates_is_mended_when_it_is_in_service_again() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(2)).await;
    world.register("embed", 2, 10);
    world.delete_policy("embed", "evenkeel-invocations_per_instance");
    world.run_for(Duration::from_mins(3)).await;
    assert!(
        world.policies("embed").is_empty(),
        "an endpoint that updates is left alone"
    );
    assert!(
        world
            .events
            .count("settled: endpoint/embed/variant/AllTraffic: endpoint_busy")
            >= 1
    );
    let snapshot = world.snapshot();
    let id = "endpoint/embed/variant/AllTraffic".parse().unwrap();
    let Verdict::Waiting(wait) = &snapshot.scopes[&scope()].targets[&id].verdict else {
        panic!("it waits");
    };
    let text = evenkeel::view::wait_text(wait);
    assert!(text.contains("is Updating since 06:02 UTC"), "{text}");
    world.run_for(Duration::from_mins(8)).await;
    assert_eq!(world.policies("embed").len(), 1);
    assert_eq!(world.bounds("embed"), Some((1, 10)));
}
