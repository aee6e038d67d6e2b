//! Which targets are worth watching each minute: there something happens, or is about to. The others are quiet, and
//! each look at them costs money.

use chrono::{DateTime, TimeDelta, Utc};

use super::alarm::{AlarmState, ObservedAlarm};
use super::alert::{AlertKind, AlertState, Subject};
use super::endpoint::{EndpointStatus, Running};
use super::fleet::{ScopeSnapshot, TargetSnapshot};
use super::policy::PolicyKind;
use super::target::TargetId;

/// Why a target is watched each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// Its endpoint is not in service: it is being made, changed or mended.
    Busy,
    /// It is at its maximum.
    AtMax,
    /// It wants more than its policy's target, or is near what the maximum can carry.
    Load,
    /// An alarm asks for something, or has just changed its mind.
    Alarm,
    /// It is scaling, or has just scaled.
    Activity,
    /// An alert that lives by its metrics is pending or fires.
    Alert,
}

/// What has just happened is interesting for so long.
const JUST_NOW: TimeDelta = TimeDelta::minutes(10);
/// Above this share of the maximum it may be full before a quiet target is looked at again.
const NEAR_MAX: f64 = 0.8;

/// Why a target is interesting; `None` for a quiet one.
#[must_use]
pub fn interest(
    id: &TargetId,
    target: &TargetSnapshot,
    scope: &ScopeSnapshot,
    now: DateTime<Utc>,
) -> Option<Interest> {
    let just_now = |at: DateTime<Utc>| now.signed_duration_since(at) < JUST_NOW;
    let is_busy = |status: &EndpointStatus| *status != EndpointStatus::InService;
    if target.endpoint.as_ref().is_some_and(is_busy) {
        return Some(Interest::Busy);
    }
    let aim = target.running.and_then(Running::aim);
    let bounds = target.effective.bounds;
    let can_move = bounds.min() < bounds.max();
    if can_move && aim.is_some_and(|aim| aim >= bounds.max()) {
        return Some(Interest::AtMax);
    }
    let activity = scope.watch.activities.get(id);
    let changes = scope.watch.changes.get(id).and_then(|all| all.last());
    let scales = activity.is_some_and(|a| !a.status.is_final() || a.ended.is_some_and(just_now))
        || changes.is_some_and(|change| just_now(change.at));
    if scales {
        return Some(Interest::Activity);
    }
    let above_min = aim.is_some_and(|aim| aim > bounds.min());
    let asks = |alarm: &ObservedAlarm| match alarm.state {
        // An alarm that asks for less is how a quiet target at its minimum looks.
        AlarmState::Alarm => above_min || !alarm.name.contains("-AlarmLow-"),
        AlarmState::Ok | AlarmState::InsufficientData => false,
    };
    let names = target.policies.iter();
    let names = names.filter_map(|p| target.alarms.get(&p.name)).flatten();
    let mut alarms = names.filter_map(|name| scope.watch.alarms.get(name));
    if alarms.any(|alarm| asks(alarm) || alarm.since.is_some_and(just_now)) {
        return Some(Interest::Alarm);
    }
    if wants_more(id, target, scope) {
        return Some(Interest::Load);
    }
    let lives_by_metrics = |kind: AlertKind, state: AlertState| match kind {
        AlertKind::MaxCapacitySaturated
        | AlertKind::SaturationPredicted
        | AlertKind::StuckAtZero
        | AlertKind::Thrashing => !matches!(state, AlertState::Resolved { .. }),
        AlertKind::MetricsStale => state == AlertState::Pending,
        AlertKind::AtMaxCapacity
        | AlertKind::ScalingFailed
        | AlertKind::ScalingStuck
        | AlertKind::ScheduleNotApplied
        | AlertKind::DriftUnresolved
        | AlertKind::ScaleInBlocked
        | AlertKind::AlarmTampered
        | AlertKind::ScalingSuspended
        | AlertKind::CapacityReset
        | AlertKind::UnmanagedEndpoint
        | AlertKind::EvenkeelUnhealthy => false,
    };
    let of_target = scope
        .alerts
        .iter()
        .filter(|(key, _)| matches!(&key.subject, Subject::Target(held) if held == id));
    of_target
        .map(|(key, alert)| (key.kind, alert.state))
        .any(|(kind, state)| lives_by_metrics(kind, state))
        .then_some(Interest::Alert)
}

/// Whether its last values say that it is about to scale out, or to be full.
fn wants_more(id: &TargetId, target: &TargetSnapshot, scope: &ScopeSnapshot) -> bool {
    let Some(running) = target.running.and_then(|r| r.current) else {
        return false;
    };
    let max = f64::from(target.effective.bounds.max().get());
    let running = f64::from(running.get());
    target.policies.iter().any(|policy| {
        let point = scope.watch.values.get(&(id.clone(), policy.name.clone()));
        let tracks = matches!(policy.kind, PolicyKind::TargetTracking(_));
        point.filter(|_| tracks).is_some_and(|point| {
            let ratio = point.value / policy.aim();
            ratio > 1.0 || running * ratio > max * NEAR_MAX
        })
    })
}
