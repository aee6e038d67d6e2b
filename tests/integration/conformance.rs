//! One body, two arms: what the AWS SDKs bring over the wire is what the in-process door gives.
//!
//! These tests use real sockets, so they run in real time, on a sandbox whose clock stands still until it is turned.

use std::sync::Arc;
use std::time::Duration;

use evenkeel::aws::{ScopeOptions, connect};
use evenkeel::domain::*;
use evenkeel::ports::*;
use evenkeel::runtime::Observer;
use evenkeel::sim::engine::Span;
use evenkeel::sim::{Door, SandboxClock};

use crate::server::{Server, sandbox_server};
use crate::world::{Requests, THREE, THREE_CONFIG, config, scope, standing_sandbox};

struct Arms {
    clock: Arc<SandboxClock>,
    sdk: ScopePorts,
    door: ScopePorts,
    requests: Arc<Requests>,
    _server: Server,
}

pub async fn sdk_ports(url: &str, log: Arc<dyn RequestLog>) -> ScopePorts {
    let options = ScopeOptions {
        region: Some("us-east-1".to_owned()),
        assume_role: None,
        endpoint_url: Some(url.to_owned()),
        call_timeout: Duration::from_secs(10),
    };
    connect(&options, &log).await.unwrap()
}

async fn arms(world: &str) -> Arms {
    let (sandbox, clock) = standing_sandbox(world);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let requests = Arc::new(Requests::default());
    let sdk = sdk_ports(&server.url(), requests.clone()).await;
    let door = Door::new(sandbox, Arc::new(NoRequestLog)).ports();
    Arms {
        clock,
        sdk,
        door,
        requests,
        _server: server,
    }
}

fn policy(name: &str, metric: Metric, disable_scale_in: bool) -> Policy {
    Policy {
        name: name.parse().unwrap(),
        kind: PolicyKind::TargetTracking(TargetTracking {
            metric,
            target: TargetValue::new(123.5).unwrap(),
            of_all_cores: false,
            scale_out_cooldown: Cooldown::from_secs(0).unwrap(),
            scale_in_cooldown: Cooldown::from_secs(601).unwrap(),
            disable_scale_in,
        }),
    }
}

fn bounds(min: u32, max: u32) -> Bounds {
    Bounds::new(Capacity::new(min).unwrap(), Capacity::new(max).unwrap()).unwrap()
}

async fn same_everywhere(arms: &Arms) {
    let now = arms.clock.now();
    assert_eq!(
        arms.sdk.scaling.targets().await,
        arms.door.scaling.targets().await
    );
    assert_eq!(
        arms.sdk.scaling.policies().await,
        arms.door.scaling.policies().await
    );
    assert_eq!(
        arms.sdk.endpoints.endpoints().await,
        arms.door.endpoints.endpoints().await
    );
    assert_eq!(
        arms.sdk.alarms.alarms("").await,
        arms.door.alarms.alarms("").await
    );
    let since = now - chrono::TimeDelta::hours(12);
    assert_eq!(
        arms.sdk.scaling.activities(since, 500).await,
        arms.door.scaling.activities(since, 500).await
    );
    for endpoint in arms.door.endpoints.endpoints().await.items {
        assert_eq!(
            arms.sdk.endpoints.endpoint(&endpoint.name).await,
            arms.door.endpoints.endpoint(&endpoint.name).await
        );
    }
}

/// Values of one metric, and of math over it.
async fn same_values(arms: &Arms, cpu: CustomMetric, math: &MathMetric) {
    let query = MetricQuery {
        metric: cpu,
        period: 60,
    };
    let now = arms.clock.now();
    let from = now - chrono::TimeDelta::minutes(30);
    let points = arms
        .sdk
        .metrics
        .datapoints(&[query.clone(), query.clone()], from, now)
        .await
        .unwrap();
    assert!(points[0].len() > 20 && points[0] == points[1]);
    let expected = arms
        .door
        .metrics
        .datapoints(&[query.clone(), query], from, now)
        .await
        .unwrap();
    assert_eq!(points, expected);
    let halves = arms.sdk.metrics.math(math, from, now).await.unwrap();
    assert_eq!(
        halves,
        arms.door.metrics.math(math, from, now).await.unwrap()
    );
    assert_eq!(halves.len(), points[0].len());
    assert!(
        halves
            .iter()
            .zip(&points[0])
            .all(|(half, whole)| (half.value - whole.value / 2.0).abs() < 1e-9)
    );
}

#[tokio::test]
async fn both_arms_see_the_same_world() {
    let arms = arms(THREE).await;
    let chat: TargetId = "endpoint/chat/variant/AllTraffic".parse().unwrap();
    let rank: TargetId = "endpoint/rank/variant/AllTraffic".parse().unwrap();
    let dimensions = [("EndpointName", "chat"), ("VariantName", "AllTraffic")];
    let cpu = CustomMetric {
        namespace: "/aws/sagemaker/Endpoints".to_owned(),
        name: "CPUUtilization".to_owned(),
        dimensions: dimensions.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        statistic: Statistic::Average,
        unit: Some("Percent".to_owned()),
    };
    let math = MathMetric {
        expression: "cpu / FILL(queue, 1)".to_owned(),
        parts: [
            ("cpu".to_owned(), MathPart::Series(cpu.clone())),
            (
                "queue".to_owned(),
                MathPart::Expression("cpu * 0 + 2".to_owned()),
            ),
        ]
        .into(),
    };
    let invocations = Metric::Predefined(PredefinedMetric::InvocationsPerInstance);
    arms.sdk
        .scaling
        .register(&chat, bounds(1, 9), None, None)
        .await
        .unwrap();
    arms.sdk
        .scaling
        .put_policy(&chat, &policy("cpu", Metric::Custom(cpu.clone()), true))
        .await
        .unwrap();
    arms.sdk
        .scaling
        .put_policy(&chat, &policy("inv", invocations.clone(), false))
        .await
        .unwrap();
    arms.door
        .scaling
        .register(&rank, bounds(1, 2), None, None)
        .await
        .unwrap();
    arms.door
        .scaling
        .put_policy(&rank, &policy("inv/x: ü", invocations, false))
        .await
        .unwrap();
    let by_math = policy("math", Metric::Math(math.clone()), false);
    arms.sdk.scaling.put_policy(&chat, &by_math).await.unwrap();
    arms.door.scaling.put_policy(&rank, &by_math).await.unwrap();
    same_everywhere(&arms).await;
    for _ in 0..8 {
        arms.clock.turn(Duration::from_mins(47));
        same_everywhere(&arms).await;
    }
    // What was put is what is read back, field by field.
    let read = arms.sdk.scaling.policies().await.items;
    let held = read.iter().find(|p| p.name.as_str() == "cpu").unwrap();
    match policy("cpu", Metric::Custom(cpu.clone()), true).kind {
        PolicyKind::TargetTracking(wanted) => {
            assert_eq!(held.kind, ObservedPolicyKind::TargetTracking(wanted));
        }
        PolicyKind::Step(_) => panic!("it tracks a target"),
    }
    assert_eq!(
        held.alarms.len(),
        1,
        "a policy that may not scale in has one alarm"
    );
    same_values(&arms, cpu, &math).await;
    for held in read.iter().filter(|p| p.name.as_str() == "math") {
        assert!(
            matches!(&held.kind, ObservedPolicyKind::TargetTracking(t) if t.metric == Metric::Math(math.clone())),
            "{held:?}"
        );
    }
}

fn steps(unit: Option<&str>) -> StepPolicy {
    let number = |x| Number::new(x);
    let step = |lower: Option<f64>, upper: Option<f64>, adjustment| Step {
        lower: lower.and_then(number),
        upper: upper.and_then(number),
        adjustment,
    };
    StepPolicy {
        scaling: StepScaling {
            adjustment: Adjustment::PercentChangeInCapacity,
            steps: vec![
                step(None, Some(-5.5), -10),
                step(Some(-5.5), Some(12.25), 10),
                step(Some(12.25), None, 40),
            ],
            min_magnitude: Some(2),
            cooldown: Cooldown::from_secs(0).unwrap(),
            aggregation: Aggregation::Maximum,
        },
        alarm: AlarmRule {
            metric: CustomMetric {
                namespace: "App".to_owned(),
                name: "Queue".to_owned(),
                dimensions: [("Shard".to_owned(), "7".to_owned())].into(),
                statistic: Statistic::SampleCount,
                unit: unit.map(str::to_owned),
            },
            period: 120,
            periods: 5,
            datapoints: 3,
            threshold: number(-0.5).unwrap(),
            comparison: Comparison::LessOrEqual,
            missing: MissingData::NotBreaching,
        },
        alarm_name: None,
    }
}

/// Each arm writes one target, and both read both.
#[tokio::test]
async fn step_policies_alarms_and_suspensions_come_back_as_they_were_put() {
    let arms = arms(THREE).await;
    let suspended = Suspension {
        scale_in: true,
        scale_out: false,
        scheduled: true,
    };
    let mut written = Vec::new();
    for (endpoint, ports, unit) in [
        ("chat", &arms.sdk, Some("Count")),
        ("rank", &arms.door, None),
    ] {
        let id = format!("endpoint/{endpoint}/variant/AllTraffic");
        let id: TargetId = id.parse().unwrap();
        let register = ports
            .scaling
            .register(&id, bounds(1, 4), Some(suspended), None);
        register.await.unwrap();
        let step = steps(unit);
        let policy = Policy {
            name: "st/ep: ü".parse().unwrap(),
            kind: PolicyKind::Step(step.clone()),
        };
        let arn = ports.scaling.put_policy(&id, &policy).await.unwrap();
        let name = alarm_name(&OwnerName::default(), &id, &policy.name);
        let keeps = AlarmExtras {
            ok_actions: vec!["arn:aws:sns:us-east-1:123456789012:calm".to_owned()],
            ..AlarmExtras::default()
        };
        let put = ports.alarms.put_alarm(&name, &step.alarm, &arn, &keeps);
        put.await.unwrap();
        written.push((id, policy, step, arn, name));
    }
    same_everywhere(&arms).await;
    let policies = arms.sdk.scaling.policies().await.items;
    let alarms = arms.sdk.alarms.alarms("evenkeel/").await.items;
    let targets = arms.sdk.scaling.targets().await.items;
    assert!(targets.iter().all(|t| t.suspended == suspended));
    for (id, policy, step, arn, name) in &written {
        let held = policies.iter().find(|p| p.target == *id).unwrap();
        assert_eq!(held.kind, ObservedPolicyKind::Step(step.scaling.clone()));
        assert_eq!((&held.arn, &held.alarms), (arn, &vec![name.clone()]));
        let alarm = alarms.iter().find(|a| a.name == *name).unwrap();
        let names = [name.clone(), "none".to_owned()];
        for ports in [&arms.sdk, &arms.door] {
            let named = ports.alarms.alarms_named(&names).await;
            assert_eq!(named, Listing::complete(vec![alarm.clone()]));
        }
        assert_eq!(alarm.rule.as_ref(), Some(&step.alarm));
        assert_eq!(alarm.actions, std::slice::from_ref(arn));
        assert_eq!(held.name, policy.name);
    }
    for ((id, policy, _, _, name), ports) in written.iter().zip([&arms.door, &arms.sdk]) {
        // Twice: what is not there counts as deleted.
        for _ in 0..2 {
            let deleted = ports.scaling.delete_policy(id, &policy.name);
            deleted.await.unwrap();
            ports.alarms.delete_alarm(name).await.unwrap();
        }
    }
    assert_eq!(arms.sdk.alarms.alarms("").await.items, []);
    same_everywhere(&arms).await;
}

#[tokio::test]
async fn both_arms_meet_the_same_errors() {
    let arms = arms(THREE).await;
    let nobody: TargetId = "endpoint/nobody/variant/AllTraffic".parse().unwrap();
    let chat: TargetId = "endpoint/chat/variant/AllTraffic".parse().unwrap();
    let metric = Metric::Predefined(PredefinedMetric::InvocationsPerCopy);
    for (what, kind) in [
        ("missing endpoint", ErrorKind::NotFound),
        ("unregistered", ErrorKind::NotFound),
        ("unfit", ErrorKind::Invalid),
    ] {
        let mut errors = Vec::new();
        for ports in [&arms.sdk, &arms.door] {
            let result = match what {
                "missing endpoint" => ports
                    .endpoints
                    .endpoint(&"nobody".parse().unwrap())
                    .await
                    .map(drop),
                "unregistered" => {
                    let policy = policy(
                        "p",
                        Metric::Predefined(PredefinedMetric::InvocationsPerInstance),
                        false,
                    );
                    ports.scaling.put_policy(&nobody, &policy).await.map(drop)
                }
                _ => {
                    ports
                        .scaling
                        .register(&chat, bounds(1, 2), None, None)
                        .await
                        .unwrap();
                    let policy = policy("p", metric.clone(), false);
                    ports.scaling.put_policy(&chat, &policy).await.map(drop)
                }
            };
            let error = result.unwrap_err();
            errors.push((error.operation, error.kind, error.message));
        }
        assert_eq!(errors[0], errors[1], "{what}");
        assert_eq!(errors[0].1, kind, "{what}: {}", errors[0].2);
    }
}

/// Pages of 10 policies, 50 targets, 100 endpoints and 100 alarms, all turned by the SDK's paginators.
#[tokio::test]
async fn listings_cover_the_namespace_page_by_page() {
    let endpoint = |i| {
        format!(
            "  - {{ name: e{i:03}, variants: [{{ name: v, instance_type: ml.m5.large, instances: 1 }}] }}"
        )
    };
    let world = (0..120).map(endpoint).collect::<Vec<_>>().join("\n");
    let arms = arms(&format!("endpoints:\n{world}")).await;
    let invocations = Metric::Predefined(PredefinedMetric::InvocationsPerInstance);
    for i in 0..120 {
        let id: TargetId = format!("endpoint/e{i:03}/variant/v").parse().unwrap();
        arms.door
            .scaling
            .register(&id, bounds(1, 2), None, None)
            .await
            .unwrap();
        arms.door
            .scaling
            .put_policy(&id, &policy("p", invocations.clone(), false))
            .await
            .unwrap();
    }
    arms.requests.take();
    same_everywhere(&arms).await;
    let calls = arms.requests.take();
    assert_eq!(calls["DescribeScalableTargets"], 3);
    assert_eq!(calls["DescribeScalingPolicies"], 12);
    assert_eq!(calls["ListEndpoints"], 2);
    assert_eq!(calls["DescribeAlarms"], 3);
}

#[tokio::test]
async fn a_pass_over_the_wire_converges_as_one_in_process() {
    let arms = arms(THREE).await;
    let settings = config(THREE_CONFIG, arms.clock.now());
    let fleet = &settings.fleets[&scope()];
    let mut over_the_wire = Observer::new(arms.sdk.clone());
    let first = over_the_wire.observe(fleet, arms.clock.now()).await;
    let todo = plan(fleet, &first.observed, arms.clock.now());
    assert_eq!(todo.actions().count(), 6);
    for (id, action) in todo.actions() {
        match &action.change {
            Change::Register {
                bounds, suspended, ..
            } => {
                arms.sdk
                    .scaling
                    .register(id, *bounds, *suspended, None)
                    .await
                    .unwrap();
            }
            Change::PutPolicy { policy, .. } => {
                arms.sdk.scaling.put_policy(id, policy).await.unwrap();
            }
            other => panic!("a new fleet needs no {}", other.label()),
        }
    }
    arms.clock.turn(Duration::from_secs(
        u64::try_from(Span::MINUTE.millis() / 1000).unwrap(),
    ));
    let now = arms.clock.now();
    let wire = Observer::new(arms.sdk.clone()).observe(fleet, now).await;
    let in_process = Observer::new(arms.door.clone()).observe(fleet, now).await;
    assert_eq!(wire, in_process);
    assert!(plan(fleet, &wire.observed, now).is_empty());
}
