//! What a pass makes of what it saw, for the snapshot and for the next pass.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::execute::Executed;
use crate::domain::{
    Capacity, DesiredFleet, DesiredTarget, EndpointName, Finding, Mode, Observation, Part,
    PassOutcome, Plan, lint, lint_world,
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
    ends.chain(changes).min()
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
