//! Every kind of target, declared and kept true; and what can not be one.

use std::time::Duration;

use evenkeel::domain::*;
use serde_json::json;

use crate::world::{World, request, scope};

const WORLD: &str = "
endpoints:
  - name: batch
    async: true
    variants: [{ name: AllTraffic, instance_type: ml.g5.xlarge, instances: 1, serves: 60, start_up: 5m }]
    traffic: { bursts: { base: 0, burst: 240, every: 6h, lasting: 40m } }
    exact: true
  - name: tiny
    variants: [{ name: AllTraffic, serverless: { max_concurrency: 20, provisioned: 2 }, latency: 500ms, start_up: 2m }]
    traffic: { steady: 600 }
    exact: true
  - name: llms
    variants:
      - name: AllTraffic
        instance_type: ml.g5.12xlarge
        hosts_components: { min_instances: 0, max_instances: 4 }
    components:
      - name: llm
        copies: 1
        copies_per_instance: 2
        serves: 120
        start_up: 3m
        traffic: { bursts: { base: 0, burst: 300, every: 8h, lasting: 1h } }
";

const CONFIG: &str = "
targets:
  - endpoint: batch
    variant: AllTraffic
    bounds: { min: 0, max: 4 }
    policies:
      - target_tracking:
          metric: { namespace: AWS/SageMaker, name: ApproximateBacklogSizePerInstance, statistic: Average }
          target: 5
          scale_in_cooldown: 300s
      - wake_from_zero: {}
  - endpoint: tiny
    variant: AllTraffic
    dimension: provisioned_concurrency
    bounds: { min: 1, max: 15 }
    policies: [{ target_tracking: { metric: provisioned_concurrency_utilization, target: 70% } }]
  - component: llm
    bounds: { min: 0, max: 6 }
    policies:
      - target_tracking: { metric: invocations_per_copy, target: 100/min }
      - wake_from_zero: {}
";

fn id(text: &str) -> TargetId {
    text.parse().unwrap()
}

fn registered(world: &World) -> Vec<(String, String, u32, u32)> {
    let query = request(json!({ "ServiceNamespace": "sagemaker" }));
    let all = world.aws(|aws| {
        aws.describe_scalable_targets(&query)
            .unwrap()
            .scalable_targets
    });
    let shape = |t: evenkeel::sim::engine::api::ScalableTargetShape| {
        let dimension = t.scalable_dimension.rsplit(':').next().unwrap().to_owned();
        (t.resource_id, dimension, t.min_capacity, t.max_capacity)
    };
    all.into_iter().map(shape).collect()
}

#[tokio::test(start_paused = true)]
async fn every_dimension_is_registered_and_stays_as_declared() {
    let world = World::new(WORLD, CONFIG);
    assert_eq!(world.pass().await.outcome, PassOutcome::Changed);
    let owned = |(id, dimension, min, max): (&str, &str, u32, u32)| {
        (id.to_owned(), dimension.to_owned(), min, max)
    };
    assert_eq!(
        registered(&world),
        [
            (
                "endpoint/batch/variant/AllTraffic",
                "DesiredInstanceCount",
                0,
                4
            ),
            (
                "endpoint/tiny/variant/AllTraffic",
                "DesiredProvisionedConcurrency",
                1,
                15
            ),
            ("inference-component/llm", "DesiredCopyCount", 0, 6),
        ]
        .map(owned)
    );
    world.requests.take();
    let second = world.pass().await;
    assert_eq!((second.outcome, second.done), (PassOutcome::Converged, 0));
}

/// A queue that fills while nothing runs wakes the endpoint, and an idle one goes to sleep: nobody writes meanwhile.
#[tokio::test(start_paused = true)]
async fn an_asynchronous_endpoint_and_a_component_sleep_and_wake() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    let writes = world
        .faults
        .writes
        .load(std::sync::atomic::Ordering::SeqCst);
    let (mut slept, mut woke, mut copies_slept, mut copies_woke) = (false, false, false, false);
    for _ in 0..24 * 4 {
        world.run_for(Duration::from_mins(15)).await;
        let (instances, copies) = world.aws(|aws| {
            let instances = aws.instances("batch", "AllTraffic").unwrap().0;
            (instances, aws.copies("llm").unwrap().0)
        });
        woke |= slept && instances > 0;
        slept |= instances == 0;
        copies_woke |= copies_slept && copies > 0;
        copies_slept |= copies == 0;
    }
    assert!(slept && woke, "{:#?}", world.timeline());
    assert!(copies_slept && copies_woke, "{:#?}", world.timeline());
    assert_eq!(
        writes,
        world
            .faults
            .writes
            .load(std::sync::atomic::Ordering::SeqCst)
    );
    let snapshot = world.snapshot();
    let scope = &snapshot.scopes[&scope()];
    assert!(
        scope
            .watch
            .activities
            .contains_key(&id("inference-component/llm"))
    );
    let tiny = TargetId::parse(
        "endpoint/tiny/variant/AllTraffic",
        Dimension::ProvisionedConcurrency.aws_name(),
    );
    let tiny = tiny.unwrap();
    // 600 a minute at half a second are 5 at once: 5 / 0.7 rounded up.
    let units = scope.targets[&tiny].running.unwrap().current.unwrap().get();
    assert!((7..=9).contains(&units), "{units}");
}

#[tokio::test(start_paused = true)]
async fn what_can_not_scale_is_held_with_its_reason_and_never_tried() {
    let world = "
endpoints:
  - name: burst
    variants: [{ name: AllTraffic, instance_type: ml.t2.medium, instances: 1 }]
  - name: lambda
    variants: [{ name: AllTraffic, serverless: { max_concurrency: 5 } }]
  - name: small
    variants: [{ name: AllTraffic, serverless: { max_concurrency: 5, provisioned: 1 } }]
  - name: llms
    variants:
      - { name: AllTraffic, instance_type: ml.g5.xlarge, hosts_components: { min_instances: 1, max_instances: 4 } }
  - name: live
    variants:
      - { name: AllTraffic, instance_type: ml.m5.large, instances: 1 }
      - { name: Next, instance_type: ml.m5.large, instances: 1, shadow: true }
";
    let target = |endpoint: &str, more: &str, bounds: &str| {
        format!("  - {{ endpoint: {endpoint}, variant: {more}, bounds: {bounds} }}\n")
    };
    let some = "{ min: 1, max: 4 }";
    let pc = "AllTraffic, dimension: provisioned_concurrency";
    let config = [
        "targets:\n".to_owned(),
        target("burst", "AllTraffic", some),
        target("lambda", pc, some),
        target("small", pc, "{ min: 1, max: 9 }"),
        target("llms", "AllTraffic", some),
        target("live", "Next", some),
        target("live", "AllTraffic", "{ min: 0, max: 4 }"),
    ]
    .concat();
    let world = World::new(world, &config);
    world.run_for(Duration::from_mins(5)).await;
    assert!(registered(&world).is_empty());
    assert_eq!(
        world.events.count("failed"),
        0,
        "nothing was tried: {:?}",
        world.events.lines()
    );
    let snapshot = world.snapshot();
    let notes: Vec<String> = snapshot.scopes[&scope()]
        .targets
        .values()
        .map(|target| {
            assert_eq!(target.verdict, Verdict::Held);
            evenkeel::view::note_text(&target.notes[0])
        })
        .collect();
    insta::assert_snapshot!(notes.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn percents_of_all_cores_are_worked_out_by_the_instance_type() {
    let world = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.2xlarge, instances: 1 }]
  - name: odd
    variants: [{ name: AllTraffic, instance_type: ml.m7g.medium, instances: 1 }]
";
    let policies = "[{ name: cpu, target_tracking: { target: 60% of all cores, \
                    metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: Average } } }]";
    let config: String = ["chat", "odd"]
        .map(|name| {
            let bounds = "bounds: { min: 1, max: 4 }";
            format!(
                "  - {{ endpoint: {name}, variant: AllTraffic, {bounds}, policies: {policies} }}\n"
            )
        })
        .concat();
    let world = World::new(world, &format!("targets:\n{config}"));
    world.pass().await;
    assert_eq!(world.policies("chat"), [("cpu".to_owned(), 480.0)]);
    assert!(
        world.policies("odd").is_empty(),
        "the number of its cores is not known"
    );
    let snapshot = world.snapshot();
    let odd = &snapshot.scopes[&scope()].targets[&id("endpoint/odd/variant/AllTraffic")];
    assert_eq!(odd.notes[0], Note::CoresUnknown("cpu".parse().unwrap()));
}
