//! The plan checker: laws that any plan must keep, whoever made it.
//!
//! It shares no code with the planner. Only a [`CheckedPlan`] can be executed, and only [`check`] makes one.

mod schedules;
mod withdrawal;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::alarm::{AlarmRule, alarm_name, target_alarm_prefix};
use super::bounds::{Bounds, Capacity, effective_bounds};
use super::desired::{DesiredFleet, DesiredTarget, Manage, OnRemoval, Prune, Suspension};
use super::endpoint::EndpointStatus;
use super::lease::{Leases, MarkerKind};
use super::name::PolicyName;
use super::observed::Observation;
use super::plan::{Action, Change, Plan, TargetPlan};
use super::policy::PolicyKind;
use super::schedule::Schedule;
use super::target::TargetId;
use schedules::check_schedules;

pub use withdrawal::check_withdrawal;

/// How much one pass may take away (design promise 8).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Safety {
    /// The share of the scope's targets, 0 to 1, that one pass may shrink.
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
    #[error("{0}: the plan puts a policy or a scheduled action on a target that is not registered")]
    PolicyWithoutTarget(TargetId),
    /// A policy that differs from the declared one.
    #[error("{0}: the plan puts policy `{1}`, which is not as declared")]
    WrongPolicy(TargetId, PolicyName),
    /// An alarm other than the one declared for a standing policy.
    #[error("{0}: the plan puts alarm `{1}`, which is not as declared, or has no policy to drive")]
    WrongAlarm(TargetId, String),
    /// A removal of what is declared, or of what is not ours to remove.
    #[error("{0}: the plan removes `{1}`, which is declared, or not evenkeel's to remove")]
    NotOursToRemove(TargetId, String),
    /// More policies than AWS takes.
    #[error("{0}: the target would have more than 50 policies, AWS's fixed limit")]
    TooManyPolicies(TargetId),
    /// A scheduled action other than what a declared schedule needs.
    #[error("{0}: the plan puts scheduled action `{1}`, which no declared schedule needs so")]
    WrongSchedule(TargetId, String),
    /// More scheduled actions than AWS takes.
    #[error("{0}: the target would have more than 200 scheduled actions, AWS's fixed limit")]
    TooManySchedules(TargetId),
    /// The pass would shrink too much of the fleet at once.
    #[error(
        "the pass would shrink {shrinking} of {fleet} targets, and `safety.max_change` allows {allowed}; \
         if that is what you want, run `evenkeel apply --allow-shrink`"
    )]
    TooMuchAtOnce {
        /// Targets whose maximum or capacity goes down.
        shrinking: usize,
        /// Declared targets of the scope, and those that go.
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
            Some(target) => {
                let context = Facts {
                    target,
                    manage: &desired.manage,
                    observed,
                };
                check_target(entry, context, &plan, &mut violations);
            }
            None if may_be_removed(entry, desired, observed, plan.at) => {}
            None => violations.push(Violation::NotDeclared(entry.id.clone())),
        }
    }
    let undeclared = |t: &&TargetPlan| !desired.targets.contains_key(&t.id);
    let going = plan.targets.iter().filter(undeclared).count();
    let fleet = desired.targets.len().saturating_add(going);
    violations.extend(too_much_at_once(&plan, desired, fleet, safety));
    if violations.is_empty() {
        Ok(CheckedPlan(plan))
    } else {
        Err(violations)
    }
}

/// What a target's plan is held against.
#[derive(Clone, Copy)]
struct Facts<'a> {
    target: &'a DesiredTarget,
    manage: &'a Manage,
    observed: &'a Observation,
}

fn check_target(entry: &TargetPlan, facts: Facts<'_>, plan: &Plan, out: &mut Vec<Violation>) {
    let Facts {
        target, observed, ..
    } = facts;
    let id = &entry.id;
    if !is_scalable(id, observed) {
        if !only_holds(entry, facts, plan.at) {
            out.push(Violation::NotScalable(id.clone()));
        }
        return;
    }
    let held = observed.targets.get(id);
    let mut registered = held.is_some();
    let mut seen = BTreeSet::new();
    let mut written = BTreeSet::new();
    for (position, action) in entry.actions.iter().enumerate() {
        if !written.insert((action.change.label(), action.change.subject())) {
            out.push(Violation::Disorder(id.clone()));
        }
        match &action.change {
            Change::Register {
                bounds, suspended, ..
            } => {
                if position != 0 {
                    out.push(Violation::Disorder(id.clone()));
                }
                check_registration(facts, *bounds, *suspended, plan.at, out);
                registered = true;
            }
            Change::Deregister { .. } => {
                out.push(Violation::NotOursToRemove(id.clone(), id.to_string()));
            }
            Change::EndLease { kind, .. } => {
                if !is_over(observed.leases(id), *kind, plan.at) {
                    out.push(Violation::NotOursToRemove(id.clone(), id.to_string()));
                }
            }
            Change::PutPolicy { policy, .. } => {
                if !registered {
                    out.push(Violation::PolicyWithoutTarget(id.clone()));
                }
                seen.insert(&policy.name);
                if !target.policies.contains(policy) {
                    out.push(Violation::WrongPolicy(id.clone(), policy.name.clone()));
                }
            }
            Change::PutAlarm {
                name,
                policy,
                rule,
                arn,
                ..
            } => {
                if !is_declared_alarm(facts, name, policy, rule)
                    || !drives_something(facts, policy, arn.as_deref(), &seen)
                {
                    out.push(Violation::WrongAlarm(id.clone(), name.clone()));
                }
            }
            Change::DeletePolicy { name, .. } => {
                let declared = target.policies.iter().any(|p| p.name == *name);
                let stands = observed
                    .policies
                    .get(id)
                    .is_some_and(|p| p.contains_key(name));
                if declared || !stands || !facts.manage.prunes(name) {
                    out.push(Violation::NotOursToRemove(id.clone(), name.to_string()));
                }
            }
            Change::PutSchedule { .. } | Change::DeleteSchedule { .. } => {}
            Change::DeleteAlarm { name } => {
                let prefix = target_alarm_prefix(&facts.manage.owner, id);
                let driven = name.strip_prefix(&prefix);
                let declared = target.policies.iter().any(|p| {
                    matches!(p.kind, PolicyKind::Step(_)) && Some(p.name.as_str()) == driven
                });
                if driven.is_none() || declared || facts.manage.prune == Prune::Never {
                    out.push(Violation::NotOursToRemove(id.clone(), name.clone()));
                }
            }
        }
    }
    check_schedules(entry, facts, registered, plan.at, out);
    let standing = observed
        .policies
        .get(id)
        .map_or(0, |p| p.keys().filter(|name| !seen.contains(name)).count());
    if standing.saturating_add(seen.len()) > POLICIES_PER_TARGET {
        out.push(Violation::TooManyPolicies(id.clone()));
    }
}

fn check_registration(
    facts: Facts<'_>,
    bounds: Bounds,
    suspended: Option<Suspension>,
    now: DateTime<Utc>,
    out: &mut Vec<Violation>,
) {
    let Facts {
        target, observed, ..
    } = facts;
    let id = &target.id;
    let held = observed.targets.get(id);
    let leases = observed.leases(id);
    if bounds != effective_bounds(target, leases, now).bounds {
        out.push(Violation::WrongBounds(id.clone()));
    }
    if !is_due(suspended, facts, leases, now) {
        out.push(Violation::WrongBounds(id.clone()));
    }
    let same_bounds = held.is_some_and(|t| (t.min, t.max) == (bounds.min(), bounds.max()));
    let same_suspension = held.is_some_and(|t| suspended.is_none_or(|s| s == t.suspended));
    if same_bounds && same_suspension {
        out.push(Violation::NoChange(id.clone()));
    }
}

/// Whether the alarm is the one that the config declares for the policy, under our name: AWS's own alarms are never
/// written.
fn is_declared_alarm(facts: Facts<'_>, name: &str, policy: &PolicyName, rule: &AlarmRule) -> bool {
    let target = facts.target;
    let ours = alarm_name(&facts.manage.owner, &target.id, policy) == name;
    target.policies.iter().any(|p| match &p.kind {
        PolicyKind::Step(step) => {
            let called_so = step
                .alarm_name
                .as_ref()
                .map_or(ours, |adopted| adopted == name);
            p.name == *policy && step.alarm == *rule && called_so
        }
        PolicyKind::TargetTracking(_) => false,
    })
}

/// Whether the policy is put before in the same plan, or stands under this ARN.
fn drives_something(
    facts: Facts<'_>,
    policy: &PolicyName,
    arn: Option<&str>,
    put: &BTreeSet<&PolicyName>,
) -> bool {
    let standing = facts.observed.policies.get(&facts.target.id);
    let standing = standing.and_then(|p| p.get(policy)).map(|p| p.arn.as_str());
    put.contains(policy) || (arn.is_some() && arn == standing)
}

fn is_scalable(id: &TargetId, observed: &Observation) -> bool {
    let status = match id {
        TargetId::Instances { endpoint, .. }
        | TargetId::ProvisionedConcurrency { endpoint, .. } => {
            observed.endpoints.get(endpoint).map(|e| &e.status)
        }
        TargetId::Copies { component } => observed.components.get(component).map(|c| &c.status),
    };
    status == Some(&EndpointStatus::InService) && observed.capacity(id).is_some()
}

/// Whether nothing is done but to begin or to end a hold: that moves no capacity, and need not wait for an endpoint
/// that is there and busy.
fn only_holds(entry: &TargetPlan, facts: Facts<'_>, now: DateTime<Utc>) -> bool {
    let (id, observed) = (&entry.id, facts.observed);
    let leases = observed.leases(id);
    let is_there = match id {
        TargetId::Copies { component } => observed.components.contains_key(component),
        TargetId::Instances { endpoint, .. }
        | TargetId::ProvisionedConcurrency { endpoint, .. } => {
            observed.endpoints.contains_key(endpoint)
        }
    };
    let held = observed.targets.get(id);
    let one = |action: &Action| match &action.change {
        Change::Register {
            bounds, suspended, ..
        } => {
            let same = held.is_some_and(|t| (t.min, t.max) == (bounds.min(), bounds.max()));
            let is_asked = leases.is_some_and(|leases| leases.hold.is_some());
            same && is_asked && is_due(*suspended, facts, leases, now)
        }
        Change::EndLease { kind, .. } => *kind == MarkerKind::Hold && is_over(leases, *kind, now),
        Change::Deregister { .. }
        | Change::PutPolicy { .. }
        | Change::PutAlarm { .. }
        | Change::DeletePolicy { .. }
        | Change::PutSchedule { .. }
        | Change::DeleteSchedule { .. }
        | Change::DeleteAlarm { .. } => false,
    };
    is_there && held.is_some() && entry.actions.iter().all(one)
}

/// Whether what is to be suspended is what the config says, with what a hold adds, or what was there before it.
fn is_due(
    suspended: Option<Suspension>,
    facts: Facts<'_>,
    leases: Option<&Leases>,
    now: DateTime<Utc>,
) -> bool {
    let declared = facts.target.suspended;
    let Some(lease) = leases.and_then(|leases| leases.hold.as_ref()) else {
        return suspended == declared;
    };
    let Some(due) = suspended else {
        return false;
    };
    let stands = facts
        .observed
        .targets
        .get(&facts.target.id)
        .map(|t| t.suspended);
    let base = declared.or(stands).unwrap_or_default();
    let one = |due: bool, base: bool, held: bool, before: bool| match (held, now < lease.until) {
        (true, true) => due,
        (true, false) => due == if declared.is_some() { base } else { before },
        (false, _) => due == base,
    };
    let (what, before) = (lease.what, lease.what.before);
    one(due.scale_in, base.scale_in, what.scale_in, before.scale_in)
        && one(
            due.scale_out,
            base.scale_out,
            what.scale_out,
            before.scale_out,
        )
        && due.scheduled == base.scheduled
}

fn is_over(leases: Option<&Leases>, kind: MarkerKind, now: DateTime<Utc>) -> bool {
    let until = leases.and_then(|leases| match kind {
        MarkerKind::Hold => leases.hold.as_ref().map(|l| l.until),
        MarkerKind::Override => leases.bounds.as_ref().map(|l| l.until),
        MarkerKind::Update => None,
    });
    until.is_some_and(|until| until <= now)
}

/// Whether a plan for a target that is not declared only takes away what is ours, or puts back what a hold or an
/// override changed.
fn may_be_removed(
    entry: &TargetPlan,
    desired: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> bool {
    let id = &entry.id;
    let manage = &desired.manage;
    let leases = observed.leases(id);
    let tagged = observed.owners.get(id) == Some(&Some(manage.owner.clone()));
    let goes = manage.on_removal == OnRemoval::Deregister && tagged;
    let prefix = target_alarm_prefix(&manage.owner, id);
    let ended = |kind| is_over(leases, kind, now);
    entry.actions.iter().all(|action| match &action.change {
        Change::Deregister { .. } => goes,
        Change::DeleteAlarm { name } => {
            let is_gone = observed.is_complete() && !observed.targets.contains_key(id);
            (goes || is_gone) && name.starts_with(&prefix) && manage.prune != Prune::Never
        }
        Change::EndLease { kind, .. } => ended(*kind),
        Change::Register { bounds, .. } => {
            let held = observed.targets.get(id);
            let before = leases
                .and_then(|l| l.bounds.as_ref())
                .filter(|l| {
                    held.is_some_and(|held| {
                        held.created.signed_duration_since(l.since) < TimeDelta::minutes(5)
                    })
                })
                .map(|l| l.what.before);
            let same = held.map(|t| (t.min, t.max)) == Some((bounds.min(), bounds.max()));
            (same && ended(MarkerKind::Hold))
                || (before == Some(*bounds) && ended(MarkerKind::Override))
        }
        Change::PutPolicy { .. }
        | Change::PutAlarm { .. }
        | Change::PutSchedule { .. }
        | Change::DeleteSchedule { .. }
        | Change::DeletePolicy { .. } => false,
    })
}

fn too_much_at_once(
    plan: &Plan,
    desired: &DesiredFleet,
    fleet: usize,
    safety: Safety,
) -> Option<Violation> {
    let shrinks = |entry: &&TargetPlan| {
        let target = desired.targets.get(&entry.id);
        let unasked = |action: &&Action| !target.is_some_and(|t| is_by_the_clock(action, t));
        entry.actions.iter().filter(unasked).any(is_shrinking)
    };
    let shrinking = plan.targets.iter().filter(shrinks).count();
    let share = crate::num::floor_to_usize(crate::num::from_usize(fleet) * safety.max_change);
    let allowed = share.max(safety.always_allowed);
    (shrinking > allowed).then_some(Violation::TooMuchAtOnce {
        shrinking,
        fleet,
        allowed,
    })
}

/// Whether a registration goes from bounds that the target's schedules give at one time to those of another: every
/// evening a fleet shrinks that is meant to. After an edit of the config the bounds held are none of the new ones.
fn is_by_the_clock(action: &Action, target: &DesiredTarget) -> bool {
    let Change::Register {
        previous: Some(held),
        ..
    } = &action.change
    else {
        return false;
    };
    let given = |held: Capacity, base: Capacity, set: fn(&Schedule) -> Option<Capacity>| {
        held == base || target.schedules.iter().any(|s| set(s) == Some(held))
    };
    !target.schedules.is_empty()
        && given(held.min, target.bounds.min(), |s| s.min)
        // Where the ends cross the maximum gives way, and is some minimum.
        && (given(held.max, target.bounds.max(), |s| s.max)
            || given(held.max, target.bounds.min(), |s| s.min))
}

/// Whether the action takes capacity away, now or when it will be needed.
fn is_shrinking(action: &Action) -> bool {
    let max_goes_down = match &action.change {
        Change::Register {
            bounds,
            previous: Some(held),
            ..
        } => bounds.max() < held.max,
        // A policy that is gone no longer adds capacity when it will be needed.
        Change::DeletePolicy { .. } | Change::Deregister { .. } => true,
        Change::Register { previous: None, .. }
        | Change::PutPolicy { .. }
        | Change::PutAlarm { .. }
        | Change::DeleteAlarm { .. }
        | Change::PutSchedule { .. }
        | Change::DeleteSchedule { .. }
        | Change::EndLease { .. } => false,
    };
    let clamped_down = |from: &Capacity, to: &Capacity| to < from;
    max_goes_down
        || action.effects.iter().any(|effect| match effect {
            super::plan::Effect::CapacityClamped { from, to } => clamped_down(from, to),
            super::plan::Effect::AlarmsRecreated
            | super::plan::Effect::AlarmsDeleted
            | super::plan::Effect::PoliciesDeleted(_) => false,
        })
}
