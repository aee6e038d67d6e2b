//! What is watched, how soon, and for how much.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel::domain::*;
use evenkeel::ports::{Clock, ErrorKind};
use evenkeel::sim::engine::{Options, SpanRange};

use crate::world::{World, resource, scope};

const TARGETS: usize = 20;
/// AWS's price list (aws-autoscaling.md 6.3), written down a second time on purpose.
const DOLLARS_PER_UNIT: f64 = 0.01 / 1000.0;
const MONTH_HOURS: f64 = 730.5;

/// Endpoints with a load that two instances carry.
fn quiet_world() -> String {
    let mut world = "endpoints:\n".to_owned();
    for n in 0..TARGETS {
        writeln!(
            world,
            "  - {{ name: e{n}, traffic: {{ steady: 400 }}, exact: true, variants: [{{ name: AllTraffic, \
             instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }}] }}"
        )
        .unwrap();
    }
    world
}

/// With two policies each.
fn quiet_config(watch: &str) -> String {
    let mut config = format!(
        "watch: {watch}\nprofiles:\n  p:\n    bounds: {{ min: 2, max: 10 }}\n    policies:\n      \
         - target_tracking: {{ metric: invocations_per_instance, target: 300 }}\n      \
         - target_tracking: {{ metric: {{ namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: \
         Average }}, target: 320 }}\ntargets:\n"
    );
    for n in 0..TARGETS {
        writeln!(
            config,
            "  - {{ endpoint: e{n}, variant: AllTraffic, profile: p }}"
        )
        .unwrap();
    }
    config
}

fn id(endpoint: &str) -> TargetId {
    resource(endpoint).parse().unwrap()
}

/// Dollars a month at what was spent in `hours`: for reading alarms, and for metrics.
fn monthly(world: &World, hours: f64) -> (f64, f64) {
    let calls = world.requests.take().get("DescribeAlarms").copied();
    let billed = world.requests.take_billed();
    let dollars = |units: usize| {
        f64::from(u32::try_from(units).unwrap()) * DOLLARS_PER_UNIT / hours * MONTH_HOURS
    };
    (dollars(calls.unwrap_or_default()), dollars(billed))
}

/// The budget of the design: a quiet target costs at most 25 cents a month.
#[tokio::test(start_paused = true)]
async fn a_quiet_target_costs_little_and_is_seen_all_the_same() {
    let world = World::new(&quiet_world(), &quiet_config("{}"));
    world.run_for(Duration::from_hours(1)).await;
    monthly(&world, 1.0);
    world.run_for(Duration::from_hours(4)).await;
    let (calls, metrics) = monthly(&world, 4.0);
    // Pages of alarms are the same for up to 50 targets with two policies each: two for the look, two for the pass.
    let dollars = calls / 50.0 + metrics / 20.0;
    assert!(dollars < 0.25, "{dollars} dollars a target-month");
    assert!(
        metrics / 20.0 > 0.10,
        "{metrics}: is anything watched at all?"
    );
    let snapshot = world.snapshot();
    let watch = &snapshot.scopes[&scope()].watch;
    assert_eq!(watch.interesting.len(), 0, "{:?}", watch.interesting);
    assert_eq!(watch.values.len(), 2 * TARGETS);
    for n in 0..TARGETS {
        let signals = &watch.signals[&id(&format!("e{n}"))];
        assert!((signals[&Signal::Invocations].value - 400.0).abs() < 1e-6);
        assert!(signals[&Signal::ModelLatency].value < 1.0, "seconds");
        assert!(signals.contains_key(&Signal::Memory));
        // An instance without accelerators publishes none, and reads as none.
        assert!(!signals.contains_key(&Signal::Gpu));
    }
    assert!(
        watch
            .values
            .keys()
            .all(|(id, policy)| { watch.fresh(id, policy, world.clock.now()).is_some() })
    );
}

/// Where something happens values are minutes old at the most, and the neighbours stay quiet.
#[tokio::test(start_paused = true)]
async fn what_happens_is_watched_each_minute() {
    let world = World::new(&quiet_world(), &quiet_config("{}"));
    let script = async {
        world.clock.sleep(Duration::from_hours(1)).await;
        world.set_load("e3", 2400.0);
        world.clock.sleep(Duration::from_mins(9)).await;
        for _ in 0..10 {
            world.clock.sleep(Duration::from_mins(1)).await;
            let snapshot = world.snapshot();
            let watch = &snapshot.scopes[&scope()].watch;
            assert_eq!(watch.interesting.keys().collect::<Vec<_>>(), [&id("e3")]);
            let ages = watch
                .values
                .iter()
                .filter(|((held, _), _)| *held == id("e3"));
            for ((_, policy), point) in ages {
                let age = world.clock.now().signed_duration_since(point.at);
                assert!(age <= TimeDelta::minutes(5), "{policy}: {age}");
            }
        }
    };
    tokio::join!(world.run_for(Duration::from_mins(81)), script);
    // A day later it has long been as quiet as the others: a target that scaled is not watched for ever.
    world.set_load("e3", 400.0);
    world.run_for(Duration::from_hours(3)).await;
    let snapshot = world.snapshot();
    assert!(snapshot.scopes[&scope()].watch.interesting.is_empty());
}

/// A budget is kept; what is left out is told once; alarms are seen all the same, and so is what matters.
#[tokio::test(start_paused = true)]
async fn a_budget_is_kept_and_what_matters_least_goes_first() {
    let budget = 2.0;
    let world = World::new(&quiet_world(), &quiet_config("{ budget: 2 }"));
    let script = async {
        world.clock.sleep(Duration::from_hours(4)).await;
        world.set_load("e3", 9000.0);
        world.clock.sleep(Duration::from_mins(20)).await;
        let alert = world.snapshot().scopes[&scope()]
            .alerts
            .iter()
            .find(|(key, _)| key.kind == AlertKind::MaxCapacitySaturated)
            .map(|(key, _)| key.subject.clone());
        assert_eq!(alert, Some(Subject::Target(id("e3"))));
    };
    tokio::join!(world.run_for(Duration::from_hours(5)), script);
    // Passes read alarms of their own; what the watcher spends is the rest.
    let spent = f64::from(u32::try_from(world.requests.take_billed()).unwrap()) * DOLLARS_PER_UNIT;
    let allowed = budget / MONTH_HOURS * 6.0;
    assert!(spent <= allowed, "{spent} of {allowed}");
    assert!(
        spent > allowed / 4.0,
        "{spent} of {allowed}: is anything watched at all?"
    );
    assert!(world.events.count("skipped: ") > 0);
    let snapshot = world.snapshot();
    let watch = &snapshot.scopes[&scope()].watch;
    assert_eq!(
        watch.values.len(),
        2 * TARGETS,
        "what policies follow comes first"
    );
}

#[tokio::test(start_paused = true)]
async fn without_signals_only_what_policies_follow_is_read() {
    let world = World::new(&quiet_world(), &quiet_config("{ signals: false }"));
    world.run_for(Duration::from_hours(2)).await;
    let snapshot = world.snapshot();
    let watch = &snapshot.scopes[&scope()].watch;
    assert!(watch.signals.is_empty());
    assert_eq!(watch.values.len(), 2 * TARGETS);
}

/// CloudWatch that is denied for a while costs nothing but the view: what was known stays, and says how old it is.
#[tokio::test(start_paused = true)]
async fn metrics_that_are_denied_come_back() {
    let world = World::new(&quiet_world(), &quiet_config("{}"));
    let script = async {
        world.clock.sleep(Duration::from_mins(30)).await;
        world.faults.fail("GetMetricData", ErrorKind::Denied);
        world.clock.sleep(Duration::from_mins(40)).await;
        let snapshot = world.snapshot();
        let held = &snapshot.scopes[&scope()];
        assert!(held.watch.problems[0].contains("GetMetricData"));
        assert_eq!(held.watch.values.len(), 2 * TARGETS, "kept");
        let (id, policy) = held.watch.values.keys().next().unwrap();
        assert_eq!(
            held.watch.fresh(id, policy, world.clock.now()),
            None,
            "and not taken for news"
        );
        let unhealthy = held
            .alerts
            .keys()
            .any(|key| key.kind == AlertKind::EvenkeelUnhealthy);
        assert!(unhealthy);
        world.faults.heal();
        world.clock.sleep(Duration::from_mins(3)).await;
        let snapshot = world.snapshot();
        let watch = &snapshot.scopes[&scope()].watch;
        assert!(watch.problems.is_empty());
        assert!(watch.fresh(id, policy, world.clock.now()).is_some());
    };
    tokio::join!(world.run_for(Duration::from_mins(75)), script);
    assert_eq!(
        world.events.count("watch failed: GetMetricData"),
        1,
        "told once"
    );
}

/// What is no longer declared leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_target_that_leaves_takes_its_values_along() {
    let world = World::new(&quiet_world(), &quiet_config("{}"));
    world.run_for(Duration::from_mins(30)).await;
    let without = quiet_config("{}").replace(
        "  - { endpoint: e7, variant: AllTraffic, profile: p }\n",
        "",
    );
    world.reload(&without);
    world.run_for(Duration::from_mins(5)).await;
    let snapshot = world.snapshot();
    let watch = &snapshot.scopes[&scope()].watch;
    assert_eq!(watch.values.len(), 2 * (TARGETS - 1));
    assert!(!watch.signals.contains_key(&id("e7")));
    assert!(!watch.reads.contains_key(&id("e7")));
}

/// What was told of alerts.
fn fired(world: &World) -> Vec<String> {
    let mut lines = world.events.lines();
    lines.retain(|line| line.contains(" firing: "));
    lines
}

/// A clock that someone sets wrong for a while.
#[derive(Debug)]
struct WrongClock {
    inner: Arc<dyn Clock>,
    off_by_secs: AtomicI64,
}

#[async_trait::async_trait]
impl Clock for WrongClock {
    fn now(&self) -> DateTime<Utc> {
        self.inner.now() + TimeDelta::seconds(self.off_by_secs.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }
}

/// The machine's clock jumps, forth or back, and is set right after a while: what it saw then holds nothing up.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_is_got_over() {
    for off_by in [2 * 3600, -2 * 3600] {
        let mut world = World::new(&quiet_world(), &quiet_config("{ budget: 50 }"));
        let wrong = Arc::new(WrongClock {
            inner: Arc::clone(&world.clock),
            off_by_secs: AtomicI64::new(0),
        });
        world.clock = wrong.clone();
        let script = async {
            world.clock.sleep(Duration::from_mins(30)).await;
            wrong.off_by_secs.store(off_by, Ordering::SeqCst);
            world.clock.sleep(Duration::from_mins(10)).await;
            wrong.off_by_secs.store(0, Ordering::SeqCst);
            world.clock.sleep(Duration::from_mins(20)).await;
            let snapshot = world.snapshot();
            let watch = &snapshot.scopes[&scope()].watch;
            for (id, policy) in watch.values.keys() {
                let fresh = watch.fresh(id, policy, world.clock.now());
                assert!(fresh.is_some(), "{off_by}: {id} {policy}");
            }
            // What happens now is seen now.
            world.set_load("e3", 9000.0);
            world.register("e5", 3, 4);
            world.clock.sleep(Duration::from_mins(20)).await;
            assert_eq!(world.bounds("e5"), Some((2, 10)), "{off_by}: mended");
            let snapshot = world.snapshot();
            let held = &snapshot.scopes[&scope()];
            assert!(
                held.watch.activities.contains_key(&id("e3")),
                "{off_by}: seen"
            );
            let firing: Vec<_> = held
                .alerts
                .iter()
                .filter(|(_, alert)| matches!(alert.state, AlertState::Firing { .. }))
                .map(|(key, _)| (key.kind, key.subject.to_string()))
                .collect();
            let e3 = "endpoint/e3/variant/AllTraffic".to_owned();
            assert_eq!(firing, [(AlertKind::MaxCapacitySaturated, e3)], "{off_by}");
        };
        tokio::join!(world.run_for(Duration::from_mins(81)), script);
        let unasked = world.events.count("done: ");
        assert_eq!(
            unasked,
            3 * TARGETS + 1,
            "{off_by}: the clock made it write"
        );
    }
}

/// Metrics that come ten minutes late: AWS's own alarms for scaling out do not see them, and that is told. They are
/// known all the same, and not taken for news.
#[tokio::test(start_paused = true)]
async fn metrics_that_come_late_are_neither_lost_nor_news() {
    let late = Options {
        publish_delay: SpanRange::secs(600, 660),
        ..Options::default()
    };
    let world = World::with_options(1, &late, &quiet_world(), &quiet_config("{}"));
    let script = async {
        world.clock.sleep(Duration::from_hours(1)).await;
        let told = fired(&world);
        let late = |line: &&String| line.contains("MetricsStale") && line.contains("comes late");
        assert_eq!(told.iter().filter(late).count(), TARGETS, "{told:#?}");
        assert_eq!(told.len(), TARGETS, "{told:#?}");
        let snapshot = world.snapshot();
        let watch = &snapshot.scopes[&scope()].watch;
        assert_eq!(watch.values.len(), 2 * TARGETS);
        for (id, policy) in watch.values.keys() {
            assert_eq!(watch.fresh(id, policy, world.clock.now()), None);
        }
    };
    tokio::join!(world.run_for(Duration::from_mins(61)), script);
}

/// CloudWatch that answers only every other time: nothing is told that is not so.
#[tokio::test(start_paused = true)]
async fn a_watch_with_holes_tells_nothing_that_is_not_so() {
    let world = World::new(&quiet_world(), &quiet_config("{}"));
    let script = async {
        for minute in 0..90_u32 {
            if minute % 2 == 0 {
                world.faults.heal();
            } else {
                world.faults.fail("GetMetricData", ErrorKind::Throttled);
            }
            world.clock.sleep(Duration::from_mins(1)).await;
        }
    };
    tokio::join!(world.run_for(Duration::from_mins(91)), script);
    assert_eq!(fired(&world), [""; 0]);
    let snapshot = world.snapshot();
    assert_eq!(snapshot.scopes[&scope()].watch.values.len(), 2 * TARGETS);
}
