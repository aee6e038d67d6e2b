//! Policies of one target: what to put, what to remove, and in which order.

use std::collections::BTreeMap;

use super::super::desired::{DesiredTarget, Manage};
use super::super::metric::Metric;
use super::super::name::PolicyName;
use super::super::note::Note;
use super::super::observed::{Observation, ObservedPolicy, ObservedPolicyKind, Part};
use super::super::plan::{Action, ActionReason, Change, Difference, Effect, TargetPlan};
use super::super::policy::{Policy, PolicyKind, StepScaling, TargetTracking};
use super::super::target::TargetId;
use super::alarms::{plan_alarms, plan_orphans, tampered_alarms};

/// The policies that AWS holds for a target. They go with their registration: what is listed for a target that is no
/// longer registered is a leftover of the listing, not a policy.
fn held_policies<'a>(
    id: &TargetId,
    observed: &'a Observation,
) -> BTreeMap<&'a PolicyName, &'a ObservedPolicy> {
    let held = observed.policies.get(id);
    held.filter(|_| observed.targets.contains_key(id))
        .into_iter()
        .flatten()
        .collect()
}

pub(super) fn plan_policies(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    entry: &mut TargetPlan,
) {
    let held = held_policies(&target.id, observed);
    let mut tracked = tracked_metrics(&held);
    let mut pending: Vec<(&Policy, Action)> = Vec::new();
    for policy in &target.policies {
        match plan_policy(policy, &target.id, &held, observed) {
            Some(PolicyStep::Put(action)) => pending.push((policy, action)),
            Some(PolicyStep::Hold(note)) => entry.notes.push(note),
            None => {}
        }
    }
    let mut pruned = plan_removals(target, manage, &held, entry);
    // AWS refuses a second target-tracking policy on one metric, so a policy goes after the one that leaves its
    // metric in this very plan, or is removed; what nothing leaves is held back, or the put would fail at every pass.
    while !pending.is_empty() {
        let free = pending
            .iter()
            .position(|(policy, _)| rival(policy, &tracked).is_none());
        if let Some(next) = free {
            let (policy, action) = pending.remove(next);
            tracked.insert(&policy.name, policy.tracked_metric());
            entry.actions.push(action);
            continue;
        }
        let mut rivals = pending
            .iter()
            .filter_map(|(policy, _)| rival(policy, &tracked));
        let Some(name) = rivals.find(|name| pruned.contains_key(*name)).cloned() else {
            break;
        };
        tracked.remove(&name);
        entry.actions.extend(pruned.remove(&name));
    }
    entry.notes.extend(pending.iter().filter_map(|(policy, _)| {
        let by = rival(policy, &tracked)?;
        Some(Note::MetricTaken {
            name: policy.name.clone(),
            by: by.clone(),
        })
    }));
    plan_alarms(target, manage, observed, &held, entry);
    entry.actions.extend(pruned.into_values());
    plan_orphans(target, manage, observed, &held, entry);
}

enum PolicyStep {
    Put(Action),
    Hold(Note),
}

fn plan_policy(
    policy: &Policy,
    target: &TargetId,
    held: &BTreeMap<&PolicyName, &ObservedPolicy>,
    observed: &Observation,
) -> Option<PolicyStep> {
    // A new registration has no policies, whatever the list would have said.
    let gap = observed
        .gap(&Part::Policies)
        .filter(|_| observed.targets.contains_key(target))
        .map(|gap| Note::PolicyUnseen {
            name: policy.name.clone(),
            gap: gap.clone(),
        });
    let standing = held.get(&policy.name).copied();
    let differences = match standing {
        None => Vec::new(),
        Some(standing) => match differences(policy, standing) {
            Ok(differences) => differences,
            Err(note) => return Some(PolicyStep::Hold(note)),
        },
    };
    let tampered = standing.map_or_else(Vec::new, |s| tampered_alarms(s, observed));
    if standing.is_some() && differences.is_empty() && tampered.is_empty() {
        return None;
    }
    // A policy not in a list that was cut short may exist; and a metric may be tracked by one that was not seen.
    let takes_metric = differences.iter().any(|d| d.key == METRIC);
    if let Some(gap) = gap.filter(|_| standing.is_none() || takes_metric) {
        return Some(PolicyStep::Hold(gap));
    }
    if matches!(&policy.kind, PolicyKind::TargetTracking(t) if t.of_all_cores) {
        return Some(PolicyStep::Hold(Note::CoresUnknown(policy.name.clone())));
    }
    let recreates = matches!(policy.kind, PolicyKind::TargetTracking(_)) && standing.is_some();
    let reason = if standing.is_none() {
        ActionReason::PolicyMissing
    } else if differences.is_empty() {
        ActionReason::AlarmsTampered(tampered)
    } else {
        ActionReason::PolicyDiffers(differences)
    };
    Some(PolicyStep::Put(Action {
        change: Change::PutPolicy {
            policy: policy.clone(),
            previous: standing.map(|s| s.kind.clone()),
        },
        reason,
        effects: recreates
            .then_some(Effect::AlarmsRecreated)
            .into_iter()
            .collect(),
    }))
}

/// The config key of what target tracking follows.
const METRIC: &str = "metric";

/// What differs between a declared policy and the one that stands there, or why it can not become it.
fn differences(policy: &Policy, standing: &ObservedPolicy) -> Result<Vec<Difference>, Note> {
    let unknown = |key| Difference {
        key,
        held: "something that no config can say".to_owned(),
        wanted: policy.kind.to_string(),
    };
    match (&policy.kind, &standing.kind) {
        (PolicyKind::TargetTracking(wanted), ObservedPolicyKind::TargetTracking(held)) => {
            Ok(tracking_differences(wanted, held))
        }
        (PolicyKind::TargetTracking(_), ObservedPolicyKind::OtherTracking) => {
            Ok(vec![unknown(METRIC)])
        }
        (PolicyKind::Step(wanted), ObservedPolicyKind::Step(held)) => {
            Ok(step_differences(&wanted.scaling, held))
        }
        (PolicyKind::Step(_), ObservedPolicyKind::OtherStep) => Ok(vec![unknown("steps")]),
        (
            PolicyKind::TargetTracking(_),
            ObservedPolicyKind::Step(_) | ObservedPolicyKind::OtherStep,
        )
        | (
            PolicyKind::Step(_),
            ObservedPolicyKind::TargetTracking(_) | ObservedPolicyKind::OtherTracking,
        )
        | (_, ObservedPolicyKind::Other(_)) => Err(Note::TypeTaken {
            name: policy.name.clone(),
            type_name: standing.kind.type_name().to_owned(),
        }),
    }
}

fn tracking_differences(wanted: &TargetTracking, held: &TargetTracking) -> Vec<Difference> {
    let (out, scale_in) = ("scale_out_cooldown", "scale_in_cooldown");
    [
        Difference::between(METRIC, &held.metric, &wanted.metric),
        Difference::between("target", &held.target, &wanted.target),
        Difference::between(out, &held.scale_out_cooldown, &wanted.scale_out_cooldown),
        Difference::between(scale_in, &held.scale_in_cooldown, &wanted.scale_in_cooldown),
        Difference::between(
            "disable_scale_in",
            &held.disable_scale_in,
            &wanted.disable_scale_in,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn step_differences(wanted: &StepScaling, held: &StepScaling) -> Vec<Difference> {
    let words = |s: &StepScaling| s.adjustment.name().to_owned();
    let magnitude = |s: &StepScaling| s.min_magnitude.map_or("none".to_owned(), |n| n.to_string());
    let aggregation = |s: &StepScaling| s.aggregation.aws_name().to_owned();
    let steps = Difference {
        key: "steps",
        held: held.to_string(),
        wanted: wanted.to_string(),
    };
    [
        Difference::between("adjustment", &words(held), &words(wanted)),
        (held.steps != wanted.steps).then_some(steps),
        Difference::between("min_change", &magnitude(held), &magnitude(wanted)),
        Difference::between("cooldown", &held.cooldown, &wanted.cooldown),
        Difference::between("aggregation", &aggregation(held), &aggregation(wanted)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is not declared: removed where the config allows it, else mentioned. Returns the removals by policy.
fn plan_removals(
    target: &DesiredTarget,
    manage: &Manage,
    held: &BTreeMap<&PolicyName, &ObservedPolicy>,
    entry: &mut TargetPlan,
) -> BTreeMap<PolicyName, Action> {
    let mut removals = BTreeMap::new();
    for (name, policy) in held {
        if target.policies.iter().any(|p| p.name == **name) {
            continue;
        }
        let type_name = policy.kind.type_name().to_owned();
        if !manage.prunes(name) {
            entry.notes.push(Note::ForeignPolicy {
                name: (*name).clone(),
                type_name,
            });
            continue;
        }
        let is_tracking = matches!(
            policy.kind,
            ObservedPolicyKind::TargetTracking(_) | ObservedPolicyKind::OtherTracking
        );
        removals.insert(
            (*name).clone(),
            Action {
                change: Change::DeletePolicy {
                    name: (*name).clone(),
                    type_name,
                },
                reason: ActionReason::NotDeclared,
                effects: is_tracking
                    .then_some(Effect::AlarmsDeleted)
                    .into_iter()
                    .collect(),
            },
        );
    }
    removals
}

/// Which policy tracks which metric, as far as we can tell one from another.
fn tracked_metrics<'a>(
    held: &BTreeMap<&'a PolicyName, &'a ObservedPolicy>,
) -> BTreeMap<&'a PolicyName, Option<&'a Metric>> {
    held.iter()
        .map(|(name, policy)| (*name, observed_metric(&policy.kind)))
        .collect()
}

fn observed_metric(kind: &ObservedPolicyKind) -> Option<&Metric> {
    match kind {
        ObservedPolicyKind::TargetTracking(tracking) => Some(&tracking.metric),
        ObservedPolicyKind::OtherTracking
        | ObservedPolicyKind::Step(_)
        | ObservedPolicyKind::OtherStep
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
