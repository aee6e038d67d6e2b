//! Capacity that goes up and down and up again, and why.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::bounds::Capacity;
use super::super::fleet::TargetSnapshot;
use super::super::name::PolicyName;
use super::super::policy::PolicyKind;
use super::{AlertKind, Condition};

/// A change of capacity, as an activity tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityChange {
    /// When it began.
    pub at: DateTime<Utc>,
    /// When it was done; absent while it runs.
    pub done: Option<DateTime<Utc>>,
    /// The capacity that was asked for.
    pub to: Capacity,
    /// AWS's sentence on what made it do so.
    pub cause: String,
}

/// So far back changes count.
pub(super) const WINDOW: TimeDelta = TimeDelta::hours(1);
/// So many changes of direction within it are thrashing, and with half of them it goes on once it has begun. Target
/// tracking alone makes up to three where the load passes
/// a number of instances slowly: one more after 3 minutes, one less after 15.
const TOO_MANY: usize = 4;

/// How often capacity changed its direction in the hour before `now`. The changes are in order of time.
#[must_use]
pub fn reversals(changes: &[CapacityChange], now: DateTime<Utc>) -> usize {
    turns(changes, now).len()
}

/// The changes that went the other way than the one before.
fn turns(changes: &[CapacityChange], now: DateTime<Utc>) -> Vec<&CapacityChange> {
    let mut turns = Vec::new();
    let mut direction = None;
    for pair in changes.windows(2) {
        let [before, after] = pair else { continue };
        if before.to == after.to {
            continue;
        }
        let up = after.to > before.to;
        let young = now.signed_duration_since(after.at) < WINDOW;
        if direction.is_some_and(|was| was != up) && young {
            turns.push(after);
        }
        direction = Some(up);
    }
    turns
}

pub(super) fn thrashing(
    target: &TargetSnapshot,
    changes: &[CapacityChange],
    was_firing: bool,
    now: DateTime<Utc>,
) -> Condition {
    let turns = turns(changes, now);
    let tuning = target.tunings.get(&AlertKind::Thrashing);
    let too_many = tuning
        .and_then(|t| t.reversals)
        .and_then(|n| usize::try_from(n).ok());
    let too_many = too_many.unwrap_or(TOO_MANY);
    let enough = if was_firing {
        too_many.div_ceil(2)
    } else {
        too_many
    };
    if turns.len() < enough {
        return Condition::Clear;
    }
    let young = |c: &&CapacityChange| now.signed_duration_since(c.at) < WINDOW;
    let recent: Vec<&CapacityChange> = changes.iter().filter(young).collect();
    let sizes = || recent.iter().map(|c| c.to.get());
    let (low, high) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
    let reason = format!(
        "capacity changed its direction {} times within the hour, between {low} and {high}",
        turns.len()
    );
    Condition::met(reason).because(Some(cause(target, &recent, (low, high))))
}

/// The likely cause, the surest first.
fn cause(target: &TargetSnapshot, recent: &[&CapacityChange], (low, high): (u32, u32)) -> String {
    let by_bounds = |c: &&&CapacityChange| {
        c.cause.contains("minimum capacity was set") || c.cause.contains("maximum capacity was set")
    };
    let of_bounds = recent.iter().filter(by_bounds).count();
    if of_bounds.saturating_mul(2) >= recent.len() {
        return "its bounds changed: schedules, overrides or someone by hand".to_owned();
    }
    let (mut ups, mut downs) = (BTreeSet::new(), BTreeSet::new());
    for pair in recent.windows(2) {
        let [before, after] = pair else { continue };
        let Some(policy) = triggered_policy(&after.cause) else {
            continue;
        };
        let side = if after.to > before.to {
            &mut ups
        } else {
            &mut downs
        };
        side.insert(policy);
    }
    if !ups.is_empty() && !downs.is_empty() && ups.is_disjoint(&downs) {
        return format!(
            "two policies at odds: {} adds what {} takes away",
            names(&ups),
            names(&downs)
        );
    }
    let start_up = start_up(recent);
    if let (Some(start_up), Some((policy, cooldown))) = (start_up, shortest_cooldown(target))
        && cooldown < start_up
    {
        return format!(
            "policy `{policy}` scales in again after {} s, and capacity takes {} s to start",
            cooldown.num_seconds(),
            start_up.num_seconds()
        );
    }
    if high.saturating_sub(low) == 1 && low <= 3 {
        return format!(
            "one unit is too coarse: {low} is too little and {high} too much; smaller instances, or a minimum of {high}"
        );
    }
    "the target is too near to what the load does anyway: lower it, or scale in more slowly"
        .to_owned()
}

fn names(policies: &BTreeSet<&str>) -> String {
    let names: Vec<String> = policies.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}

fn triggered_policy(cause: &str) -> Option<&str> {
    cause
        .split_once(" triggered policy ")
        .map(|(_, policy)| policy)
}

/// How long capacity took to come, at the longest.
fn start_up(recent: &[&CapacityChange]) -> Option<TimeDelta> {
    let ups = recent.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let took = after.done?.signed_duration_since(after.at);
        (after.to > before.to).then_some(took)
    });
    ups.max()
}

/// The policy that scales in soonest after a change.
fn shortest_cooldown(target: &TargetSnapshot) -> Option<(&PolicyName, TimeDelta)> {
    let policies = target.policies.iter();
    let cooldowns = policies.filter_map(|policy| match &policy.kind {
        PolicyKind::TargetTracking(tracking) if !tracking.disable_scale_in => {
            let seconds = i64::from(tracking.scale_in_cooldown.as_secs());
            Some((&policy.name, TimeDelta::seconds(seconds)))
        }
        PolicyKind::TargetTracking(_) | PolicyKind::Step(_) => None,
    });
    cooldowns.min_by_key(|(_, cooldown)| *cooldown)
}
