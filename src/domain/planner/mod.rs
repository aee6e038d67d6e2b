//! The planner: (desired, observed, now) to a plan.
//!
//! # Design notes
//!
//! - Absence is believed only where the part it would be in was read to its end.
//! - An endpoint that is not `InService` is left alone whole, its policies too. Nothing is lost by that: while it
//!   is busy AWS scales nothing, whatever policies it has.
//! - The planner decides what is wanted; whether that may be done is [`super::check()`]'s to say, from the same
//!   facts but with none of this code.

mod alarms;
mod policies;

use chrono::{DateTime, Utc};

use super::bounds::{EffectiveBounds, effective_bounds};
use super::desired::{DesiredFleet, DesiredTarget, Manage};
use super::name::{EndpointName, VariantName};
use super::observed::{EndpointStatus, Observation, Part};
use super::plan::{Action, ActionReason, Change, Effect, Note, Plan, TargetPlan, Verdict, Wait};
use super::target::TargetId;
use policies::plan_policies;

/// Plans what would make `observed` as `desired` says, at the instant `now`.
///
/// The plan is empty when there is nothing to do, and then says so for every target.
#[must_use]
pub fn plan(desired: &DesiredFleet, observed: &Observation, now: DateTime<Utc>) -> Plan {
    Plan {
        scope: desired.scope.clone(),
        at: now,
        targets: desired
            .targets
            .values()
            .map(|target| plan_target(target, &desired.manage, observed, now))
            .collect(),
    }
}

fn plan_target(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    now: DateTime<Utc>,
) -> TargetPlan {
    let effective = effective_bounds(target, now);
    let mut entry = TargetPlan {
        id: target.id.clone(),
        effective,
        verdict: Verdict::Converged,
        actions: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(wait) = reason_to_wait(&target.id, observed) {
        entry.verdict = Verdict::Waiting(wait);
        return entry;
    }
    entry
        .actions
        .extend(plan_registration(target, effective, observed));
    let held = observed.targets.get(&target.id).map(|t| t.suspended);
    let unasked = held.filter(|s| s.any() && target.suspended.is_none());
    entry.notes.extend(unasked.map(Note::Suspended));
    plan_policies(target, manage, observed, &mut entry);
    // What is held back comes before what is only mentioned.
    entry.notes.sort_by_key(|note| !note.holds());
    entry.verdict = match (
        entry.actions.is_empty(),
        entry.notes.iter().any(Note::holds),
    ) {
        (false, _) => Verdict::Changes,
        (true, true) => Verdict::Held,
        (true, false) => Verdict::Converged,
    };
    entry
}

/// Whether the target must be left alone as a whole.
fn reason_to_wait(id: &TargetId, observed: &Observation) -> Option<Wait> {
    match id {
        TargetId::Instances { endpoint, variant } => {
            variant_wait(endpoint, variant, observed).or_else(|| registration_unseen(id, observed))
        }
        TargetId::ProvisionedConcurrency { .. } | TargetId::Copies { .. } => {
            Some(Wait::Unsupported)
        }
    }
}

fn variant_wait(
    endpoint: &EndpointName,
    variant: &VariantName,
    observed: &Observation,
) -> Option<Wait> {
    let Some(seen) = observed.endpoints.get(endpoint) else {
        return Some(match observed.gap(&Part::Endpoints) {
            Some(gap) => Wait::Unseen(gap.clone()),
            None => Wait::EndpointMissing(endpoint.clone()),
        });
    };
    if seen.status != EndpointStatus::InService {
        return Some(Wait::EndpointBusy {
            endpoint: endpoint.clone(),
            status: seen.status.clone(),
            since: seen.modified,
        });
    }
    let Some(variants) = &seen.variants else {
        let part = Part::Variants(endpoint.clone());
        let gap = observed.gap(&part).cloned();
        return Some(Wait::Unseen(gap.unwrap_or_else(|| super::observed::Gap {
            part,
            why: "they were not asked for".to_owned(),
        })));
    };
    if variants.contains_key(variant) {
        return None;
    }
    Some(Wait::VariantMissing {
        endpoint: endpoint.clone(),
        variant: variant.clone(),
        known: variants.keys().cloned().collect(),
    })
}

/// A target that is not in a list that was cut short may be registered with anything.
fn registration_unseen(id: &TargetId, observed: &Observation) -> Option<Wait> {
    if observed.targets.contains_key(id) {
        return None;
    }
    observed.gap(&Part::Targets).cloned().map(Wait::Unseen)
}

fn plan_registration(
    target: &DesiredTarget,
    effective: EffectiveBounds,
    observed: &Observation,
) -> Option<Action> {
    let bounds = effective.bounds;
    let previous = observed.targets.get(&target.id);
    let reason = match previous {
        None => ActionReason::TargetMissing,
        Some(held) if (held.min, held.max) != (bounds.min(), bounds.max()) => {
            ActionReason::BoundsDiffer
        }
        Some(held) if target.suspended.is_some_and(|s| s != held.suspended) => {
            ActionReason::SuspensionDiffers
        }
        Some(_) => return None,
    };
    // Whatever a registration is for, it pulls capacity into the bounds.
    let running = observed
        .capacity(&target.id)
        .and_then(|v| v.desired.or(v.current));
    let effects = running
        .map(|from| (from, bounds.clamp(from)))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| Effect::CapacityClamped { from, to })
        .into_iter()
        .collect();
    Some(Action {
        change: Change::Register {
            bounds,
            suspended: target.suspended,
            previous: previous.cloned(),
        },
        reason,
        effects,
    })
}
