//! Findings about schedules: what they come to over the coming weeks.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::super::bounds::{BoundSource, Bounds, Capacity, effective_bounds, scheduled_ends};
use super::super::desired::{DesiredFleet, DesiredTarget};
use super::super::observed::Observation;
use super::super::schedule::{Expression, Schedule, When, Window, minus, plus};
use super::super::target::TargetId;
use super::{Finding, Objection, Rule};

/// So far ahead is looked: every day of the month and of the week comes by.
const HORIZON: TimeDelta = TimeDelta::days(35);
/// And at so many firings of one schedule at most.
const MOST_FIRINGS: usize = 500;
/// What is about to be taken away is told so long before.
const SOON: TimeDelta = TimeDelta::hours(24);
/// Writes a second that AWS is assumed to take; it publishes no number (aws-autoscaling.md 1.3).
const WRITES_PER_SECOND: usize = 2;
/// So many targets at one instant are worth a thought: the last one comes ten seconds late.
const MANY: usize = 20;

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// What the lint objects to in the schedules of a target, as they are at `now`, but for the rules that it silences.
#[must_use]
pub fn lint_schedules(target: &DesiredTarget, now: DateTime<Utc>) -> Vec<Finding> {
    let mut objections: Vec<Objection> = Vec::new();
    for schedule in &target.schedules {
        objections.extend(without_zone(schedule));
        objections.extend(idle(schedule, now));
    }
    for end in [MIN, MAX] {
        objections.extend(one_way(target, end, now));
    }
    let firings = firings(target, now);
    objections.extend(at_once(&firings));
    objections.extend(crossing(target, &firings, now));
    objections.extend(overlaps(target, now));
    objections.retain(|(rule, _)| !target.ignored.contains_key(rule));
    let finding = |(rule, what)| of(&target.id, rule, what);
    objections.into_iter().map(finding).collect()
}

/// What the lint objects to in the schedules of a fleet as a whole.
#[must_use]
pub fn lint_fleet(fleet: &DesiredFleet, now: DateTime<Utc>) -> Vec<Finding> {
    let mut changes: BTreeMap<DateTime<Utc>, Vec<&DesiredTarget>> = BTreeMap::new();
    for target in fleet.targets.values() {
        let next = |at: DateTime<Utc>| {
            target
                .next_change(at)
                .filter(|next| *next <= plus(now, SOON))
        };
        let within = successors(next(now), |at| next(*at)).take(MOST_FIRINGS);
        for at in within {
            changes.entry(at).or_default().push(target);
        }
    }
    let most = changes.into_iter().max_by_key(|(_, targets)| targets.len());
    let Some((at, targets)) = most.filter(|(_, targets)| targets.len() > MANY) else {
        return Vec::new();
    };
    let what = format!(
        "{} targets change at {}: at {WRITES_PER_SECOND} writes a second, which AWS is thought to take, the last \
         one is {} s late",
        targets.len(),
        stamp(at),
        targets.len() / WRITES_PER_SECOND
    );
    let heard = |t: &&&DesiredTarget| !t.ignored.contains_key(&Rule::ManyAtOnce);
    let first = targets.iter().find(heard);
    let finding = first.map(|target| of(&target.id, Rule::ManyAtOnce, what));
    finding.into_iter().collect()
}

/// The next change of bounds, when it takes away what runs.
pub(super) fn takes_away(target: &DesiredTarget, observed: &Observation) -> Option<Objection> {
    let now = observed.at;
    let next = target
        .next_change(now)
        .filter(|next| *next <= plus(now, SOON))?;
    let running = observed.capacity(&target.id)?.aim()?;
    let then = effective_bounds(target, None, next);
    let now_held = effective_bounds(target, None, now).bounds;
    let lost = running.get().checked_sub(then.bounds.max().get())?;
    // What is above today's maximum already is not the schedule's doing.
    (lost > 0 && running <= now_held.max()).then(|| {
        let what = format!(
            "at {} {} sets the maximum to {}, and {running} are wanted now: {lost} would go",
            stamp(next),
            then.max_source,
            then.bounds.max()
        );
        (Rule::ScheduleTakesAway, what)
    })
}

fn of(target: &TargetId, rule: Rule, what: String) -> Finding {
    Finding {
        rule,
        target: target.clone(),
        policy: None,
        what,
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An end of the bounds, as schedules set it.
#[derive(Clone, Copy)]
struct End {
    name: &'static str,
    set: fn(&Schedule) -> Option<Capacity>,
    base: fn(Bounds) -> Capacity,
}

const MIN: End = End {
    name: "minimum",
    set: |schedule| schedule.min,
    base: Bounds::min,
};
const MAX: End = End {
    name: "maximum",
    set: |schedule| schedule.max,
    base: Bounds::max,
};

fn without_zone(schedule: &Schedule) -> Option<Objection> {
    let by_the_clock = !matches!(schedule.when, When::Fires(Expression::Rate(_)));
    (schedule.is_zone_assumed && by_the_clock).then(|| {
        let what = format!(
            "schedule `{}` has no time zone, so it goes by UTC",
            schedule.name
        );
        (Rule::ScheduleWithoutZone, what)
    })
}

/// A schedule that does nothing from now on.
fn idle(schedule: &Schedule, now: DateTime<Utc>) -> Option<Objection> {
    let begins = schedule.start.filter(|start| *start > now);
    let from = begins.map_or(now, |start| minus(start, SECOND));
    if schedule.next_change(from).is_some() || schedule.open_since(now).is_some() {
        return None;
    }
    let name = &schedule.name;
    let over = |what: String| Some((Rule::ScheduleOver, what));
    if let Some(fired) = schedule.last_fired(now) {
        // Once means once: what it set is meant to stay.
        let is_once = matches!(schedule.when, When::Fires(Expression::At(_)));
        let what = format!(
            "schedule `{name}` fired for the last time at {}, and what it set holds",
            stamp(fired)
        );
        return if is_once { None } else { over(what) };
    }
    if let Some(end) = schedule.end.filter(|end| *end <= now) {
        return over(format!("schedule `{name}` ended at {}", stamp(end)));
    }
    if let When::Open(Window::Once { until, .. }) = &schedule.when {
        return over(format!("window `{name}` closed at {}", stamp(*until)));
    }
    Some((
        Rule::ScheduleNeverFires,
        format!("schedule `{name}` never does anything: no instant fits it"),
    ))
}

/// An end that schedules move from its base, and none moves back.
fn one_way(target: &DesiredTarget, end: End, now: DateTime<Utc>) -> Option<Objection> {
    let fires = |s: &&Schedule| s.last_fired(now).is_some() || s.next_fires(now).is_some();
    let moving = target.schedules.iter().filter(fires);
    let set: Vec<(&Schedule, Capacity)> = moving.filter_map(|s| Some((s, (end.set)(s)?))).collect();
    let base = (end.base)(target.bounds);
    let (first, value) = *set.first()?;
    let is_one_way = value != base && set.iter().all(|(_, other)| *other == value);
    is_one_way.then(|| {
        let what = format!(
            "schedule `{}` sets the {} to {value}, and none ever sets it back to {base}",
            first.name, end.name
        );
        (Rule::ScheduleOneWay, what)
    })
}

type Firings<'a> = BTreeMap<DateTime<Utc>, Vec<&'a Schedule>>;

/// Who fires when, in the order of the config.
fn firings(target: &DesiredTarget, now: DateTime<Utc>) -> Firings<'_> {
    let mut firings = Firings::new();
    for schedule in &target.schedules {
        let next = |at: DateTime<Utc>| {
            schedule
                .next_fires(at)
                .filter(|next| *next <= plus(now, HORIZON))
        };
        for at in successors(next(now), |at| next(*at)).take(MOST_FIRINGS) {
            firings.entry(at).or_default().push(schedule);
        }
    }
    firings
}

/// The end that two schedules set to different values, with these.
fn at_odds(a: &Schedule, b: &Schedule) -> Option<(&'static str, Capacity, Capacity)> {
    let differ = |end: End| {
        let (of_a, of_b) = ((end.set)(a)?, (end.set)(b)?);
        (of_a != of_b).then_some((end.name, of_a, of_b))
    };
    differ(MIN).or_else(|| differ(MAX))
}

/// All pairs of a list, in its order.
fn pairs<T>(list: &[T]) -> impl Iterator<Item = (&T, &T)> {
    let tails = successors(Some(list), |tail| tail.split_first().map(|(_, rest)| rest));
    let heads = tails.filter_map(|tail| tail.split_first());
    heads.flat_map(|(a, rest)| rest.iter().map(move |b| (a, b)))
}

/// Pairs that fire together and set different things, each once.
fn at_once(firings: &Firings<'_>) -> Vec<Objection> {
    let mut told = BTreeSet::new();
    let mut objections = Vec::new();
    for (at, together) in firings {
        for (a, b) in pairs(together) {
            let Some((end, of_a, of_b)) = at_odds(a, b) else {
                continue;
            };
            if told.insert((&a.name, &b.name)) {
                let what = format!(
                    "at {} `{}` sets the {end} to {of_a} and `{}` to {of_b}: the later one in the config, `{}`, \
                     wins",
                    stamp(*at),
                    a.name,
                    b.name,
                    b.name
                );
                objections.push((Rule::SchedulesAtOnce, what));
            }
        }
    }
    objections
}

/// The first instant of each pair of sources at which the minimum comes out above the maximum.
fn crossing(target: &DesiredTarget, firings: &Firings<'_>, now: DateTime<Utc>) -> Vec<Objection> {
    let stretches = target
        .schedules
        .iter()
        .flat_map(|s| s.coming_stretches(now));
    let edges = stretches.flat_map(|(opens, closes)| [opens, closes]);
    let mut instants: BTreeSet<DateTime<Utc>> = edges.filter(|at| *at > now).collect();
    instants.extend(firings.keys());
    instants.insert(now);
    let mut told: BTreeSet<(BoundSource, BoundSource)> = BTreeSet::new();
    let mut objections = Vec::new();
    for at in instants.into_iter().take(MOST_FIRINGS) {
        let ((min, min_source), (max, max_source)) = scheduled_ends(target, at);
        if min > max && told.insert((min_source.clone(), max_source.clone())) {
            let what = format!(
                "at {} the minimum is {min} by {min_source}, and the maximum {max} by {max_source}: {min}..{min} is \
                 what comes out",
                stamp(at)
            );
            objections.push((Rule::SchedulesCross, what));
        }
    }
    objections
}

/// Pairs of windows that are open together and set different things, each once.
fn overlaps(target: &DesiredTarget, now: DateTime<Utc>) -> Vec<Objection> {
    let stretches = |s: &Schedule| s.coming_stretches(now);
    let windows: Vec<(&Schedule, _)> = target.schedules.iter().map(|s| (s, stretches(s))).collect();
    let mut objections = Vec::new();
    for ((a, of_a), (b, of_b)) in pairs(&windows) {
        let Some((end, x, y)) = at_odds(a, b) else {
            continue;
        };
        let both = of_a
            .iter()
            .flat_map(|one| of_b.iter().map(move |other| (one, other)));
        let mut shared = both.filter(|(one, other)| one.0 < other.1 && other.0 < one.1);
        if let Some((one, other)) = shared.next() {
            let wins = if one.0 > other.0 { a } else { b };
            let what = format!(
                "at {} `{}` sets the {end} to {x} and `{}` to {y}: the one that opened last, `{}`, wins",
                stamp(one.0.max(other.0)),
                a.name,
                b.name,
                wins.name
            );
            objections.push((Rule::WindowsOverlap, what));
        }
    }
    objections
}
