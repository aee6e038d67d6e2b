//! What happens, and what is to be told of it.

use evenkeel::domain::AlertKind;
use evenkeel::ports::ErrorKind;

use super::{Act, Incident};

const RPS: &str = "{ target_tracking: { metric: invocations_per_instance, target: 300, scale_out_cooldown: 5m } }";

fn world(traffic: &str, instances: u32, start_up: &str) -> String {
    format!(
        "endpoints:\n  - name: chat\n    variants: [{{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: \
         {instances}, start_up: {start_up} }}]\n    traffic: {traffic}\n"
    )
}

fn config(policies: &str, bounds: &str) -> String {
    format!(
        "targets:\n  - {{ endpoint: chat, variant: AllTraffic, bounds: {bounds}, policies: [{policies}] }}\n"
    )
}

/// A quiet endpoint, of which something else is made.
fn quiet(name: &'static str) -> Incident {
    Incident {
        name,
        world: world("{ steady: 500 }", 2, "4m"),
        config: config(RPS, "{ min: 1, max: 8 }"),
        script: Vec::new(),
        expected: Vec::new(),
        fine: Vec::new(),
        minutes: 90,
        seed: 1,
    }
}

fn ramp(from: f64, each: f64, minutes: u64) -> Vec<(u64, Act)> {
    let step = |i: u64| {
        (
            10 + i,
            Act::Load(from + each * f64::from(u32::try_from(i).unwrap())),
        )
    };
    (0..minutes).map(step).collect()
}

fn step_policy(name: &str, comparison: &str, threshold: u32, adjust: i32) -> String {
    format!(
        "{{ name: {name}, step: {{ cooldown: 5m, steps: [{{ {}: 0, adjust: {adjust} }}], alarm: {{ metric: {{ \
         namespace: AWS/SageMaker, name: Invocations, statistic: Sum, dimensions: {{ EndpointName: chat, VariantName: \
         AllTraffic }} }}, threshold: {threshold}, comparison: \"{comparison}\", periods: 1 }} }} }}",
        if adjust > 0 { "from" } else { "to" }
    )
}

const SILENT: &str = "{ name: queue, target_tracking: { target: 5, \
                      metric: { namespace: App, name: Depth, statistic: Average } } }";

const SCHEDULES: &str = "schedules: [{ name: up, cron: '30 6 * * ? *', timezone: UTC, bounds: { min: 3 } }, \
                         { name: down, cron: '0 20 * * ? *', timezone: UTC, bounds: { min: 1 } }], policies:";

/// All of them.
pub fn incidents() -> Vec<Incident> {
    let mut all = saturation();
    all.extend(aws_refuses());
    all.extend(thrashing());
    all.extend(people());
    all.extend(blindness());
    all.extend(nothing_wrong());
    all
}

fn saturation() -> Vec<Incident> {
    use AlertKind::{AtMaxCapacity, MaxCapacitySaturated, SaturationPredicted};
    let small = || config(RPS, "{ min: 1, max: 3 }");
    vec![
        Incident {
            config: small(),
            script: vec![(10, Act::Load(1500.0))],
            expected: vec![(MaxCapacitySaturated, 10)],
            fine: vec![SaturationPredicted],
            ..quiet("a jump over the maximum")
        },
        Incident {
            config: small(),
            script: vec![(10, Act::Load(1500.0))],
            expected: vec![(MaxCapacitySaturated, 10)],
            fine: vec![SaturationPredicted],
            seed: 2,
            ..quiet("a jump over the maximum, other noise")
        },
        Incident {
            config: small(),
            script: vec![(10, Act::Load(1500.0)), (50, Act::Load(300.0))],
            expected: vec![(MaxCapacitySaturated, 10)],
            // AWS takes a quarter of an hour before it takes capacity away.
            fine: vec![AtMaxCapacity],
            minutes: 120,
            ..quiet("over the maximum and back")
        },
        Incident {
            config: small(),
            script: vec![(10, Act::Load(840.0))],
            expected: vec![(AtMaxCapacity, 10)],
            fine: vec![SaturationPredicted],
            ..quiet("at the maximum and content")
        },
        Incident {
            config: format!("watch: {{ budget: 0.3 }}\n{}", small()),
            script: vec![(10, Act::Load(840.0))],
            expected: vec![(AtMaxCapacity, 10)],
            fine: vec![SaturationPredicted],
            ..quiet("at the maximum and content, and little money to look")
        },
        Incident {
            config: format!("watch: {{ budget: 0.3 }}\n{}", small()),
            script: vec![(10, Act::Load(1500.0))],
            expected: vec![(MaxCapacitySaturated, 10)],
            ..quiet("over the maximum, and little money to look")
        },
        Incident {
            config: small(),
            script: vec![(10, Act::Load(1500.0)), (12, Act::Load(500.0))],
            ..quiet("a peak of two minutes")
        },
        Incident {
            config: config(RPS, "{ min: 3, max: 3 }"),
            script: vec![(10, Act::Load(840.0))],
            ..quiet("bounds without room, and content")
        },
        Incident {
            config: config(RPS, "{ min: 3, max: 3 }"),
            script: vec![(10, Act::Load(1500.0))],
            expected: vec![(MaxCapacitySaturated, 10)],
            ..quiet("bounds without room, and too little")
        },
        Incident {
            script: ramp(600.0, 40.0, 44),
            expected: vec![(SaturationPredicted, 20)],
            fine: vec![MaxCapacitySaturated, AtMaxCapacity],
            minutes: 55,
            ..quiet("a rise that will reach the maximum")
        },
        Incident {
            script: ramp(1200.0, 20.0, 50),
            expected: vec![(SaturationPredicted, 35)],
            fine: vec![MaxCapacitySaturated, AtMaxCapacity],
            minutes: 61,
            seed: 3,
            ..quiet("a slower rise that will reach the maximum")
        },
        Incident {
            script: ramp(500.0, 3.0, 80),
            ..quiet("a rise that will not for hours")
        },
        Incident {
            script: vec![(10, Act::Load(1500.0))],
            ..quiet("a jump that the maximum can carry")
        },
    ]
}

fn aws_refuses() -> Vec<Incident> {
    use AlertKind::{CapacityReset, ScalingFailed, ScalingStuck, StuckAtZero};
    let queue = "{ target_tracking: { target: 5, metric: { namespace: AWS/SageMaker, name: ApproximateBacklogSize, \
                 statistic: Average, dimensions: { EndpointName: chat } } } }";
    let asynchronous = || {
        world("{ steady: 0 }", 1, "4m").replace("    variants:", "    async: true\n    variants:")
            + "    exact: true\n"
    };
    vec![
        Incident {
            script: vec![(10, Act::Quota(3)), (12, Act::Load(1500.0))],
            expected: vec![(ScalingFailed, 12)],
            ..quiet("a quota in the way")
        },
        Incident {
            script: vec![(10, Act::Quota(8)), (12, Act::Load(1500.0))],
            ..quiet("a quota out of the way")
        },
        Incident {
            script: vec![(10, Act::Shortage(true)), (12, Act::Load(1500.0))],
            expected: vec![(ScalingFailed, 12)],
            ..quiet("no machines")
        },
        Incident {
            script: vec![(10, Act::Shortage(true)), (30, Act::Shortage(false))],
            ..quiet("no machines, and none wanted")
        },
        Incident {
            world: world("{ steady: 500 }", 2, "80m"),
            script: vec![(10, Act::Load(1500.0))],
            expected: vec![(ScalingStuck, 13)],
            ..quiet("an activity that does not end")
        },
        Incident {
            world: world("{ steady: 500 }", 2, "20m"),
            script: vec![(10, Act::Load(1500.0))],
            // What AWS asked for meanwhile is too much, and stays for as long.
            fine: vec![AlertKind::AtMaxCapacity],
            ..quiet("an activity that takes its time")
        },
        Incident {
            world: asynchronous(),
            config: config(queue, "{ min: 0, max: 4 }"),
            script: vec![(60, Act::Shortage(true)), (60, Act::Load(60.0))],
            expected: vec![(StuckAtZero, 60)],
            fine: vec![ScalingFailed],
            minutes: 100,
            ..quiet("work for an endpoint at zero, and no machines")
        },
        Incident {
            world: asynchronous(),
            config: config(
                &format!("{queue}, {{ wake_from_zero: {{}} }}"),
                "{ min: 0, max: 4 }",
            ),
            script: vec![(60, Act::Load(1.0))],
            minutes: 100,
            ..quiet("work that wakes an endpoint at zero")
        },
        Incident {
            world: world("{ steady: 1400 }", 5, "4m"),
            script: vec![(10, Act::Deploy(1, false))],
            expected: vec![(CapacityReset, 10)],
            ..quiet("a deployment that drops the count")
        },
        Incident {
            world: world("{ steady: 1400 }", 5, "4m"),
            script: vec![(10, Act::Deploy(1, true))],
            ..quiet("a deployment that keeps it")
        },
    ]
}

fn thrashing() -> Vec<Incident> {
    let odds = || {
        format!(
            "{}, {}",
            step_policy("grow", ">", 800, 2),
            step_policy("shrink", "<", 400, -2)
        )
    };
    let bursts = |every: u32| {
        let half = every / 2;
        world(
            &format!(
                "{{ bursts: {{ base: 200, burst: 1500, every: {every}m, lasting: {half}m }} }}"
            ),
            2,
            "4m",
        )
    };
    vec![
        Incident {
            world: bursts(24),
            config: config(&odds(), "{ min: 1, max: 12 }"),
            expected: vec![(AlertKind::Thrashing, 60)],
            minutes: 160,
            ..quiet("two policies at odds")
        },
        Incident {
            world: bursts(20),
            config: config(&odds(), "{ min: 1, max: 12 }"),
            expected: vec![(AlertKind::Thrashing, 50)],
            minutes: 160,
            seed: 5,
            ..quiet("two policies at odds, faster")
        },
        Incident {
            world: bursts(80),
            config: config(&odds(), "{ min: 1, max: 12 }"),
            minutes: 200,
            ..quiet("up and down as the load goes, slowly")
        },
        Incident {
            script: vec![
                (10, Act::Load(1500.0)),
                (50, Act::Load(400.0)),
                (100, Act::Load(1500.0)),
            ],
            minutes: 150,
            ..quiet("up, down and up in two hours")
        },
    ]
}

fn people() -> Vec<Incident> {
    use AlertKind::{
        AlarmTampered, DriftUnresolved, ScaleInBlocked, ScalingSuspended, UnmanagedEndpoint,
    };
    let stray = || {
        format!(
            "{}  - name: stray\n    variants: [{{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }}]\n",
            world("{ steady: 500 }", 2, "4m")
        )
    };
    vec![
        Incident {
            script: vec![(5, Act::Observe), (10, Act::DisableAlarm)],
            expected: vec![(AlarmTampered, 10)],
            fine: vec![DriftUnresolved],
            ..quiet("an alarm without its actions")
        },
        Incident {
            script: vec![(5, Act::Observe), (10, Act::DeleteAlarm)],
            expected: vec![(AlarmTampered, 10)],
            fine: vec![DriftUnresolved],
            ..quiet("an alarm that was deleted")
        },
        Incident {
            script: vec![(10, Act::Mute)],
            expected: vec![(AlarmTampered, 10)],
            ..quiet("an alarm that was muted")
        },
        Incident {
            script: vec![(10, Act::DeleteAlarm)],
            ..quiet("an alarm that was deleted and mended")
        },
        Incident {
            script: vec![(5, Act::Observe), (10, Act::Suspend)],
            expected: vec![(ScalingSuspended, 10)],
            ..quiet("scaling that someone suspended")
        },
        Incident {
            config: config(RPS, "{ min: 1, max: 8 }")
                .replace("bounds:", "suspended: { scale_out: true }, bounds:"),
            ..quiet("scaling that the config suspends")
        },
        Incident {
            script: vec![(5, Act::Observe), (10, Act::Bounds(2, 6))],
            expected: vec![(DriftUnresolved, 10)],
            ..quiet("other bounds, and nobody mends them")
        },
        Incident {
            script: vec![(10, Act::Bounds(2, 6))],
            ..quiet("other bounds, mended")
        },
        Incident {
            script: vec![
                (9, Act::Fail("RegisterScalableTarget", ErrorKind::Denied)),
                (10, Act::Bounds(2, 6)),
            ],
            expected: vec![(DriftUnresolved, 10)],
            ..quiet("other bounds, and AWS denies the mending")
        },
        Incident {
            world: stray(),
            expected: vec![(UnmanagedEndpoint, 0)],
            ..quiet("an endpoint that nobody scales")
        },
        Incident {
            world: stray(),
            script: vec![(3, Act::RegisterStray)],
            ..quiet("an endpoint that someone else scales")
        },
        Incident {
            world: world("{ steady: 300 }", 4, "4m"),
            config: config(&format!("{RPS}, {SILENT}"), "{ min: 1, max: 8 }"),
            expected: vec![(ScaleInBlocked, 15), (AlertKind::MetricsStale, 0)],
            minutes: 100,
            ..quiet("a policy that vetoes scaling in")
        },
        Incident {
            world: world("{ steady: 300 }", 4, "4m"),
            ..quiet("a policy that scales in")
        },
    ]
}

fn blindness() -> Vec<Incident> {
    use AlertKind::{EvenkeelUnhealthy, MetricsStale, ScheduleNotApplied};
    let scheduled = || config(RPS, "{ min: 1, max: 8 }").replace("policies:", SCHEDULES);
    vec![
        Incident {
            config: config(SILENT, "{ min: 1, max: 8 }"),
            expected: vec![(MetricsStale, 0)],
            ..quiet("a metric without data")
        },
        Incident {
            world: world("{ steady: 0 }", 1, "4m"),
            ..quiet("an endpoint that nobody calls")
        },
        Incident {
            script: vec![
                (10, Act::Fail("DescribeAlarms", ErrorKind::Denied)),
                (10, Act::Fail("GetMetricData", ErrorKind::Denied)),
            ],
            expected: vec![(EvenkeelUnhealthy, 10)],
            ..quiet("CloudWatch denied")
        },
        Incident {
            script: vec![(
                10,
                Act::Fail("DescribeScalableTargets", ErrorKind::Throttled),
            )],
            expected: vec![(EvenkeelUnhealthy, 10)],
            ..quiet("a list that can not be read")
        },
        Incident {
            script: vec![
                (10, Act::Fail("DescribeAlarms", ErrorKind::Throttled)),
                (12, Act::Heal),
            ],
            ..quiet("two minutes of throttling")
        },
        Incident {
            config: scheduled(),
            script: vec![(29, Act::Fail("RegisterScalableTarget", ErrorKind::Denied))],
            expected: vec![(ScheduleNotApplied, 30)],
            fine: vec![AlertKind::DriftUnresolved],
            ..quiet("a schedule that AWS denies")
        },
        Incident {
            config: scheduled(),
            ..quiet("a schedule that is carried out")
        },
    ]
}

fn nothing_wrong() -> Vec<Incident> {
    vec![
        quiet("a quiet hour and a half"),
        Incident {
            seed: 7,
            ..quiet("a quiet hour and a half, other noise")
        },
        Incident {
            world: world(
                "{ daily: { low: 450, high: 1600, peak_at: '09:00' } }",
                2,
                "4m",
            ),
            minutes: 360,
            ..quiet("a morning with its wave")
        },
        Incident {
            script: vec![(10, Act::Maintain(40))],
            ..quiet("maintenance by AWS")
        },
        Incident {
            world: world(
                "{ bursts: { base: 400, burst: 700, every: 45m, lasting: 10m } }",
                2,
                "4m",
            ),
            minutes: 180,
            seed: 9,
            ..quiet("bursts that two or three instances carry")
        },
    ]
}
