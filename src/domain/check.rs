//! The plan checker: laws that any plan must keep, whoever made it.
//!
//! It shares no code with the planner. Only a [`CheckedPlan`] can be executed, and only [`check`] makes one.

use std::collections::BTreeSet;

use super::bounds::{Capacity, effective_bounds};
use super::desired::{DesiredFleet, DesiredTarget};
use super::name::PolicyName;
use super::observed::{EndpointStatus, Observation};
use super::plan::{Action, Change, Plan, TargetPlan};
use super::target::TargetId;

/// How much one pass may take away (design promise 8).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Safety {
    /// The share of the scope's declared targets, 0 to 1, that one pass may shrink.
    pub max_change: f64,
    /// So many targets may shrink in any fleet, or small fleets could never be changed.
    pub always_allowed: usize,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            max_change: 0.3,
            always_allowed: 3,
        }
    }
}

/// A law that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The plan touches what the config does not name.
    #[error("{0}: the config does not name this target")]
    NotDeclared(TargetId),
    /// The plan acts on an endpoint that was not seen in service.
    #[error("{0}: the endpoint was not seen in service with this variant")]
    NotScalable(TargetId),
    /// Bounds other than the ones that hold now.
    #[error("{0}: the plan registers bounds other than the effective ones")]
    WrongBounds(TargetId),
    /// A write that changes nothing.
    #[error("{0}: the plan writes what AWS holds already")]
    NoChange(TargetId),
    /// Two writes to one thing, or a registration after a policy.
    #[error("{0}: the plan writes to one thing twice, or in the wrong order")]
    Disorder(TargetId),
    /// A policy for a target that is neither registered nor being registered.
    #[error("{0}: the plan puts a policy on a target that is not registered")]
    PolicyWithoutTarget(TargetId),
    /// A policy that differs from the declared one.
    #[error("{0}: the plan puts policy `{1}`, which is not as declared")]
    WrongPolicy(TargetId, PolicyName),
    /// More policies than AWS takes.
    #[error("{0}: the target would have more than 50 policies, AWS's fixed limit")]
    TooManyPolicies(TargetId),
    /// The pass would shrink too much of the fleet at once.
    #[error(
        "the pass would shrink {shrinking} of {fleet} targets, and `safety.max_change` allows {allowed}; \
         if that is what you want, run `evenkeel apply --allow-shrink`"
    )]
    TooMuchAtOnce {
        /// Targets whose maximum or capacity goes down.
        shrinking: usize,
        /// Declared targets of the scope.
        fleet: usize,
        /// How many of them may shrink in one pass.
        allowed: usize,
    },
}

/// A plan that keeps every law. The only thing an executor accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan(Plan);

impl CheckedPlan {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// AWS's fixed limit of policies on one target (aws-autoscaling.md 1.3).
const POLICIES_PER_TARGET: usize = 50;

/// Checks `plan` against the facts it was made from.
///
/// # Errors
/// Every [`Violation`], not only the first. A plan with one is not executed at all: whatever made it is not to be
/// trusted with the rest.
pub fn check(
    plan: Plan,
    desired: &DesiredFleet,
    observed: &Observation,
    safety: Safety,
) -> Result<CheckedPlan, Vec<Violation>> {
    let mut violations = Vec::new();
    for entry in plan
        .targets
        .iter()
        .filter(|entry| !entry.actions.is_empty())
    {
        match desired.targets.get(&entry.id) {
            Some(target) => check_target(entry, target, observed, &plan, &mut violations),
            None => violations.push(Violation::NotDeclared(entry.id.clone())),
        }
    }
    violations.extend(too_much_at_once(&plan, desired.targets.len(), safety));
    if violations.is_empty() {
        Ok(CheckedPlan(plan))
    } else {
        Err(violations)
    }
}

fn check_target(
    entry: &TargetPlan,
    target: &DesiredTarget,
    observed: &Observation,
    plan: &Plan,
    out: &mut Vec<Violation>,
) {
    let id = &entry.id;
    if !is_scalable(id, observed) {
        out.push(Violation::NotScalable(id.clone()));
    }
    let held = observed.targets.get(id);
    let mut registered = held.is_some();
    let mut seen = BTreeSet::new();
    for (position, action) in entry.actions.iter().enumerate() {
        match &action.change {
            Change::Register { bounds, .. } => {
                if position != 0 {
                    out.push(Violation::Disorder(id.clone()));
                }
                if *bounds != effective_bounds(target, plan.at).bounds {
                    out.push(Violation::WrongBounds(id.clone()));
                }
                if held.is_some_and(|t| (t.min, t.max) == (bounds.min(), bounds.max())) {
                    out.push(Violation::NoChange(id.clone()));
                }
                registered = true;
            }
            Change::PutPolicy { policy, .. } => {
                if !registered {
                    out.push(Violation::PolicyWithoutTarget(id.clone()));
                }
                if !seen.insert(&policy.name) {
                    out.push(Violation::Disorder(id.clone()));
                }
                if !target.policies.contains(policy) {
                    out.push(Violation::WrongPolicy(id.clone(), policy.name.clone()));
                }
            }
        }
    }
    let standing = observed
        .policies
        .get(id)
        .map_or(0, |p| p.keys().filter(|name| !seen.contains(name)).count());
    if standing.saturating_add(seen.len()) > POLICIES_PER_TARGET {
        out.push(Violation::TooManyPolicies(id.clone()));
    }
}

fn is_scalable(id: &TargetId, observed: &Observation) -> bool {
    let endpoint = id.endpoint().and_then(|name| observed.endpoints.get(name));
    endpoint.is_some_and(|e| e.status == EndpointStatus::InService)
        && observed.capacity(id).is_some()
}

fn too_much_at_once(plan: &Plan, fleet: usize, safety: Safety) -> Option<Violation> {
    let shrinks = |entry: &&TargetPlan| entry.actions.iter().any(is_shrinking);
    let shrinking = plan.targets.iter().filter(shrinks).count();
    let share = crate::num::floor_to_usize(crate::num::from_usize(fleet) * safety.max_change);
    let allowed = share.max(safety.always_allowed);
    (shrinking > allowed).then_some(Violation::TooMuchAtOnce {
        shrinking,
        fleet,
        allowed,
    })
}

/// Whether the action takes capacity away, now or when it will be needed.
fn is_shrinking(action: &Action) -> bool {
    let max_goes_down = match &action.change {
        Change::Register {
            bounds,
            previous: Some((_, held_max)),
        } => bounds.max() < *held_max,
        Change::Register { previous: None, .. } | Change::PutPolicy { .. } => false,
    };
    let clamped_down = |from: &Capacity, to: &Capacity| to < from;
    max_goes_down
        || action.effects.iter().any(|effect| match effect {
            super::plan::Effect::CapacityClamped { from, to } => clamped_down(from, to),
            super::plan::Effect::AlarmsRecreated => false,
        })
}
