//! Registered targets that the config does not name: what is ours goes if the config says so, and what someone asked
//! for a while ends all the same.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::alarm::target_alarm_prefix;
use super::super::bounds::{BoundSource, Bounds, BoundsError, EffectiveBounds};
use super::super::desired::{DesiredFleet, OnRemoval, Prune};
use super::super::endpoint::{EndpointStatus, ObservedEndpoint};
use super::super::observed::{Observation, ObservedTarget, Part};
use super::super::plan::{Action, ActionReason, Change, Effect, TargetPlan, Verdict};
use super::super::target::TargetId;
use super::{ended_leases, registered_by};

/// Entries for targets that are not declared, where something is to be done with them.
pub(super) fn plan_removals(
    desired: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Vec<TargetPlan> {
    let in_view = |id: &TargetId| desired.only.as_ref().is_none_or(|only| id.matches(only));
    let undeclared = observed
        .targets
        .values()
        .filter(|held| !desired.targets.contains_key(&held.id) && in_view(&held.id));
    let entry = |held| removal(held, desired, observed, now);
    undeclared.filter_map(entry).collect()
}

fn removal(
    held: &ObservedTarget,
    desired: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Option<TargetPlan> {
    let id = &held.id;
    if observed.gap(&Part::Alarms).is_some() || is_busy(id, observed) {
        return None;
    }
    let actions = if is_to_go(id, desired, observed) {
        deregistration(held, desired, observed)
    } else {
        end_of_leases(held, desired, observed, now)
    };
    if actions.is_empty() {
        return None;
    }
    Some(TargetPlan {
        id: id.clone(),
        effective: EffectiveBounds {
            bounds: Bounds::new(held.min, held.max).unwrap_or_else(BoundsError::swapped),
            min_source: BoundSource::Held,
            max_source: BoundSource::Held,
        },
        verdict: Verdict::Changes,
        actions,
        notes: Vec::new(),
        registration: registered_by(id, false, &desired.manage.owner, observed),
    })
}

/// An endpoint that was not seen in service is left alone; that of a component need not be known.
fn is_busy(id: &TargetId, observed: &Observation) -> bool {
    let Some(endpoint) = id.endpoint() else {
        return false;
    };
    let serves = |e: &ObservedEndpoint| e.status == EndpointStatus::InService;
    !observed.endpoints.get(endpoint).is_some_and(serves)
        || observed.markers.updates.contains_key(endpoint)
}

/// Whether the registration carries our tag, and is to go when it is not declared. With an incomplete look at what
/// selections go by, nothing goes.
fn is_to_go(id: &TargetId, desired: &DesiredFleet, observed: &Observation) -> bool {
    let owner = observed.owners.get(id).and_then(Option::as_ref);
    desired.manage.on_removal == OnRemoval::Deregister
        && owner == Some(&desired.manage.owner)
        && (desired.selections.is_empty() || observed.is_complete())
}

fn deregistration(
    held: &ObservedTarget,
    desired: &DesiredFleet,
    observed: &Observation,
) -> Vec<Action> {
    let policies = observed.policies.get(&held.id).map_or(0, BTreeMap::len);
    let mut actions = vec![Action {
        change: Change::Deregister {
            previous: held.clone(),
        },
        reason: ActionReason::NotDeclared,
        effects: vec![Effect::PoliciesDeleted(policies)],
    }];
    if desired.manage.prune == Prune::Never {
        return actions;
    }
    let prefix = target_alarm_prefix(&desired.manage.owner, &held.id);
    let after = observed.alarms.range(prefix.clone()..);
    let ours = after
        .map(|(name, _)| name)
        .take_while(|name| name.starts_with(&prefix));
    actions.extend(ours.map(|name| Action {
        change: Change::DeleteAlarm { name: name.clone() },
        reason: ActionReason::Orphaned,
        effects: Vec::new(),
    }));
    actions
}

/// Puts back what an override or a hold changed, when it is over.
fn end_of_leases(
    held: &ObservedTarget,
    desired: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Vec<Action> {
    let leases = observed.leases(&held.id);
    let ended = ended_leases(&held.id, leases, &desired.manage.owner, now);
    let Some(leases) = leases.filter(|_| !ended.is_empty()) else {
        return Vec::new();
    };
    let now_held = Bounds::new(held.min, held.max).unwrap_or_else(BoundsError::swapped);
    let over = leases.bounds.as_ref().filter(|l| !l.holds(now));
    let bounds = over.map_or(now_held, |l| l.what.before);
    let hold = leases.hold.as_ref().filter(|l| !l.holds(now));
    let suspended = hold.map(|l| l.what.off(held.suspended));
    let differs = bounds != now_held || suspended.is_some_and(|s| s != held.suspended);
    let registration = Action {
        change: Change::Register {
            bounds,
            suspended,
            previous: Some(held.clone()),
            owner: None,
        },
        reason: ActionReason::TimeOver,
        effects: Vec::new(),
    };
    let registration = differs.then_some(registration);
    registration.into_iter().chain(ended).collect()
}
