//! What a pass costs: lists are read again only when something may have changed them, and nothing is missed for it.

use std::time::Duration;

use evenkeel::domain::PassReason;
use evenkeel::sim::engine::api::PutScalingPolicy;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{INSTANCES, World, request, resource};

const ENDPOINTS: usize = 36;

/// So many endpoints that the policies fill more than a few pages.
fn large() -> World {
    let endpoint = |i| {
        format!(
            "  - {{ name: e{i:02}, variants: [{{ name: AllTraffic, instance_type: ml.m5.large, instances: 1 }}] }}"
        )
    };
    let target = |i| {
        format!(
            "  - {{ endpoint: e{i:02}, variant: AllTraffic, bounds: {{ min: 1, max: 4 }}, policies: [*p, *s] }}"
        )
    };
    let lines = |line: &dyn Fn(usize) -> String| -> String {
        let all: Vec<String> = (0..ENDPOINTS).map(line).collect();
        all.join("\n")
    };
    let config = format!(
        "profiles:\n  unused:\n    policies:\n      - &p {{ target_tracking: {{ metric: invocations_per_instance, \
         target: 70 }} }}\n      - &s {{ step: {{ steps: [{{ from: 0, adjust: 1 }}], alarm: {{ metric: {{ namespace: \
         App, name: Queue, statistic: Sum }}, threshold: 5 }} }} }}\ntargets:\n{}",
        lines(&target)
    );
    World::new(&format!("endpoints:\n{}", lines(&endpoint)), &config)
}

/// Passes of one and the same process, as the daemon runs them.
struct Daemon<'a> {
    world: &'a World,
    reconciler: evenkeel::runtime::Reconciler,
}

impl<'a> Daemon<'a> {
    async fn converged(world: &'a World) -> Self {
        let reconciler = world.reconciler();
        let mut daemon = Self { world, reconciler };
        let first = daemon.pass().await;
        assert_eq!(first, (ENDPOINTS * 4, 0));
        // Once to read back what was written.
        assert_eq!(daemon.pass().await, (0, 0));
        world.requests.take();
        daemon
    }

    async fn pass(&mut self) -> (usize, usize) {
        let stop = CancellationToken::new();
        let pass = self.reconciler.pass(PassReason::Interval, &stop).await;
        self.world.clock.sleep(Duration::from_mins(1)).await;
        (pass.done, pass.failed)
    }

    /// How often an operation was asked for since the last time this was called.
    fn asked(&self, operation: &str) -> usize {
        self.world
            .requests
            .take()
            .get(operation)
            .copied()
            .unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn policies_are_listed_again_only_for_their_age() {
    let world = large();
    let mut daemon = Daemon::converged(&world).await;
    let mut pages = Vec::new();
    for _ in 0..23 {
        assert_eq!(daemon.pass().await, (0, 0));
        pages.push(daemon.asked("DescribeScalingPolicies"));
    }
    let listed = pages.iter().filter(|n| **n > 0).count();
    assert!((2..=3).contains(&listed), "{pages:?}");
}

#[tokio::test(start_paused = true)]
async fn what_changes_alarms_is_noticed_at_once() {
    let world = large();
    let mut daemon = Daemon::converged(&world).await;
    world.delete_policy("e07", "evenkeel-invocations_per_instance");
    assert_eq!(daemon.pass().await, (1, 0));
    assert_eq!(daemon.pass().await, (0, 0));
    world.delete_policy("e08", "evenkeel-step-Queue");
    assert_eq!(
        daemon.pass().await,
        (2, 0),
        "the policy, and the alarm that AWS disconnected"
    );
}

#[tokio::test(start_paused = true)]
async fn what_no_alarm_tells_is_noticed_within_ten_minutes() {
    let world = large();
    let mut daemon = Daemon::converged(&world).await;
    let put: PutScalingPolicy = request(json!({
        "PolicyName": "evenkeel-step-Queue", "PolicyType": "StepScaling", "ServiceNamespace": "sagemaker",
        "ResourceId": resource("e09"), "ScalableDimension": INSTANCES,
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{ "MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 9 }],
        },
    }));
    world.aws(|aws| aws.put_scaling_policy(&put).unwrap());
    let mut mended = 0;
    for _ in 0..11 {
        mended += daemon.pass().await.0;
    }
    assert_eq!(mended, 1);
}
