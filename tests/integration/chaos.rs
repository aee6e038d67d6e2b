//! Anything may happen: kills between two writes, throttling, lists cut short, people with a console. In the end the
//! fleet is as declared, nothing stands twice, and what was never ours is as it was.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel::domain::PassOutcome;
use evenkeel::ports::ErrorKind;
use evenkeel::sim::engine::api::{PutMetricAlarm, PutScalingPolicy, RegisterScalableTarget};
use proptest::prelude::*;
use serde_json::json;

use crate::world::{INSTANCES, THREE, World, request, resource};

const TRACKING: &str = "{ target_tracking: { metric: invocations_per_instance, target: 300 } }";
const STEPS: &str = "{ step: { steps: [{ from: 0, adjust: 1 }], alarm: { metric: { namespace: App, name: Queue, \
                     statistic: Sum }, threshold: 5 } } }";

/// Configs that the operator goes back and forth between, and how many policies each declares on each target.
fn config(which: usize) -> (String, usize) {
    let (policies, bounds, suspended) = [
        (
            vec![TRACKING, STEPS],
            "{ min: 1, max: 8 }",
            "suspended: { scale_in: true }, ",
        ),
        (vec![STEPS], "{ min: 1, max: 9 }", ""),
        (vec![TRACKING], "{ min: 2, max: 8 }", "suspended: {}, "),
    ][which % 3]
        .clone();
    let target = |endpoint: &str| {
        format!(
            "  - {{ endpoint: {endpoint}, variant: AllTraffic, {suspended}bounds: {bounds}, policies: [{}] }}\n",
            policies.join(", ")
        )
    };
    let targets: String = ["chat", "embed", "rank"].map(target).concat();
    (
        format!("safety: {{ max_change: 100% }}\ntargets:\n{targets}"),
        policies.len(),
    )
}

/// What happens before a pass.
#[derive(Debug, Clone)]
enum Mishap {
    Fails(&'static str, ErrorKind),
    Cut(&'static str, usize),
    DiesAfter(usize),
    Reload(usize),
    SomeoneDeletesAPolicy,
    SomeoneDeletesAlarms,
    SomeoneRegisters(u32),
    SomeoneDeregisters,
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let operations = [
        "DescribeScalableTargets",
        "DescribeScalingPolicies",
        "DescribeAlarms",
        "ListEndpoints",
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "PutMetricAlarm",
        "DeleteScalingPolicy",
        "DeleteAlarms",
    ];
    let kinds = [
        ErrorKind::Throttled,
        ErrorKind::Transient,
        ErrorKind::Timeout,
        ErrorKind::Conflict,
        ErrorKind::Denied,
    ];
    let operation = || prop::sample::select(operations.to_vec());
    prop_oneof![
        3 => (operation(), prop::sample::select(kinds.to_vec())).prop_map(|(o, k)| Mishap::Fails(o, k)),
        2 => (prop::sample::select(operations[..4].to_vec()), 0_usize..3).prop_map(|(o, n)| Mishap::Cut(o, n)),
        3 => (0_usize..8).prop_map(Mishap::DiesAfter),
        2 => (0_usize..3).prop_map(Mishap::Reload),
        1 => Just(Mishap::SomeoneDeletesAPolicy),
        1 => Just(Mishap::SomeoneDeletesAlarms),
        1 => (1_u32..4).prop_map(Mishap::SomeoneRegisters),
        1 => Just(Mishap::SomeoneDeregisters),
    ]
}

fn ids(endpoint: &str) -> serde_json::Value {
    json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource(endpoint), "ScalableDimension": INSTANCES,
    })
}

fn with(mut shape: serde_json::Value, more: &serde_json::Value) -> serde_json::Value {
    let fields = shape.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    shape
}

/// A target, a policy and an alarm that evenkeel has nothing to do with.
fn foreign(world: &World) {
    let register: RegisterScalableTarget = request(with(
        ids("rank"),
        &json!({ "MinCapacity": 1, "MaxCapacity": 3 }),
    ));
    let policy: PutScalingPolicy = request(with(
        ids("rank"),
        &json!({
            "PolicyName": "by hand", "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{ "MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1 }],
            },
        }),
    ));
    let alarm: PutMetricAlarm = request(json!({
        "AlarmName": "by hand", "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    }));
    world.aws(|aws| {
        aws.register_scalable_target(&register).unwrap();
        aws.put_scaling_policy(&policy).unwrap();
        aws.put_metric_alarm(&alarm).unwrap();
    });
}

fn alarms(world: &World) -> BTreeSet<String> {
    world.aws(|aws| {
        let all = aws
            .describe_alarms(&request(json!({ "MaxRecords": 100 })))
            .unwrap();
        all.metric_alarms
            .into_iter()
            .map(|a| a.alarm_name)
            .collect()
    })
}

/// Does it; the number of the config that is in force from now on, if it changes.
fn happen(world: &World, mishap: &Mishap) -> Option<usize> {
    match mishap {
        Mishap::Fails(operation, kind) => world.faults.fail(operation, *kind),
        Mishap::Cut(operation, after) => world.faults.cut(operation, *after),
        Mishap::DiesAfter(writes) => {
            let before = world.faults.writes.load(Ordering::SeqCst);
            world.faults.die_after(Some(before + writes));
        }
        Mishap::Reload(which) => {
            world.reload(&config(*which).0);
            return Some(*which);
        }
        Mishap::SomeoneDeletesAPolicy => {
            if let Some((name, _)) = world.policies("chat").first() {
                world.delete_policy("chat", name);
            }
        }
        Mishap::SomeoneDeletesAlarms => {
            let names: Vec<String> = alarms(world)
                .into_iter()
                .filter(|n| n != "by hand")
                .collect();
            for name in names {
                world.aws(|aws| {
                    aws.delete_alarms(&request(json!({ "AlarmNames": [name] })))
                        .unwrap()
                });
            }
        }
        Mishap::SomeoneRegisters(min) => world.register("embed", *min, 7),
        Mishap::SomeoneDeregisters => {
            // It may not be registered yet; then there is nothing to do.
            let gone = request(ids("embed"));
            let result = world.aws(|aws| aws.deregister_scalable_target(&gone));
            result.map(drop).unwrap_or_default();
        }
    }
    None
}

async fn survive(mishaps: &[Mishap]) {
    let mut which = 0;
    // Without load nothing scales by itself, and in the end nobody has to be waited for.
    let quiet: Vec<&str> = THREE
        .lines()
        .filter(|line| !line.contains("traffic"))
        .collect();
    let world = World::new(&quiet.join("\n"), &config(which).0);
    foreign(&world);
    for mishap in mishaps {
        which = happen(&world, mishap).unwrap_or(which);
        // Every pass is that of a fresh process: whatever must last is in AWS.
        tokio::time::timeout(Duration::from_mins(2), world.pass())
            .await
            .ok();
        world.faults.heal();
        world.faults.die_after(None);
        // An endpoint that is being scaled is left alone until it is done.
        world.clock.sleep(Duration::from_mins(12)).await;
    }
    let mut last = world.pass().await.outcome;
    for _ in 0..4 {
        world.clock.sleep(Duration::from_mins(12)).await;
        last = world.pass().await.outcome;
    }
    assert_eq!(last, PassOutcome::Converged, "{:#?}", world.events.lines());
    let declared = config(which).1;
    for endpoint in ["chat", "embed"] {
        assert_eq!(world.policies(endpoint).len(), declared, "{endpoint}");
    }
    let rank: Vec<String> = world
        .policies("rank")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(rank.len(), declared + 1, "{rank:?}");
    assert!(rank.contains(&"by hand".to_owned()), "{rank:?}");
    let alarms = alarms(&world);
    assert!(alarms.contains("by hand"), "{alarms:?}");
    let (tracking, steps) = [(2, 1), (0, 1), (2, 0)][which % 3];
    assert_eq!(alarms.len(), 1 + 3 * (tracking + steps), "{alarms:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_fleet_always_converges(mishaps in prop::collection::vec(mishap(), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(survive(&mishaps));
    }
}
