//! Registered targets that the config does not name: what is ours goes if the config says so, and what someone asked
//! for a while ends all the same.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::alarm::{alarm_prefix, target_alarm_prefix};
use super::super::bounds::{BoundSource, Bounds, BoundsError, Capacity, EffectiveBounds};
use super::super::desired::{DesiredFleet, OnRemoval, Prune};
use super::super::endpoint::{EndpointStatus, ObservedEndpoint};
use super::super::name::OwnerName;
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
    let mut entries: Vec<TargetPlan> = undeclared.filter_map(entry).collect();
    entries.extend(
        leftovers(desired, observed, now)
            .into_iter()
            .filter(|entry| in_view(&entry.id)),
    );
    entries
}

/// What of ours is left of targets that are neither declared nor registered: markers that are over, and alarms whose
/// policies went with their target. Endpoints that are deleted leave both behind.
pub(super) fn leftovers(
    desired: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Vec<TargetPlan> {
    // What selections mean is not known from half a look.
    if !observed.is_complete() {
        return Vec::new();
    }
    let owner = &desired.manage.owner;
    let is_known =
        |id: &TargetId| desired.targets.contains_key(id) || observed.targets.contains_key(id);
    let mut left: BTreeMap<TargetId, Vec<Action>> = BTreeMap::new();
    if desired.manage.prune != Prune::Never {
        for name in observed.alarms.keys() {
            let Some(id) = alarmed_target(owner, name).filter(|id| !is_known(id)) else {
                continue;
            };
            left.entry(id).or_default().push(Action {
                change: Change::DeleteAlarm { name: name.clone() },
                reason: ActionReason::Orphaned,
                effects: Vec::new(),
            });
        }
    }
    for (id, leases) in &observed.markers.leases {
        let ended = ended_leases(id, Some(leases), owner, now);
        if !is_known(id) && !ended.is_empty() {
            left.entry(id.clone()).or_default().extend(ended);
        }
    }
    let entry = |(id, actions): (TargetId, Vec<Action>)| TargetPlan {
        id,
        effective: EffectiveBounds {
            bounds: Bounds::new(Capacity::ZERO, Capacity::ZERO)
                .unwrap_or_else(BoundsError::swapped),
            min_source: BoundSource::Held,
            max_source: BoundSource::Held,
        },
        verdict: Verdict::Changes,
        actions,
        notes: Vec::new(),
        registration: None,
    };
    left.into_iter().map(entry).collect()
}

/// The target whose policy an alarm of ours drives, as its name tells.
fn alarmed_target(owner: &OwnerName, name: &str) -> Option<TargetId> {
    let rest = name.strip_prefix(&alarm_prefix(owner))?;
    let parts: Vec<&str> = rest.split('/').collect();
    let resource = match parts.as_slice() {
        [
            "endpoint",
            endpoint,
            "variant",
            variant,
            "concurrency",
            _policy,
            ..,
        ] => {
            format!("endpoint/{endpoint}/variant/{variant}/concurrency")
        }
        ["endpoint", endpoint, "variant", variant, _policy, ..] => {
            format!("endpoint/{endpoint}/variant/{variant}")
        }
        ["inference-component", component, _policy, ..] => {
            format!("inference-component/{component}")
        }
        _ => return None,
    };
    TargetId::of_alarm_component(&resource)
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
        let mut actions = deregistration(held, desired, observed);
        let owner = &desired.manage.owner;
        actions.extend(ended_leases(id, observed.leases(id), owner, now));
        actions
    } else {
        end_of_leases(held, desired, observed, now)
    };
    if actions.is_empty() {
        return None;
    }
    Some(TargetPlan {
        id: id.clone(),
        effective: as_held(held),
        verdict: Verdict::Changes,
        actions,
        notes: Vec::new(),
        registration: registered_by(id, false, &desired.manage.owner, observed),
    })
}

/// The bounds that AWS holds, where nothing declares others.
pub(super) fn as_held(held: &ObservedTarget) -> EffectiveBounds {
    EffectiveBounds {
        bounds: Bounds::new(held.min, held.max).unwrap_or_else(BoundsError::swapped),
        min_source: BoundSource::Held,
        max_source: BoundSource::Held,
    }
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

pub(super) fn deregistration(
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

/// Whether a registration is the one that something was asked of at `since`, which is by another clock than AWS's.
fn is_of(held: &ObservedTarget, since: DateTime<Utc>) -> bool {
    held.created.signed_duration_since(since) < TimeDelta::minutes(5)
}

/// Puts back what an override or a hold changed, when it is over.
pub(super) fn end_of_leases(
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
    // Someone registered it after that was asked for: it is another registration, and nothing of it is to be undone.
    let is_older = |since: DateTime<Utc>| is_of(held, since);
    let now_held = Bounds::new(held.min, held.max).unwrap_or_else(BoundsError::swapped);
    let over = leases.bounds.as_ref();
    let over = over.filter(|l| !l.holds(now) && is_older(l.since));
    let bounds = over.map_or(now_held, |l| l.what.before);
    let hold = leases.hold.as_ref();
    let hold = hold.filter(|l| !l.holds(now) && is_older(l.since));
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
