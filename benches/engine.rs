//! How fast the engine runs: target-minutes a second, and a day and a year of one endpoint.
//!
//! A small harness that prints figures. Every figure is the median of several runs in this one process.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark reads the real clock and prints its figures"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::sim::engine::api::{PutScalingPolicy, RegisterScalableTarget};
use evenkeel::sim::engine::{
    EndpointSetup, Instant, Machine, Options, Shape, Span, SpanRange, Traffic, VariantSetup, World,
};
use serde_json::json;

const START: Instant = Instant::from_secs(1_800_000_000);
const DAY: i64 = 1440;

fn main() {
    let rhythm = |i: i64| Shape::Daily {
        low: 200.0,
        high: 2400.0,
        peak_minute: 800 + i * 7,
    };
    let trace: Arc<[f64]> = (0..DAY)
        .map(|m| 800.0 + f64::from(i32::try_from(m % 700).unwrap_or(0)))
        .collect();
    let traced = |_| Shape::Trace {
        rpm: Arc::clone(&trace),
    };
    let idle = |_| Shape::Steady { rpm: 10.0 };

    println!("engine, one core, median of 5 runs");
    let one_day = run(1, DAY, true, &rhythm);
    println!(
        "  a day of one endpoint (daily rhythm, random arrivals):  {:>9.3} ms",
        millis(one_day)
    );
    let one_year = run(1, DAY * 365, true, &rhythm);
    println!(
        "  a year of one endpoint:                                 {:>9.3} ms",
        millis(one_year)
    );
    report(
        "100 targets, daily rhythm, random arrivals",
        100,
        true,
        &rhythm,
    );
    report("100 targets, replayed trace", 100, false, &traced);
    report("100 targets, idle at their minimum", 100, true, &idle);
    report(
        "1000 targets, daily rhythm, random arrivals",
        1000,
        true,
        &rhythm,
    );
}

fn report(what: &str, targets: i64, random: bool, shape: &dyn Fn(i64) -> Shape) {
    let days = if targets > 500 { 3 } else { 14 };
    let took = run(targets, DAY * days, random, shape);
    let minutes = targets * DAY * days;
    let per_second = num(minutes) / took.as_secs_f64() / 1e6;
    println!("  {what:<55} {per_second:>7.2} million target-minutes a second");
}

fn num(n: i64) -> f64 {
    f64::from(i32::try_from(n).unwrap_or(i32::MAX))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn run(targets: i64, minutes: i64, random: bool, shape: &dyn Fn(i64) -> Shape) -> Duration {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let mut world = world(targets, random, shape);
            let started = std::time::Instant::now();
            world.advance(START + Span::from_secs(60 * minutes));
            let took = started.elapsed();
            black_box(world.timeline().len());
            took
        })
        .collect();
    times.sort_unstable();
    times.get(2).copied().unwrap_or_default()
}

fn world(targets: i64, random: bool, shape: &dyn Fn(i64) -> Shape) -> World {
    let options = Options {
        metric_retention: Span::from_secs(3 * 3600),
        ..Options::default()
    };
    let mut world = World::new(options, 7, START);
    for i in 0..targets {
        let name = format!("endpoint-{i}");
        world.add_endpoint(&EndpointSetup {
            name: name.clone(),
            variants: vec![VariantSetup {
                name: "AllTraffic".to_owned(),
                instance_type: "ml.m5.xlarge".to_owned(),
                instances: 2,
                weight: 1.0,
                machine: Machine::of_type(Some("ml.m5.xlarge"), SpanRange::secs(300, 540)),
            }],
            traffic: Traffic {
                shape: shape(i),
                random,
                origin: START.minute(),
            },
        });
        if i < 500 {
            scale(&mut world, &name);
        }
    }
    world
}

fn scale(world: &mut World, name: &str) {
    let ids = json!({
        "ServiceNamespace": "sagemaker",
        "ResourceId": format!("endpoint/{name}/variant/AllTraffic"),
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1, "MaxCapacity": 10,
        "PolicyName": "inv", "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 300.0, "ScaleOutCooldown": 60, "ScaleInCooldown": 300,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    });
    let register: RegisterScalableTarget = serde_json::from_value(ids.clone()).expect("a request");
    world
        .register_scalable_target(&register)
        .expect("registers");
    let policy: PutScalingPolicy = serde_json::from_value(ids).expect("a request");
    world.put_scaling_policy(&policy).expect("puts");
}
