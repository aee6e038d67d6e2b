//! Holds and overrides: done while they hold, undone when they are over, whoever lives or dies in between.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel::domain::*;
use serde_json::json;

use crate::world::{World, request, resource, scope};

const WORLD: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 3, start_up: 4m }]
    traffic: { steady: 600 }
";

const CONFIG: &str = "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 8 }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
";

fn chat() -> TargetId {
    resource("chat").parse().unwrap()
}

fn lease<T>(world: &World, what: T, minutes: i64) -> Lease<T> {
    let now = world.clock.now();
    Lease {
        what,
        by: "alice".to_owned(),
        reason: "a load test; keep it warm".to_owned(),
        since: now,
        until: now + TimeDelta::minutes(minutes),
    }
}

async fn put(world: &World, kind: MarkerKind, description: &str) {
    let name = lease_marker(&OwnerName::default(), kind, &chat());
    let alarms = world.faults.ports().alarms;
    alarms.put_marker(&name, description).await.unwrap();
}

async fn hold_in(world: &World, minutes: i64) {
    let hold = Hold {
        scale_in: true,
        scale_out: false,
        before: Suspension::default(),
    };
    let text = lease(world, hold, minutes).describe();
    put(world, MarkerKind::Hold, &text).await;
}

async fn override_to(world: &World, min: u32, max: u32, minutes: i64) {
    let over = Override {
        min: Capacity::new(min),
        max: Capacity::new(max),
        before: Bounds::new(Capacity::new(1).unwrap(), Capacity::new(8).unwrap()).unwrap(),
    };
    let text = lease(world, over, minutes).describe();
    put(world, MarkerKind::Override, &text).await;
}

fn scale_in_suspended(world: &World) -> bool {
    let all = world.aws(|aws| {
        aws.describe_scalable_targets(&request(json!({ "ServiceNamespace": "sagemaker" })))
            .unwrap()
            .scalable_targets
    });
    all[0].suspended_state.dynamic_scaling_in_suspended == Some(true)
}

fn markers(world: &World) -> Vec<String> {
    let query = request(json!({}));
    let all = world.aws(|aws| aws.describe_alarms(&query).unwrap().metric_alarms);
    let names = all.into_iter().map(|a| a.alarm_name);
    let ours = |n: &String| n.starts_with("evenkeel/hold/") || n.starts_with("evenkeel/override/");
    names.filter(ours).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_kept_and_ends_at_its_instant() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    hold_in(&world, 95).await;
    world.run_for(Duration::from_mins(94)).await;
    assert!(scale_in_suspended(&world));
    // Seconds after its end: the daemon wakes up for it and does not wait for the interval.
    world.run_for(Duration::from_secs(63)).await;
    assert!(!scale_in_suspended(&world));
    assert!(markers(&world).is_empty());
    assert_eq!(world.events.count("conflict"), 0);
    assert_eq!(world.events.count("was_converged=true"), 0);
    assert_eq!(world.events.count("lease overdue"), 0);
    assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_ended_while_nobody_ran_is_told_and_undone() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    hold_in(&world, 30).await;
    world.run_for(Duration::from_mins(5)).await;
    world.clock.sleep(Duration::from_hours(2)).await;
    assert!(scale_in_suspended(&world), "nobody was there to end it");
    world.pass().await;
    assert_eq!(world.events.count("lease overdue"), 1);
    assert!(!scale_in_suspended(&world));
    assert!(markers(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_suspended_before_a_hold_is_so_again_after_it() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    let suspend = request(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"),
        "ScalableDimension": crate::world::INSTANCES,
        "SuspendedState": { "DynamicScalingInSuspended": true },
    }));
    world.aws(|aws| aws.register_scalable_target(&suspend).unwrap());
    let hold = Hold {
        scale_in: true,
        scale_out: true,
        before: Suspension {
            scale_in: true,
            ..Suspension::default()
        },
    };
    let text = lease(&world, hold, 10).describe();
    put(&world, MarkerKind::Hold, &text).await;
    world.run_for(Duration::from_mins(12)).await;
    assert!(scale_in_suspended(&world), "the config says nothing of it");
    let snapshot = world.snapshot();
    let held = snapshot.scopes[&scope()].targets[&chat()]
        .registered
        .clone();
    assert!(!held.unwrap().suspended.scale_out);
    assert!(markers(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_override_sets_bounds_and_gives_them_back() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    override_to(&world, 5, 12, 60).await;
    world.run_for(Duration::from_mins(20)).await;
    assert_eq!(world.bounds("chat"), Some((5, 12)));
    let (current, _) = world
        .aws(|aws| aws.instances("chat", "AllTraffic"))
        .unwrap();
    assert!(
        current >= 5,
        "the registration pulls capacity up: {current}"
    );
    let snapshot = world.snapshot();
    let effective = &snapshot.scopes[&scope()].targets[&chat()].effective;
    assert_eq!(effective.min_source, BoundSource::Override);
    world.run_for(Duration::from_mins(42)).await;
    assert_eq!(world.bounds("chat"), Some((1, 8)));
    assert!(markers(&world).is_empty());
    assert_eq!(world.events.count("conflict"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_left_the_config_gets_back_what_an_override_changed() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    override_to(&world, 5, 12, 60).await;
    world.pass().await;
    assert_eq!(world.bounds("chat"), Some((5, 12)));
    world.clock.sleep(Duration::from_mins(61)).await;
    world.reload("targets: []\n");
    world.pass().await;
    assert_eq!(world.bounds("chat"), Some((1, 8)));
    assert!(markers(&world).is_empty());
}

/// Whoever asks for a hold can not wait for a deployment to end; and it ends in time all the same.
#[tokio::test(start_paused = true)]
async fn a_hold_begins_and_ends_while_the_endpoint_is_busy() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    let hours = evenkeel::sim::engine::Span::from_secs(5 * 3600);
    world.aws(|aws| aws.system_update("chat", hours).unwrap());
    world.delete_policy("chat", "evenkeel-invocations_per_instance");
    hold_in(&world, 60).await;
    world.run_for(Duration::from_mins(3)).await;
    assert!(scale_in_suspended(&world));
    assert!(world.policies("chat").is_empty(), "all else waits");
    assert_eq!(world.bounds("chat"), Some((1, 8)));
    world.run_for(Duration::from_hours(1)).await;
    assert!(!scale_in_suspended(&world));
    assert!(markers(&world).is_empty());
    assert_eq!(world.events.count("refused"), 0);
}

/// A list of alarms that is cut short may lack a hold: the registration is not touched on that.
#[tokio::test(start_paused = true)]
async fn a_hold_that_could_not_be_read_is_not_undone() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    hold_in(&world, 600).await;
    override_to(&world, 4, 9, 600).await;
    world.pass().await;
    world.clock.sleep(Duration::from_mins(10)).await;
    world
        .faults
        .fail("DescribeAlarms", evenkeel::ports::ErrorKind::Throttled);
    assert_eq!(world.pass().await.done, 0);
    assert_eq!(world.bounds("chat"), Some((4, 9)));
    assert!(scale_in_suspended(&world));
}

/// Dying between any two writes of the end of a lease leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_hold_survives_a_crash_after_each_write() {
    for survives in 0..3 {
        let world = World::new(WORLD, CONFIG);
        world.pass().await;
        hold_in(&world, 10).await;
        override_to(&world, 5, 12, 10).await;
        world.pass().await;
        world.clock.sleep(Duration::from_mins(11)).await;
        let so_far = world.faults.writes.load(Ordering::SeqCst);
        world.faults.die_after(Some(so_far + survives));
        let died = tokio::time::timeout(Duration::from_mins(5), world.pass()).await;
        assert!(died.is_err(), "{survives}");
        world.faults.die_after(None);
        world.pass().await;
        assert_eq!(world.bounds("chat"), Some((1, 8)), "{survives}");
        assert!(!scale_in_suspended(&world), "{survives}");
        assert!(markers(&world).is_empty(), "{survives}");
    }
}
