//! Random fleets and random observations, and what a perfect execution makes of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::super::*;

pub(super) const ENDPOINTS: [&str; 4] = ["chat", "embed", "rank", "vision"];

pub(super) fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(super) fn id(endpoint: &str) -> TargetId {
    format!("endpoint/{endpoint}/variant/AllTraffic")
        .parse()
        .unwrap()
}

pub(super) fn capacity() -> impl Strategy<Value = Capacity> {
    (0_u32..20).prop_map(|n| Capacity::new(n).unwrap())
}

pub(super) fn bounds() -> impl Strategy<Value = Bounds> {
    (1_u32..8, 0_u32..8).prop_map(|(min, more)| {
        let capacity = |n| Capacity::new(n).unwrap();
        Bounds::new(capacity(min), capacity(min.saturating_add(more))).unwrap()
    })
}

pub(super) fn metric() -> impl Strategy<Value = Metric> {
    prop_oneof![
        Just(Metric::Predefined(PredefinedMetric::InvocationsPerInstance)),
        Just(Metric::Predefined(
            PredefinedMetric::ConcurrentRequestsPerModel
        )),
        prop_oneof!["CPUUtilization", "GPUUtilization"].prop_map(|name| {
            Metric::Custom(CustomMetric {
                namespace: "/aws/sagemaker/Endpoints".to_owned(),
                name,
                dimensions: BTreeMap::new(),
                statistic: Statistic::Average,
                unit: None,
            })
        }),
    ]
}

pub(super) fn tracking() -> impl Strategy<Value = TargetTracking> {
    (metric(), 1_u32..5, 0_u32..3, any::<bool>()).prop_map(|(metric, target, cooldown, off)| {
        TargetTracking {
            metric,
            target: TargetValue::new(f64::from(target)).unwrap(),
            of_all_cores: false,
            scale_out_cooldown: Cooldown::from_secs(cooldown).unwrap(),
            scale_in_cooldown: Cooldown::SAGEMAKER_DEFAULT,
            disable_scale_in: off,
        }
    })
}

pub(super) fn stepping() -> impl Strategy<Value = StepScaling> {
    (1_i32..4, 0_u32..3).prop_map(|(adjustment, cooldown)| StepScaling {
        adjustment: Adjustment::ChangeInCapacity,
        steps: vec![Step {
            lower: Number::new(0.0),
            upper: None,
            adjustment,
        }],
        min_magnitude: None,
        cooldown: Cooldown::from_secs(cooldown).unwrap(),
        aggregation: Aggregation::Average,
    })
}

pub(super) fn rule() -> impl Strategy<Value = AlarmRule> {
    (1_u32..3, any::<bool>()).prop_map(|(threshold, upward)| AlarmRule {
        metric: CustomMetric {
            namespace: "App".to_owned(),
            name: "Queue".to_owned(),
            dimensions: BTreeMap::new(),
            statistic: Statistic::Sum,
            unit: None,
        },
        period: 60,
        periods: 2,
        datapoints: 2,
        threshold: Number::new(f64::from(threshold)).unwrap(),
        comparison: if upward {
            Comparison::GreaterOrEqual
        } else {
            Comparison::LessOrEqual
        },
        missing: MissingData::Missing,
    })
}

pub(super) fn step_policy() -> impl Strategy<Value = StepPolicy> {
    (stepping(), rule()).prop_map(|(scaling, alarm)| StepPolicy {
        scaling,
        alarm,
        alarm_name: None,
    })
}

/// Declared policies: unique names, unique metrics, as the config guarantees. Their names meet those that AWS holds,
/// ours and others'.
pub(super) fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let steps = prop::option::of((0_u8..4, step_policy()));
    let tracked = prop::collection::vec(tracking(), 0..3);
    (tracked, steps).prop_map(|(all, step)| {
        let mut policies = tracked_policies(all);
        if let Some((n, step)) = step {
            let name = policy_name(n);
            if !policies.iter().any(|p| p.name == name) {
                let kind = PolicyKind::Step(step);
                policies.push(Policy { name, kind });
            }
        }
        policies
    })
}

/// Even numbers are names that evenkeel gave.
pub(super) fn policy_name(n: u8) -> PolicyName {
    let text = if n.is_multiple_of(2) {
        format!("evenkeel-{n}")
    } else {
        format!("p{n}")
    };
    text.parse().unwrap()
}

pub(super) fn tracked_policies(all: Vec<TargetTracking>) -> Vec<Policy> {
    {
        let mut policies: Vec<Policy> = Vec::new();
        for tracking in all {
            let taken = |p: &Policy| p.tracked_metric() == Some(&tracking.metric);
            if !policies.iter().any(taken) {
                let name = policy_name(u8::try_from(policies.len()).unwrap());
                policies.push(Policy {
                    name,
                    kind: PolicyKind::TargetTracking(tracking),
                });
            }
        }
        policies
    }
}

pub(super) fn manage() -> impl Strategy<Value = Manage> {
    let prune = prop_oneof![Just(Prune::Owned), Just(Prune::All), Just(Prune::Never)];
    let removal = prop_oneof![Just(OnRemoval::Retain), Just(OnRemoval::Deregister)];
    (prune, removal).prop_map(|(prune, on_removal)| Manage {
        owner: OwnerName::default(),
        prune,
        on_removal,
    })
}

pub(super) fn suspension() -> impl Strategy<Value = Suspension> {
    (any::<bool>(), any::<bool>()).prop_map(|(scale_in, scheduled)| Suspension {
        scale_in,
        scale_out: false,
        scheduled,
    })
}

/// Whens of every kind, some over, one that fires at the very instant that these tests are at (08:00 in UTC).
pub(super) const WHENS: [&str; 5] = [
    "cron(0 8 * * ? *)",
    "cron(30 9 ? * MON-FRI *)",
    "at(2027-01-15T08:30:00)",
    "at(2027-01-15T07:00:00)",
    "rate(6 hours)",
];

pub(super) fn schedule() -> impl Strategy<Value = Schedule> {
    let runner = prop::sample::select(&[Runner::Daemon, Runner::Aws, Runner::Both][..]);
    let ends = (prop::option::of(capacity()), capacity());
    (0..=WHENS.len(), runner, ends, any::<bool>()).prop_map(|(n, runner, (min, max), limited)| {
        let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        let when = match WHENS.get(n) {
            Some(text) => When::Fires(Expression::parse(text).unwrap()),
            None => When::Open(Window::Daily {
                from: time(7),
                until: time(8),
                days: (0..7).collect(),
            }),
        };
        Schedule {
            name: format!("s{n}").parse().unwrap(),
            zone: Zone::UTC,
            is_zone_assumed: false,
            min: min.map(|min| min.min(max)),
            max: Some(max),
            lead: chrono::TimeDelta::zero(),
            except: BTreeSet::new(),
            start: (limited || n == 4).then(|| from_now(-30)),
            end: limited.then(|| from_now(40)),
            runner,
            adopted_action: None,
            when,
        }
    })
}

/// Schedules with names of their own, as the config guarantees.
pub(super) fn schedules() -> impl Strategy<Value = Vec<Schedule>> {
    prop::collection::vec(schedule(), 0..4).prop_map(|all| {
        let mut schedules: Vec<Schedule> = Vec::new();
        for schedule in all {
            if !schedules.iter().any(|s| s.name == schedule.name) {
                schedules.push(schedule);
            }
        }
        schedules
    })
}

/// Scheduled actions that AWS holds: of schedules that may be declared, and strange ones.
pub(super) fn held_schedules() -> impl Strategy<Value = Vec<ObservedSchedule>> {
    let name = prop_oneof![
        (0..WHENS.len()).prop_map(|n| format!("evenkeel-s{n}")),
        Just("evenkeel-s5 opens".to_owned()),
        Just("evenkeel-s5 closes".to_owned()),
        Just("evenkeel-gone".to_owned()),
        Just("strange".to_owned()),
    ];
    let one = (name, prop::sample::select(&WHENS[..]), capacity()).prop_map(|(name, when, min)| {
        ObservedSchedule {
            target: id("chat"),
            name,
            expression: when.to_owned(),
            zone: None,
            min: Some(min),
            max: None,
            start: None,
            end: None,
            created: None,
        }
    });
    prop::collection::vec(one, 0..4)
}

pub(super) fn desired() -> impl Strategy<Value = DesiredFleet> {
    let scheduled = prop_oneof![Just(Vec::new()), schedules()];
    let target = (
        bounds(),
        prop::option::of(suspension()),
        policies(),
        scheduled,
    );
    let targets = prop::collection::btree_map(prop::sample::select(&ENDPOINTS[..]), target, 0..5);
    (manage(), targets).prop_map(|(manage, targets)| DesiredFleet {
        scope: "test".parse().unwrap(),
        manage,
        selections: Vec::new(),
        picked: Picked::new(),
        tunings: BTreeMap::new(),
        only: None,
        targets: targets
            .into_iter()
            .map(|(name, (bounds, suspended, policies, schedules))| {
                (
                    id(name),
                    DesiredTarget {
                        id: id(name),
                        bounds,
                        suspended,
                        ignored: BTreeMap::new(),
                        tunings: BTreeMap::new(),
                        schedules,
                        policies,
                    },
                )
            })
            .collect(),
    })
}

pub(super) fn status() -> impl Strategy<Value = EndpointStatus> {
    prop_oneof![
        6 => Just(EndpointStatus::InService),
        1 => Just(EndpointStatus::Updating),
        1 => Just(EndpointStatus::RollingBack),
    ]
}

pub(super) fn held_kind() -> impl Strategy<Value = ObservedPolicyKind> {
    prop_oneof![
        4 => tracking().prop_map(ObservedPolicyKind::TargetTracking),
        1 => Just(ObservedPolicyKind::OtherTracking),
        2 => stepping().prop_map(ObservedPolicyKind::Step),
        1 => Just(ObservedPolicyKind::OtherStep),
    ]
}

pub(super) type Held = (
    Option<(EndpointStatus, Capacity)>,
    Option<(Capacity, Capacity, Suspension)>,
    Vec<(u8, ObservedPolicyKind)>,
    Vec<(u8, AlarmRule, bool)>,
);

pub(super) fn held() -> impl Strategy<Value = Held> {
    (
        prop::option::weighted(0.9, (status(), capacity())),
        prop::option::of((capacity(), capacity(), suspension())),
        prop::collection::vec((0_u8..4, held_kind()), 0..3),
        prop::collection::vec((0_u8..4, rule(), any::<bool>()), 0..3),
    )
}

pub(super) fn gaps() -> impl Strategy<Value = Vec<Gap>> {
    let part = prop_oneof![
        Just(Part::Endpoints),
        Just(Part::Targets),
        Just(Part::Policies),
        Just(Part::Alarms),
        Just(Part::Schedules),
        Just(Part::Variants("chat".parse().unwrap())),
    ];
    prop::collection::vec(
        part.prop_map(|part| Gap {
            part,
            why: "throttled".to_owned(),
        }),
        0..2,
    )
}

pub(super) fn from_now(hours: i64) -> DateTime<Utc> {
    at().checked_add_signed(chrono::TimeDelta::hours(hours))
        .unwrap()
}

pub(super) fn lease<T>(what: T, is_over: bool) -> Lease<T> {
    Lease {
        what,
        by: "alice".to_owned(),
        reason: "a rollout".to_owned(),
        since: from_now(-2),
        until: from_now(if is_over { -1 } else { 1 }),
    }
}

pub(super) fn leases() -> impl Strategy<Value = Leases> {
    let hold = (any::<bool>(), suspension(), any::<bool>()).prop_map(|(scale_in, before, over)| {
        let hold = Hold {
            scale_in,
            scale_out: !scale_in,
            before,
        };
        lease(hold, over)
    });
    let ends = (prop::option::of(capacity()), prop::option::of(capacity()));
    let bounds = (ends, bounds(), any::<bool>())
        .prop_map(|((min, max), before, over)| lease(Override { min, max, before }, over));
    (prop::option::of(hold), prop::option::of(bounds))
        .prop_map(|(hold, bounds)| Leases { hold, bounds })
}

pub(super) fn observation() -> impl Strategy<Value = Observation> {
    let endpoint = || prop::sample::select(&ENDPOINTS[..]);
    let owner = prop::option::of(Just(OwnerName::default()));
    (
        prop::collection::btree_map(endpoint(), held(), 0..5),
        prop::collection::btree_map(endpoint(), leases(), 0..3),
        prop::collection::btree_map(endpoint(), owner, 0..3),
        any::<bool>(),
        gaps(),
        prop::collection::btree_map(endpoint(), held_schedules(), 0..5),
    )
        .prop_map(|(endpoints, leases, owners, is_async, gaps, scheduled)| {
            let mut seen = observe(endpoints, gaps);
            for (name, actions) in scheduled {
                if !seen.targets.contains_key(&id(name)) {
                    continue;
                }
                let actions = actions.into_iter().map(|a| (a.name.clone(), a));
                seen.schedules.insert(id(name), actions.collect());
            }
            for details in seen
                .endpoints
                .values_mut()
                .filter_map(|e| e.details.as_mut())
            {
                details.is_async = is_async;
            }
            let leases = leases.into_iter().map(|(name, leases)| (id(name), leases));
            seen.markers.leases = leases.collect();
            seen.owners = owners
                .into_iter()
                .map(|(name, owner)| (id(name), owner))
                .collect();
            seen
        })
}

pub(super) fn observe(endpoints: BTreeMap<&str, Held>, gaps: Vec<Gap>) -> Observation {
    let mut seen = Observation {
        scope: "test".parse().unwrap(),
        at: at(),
        endpoints: BTreeMap::new(),
        targets: BTreeMap::new(),
        policies: BTreeMap::new(),
        alarms: BTreeMap::new(),
        components: BTreeMap::new(),
        markers: Markers::default(),
        schedules: BTreeMap::new(),
        owners: BTreeMap::new(),
        gaps,
    };
    for (name, (endpoint, target, policies, alarms)) in endpoints {
        for (n, rule, connected) in alarms {
            let policy = policy_name(n);
            let owner = OwnerName::default();
            let alarm = alarm(&alarm_name(&owner, &id(name), &policy), Some(rule), &policy);
            let actions = if connected {
                alarm.actions.clone()
            } else {
                Vec::new()
            };
            let alarm = ObservedAlarm { actions, ..alarm };
            seen.alarms.insert(alarm.name.clone(), alarm);
        }
        let endpoint_name: EndpointName = name.parse().unwrap();
        if let Some((status, running)) = endpoint {
            let variants_gap = seen.gap(&Part::Variants(endpoint_name.clone())).is_some();
            let variant = ObservedVariant::Instances(Running {
                current: Some(running),
                desired: Some(running),
            });
            let details = EndpointDetails {
                config: "c".to_owned(),
                is_async: true,
                variants: BTreeMap::from([("AllTraffic".parse().unwrap(), variant)]),
            };
            seen.endpoints.insert(
                endpoint_name.clone(),
                ObservedEndpoint {
                    name: endpoint_name,
                    status,
                    created: at(),
                    modified: at(),
                    details: (!variants_gap).then_some(details),
                    config: None,
                    tags: None,
                },
            );
        }
        let Some((a, b, suspended)) = target else {
            continue;
        };
        seen.targets.insert(
            id(name),
            ObservedTarget {
                id: id(name),
                min: a.min(b),
                max: a.max(b),
                suspended,
                created: from_now(-24),
                arn: None,
            },
        );
        let policies = policies.into_iter().map(|(n, kind)| {
            let held = held_policy(&policy_name(n), kind);
            (held.name.clone(), held)
        });
        seen.policies.insert(id(name), policies.collect());
    }
    seen
}

pub(super) fn arn(policy: &PolicyName) -> String {
    format!("arn:policy/{policy}")
}

pub(super) fn held_policy(name: &PolicyName, kind: ObservedPolicyKind) -> ObservedPolicy {
    ObservedPolicy {
        target: id("chat"),
        name: name.clone(),
        arn: arn(name),
        kind,
        alarms: Vec::new(),
        alarms_settled: true,
    }
}

pub(super) fn alarm(name: &str, rule: Option<AlarmRule>, policy: &PolicyName) -> ObservedAlarm {
    ObservedAlarm {
        name: name.to_owned(),
        state: AlarmState::Ok,
        actions_enabled: true,
        threshold: rule.as_ref().map(|r| r.threshold),
        since: None,
        actions: vec![arn(policy)],
        rule,
        extras: AlarmExtras::default(),
        last: None,
    }
}

pub(super) fn held_kind_of(policy: &Policy) -> ObservedPolicyKind {
    match policy.kind.clone() {
        PolicyKind::TargetTracking(tracking) => ObservedPolicyKind::TargetTracking(tracking),
        PolicyKind::Step(step) => ObservedPolicyKind::Step(step.scaling),
    }
}

/// What AWS would hold after every action of `plan` was executed.
pub(super) fn execute(plan: &Plan, mut world: Observation) -> Observation {
    for (id, action) in plan.actions() {
        match &action.change {
            Change::Register {
                bounds, suspended, ..
            } => {
                let before = world.targets.get(id).map(|t| t.suspended);
                let held = ObservedTarget {
                    id: id.clone(),
                    min: bounds.min(),
                    max: bounds.max(),
                    suspended: suspended.or(before).unwrap_or_default(),
                    created: at(),
                    arn: None,
                };
                if world.targets.insert(id.clone(), held).is_none() {
                    // A new registration starts without policies and scheduled actions.
                    world.policies.remove(id);
                    world.schedules.remove(id);
                }
            }
            Change::PutPolicy { policy, .. } => {
                let held = held_policy(&policy.name, held_kind_of(policy));
                let policies = world.policies.entry(id.clone()).or_default();
                policies.insert(policy.name.clone(), held);
            }
            Change::PutAlarm {
                name, policy, rule, ..
            } => {
                assert!(world.policies[id].contains_key(policy), "it drives nothing");
                let alarm = alarm(name, Some(rule.clone()), policy);
                world.alarms.insert(name.clone(), alarm);
            }
            Change::DeletePolicy { name, .. } => {
                world.policies.get_mut(id).unwrap().remove(name).unwrap();
            }
            Change::DeleteAlarm { name } => {
                world.alarms.remove(name).unwrap();
            }
            Change::PutSchedule { action, .. } => {
                let held = ObservedSchedule {
                    target: id.clone(),
                    name: action.name.clone(),
                    expression: action.expression.clone(),
                    zone: Some(action.zone.name().to_owned()),
                    min: action.min,
                    max: action.max,
                    start: action.start,
                    end: action.end,
                    created: None,
                };
                let schedules = world.schedules.entry(id.clone()).or_default();
                schedules.insert(action.name.clone(), held);
            }
            Change::DeleteSchedule { name } => {
                world.schedules.get_mut(id).unwrap().remove(name).unwrap();
            }
            Change::Deregister { .. } => {
                world.targets.remove(id).unwrap();
                world.schedules.remove(id);
                world.policies.remove(id);
            }
            Change::EndLease { kind, .. } => {
                let leases = world.markers.leases.get_mut(id).unwrap();
                match kind {
                    MarkerKind::Hold => leases.hold = None,
                    MarkerKind::Override => leases.bounds = None,
                    MarkerKind::Update => unreachable!("an update has no end of its own"),
                }
            }
        }
    }
    world
}
