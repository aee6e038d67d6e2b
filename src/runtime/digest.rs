//! What a pass makes of what it saw, for the snapshot and for the next pass.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::execute::Executed;
use crate::domain::{
    Capacity, DesiredFleet, DesiredTarget, EndpointName, Finding, Mode, Observation, Part,
    PassOutcome, Plan, ScheduledAction, TargetId, effective_bounds, left_to_aws, lint, lint_world,
    running_actions, scheduled_actions,
};

/// The next end of a hold or an override, or change of bounds by a schedule.
pub(super) fn next_due(
    fleet: &DesiredFleet,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let leases = observed.markers.leases.values();
    let ends = leases.filter_map(|leases| leases.next_end(now));
    let changes = fleet.targets.values().filter_map(|t| t.next_change(now));
    let by_aws = fleet.targets.values().filter(|t| t.has_scheduled_actions());
    let mends = by_aws.filter_map(|target| {
        let held = observed.targets.get(&target.id)?;
        let leases = observed.leases(&target.id);
        let bounds = (held.min, held.max);
        let due = effective_bounds(target, leases, now).bounds;
        let differs = bounds != (due.min(), due.max());
        left_to_aws(target, leases, bounds, now).filter(|_| differs)
    });
    ends.chain(changes).chain(mends).min()
}

/// The scheduled actions that AWS is to hold, of targets that have any.
pub(super) fn wanted_actions(
    fleet: &DesiredFleet,
    now: DateTime<Utc>,
) -> BTreeMap<TargetId, Vec<ScheduledAction>> {
    let by_aws = fleet.targets.values().filter(|t| t.has_scheduled_actions());
    let owner = &fleet.manage.owner;
    // What AWS may be about to run stays as it was for a while, so a change is made some time after it is due.
    let wanted = |t: &DesiredTarget| {
        let mut wanted = scheduled_actions(t, owner, now);
        wanted.extend(running_actions(t, owner, now));
        wanted
    };
    by_aws.map(|t| (t.id.clone(), wanted(t))).collect()
}

/// What the lint objects to, in the config and in AWS.
pub(super) fn findings(target: &DesiredTarget, observed: &Observation) -> Vec<Finding> {
    let mut findings = lint(target);
    findings.extend(lint_world(target, observed));
    findings
}

/// Endpoints that nobody scales; `None` when that can not be known.
pub(super) fn unscaled(fleet: &DesiredFleet, observed: &Observation) -> Option<Vec<EndpointName>> {
    if observed.gap(&Part::Targets).is_some() || observed.gap(&Part::Endpoints).is_some() {
        return None;
    }
    // The endpoint of a component is not known while components are not read.
    let homeless = |id: &TargetId| observed.endpoint_of(id).is_none();
    if observed.gap(&Part::Components).is_some() || observed.targets.keys().any(homeless) {
        return None;
    }
    let scaled: BTreeSet<&EndpointName> = fleet
        .targets
        .keys()
        .chain(observed.targets.keys())
        .filter_map(|id| observed.endpoint_of(id))
        .collect();
    let nobodys = |name: &&EndpointName| !scaled.contains(name);
    Some(observed.endpoints.keys().filter(nobodys).cloned().collect())
}

pub(super) fn outcome(
    planned: &Plan,
    observed: &Observation,
    executed: Executed,
    refused: bool,
    mode: Mode,
) -> PassOutcome {
    if executed.cancelled {
        PassOutcome::Cancelled
    } else if refused {
        PassOutcome::Refused
    } else if executed.failed > 0 || executed.backed_off > 0 {
        PassOutcome::Failed
    } else if !observed.is_complete() {
        PassOutcome::Partial
    } else if executed.done > 0 {
        PassOutcome::Changed
    } else if !planned.is_empty() && mode == Mode::Observe {
        PassOutcome::Observed
    } else if planned.is_converged() {
        PassOutcome::Converged
    } else {
        PassOutcome::Waiting
    }
}

/// What the end of an override will do to the running capacity.
pub(super) fn at_end(
    target: &DesiredTarget,
    observed: &Observation,
) -> Option<(Capacity, Capacity)> {
    let lease = observed.leases(&target.id)?.bounds.as_ref()?;
    let from = observed.capacity(&target.id)?.aim()?;
    let to = target.bounds.clamp(from);
    (lease.holds(observed.at) && from != to).then_some((from, to))
}

/// Selections that nothing fits; a typing error looks like that.
pub(super) fn idle_selections(fleet: &DesiredFleet) -> Vec<String> {
    fleet.idle_selections().map(ToString::to_string).collect()
}
