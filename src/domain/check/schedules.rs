//! Laws of scheduled actions.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::super::bounds::effective_bounds;
use super::super::desired::Prune;
use super::super::plan::{Change, TargetPlan};
use super::super::schedule::When;
use super::super::scheduled::{MAX_SCHEDULED_ACTIONS, ScheduledAction, schedule_of_action};
use super::{Facts, Violation};

pub(super) fn check_schedules(
    entry: &TargetPlan,
    facts: Facts<'_>,
    registered: bool,
    now: DateTime<Utc>,
    out: &mut Vec<Violation>,
) {
    let id = &entry.id;
    let (mut put, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for action in &entry.actions {
        match &action.change {
            Change::PutSchedule { action, .. } => {
                if !registered {
                    out.push(Violation::PolicyWithoutTarget(id.clone()));
                }
                if !is_declared_action(facts, action, now) {
                    out.push(Violation::WrongSchedule(id.clone(), action.name.clone()));
                }
                put.insert(action.name.as_str());
            }
            Change::DeleteSchedule { name } => {
                if !is_action_to_go(facts, name, now) {
                    out.push(Violation::NotOursToRemove(id.clone(), name.clone()));
                }
                gone.insert(name.as_str());
            }
            Change::Register { .. }
            | Change::Deregister { .. }
            | Change::PutPolicy { .. }
            | Change::PutAlarm { .. }
            | Change::DeletePolicy { .. }
            | Change::DeleteAlarm { .. }
            | Change::EndLease { .. } => {}
        }
    }
    let held = facts.observed.schedules.get(id);
    let kept = held.map_or(0, |held| {
        let stays = |name: &&String| !put.contains(name.as_str()) && !gone.contains(name.as_str());
        held.keys().filter(stays).count()
    });
    if !put.is_empty() && kept.saturating_add(put.len()) > MAX_SCHEDULED_ACTIONS {
        out.push(Violation::TooManySchedules(id.clone()));
    }
}

/// Whether a schedule that AWS is to run has this scheduled action, and it says nothing but what will be due.
fn is_declared_action(facts: Facts<'_>, action: &ScheduledAction, now: DateTime<Utc>) -> bool {
    let target = facts.target;
    let Some(schedule) = schedule_of_action(target, &facts.manage.owner, &action.name) else {
        return false;
    };
    let Some(due) = schedule.next_fires(now) else {
        // The ends of a window are those of the instants at which it opens and closes.
        return matches!(schedule.when, When::Open(_)) && action.min.or(action.max).is_some();
    };
    let due = effective_bounds(target, None, due).bounds;
    action.min.is_none_or(|min| min == due.min()) && action.max.is_none_or(|max| max == due.max())
}

/// Whether nothing declared needs a scheduled action any more, and it may be removed.
fn is_action_to_go(facts: Facts<'_>, name: &str, now: DateTime<Utc>) -> bool {
    let manage = facts.manage;
    let schedule = schedule_of_action(facts.target, &manage.owner, name);
    let is_needed = schedule.is_some_and(|s| match &s.when {
        When::Fires(_) => s.next_fires(now).is_some(),
        // Each of the two goes for itself, and no window opens that does not close.
        When::Open(_) => name.ends_with(" closes") && s.next_change(now).is_some(),
    });
    let held = facts.observed.schedules.get(&facts.target.id);
    let stands = held.is_some_and(|held| held.contains_key(name));
    let may = match manage.prune {
        Prune::Owned => manage.is_ours(name),
        Prune::All => true,
        Prune::Never => false,
    };
    stands && may && !is_needed
}
