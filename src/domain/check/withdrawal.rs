//! The laws of taking evenkeel out of a scope: only what carries its name goes, and nothing is put.

use super::super::alarm::alarm_prefix;
use super::super::desired::Manage;
use super::super::endpoint::EndpointStatus;
use super::super::observed::Observation;
use super::super::plan::{Change, Plan, TargetPlan};
use super::{CheckedPlan, Violation};

/// Checks a plan of [`super::super::plan_withdrawal`] against the facts it was made from.
///
/// # Errors
/// Every [`Violation`]: something that is not ours to remove, or an endpoint that changes just now.
pub fn check_withdrawal(
    plan: Plan,
    manage: &Manage,
    observed: &Observation,
) -> Result<CheckedPlan, Vec<Violation>> {
    let mut violations = Vec::new();
    for entry in &plan.targets {
        check_entry(entry, manage, observed, &mut violations);
    }
    if violations.is_empty() {
        Ok(CheckedPlan(plan))
    } else {
        Err(violations)
    }
}

fn check_entry(
    entry: &TargetPlan,
    manage: &Manage,
    observed: &Observation,
    out: &mut Vec<Violation>,
) {
    let id = &entry.id;
    let changes = id.endpoint().and_then(|name| observed.endpoints.get(name));
    let is_busy = changes.is_some_and(|e| e.status != EndpointStatus::InService);
    if is_busy && !entry.actions.is_empty() {
        out.push(Violation::NotScalable(id.clone()));
    }
    for action in &entry.actions {
        let (what, is_ours) = match &action.change {
            Change::Deregister { .. } => (id.to_string(), is_wholly_ours(entry, manage, observed)),
            Change::DeletePolicy { name, .. } => (name.to_string(), manage.owns(name)),
            Change::DeleteSchedule { name } => (name.clone(), manage.is_ours(name)),
            Change::DeleteAlarm { name } | Change::EndLease { name, .. } => {
                let ours = name.starts_with(&alarm_prefix(&manage.owner));
                (name.clone(), ours && observed.alarms.contains_key(name))
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
fn is_wholly_ours(entry: &TargetPlan, manage: &Manage, observed: &Observation) -> bool {
    let tagged = observed.owners.get(&entry.id) == Some(&Some(manage.owner.clone()));
    let policies = observed.policies.get(&entry.id);
    let schedules = observed.schedules.get(&entry.id);
    tagged
        && policies.is_none_or(|held| held.keys().all(|name| manage.owns(name)))
        && schedules.is_none_or(|held| held.keys().all(|name| manage.is_ours(name)))
}
