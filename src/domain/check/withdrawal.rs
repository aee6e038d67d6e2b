//! The laws of taking evenkeel out of a scope: only what carries its name goes, and nothing is put.

use std::collections::BTreeSet;

use super::super::alarm::alarm_prefix;
use super::super::desired::DesiredFleet;
use super::super::endpoint::EndpointStatus;
use super::super::lease::lease_marker;
use super::super::observed::Observation;
use super::super::plan::{Change, Plan, TargetPlan};
use super::{CheckedPlan, Violation};

/// Checks a plan of [`super::super::plan_withdrawal`] against the facts it was made from.
///
/// # Errors
/// Every [`Violation`]: something that is not ours to remove, or an endpoint that changes just now.
pub fn check_withdrawal(
    plan: Plan,
    desired: &DesiredFleet,
    observed: &Observation,
) -> Result<CheckedPlan, Vec<Violation>> {
    let mut violations = Vec::new();
    for entry in &plan.targets {
        check_entry(entry, desired, observed, &mut violations);
    }
    if violations.is_empty() {
        Ok(CheckedPlan(plan))
    } else {
        Err(violations)
    }
}

fn check_entry(
    entry: &TargetPlan,
    desired: &DesiredFleet,
    observed: &Observation,
    out: &mut Vec<Violation>,
) {
    let (id, manage) = (&entry.id, &desired.manage);
    let changes = id.endpoint().and_then(|name| observed.endpoints.get(name));
    let is_busy = changes.is_some_and(|e| e.status != EndpointStatus::InService);
    if is_busy && observed.targets.contains_key(id) && !entry.actions.is_empty() {
        out.push(Violation::NotScalable(id.clone()));
    }
    for action in &entry.actions {
        let (what, is_ours) = match &action.change {
            Change::Deregister { .. } => (id.to_string(), is_wholly_ours(entry, desired, observed)),
            Change::DeletePolicy { name, .. } => (name.to_string(), manage.owns(name)),
            Change::DeleteSchedule { name } => (name.clone(), manage.is_ours(name)),
            Change::DeleteAlarm { name } => {
                let ours = name.starts_with(&alarm_prefix(&manage.owner));
                (name.clone(), ours && observed.alarms.contains_key(name))
            }
            Change::EndLease { kind, name, .. } => {
                let marker = lease_marker(&manage.owner, *kind, id);
                (
                    name.clone(),
                    *name == marker && observed.leases(id).is_some(),
                )
            }
            Change::Register { bounds, .. } => {
                let leases = observed.leases(id);
                let held = observed.targets.get(id);
                let over = leases.and_then(|l| l.bounds.as_ref());
                let before = over.map(|lease| lease.what.before);
                let same = held.map(|t| (t.min, t.max)) == Some((bounds.min(), bounds.max()));
                let asked = leases.is_some_and(|l| l.hold.is_some() || l.bounds.is_some());
                (id.to_string(), asked && (same || before == Some(*bounds)))
            }
            Change::PutPolicy { .. } | Change::PutAlarm { .. } | Change::PutSchedule { .. } => {
                (id.to_string(), false)
            }
        };
        if !is_ours {
            out.push(Violation::NotOursToRemove(id.clone(), what));
        }
    }
}

/// Whether the registration carries our tag, and nothing of others would go with it.
fn is_wholly_ours(entry: &TargetPlan, desired: &DesiredFleet, observed: &Observation) -> bool {
    let (id, manage) = (&entry.id, &desired.manage);
    let tagged = observed.owners.get(id) == Some(&Some(manage.owner.clone()));
    let declared = desired.targets.get(id);
    let policies = declared.into_iter().flat_map(|target| &target.policies);
    let policies: BTreeSet<_> = policies.map(|policy| &policy.name).collect();
    let schedules = declared.into_iter().flat_map(|target| &target.schedules);
    let actions: BTreeSet<_> = schedules
        .filter_map(|s| s.adopted_action.as_ref())
        .collect();
    let mut held = observed.policies.get(id).into_iter().flatten();
    let mut held_actions = observed.schedules.get(id).into_iter().flatten();
    tagged
        && held.all(|(name, _)| manage.owns(name) || policies.contains(name))
        && held_actions.all(|(name, _)| manage.is_ours(name) || actions.contains(name))
}
