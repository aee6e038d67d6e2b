//! Scheduled actions: what a run does to bounds and capacity, and what comes between.

use super::kinds::{empty, extras, target};
use super::*;

/// An hour after the world begins, which is on 2027-01-15 at 08:00 UTC.
pub(super) const NINE: &str = "cron(0 9 * * ? *)";

pub(super) fn prompt() -> Options {
    Options {
        schedule_lateness: SpanRange::secs(0, 0),
        ..exact()
    }
}

/// Two instances without load, which may be 1 to 10.
pub(super) fn plain() -> World {
    with(prompt())
}

pub(super) fn with(options: Options) -> World {
    let mut world = world_with(options, &[0.0], 2);
    register(&mut world, 1, 10);
    world
}

pub(super) fn action(
    name: &str,
    schedule: &str,
    members: impl Into<serde_json::Value>,
) -> PutScheduledAction {
    let mut request = json!({
        "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
        "ScheduledActionName": name, "Schedule": schedule,
    });
    let members: serde_json::Value = members.into();
    request
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    serde_json::from_value(request).unwrap()
}

pub(super) fn bounded(min: i64, max: i64) -> serde_json::Value {
    json!({"ScalableTargetAction": {"MinCapacity": min, "MaxCapacity": max}})
}

pub(super) fn plan(
    world: &mut World,
    name: &str,
    schedule: &str,
    members: impl Into<serde_json::Value>,
) {
    world
        .put_scheduled_action(&action(name, schedule, members))
        .unwrap();
}

pub(super) fn listed(world: &World) -> Vec<ScheduledActionShape> {
    let request = serde_json::from_value(json!({"ServiceNamespace": "sagemaker"})).unwrap();
    world
        .describe_scheduled_actions(&request)
        .unwrap()
        .scheduled_actions
}

pub(super) fn bounds(world: &World) -> (u32, u32) {
    let request = serde_json::from_value(json!({"ServiceNamespace": "sagemaker"})).unwrap();
    let all = world
        .describe_scalable_targets(&request)
        .unwrap()
        .scalable_targets;
    (all[0].min_capacity, all[0].max_capacity)
}

fn suspend(world: &mut World, scheduled: bool) {
    let request = serde_json::from_value(json!({
        "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
        "SuspendedState": {"ScheduledScalingSuspended": scheduled},
    }))
    .unwrap();
    world.register_scalable_target(&request).unwrap();
}

pub(super) fn to(world: &mut World, seconds: i64) {
    world.advance(START + Span::from_secs(seconds));
}

/// Descriptions, causes and states of all activities, oldest first.
fn told(world: &World) -> Vec<(String, String, &'static str)> {
    let mut all = activities(world);
    all.reverse();
    all.into_iter()
        .map(|a| (a.description, a.cause, a.status_code))
        .collect()
}

/// How often it ran: activities that an action caused.
pub(super) fn runs(world: &World) -> Vec<(i64, &'static str)> {
    let mut all = activities(world);
    all.reverse();
    let started = |a: &ScalingActivityShape| (a.start_time.0 - START).millis() / 1000;
    all.iter()
        .filter(|a| a.cause.starts_with("scheduled action"))
        .map(|a| (started(a), a.status_code))
        .collect()
}

#[test]
fn a_run_sets_the_bounds_for_good_and_moves_capacity_into_them() {
    let mut world = plain();
    plan(&mut world, "day", NINE, bounded(4, 12));
    to(&mut world, 3599);
    assert_eq!((bounds(&world), told(&world).len()), ((1, 10), 0));
    to(&mut world, 3600);
    assert_eq!(bounds(&world), (4, 12));
    let cause = "scheduled action name day was triggered".to_owned();
    assert_eq!(
        told(&world),
        [
            (
                "Setting min capacity to 4 and max capacity to 12".to_owned(),
                cause,
                "Successful"
            ),
            (
                "Setting desired instance count to 4.".to_owned(),
                "minimum capacity was set to 4".to_owned(),
                "InProgress"
            ),
        ]
    );
    let shown = activities(&world);
    assert_eq!(
        shown[1].status_message.as_deref(),
        Some("Successfully set min capacity to 4 and max capacity to 12")
    );
    assert!(shown[1].end_time.is_some());
    to(&mut world, 3600 + 480);
    assert_eq!(capacity(&world), (4, 4));
    to(&mut world, 24 * 3600);
    assert_eq!(
        (bounds(&world), runs(&world).len()),
        ((4, 12), 1),
        "it never reverts"
    );
}

#[test]
fn a_second_activity_comes_only_when_capacity_has_to_move() {
    let mut world = plain();
    plan(&mut world, "roomy", NINE, bounded(2, 5));
    plan(&mut world, "tight", "cron(0 10 * * ? *)", bounded(1, 1));
    to(&mut world, 3660);
    assert_eq!((bounds(&world), told(&world).len()), ((2, 5), 1));
    to(&mut world, 2 * 3600);
    assert_eq!(told(&world).len(), 3);
    assert_eq!(told(&world)[2].1, "maximum capacity was set to 1");
    assert_eq!(capacity(&world).1, 1);
}

#[test]
fn one_bound_leaves_the_other_and_may_collide_with_it() {
    let mut world = plain();
    plan(
        &mut world,
        "up",
        NINE,
        json!({"ScalableTargetAction": {"MinCapacity": 3}}),
    );
    let down = json!({"ScalableTargetAction": {"MaxCapacity": 2}});
    plan(&mut world, "down", "cron(0 10 * * ? *)", down);
    to(&mut world, 3600);
    assert_eq!(bounds(&world), (3, 10));
    assert_eq!(
        told(&world)[0].0,
        "Setting min capacity to 3 and max capacity to 10"
    );
    to(&mut world, 2 * 3600);
    assert_eq!(bounds(&world), (3, 10), "not even its own part");
    assert_eq!(runs(&world), [(3600, "Successful"), (7200, "Failed")]);
    let shown = activities(&world);
    assert_eq!(
        shown[0].description,
        "Setting min capacity to 3 and max capacity to 2"
    );
    let message = shown[0].status_message.as_deref().unwrap();
    assert!(
        message.contains("cannot be greater than maximum capacity"),
        "{message}"
    );
    to(&mut world, 3 * 3600);
    assert_eq!(runs(&world).len(), 2, "it is used up");

    let mut world = with(Options {
        one_sided_texts_name_both: false,
        ..prompt()
    });
    plan(
        &mut world,
        "up",
        NINE,
        json!({"ScalableTargetAction": {"MinCapacity": 3}}),
    );
    to(&mut world, 3600);
    assert_eq!(told(&world)[0].0, "Setting min capacity to 3");
}

#[test]
fn an_endpoint_that_is_not_scalable_fails_the_run_and_nothing_tries_again() {
    for set_all_the_same in [false, true] {
        let mut world = with(Options {
            unscalable_runs_set_bounds: set_all_the_same,
            ..prompt()
        });
        plan(&mut world, "day", NINE, bounded(4, 12));
        to(&mut world, 3590);
        world.system_update("chat", Span::from_secs(60)).unwrap();
        to(&mut world, 3600);
        let shown = activities(&world);
        assert_eq!((shown.len(), shown[0].status_code), (1, "Failed"));
        assert_eq!(
            shown[0].status_message.as_deref(),
            Some(
                "Resource Id [endpoint/chat/variant/AllTraffic] is not scalable. Reason: The endpoint chat is in \
                 status SystemUpdating."
            )
        );
        to(&mut world, 20 * 3600);
        let expect = if set_all_the_same { (4, 12) } else { (1, 10) };
        assert_eq!((bounds(&world), runs(&world).len()), (expect, 1));
        assert_eq!(capacity(&world), (2, 2));
    }
}

#[test]
fn what_is_suspended_is_skipped_and_not_made_up_for() {
    let mut world = plain();
    plan(&mut world, "hourly", "cron(0 * * * ? *)", bounded(3, 10));
    to(&mut world, 3540);
    suspend(&mut world, true);
    to(&mut world, 3660);
    assert_eq!((bounds(&world), told(&world).len()), ((1, 10), 0));
    suspend(&mut world, false);
    to(&mut world, 7199);
    assert_eq!(told(&world).len(), 0);
    to(&mut world, 7200);
    assert_eq!((bounds(&world), runs(&world).len()), ((3, 10), 1));
}

#[test]
fn a_run_that_came_due_while_suspended_is_lost_also_if_it_would_have_run_later() {
    let late = Options {
        schedule_lateness: SpanRange::secs(8, 8),
        ..exact()
    };
    // Suspended when due and not when it would run, and the other way round.
    for (first, second) in [(true, false), (false, true)] {
        let mut world = with(late.clone());
        plan(&mut world, "day", NINE, bounded(3, 10));
        to(&mut world, 3590);
        suspend(&mut world, first);
        to(&mut world, 3603);
        suspend(&mut world, second);
        to(&mut world, 3660);
        assert_eq!(runs(&world), []);
    }
}

#[test]
fn runs_are_late_by_seconds_and_keep_their_order() {
    let mut world = with(exact());
    to(&mut world, 5);
    plan(&mut world, "a", "cron(* * * * ? *)", bounded(1, 10));
    plan(&mut world, "b", "cron(1 * * * * ? *)", bounded(1, 9));
    to(&mut world, 600);
    let mut all = activities(&world);
    all.reverse();
    let mut late = Vec::new();
    for (i, one) in all.iter().enumerate() {
        let (name, second) = if i % 2 == 0 { ("a", 0) } else { ("b", 1) };
        assert_eq!(
            one.cause,
            format!("scheduled action name {name} was triggered")
        );
        let due = START.minute() + 1 + i64::try_from(i / 2).unwrap();
        late.push((one.start_time.0 - Instant::of_minute(due)).millis() - second * 1000);
    }
    assert!(late.iter().all(|ms| (0..=10_000).contains(ms)), "{late:?}");
    assert!(late.iter().any(|ms| *ms > 0), "{late:?}");
}

#[test]
fn actions_of_one_instant_run_in_one_order() {
    for (order, last) in [(ScheduleOrder::ByName, 5), (ScheduleOrder::ByCreation, 7)] {
        let mut world = with(Options {
            schedule_order: order,
            ..exact()
        });
        plan(&mut world, "b", NINE, bounded(1, 5));
        minutes(&mut world, 1);
        plan(&mut world, "a", NINE, bounded(1, 7));
        to(&mut world, 3660);
        assert_eq!((bounds(&world).1, runs(&world).len()), (last, 2));
    }
}

#[test]
fn cooldowns_do_not_hold_a_run_back() {
    let mut world = world_with(prompt(), &[400.0], 2);
    register(&mut world, 1, 10);
    put(&mut world, &tracking("inv", invocations(100.0, 3600, 3600)));
    // It is in service with more at 12 and again at 19 min, and each began cooldowns of an hour.
    plan(
        &mut world,
        "small",
        "at(2027-01-15T08:20:00)",
        bounded(1, 3),
    );
    plan(
        &mut world,
        "large",
        "at(2027-01-15T08:40:00)",
        bounded(8, 10),
    );
    to(&mut world, 1140);
    let cooling = world.scaling.policies[0]
        .as_ref()
        .unwrap()
        .out_cooldown
        .unwrap();
    assert!(cooling.until > START + Span::from_secs(2400));
    assert_eq!(capacity(&world), (6, 6));
    to(&mut world, 1200);
    assert_eq!(capacity(&world), (6, 3));
    to(&mut world, 2400);
    assert_eq!(capacity(&world), (3, 8));
}

#[test]
fn a_window_begins_with_a_run_and_ends_them() {
    let mut world = plain();
    let at = |seconds: i64| START.millis() / 1000 + seconds;
    let mut members = bounded(1, 8);
    members["StartTime"] = at(930).into();
    members["EndTime"] = at(7200).into();
    plan(&mut world, "hourly", "cron(0 * * * ? *)", members);
    to(&mut world, 20_000);
    let expect = [
        (930, "Successful"),
        (3600, "Successful"),
        (7200, "Successful"),
    ];
    assert_eq!(runs(&world), expect);
    assert_eq!(listed(&world).len(), 1, "it is over and still there");
}

#[test]
fn a_rate_runs_when_it_is_made_and_keeps_its_phase() {
    let mut world = plain();
    to(&mut world, 20);
    plan(&mut world, "often", "rate(10 minutes)", bounded(1, 8));
    to(&mut world, 700);
    assert_eq!(runs(&world), [(20, "Successful"), (620, "Successful")]);
    // Put again as it is, also with other bounds, it goes on as it was.
    plan(&mut world, "often", "rate(10 minutes)", bounded(1, 7));
    to(&mut world, 1300);
    assert_eq!((runs(&world).len(), bounds(&world)), (3, (1, 7)));
    // Another rate begins anew.
    plan(&mut world, "often", "rate(5 minutes)", bounded(1, 6));
    to(&mut world, 1650);
    let seconds: Vec<i64> = runs(&world).iter().map(|r| r.0).collect();
    assert_eq!(seconds, [20, 620, 1220, 1300, 1600]);
}

#[test]
fn cron_begins_after_its_creation_and_within_the_minute_if_it_can() {
    let mut world = plain();
    to(&mut world, 60);
    plan(&mut world, "minutely", "cron(* * * * ? *)", bounded(1, 8));
    plan(&mut world, "late", "cron(50 * * * * ? *)", bounded(1, 8));
    to(&mut world, 119);
    assert_eq!(runs(&world), [(110, "Successful")]);
    to(&mut world, 120);
    assert_eq!(runs(&world).len(), 2);
}

#[test]
fn what_ran_once_stays_listed_unless_the_world_purges() {
    let once = "at(2027-01-15T09:00:00)";
    for (kept, left) in [(None, 1), (Some(Span::from_secs(86_400)), 0)] {
        let mut world = with(Options {
            expired_actions_kept: kept,
            ..prompt()
        });
        plan(&mut world, "once", once, bounded(2, 8));
        plan(&mut world, "past", "at(2020-01-01T00:00:00)", bounded(3, 3));
        to(&mut world, 3600);
        assert_eq!(runs(&world).len(), 1);
        to(&mut world, 20 * 3600);
        assert!(
            listed(&world)
                .iter()
                .any(|a| a.scheduled_action_name == "once")
        );
        to(&mut world, 30 * 3600);
        let names: Vec<String> = listed(&world)
            .into_iter()
            .map(|a| a.scheduled_action_name)
            .collect();
        assert_eq!(names.iter().filter(|n| *n == "once").count(), left);
        assert_eq!((runs(&world).len(), bounds(&world)), (1, (2, 8)));
    }
}

#[test]
fn bounds_that_sagemaker_can_not_serve_fail_with_the_change() {
    let mut world = plain();
    plan(&mut world, "off", NINE, bounded(0, 0));
    to(&mut world, 3600);
    let shown = activities(&world);
    assert_eq!((bounds(&world), capacity(&world)), ((0, 0), (2, 2)));
    assert_eq!(shown[0].description, "Setting desired instance count to 0.");
    assert_eq!(
        (shown[0].status_code, shown[1].status_code),
        ("Failed", "Successful")
    );

    let mut world = empty();
    let id = "endpoint/tiny/variant/AllTraffic";
    let tiny = Hosting::Serverless(Serverless {
        max_concurrency: 5,
        provisioned: Some(2),
        memory_mb: 2048,
    });
    let setup = kinds::endpoint("tiny", 2, kinds::steady(0.0));
    world.add_endpoint_with(&setup, &extras(tiny));
    world
        .register_scalable_target(&target(id, kinds::CONCURRENCY, 1, 5))
        .unwrap();
    let mut request = action("up", NINE, bounded(6, 9));
    request.resource_id = Some(id.to_owned());
    request.scalable_dimension = Some(kinds::CONCURRENCY.to_owned());
    world.put_scheduled_action(&request).unwrap();
    to(&mut world, 3660);
    assert_eq!(world.instances("tiny", "AllTraffic"), Some((2, 2)));
    assert_eq!(activities(&world)[0].status_code, "Failed");
}

#[test]
fn seeds_decide_the_lateness_and_two_worlds_are_alike() {
    let run = || {
        let mut world = with(exact());
        plan(&mut world, "often", "rate(7 minutes)", bounded(3, 8));
        plan(&mut world, "daily", "cron(0/15 * * * ? *)", bounded(1, 9));
        to(&mut world, 86_400);
        world.timeline()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_run_that_fails_moves_nothing() {
    let mut world = plain();
    let by_hand = json!({
        "EndpointName": "chat",
        "DesiredWeightsAndCapacities": [{"VariantName": "AllTraffic", "DesiredInstanceCount": 12}],
    });
    let by_hand = serde_json::from_value(by_hand).unwrap();
    world
        .update_endpoint_weights_and_capacities(&by_hand)
        .unwrap();
    plan(
        &mut world,
        "collides",
        NINE,
        json!({"ScalableTargetAction": {"MinCapacity": 11}}),
    );
    plan(
        &mut world,
        "fits",
        "cron(0 10 * * ? *)",
        json!({"ScalableTargetAction": {"MinCapacity": 2}}),
    );
    to(&mut world, 3660);
    assert_eq!((runs(&world).len(), capacity(&world)), (1, (12, 12)));
    // The bounds are those that there were, and a run that works pulls into them.
    to(&mut world, 7200);
    assert_eq!((bounds(&world), capacity(&world)), ((2, 10), (12, 10)));
}
