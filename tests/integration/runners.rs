//! Schedules that AWS runs: nobody undoes a firing, nothing is drift, and what AWS misses is mended.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel::domain::*;
use evenkeel::ports::ErrorKind;
use evenkeel::sim::engine::api::{DescribeScheduledActions, PutScheduledAction, UpdateEndpoint};
use evenkeel::sim::engine::{Options, SpanRange};
use serde_json::json;

use crate::world::{INSTANCES, World, request, resource, scope};

const WORLD: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }]
    traffic: { steady: 400 }
    exact: true
";

/// The world begins at 2026-11-23 06:00 UTC, a Monday: 07:00 in Berlin.
fn config(runner: &str) -> String {
    format!(
        "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 8 }}
    schedules:
      - {{ name: morning, cron: '0 8 ? * MON-FRI *', timezone: Europe/Berlin, bounds: {{ min: 4, max: 12 }}, \
         runner: {runner} }}
      - {{ name: evening, cron: '0 20 * * ? *', timezone: Europe/Berlin, bounds: {{ min: 1, max: 6 }}, \
         runner: {runner} }}
      - {{ name: launch, window: {{ from: '2026-11-23T12:00', until: '2026-11-23T13:30' }}, timezone: Europe/Berlin,
          bounds: {{ min: 9 }}, runner: {runner} }}
      - {{ name: nights, window: {{ from: '22:00', until: '05:00' }}, timezone: Europe/Berlin,
          bounds: {{ max: 3 }}, runner: {runner} }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300 }} }}]
"
    )
}

fn chat() -> TargetId {
    resource("chat").parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The bounds at an instant of the first day and a bit, by hand.
fn due(now: DateTime<Utc>) -> (u32, u32) {
    let after = |hour: &str| now >= at(&format!("2026-11-23T{hour}:00Z"));
    if now >= at("2026-11-24T07:00:00Z") {
        (4, 12)
    } else if now >= at("2026-11-24T04:00:00Z") {
        (1, 6)
    } else if after("21:00") {
        (1, 3)
    } else if after("19:00") {
        (1, 6)
    } else if after("11:00") && !after("12:30") {
        (9, 12)
    } else if after("07:00") {
        (4, 12)
    } else {
        // The evening of the day before, and what is left of its night was over at 04:00 UTC.
        (1, 6)
    }
}

const EDGES: [&str; 7] = [
    "2026-11-23T07:00:00Z",
    "2026-11-23T11:00:00Z",
    "2026-11-23T12:30:00Z",
    "2026-11-23T19:00:00Z",
    "2026-11-23T21:00:00Z",
    "2026-11-24T04:00:00Z",
    "2026-11-24T07:00:00Z",
];

/// AWS gets to scheduled actions within these seconds after they are due.
fn lateness(from: u64, to: u64) -> Options {
    Options {
        schedule_lateness: SpanRange::secs(
            i64::try_from(from).unwrap(),
            i64::try_from(to).unwrap(),
        ),
        ..Options::default()
    }
}

async fn until(world: &World, instant: DateTime<Utc>) {
    let wait = instant - world.clock.now();
    world.clock.sleep(wait.to_std().unwrap_or_default()).await;
}

fn actions(world: &World) -> Vec<(String, String, Option<i64>, Option<i64>)> {
    let query: DescribeScheduledActions = request(json!({ "ServiceNamespace": "sagemaker" }));
    let page = world.aws(|aws| aws.describe_scheduled_actions(&query).unwrap());
    let one = |a: evenkeel::sim::engine::api::ScheduledActionShape| {
        let sets = a.scalable_target_action;
        let (min, max) = (sets.min_capacity, sets.max_capacity);
        (a.scheduled_action_name, a.schedule, min, max)
    };
    page.scheduled_actions.into_iter().map(one).collect()
}

/// What other tools lose: whoever runs the schedules, no write of ours undoes a firing, and none of it is drift.
#[tokio::test(start_paused = true)]
async fn no_firing_is_fought_over_whoever_runs_it() {
    for (runner, late, hours) in [
        ("daemon", 0, 26),
        ("aws", 0, 26),
        ("aws", 60, 8),
        // Just in time: between the last look and the end of its time.
        ("aws", 105, 8),
        ("both", 0, 26),
        ("both", 60, 8),
    ] {
        let options = lateness(late, late + 10);
        let end = at("2026-11-23T06:00:00Z") + TimeDelta::hours(hours);
        let edges = EDGES.iter().filter(|edge| at(edge) < end).count();
        let world = World::with_options(1, &options, WORLD, &config(runner));
        let slack = if runner == "aws" { late + 11 } else { 1 };
        let looks = async {
            for edge in EDGES.map(at).into_iter().take(edges) {
                let slack = TimeDelta::seconds(i64::try_from(slack).unwrap());
                for instant in [edge - TimeDelta::seconds(2), edge + slack] {
                    until(&world, instant).await;
                    assert_eq!(
                        world.bounds("chat"),
                        Some(due(instant)),
                        "{runner} at {instant}: {:?}",
                        world.events.told()
                    );
                }
            }
        };
        // More than 1500 passes, or 480.
        let run = world.run_for(Duration::from_hours(hours.unsigned_abs()));
        tokio::join!(run, looks);
        let count = |what: &str| world.events.count(what);
        assert_eq!(count("was_converged=true"), 0, "{runner}");
        assert_eq!(count("mends=true"), 0, "{runner}");
        assert_eq!(count("conflict"), 0, "{runner}");
        assert_eq!(count("mended"), 0, "{runner}");
        let registered = count(": register_target mends");
        match runner {
            "aws" => assert_eq!(registered, 1, "AWS does the rest"),
            _ => assert_eq!(registered, 1 + edges, "{runner}"),
        }
        let scheduled = world.events.count("scheduled: ");
        assert_eq!(scheduled, edges, "each came out once, {runner}");
        let last = world.snapshot().scopes[&scope()].targets[&chat()]
            .last_change
            .clone()
            .unwrap();
        let outcome = match runner {
            "aws" => ScheduleOutcome::Found,
            _ => ScheduleOutcome::Applied,
        };
        assert_eq!(last.outcome, outcome, "{runner}");
    }
}

#[tokio::test(start_paused = true)]
async fn windows_are_two_actions_and_what_is_over_is_removed() {
    let world = World::new(WORLD, &config("aws"));
    world.run_for(Duration::from_mins(10)).await;
    let (one, zero) = (Some(1), None);
    let expected = [
        ("evenkeel-evening", "cron(0 20 * * ? *)", one, Some(6)),
        (
            "evenkeel-launch closes",
            "at(2026-11-23T12:30:00)",
            Some(4),
            zero,
        ),
        (
            "evenkeel-launch opens",
            "at(2026-11-23T11:00:00)",
            Some(9),
            zero,
        ),
        (
            "evenkeel-morning",
            "cron(0 8 ? * MON-FRI *)",
            Some(4),
            Some(12),
        ),
        ("evenkeel-nights closes", "cron(0 5 * * ? *)", zero, Some(6)),
        ("evenkeel-nights opens", "cron(0 22 * * ? *)", zero, Some(3)),
    ];
    let expected =
        expected.map(|(name, when, min, max)| (name.to_owned(), when.to_owned(), min, max));
    assert_eq!(actions(&world), expected);
    let writes = world.faults.writes.load(Ordering::SeqCst);
    world.run_for(Duration::from_hours(3)).await;
    assert_eq!(
        world.faults.writes.load(Ordering::SeqCst),
        writes,
        "nothing to do"
    );
    world.run_for(Duration::from_hours(4)).await;
    let names: Vec<String> = actions(&world).into_iter().map(|a| a.0).collect();
    let left = ["evening", "morning", "nights closes", "nights opens"];
    assert_eq!(names, left.map(|name| format!("evenkeel-{name}")));
    assert_eq!(world.events.count("was_converged=true"), 0);
    // Back to the daemon: AWS must not go on with it.
    world.reload(&config("daemon"));
    world.run_for(Duration::from_mins(5)).await;
    assert!(actions(&world).is_empty());
    assert_eq!(world.bounds("chat"), Some((4, 12)));
}

/// Each way in which AWS misses a firing is mended two minutes after it, and said.
#[tokio::test(start_paused = true)]
async fn what_aws_misses_is_mended_and_said() {
    let suspend = |world: &World, on: bool| {
        let query = request(json!({
            "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"), "ScalableDimension": INSTANCES,
            "SuspendedState": { "ScheduledScalingSuspended": on },
        }));
        world.aws(|aws| aws.register_scalable_target(&query).unwrap());
    };
    let world = World::new(WORLD, &config("aws"));
    let someone = async {
        until(&world, at("2026-11-23T06:50:00Z")).await;
        suspend(&world, true);
        until(&world, at("2026-11-23T07:01:50Z")).await;
        assert_eq!(world.bounds("chat"), Some((1, 6)), "left to AWS still");
        let snapshot = world.snapshot();
        let notes = &snapshot.scopes[&scope()].targets[&chat()].notes;
        assert!(
            notes.contains(&Note::LeftToAws {
                until: at("2026-11-23T07:02:00Z")
            }),
            "{notes:?}"
        );
        until(&world, at("2026-11-23T07:02:02Z")).await;
        assert_eq!(world.bounds("chat"), Some((4, 12)));
        suspend(&world, false);
    };
    tokio::join!(world.run_for(Duration::from_hours(3)), someone);
    assert_eq!(
        world.events.count("07:00 mended after 12"),
        1,
        "{:?}",
        world.events.told()
    );
    assert_eq!(world.events.count("conflict"), 0);
}

/// A deployment at the time of a firing: AWS fails it, and it is made up for when the endpoint is back.
#[tokio::test(start_paused = true)]
async fn a_firing_during_a_deployment_is_made_up_for() {
    let world = World::new(WORLD, &config("aws"));
    let someone = async {
        until(&world, at("2026-11-23T06:58:00Z")).await;
        let config = world.aws(|aws| {
            let query = request(json!({ "EndpointName": "chat" }));
            aws.describe_endpoint(&query).unwrap().endpoint_config_name
        });
        let query: UpdateEndpoint = request(json!({
            "EndpointName": "chat", "EndpointConfigName": config, "RetainAllVariantProperties": true,
        }));
        world.aws(|aws| aws.update_endpoint(&query).unwrap());
        until(&world, at("2026-11-23T07:00:30Z")).await;
        assert_eq!(world.bounds("chat"), Some((1, 6)));
    };
    tokio::join!(world.run_for(Duration::from_hours(2)), someone);
    assert_eq!(world.bounds("chat"), Some((4, 12)));
    assert_eq!(world.events.count("07:00 mended after"), 1);
}

/// One schedule sets a minimum above the maximum of another: AWS is sent both ends, and does not fail.
#[tokio::test(start_paused = true)]
async fn a_minimum_above_the_maximum_is_sent_with_its_maximum() {
    let config = "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 3 }
    schedules: [{ name: up, cron: '0 7 * * ? *', timezone: UTC, bounds: { min: 5 }, runner: aws },
                { name: down, cron: '0 19 * * ? *', timezone: UTC, bounds: { min: 1 }, runner: aws }]
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
";
    let world = World::new(WORLD, config);
    world.run_for(Duration::from_mins(90)).await;
    assert_eq!(world.bounds("chat"), Some((5, 5)));
    assert_eq!(world.events.count("mended"), 0);
    world.run_for(Duration::from_hours(12)).await;
    assert_eq!(world.bounds("chat"), Some((1, 3)));
}

/// Exceptions are moved over by the start of the action, which AWS runs at too, so it is a firing.
#[tokio::test(start_paused = true)]
async fn exceptions_and_starts_are_kept_by_aws_too() {
    let config = "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 8 }
    schedules:
      - { name: up, cron: '0 7 * * ? *', timezone: UTC, bounds: { min: 5 }, runner: aws, start: '2026-11-23T10:30',
          end: '2026-11-27T00:00', except: [2026-11-25] }
      - { name: down, cron: '0 19 * * ? *', timezone: UTC, bounds: { min: 1 }, runner: aws }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
";
    let world = World::new(WORLD, config);
    let looks = async {
        let noons = [(23, 1), (24, 5), (25, 1), (26, 5), (27, 1)];
        for (day, min) in noons {
            until(&world, at(&format!("2026-11-{day}T12:00:00Z"))).await;
            assert_eq!(world.bounds("chat"), Some((min, 8)), "on the {day}th");
        }
    };
    tokio::join!(world.run_for(Duration::from_hours(24 * 4 + 7)), looks);
    for fault in ["mended", "was_converged=true", "conflict"] {
        assert_eq!(
            world.events.count(fault),
            0,
            "{fault}: {:?}",
            world.events.told()
        );
    }
    assert_eq!(world.events.count(": register_target mends"), 1);
    let names: Vec<String> = actions(&world).into_iter().map(|a| a.0).collect();
    assert_eq!(names, ["evenkeel-down"], "the other is over");
}

/// Someone's own scheduled actions are told of and left alone; what is named in the config is kept as it says.
#[tokio::test(start_paused = true)]
async fn an_action_that_stood_before_keeps_its_name_and_a_strange_one_is_left() {
    let config = "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 8 }
    schedules: [{ name: up, cron: '0 7 * * ? *', timezone: UTC, bounds: { min: 5 }, runner: aws, action: theirs-up }]
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
";
    let world = World::new(WORLD, config);
    world.run_for(Duration::from_mins(10)).await;
    let put = |name: &str, min: u32| {
        let query: PutScheduledAction = request(json!({
            "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"), "ScalableDimension": INSTANCES,
            "ScheduledActionName": name, "Schedule": "cron(0  7 * * ? *)",
            "ScalableTargetAction": { "MinCapacity": min },
        }));
        world.aws(|aws| aws.put_scheduled_action(&query).unwrap());
    };
    put("theirs-up", 2);
    put("strange", 1);
    world.pass().await;
    let expected = [
        ("strange", "cron(0  7 * * ? *)", Some(1)),
        ("theirs-up", "cron(0 7 * * ? *)", Some(5)),
    ];
    let found: Vec<_> = actions(&world)
        .into_iter()
        .map(|a| (a.0, a.1, a.2))
        .collect();
    assert_eq!(
        found,
        expected.map(|(n, w, m)| (n.to_owned(), w.to_owned(), m))
    );
    let snapshot = world.snapshot();
    let notes = &snapshot.scopes[&scope()].targets[&chat()].notes;
    assert!(
        matches!(notes.as_slice(), [Note::ForeignSchedule { name, .. }] if name == "strange"),
        "{notes:?}"
    );
    assert_eq!(world.pass().await.done, 0, "other blanks are no difference");
}

/// A list that can not be read is no empty list.
#[tokio::test(start_paused = true)]
async fn with_the_list_unread_nothing_is_put_and_nothing_deleted() {
    let world = World::new(WORLD, &config("aws"));
    world
        .faults
        .fail("DescribeScheduledActions", ErrorKind::Denied);
    // A new registration has none, whatever the list would say.
    world.pass().await;
    assert_eq!(actions(&world).len(), 6);
    let pass = world.pass().await;
    assert_eq!((pass.done, pass.outcome), (0, PassOutcome::Partial));
    world.reload(&config("daemon"));
    let pass = world.pass().await;
    assert_eq!(
        (pass.done, pass.outcome),
        (0, PassOutcome::Converged),
        "nothing hangs on it"
    );
    world.faults.heal();
    assert_eq!(world.pass().await.done, 6);
}

/// A process that starts at any minute does what one that never stopped would have done.
#[tokio::test(start_paused = true)]
async fn whoever_starts_when_finds_what_aws_has_run() {
    let world = World::with_options(1, &lateness(0, 10), WORLD, &config("aws"));
    world.pass().await;
    for minute in 0..24 * 60 {
        world.clock.sleep(Duration::from_mins(1)).await;
        if minute % 7 == 3 {
            world.pass().await;
        }
        let now = world.clock.now();
        let settled = due(now - TimeDelta::seconds(20)) == due(now);
        if settled {
            assert_eq!(world.bounds("chat"), Some(due(now)), "{now}");
        }
    }
    assert_eq!(world.events.count(": register_target mends"), 1);
}
