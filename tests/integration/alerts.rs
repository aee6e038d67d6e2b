//! Alerts: each with its cause in the world, and quiet without it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel::domain::*;
use evenkeel::ports::{ErrorKind, PostFault, Poster, Secret};
use evenkeel::runtime::Sender;
use evenkeel::sim::engine::Span;
use evenkeel::sim::wire::Service;
use serde_json::{Value, json};

use crate::world::{INSTANCES, World, request, resource, scope};

const WORLD: &str = "
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }]
    traffic: { steady: 500 }
    exact: true
";

const TRACKING: &str = "{ target_tracking: { metric: invocations_per_instance, target: 300, scale_out_cooldown: 1m } }";

fn config(policies: &str, bounds: &str) -> String {
    format!(
        "targets:\n  - {{ endpoint: chat, variant: AllTraffic, bounds: {bounds}, policies: [{policies}] }}\n"
    )
}

fn chat() -> TargetId {
    resource("chat").parse().unwrap()
}

async fn minutes(world: &World, n: u64) {
    world.clock.sleep(Duration::from_mins(n)).await;
}

fn state(world: &World, kind: AlertKind, subject: Subject) -> Option<(AlertState, Alert)> {
    let snapshot = world.snapshot();
    let alert = snapshot.scopes[&scope()]
        .alerts
        .get(&AlertKey { kind, subject })?
        .clone();
    Some((alert.state, alert))
}

fn of_chat(world: &World, kind: AlertKind) -> Option<Alert> {
    state(world, kind, Subject::Target(chat())).map(|(_, alert)| alert)
}

fn is_firing(world: &World, kind: AlertKind) -> bool {
    of_chat(world, kind).is_some_and(|alert| matches!(alert.state, AlertState::Firing { .. }))
}

/// How often an alert began to fire.
fn fired(world: &World, kind: AlertKind) -> usize {
    world.events.count(&format!(": {kind} firing: "))
}

/// Which alerts ever fired.
fn all_fired(world: &World) -> Vec<AlertKind> {
    let kinds = AlertKind::ALL.into_iter();
    kinds.filter(|kind| fired(world, *kind) > 0).collect()
}

/// A day with its wave: nothing is wrong, and nobody is told anything.
#[tokio::test(start_paused = true)]
async fn a_day_like_any_other_is_quiet() {
    let day = WORLD
        .replace(
            "{ steady: 500 }",
            "{ daily: { low: 450, high: 1600, peak_at: '14:00' } }",
        )
        .replace("    exact: true\n", "");
    // It hunts a little where an instance more is too much and one less too little; that is not thrashing yet.
    let world = World::new(&day, &config(TRACKING, "{ min: 2, max: 8 }"));
    world.run_for(Duration::from_hours(24)).await;
    assert_eq!(all_fired(&world), [], "{:?}", world.events.told());
}

#[tokio::test(start_paused = true)]
async fn at_the_maximum_and_wanting_more_fires_with_numbers_and_resolves() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 3 }"));
    let script = async {
        minutes(&world, 5).await;
        world.set_load("chat", 1500.0);
        minutes(&world, 40).await;
        let alert = of_chat(&world, AlertKind::MaxCapacitySaturated).unwrap();
        assert!(matches!(alert.state, AlertState::Firing { .. }));
        assert_eq!(
            alert.reason,
            "at the maximum, 3, and 5 are wanted: 2 are missing (policy \
             `evenkeel-invocations_per_instance` is at 167 % of its target)"
        );
        let at_max = of_chat(&world, AlertKind::AtMaxCapacity).unwrap();
        assert_eq!(at_max.inhibited_by, Some(AlertKind::MaxCapacitySaturated));
        // Just below the target: at the maximum, and content.
        world.set_load("chat", 840.0);
        minutes(&world, 15).await;
        assert!(!is_firing(&world, AlertKind::MaxCapacitySaturated));
    };
    tokio::join!(world.run_for(Duration::from_mins(65)), script);
    assert_eq!(fired(&world, AlertKind::MaxCapacitySaturated), 1);
    assert_eq!(world.events.count("MaxCapacitySaturated resolved"), 1);
}

/// The load goes over the target and back below it every few minutes: one alert, not ten.
#[tokio::test(start_paused = true)]
async fn on_the_boundary_nothing_flaps() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 3 }"));
    let script = async {
        world.set_load("chat", 1200.0);
        minutes(&world, 20).await;
        for _ in 0..20 {
            world.set_load("chat", 890.0);
            minutes(&world, 4).await;
            world.set_load("chat", 960.0);
            minutes(&world, 5).await;
        }
    };
    tokio::join!(world.run_for(Duration::from_mins(200)), script);
    assert_eq!(fired(&world, AlertKind::MaxCapacitySaturated), 1);
    assert_eq!(world.events.count("MaxCapacitySaturated resolved"), 0);
}

/// Whoever starts in the middle of it knows at once: AWS says since when.
#[tokio::test(start_paused = true)]
async fn a_restart_finds_what_is_wrong_again() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 3 }"));
    world.set_load("chat", 1500.0);
    world.run_for(Duration::from_mins(40)).await;
    let before = of_chat(&world, AlertKind::MaxCapacitySaturated).unwrap();
    world.run_for(Duration::from_mins(1)).await;
    let after = of_chat(&world, AlertKind::MaxCapacitySaturated).unwrap();
    assert!(matches!(after.state, AlertState::Firing { .. }));
    assert_eq!(after.since, before.since);
}

#[tokio::test(start_paused = true)]
async fn a_rise_that_will_reach_the_maximum_is_foreseen() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    let script = async {
        minutes(&world, 5).await;
        for step in 0..45_u8 {
            world.set_load("chat", 600.0 + 40.0 * f64::from(step));
            minutes(&world, 1).await;
            if is_firing(&world, AlertKind::SaturationPredicted) {
                return 600.0 + 40.0 * f64::from(step);
            }
        }
        panic!("never foreseen: {:?}", world.events.told());
    };
    let (seen_at, ()) = tokio::join!(script, world.run_for(Duration::from_mins(55)));
    assert!(
        seen_at < 2200.0,
        "before the 2400 of 8 instances: {seen_at}"
    );
    let alert = of_chat(&world, AlertKind::SaturationPredicted);
    assert!(alert.is_none_or(|alert| alert.reason.contains("the maximum is reached in")));
}

#[tokio::test(start_paused = true)]
async fn refusals_of_aws_are_told_in_plain_words() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    let script = async {
        minutes(&world, 5).await;
        world.aws(|engine| engine.set_quota("ml.m5.xlarge", Some(3)));
        world.set_load("chat", 1500.0);
        minutes(&world, 15).await;
        let alert = of_chat(&world, AlertKind::ScalingFailed).unwrap();
        let cause = alert.cause.unwrap();
        assert!(
            cause.starts_with(
                "a quota of the account: ml.m5.xlarge for endpoint usage (limit 3, in use 2, "
            ),
            "{cause}"
        );
        world.aws(|engine| {
            engine.set_quota("ml.m5.xlarge", None);
            engine.set_shortage("ml.m5.xlarge", true);
        });
        minutes(&world, 30).await;
        let alert = of_chat(&world, AlertKind::ScalingFailed).unwrap();
        let cause = alert.cause.unwrap();
        assert!(cause.contains("no machines of this type"), "{cause}");
        world.aws(|engine| engine.set_shortage("ml.m5.xlarge", false));
        minutes(&world, 30).await;
        assert!(!is_firing(&world, AlertKind::ScalingFailed));
    };
    tokio::join!(world.run_for(Duration::from_mins(82)), script);
    assert_eq!(
        fired(&world, AlertKind::ScalingFailed),
        1,
        "one story, one alert"
    );
}

#[tokio::test(start_paused = true)]
async fn thrashing_names_its_cause() {
    // Two step policies that take away what the other one adds.
    let step = |name: &str, comparison: &str, threshold: u32, adjust: i32| {
        format!(
            "{{ name: {name}, step: {{ cooldown: 0s, steps: [{{ {}: 0, adjust: {adjust} }}], alarm: {{ metric: \
             {{ namespace: AWS/SageMaker, name: Invocations, statistic: Sum, dimensions: {{ EndpointName: chat, \
             VariantName: AllTraffic }} }}, threshold: {threshold}, comparison: \"{comparison}\", periods: 1 }} }} }}",
            if adjust > 0 { "from" } else { "to" }
        )
    };
    let policies = format!(
        "{}, {}",
        step("grow", ">", 800, 2),
        step("shrink", "<", 400, -2)
    );
    let bursts = WORLD.replace(
        "{ steady: 500 }",
        "{ bursts: { base: 200, burst: 1500, every: 24m, lasting: 12m } }",
    );
    let world = World::new(&bursts, &config(&policies, "{ min: 1, max: 6 }"));
    world.run_for(Duration::from_mins(150)).await;
    let alert = of_chat(&world, AlertKind::Thrashing).unwrap();
    assert!(
        matches!(alert.state, AlertState::Firing { .. }),
        "{alert:?}"
    );
    assert!(
        alert.reason.contains("times within the hour"),
        "{}",
        alert.reason
    );
    assert_eq!(
        alert.cause.unwrap(),
        "two policies at odds: `grow` adds what `shrink` takes away"
    );
    assert_eq!(fired(&world, AlertKind::Thrashing), 1);
}

#[tokio::test(start_paused = true)]
async fn what_people_do_behind_ones_back_is_told() {
    // Whoever observes does not mend, so it stays.
    let observe = format!(
        "daemon: {{ mode: observe }}\n{}",
        config(TRACKING, "{ min: 1, max: 8 }")
    );
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    world.run_for(Duration::from_mins(5)).await;
    world.reload(&observe);
    let script = async {
        minutes(&world, 2).await;
        let alarms = world.call(Service::CloudWatch, "DescribeAlarms", json!({}));
        let name = alarms["MetricAlarms"][0]["AlarmName"].clone();
        world.call(
            Service::CloudWatch,
            "DisableAlarmActions",
            json!({ "AlarmNames": [name] }),
        );
        let query = request(json!({
            "ServiceNamespace": "sagemaker", "ResourceId": resource("chat"), "ScalableDimension": INSTANCES,
            "SuspendedState": { "DynamicScalingOutSuspended": true },
        }));
        world.aws(|aws| aws.register_scalable_target(&query).unwrap());
        minutes(&world, 6).await;
        assert!(is_firing(&world, AlertKind::AlarmTampered));
        assert!(
            !is_firing(&world, AlertKind::ScalingSuspended),
            "not for long enough"
        );
        minutes(&world, 20).await;
        assert!(is_firing(&world, AlertKind::ScalingSuspended));
        assert!(
            is_firing(&world, AlertKind::DriftUnresolved),
            "it would put the alarms again"
        );
    };
    tokio::join!(world.run_for(Duration::from_mins(29)), script);
}

#[tokio::test(start_paused = true)]
async fn a_metric_without_data_is_told_and_a_blind_watcher_says_nothing_of_it() {
    let silent = "{ name: queue, target_tracking: { target: 5, \
                  metric: { namespace: App, name: Depth, statistic: Average } } }";
    let world = World::new(WORLD, &config(silent, "{ min: 1, max: 8 }"));
    world.run_for(Duration::from_mins(30)).await;
    let alert = of_chat(&world, AlertKind::MetricsStale).unwrap();
    assert!(matches!(alert.state, AlertState::Firing { .. }));
    assert!(
        alert.reason.contains("`queue` has no data"),
        "{}",
        alert.reason
    );

    let blind = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    let script = async {
        minutes(&blind, 5).await;
        blind.faults.fail("DescribeAlarms", ErrorKind::Denied);
        blind.faults.fail("GetMetricData", ErrorKind::Denied);
        minutes(&blind, 40).await;
        let (state, alert) = state(&blind, AlertKind::EvenkeelUnhealthy, Subject::Scope).unwrap();
        assert!(matches!(state, AlertState::Firing { .. }), "{alert:?}");
        assert!(
            alert.reason.contains("were not read in 5 minutes"),
            "{}",
            alert.reason
        );
        blind.faults.heal();
        minutes(&blind, 5).await;
    };
    tokio::join!(blind.run_for(Duration::from_mins(52)), script);
    assert_eq!(all_fired(&blind), [AlertKind::EvenkeelUnhealthy]);
    assert_eq!(blind.events.count("EvenkeelUnhealthy resolved"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_dropped_the_count_is_told_until_it_is_back() {
    let world = World::new(
        &WORLD
            .replace("instances: 2", "instances: 5")
            .replace("500", "1400"),
        &config(TRACKING, "{ min: 1, max: 8 }"),
    );
    let script = async {
        minutes(&world, 3).await;
        let made = json!({ "EndpointConfigName": "v2", "ProductionVariants": [{
            "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.xlarge",
            "InitialInstanceCount": 1, "InitialVariantWeight": 1.0 }] });
        world.call(Service::SageMaker, "CreateEndpointConfig", made);
        let update = json!({ "EndpointName": "chat", "EndpointConfigName": "v2" });
        world.call(Service::SageMaker, "UpdateEndpoint", update);
        minutes(&world, 17).await;
        let alert = of_chat(&world, AlertKind::CapacityReset).unwrap();
        assert_eq!(
            alert.reason,
            "an update to endpoint config v2 dropped capacity from 5 to 1"
        );
        minutes(&world, 60).await;
    };
    tokio::join!(world.run_for(Duration::from_mins(82)), script);
    assert_eq!(fired(&world, AlertKind::CapacityReset), 1);
    assert!(!is_firing(&world, AlertKind::CapacityReset));
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_never_ends_and_an_endpoint_that_nobody_scales_are_told() {
    let two = format!(
        "{WORLD}  - name: stray\n    variants: [{{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }}]\n"
    );
    let slow = two.replace("start_up: 4m", "start_up: 70m");
    let world = World::new(&slow, &config(TRACKING, "{ min: 1, max: 8 }"));
    let script = async {
        minutes(&world, 5).await;
        world.set_load("chat", 1500.0);
        minutes(&world, 50).await;
        let alert = of_chat(&world, AlertKind::ScalingStuck).unwrap();
        assert!(
            alert.reason.contains("Setting desired instance count to"),
            "{}",
            alert.reason
        );
        let stray = Subject::Endpoint("stray".parse().unwrap());
        let (unmanaged, _) = state(&world, AlertKind::UnmanagedEndpoint, stray).unwrap();
        assert!(matches!(unmanaged, AlertState::Firing { .. }));
    };
    tokio::join!(world.run_for(Duration::from_mins(56)), script);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_not_carried_out_is_told() {
    let scheduled = config(TRACKING, "{ min: 1, max: 8 }").replace(
        "policies:",
        "schedules: [{ name: up, cron: '30 6 * * ? *', timezone: UTC, bounds: { min: 3 } }, \
         { name: down, cron: '0 20 * * ? *', timezone: UTC, bounds: { min: 1 } }], policies:",
    );
    let world = World::new(WORLD, &scheduled);
    let script = async {
        minutes(&world, 29).await;
        world
            .faults
            .fail("RegisterScalableTarget", ErrorKind::Denied);
        minutes(&world, 8).await;
        let alert = of_chat(&world, AlertKind::ScheduleNotApplied).unwrap();
        assert!(matches!(alert.state, AlertState::Firing { .. }));
        assert_eq!(
            alert.reason,
            "bounds 3..8 by schedule `up`, due 2026-11-23 06:30 UTC, could not be set"
        );
        assert!(alert.cause.unwrap().contains("injected denied"));
        world.faults.heal();
        minutes(&world, 20).await;
        assert!(!is_firing(&world, AlertKind::ScheduleNotApplied));
    };
    tokio::join!(world.run_for(Duration::from_mins(58)), script);
}

#[tokio::test(start_paused = true)]
async fn at_zero_with_work_waiting_is_told() {
    let asynchronous = "
endpoints:
  - name: chat
    async: true
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1, start_up: 4m }]
    traffic: { steady: 0 }
    exact: true
";
    // Nothing wakes it: target tracking has no divisor at zero.
    let backlog = "{ name: backlog, target_tracking: { target: 5, metric: { namespace: AWS/SageMaker, \
                   name: ApproximateBacklogSize, statistic: Average, dimensions: { EndpointName: chat } } } }";
    let world = World::new(asynchronous, &config(backlog, "{ min: 0, max: 4 }"));
    let script = async {
        minutes(&world, 90).await;
        let running = world.snapshot().scopes[&scope()].targets[&chat()].running;
        assert_eq!(running.unwrap().current, Some(Capacity::ZERO));
        assert_eq!(fired(&world, AlertKind::StuckAtZero), 0);
        world.aws(|engine| engine.set_shortage("ml.m5.xlarge", true));
        world.set_load("chat", 60.0);
        minutes(&world, 30).await;
        let alert = of_chat(&world, AlertKind::StuckAtZero).unwrap();
        assert!(
            matches!(alert.state, AlertState::Firing { .. }),
            "{alert:?}"
        );
    };
    tokio::join!(world.run_for(Duration::from_mins(122)), script);
}

/// A busy endpoint is not a sick one.
#[tokio::test(start_paused = true)]
async fn maintenance_by_aws_is_no_incident() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 8 }"));
    let script = async {
        minutes(&world, 10).await;
        world.aws(|engine| engine.system_update("chat", Span::from_secs(1800)).unwrap());
    };
    tokio::join!(world.run_for(Duration::from_hours(2)), script);
    assert_eq!(all_fired(&world), []);
}

/// What an Alertmanager was sent, and whether it takes it.
#[derive(Debug, Default)]
struct Receiver {
    down: std::sync::atomic::AtomicBool,
    bodies: std::sync::Mutex<Vec<(String, Value)>>,
}

#[async_trait::async_trait]
impl Poster for Receiver {
    async fn post(
        &self,
        url: &str,
        _token: Option<&Secret>,
        body: String,
    ) -> Result<(), PostFault> {
        if url.contains("one") && self.down.load(Ordering::SeqCst) {
            return Err(PostFault {
                text: "connection refused".to_owned(),
                is_final: false,
            });
        }
        let body = serde_json::from_str(&body).unwrap();
        self.bodies.lock().unwrap().push((url.to_owned(), body));
        Ok(())
    }
}

/// Of two Alertmanagers one is down for an hour while an alert begins: it hears of it when it is back, the other one at
/// once, and both hear of its end.
#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_hears_what_still_fires() {
    let alerting = format!(
        "alerting: {{ alertmanagers: ['http://one/', 'http://two'] }}\n{}",
        config(TRACKING, "{ min: 1, max: 3 }")
    );
    let world = World::new(WORLD, &alerting);
    let receiver = Arc::new(Receiver::default());
    receiver.down.store(true, Ordering::SeqCst);
    let clock = Arc::clone(&world.clock);
    let mut sender = Sender::new(
        Arc::clone(&world.clock),
        world.events.clone(),
        Arc::clone(&world.board),
        world.settings.subscribe(),
        receiver.clone(),
        Arc::new(move |fleet, wall| evenkeel::view::alertmanager_alerts(fleet, clock.now(), wall)),
    );
    let heard = |url: &str, ended: bool| {
        let bodies = receiver.bodies.lock().unwrap();
        let alerts = bodies
            .iter()
            .filter(|(to, _)| to == &format!("{url}/api/v2/alerts"));
        let alerts = alerts.flat_map(|(_, body)| body.as_array().unwrap().clone());
        let saturated = alerts.filter(|a| a["labels"]["alertname"] == "MaxCapacitySaturated");
        saturated
            .filter(|a| a["endsAt"].is_string() == ended)
            .count()
    };
    let sending = async {
        for minute in 0..150 {
            if minute == 70 {
                assert_eq!(heard("http://one", false), 0);
                receiver.down.store(false, Ordering::SeqCst);
            }
            if minute == 90 {
                world.set_load("chat", 300.0);
            }
            sender.send().await;
            minutes(&world, 1).await;
        }
    };
    world.set_load("chat", 1500.0);
    tokio::join!(world.run_for(Duration::from_mins(151)), sending);
    assert!(heard("http://two", false) > 60);
    assert!(heard("http://one", false) > 10);
    assert_eq!(
        (heard("http://one", true), heard("http://two", true)),
        (20, 20)
    );
    let failures = world.events.count("sent: http://one/: Some");
    assert!(failures > 50, "{failures}");
    assert_eq!(world.events.count("sent: http://two: Some"), 0);
}

/// A jump straight to a maximum that will do is no saturation while the new instances start.
#[tokio::test(start_paused = true)]
async fn capacity_that_is_starting_is_waited_for() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 6 }"));
    let script = async {
        minutes(&world, 5).await;
        world.set_load("chat", 1750.0);
        minutes(&world, 8).await;
        let running = world.snapshot().scopes[&scope()].targets[&chat()].running;
        assert_eq!(running.unwrap().desired, Capacity::new(6), "the jump");
    };
    tokio::join!(world.run_for(Duration::from_mins(50)), script);
    // It is at its maximum, and that is all.
    let fired = all_fired(&world);
    assert_eq!(
        fired,
        [AlertKind::AtMaxCapacity],
        "{:?}",
        world.events.told()
    );
}

/// Right after capacity came, the newest values are of before: spread over fewer instances they would say too much.
#[tokio::test(start_paused = true)]
async fn what_is_missing_is_not_worked_out_from_before_the_change() {
    let world = World::new(WORLD, &config(TRACKING, "{ min: 1, max: 4 }"));
    let script = async {
        minutes(&world, 5).await;
        world.set_load("chat", 2400.0);
        minutes(&world, 30).await;
        let alert = of_chat(&world, AlertKind::MaxCapacitySaturated).unwrap();
        assert!(
            alert.reason.contains("8 are wanted: 4 are missing"),
            "{}",
            alert.reason
        );
    };
    tokio::join!(world.run_for(Duration::from_mins(36)), script);
    let lines = world.events.lines();
    let fired = lines
        .iter()
        .find(|line| line.contains("MaxCapacitySaturated firing"));
    let fired = fired.unwrap();
    assert!(
        fired.contains("8 are wanted") || fired.contains("wants more"),
        "{fired}"
    );
}
