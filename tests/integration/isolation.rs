//! What fails stays where it fails.

use std::time::Duration;

use evenkeel::domain::{PassOutcome, PassReason};
use evenkeel::ports::ErrorKind;
use tokio_util::sync::CancellationToken;

use crate::world::{THREE, THREE_CONFIG, World, scope};

#[tokio::test(start_paused = true)]
async fn a_target_whose_writes_fail_does_not_stop_the_others_and_is_tried_less_and_less() {
    let world = World::new(THREE, THREE_CONFIG);
    world.faults.fail_target("embed", ErrorKind::Invalid);
    world.run_for(Duration::from_hours(1)).await;
    assert_eq!(world.bounds("chat"), Some((1, 10)));
    assert_eq!(world.bounds("rank"), Some((1, 4)));
    assert_eq!(world.bounds("embed"), None);
    let tries = world.events.count("failed: endpoint/embed");
    assert!(
        (5..=9).contains(&tries),
        "an hour of doubling waits, capped at 15 minutes: {tries}"
    );
    let snapshot = world.snapshot();
    let id = "endpoint/embed/variant/AllTraffic".parse().unwrap();
    let failure = snapshot.scopes[&scope()].targets[&id]
        .failure
        .clone()
        .unwrap();
    assert!(failure.error.contains("injected invalid"));
    world.faults.heal();
    world.run_for(Duration::from_mins(2)).await;
    assert_eq!(world.bounds("embed"), Some((1, 10)));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_can_not_be_read_stops_writes_that_depend_on_it() {
    for operation in [
        "ListEndpoints",
        "DescribeScalableTargets",
        "DescribeEndpoint",
    ] {
        let world = World::new(THREE, THREE_CONFIG);
        world.faults.fail(operation, ErrorKind::Throttled);
        let pass = world.pass().await;
        assert_eq!(
            (pass.outcome, pass.done),
            (PassOutcome::Partial, 0),
            "{operation}"
        );
        assert!(
            pass.problems[0].contains("throttled"),
            "{:?}",
            pass.problems
        );
        assert!(!world.snapshot().is_ready());
        world.faults.heal();
        assert_eq!(world.pass().await.done, 6, "{operation}");
        assert!(world.snapshot().is_ready());
    }
}

/// A converged target is not taken for unregistered because a page of the list is missing.
#[tokio::test(start_paused = true)]
async fn half_a_list_does_not_make_the_other_half_missing() {
    let world = World::new(THREE, THREE_CONFIG);
    world.pass().await;
    for operation in [
        "DescribeScalableTargets",
        "DescribeScalingPolicies",
        "ListEndpoints",
    ] {
        for kept in 0..3 {
            world.faults.cut(operation, kept);
            let pass = world.pass().await;
            assert_eq!(
                (pass.outcome, pass.done),
                (PassOutcome::Partial, 0),
                "{operation} {kept}"
            );
        }
        world.faults.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_once_and_ends_ready_only_when_all_is_read() {
    let world = World::new(THREE, THREE_CONFIG);
    world
        .faults
        .fail("DescribeScalingPolicies", ErrorKind::Denied);
    world.run_for(Duration::from_mins(30)).await;
    assert_eq!(world.events.count("unseen: the list of policies"), 1);
    assert!(!world.snapshot().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_is_told_once_keeps_what_it_knew_and_recovers() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(30)).await;
    world.faults.fail("GetMetricData", ErrorKind::Denied);
    world.faults.fail("DescribeAlarms", ErrorKind::Denied);
    world.run_for(Duration::from_mins(30)).await;
    assert_eq!(world.events.count("watch failed"), 2);
    let watched = world.snapshot().scopes[&scope()].watch.clone();
    assert_eq!(watched.problems.len(), 2);
    assert_eq!((watched.alarms.len(), watched.values.len()), (6, 3));
    world.faults.heal();
    world.run_for(Duration::from_mins(2)).await;
    assert!(world.snapshot().scopes[&scope()].watch.problems.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_would_shrink_most_of_the_fleet_is_refused() {
    let endpoint = |i| {
        format!(
            "  - {{ name: e{i}, variants: [{{ name: AllTraffic, instance_type: ml.m5.large, instances: 5 }}] }}"
        )
    };
    let endpoints = (0..8).map(endpoint).collect::<Vec<_>>().join("\n");
    let targets = |max: u32| {
        let target = |i| {
            format!(
                "  - {{ endpoint: e{i}, variant: AllTraffic, bounds: {{ min: 1, max: {max} }} }}"
            )
        };
        format!(
            "targets:\n{}",
            (0..8).map(target).collect::<Vec<_>>().join("\n")
        )
    };
    let world = World::new(&format!("endpoints:\n{endpoints}"), &targets(10));
    assert_eq!(world.pass().await.outcome, PassOutcome::Changed);
    world.reload(&targets(2));
    let refused = world.pass().await;
    assert_eq!((refused.outcome, refused.done), (PassOutcome::Refused, 0));
    assert!(
        refused.problems[0].contains("would shrink 8 of 8 targets"),
        "{:?}",
        refused.problems
    );
    assert_eq!(world.bounds("e0"), Some((1, 10)));
    world.reload(&format!("safety: {{ max_change: 100% }}\n{}", targets(2)));
    assert_eq!(world.pass().await.outcome, PassOutcome::Changed);
    assert_eq!(world.bounds("e0"), Some((1, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_write_in_flight_finish_and_starts_no_other() {
    let world = World::new(THREE, THREE_CONFIG);
    let stop = CancellationToken::new();
    stop.cancel();
    let pass = world.reconciler().pass(PassReason::Interval, &stop).await;
    assert_eq!((pass.outcome, pass.done), (PassOutcome::Cancelled, 0));
}
