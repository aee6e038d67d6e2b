//! Laws of the planner and its checker, over random fleets and random observations.

mod withdrawal;
mod worlds;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use worlds::*;

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
                tunings: BTreeMap::new(),
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

/// A target with one schedule that AWS runs, and the world in which everything is as declared.
fn scheduled() -> (DesiredFleet, Observation) {
    let mut desired = fleet([("chat", 1, 4)]);
    let target = desired.targets.get_mut(&id("chat")).unwrap();
    target.schedules = vec![Schedule {
        name: "up".parse().unwrap(),
        when: When::Fires(Expression::parse("cron(0 9 * * ? *)").unwrap()),
        zone: Zone::UTC,
        is_zone_assumed: false,
        min: Capacity::new(2),
        max: Capacity::new(4),
        lead: chrono::TimeDelta::zero(),
        except: std::collections::BTreeSet::new(),
        start: None,
        end: None,
        runner: Runner::Aws,
        adopted_action: None,
    }];
    let world = observe(BTreeMap::from([in_service("chat", 2)]), Vec::new());
    let done = execute(&plan(&desired, &world, at()), world);
    (desired, done)
}

/// What the checker says of one change, whoever planned it.
fn refused(desired: &DesiredFleet, seen: &Observation, change: Change) -> Vec<Violation> {
    let mut planned = plan(desired, seen, at());
    planned.targets[0].actions = vec![Action {
        change,
        reason: ActionReason::NotDeclared,
        effects: Vec::new(),
    }];
    check(planned, desired, seen, NO_LIMIT)
        .err()
        .unwrap_or_default()
}

/// Scheduled actions are removed when they are ours and nothing needs them.
#[test]
fn the_checker_refuses_to_remove_scheduled_actions_that_are_needed_or_not_ours() {
    let (desired, mut world) = scheduled();
    let held = world.schedules.get_mut(&id("chat")).unwrap();
    for name in ["strange", "evenkeel-gone"] {
        let one = held["evenkeel-up"].clone();
        held.insert(name.to_owned(), one);
    }
    let delete = |name: &str| Change::DeleteSchedule {
        name: name.to_owned(),
    };
    assert_eq!(refused(&desired, &world, delete("evenkeel-gone")), []);
    for name in ["strange", "evenkeel-up", "evenkeel-never-was"] {
        let violation = Violation::NotOursToRemove(id("chat"), name.to_owned());
        assert_eq!(refused(&desired, &world, delete(name)), [violation]);
    }
    let never = DesiredFleet {
        manage: Manage {
            prune: Prune::Never,
            ..Manage::default()
        },
        ..desired
    };
    assert_eq!(refused(&never, &world, delete("evenkeel-gone")).len(), 1);
}

/// Scheduled actions are put as declared schedules need them, and not more of them than AWS takes.
#[test]
fn the_checker_refuses_scheduled_actions_that_nothing_needs_so() {
    let (desired, world) = scheduled();
    let wanted = scheduled_actions(&desired.targets[&id("chat")], &desired.manage.owner, at());
    let put = |change: fn(&mut ScheduledAction)| {
        let mut action = wanted[0].clone();
        change(&mut action);
        Change::PutSchedule {
            action,
            previous: None,
        }
    };
    assert_eq!(refused(&desired, &world, put(|_| {})), []);
    let wrong: [fn(&mut ScheduledAction); 3] = [
        |a| a.name = "evenkeel-other".to_owned(),
        |a| a.min = Capacity::new(3),
        |a| a.max = Capacity::new(9),
    ];
    for change in wrong {
        let violations = refused(&desired, &world, put(change));
        assert!(
            matches!(violations.as_slice(), [Violation::WrongSchedule(..)]),
            "{violations:?}"
        );
    }
    let mut full = world;
    let held = full.schedules.get_mut(&id("chat")).unwrap();
    let one = held.remove("evenkeel-up").unwrap();
    held.extend((0..200).map(|n| (format!("strange-{n}"), one.clone())));
    let too_many = Violation::TooManySchedules(id("chat"));
    assert_eq!(refused(&desired, &full, put(|_| {})), [too_many]);
    // And the planner keeps to it.
    let crowded = plan(&desired, &full, at());
    let notes = &crowded.targets[0].notes;
    assert!(notes.contains(&Note::TooManySchedules(1)));
    assert!(crowded.is_empty());
}
