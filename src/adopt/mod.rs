//! Config for what already stands: read from AWS, or from what other tools keep.
//!
//! What is written must be a config whose plan is empty, so whatever can not be said in a config becomes a comment, and
//! stays in AWS as it is.

mod files;
mod propose;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::target_shape;
use crate::domain::{
    Bounds, BoundsError, DesiredTarget, Expression, Manage, NameError, Observation, ObservedPolicy,
    ObservedPolicyKind, ObservedSchedule, ObservedTarget, OwnerName, Policy, PolicyKind,
    PolicyName, Runner, Schedule, StepPolicy, StepScaling, When, Zone, ZoneError, alarm_name,
};

use propose::objections;

pub use files::{Call, Operation, read_calls};
pub use propose::{Load, Loads, Proposable, load, proposable, propose};

/// A target that was found, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The target as a config would declare it.
    pub target: DesiredTarget,
    /// Sentences for the comment above it.
    pub remarks: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Targets, in the order of their ids.
    pub targets: Vec<Adopted>,
    /// What no config of this version can say, in sentences.
    pub left_out: Vec<String>,
    /// Policies that are left out of their targets. Those that carry our name would be pruned.
    pub left_policies: Vec<PolicyName>,
}

/// What of an observation and of the scheduled actions can be declared. The observation must hold all alarms of the
/// account: those of step policies are called anything.
#[must_use]
pub fn adopt(observed: &Observation, scheduled: &[ObservedSchedule]) -> Found {
    let mut found = Found::default();
    for held in observed.targets.values() {
        let (mut adopted, left) = adopt_target(held, observed);
        adopt_schedules(&mut adopted, scheduled, observed.at);
        found.targets.push(adopted);
        found.left_policies.extend(left);
    }
    found
}

fn adopt_target(held: &ObservedTarget, observed: &Observation) -> (Adopted, Vec<PolicyName>) {
    let mut left = Vec::new();
    let mut remarks = Vec::new();
    let mut policies = Vec::new();
    for policy in observed
        .policies
        .get(&held.id)
        .into_iter()
        .flatten()
        .map(|(_, p)| p)
    {
        match adopt_policy(policy, observed) {
            Ok(policy) => policies.push(policy),
            Err(why) => {
                remarks.push(format!("policy `{}` is left out: {why}", policy.name));
                left.push(policy.name.clone());
            }
        }
    }
    // AWS holds no others.
    let mut bounds = Bounds::new(held.min, held.max).unwrap_or_else(BoundsError::swapped);
    let mut suspended = held.suspended;
    // What someone asked for a while is not what the config is to say for good.
    let leases = observed.leases(&held.id);
    if let Some(lease) = leases.and_then(|leases| leases.hold.as_ref()) {
        suspended = lease.what.off(suspended);
        remarks.push(format!(
            "{} holds its scaling; that is not written here",
            lease.by
        ));
    }
    if let Some(lease) = leases.and_then(|leases| leases.bounds.as_ref()) {
        bounds = lease.what.before;
        remarks.push(format!(
            "{} overrides its bounds; these are those from before",
            lease.by
        ));
    }
    let target = DesiredTarget {
        id: held.id.clone(),
        bounds,
        suspended: suspended.any().then_some(suspended),
        ignored: BTreeMap::new(),
        tunings: BTreeMap::new(),
        schedules: Vec::new(),
        policies,
    };
    remarks.extend(objections(&target, observed));
    (Adopted { target, remarks }, left)
}

/// The scheduled actions of a target, as schedules of its config.
fn adopt_schedules(adopted: &mut Adopted, scheduled: &[ObservedSchedule], now: DateTime<Utc>) {
    let Adopted { target, remarks } = adopted;
    for action in scheduled.iter().filter(|s| s.target == target.id) {
        match adopt_schedule(action) {
            Ok(mut schedule) => {
                if never_ran(&schedule, action, now) {
                    schedule.start = action.created;
                    remarks.push(format!(
                        "schedule `{}` has not run since it was put: it counts from then",
                        action.name
                    ));
                }
                if action.zone.is_none()
                    && !matches!(schedule.when, When::Fires(Expression::Rate(_)))
                {
                    remarks.push(format!(
                        "schedule `{}` has no time zone, so it goes by UTC",
                        action.name
                    ));
                }
                target.schedules.push(schedule);
            }
            Err(why) => remarks.push(format!(
                "scheduled action `{}`, {}, is left out: {why}",
                action.name, action.expression
            )),
        }
    }
    if !target.schedules.is_empty() {
        remarks.push(
            "its schedules are scheduled actions of AWS, and stay so; `runner: daemon` would run them here, to the \
             second, and then the scheduled actions have to be deleted in AWS"
                .to_owned(),
        );
    }
}

/// Whether its last instant was before it was put: what it sets then does not hold.
fn never_ran(schedule: &Schedule, action: &ObservedSchedule, now: DateTime<Utc>) -> bool {
    let fired = schedule.last_fired(now);
    let before = |created: DateTime<Utc>| fired.is_some_and(|fired| fired < created);
    schedule.start.is_none() && action.created.is_some_and(before)
}

fn adopt_schedule(action: &ObservedSchedule) -> Result<Schedule, String> {
    let own = format!("{}-", OwnerName::default());
    let is_ours = action.name.starts_with(&own);
    let name = action.name.strip_prefix(&own).unwrap_or(&action.name);
    let name = name.parse().map_err(|e: NameError| e.to_string())?;
    let expression = Expression::parse(&action.expression).map_err(|e| e.to_string())?;
    if matches!(expression, Expression::Rate(_)) && action.start.is_none() {
        return Err("a rate without a start, and nothing says what it counts from".to_owned());
    }
    let zone = match &action.zone {
        Some(zone) => zone.parse().map_err(|e: ZoneError| e.to_string())?,
        None => Zone::UTC,
    };
    Ok(Schedule {
        name,
        when: When::Fires(expression),
        zone,
        // It is written down, and remarked.
        is_zone_assumed: false,
        min: action.min,
        max: action.max,
        lead: TimeDelta::zero(),
        except: BTreeSet::new(),
        start: action.start,
        end: action.end,
        runner: Runner::Aws,
        adopted_action: (!is_ours).then(|| action.name.clone()),
    })
}

fn adopt_policy(policy: &ObservedPolicy, observed: &Observation) -> Result<Policy, String> {
    let kind = match &policy.kind {
        ObservedPolicyKind::TargetTracking(tracking) => {
            PolicyKind::TargetTracking(tracking.clone())
        }
        ObservedPolicyKind::Step(scaling) => {
            PolicyKind::Step(adopt_step(policy, scaling, observed)?)
        }
        ObservedPolicyKind::OtherTracking => {
            return Err("it tracks something that no config can say".to_owned());
        }
        ObservedPolicyKind::OtherStep => {
            return Err("its steps can not be said in a config".to_owned());
        }
        ObservedPolicyKind::Other(word) => {
            return Err(format!("evenkeel knows no policies of type {word}"));
        }
    };
    Ok(Policy {
        name: policy.name.clone(),
        kind,
    })
}

/// A step policy with the alarm that drives it, under the name that the alarm has.
fn adopt_step(
    policy: &ObservedPolicy,
    scaling: &StepScaling,
    observed: &Observation,
) -> Result<StepPolicy, String> {
    let name = match policy.alarms.as_slice() {
        [] => {
            return Err(
                "no alarm that is known here triggers it, and without one it never runs".to_owned(),
            );
        }
        [name] => name,
        several => {
            return Err(format!(
                "{} alarms trigger it, and a config declares one",
                several.len()
            ));
        }
    };
    let alarm = observed.alarms.get(name).ok_or_else(|| {
        format!("its alarm `{name}` is not known here; a step policy is only as good as its alarm")
    })?;
    let rule = alarm
        .rule
        .clone()
        .ok_or_else(|| format!("its alarm `{name}` can not be said in a config"))?;
    let own = alarm_name(&OwnerName::default(), &policy.target, &policy.name);
    Ok(StepPolicy {
        scaling: scaling.clone(),
        alarm: rule,
        alarm_name: (*name != own).then(|| name.clone()),
    })
}

/// The config, as a file that begins with `head`.
///
/// # Errors
/// A sentence when a value can not be written, which is a fault of this program.
pub fn write(found: &Found, head: &str) -> Result<String, String> {
    let mut text = head.to_owned();
    for line in &found.left_out {
        text.push_str(&comment("", line));
    }
    if found.targets.is_empty() {
        text.push_str("targets: []\n");
        return Ok(text);
    }
    let ours = Manage::default();
    if found.left_policies.iter().any(|name| ours.owns(name)) {
        text.push_str("# Policies left out below carry evenkeel's name: without this they would be removed.\n");
        text.push_str("manage: { prune: never }\n");
    }
    text.push_str("targets:\n");
    for adopted in &found.targets {
        for remark in &adopted.remarks {
            text.push_str(&comment("  ", remark));
        }
        let shape = [target_shape(&adopted.target)];
        let yaml = serde_saphyr::to_string(&shape).map_err(|error| error.to_string())?;
        for line in yaml.lines() {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

/// One line of comment, whatever the text holds.
fn comment(indent: &str, text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    format!("{indent}# {}\n", line.join(" "))
}
