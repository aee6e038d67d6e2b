//! Taking back everything that carries our name, declared or not: what `evenkeel remove` does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::alarm::target_alarm_prefix;
use super::super::desired::{DesiredFleet, DesiredTarget, Manage, OnRemoval, Prune};
use super::super::endpoint::EndpointStatus;
use super::super::name::PolicyName;
use super::super::note::Note;
use super::super::observed::{Observation, ObservedPolicyKind, ObservedTarget};
use super::super::plan::{Action, ActionReason, Change, Effect, Plan, TargetPlan, Verdict, Wait};
use super::super::target::TargetId;
use super::removals::{as_held, deregistration, end_of_leases, leftovers};
use super::{clamped, ended_leases, registered_by};

/// Plans what takes everything of `desired.manage.owner` out of a scope, as far as `desired.only` reaches. What others
/// made stays: a registration of ours with a policy of theirs keeps standing, as AWS would delete the policy with it.
/// Holds and overrides end now.
///
/// The observation must hold the owners of all registrations and all scheduled actions.
#[must_use]
pub fn plan_withdrawal(desired: &DesiredFleet, observed: &Observation, now: DateTime<Utc>) -> Plan {
    let nothing_declared = DesiredFleet {
        manage: Manage {
            owner: desired.manage.owner.clone(),
            prune: Prune::Owned,
            on_removal: OnRemoval::Deregister,
        },
        only: desired.only.clone(),
        ..DesiredFleet::empty(desired.scope.clone())
    };
    let observed = with_leases_ended(observed, now);
    let in_view = |id: &TargetId| desired.only.as_ref().is_none_or(|only| id.matches(only));
    let standing = observed.targets.values().filter(|held| in_view(&held.id));
    let mut targets: Vec<TargetPlan> = standing
        .filter_map(|held| {
            let declared = desired.targets.get(&held.id);
            withdrawal(held, declared, &nothing_declared, &observed, now)
        })
        .collect();
    let left = leftovers(&nothing_declared, &observed, now);
    targets.extend(left.into_iter().filter(|entry| in_view(&entry.id)));
    for action in targets.iter_mut().flat_map(|entry| &mut entry.actions) {
        action.reason = ActionReason::Withdrawn;
    }
    Plan {
        scope: desired.scope.clone(),
        at: now,
        owner: desired.manage.owner.clone(),
        targets,
    }
}

/// The same world, with everything over that someone asked for a while.
fn with_leases_ended(observed: &Observation, now: DateTime<Utc>) -> Observation {
    let mut observed = observed.clone();
    for leases in observed.markers.leases.values_mut() {
        leases.hold = leases.hold.take().map(|lease| lease.ended(now));
        leases.bounds = leases.bounds.take().map(|lease| lease.ended(now));
    }
    observed
}

fn withdrawal(
    held: &ObservedTarget,
    declared: Option<&DesiredTarget>,
    nothing_declared: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Option<TargetPlan> {
    let (id, manage) = (&held.id, &nothing_declared.manage);
    let tag = observed.owners.get(id).and_then(Option::as_ref);
    let is_ours = tag == Some(&manage.owner);
    let others = parts_of_others(held, declared, manage, observed);
    let goes = is_ours && others.is_empty();
    let mut actions = if goes {
        let mut actions = deregistration(held, nothing_declared, observed);
        let leases = observed.leases(id);
        actions.extend(ended_leases(id, leases, &manage.owner, now));
        actions
    } else {
        // What a hold suspended comes back first, so that what stays of others scales again.
        let mut actions = end_of_leases(held, nothing_declared, observed, now);
        for action in &mut actions {
            if let Change::Register { bounds, .. } = &action.change {
                action.effects = clamped(id, *bounds, observed);
            }
        }
        actions.extend(own_parts(held, manage, observed));
        actions
    };
    if actions.is_empty() && !is_ours {
        return None;
    }
    let stays = Note::RegistrationStays { is_ours, others };
    let notes = if goes { Vec::new() } else { vec![stays] };
    let wait = busy(held, observed).filter(|_| !actions.is_empty());
    let verdict = match wait {
        Some(wait) => {
            actions.clear();
            Verdict::Waiting(wait)
        }
        None if actions.is_empty() => Verdict::Held,
        None => Verdict::Changes,
    };
    Some(TargetPlan {
        id: id.clone(),
        effective: as_held(held),
        verdict,
        actions,
        notes,
        registration: registered_by(id, declared.is_some(), &manage.owner, observed),
    })
}

/// An endpoint that changes just now is left alone. One that is gone is not: nothing of it can be disturbed.
fn busy(held: &ObservedTarget, observed: &Observation) -> Option<Wait> {
    let endpoint = held.id.endpoint()?;
    let seen = observed.endpoints.get(endpoint)?;
    (seen.status != EndpointStatus::InService).then(|| Wait::EndpointBusy {
        endpoint: endpoint.clone(),
        status: seen.status.clone(),
        since: seen.modified,
    })
}

/// What others put on a registration, by name. What the config declares there is not of others, whatever it is called:
/// AWS has no policy from before the registration, and that is ours where this is asked.
fn parts_of_others(
    held: &ObservedTarget,
    declared: Option<&DesiredTarget>,
    manage: &Manage,
    observed: &Observation,
) -> Vec<String> {
    let policies = observed.policies.get(&held.id).into_iter().flatten();
    let is_declared = |name: &PolicyName| {
        declared.is_some_and(|target| target.policies.iter().any(|p| p.name == *name))
    };
    let policies = policies
        .map(|(name, _)| name)
        .filter(|name| !manage.owns(name) && !is_declared(name));
    let schedules = observed.schedules.get(&held.id).into_iter().flatten();
    let is_declared = |name: &str| {
        declared.is_some_and(|target| {
            let mut adopted = target.schedules.iter();
            adopted.any(|s| s.adopted_action.as_deref() == Some(name))
        })
    };
    let schedules = schedules
        .map(|(name, _)| name)
        .filter(|name| !manage.is_ours(name) && !is_declared(name));
    let policies = policies.map(|name| format!("policy `{name}`"));
    policies
        .chain(schedules.map(|name| format!("scheduled action `{name}`")))
        .collect()
}

/// Our policies, scheduled actions and alarms on a registration that stays.
fn own_parts(held: &ObservedTarget, manage: &Manage, observed: &Observation) -> Vec<Action> {
    let id = &held.id;
    let action = |change: Change, effects: Vec<Effect>| Action {
        change,
        reason: ActionReason::Withdrawn,
        effects,
    };
    let nothing = BTreeMap::new();
    let policies = observed.policies.get(id).unwrap_or(&nothing);
    let ours = policies.iter().filter(|(name, _)| manage.owns(name));
    let mut actions: Vec<Action> = ours
        .map(|(name, policy)| {
            let tracks = matches!(
                policy.kind,
                ObservedPolicyKind::TargetTracking(_) | ObservedPolicyKind::OtherTracking
            );
            let change = Change::DeletePolicy {
                name: name.clone(),
                type_name: policy.kind.type_name().to_owned(),
            };
            let effects = tracks.then_some(Effect::AlarmsDeleted);
            action(change, effects.into_iter().collect())
        })
        .collect();
    let schedules = observed.schedules.get(id).into_iter().flatten();
    let ours = schedules.filter(|(name, _)| manage.is_ours(name));
    actions.extend(
        ours.map(|(name, _)| action(Change::DeleteSchedule { name: name.clone() }, Vec::new())),
    );
    let prefix = target_alarm_prefix(&manage.owner, id);
    let after = observed.alarms.range(prefix.clone()..);
    let ours = after
        .map(|(name, _)| name)
        .take_while(|name| name.starts_with(&prefix));
    actions.extend(ours.map(|name| action(Change::DeleteAlarm { name: name.clone() }, Vec::new())));
    actions
}
