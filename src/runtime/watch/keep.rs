//! What the watcher saw, worked into the snapshot.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::read::{Values, What};
use super::{Declared, back};
use crate::domain::{
    Activity, ActivityStatus, CapacityChange, Datapoint, PolicyName, Read, TargetId,
    TargetSnapshot, WatchSnapshot,
};

/// Changes of capacity are kept so long: a detector looks an hour back, and needs what was before.
const CHANGES_KEPT: TimeDelta = TimeDelta::hours(3);
/// And so many of a target at the most.
const MOST_CHANGES: usize = 100;

/// Works what activities say of capacity into the changes that are known. `activities` are oldest first.
pub(super) fn keep_changes(
    held: &mut WatchSnapshot,
    activities: &[Activity],
    declared: &Declared,
    now: DateTime<Utc>,
) {
    for activity in activities.iter().filter(|a| a.not_scaled.is_empty()) {
        let failed = matches!(
            activity.status,
            ActivityStatus::Failed | ActivityStatus::Unfulfilled
        );
        let Some(to) = activity.capacity() else {
            continue;
        };
        let changes = held.changes.entry(activity.target.clone()).or_default();
        if failed {
            // It was taken for a change while it ran.
            changes.retain(|c| c.at != activity.started);
            continue;
        }
        let change = CapacityChange {
            at: activity.started,
            done: activity.ended,
            to,
            cause: activity.cause.clone(),
        };
        match changes.iter_mut().find(|c| c.at == change.at) {
            Some(known) => *known = change,
            None => changes.push(change),
        }
        changes.sort_by_key(|c| c.at);
    }
    let oldest = back(now, CHANGES_KEPT);
    for changes in held.changes.values_mut() {
        changes.retain(|c| c.at >= oldest);
        let surplus = changes.len().saturating_sub(MOST_CHANGES);
        changes.drain(..surplus);
    }
    held.changes
        .retain(|id, changes| declared.contains_key(id) && !changes.is_empty());
}

pub(super) fn keep_latest(
    held: &mut WatchSnapshot,
    activities: Vec<Activity>,
    declared: &Declared,
) {
    for activity in activities {
        let latest = if activity.not_scaled.is_empty() {
            &mut held.activities
        } else {
            &mut held.refusals
        };
        let newer = latest
            .get(&activity.target)
            .is_none_or(|h| h.started <= activity.started);
        if newer {
            latest.insert(activity.target.clone(), activity);
        }
    }
    held.activities.retain(|id, _| declared.contains_key(id));
    held.refusals.retain(|id, _| declared.contains_key(id));
}

/// Takes the values that alarms went by: they cost nothing, and are news whenever an alarm changes its state.
pub(super) fn keep_evaluated(
    targets: &BTreeMap<TargetId, TargetSnapshot>,
    held: &mut WatchSnapshot,
) {
    for (id, target) in targets {
        for (policy, names) in &target.alarms {
            let evaluated = names.iter().filter_map(|name| held.alarms.get(name)?.last);
            let Some((at, value)) = evaluated.max_by_key(|(at, _)| *at) else {
                continue;
            };
            let key = (id.clone(), policy.clone());
            if held.values.get(&key).is_none_or(|known| known.at < at) {
                held.values.insert(
                    key,
                    Datapoint {
                        at,
                        value: value.get(),
                    },
                );
            }
        }
    }
}

/// Keeps what was read. What was asked and has no data is gone: it never reads as the value it had.
pub(super) fn keep_values(
    held: &mut WatchSnapshot,
    values: Values,
    until: impl Fn(&TargetId) -> DateTime<Utc>,
    now: DateTime<Utc>,
) {
    for ((id, what), points) in values.points {
        let newest = points.last().copied();
        match (what, newest) {
            (What::Policy(policy), Some(newest)) => {
                held.values.insert((id.clone(), policy.clone()), newest);
                held.recent.insert((id, policy), points);
            }
            (What::Policy(policy), None) => {
                held.values.remove(&(id.clone(), policy.clone()));
                held.recent.remove(&(id, policy));
            }
            (What::Signal(signal), Some(newest)) => {
                let value = signal.scale(newest.value);
                let point = Datapoint { value, ..newest };
                held.signals.entry(id).or_default().insert(signal, point);
            }
            (What::Signal(signal), None) => {
                if let Some(signals) = held.signals.get_mut(&id) {
                    signals.remove(&signal);
                }
            }
        }
    }
    for id in values.read {
        let until = until(&id);
        held.reads.insert(id, Read { at: now, until });
    }
}

/// What is no longer declared leaves nothing behind.
pub(super) fn forget_values(held: &mut WatchSnapshot, declared: &Declared) {
    let has = |id: &TargetId, name: &PolicyName| {
        let policies = declared.get(id);
        policies.is_some_and(|all| all.iter().any(|policy| policy.name == *name))
    };
    held.values.retain(|(id, name), _| has(id, name));
    held.recent.retain(|(id, name), _| has(id, name));
    held.signals.retain(|id, _| declared.contains_key(id));
    held.reads.retain(|id, _| declared.contains_key(id));
}
