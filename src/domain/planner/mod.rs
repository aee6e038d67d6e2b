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
mod removals;
mod schedules;
mod withdrawal;

use chrono::{DateTime, Utc};

use super::bounds::{Bounds, EffectiveBounds, effective_bounds};
use super::desired::{DesiredFleet, DesiredTarget, Manage, Suspension};
use super::endpoint::{EndpointStatus, Running};
use super::lease::{Leases, MarkerKind, lease_marker};
use super::name::{ComponentName, EndpointName, OwnerName, VariantName};
use super::note::Note;
use super::observed::{Gap, Observation, ObservedTarget, Part};
use super::plan::{Action, ActionReason, Change, Effect, Plan, TargetPlan, Verdict, Wait, Who};
use super::scalable::unscalable;
use super::scheduled::{left_to_aws, missed_by_aws};
use super::target::TargetId;
use policies::plan_policies;
use removals::plan_removals;
use schedules::plan_schedules;

pub use withdrawal::plan_withdrawal;

/// Plans what would make `observed` as `desired` says, at the instant `now`. Selections must have been worked into
/// targets before ([`super::expand`]).
///
/// The plan is empty when there is nothing to do, and then says so for every target.
#[must_use]
pub fn plan(desired: &DesiredFleet, observed: &Observation, now: DateTime<Utc>) -> Plan {
    let mut targets: Vec<TargetPlan> = desired
        .targets
        .values()
        .map(|target| plan_target(target, &desired.manage, observed, now))
        .collect();
    targets.extend(plan_removals(desired, observed, now));
    Plan {
        scope: desired.scope.clone(),
        at: now,
        owner: desired.manage.owner.clone(),
        targets,
    }
}

fn plan_target(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    now: DateTime<Utc>,
) -> TargetPlan {
    let leases = observed.leases(&target.id);
    let effective = effective_bounds(target, leases, now);
    let mut entry = TargetPlan {
        id: target.id.clone(),
        effective: effective.clone(),
        verdict: Verdict::Converged,
        actions: Vec::new(),
        notes: lease_notes(leases, now)
            .into_iter()
            .chain(other_owner(&target.id, &manage.owner, observed))
            .collect(),
        registration: registered_by(&target.id, true, &manage.owner, observed),
    };
    if let Some(wait) = reason_to_wait(&target.id, observed) {
        let is_busy = matches!(wait, Wait::EndpointBusy { .. } | Wait::ComponentBusy { .. });
        entry.verdict = Verdict::Waiting(wait);
        if is_busy {
            entry.actions = hold_while_busy(target, manage, observed, now);
        }
        if !entry.actions.is_empty() {
            entry.verdict = Verdict::Changes;
        }
        return entry;
    }
    if let Some(why) = unscalable(&target.id, effective.bounds, observed) {
        entry.notes.insert(0, Note::CannotScale(why));
        entry.verdict = Verdict::Held;
        return entry;
    }
    let held = observed.targets.get(&target.id);
    let gap = observed.gap(&Part::Alarms);
    if let (None, Some(gap)) = (held, gap) {
        entry.notes.push(Note::LeasesUnseen(gap.clone()));
        entry.verdict = Verdict::Held;
        return entry;
    }
    let suspended = suspension_due(target.suspended, held, leases, now);
    let registration = plan_registration(target, &effective, suspended, manage, observed);
    let left = held.and_then(|held| left_alone(registration.as_ref()?, target, held, leases, now));
    if let Some(until) = left {
        entry.notes.push(Note::LeftToAws { until });
    } else if let Some(action) = registration {
        let action = Action {
            reason: missed(&action, target, leases, now).unwrap_or(action.reason),
            ..action
        };
        // What someone asks for a while could be against it.
        match gap {
            Some(gap) => entry.notes.push(Note::LeasesUnseen(gap.clone())),
            None => entry.actions.push(action),
        }
    }
    let unasked = held
        .map(|t| t.suspended)
        .filter(|s| s.any() && suspended.is_none());
    entry.notes.extend(unasked.map(Note::Suspended));
    plan_policies(target, manage, observed, &mut entry);
    plan_schedules(target, manage, observed, now, &mut entry);
    // A marker goes after what it asked for is undone, and that is not known with half of the alarms unread.
    if gap.is_none() {
        let ended = ended_leases(&target.id, leases, &manage.owner, now);
        entry.actions.extend(ended);
    }
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

/// A hold takes effect while the endpoint is busy, and ends then: whoever asks for one can not wait for a deployment.
/// The bounds stay as AWS holds them, and it moves no capacity while it is busy (aws-autoscaling.md 1.4).
fn hold_while_busy(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Vec<Action> {
    let leases = observed.leases(&target.id);
    let held = observed.targets.get(&target.id);
    let (Some(held), Some(leases)) = (held, leases.filter(|leases| leases.hold.is_some())) else {
        return Vec::new();
    };
    let (Ok(bounds), None) = (Bounds::new(held.min, held.max), observed.gap(&Part::Alarms)) else {
        return Vec::new();
    };
    let due = suspension_due(target.suspended, Some(held), Some(leases), now);
    let registration = due.filter(|due| *due != held.suspended).map(|_| Action {
        change: Change::Register {
            bounds,
            suspended: due,
            previous: Some(held.clone()),
            owner: None,
        },
        reason: ActionReason::SuspensionDiffers,
        effects: Vec::new(),
    });
    let hold = Leases {
        bounds: None,
        ..leases.clone()
    };
    let ended = ended_leases(&target.id, Some(&hold), &manage.owner, now);
    registration.into_iter().chain(ended).collect()
}

/// Until when other bounds are left to AWS, which runs some schedules itself. What is to be suspended does not wait.
fn left_alone(
    registration: &Action,
    target: &DesiredTarget,
    held: &ObservedTarget,
    leases: Option<&Leases>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let Change::Register { suspended, .. } = &registration.change else {
        return None;
    };
    let same = suspended.is_none_or(|due| due == held.suspended);
    left_to_aws(target, leases, (held.min, held.max), now).filter(|_| same)
}

/// Bounds that differ because AWS has not run what it was to run.
fn missed(
    registration: &Action,
    target: &DesiredTarget,
    leases: Option<&Leases>,
    now: DateTime<Utc>,
) -> Option<ActionReason> {
    let (Change::Register { previous, .. }, ActionReason::BoundsDiffer) =
        (&registration.change, &registration.reason)
    else {
        return None;
    };
    let held = previous.as_ref()?;
    let (name, due) = missed_by_aws(target, leases, (held.min, held.max), now)?;
    Some(ActionReason::ScheduleMissed { name, due })
}

/// Whose a registration is, as its tag tells.
fn registered_by(
    id: &TargetId,
    is_declared: bool,
    owner: &OwnerName,
    observed: &Observation,
) -> Option<Who> {
    let tag = observed.owners.get(id)?;
    Some(match (tag.as_ref() == Some(owner), is_declared) {
        (true, _) => Who::Owned,
        (false, true) => Who::Adopted,
        (false, false) => Who::Unknown,
    })
}

/// Another owner's tag, where tags were read.
fn other_owner(id: &TargetId, owner: &OwnerName, observed: &Observation) -> Option<Note> {
    let tag = observed.owners.get(id)?.as_ref()?;
    (tag != owner).then(|| Note::OtherOwner(tag.clone()))
}

fn lease_notes(leases: Option<&Leases>, now: DateTime<Utc>) -> Vec<Note> {
    let Some(leases) = leases else {
        return Vec::new();
    };
    let hold = leases.hold.clone().filter(|l| l.holds(now)).map(Note::Held);
    let over = leases.bounds.clone().filter(|l| l.holds(now));
    hold.into_iter().chain(over.map(Note::Overridden)).collect()
}

/// What is to be suspended; `None` leaves it as it is. A hold that is over, and whose marker stands, has still to be
/// undone.
fn suspension_due(
    declared: Option<Suspension>,
    held: Option<&ObservedTarget>,
    leases: Option<&Leases>,
    now: DateTime<Utc>,
) -> Option<Suspension> {
    let Some(lease) = leases.and_then(|leases| leases.hold.as_ref()) else {
        return declared;
    };
    let stands = held.map(|t| t.suspended).unwrap_or_default();
    Some(match declared {
        Some(declared) if lease.holds(now) => lease.what.on(declared),
        Some(declared) => declared,
        None if lease.holds(now) => lease.what.on(stands),
        None => lease.what.off(stands),
    })
}

/// Markers of what is over.
fn ended_leases(
    id: &TargetId,
    leases: Option<&Leases>,
    owner: &OwnerName,
    now: DateTime<Utc>,
) -> Vec<Action> {
    let Some(leases) = leases else {
        return Vec::new();
    };
    let hold = leases
        .hold
        .as_ref()
        .filter(|l| !l.holds(now))
        .map(|l| l.until);
    let over = leases
        .bounds
        .as_ref()
        .filter(|l| !l.holds(now))
        .map(|l| l.until);
    [(MarkerKind::Hold, hold), (MarkerKind::Override, over)]
        .into_iter()
        .filter_map(|(kind, until)| {
            Some(Action {
                change: Change::EndLease {
                    kind,
                    name: lease_marker(owner, kind, id),
                    until: until?,
                },
                reason: ActionReason::TimeOver,
                effects: Vec::new(),
            })
        })
        .collect()
}

/// Whether the target must be left alone as a whole.
fn reason_to_wait(id: &TargetId, observed: &Observation) -> Option<Wait> {
    let endpoint = observed.endpoint_of(id);
    if let Some((endpoint, update)) =
        endpoint.and_then(|e| Some((e, observed.markers.updates.get(e)?)))
    {
        return Some(Wait::UpdatePrepared {
            endpoint: endpoint.clone(),
            update: update.clone(),
        });
    }
    let wait = match id {
        TargetId::Instances { endpoint, variant }
        | TargetId::ProvisionedConcurrency { endpoint, variant } => {
            variant_wait(endpoint, variant, observed)
        }
        TargetId::Copies { component } => component_wait(component, observed),
    };
    wait.or_else(|| registration_unseen(id, observed))
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
    let Some(details) = &seen.details else {
        return Some(unread(Part::Variants(endpoint.clone()), observed));
    };
    if details.variants.contains_key(variant) {
        return None;
    }
    Some(Wait::VariantMissing {
        endpoint: endpoint.clone(),
        variant: variant.clone(),
        known: details.variants.keys().cloned().collect(),
    })
}

fn component_wait(component: &ComponentName, observed: &Observation) -> Option<Wait> {
    let Some(seen) = observed.components.get(component) else {
        return Some(match observed.gap(&Part::Components) {
            Some(gap) => Wait::Unseen(gap.clone()),
            None => Wait::ComponentMissing(component.clone()),
        });
    };
    if seen.status != EndpointStatus::InService {
        return Some(Wait::ComponentBusy {
            component: component.clone(),
            status: seen.status.clone(),
            since: seen.modified,
        });
    }
    let unread_copies = || unread(Part::Copies(component.clone()), observed);
    seen.copies.is_none().then(unread_copies)
}

fn unread(part: Part, observed: &Observation) -> Wait {
    let gap = observed.gap(&part).cloned();
    Wait::Unseen(gap.unwrap_or_else(|| Gap {
        part,
        why: "they were not asked for".to_owned(),
    }))
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
    effective: &EffectiveBounds,
    suspended: Option<Suspension>,
    manage: &Manage,
    observed: &Observation,
) -> Option<Action> {
    let bounds = effective.bounds;
    let previous = observed.targets.get(&target.id);
    let reason = match previous {
        None => ActionReason::TargetMissing,
        Some(held) if (held.min, held.max) != (bounds.min(), bounds.max()) => {
            ActionReason::BoundsDiffer
        }
        Some(held) if suspended.is_some_and(|s| s != held.suspended) => {
            ActionReason::SuspensionDiffers
        }
        Some(_) => return None,
    };
    let effects = clamped(&target.id, bounds, observed);
    Some(Action {
        change: Change::Register {
            bounds,
            suspended,
            previous: previous.cloned(),
            owner: previous.is_none().then(|| manage.owner.clone()),
        },
        reason,
        effects,
    })
}

/// Whatever a registration is for, it pulls capacity into the bounds.
fn clamped(id: &TargetId, bounds: Bounds, observed: &Observation) -> Vec<Effect> {
    let running = observed.capacity(id).and_then(Running::aim);
    let moved = running.map(|from| (from, bounds.clamp(from)));
    let moved = moved.filter(|(from, to)| from != to);
    moved
        .map(|(from, to)| Effect::CapacityClamped { from, to })
        .into_iter()
        .collect()
}
