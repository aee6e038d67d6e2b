//! What AWS runs of schedules by itself: scheduled actions, and how far they are trusted.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::bounds::{Capacity, effective_bounds};
use super::desired::DesiredTarget;
use super::lease::Leases;
use super::name::{OwnerName, ScheduleName};
use super::schedule::{Expression, Runner, Schedule, When, Window, Zone, minus, plus};

/// A scheduled action as AWS is to hold it, in full: what a put leaves out, AWS keeps or deletes by rules of its own
/// (aws-autoscaling.md 1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledAction {
    /// Its name, unique on its target.
    pub name: String,
    /// When it runs, in AWS's strict form. Reading it is dear, and nobody needs to: it is only compared and sent.
    pub expression: String,
    /// The zone of its wall clock.
    pub zone: Zone,
    /// The minimum that it sets.
    pub min: Option<Capacity>,
    /// The maximum that it sets.
    pub max: Option<Capacity>,
    /// It does not run before. AWS runs it at this instant too, so it is one at which it is due anyway.
    pub start: Option<DateTime<Utc>>,
    /// Nor after.
    pub end: Option<DateTime<Utc>>,
}

impl ScheduledAction {
    /// Whether it counts from its start, and goes by no clock on a wall.
    #[must_use]
    pub fn is_rate(&self) -> bool {
        self.expression.starts_with("rate(")
    }
}

impl fmt::Display for ScheduledAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.expression, self.zone.name())?;
        for (name, end) in [("min", self.min), ("max", self.max)] {
            if let Some(end) = end {
                write!(f, ", {name} {end}")?;
            }
        }
        Ok(())
    }
}

/// AWS's fixed limit of scheduled actions on one target (aws-autoscaling.md 1.3).
pub const MAX_SCHEDULED_ACTIONS: usize = 200;

/// So long after an instant AWS is given to run what was due (aws-autoscaling.md section 9, row 29).
pub(super) const AWS_TAKES: TimeDelta = TimeDelta::minutes(2);

/// So much ahead of our clock AWS's may be.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(30);

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// Firings of one schedule within [`AWS_TAKES`] that are looked at.
const MOST_FIRINGS: usize = 4;

/// The names that the scheduled actions of a schedule have in AWS: one, or two for a window.
#[must_use]
pub fn action_names(schedule: &Schedule, owner: &OwnerName) -> Vec<String> {
    let own = |suffix: &str| format!("{owner}-{}{suffix}", schedule.name);
    match (&schedule.when, &schedule.adopted_action) {
        (When::Fires(_), Some(adopted)) => vec![adopted.clone()],
        (When::Fires(_), None) => vec![own("")],
        (When::Open(_), _) => vec![own(" opens"), own(" closes")],
    }
}

/// Whether it is a schedule, and that schedule one that AWS runs, whose scheduled action has this name.
#[must_use]
pub fn schedule_of_action<'a>(
    target: &'a DesiredTarget,
    owner: &OwnerName,
    action: &str,
) -> Option<&'a Schedule> {
    let by_aws = |s: &&Schedule| s.runner.has_actions();
    let named = |s: &&Schedule| action_names(s, owner).iter().any(|name| name == action);
    target.schedules.iter().filter(by_aws).find(named)
}

/// The scheduled actions that AWS should hold for a target at `now`: those that are still to run.
///
/// A window becomes two, and the second brings back what will hold after it. What an action sets follows from its next
/// run: the ends that its schedule sets, and the other one where AWS would find the minimum above the maximum.
#[must_use]
pub fn scheduled_actions(
    target: &DesiredTarget,
    owner: &OwnerName,
    now: DateTime<Utc>,
) -> Vec<ScheduledAction> {
    let by_aws = target.schedules.iter().filter(|s| s.runner.has_actions());
    let actions = by_aws.flat_map(|schedule| match &schedule.when {
        When::Fires(expression) => firing_action(target, schedule, expression, owner, now)
            .into_iter()
            .collect(),
        When::Open(window) => window_actions(target, schedule, window, owner, now),
    });
    actions.collect()
}

/// The scheduled actions that AWS may be running now: those of a moment ago. They are not to be touched until AWS has
/// had its time.
#[must_use]
pub fn running_actions(
    target: &DesiredTarget,
    owner: &OwnerName,
    now: DateTime<Utc>,
) -> Vec<ScheduledAction> {
    scheduled_actions(target, owner, minus(now, AWS_TAKES))
}

fn firing_action(
    target: &DesiredTarget,
    schedule: &Schedule,
    expression: &Expression,
    owner: &OwnerName,
    now: DateTime<Utc>,
) -> Option<ScheduledAction> {
    let next = schedule.next_fires(now)?;
    let (expression, zone, start, end) = match expression {
        // Once: the start and the end of the schedule have had their say already.
        Expression::At(_) if schedule.lead.is_zero() => {
            (expression.to_string(), schedule.zone, None, None)
        }
        Expression::At(_) => (at_instant(next), Zone::UTC, None, None),
        Expression::Rate(_) => (
            expression.to_string(),
            Zone::UTC,
            schedule.start,
            schedule.end,
        ),
        Expression::Cron(_) => {
            // AWS knows no exceptions, and runs at the start too: so the start is the next firing that counts.
            let may_pass = !schedule.except.is_empty() || schedule.start.is_some_and(|at| at > now);
            let passes_over = may_pass && schedule.next_on_grid(now) != Some(next);
            let start = passes_over.then_some(next);
            (expression.to_string(), schedule.zone, start, schedule.end)
        }
    };
    let (min, max) = ends(target, schedule, next);
    Some(ScheduledAction {
        name: action_names(schedule, owner).into_iter().next()?,
        expression,
        zone,
        min,
        max,
        start,
        end,
    })
}

fn at_instant(at: DateTime<Utc>) -> String {
    format!("at({})", at.format("%Y-%m-%dT%H:%M:%S"))
}

/// What an action sets that runs at `at`.
fn ends(
    target: &DesiredTarget,
    schedule: &Schedule,
    at: DateTime<Utc>,
) -> (Option<Capacity>, Option<Capacity>) {
    let due = effective_bounds(target, None, at).bounds;
    if schedule.min.is_some() && schedule.max.is_some() {
        return (Some(due.min()), Some(due.max()));
    }
    let before = effective_bounds(target, None, minus(at, SECOND)).bounds;
    let sets_min = schedule.min.is_some() || due.max() < before.min();
    let sets_max = schedule.max.is_some() || due.min() > before.max();
    (sets_min.then_some(due.min()), sets_max.then_some(due.max()))
}

fn window_actions(
    target: &DesiredTarget,
    schedule: &Schedule,
    window: &Window,
    owner: &OwnerName,
    now: DateTime<Utc>,
) -> Vec<ScheduledAction> {
    let coming = schedule.coming_openings(now);
    // What AWS would run: it knows no exceptions.
    let grid = schedule.without_exceptions().coming_openings(now);
    let opens = coming.iter().map(|(opens, _)| *opens).find(|at| *at > now);
    let closes = coming.iter().map(|(_, closes)| *closes).min();
    let names = action_names(schedule, owner);
    let mut actions = Vec::new();
    for (edge, name, is_close) in [(opens, names.first(), false), (closes, names.get(1), true)] {
        let (Some(at), Some(name)) = (edge, name) else {
            continue;
        };
        let (expression, zone) = edge_expression(schedule, window, at, is_close);
        let grid = grid
            .iter()
            .map(|edges| if is_close { edges.1 } else { edges.0 });
        let next_run = grid.filter(|run| *run > now).min();
        let (min, max) = ends(target, schedule, at);
        actions.push(ScheduledAction {
            name: name.clone(),
            start: (next_run != Some(at)).then_some(at),
            // A window that opens before the end closes after it.
            end: schedule.end.filter(|_| !is_close),
            expression,
            zone,
            min,
            max,
        });
    }
    actions
}

/// When a window opens or closes, as AWS says it.
fn edge_expression(
    schedule: &Schedule,
    window: &Window,
    at: DateTime<Utc>,
    is_close: bool,
) -> (String, Zone) {
    let Window::Daily { from, until, days } = window else {
        return (at_instant(at), Zone::UTC);
    };
    if schedule.end.is_some() && is_close && schedule.coming_openings(plus(at, SECOND)).is_empty() {
        // The last close comes once: AWS is not to go on closing what no longer opens.
        return (at_instant(at), Zone::UTC);
    }
    let next_day = is_close && until <= from;
    let days: BTreeSet<u32> = days
        .iter()
        .map(|day| match (next_day, *day) {
            (false, day) => day,
            (true, 6) => 0,
            (true, day) => day.saturating_add(1),
        })
        .collect();
    let time = if is_close { until } else { from };
    (daily(*time, &days), schedule.zone)
}

fn daily(time: NaiveTime, days: &BTreeSet<u32>) -> String {
    let names = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
    let (hour, minute) = (time.format("%-H"), time.format("%-M"));
    if days.len() == names.len() {
        return format!("cron({minute} {hour} * * ? *)");
    }
    let named = days
        .iter()
        .filter_map(|day| names.get(usize::try_from(*day).ok()?).copied());
    let named: Vec<&str> = named.collect();
    format!("cron({minute} {hour} ? * {} *)", named.join(","))
}

type Held = (Capacity, Capacity);

fn due_at(target: &DesiredTarget, leases: Option<&Leases>, at: DateTime<Utc>) -> Held {
    let bounds = effective_bounds(target, leases, at).bounds;
    (bounds.min(), bounds.max())
}

/// Until when AWS may go on holding bounds other than the effective ones: it is just about to run what was due, or has
/// run already what will be due in a moment. `None` when they are not to be explained so.
#[must_use]
pub fn left_to_aws(
    target: &DesiredTarget,
    leases: Option<&Leases>,
    held: Held,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let soon = plus(now, CLOCKS_DIFFER);
    let by_aws = target.schedules.iter().filter(|s| s.runner.has_actions());
    let mut coming = by_aws.filter_map(|s| s.next_change(now).filter(|at| *at <= soon));
    if let Some(at) = coming.find(|at| due_at(target, leases, *at) == held) {
        return Some(at);
    }
    let mut left = None;
    for schedule in &target.schedules {
        let mut upto = now;
        for _ in 0..MOST_FIRINGS {
            let young = |at: &DateTime<Utc>| plus(*at, AWS_TAKES) > now;
            let Some(changed) = schedule.last_change(upto).filter(young) else {
                break;
            };
            if schedule.runner != Runner::Aws {
                return None;
            }
            upto = minus(changed, SECOND);
            if due_at(target, leases, upto) == held {
                left = left.max(Some(plus(changed, AWS_TAKES)));
            }
        }
    }
    left
}

/// The schedule that AWS has not run, and when that was due: what it holds is what held just before.
#[must_use]
pub(super) fn missed_by_aws(
    target: &DesiredTarget,
    leases: Option<&Leases>,
    held: Held,
    now: DateTime<Utc>,
) -> Option<(ScheduleName, DateTime<Utc>)> {
    let by_aws = target.schedules.iter().filter(|s| s.runner == Runner::Aws);
    let fired = by_aws.filter_map(|s| Some((s.last_change(now)?, &s.name)));
    let (due, name) = fired.max()?;
    let stands_still = due_at(target, leases, minus(due, SECOND)) == held;
    (stands_still && due_at(target, leases, now) != held).then(|| (name.clone(), due))
}
