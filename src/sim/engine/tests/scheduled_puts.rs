//! Scheduled actions: what puts, deletions and listings make of them.

use super::schedules::{
    NINE, action, bounded, bounds, listed, plain, plan, prompt, runs, to, with,
};
use super::*;

fn refusal(world: &mut World, request: &PutScheduledAction) -> String {
    world.put_scheduled_action(request).unwrap_err().to_string()
}

#[test]
fn an_update_keeps_what_it_leaves_out_but_not_the_window() {
    let mut world = plain();
    let mut members = bounded(2, 8);
    members["Timezone"] = "Europe/Berlin".into();
    members["StartTime"] = (START.millis() / 1000 + 600).into();
    members["EndTime"] = (START.millis() / 1000 + 900).into();
    plan(&mut world, "day", NINE, members);
    let first = listed(&world).remove(0);
    assert!(first.start_time.is_some() && first.end_time.is_some());
    let uuid_of_target = &world.scaling.targets[0].as_ref().unwrap().uuid;
    assert_eq!(
        first.arn,
        format!(
            "arn:aws:autoscaling:us-east-1:123456789012:scheduledAction:{uuid_of_target}:resource/sagemaker/\
             {RESOURCE}:scheduledActionName/day"
        )
    );
    minutes(&mut world, 1);
    let mut update = action("day", NINE, json!({}));
    update.schedule = None;
    world.put_scheduled_action(&update).unwrap();
    let second = listed(&world).remove(0);
    assert_eq!((second.start_time, second.end_time), (None, None));
    assert_eq!(second.schedule, NINE);
    assert_eq!(second.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(second.scalable_target_action, first.scalable_target_action);
    assert_eq!(
        (second.arn, second.creation_time),
        (first.arn, first.creation_time)
    );
    // 09:00 in Berlin is 08:00 here, and over; the window that was dropped gives no run.
    to(&mut world, 3600);
    assert_eq!(runs(&world), []);
}

#[test]
fn bounds_are_replaced_whole_unless_the_world_merges_them() {
    for (merge, max) in [(false, None), (true, Some(8))] {
        let mut world = with(Options {
            scheduled_bounds_merge: merge,
            ..prompt()
        });
        plan(&mut world, "day", NINE, bounded(2, 8));
        plan(
            &mut world,
            "day",
            NINE,
            json!({"ScalableTargetAction": {"MinCapacity": 3}}),
        );
        let shown = listed(&world).remove(0).scalable_target_action;
        assert_eq!((shown.min_capacity, shown.max_capacity), (Some(3), max));
    }
}

#[test]
fn what_was_due_of_an_action_that_is_gone_or_changed_does_not_run() {
    let late = Options {
        schedule_lateness: SpanRange::secs(8, 8),
        ..exact()
    };
    let delete = || -> DeleteScheduledAction {
        serde_json::from_value(json!({
            "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
            "ScheduledActionName": "day",
        }))
        .unwrap()
    };
    let mut world = with(late.clone());
    plan(&mut world, "day", NINE, bounded(2, 8));
    to(&mut world, 3603);
    world.delete_scheduled_action(&delete()).unwrap();
    plan(&mut world, "day", NINE, bounded(2, 7));
    to(&mut world, 3700);
    assert_eq!((runs(&world), bounds(&world)), (vec![], (1, 10)));
    world.delete_scheduled_action(&delete()).unwrap();
    assert_eq!(
        world.delete_scheduled_action(&delete()).unwrap_err().code,
        "ObjectNotFoundException"
    );

    let mut world = with(late);
    plan(&mut world, "day", NINE, bounded(2, 8));
    to(&mut world, 3603);
    plan(&mut world, "day", NINE, bounded(2, 7));
    to(&mut world, 3700);
    assert_eq!(
        bounds(&world),
        (2, 7),
        "the same schedule: it runs, as it is now"
    );
}

#[test]
fn actions_go_with_their_target_and_their_endpoint() {
    let mut world = plain();
    plan(&mut world, "day", NINE, bounded(4, 12));
    let ids = json!({
        "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": INSTANCES,
    });
    world
        .deregister_scalable_target(&serde_json::from_value(ids).unwrap())
        .unwrap();
    assert!(listed(&world).is_empty());
    register(&mut world, 1, 10);
    to(&mut world, 3660);
    assert_eq!(runs(&world), []);
    plan(&mut world, "day", NINE, bounded(4, 12));
    let name = EndpointNameOnly {
        endpoint_name: Some("chat".to_owned()),
    };
    world.delete_endpoint(&name).unwrap();
    assert!(listed(&world).is_empty());
    to(&mut world, 30 * 3600);
    assert_eq!(runs(&world), []);
}

#[test]
fn what_put_refuses() {
    let mut world = world_with(prompt(), &[0.0], 2);
    let fine = action("day", NINE, bounded(1, 4));
    let told = refusal(&mut world, &fine);
    assert!(
        told.starts_with("ObjectNotFoundException: No scalable target found"),
        "{told}"
    );
    register(&mut world, 1, 10);
    let day = |members: serde_json::Value| action("day", NINE, members);
    let mut no_schedule = fine.clone();
    no_schedule.schedule = None;
    let window = |start: i64, end: i64| {
        let mut members = bounded(1, 4);
        members["StartTime"] = start.into();
        members["EndTime"] = end.into();
        day(members)
    };
    let zone = |name: &str| {
        let mut members = bounded(1, 4);
        members["Timezone"] = name.into();
        day(members)
    };
    let wrong = [
        ("Schedule is required", no_schedule),
        ("ScalableTargetAction is required", day(json!({}))),
        (
            "must have a MinCapacity or a MaxCapacity",
            day(json!({"ScalableTargetAction": {}})),
        ),
        ("must not be negative", day(bounded(-1, 4))),
        ("cannot be greater than maximum", day(bounded(5, 4))),
        (
            "StartTime must be before EndTime",
            window(1_900_000_000, 1_900_000_000),
        ),
        ("not the name of a time zone", zone("+02:00")),
        ("at 'timezone'", zone("")),
        (
            "six fields",
            action("day", "cron(0 8 * * *)", bounded(1, 4)),
        ),
        ("at 'schedule'", action("day", "", bounded(1, 4))),
        ("at 'scheduledActionName'", action("", NINE, bounded(1, 4))),
        (
            "at 'scheduledActionName'",
            action("a:b", NINE, bounded(1, 4)),
        ),
        (
            "at 'scheduledActionName'",
            action("a|b", NINE, bounded(1, 4)),
        ),
        (
            "at 'scheduledActionName'",
            action("a/b", NINE, bounded(1, 4)),
        ),
        (
            "at 'scheduledActionName'",
            action("a ", NINE, bounded(1, 4)),
        ),
        (
            "at 'scheduledActionName'",
            action("a\u{7f}b", NINE, bounded(1, 4)),
        ),
        (
            "at 'scheduledActionName'",
            action(&"x".repeat(257), NINE, bounded(1, 4)),
        ),
    ];
    for (part, request) in wrong {
        let told = refusal(&mut world, &request);
        assert!(
            told.starts_with("ValidationException: ") && told.contains(part),
            "{told}"
        );
    }
    assert!(listed(&world).is_empty(), "nothing came of any of them");
    plan(&mut world, "a b.ü", NINE, bounded(0, 0));
}

#[test]
fn two_hundred_actions_are_the_limit_and_come_in_pages() {
    let mut world = plain();
    for i in 0..200 {
        plan(&mut world, &format!("{i:03}"), NINE, bounded(1, 10));
    }
    let told = refusal(&mut world, &action("one more", NINE, bounded(1, 10)));
    assert!(told.starts_with("LimitExceededException"), "{told}");
    plan(&mut world, "199", NINE, bounded(1, 9));
    let mut request = DescribeScheduledActions {
        service_namespace: Some("sagemaker".to_owned()),
        ..DescribeScheduledActions::default()
    };
    let mut names = Vec::new();
    loop {
        let page = world.describe_scheduled_actions(&request).unwrap();
        assert_eq!(page.scheduled_actions.len(), 50);
        names.extend(
            page.scheduled_actions
                .into_iter()
                .map(|a| a.scheduled_action_name),
        );
        request.next_token = page.next_token;
        if request.next_token.is_none() {
            break;
        }
    }
    let all: Vec<String> = (0..200).map(|i| format!("{i:03}")).collect();
    assert_eq!(names, all);
}

#[test]
fn listings_can_be_narrowed() {
    let mut world = plain();
    plan(&mut world, "a", NINE, bounded(1, 10));
    plan(&mut world, "b", NINE, bounded(1, 10));
    let list = |members: serde_json::Value| {
        let mut request = json!({"ServiceNamespace": "sagemaker"});
        request
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let request = serde_json::from_value(request).unwrap();
        world
            .describe_scheduled_actions(&request)
            .map(|r| r.scheduled_actions.len())
    };
    assert_eq!(list(json!({"ScheduledActionNames": ["b", "c"]})), Ok(1));
    assert_eq!(
        list(json!({"ResourceId": RESOURCE, "ScalableDimension": INSTANCES})),
        Ok(2)
    );
    assert_eq!(
        list(json!({"ResourceId": "endpoint/other/variant/v"})),
        Ok(0)
    );
    assert_eq!(
        list(json!({"NextToken": "none"})).unwrap_err().code,
        "InvalidNextTokenException"
    );
    for wrong in [
        json!({"MaxResults": 51}),
        json!({"ScalableDimension": INSTANCES}),
    ] {
        assert_eq!(list(wrong).unwrap_err().code, "ValidationException");
    }
}

#[test]
fn a_target_that_is_just_registered_may_not_be_seen_yet() {
    let mut world = with(Options {
        registration_lag: Span::from_secs(5),
        ..prompt()
    });
    let told = refusal(&mut world, &action("day", NINE, bounded(1, 4)));
    assert!(told.starts_with("ObjectNotFoundException"), "{told}");
    to(&mut world, 5);
    plan(&mut world, "day", NINE, bounded(1, 4));
}
