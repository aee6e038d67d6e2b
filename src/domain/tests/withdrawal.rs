//! Laws of taking evenkeel out of a scope.

use super::*;

proptest! {
    /// Whatever stands: nothing is put, nothing of others goes, and nothing of ours stays but where an endpoint is
    /// busy.
    #[test]
    fn all_that_is_ours_goes_and_nothing_else(desired in desired(), world in observation()) {
        let world = Observation { gaps: Vec::new(), ..world };
        let manage = &desired.manage;
        let planned = plan_withdrawal(&desired, &world, at());
        let checked = check_withdrawal(planned.clone(), &desired, &world);
        prop_assert!(checked.is_ok(), "{checked:?} {planned:#?}");
        let after = execute(&planned, world.clone());
        let again = plan_withdrawal(&desired, &after, at());
        prop_assert!(again.is_empty(), "{again:#?}");
        // With a registration of ours goes what the config put there, by whatever name.
        let is_kept = |id: &TargetId, name: &PolicyName| {
            let tagged = world.owners.get(id) == Some(&Some(manage.owner.clone()));
            let mut declared = desired.targets.get(id).into_iter().flat_map(|t| &t.policies);
            let is_declared = declared.any(|p| p.name == *name);
            !(manage.owns(name) || tagged && is_declared)
        };
        for (id, held) in &world.policies {
            for name in held.keys().filter(|name| is_kept(id, name)) {
                prop_assert!(after.policies[id].contains_key(name), "policy {name} of {id} is gone");
            }
        }
        for (id, held) in &world.schedules {
            for name in held.keys().filter(|name| !manage.is_ours(name)) {
                prop_assert!(after.schedules[id].contains_key(name), "schedule {name} of {id} is gone");
            }
        }
        for (id, held) in &after.targets {
            let busy = id.endpoint().and_then(|name| world.endpoints.get(name));
            if busy.is_some_and(|e| e.status != EndpointStatus::InService) {
                continue;
            }
            let ours = |name: &PolicyName| manage.owns(name);
            prop_assert!(!after.policies.get(id).is_some_and(|p| p.keys().any(ours)));
            let ours = |name: &String| manage.is_ours(name);
            prop_assert!(!after.schedules.get(id).is_some_and(|s| s.keys().any(ours)));
            prop_assert!(after.leases(id).is_none_or(|l| *l == Leases::default()));
            // Only the end of an override moves bounds.
            let over = world.leases(id).and_then(|l| l.bounds.as_ref());
            let before = &world.targets[id];
            prop_assert!(over.is_some() || (held.min, held.max) == (before.min, before.max));
        }
    }
}

fn ours() -> (DesiredFleet, Observation) {
    let desired = fleet([("chat", 1, 4)]);
    let mut world = observe(BTreeMap::from([in_service("chat", 2)]), Vec::new());
    world = execute(&plan(&desired, &world, at()), world);
    world.owners = BTreeMap::from([(id("chat"), Some(OwnerName::default()))]);
    (desired, world)
}

fn violations(world: &Observation, change: Change) -> Vec<Violation> {
    let (desired, _) = ours();
    let mut planned = plan_withdrawal(&desired, &ours().1, at());
    planned.targets[0].actions = vec![Action {
        change,
        reason: ActionReason::Withdrawn,
        effects: Vec::new(),
    }];
    let refused = check_withdrawal(planned, &desired, world).err();
    refused.unwrap_or_default()
}

#[test]
fn a_registration_with_something_of_others_on_it_stays() {
    let (desired, mut world) = ours();
    let whole = plan_withdrawal(&desired, &world, at());
    assert!(matches!(
        whole.targets[0].actions[0].change,
        Change::Deregister { .. }
    ));
    let strange: PolicyName = "strange".parse().unwrap();
    let kind = ObservedPolicyKind::OtherTracking;
    let held = held_policy(&strange, kind);
    let policies = world.policies.entry(id("chat")).or_default();
    policies.insert(strange, held);
    let part = plan_withdrawal(&desired, &world, at());
    let deregisters = |action: &Action| matches!(action.change, Change::Deregister { .. });
    assert!(!part.targets[0].actions.iter().any(deregisters));
    assert!(matches!(
        part.targets[0].notes.as_slice(),
        [Note::RegistrationStays { is_ours: true, others }] if others.len() == 1
    ));
    let previous = world.targets[&id("chat")].clone();
    assert_eq!(violations(&world, Change::Deregister { previous }).len(), 1);
}

#[test]
fn the_checker_lets_nothing_of_others_go_and_nothing_be_put() {
    let (desired, mut world) = ours();
    world.alarms.insert(
        "theirs".to_owned(),
        alarm("theirs", None, &"strange".parse().unwrap()),
    );
    let target = &desired.targets[&id("chat")];
    let previous = world.targets[&id("chat")].clone();
    let refused = [
        Change::DeletePolicy {
            name: "strange".parse().unwrap(),
            type_name: "StepScaling".to_owned(),
        },
        Change::DeleteSchedule {
            name: "strange".to_owned(),
        },
        Change::DeleteAlarm {
            name: "theirs".to_owned(),
        },
        Change::Register {
            bounds: target.bounds,
            suspended: None,
            previous: Some(previous.clone()),
            owner: None,
        },
        Change::EndLease {
            kind: MarkerKind::Hold,
            name: "theirs".to_owned(),
            until: at(),
        },
    ];
    for change in refused {
        assert_eq!(violations(&world, change.clone()).len(), 1, "{change:?}");
    }
    assert_eq!(violations(&world, Change::Deregister { previous }), []);
    world.owners.clear();
    let previous = world.targets[&id("chat")].clone();
    assert_eq!(violations(&world, Change::Deregister { previous }).len(), 1);
}

#[test]
fn an_endpoint_that_changes_just_now_is_left_alone() {
    let (desired, mut world) = ours();
    let name: EndpointName = "chat".parse().unwrap();
    world.endpoints.get_mut(&name).unwrap().status = EndpointStatus::Updating;
    let planned = plan_withdrawal(&desired, &world, at());
    assert!(matches!(
        planned.targets[0].verdict,
        Verdict::Waiting(Wait::EndpointBusy { .. })
    ));
    assert!(planned.is_empty());
    let previous = world.targets[&id("chat")].clone();
    assert_eq!(
        violations(&world, Change::Deregister { previous }),
        [Violation::NotScalable(id("chat"))]
    );
}
