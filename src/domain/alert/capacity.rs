//! Demand against capacity: who is at the maximum, who wants more, and who will.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::activity::NotScaled;
use super::super::alarm::{AlarmState, Comparison, ObservedAlarm};
use super::super::bounds::Capacity;
use super::super::fleet::{ScopeSnapshot, TargetSnapshot};
use super::super::metric::Datapoint;
use super::super::policy::{Policy, PolicyKind};
use super::super::target::TargetId;
use super::{AlertKind, CapacityChange, Condition, View};

/// A slope still tells where things go when its last point is so old; quiet targets are read rarely.
const STILL_TELLS: TimeDelta = TimeDelta::minutes(16);
/// A refusal older than this says nothing about now. AWS does not repeat the same one.
const REFUSAL_COUNTS: TimeDelta = TimeDelta::minutes(10);
/// What has begun goes on until the value is so much below its target.
const EASED: f64 = 0.95;
/// Points of the slope at the most, and at the least.
const MOST_POINTS: usize = 20;
const FEWEST_POINTS: usize = 8;
/// So far ahead the slope is followed.
const AHEAD_MINUTES: f64 = 30.0;
/// So much of the change has to lie on the line; of a jump from one level to another at most 0.75 does.
const STRAIGHT: f64 = 0.85;
/// Below this share of the maximum a slope is nothing to tell of.
const NEAR: f64 = 0.5;

/// The newest value of a policy's metric, if it is of now.
pub(super) fn fresh<'a>(id: &TargetId, policy: &Policy, view: View<'a>) -> Option<&'a Datapoint> {
    view.scope.watch.fresh(id, &policy.name, view.now)
}

/// The alarms of a policy that CloudWatch has.
pub(super) fn alarms_of<'a>(
    target: &'a TargetSnapshot,
    policy: &Policy,
    scope: &'a ScopeSnapshot,
) -> impl Iterator<Item = &'a ObservedAlarm> {
    let names = target.alarms.get(&policy.name).into_iter().flatten();
    names.filter_map(|name| scope.watch.alarms.get(name))
}

/// The alarm that makes a policy add capacity, while it is in the state `ALARM`.
pub(super) fn wants_more<'a>(
    target: &'a TargetSnapshot,
    policy: &Policy,
    scope: &'a ScopeSnapshot,
) -> Option<&'a ObservedAlarm> {
    let adds = |alarm: &&ObservedAlarm| match &policy.kind {
        PolicyKind::TargetTracking(_) => alarm.name.contains("-AlarmHigh-"),
        // An exact capacity is above zero also where it scales in.
        PolicyKind::Step(step) => match step.alarm.comparison {
            Comparison::Greater | Comparison::GreaterOrEqual => {
                step.scaling.steps.iter().any(|s| s.adjustment > 0)
            }
            Comparison::Less | Comparison::LessOrEqual => false,
        },
    };
    let mut alarms = alarms_of(target, policy, scope).filter(adds);
    alarms.find(|alarm| alarm.state == AlarmState::Alarm)
}

/// CloudWatch needs so long to see what a change of capacity did: three minutes, of values that come late.
const SETTLES: TimeDelta = TimeDelta::minutes(8);

/// Whether capacity had just changed when alarms were read.
fn just(changed: Option<DateTime<Utc>>, view: View<'_>) -> bool {
    let read = view.scope.watch.alarms_at.unwrap_or(view.now);
    changed.is_some_and(|at| read.signed_duration_since(at) < SETTLES)
}

/// Whether the alarm that makes a policy add capacity says that the threshold is kept.
fn is_content(target: &TargetSnapshot, policy: &Policy, scope: &ScopeSnapshot) -> bool {
    let adds = |alarm: &&ObservedAlarm| match &policy.kind {
        PolicyKind::TargetTracking(_) => alarm.name.contains("-AlarmHigh-"),
        PolicyKind::Step(_) => true,
    };
    let mut alarms = alarms_of(target, policy, scope).filter(adds);
    alarms.any(|alarm| alarm.state == AlarmState::Ok)
}

/// What is asked for, and the maximum: AWS's own, which is what it stops at, or else the one that is due.
fn at_max(target: &TargetSnapshot) -> Option<(Capacity, Capacity)> {
    let running = target.running?.aim()?;
    Some((running, maximum(target)))
}

fn maximum(target: &TargetSnapshot) -> Capacity {
    let held = target.registered.as_ref().map(|held| held.max);
    held.unwrap_or(target.effective.bounds.max())
}

/// At the maximum *and* wanting more.
pub(super) fn saturated(
    id: &TargetId,
    target: &TargetSnapshot,
    was_firing: bool,
    view: View<'_>,
) -> Condition {
    let Some((asked, max)) = at_max(target) else {
        return Condition::Unknown;
    };
    if asked < max {
        return Condition::Clear;
    }
    let refused = refused_at_max(id, view);
    // What was asked for is still starting: whether it will do shows when it serves. And what serves above the maximum
    // is about to be taken away.
    let serving = target.running.and_then(|r| r.current).unwrap_or(asked);
    if serving > max || (serving < max && refused.is_none()) {
        return Condition::Unknown;
    }
    let last = view.scope.watch.changes.get(id).and_then(|all| all.last());
    if last.is_some_and(|change| change.done.is_none()) && refused.is_none() {
        return Condition::Unknown;
    }
    let changed = last.and_then(|change| change.done);
    let mut known = false;
    let mut worst: Option<(f64, &Policy, Option<DateTime<Utc>>)> = None;
    for policy in &target.policies {
        let alarm = wants_more(target, policy, view.scope);
        // A value of before the last change was spread over another capacity, and so was what the alarm went by.
        let of_before = |at: DateTime<Utc>| changed.is_some_and(|changed| at < changed);
        let newest = fresh(id, policy, view);
        if newest.is_some_and(|point| of_before(point.at)) {
            continue;
        }
        let Some(point) = newest else {
            match alarm {
                // Neither it nor AWS, which may have refused, has had the time to see that there is more now.
                Some(alarm) if alarm.since.is_some_and(of_before) && just(changed, view) => {}
                // The alarm alone tells that it wants more, but not how much.
                Some(alarm) => {
                    known = true;
                    worst = worst.or(Some((1.0, policy, alarm.since)));
                }
                // And alone that it does not.
                None => known |= is_content(target, policy, view.scope),
            }
            continue;
        };
        known = true;
        let ratio = point.value / policy.aim();
        let above = match &policy.kind {
            PolicyKind::TargetTracking(_) => ratio > if was_firing { EASED } else { 1.0 },
            PolicyKind::Step(_) => alarm.is_some(),
        };
        let decided = alarm.is_some() || refused.is_some() || was_firing;
        if above && decided && worst.is_none_or(|(most, ..)| ratio > most) {
            worst = Some((ratio, policy, alarm.and_then(|a| a.since)));
        }
    }
    match worst {
        Some((ratio, policy, since)) => {
            let reason = saturation_text(serving, max, ratio, policy);
            // Both have to hold: it wants more, and it is at the maximum.
            let since = since
                .or(refused)
                .map(|since| changed.map_or(since, |at| at.max(since)));
            Condition::met(reason).since(since)
        }
        None if known => Condition::Clear,
        None => Condition::Unknown,
    }
}

/// Units that are wanted above the maximum, as far as target tracking tells; `None` when there is no value of now.
#[must_use]
pub fn unmet_demand(
    id: &TargetId,
    target: &TargetSnapshot,
    scope: &ScopeSnapshot,
    now: DateTime<Utc>,
) -> Option<u32> {
    let current = target.running?.current?;
    let max = maximum(target);
    let tracks = |p: &&Policy| matches!(p.kind, PolicyKind::TargetTracking(_));
    let values = target.policies.iter().filter(tracks).filter_map(|policy| {
        let point = scope.watch.fresh(id, &policy.name, now)?;
        Some(point.value / policy.aim())
    });
    let ratio = values.fold(None, |most: Option<f64>, ratio| {
        Some(most.map_or(ratio, |m| m.max(ratio)))
    })?;
    let wanted = crate::num::ceil_to_u32(f64::from(current.get()) * ratio);
    Some(wanted.saturating_sub(max.get()))
}

fn saturation_text(running: Capacity, max: Capacity, ratio: f64, policy: &Policy) -> String {
    let tracks = matches!(policy.kind, PolicyKind::TargetTracking(_));
    let wanted = crate::num::ceil_to_u32(f64::from(running.get()) * ratio);
    let missing = wanted.saturating_sub(max.get());
    if tracks && missing > 0 {
        format!(
            "at the maximum, {max}, and {wanted} are wanted: {missing} are missing (policy `{}` is at {:.0} % of its \
             target)",
            policy.name,
            ratio * 100.0
        )
    } else {
        format!(
            "at the maximum, {max}, and policy `{}` wants more",
            policy.name
        )
    }
}

/// When AWS last refused to go above the maximum, if that was just now.
fn refused_at_max(id: &TargetId, view: View<'_>) -> Option<DateTime<Utc>> {
    let refusal = view.scope.watch.refusals.get(id)?;
    let at_max = |reason: &NotScaled| matches!(reason, NotScaled::AtMax(_));
    let young = view.now.signed_duration_since(refusal.started) < REFUSAL_COUNTS;
    (young && refusal.not_scaled.iter().any(at_max)).then_some(refusal.started)
}

/// At the maximum for long, whatever is wanted.
pub(super) fn at_maximum(target: &TargetSnapshot) -> Condition {
    let Some((running, max)) = at_max(target) else {
        return Condition::Unknown;
    };
    let bounds = target.effective.bounds;
    if running < max || bounds.min() == bounds.max() {
        return Condition::Clear;
    }
    Condition::met(format!("at the maximum, {max}"))
}

/// At zero, and work is waiting.
pub(super) fn stuck_at_zero(id: &TargetId, target: &TargetSnapshot, view: View<'_>) -> Condition {
    let Some(running) = target.running else {
        return Condition::Unknown;
    };
    match (running.current, running.desired) {
        (Some(Capacity::ZERO), Some(Capacity::ZERO)) => {}
        // It is coming, or AWS tries in vain: each attempt asks for one, and takes it back.
        (Some(Capacity::ZERO) | None, _) => return Condition::Unknown,
        (Some(_), _) => return Condition::Clear,
    }
    for policy in &target.policies {
        if let Some(alarm) = wants_more(target, policy, view.scope) {
            let reason = format!(
                "at zero, and the alarm of policy `{}` says that work is waiting",
                policy.name
            );
            return Condition::met(reason).since(alarm.since);
        }
        if let Some(point) = fresh(id, policy, view).filter(|p| p.value > policy.aim()) {
            let value = point.value;
            let reason = format!(
                "at zero, and policy `{}` is at {value:.1}, above its target of {:.1}",
                policy.name,
                policy.aim()
            );
            return Condition::met(reason);
        }
    }
    Condition::Clear
}

/// The capacity that served in the whole minute that begins at `at`; `None` where that is not known.
fn serving(changes: &[CapacityChange], at: DateTime<Utc>, now: Capacity) -> Option<Capacity> {
    let end = at.checked_add_signed(TimeDelta::minutes(1))?;
    let done = |change: &&CapacityChange| change.done.is_some();
    let began = |change: &CapacityChange| change.done.unwrap_or(change.at);
    let mut done_later = changes.iter().filter(done).filter(|c| began(c) > at);
    let Some(next) = done_later.next() else {
        return Some(now);
    };
    if began(next) < end {
        return None;
    }
    let before = changes.iter().filter(done).rfind(|c| began(c) <= at);
    before.map(|change| change.to)
}

/// What a target's load did lately, in units of its capacity.
#[derive(Debug, Clone, Default)]
pub(super) struct Demand(VecDeque<(DateTime<Utc>, f64)>);

impl Demand {
    /// Notes what the first policy with a value says, once per value. Values come minutes late: each was spread over
    /// what served in its minute, not over what serves now.
    pub(super) fn note(&mut self, id: &TargetId, target: &TargetSnapshot, scope: &ScopeSnapshot) {
        let tracks = |p: &&Policy| matches!(p.kind, PolicyKind::TargetTracking(_));
        let mut values = target.policies.iter().filter(tracks).filter_map(|policy| {
            let key = (id.clone(), policy.name.clone());
            Some((policy, scope.watch.recent.get(&key)?))
        });
        let current = target.running.and_then(|r| r.current);
        let (Some((policy, points)), Some(current)) = (values.next(), current) else {
            return;
        };
        let changes = scope.watch.changes.get(id).map_or(&[][..], Vec::as_slice);
        let newest = self.0.back().map(|(at, _)| *at);
        for point in points.iter().filter(|p| newest.is_none_or(|at| p.at > at)) {
            if let Some(serving) = serving(changes, point.at, current) {
                let demand = f64::from(serving.get()) * point.value / policy.aim();
                self.0.push_back((point.at, demand));
            }
        }
        self.0.make_contiguous().sort_by_key(|(at, _)| *at);
        let surplus = self.0.len().saturating_sub(MOST_POINTS);
        self.0.drain(..surplus);
    }

    /// Demand now, its slope in units a minute, and how straight the line is, 0 to 1.
    fn line(&self) -> Option<(f64, f64, f64)> {
        let (first, _) = self.0.front()?;
        let minutes = |at: &DateTime<Utc>| {
            crate::num::from_i64(at.signed_duration_since(first).num_seconds()) / 60.0
        };
        if self.0.len() < FEWEST_POINTS {
            return None;
        }
        let n = crate::num::from_usize(self.0.len());
        let points = || self.0.iter().map(|(at, y)| (minutes(at), *y));
        let (mean_x, mean_y) = (
            points().map(|(x, _)| x).sum::<f64>() / n,
            points().map(|(_, y)| y).sum::<f64>() / n,
        );
        let sum = |f: fn(f64, f64) -> f64| points().map(|(x, y)| f(x - mean_x, y - mean_y)).sum();
        let (xx, xy, yy): (f64, f64, f64) =
            (sum(|x, _| x * x), sum(|x, y| x * y), sum(|_, y| y * y));
        if xx <= 0.0 || yy <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let last = points().map(|(x, _)| x).fold(0.0, f64::max);
        let now = mean_y + slope * (last - mean_x);
        Some((now, slope, xy * xy / (xx * yy)))
    }
}

/// At this slope the maximum will be too little soon.
pub(super) fn predicted(target: &TargetSnapshot, demand: &Demand, now: DateTime<Utc>) -> Condition {
    let Some((running, max)) = at_max(target) else {
        return Condition::Unknown;
    };
    // What is there already is another alert's.
    if running >= max {
        return Condition::Clear;
    }
    let stale = |at: &DateTime<Utc>| now.signed_duration_since(*at) >= STILL_TELLS;
    if demand.0.back().is_none_or(|(at, _)| stale(at)) {
        return Condition::Unknown;
    }
    let Some((wanted, slope, straightness)) = demand.line() else {
        return Condition::Clear;
    };
    let most = f64::from(max.get());
    let minutes = (most - wanted) / slope;
    let tuning = target.tunings.get(&AlertKind::SaturationPredicted);
    let within = tuning.and_then(|t| t.within);
    let ahead = within.map_or(AHEAD_MINUTES, |within| {
        crate::num::from_i64(within.num_minutes())
    });
    let is_soon = slope > 0.0 && minutes <= ahead;
    if !is_soon || straightness < STRAIGHT || wanted < most * NEAR {
        return Condition::Clear;
    }
    Condition::met(format!(
        "{wanted:.1} of at most {max} are wanted, {:.1} more every 10 minutes: the maximum is reached in {:.0} minutes",
        slope * 10.0,
        minutes.max(0.0)
    ))
}
