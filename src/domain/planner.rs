//! The planner: (desired, observed, now) to a plan.
//!
//! # Design notes
//!
//! - Absence is believed only where the part it would be in was read to its end.
//! - An endpoint that is not `InService` is left alone whole, its policies too. Nothing is lost by that: while it
//!   is busy AWS scales nothing, whatever policies it has.
//! - The planner decides what is wanted; whether that may be done is [`super::check()`]'s to say, from the same
//!   facts but with none of this code.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::bounds::{EffectiveBounds, effective_bounds};
use super::desired::{DesiredFleet, DesiredTarget};
use super::metric::Metric;
use super::name::{EndpointName, PolicyName, VariantName};
use super::observed::{EndpointStatus, Observation, ObservedPolicy, ObservedPolicyKind, Part};
use super::plan::{
    Action, ActionReason, Change, Effect, Field, Note, Plan, TargetPlan, Verdict, Wait,
};
use super::policy::{Policy, PolicyKind, TargetTracking};
use super::target::TargetId;

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
            .map(|target| plan_target(target, observed, now))
            .collect(),
    }
}

fn plan_target(target: &DesiredTarget, observed: &Observation, now: DateTime<Utc>) -> TargetPlan {
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
        .extend(plan_registration(&target.id, effective, observed));
    plan_policies(target, observed, &mut entry);
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
        return Some(Wait::EndpointBusy(endpoint.clone(), seen.status.clone()));
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
    id: &TargetId,
    effective: EffectiveBounds,
    observed: &Observation,
) -> Option<Action> {
    let bounds = effective.bounds;
    let previous = observed.targets.get(id).map(|t| (t.min, t.max));
    let reason = match previous {
        Some(held) if held == (bounds.min(), bounds.max()) => return None,
        Some(_) => ActionReason::BoundsDiffer,
        None => ActionReason::TargetMissing,
    };
    let running = observed.capacity(id).and_then(|v| v.desired.or(v.current));
    let effects = running
        .map(|from| (from, bounds.clamp(from)))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| Effect::CapacityClamped { from, to })
        .into_iter()
        .collect();
    Some(Action {
        change: Change::Register { bounds, previous },
        reason,
        effects,
    })
}

fn plan_policies(target: &DesiredTarget, observed: &Observation, entry: &mut TargetPlan) {
    let none = BTreeMap::new();
    // Policies go with their registration: what is listed for a target that is no longer registered is a
    // leftover of the listing, not a policy.
    let held = if observed.targets.contains_key(&target.id) {
        observed.policies.get(&target.id).unwrap_or(&none)
    } else {
        &none
    };
    let mut tracked = tracked_metrics(held);
    let mut pending: Vec<(&Policy, Action)> = Vec::new();
    for policy in &target.policies {
        match plan_policy(policy, &target.id, held, observed) {
            Some(PolicyStep::Put(action)) => pending.push((policy, action)),
            Some(PolicyStep::Hold(note)) => entry.notes.push(note),
            None => {}
        }
    }
    // AWS refuses a second target-tracking policy on one metric, so a policy goes after the one that leaves its
    // metric in this very plan; what nothing leaves is held back, or the put would fail at every pass.
    while !pending.is_empty() {
        let free = pending
            .iter()
            .position(|(policy, _)| rival(policy, &tracked).is_none());
        let Some(next) = free else { break };
        let (policy, action) = pending.remove(next);
        tracked.insert(&policy.name, policy.tracked_metric());
        entry.actions.push(action);
    }
    entry.notes.extend(pending.iter().filter_map(|(policy, _)| {
        let by = rival(policy, &tracked)?;
        Some(Note::MetricTaken {
            name: policy.name.clone(),
            by: by.clone(),
        })
    }));
    let declared = |name: &PolicyName| target.policies.iter().any(|p| p.name == *name);
    entry.notes.extend(
        held.values()
            .filter(|p| !declared(&p.name))
            .map(|p| Note::ForeignPolicy {
                name: p.name.clone(),
                type_name: p.kind.type_name().to_owned(),
            }),
    );
}

enum PolicyStep {
    Put(Action),
    Hold(Note),
}

fn plan_policy(
    policy: &Policy,
    target: &TargetId,
    held: &BTreeMap<PolicyName, ObservedPolicy>,
    observed: &Observation,
) -> Option<PolicyStep> {
    let PolicyKind::TargetTracking(wanted) = &policy.kind;
    // A new registration has no policies, whatever the list would have said.
    let gap = observed
        .gap(&Part::Policies)
        .filter(|_| observed.targets.contains_key(target))
        .map(|gap| Note::PolicyUnseen {
            name: policy.name.clone(),
            gap: gap.clone(),
        });
    let (previous, fields) = match held.get(&policy.name).map(|p| &p.kind) {
        None => (None, Vec::new()),
        Some(kind @ ObservedPolicyKind::TargetTracking(held)) => {
            (Some(kind.clone()), differing_fields(wanted, held))
        }
        Some(kind @ ObservedPolicyKind::OtherTracking) => (Some(kind.clone()), vec![Field::Metric]),
        Some(kind @ (ObservedPolicyKind::Step | ObservedPolicyKind::Other(_))) => {
            return Some(PolicyStep::Hold(Note::TypeTaken {
                name: policy.name.clone(),
                type_name: kind.type_name().to_owned(),
            }));
        }
    };
    let is_new = previous.is_none();
    if !is_new && fields.is_empty() {
        return None;
    }
    // A policy not in a list that was cut short may exist; and a metric may be tracked by one that was not seen.
    if let Some(gap) = gap.filter(|_| is_new || fields.contains(&Field::Metric)) {
        return Some(PolicyStep::Hold(gap));
    }
    let (reason, effects) = if is_new {
        (ActionReason::PolicyMissing, Vec::new())
    } else {
        (
            ActionReason::PolicyDiffers(fields),
            vec![Effect::AlarmsRecreated],
        )
    };
    let change = Change::PutPolicy {
        policy: policy.clone(),
        previous,
    };
    Some(PolicyStep::Put(Action {
        change,
        reason,
        effects,
    }))
}

/// Which policy tracks which metric, as far as we can tell one from another.
fn tracked_metrics(
    held: &BTreeMap<PolicyName, ObservedPolicy>,
) -> BTreeMap<&PolicyName, Option<&Metric>> {
    held.iter()
        .map(|(name, policy)| (name, observed_metric(&policy.kind)))
        .collect()
}

fn observed_metric(kind: &ObservedPolicyKind) -> Option<&Metric> {
    match kind {
        ObservedPolicyKind::TargetTracking(tracking) => Some(&tracking.metric),
        ObservedPolicyKind::OtherTracking
        | ObservedPolicyKind::Step
        | ObservedPolicyKind::Other(_) => None,
    }
}

/// Another policy that tracks the metric that `policy` is to track.
fn rival<'a>(
    policy: &Policy,
    tracked: &BTreeMap<&'a PolicyName, Option<&Metric>>,
) -> Option<&'a PolicyName> {
    let wanted = policy.tracked_metric()?;
    tracked
        .iter()
        .find(|(name, metric)| {
            ***name != policy.name && metric.is_some_and(|m| m.is_same_series(wanted))
        })
        .map(|(name, _)| *name)
}

fn differing_fields(wanted: &TargetTracking, held: &TargetTracking) -> Vec<Field> {
    [
        (Field::Metric, wanted.metric != held.metric),
        (Field::Target, wanted.target != held.target),
        (
            Field::ScaleOutCooldown,
            wanted.scale_out_cooldown != held.scale_out_cooldown,
        ),
        (
            Field::ScaleInCooldown,
            wanted.scale_in_cooldown != held.scale_in_cooldown,
        ),
        (
            Field::DisableScaleIn,
            wanted.disable_scale_in != held.disable_scale_in,
        ),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}
