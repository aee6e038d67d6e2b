//! Targets declared by a description: picked up, let go, and never lost to a partial look.

use std::time::Duration;

use evenkeel::domain::*;
use evenkeel::ports::ErrorKind;
use evenkeel::sim::engine::World as Engine;
use evenkeel::sim::wire::{Service, call};
use serde_json::{Value, json};

use crate::world::{World, request, scope};

const WORLD: &str = "
endpoints:
  - name: llm-chat
    tags: { autoscale: 'yes', team: red }
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }]
  - name: llm-rank
    tags: { autoscale: 'no' }
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }]
  - name: vision
    tags: { autoscale: 'yes' }
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }]
  - name: llm-batch
    async: true
    tags: { autoscale: 'yes' }
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }]
";

const POLICIES: &str = "[{ target_tracking: { metric: invocations_per_instance, target: 300 } }]";

fn selecting(selector: &str, more: &str) -> String {
    format!(
        "{more}\ntargets:\n  - select: {selector}\n    bounds: {{ min: 1, max: 5 }}\n    policies: {POLICIES}\n"
    )
}

fn registered(world: &World) -> Vec<String> {
    let query = request(json!({ "ServiceNamespace": "sagemaker" }));
    let all = world.aws(|aws| {
        aws.describe_scalable_targets(&query)
            .unwrap()
            .scalable_targets
    });
    let endpoint = |id: String| id.split('/').nth(1).unwrap().to_owned();
    all.into_iter().map(|t| endpoint(t.resource_id)).collect()
}

fn sagemaker(world: &World, operation: &str, body: Value) {
    world
        .aws(|aws: &mut Engine| call(aws, Service::SageMaker, operation, body))
        .unwrap();
}

fn create(world: &World, name: &str, instance_type: &str) {
    let config = format!("{name}-{instance_type}").replace('.', "-");
    let made = json!({ "EndpointConfigName": config, "ProductionVariants": [{
        "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": instance_type,
        "InitialInstanceCount": 1 }] });
    sagemaker(world, "CreateEndpointConfig", made);
    sagemaker(
        world,
        "CreateEndpoint",
        json!({ "EndpointName": name, "EndpointConfigName": config }),
    );
}

#[tokio::test(start_paused = true)]
async fn name_tags_and_kind_must_all_fit() {
    for (selector, expected) in [
        (
            "{ endpoint: 'llm-*' }",
            vec!["llm-batch", "llm-chat", "llm-rank"],
        ),
        (
            "{ endpoint: '*', tags: { autoscale: 'yes' } }",
            vec!["llm-batch", "llm-chat", "vision"],
        ),
        (
            "{ endpoint: 'llm-*', tags: { autoscale: 'yes' }, kind: real_time }",
            vec!["llm-chat"],
        ),
        ("{ endpoint: 'llm-*', kind: async }", vec!["llm-batch"]),
        ("{ endpoint: '*', tags: { team: 'r?d' } }", vec!["llm-chat"]),
        ("{ endpoint: '*', variant: Other }", vec![]),
    ] {
        let world = World::new(WORLD, &selecting(selector, ""));
        world.pass().await;
        assert_eq!(registered(&world), expected, "{selector}");
        assert_eq!(
            world.pass().await.outcome,
            PassOutcome::Converged,
            "{selector}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_target_is_not_selected_and_the_first_selection_wins() {
    let config = format!(
        "targets:\n  - select: {{ endpoint: 'llm-c*' }}\n    bounds: {{ min: 2, max: 3 }}\n  \
         - select: {{ endpoint: '*' }}\n    \
         bounds: {{ min: 1, max: 5 }}\n  - {{ endpoint: vision, variant: AllTraffic, bounds: {{ min: 4, max: 4 }}, \
         policies: {POLICIES} }}\n"
    );
    let world = World::new(WORLD, &config);
    world.pass().await;
    assert_eq!(world.bounds("llm-chat"), Some((2, 3)));
    assert_eq!(world.bounds("llm-rank"), Some((1, 5)));
    assert_eq!(world.bounds("vision"), Some((4, 4)));
}

#[tokio::test(start_paused = true)]
async fn new_endpoints_are_picked_up_gone_ones_let_go_and_recreated_ones_registered_anew() {
    let world = World::new(WORLD, &selecting("{ endpoint: 'llm-*' }", ""));
    world.run_for(Duration::from_mins(3)).await;
    create(&world, "llm-new", "ml.m5.large");
    world.run_for(Duration::from_mins(2)).await;
    assert!(
        !registered(&world).contains(&"llm-new".to_owned()),
        "it does not serve yet"
    );
    world.run_for(Duration::from_mins(12)).await;
    assert!(registered(&world).contains(&"llm-new".to_owned()));
    sagemaker(
        &world,
        "DeleteEndpoint",
        json!({ "EndpointName": "llm-new" }),
    );
    world.run_for(Duration::from_mins(10)).await;
    let snapshot = world.snapshot();
    let targets = &snapshot.scopes[&scope()].targets;
    assert_eq!(
        targets.len(),
        3,
        "a deleted endpoint is nobody's target: {:?}",
        targets.keys()
    );
    create(&world, "llm-new", "ml.m5.xlarge");
    world.run_for(Duration::from_mins(15)).await;
    assert_eq!(world.bounds("llm-new"), Some((1, 5)));
    assert_eq!(world.policies("llm-new").len(), 1);
}

/// What can not be seen for a moment is not let go: its series, its watching and its plan stay.
#[tokio::test(start_paused = true)]
async fn a_partial_look_lets_nothing_go() {
    let selector = "{ endpoint: '*', tags: { autoscale: 'yes' } }";
    let config = selecting(selector, "manage: { on_removal: deregister }");
    for (operation, cut) in [
        ("ListEndpoints", true),
        ("ListEndpoints", false),
        ("ListTags", false),
        ("DescribeEndpoint", false),
    ] {
        let world = World::new(WORLD, &config);
        let mut reconciler = world.reconciler();
        let stop = tokio_util::sync::CancellationToken::new();
        reconciler.pass(PassReason::Start, &stop).await;
        assert_eq!(registered(&world).len(), 3);
        if cut {
            world.faults.cut(operation, 1);
        } else {
            world.faults.fail(operation, ErrorKind::Throttled);
        }
        // Long enough for everything remembered to be asked for again.
        for _ in 0..70 {
            world.clock.sleep(Duration::from_mins(1)).await;
            reconciler.pass(PassReason::Interval, &stop).await;
        }
        let snapshot = world.snapshot();
        assert_eq!(snapshot.scopes[&scope()].targets.len(), 3, "{operation}");
        assert_eq!(registered(&world).len(), 3, "{operation}");
        world.faults.heal();
        let healed = reconciler.pass(PassReason::Interval, &stop).await;
        assert_eq!(healed.outcome, PassOutcome::Converged, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_meant_goes_only_if_it_is_ours_and_the_config_says_so() {
    for (on_removal, stays) in [
        ("retain", vec!["llm-chat", "llm-rank", "vision"]),
        ("deregister", vec!["llm-rank", "vision"]),
    ] {
        let more = format!("manage: {{ on_removal: {on_removal} }}");
        let world = World::new(WORLD, &selecting("{ endpoint: 'llm-*' }", &more));
        // Someone else's, and never ours, although it was adopted for a while.
        world.register("vision", 1, 3);
        world.reload(&selecting("{ endpoint: '*', kind: real_time }", &more));
        let mut reconciler = world.reconciler();
        let stop = tokio_util::sync::CancellationToken::new();
        reconciler.pass(PassReason::Start, &stop).await;
        assert_eq!(registered(&world).len(), 3);
        world.reload(&selecting("{ endpoint: 'llm-rank' }", &more));
        reconciler.pass(PassReason::Reload, &stop).await;
        assert_eq!(registered(&world), stays, "{on_removal}");
        assert_eq!(reconciler.pass(PassReason::Interval, &stop).await.done, 0);
    }
}

/// Most of a fleet does not go at once because a pattern has a typing error in it.
#[tokio::test(start_paused = true)]
async fn a_selection_that_means_nothing_any_more_does_not_clear_the_fleet() {
    let endpoint = |n: u32| {
        format!(
            "  - {{ name: e{n}, variants: [{{ name: AllTraffic, instance_type: ml.m5.large, instances: 1 }}] }}\n"
        )
    };
    let endpoints: Vec<String> = (0..12).map(endpoint).collect();
    let endpoints = endpoints.concat();
    let more = "manage: { on_removal: deregister }";
    let world = World::new(
        &format!("endpoints:\n{endpoints}"),
        &selecting("{ endpoint: 'e*' }", more),
    );
    world.pass().await;
    world.reload(&selecting("{ endpoint: 'E*' }", more));
    assert_eq!(world.pass().await.outcome, PassOutcome::Refused);
    assert_eq!(registered(&world).len(), 12);
}
