//! Scheduled actions of one target: what AWS is to run of its schedules by itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::desired::{DesiredTarget, Manage, Prune};
use super::super::note::Note;
use super::super::observed::{Observation, ObservedSchedule, Part};
use super::super::plan::{Action, ActionReason, Change, Difference, TargetPlan};
use super::super::schedule::{Expression, minus};
use super::super::scheduled::{
    AWS_TAKES, MAX_SCHEDULED_ACTIONS, ScheduledAction, running_actions, schedule_of_action,
    scheduled_actions,
};

pub(super) fn plan_schedules(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    now: DateTime<Utc>,
    entry: &mut TargetPlan,
) {
    let held = held_schedules(target, observed);
    let wanted = scheduled_actions(target, &manage.owner, now);
    let is_as_wanted = |action: &ScheduledAction| {
        let held = held.get(action.name.as_str());
        held.is_some_and(|held| is_same(action, held, now))
    };
    // Most passes end here: what follows is dear.
    if held.len() == wanted.len() && wanted.iter().all(is_as_wanted) {
        return;
    }
    // What is due now AWS may run in a moment, and until its time for that is up it stays as it was.
    let running = running_actions(target, &manage.owner, now);
    // A new registration has no scheduled actions, whatever the list would have said.
    let is_registered = observed.targets.contains_key(&target.id);
    let gap = observed
        .gap(&Part::Schedules)
        .filter(|_| is_registered && !wanted.is_empty());
    if let Some(gap) = gap {
        entry.notes.push(Note::SchedulesUnseen(gap.clone()));
        return;
    }
    let both = wanted.iter().chain(&running);
    let is_wanted = |name: &str| both.clone().any(|action| action.name == name);
    let mut standing = held.len();
    for (name, action) in held.iter().filter(|(name, _)| !is_wanted(name)) {
        if let Some(reason) = reason_to_delete(target, manage, name) {
            standing = standing.saturating_sub(1);
            entry.actions.push(Action {
                change: Change::DeleteSchedule {
                    name: (*name).to_owned(),
                },
                reason,
                effects: Vec::new(),
            });
        } else if schedule_of_action(target, &manage.owner, name).is_none() {
            entry.notes.push(Note::ForeignSchedule {
                name: (*name).to_owned(),
                expression: action.expression.clone(),
            });
        }
    }
    let mut left_out: usize = 0;
    for action in wanted {
        let previous = held.get(action.name.as_str()).copied();
        let reason = match previous {
            None if standing >= MAX_SCHEDULED_ACTIONS => {
                left_out = left_out.saturating_add(1);
                continue;
            }
            None => {
                standing = standing.saturating_add(1);
                ActionReason::ScheduleMissing
            }
            Some(previous) => {
                if is_same(&action, previous, now) || is_running(&running, previous, now) {
                    continue;
                }
                ActionReason::ScheduleDiffers(differences(&action, previous, now))
            }
        };
        entry.actions.push(Action {
            change: Change::PutSchedule {
                action,
                previous: previous.cloned(),
            },
            reason,
            effects: Vec::new(),
        });
    }
    if left_out > 0 {
        entry.notes.push(Note::TooManySchedules(left_out));
    }
}

/// Whether AWS holds it as it was to run just now.
fn is_running(running: &[ScheduledAction], held: &ObservedSchedule, now: DateTime<Utc>) -> bool {
    let mut running = running.iter().filter(|action| action.name == held.name);
    running.any(|action| is_same(action, held, minus(now, AWS_TAKES)))
}

/// The scheduled actions that AWS holds for a target. They go with their registration.
fn held_schedules<'a>(
    target: &DesiredTarget,
    observed: &'a Observation,
) -> BTreeMap<&'a str, &'a ObservedSchedule> {
    let held = observed.schedules.get(&target.id);
    held.filter(|_| observed.targets.contains_key(&target.id))
        .into_iter()
        .flatten()
        .map(|(name, action)| (name.as_str(), action))
        .collect()
}

/// Why a scheduled action that is not wanted is to go; `None` when it is to be left.
fn reason_to_delete(target: &DesiredTarget, manage: &Manage, name: &str) -> Option<ActionReason> {
    let is_declared = schedule_of_action(target, &manage.owner, name).is_some();
    match (manage.prune, manage.is_ours(name), is_declared) {
        (Prune::Never, ..) | (Prune::Owned, false, _) => None,
        (_, _, true) => Some(ActionReason::ScheduleOver),
        (_, _, false) => Some(ActionReason::NotDeclared),
    }
}

/// A start that is over does nothing any more, except that a rate counts from it.
fn start_that_counts(
    start: Option<DateTime<Utc>>,
    is_rate: bool,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    start.filter(|start| is_rate || *start > now)
}

/// Other blanks or names of months are the same expression.
fn strict(expression: &str) -> String {
    Expression::parse(expression).map_or(expression.to_owned(), |strict| strict.to_string())
}

/// AWS goes by UTC where no zone is given; a rate goes by no clock on a wall.
fn is_in_zone(wanted: &ScheduledAction, held: &ObservedSchedule) -> bool {
    wanted.is_rate() || held.zone.as_deref().unwrap_or(UTC) == wanted.zone.name()
}

const UTC: &str = "UTC";

/// Whether AWS holds it as wanted: asked for every action at every pass, so nothing is put into words for it.
fn is_same(wanted: &ScheduledAction, held: &ObservedSchedule, now: DateTime<Utc>) -> bool {
    let start = |start| start_that_counts(start, wanted.is_rate(), now);
    (held.min, held.max, held.end) == (wanted.min, wanted.max, wanted.end)
        && start(held.start) == start(wanted.start)
        && is_in_zone(wanted, held)
        && (held.expression == wanted.expression || strict(&held.expression) == wanted.expression)
}

/// What differs, in words.
fn differences(
    wanted: &ScheduledAction,
    held: &ObservedSchedule,
    now: DateTime<Utc>,
) -> Vec<Difference> {
    let said = |end: Option<String>| end.unwrap_or_else(|| "none".to_owned());
    let instant =
        |at: Option<DateTime<Utc>>| said(at.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()));
    let count = |end: Option<super::super::bounds::Capacity>| said(end.map(|n| n.to_string()));
    let zone = held.zone.clone().unwrap_or_else(|| UTC.to_owned());
    let zone = Difference::between("timezone", &zone, &wanted.zone.name().to_owned());
    let start = |start| instant(start_that_counts(start, wanted.is_rate(), now));
    let fields = [
        Difference::between("expression", &strict(&held.expression), &wanted.expression),
        zone.filter(|_| !is_in_zone(wanted, held)),
        Difference::between("bounds.min", &count(held.min), &count(wanted.min)),
        Difference::between("bounds.max", &count(held.max), &count(wanted.max)),
        Difference::between("start", &start(held.start), &start(wanted.start)),
        Difference::between("end", &instant(held.end), &instant(wanted.end)),
    ];
    fields.into_iter().flatten().collect()
}
