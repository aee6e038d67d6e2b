//! Schedules: bounds change at their instant, whoever died in between, and nothing is ever fought over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel::domain::*;
use evenkeel::ports::ErrorKind;

use crate::world::{World, resource, scope};

const WORLD: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }]
    traffic: { steady: 400 }
    exact: true
";

/// The world begins at 2026-11-23 06:00 UTC, a Monday: 07:00 in Berlin.
const CONFIG: &str = "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 8 }
    schedules:
      - { name: morning, cron: '0 8 ? * MON-FRI *', timezone: Europe/Berlin, bounds: { min: 4, max: 12 } }
      - { name: evening, cron: '0 20 * * ? *', timezone: Europe/Berlin, bounds: { min: 1, max: 6 } }
      - { name: launch, window: { from: '2026-11-23T12:00', until: '2026-11-23T13:30' }, timezone: Europe/Berlin,
          bounds: { min: 9 } }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
";

fn chat() -> TargetId {
    resource("chat").parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The bounds at an instant, by hand.
fn due(now: DateTime<Utc>) -> (u32, u32) {
    if now >= at("2026-11-23T11:00:00Z") && now < at("2026-11-23T12:30:00Z") {
        (9, 12)
    } else if now >= at("2026-11-23T07:00:00Z") && now < at("2026-11-23T19:00:00Z") {
        (4, 12)
    } else {
        (1, 6)
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_change_at_their_instant_and_nothing_is_drift() {
    let world = World::new(WORLD, CONFIG);
    let during = world.run_for(Duration::from_hours(16));
    let looks = async {
        for edge in ["07:00", "11:00", "12:30", "19:00"] {
            let edge = at(&format!("2026-11-23T{edge}:00Z"));
            for (off, span) in [
                (edge - TimeDelta::seconds(2), "before"),
                (edge + TimeDelta::seconds(1), "after"),
            ] {
                let wait = (off - world.clock.now()).to_std().unwrap();
                world.clock.sleep(wait).await;
                assert_eq!(world.bounds("chat"), Some(due(off)), "{edge} {span}");
            }
        }
    };
    tokio::join!(during, looks);
    // Registering, its policy, and the four changes.
    assert_eq!(world.faults.writes.load(Ordering::SeqCst), 6);
    assert_eq!(world.events.count("was_converged=true"), 0);
    assert_eq!(world.events.count("mends=true"), 0);
    assert_eq!(world.events.count("conflict"), 0);
    let snapshot = world.snapshot();
    let target = &snapshot.scopes[&scope()].targets[&chat()];
    assert_eq!(
        target.effective.min_source.to_string(),
        "schedule `evening`"
    );
    assert_eq!(target.next_change, Some(at("2026-11-24T07:00:00Z")));
    for line in ["07:00", "11:00", "12:30", "19:00"] {
        let line = format!("scheduled: {}: {line} applied after 0", chat());
        assert_eq!(world.events.count(&line), 1, "{line}");
    }
    assert_eq!(world.events.count("scheduled: "), 4);
    let last = target.last_change.as_ref().unwrap();
    assert_eq!(last.outcome, ScheduleOutcome::Applied);
    assert_eq!(last.due, at("2026-11-23T19:00:00Z"));
}

/// What can not be written at its instant is told once, and again when it is done, late or never.
#[tokio::test(start_paused = true)]
async fn a_change_that_fails_is_told_and_its_lateness_counted() {
    let world = World::new(WORLD, CONFIG);
    let denied = async {
        world.clock.sleep(Duration::from_mins(59)).await;
        world
            .faults
            .fail("RegisterScalableTarget", ErrorKind::Denied);
        world.clock.sleep(Duration::from_mins(30)).await;
        let snapshot = world.snapshot();
        let last = &snapshot.scopes[&scope()].targets[&chat()].last_change;
        assert_eq!(last.as_ref().unwrap().outcome, ScheduleOutcome::Failed);
        world.faults.heal();
        world.clock.sleep(Duration::from_hours(1)).await;
        world
            .faults
            .fail("RegisterScalableTarget", ErrorKind::Denied);
    };
    tokio::join!(world.run_for(Duration::from_hours(7)), denied);
    assert_eq!(world.events.count("07:00 failed after 0"), 1);
    assert_eq!(world.events.count("07:00 failed"), 1);
    assert_eq!(world.events.count("07:00 applied after"), 1);
    assert_eq!(world.events.count("11:00 failed after 0"), 1);
    assert_eq!(
        world.events.count("11:00 missed after 5400"),
        1,
        "the window closed before it was open in AWS"
    );
}

/// A scheduled action in AWS that does the same is no drift, and nothing to write.
#[tokio::test(start_paused = true)]
async fn who_was_quicker_is_found() {
    let world = World::new(WORLD, CONFIG);
    let quicker = async {
        let edge = at("2026-11-23T07:00:00Z") - world.clock.now() - TimeDelta::seconds(1);
        world.clock.sleep(edge.to_std().unwrap()).await;
        world
            .faults
            .fail("RegisterScalableTarget", ErrorKind::Denied);
        world.clock.sleep(Duration::from_secs(5)).await;
        world.register("chat", 4, 12);
        world.faults.heal();
    };
    tokio::join!(world.run_for(Duration::from_mins(90)), quicker);
    assert_eq!(world.events.count("07:00 found after"), 1);
    assert_eq!(world.events.count("07:00 applied"), 0);
    assert_eq!(world.bounds("chat"), Some((4, 12)));
}

/// A process that starts at any minute around a firing does what one that never stopped would have done.
#[tokio::test(start_paused = true)]
async fn whoever_starts_when_is_right_at_once() {
    let world = World::new(WORLD, CONFIG);
    for _ in 0..24 * 12 {
        world.pass().await;
        assert_eq!(
            world.bounds("chat"),
            Some(due(world.clock.now())),
            "{}",
            world.clock.now()
        );
        world.clock.sleep(Duration::from_mins(5)).await;
    }
}

/// Clocks go forward in New York on 2027-03-14 at 02:00, and back on 2026-11-01. Restarts at every minute around that.
#[tokio::test(start_paused = true)]
async fn the_night_of_a_change_of_the_clock_is_like_any_other() {
    let schedules: Vec<(DateTime<Utc>, &str)> = vec![
        // 01:30 comes twice, and fires once, at the first.
        (at("2026-11-01T05:30:00Z"), "30 1 * * ? *"),
        // 02:30 does not exist, and the day passes without a firing.
        (at("2027-03-15T06:30:00Z"), "30 2 * * ? *"),
    ];
    for (fires, cron) in schedules {
        let schedule = Schedule {
            name: "s".parse().unwrap(),
            when: When::Fires(Expression::parse(cron).unwrap()),
            zone: "America/New_York".parse().unwrap(),
            is_zone_assumed: false,
            min: Capacity::new(5),
            max: None,
            lead: TimeDelta::zero(),
            except: std::collections::BTreeSet::new(),
            start: None,
            end: None,
            runner: Runner::Daemon,
            adopted_action: None,
        };
        let before = fires - TimeDelta::hours(20);
        let next = schedule.next_fires(before).unwrap();
        assert_eq!(next, fires, "{cron}");
        // From any minute the next change is that one, and after it that one was the last.
        for minute in 0..20 * 60 {
            assert_eq!(
                schedule.next_change(before + TimeDelta::minutes(minute)),
                Some(fires)
            );
        }
        for minute in 0..120 {
            assert_eq!(
                schedule.last_fired(fires + TimeDelta::minutes(minute)),
                Some(fires)
            );
        }
    }
}

/// An override holds over what schedules set meanwhile, and gives way to what they set last.
#[tokio::test(start_paused = true)]
async fn an_override_stands_above_schedules_and_ends_in_theirs() {
    let world = World::new(WORLD, CONFIG);
    world.pass().await;
    let over = Override {
        min: Capacity::new(7),
        max: None,
        before: Bounds::new(Capacity::new(1).unwrap(), Capacity::new(6).unwrap()).unwrap(),
    };
    let now = world.clock.now();
    let lease = Lease {
        what: over,
        by: "alice".to_owned(),
        reason: "launch".to_owned(),
        since: now,
        until: now + TimeDelta::hours(2),
    };
    let name = lease_marker(&OwnerName::default(), MarkerKind::Override, &chat());
    let alarms = world.faults.ports().alarms;
    alarms.put_marker(&name, &lease.describe()).await.unwrap();
    world.run_for(Duration::from_mins(30)).await;
    assert_eq!(
        world.bounds("chat"),
        Some((7, 7)),
        "the maximum, 6, comes along"
    );
    world.run_for(Duration::from_hours(1)).await;
    assert_eq!(
        world.bounds("chat"),
        Some((7, 12)),
        "what fired meanwhile sets the other end"
    );
    world.run_for(Duration::from_mins(31)).await;
    assert_eq!(world.bounds("chat"), Some((4, 12)));
}

/// Someone who sets bounds by hand is corrected to what is due now, not to the config's base.
#[tokio::test(start_paused = true)]
async fn a_change_by_hand_is_mended_to_what_is_due() {
    let world = World::new(WORLD, CONFIG);
    let someone = async {
        world.clock.sleep(Duration::from_mins(90)).await;
        // Capacity stays where it is, so the endpoint is not busy when it is seen.
        world.register("chat", 4, 9);
    };
    tokio::join!(world.run_for(Duration::from_mins(100)), someone);
    assert_eq!(world.bounds("chat"), Some((4, 12)));
    assert_eq!(world.events.count("bounds was_converged=true"), 1);
}

/// Who looks at the plan before the evening sees what the evening takes away.
#[tokio::test(start_paused = true)]
async fn what_a_schedule_is_about_to_take_away_is_told() {
    let config = CONFIG.replace("min: 1, max: 6", "min: 1, max: 3");
    let world = World::new(WORLD, &config);
    world.run_for(Duration::from_hours(2)).await;
    let snapshot = world.snapshot();
    let target = snapshot.scopes[&scope()].targets[&chat()].clone();
    let told: Vec<_> = target.findings.iter().map(|f| f.what.as_str()).collect();
    assert!(
        !told.iter().any(|what| what.contains("would go")),
        "the window comes first: {told:?}"
    );
    world.run_for(Duration::from_hours(5)).await;
    let snapshot = world.snapshot();
    let target = snapshot.scopes[&scope()].targets[&chat()].clone();
    let found: Vec<_> = target
        .findings
        .iter()
        .filter(|f| f.rule == Rule::ScheduleTakesAway)
        .collect();
    assert_eq!(
        found.first().map(|f| f.what.as_str()),
        Some(
            "at 2026-11-23T19:00:00Z schedule `evening` sets the maximum to 3, and 4 are wanted now: 1 would go"
        )
    );
}

/// A fleet that is meant to shrink every evening does; one that an edit of the config would shrink does not.
#[tokio::test(start_paused = true)]
async fn an_evening_is_no_accident_and_an_edit_may_be_one() {
    let names = ["a", "b", "c", "d", "e"];
    let endpoint = |name: &str| {
        format!(
            "  - {{ name: {name}, variants: [{{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2 }}] }}\n"
        )
    };
    let target = |evening: u32| {
        move |name: &&str| {
            format!(
                "  - endpoint: {name}\n    variant: AllTraffic\n    bounds: {{ min: 1, max: 8 }}\n\
                 \x20   schedules:\n      \
                 - {{ name: up, cron: '0 7 * * ? *', timezone: UTC, bounds: {{ max: 8 }} }}\n      \
                 - {{ name: down, cron: '0 19 * * ? *', timezone: UTC, bounds: {{ max: {evening} }} }}\n"
            )
        }
    };
    let config = |evening: u32| {
        let targets: String = names.iter().map(target(evening)).collect();
        format!("targets:\n{targets}")
    };
    let world: String = names.iter().map(|name| endpoint(name)).collect();
    let world = World::new(&format!("endpoints:\n{world}"), &config(4));
    world.run_for(Duration::from_hours(12)).await;
    assert_eq!(world.bounds("a"), Some((1, 8)));
    world.run_for(Duration::from_mins(90)).await;
    for name in names {
        assert_eq!(world.bounds(name), Some((1, 4)), "{name}");
    }
    world.reload(&config(2));
    world.run_for(Duration::from_mins(10)).await;
    assert_eq!(
        world.bounds("a"),
        Some((1, 4)),
        "all five at once by an edit is refused"
    );
}
