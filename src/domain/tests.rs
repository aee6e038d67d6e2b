//! Laws of the planner and its checker, over random fleets and random observations.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;

const ENDPOINTS: [&str; 4] = ["chat", "embed", "rank", "vision"];

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn id(endpoint: &str) -> TargetId {
    format!("endpoint/{endpoint}/variant/AllTraffic")
        .parse()
        .unwrap()
}

fn capacity() -> impl Strategy<Value = Capacity> {
    (0_u32..20).prop_map(|n| Capacity::new(n).unwrap())
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1_u32..8, 0_u32..8).prop_map(|(min, more)| {
        let capacity = |n| Capacity::new(n).unwrap();
        Bounds::new(capacity(min), capacity(min.saturating_add(more))).unwrap()
    })
}

fn metric() -> impl Strategy<Value = Metric> {
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

fn tracking() -> impl Strategy<Value = TargetTracking> {
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

fn stepping() -> impl Strategy<Value = StepScaling> {
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

fn rule() -> impl Strategy<Value = AlarmRule> {
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

fn step_policy() -> impl Strategy<Value = StepPolicy> {
    (stepping(), rule()).prop_map(|(scaling, alarm)| StepPolicy {
        scaling,
        alarm,
        alarm_name: None,
    })
}

/// Declared policies: unique names, unique metrics, as the config guarantees. Their names meet those that AWS holds,
/// ours and others'.
fn policies() -> impl Strategy<Value = Vec<Policy>> {
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
fn policy_name(n: u8) -> PolicyName {
    let text = if n.is_multiple_of(2) {
        format!("evenkeel-{n}")
    } else {
        format!("p{n}")
    };
    text.parse().unwrap()
}

fn tracked_policies(all: Vec<TargetTracking>) -> Vec<Policy> {
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

fn manage() -> impl Strategy<Value = Manage> {
    let prune = prop_oneof![Just(Prune::Owned), Just(Prune::All), Just(Prune::Never)];
    let removal = prop_oneof![Just(OnRemoval::Retain), Just(OnRemoval::Deregister)];
    (prune, removal).prop_map(|(prune, on_removal)| Manage {
        owner: OwnerName::default(),
        prune,
        on_removal,
    })
}

fn suspension() -> impl Strategy<Value = Suspension> {
    (any::<bool>(), any::<bool>()).prop_map(|(scale_in, scheduled)| Suspension {
        scale_in,
        scale_out: false,
        scheduled,
    })
}

/// Whens of every kind, some over, one that fires at the very instant that these tests are at (08:00 in UTC).
const WHENS: [&str; 5] = [
    "cron(0 8 * * ? *)",
    "cron(30 9 ? * MON-FRI *)",
    "at(2027-01-15T08:30:00)",
    "at(2027-01-15T07:00:00)",
    "rate(6 hours)",
];

fn schedule() -> impl Strategy<Value = Schedule> {
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
fn schedules() -> impl Strategy<Value = Vec<Schedule>> {
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
fn held_schedules() -> impl Strategy<Value = Vec<ObservedSchedule>> {
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

fn desired() -> impl Strategy<Value = DesiredFleet> {
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
                        schedules,
                        policies,
                    },
                )
            })
            .collect(),
    })
}

fn status() -> impl Strategy<Value = EndpointStatus> {
    prop_oneof![
        6 => Just(EndpointStatus::InService),
        1 => Just(EndpointStatus::Updating),
        1 => Just(EndpointStatus::RollingBack),
    ]
}

fn held_kind() -> impl Strategy<Value = ObservedPolicyKind> {
    prop_oneof![
        4 => tracking().prop_map(ObservedPolicyKind::TargetTracking),
        1 => Just(ObservedPolicyKind::OtherTracking),
        2 => stepping().prop_map(ObservedPolicyKind::Step),
        1 => Just(ObservedPolicyKind::OtherStep),
    ]
}

type Held = (
    Option<(EndpointStatus, Capacity)>,
    Option<(Capacity, Capacity, Suspension)>,
    Vec<(u8, ObservedPolicyKind)>,
    Vec<(u8, AlarmRule, bool)>,
);

fn held() -> impl Strategy<Value = Held> {
    (
        prop::option::weighted(0.9, (status(), capacity())),
        prop::option::of((capacity(), capacity(), suspension())),
        prop::collection::vec((0_u8..4, held_kind()), 0..3),
        prop::collection::vec((0_u8..4, rule(), any::<bool>()), 0..3),
    )
}

fn gaps() -> impl Strategy<Value = Vec<Gap>> {
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

fn from_now(hours: i64) -> DateTime<Utc> {
    at().checked_add_signed(chrono::TimeDelta::hours(hours))
        .unwrap()
}

fn lease<T>(what: T, is_over: bool) -> Lease<T> {
    Lease {
        what,
        by: "alice".to_owned(),
        reason: "a rollout".to_owned(),
        since: from_now(-2),
        until: from_now(if is_over { -1 } else { 1 }),
    }
}

fn leases() -> impl Strategy<Value = Leases> {
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

fn observation() -> impl Strategy<Value = Observation> {
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

fn observe(endpoints: BTreeMap<&str, Held>, gaps: Vec<Gap>) -> Observation {
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

fn arn(policy: &PolicyName) -> String {
    format!("arn:policy/{policy}")
}

fn held_policy(name: &PolicyName, kind: ObservedPolicyKind) -> ObservedPolicy {
    ObservedPolicy {
        target: id("chat"),
        name: name.clone(),
        arn: arn(name),
        kind,
        alarms: Vec::new(),
        alarms_settled: true,
    }
}

fn alarm(name: &str, rule: Option<AlarmRule>, policy: &PolicyName) -> ObservedAlarm {
    ObservedAlarm {
        name: name.to_owned(),
        state: AlarmState::Ok,
        actions_enabled: true,
        threshold: rule.as_ref().map(|r| r.threshold),
        since: None,
        actions: vec![arn(policy)],
        rule,
        extras: AlarmExtras::default(),
    }
}

fn held_kind_of(policy: &Policy) -> ObservedPolicyKind {
    match policy.kind.clone() {
        PolicyKind::TargetTracking(tracking) => ObservedPolicyKind::TargetTracking(tracking),
        PolicyKind::Step(step) => ObservedPolicyKind::Step(step.scaling),
    }
}

/// What AWS would hold after every action of `plan` was executed.
fn execute(plan: &Plan, mut world: Observation) -> Observation {
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

/// Safety that never stops a pass, for laws about something else.
const NO_LIMIT: Safety = Safety {
    max_change: 1.0,
    always_allowed: usize::MAX,
};

proptest! {
    #[test]
    fn planning_after_a_perfect_execution_is_empty(desired in desired(), world in observation()) {
        let first = plan(&desired, &world, at());
        let second = plan(&desired, &execute(&first, world), at());
        prop_assert!(second.is_empty(), "{second:#?}");
    }

    #[test]
    fn the_checker_accepts_what_the_planner_makes(desired in desired(), world in observation()) {
        let plan = plan(&desired, &world, at());
        prop_assert!(check(plan, &desired, &world, NO_LIMIT).is_ok());
    }

    #[test]
    fn every_declared_target_is_accounted_for(desired in desired(), world in observation()) {
        let plan = plan(&desired, &world, at());
        let declared = |id: &&TargetId| desired.targets.contains_key(*id);
        let ids: Vec<_> = plan.targets.iter().map(|t| &t.id).filter(declared).collect();
        prop_assert_eq!(ids, desired.targets.keys().collect::<Vec<_>>());
    }

    #[test]
    fn a_partial_observation_plans_less_never_more(
        desired in desired(),
        world in observation(),
        lost in gaps(),
        keep in prop::collection::vec(any::<bool>(), 16),
    ) {
        let whole = Observation { gaps: Vec::new(), ..world };
        let full = plan(&desired, &whole, at());
        let partial = lose(whole, lost, &keep);
        for (id, action) in plan(&desired, &partial, at()).actions() {
            prop_assert!(
                full.actions().any(|(i, a)| i == id && a.change.label() == action.change.label()),
                "{} planned only without the facts: {:#?}", id, action
            );
        }
    }

    /// What a person asks for a while: it is done while it holds, and undone when it is over.
    #[test]
    fn holds_and_overrides_hold_and_end(desired in desired(), world in observation()) {
        let world = Observation { gaps: Vec::new(), ..world };
        let made = plan(&desired, &world, at());
        let after = execute(&made, world.clone());
        for entry in made.targets.iter().filter(|e| e.verdict == Verdict::Changes) {
            let Some(held) = after.targets.get(&entry.id) else { continue };
            let Some(before) = world.leases(&entry.id) else { continue };
            // While an endpoint is busy holds begin and end, and all else waits.
            let endpoint = entry.id.endpoint().and_then(|name| world.endpoints.get(name));
            if endpoint.is_none_or(|e| e.status != EndpointStatus::InService) {
                continue;
            }
            let left = after.leases(&entry.id).cloned().unwrap_or_default();
            prop_assert!(left.hold.is_none_or(|l| l.holds(at())));
            prop_assert!(left.bounds.is_none_or(|l| l.holds(at())));
            if !desired.targets.contains_key(&entry.id) {
                continue;
            }
            if let Some(hold) = before.hold.as_ref().filter(|l| l.holds(at())) {
                prop_assert!(!hold.what.scale_in || held.suspended.scale_in);
                prop_assert!(!hold.what.scale_out || held.suspended.scale_out);
            }
            if let Some(over) = before.bounds.as_ref().filter(|l| l.holds(at())) {
                prop_assert!(over.what.min.is_none_or(|min| held.min <= min));
                prop_assert!(over.what.max.is_none_or(|max| held.max >= max));
            }
        }
    }

    /// Nothing that is not declared goes away unless it carries our tag and the config says so.
    #[test]
    fn only_what_is_ours_is_deregistered(desired in desired(), world in observation()) {
        for (id, action) in plan(&desired, &world, at()).actions() {
            if let Change::Deregister { .. } = action.change {
                prop_assert!(!desired.targets.contains_key(id));
                prop_assert_eq!(desired.manage.on_removal, OnRemoval::Deregister);
                prop_assert_eq!(&world.owners[id], &Some(OwnerName::default()));
            }
        }
    }

    #[test]
    fn what_waits_or_is_held_has_no_actions(desired in desired(), world in observation()) {
        for entry in plan(&desired, &world, at()).targets {
            let acts = !entry.actions.is_empty();
            prop_assert_eq!(acts, entry.verdict == Verdict::Changes);
        }
    }
}

/// Drops some of what was seen from the parts that have gaps.
fn lose(mut world: Observation, gaps: Vec<Gap>, keep: &[bool]) -> Observation {
    let mut keep = keep.iter().copied().cycle();
    for gap in &gaps {
        match &gap.part {
            Part::Endpoints => world.endpoints.retain(|_, _| keep.next().unwrap()),
            Part::Targets => world.targets.retain(|_, _| keep.next().unwrap()),
            Part::Policies => {
                for held in world.policies.values_mut() {
                    held.retain(|_, _| keep.next().unwrap());
                }
            }
            Part::Alarms => {
                world.alarms.retain(|_, _| keep.next().unwrap());
                world.markers.leases.retain(|_, _| keep.next().unwrap());
            }
            Part::Schedules => {
                for held in world.schedules.values_mut() {
                    held.retain(|_, _| keep.next().unwrap());
                }
            }
            Part::Variants(name) => {
                if let Some(endpoint) = world.endpoints.get_mut(name) {
                    endpoint.details = None;
                }
            }
            Part::Config(_)
            | Part::Tags(_)
            | Part::Components
            | Part::Copies(_)
            | Part::Marker(_) => {
                unreachable!("not among the gaps of these tests")
            }
        }
    }
    world.gaps = gaps;
    world
}

fn tracked(name: &str, metric: PredefinedMetric, target: f64) -> Policy {
    Policy {
        name: name.parse().unwrap(),
        kind: PolicyKind::TargetTracking(TargetTracking {
            metric: Metric::Predefined(metric),
            target: TargetValue::new(target).unwrap(),
            of_all_cores: false,
            scale_out_cooldown: Cooldown::from_secs(60).unwrap(),
            scale_in_cooldown: Cooldown::SAGEMAKER_DEFAULT,
            disable_scale_in: false,
        }),
    }
}

fn fleet(targets: impl IntoIterator<Item = (&'static str, u32, u32)>) -> DesiredFleet {
    let targets = targets.into_iter().map(|(name, min, max)| {
        let capacity = |n| Capacity::new(n).unwrap();
        let bounds = Bounds::new(capacity(min), capacity(max)).unwrap();
        let policies = vec![tracked(
            "inv",
            PredefinedMetric::InvocationsPerInstance,
            70.0,
        )];
        (
            id(name),
            DesiredTarget {
                id: id(name),
                bounds,
                suspended: None,
                ignored: BTreeMap::new(),
                schedules: Vec::new(),
                policies,
            },
        )
    });
    DesiredFleet {
        targets: targets.collect(),
        ..DesiredFleet::empty("test".parse().unwrap())
    }
}

fn in_service(name: &'static str, running: u32) -> (&'static str, Held) {
    let running = Capacity::new(running).unwrap();
    (
        name,
        (
            Some((EndpointStatus::InService, running)),
            None,
            Vec::new(),
            Vec::new(),
        ),
    )
}

#[test]
fn a_new_target_is_registered_before_its_policies_are_put() {
    let world = observe(BTreeMap::from([in_service("chat", 9)]), Vec::new());
    let plan = plan(&fleet([("chat", 1, 4)]), &world, at());
    let labels: Vec<_> = plan.actions().map(|(_, a)| a.change.label()).collect();
    assert_eq!(labels, ["register_target", "put_policy"]);
    let capacity = |n| Capacity::new(n).unwrap();
    let clamped = Effect::CapacityClamped {
        from: capacity(9),
        to: capacity(4),
    };
    assert_eq!(plan.targets[0].actions[0].effects, [clamped]);
}

#[test]
fn a_missing_endpoint_waits_and_an_unread_list_is_not_a_missing_endpoint() {
    let desired = fleet([("chat", 1, 4)]);
    let verdict = |gaps| {
        plan(&desired, &observe(BTreeMap::new(), gaps), at()).targets[0]
            .verdict
            .clone()
    };
    let chat: EndpointName = "chat".parse().unwrap();
    assert_eq!(
        verdict(Vec::new()),
        Verdict::Waiting(Wait::EndpointMissing(chat))
    );
    let gap = Gap {
        part: Part::Endpoints,
        why: "throttled".to_owned(),
    };
    assert_eq!(
        verdict(vec![gap.clone()]),
        Verdict::Waiting(Wait::Unseen(gap))
    );
}

#[test]
fn a_metric_that_another_policy_tracks_is_held_not_fought_over() {
    let name: PolicyName = "by-hand".parse().unwrap();
    let world = world_with_policies(&[tracked(
        "by-hand",
        PredefinedMetric::InvocationsPerInstance,
        50.0,
    )]);
    let plan = plan(&fleet([("chat", 1, 4)]), &world, at());
    assert_eq!(plan.targets[0].verdict, Verdict::Held);
    assert_eq!(
        plan.targets[0].notes[0],
        Note::MetricTaken {
            name: "inv".parse().unwrap(),
            by: name
        }
    );
}

/// AWS refuses two policies on one metric, so the one that leaves a metric must be put before the one that takes it.
#[test]
fn a_metric_changes_hands_in_one_plan() {
    let policies = [
        tracked("a", PredefinedMetric::ConcurrentRequestsPerModel, 5.0),
        tracked("b", PredefinedMetric::InvocationsPerInstance, 70.0),
    ];
    let mut desired = fleet([("chat", 1, 4)]);
    desired.targets.get_mut(&id("chat")).unwrap().policies = policies.to_vec();
    let world = world_with_policies(&[
        tracked("a", PredefinedMetric::InvocationsPerCopy, 5.0),
        tracked("b", PredefinedMetric::ConcurrentRequestsPerModel, 70.0),
    ]);
    let plan = plan(&desired, &world, at());
    let order: Vec<_> = plan
        .actions()
        .map(|(_, action)| match &action.change {
            Change::PutPolicy { policy, .. } => policy.name.as_str(),
            Change::Register { .. }
            | Change::Deregister { .. }
            | Change::EndLease { .. }
            | Change::PutAlarm { .. }
            | Change::DeletePolicy { .. }
            | Change::PutSchedule { .. }
            | Change::DeleteSchedule { .. }
            | Change::DeleteAlarm { .. } => action.change.label(),
        })
        .collect();
    assert_eq!(order, ["b", "a"]);
}

/// A policy that tracks the metric may hide in the part of the list that was not read.
#[test]
fn no_metric_is_changed_to_one_that_an_unseen_policy_may_track() {
    let desired = fleet([("chat", 1, 4)]);
    let mut world =
        world_with_policies(&[tracked("inv", PredefinedMetric::InvocationsPerCopy, 5.0)]);
    assert_eq!(
        plan(&desired, &world, at()).targets[0].verdict,
        Verdict::Changes
    );
    world.gaps.push(Gap {
        part: Part::Policies,
        why: "throttled".to_owned(),
    });
    assert_eq!(
        plan(&desired, &world, at()).targets[0].verdict,
        Verdict::Held
    );
}

fn world_with_policies(policies: &[Policy]) -> Observation {
    let mut world = observe(BTreeMap::from([in_service("chat", 2)]), Vec::new());
    let capacity = |n| Capacity::new(n).unwrap();
    let held = ObservedTarget {
        id: id("chat"),
        min: capacity(1),
        max: capacity(4),
        suspended: Suspension::default(),
        created: at(),
        arn: None,
    };
    world.targets.insert(id("chat"), held);
    let observed = policies.iter().map(|policy| {
        let held = held_policy(&policy.name, held_kind_of(policy));
        (held.name.clone(), held)
    });
    world.policies.insert(id("chat"), observed.collect());
    world
}

#[test]
fn the_checker_stops_a_pass_that_shrinks_too_much() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut world = observe(
        names.into_iter().map(|n| in_service(n, 9)).collect(),
        Vec::new(),
    );
    for name in names {
        let capacity = |n| Capacity::new(n).unwrap();
        let held = ObservedTarget {
            id: id(name),
            min: capacity(1),
            max: capacity(9),
            suspended: Suspension::default(),
            created: at(),
            arn: None,
        };
        world.targets.insert(id(name), held);
    }
    let desired = fleet(names.map(|n| (n, 1, 4)));
    let made = plan(&desired, &world, at());
    let refused = check(made.clone(), &desired, &world, Safety::default()).unwrap_err();
    assert_eq!(
        refused,
        [Violation::TooMuchAtOnce {
            shrinking: 6,
            fleet: 6,
            allowed: 3
        }]
    );
    assert!(check(made, &desired, &world, NO_LIMIT).is_ok());
}

type Breakage = fn(&mut Plan);
type Expected = fn(&Violation) -> bool;

/// The checker is only worth having if it refuses what a broken planner would make.
#[test]
fn the_checker_refuses_broken_plans() {
    let desired = fleet([("chat", 1, 4)]);
    let world = observe(BTreeMap::from([in_service("chat", 2)]), Vec::new());
    let good = plan(&desired, &world, at());
    let broken: [(Breakage, Expected); 6] = [
        (
            |p| p.targets[0].id = id("rank"),
            |v| matches!(v, Violation::NotDeclared(_)),
        ),
        (
            |p| p.targets[0].actions.swap(0, 1),
            |v| matches!(v, Violation::Disorder(_)),
        ),
        (
            |p| {
                p.targets[0].actions.remove(0);
            },
            |v| matches!(v, Violation::PolicyWithoutTarget(_)),
        ),
        (
            |p| {
                let again = p.targets[0].actions[1].clone();
                p.targets[0].actions.push(again);
            },
            |v| matches!(v, Violation::Disorder(_)),
        ),
        (
            |p| {
                let capacity = |n| Capacity::new(n).unwrap();
                p.targets[0].actions[0].change = Change::Register {
                    bounds: Bounds::new(capacity(0), capacity(100)).unwrap(),
                    suspended: None,
                    previous: None,
                    owner: None,
                };
            },
            |v| matches!(v, Violation::WrongBounds(_)),
        ),
        (
            |p| {
                p.targets[0].actions[1].change = Change::PutPolicy {
                    policy: tracked("inv", PredefinedMetric::InvocationsPerInstance, 7.0),
                    previous: None,
                };
            },
            |v| matches!(v, Violation::WrongPolicy(..)),
        ),
    ];
    for (i, (breakage, expected)) in broken.into_iter().enumerate() {
        let mut plan = good.clone();
        breakage(&mut plan);
        let violations = check(plan, &desired, &world, NO_LIMIT).unwrap_err();
        assert!(violations.iter().any(expected), "case {i}: {violations:?}");
    }
    let busy = observe(
        BTreeMap::from([(
            "chat",
            (
                Some((EndpointStatus::Updating, Capacity::ZERO)),
                None,
                vec![],
                vec![],
            ),
        )]),
        Vec::new(),
    );
    let violations = check(good, &desired, &busy, NO_LIMIT).unwrap_err();
    assert_eq!(violations, [Violation::NotScalable(id("chat"))]);
}
