//! Alarms: those of AWS that someone changed, and our own beside step policies.

use std::collections::BTreeMap;

use super::super::alarm::{AlarmRule, ObservedAlarm, target_alarm_prefix};
use super::super::desired::{DesiredTarget, Manage, Prune};
use super::super::name::PolicyName;
use super::super::note::Note;
use super::super::observed::{Observation, ObservedPolicy, ObservedPolicyKind, Part};
use super::super::plan::{Action, ActionReason, Change, Difference, Tampering, TargetPlan};
use super::super::policy::{Policy, PolicyKind};
use super::super::target::TargetId;

/// The alarms of target tracking that no longer do what AWS made them for (aws-autoscaling.md 9, row 3). They are
/// AWS's: they are not edited, but the policy is put again, which makes new ones.
pub(super) fn tampered_alarms(
    standing: &ObservedPolicy,
    observed: &Observation,
) -> Vec<(String, Tampering)> {
    let is_tracking = matches!(
        standing.kind,
        ObservedPolicyKind::TargetTracking(_) | ObservedPolicyKind::OtherTracking
    );
    if !is_tracking || !standing.alarms_settled {
        return Vec::new();
    }
    let absent_means_gone = observed.gap(&Part::Alarms).is_none();
    let triggers = |alarm: &ObservedAlarm| {
        let mut actions = alarm.actions.iter();
        actions.any(|action| action.starts_with(&standing.arn))
    };
    let fault = |name: &String| {
        let fault = match observed.alarms.get(name) {
            None => absent_means_gone.then_some(Tampering::Gone),
            Some(alarm) if !alarm.actions_enabled => Some(Tampering::SwitchedOff),
            Some(alarm) => (!triggers(alarm)).then_some(Tampering::Disconnected),
        };
        Some((name.clone(), fault?))
    };
    standing.alarms.iter().filter_map(fault).collect()
}

/// The alarms of declared step policies.
pub(super) fn plan_alarms(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    held: &BTreeMap<&PolicyName, &ObservedPolicy>,
    entry: &mut TargetPlan,
) {
    for policy in &target.policies {
        let PolicyKind::Step(wanted) = &policy.kind else {
            continue;
        };
        let is_put = entry.actions.iter().any(
            |a| matches!(&a.change, Change::PutPolicy { policy: put, .. } if put.name == policy.name),
        );
        let standing = held.get(&policy.name);
        // A policy that is held back has no alarm to drive it.
        if standing.is_none() && !is_put {
            continue;
        }
        let arn = standing.map(|s| s.arn.clone());
        let own_name = wanted.alarm_name(&manage.owner, &target.id, &policy.name);
        let others = standing.into_iter().flat_map(|s| &s.alarms);
        entry
            .notes
            .extend(
                others
                    .filter(|other| **other != own_name)
                    .map(|other| Note::ExtraAlarm {
                        name: policy.name.clone(),
                        alarm: other.clone(),
                    }),
            );
        let name = own_name;
        let alarm = observed.alarms.get(&name);
        let reason = match alarm {
            None => match observed.gap(&Part::Alarms) {
                // It may stand there as declared. Putting it would do no harm, but a partial look plans less.
                Some(gap) if standing.is_some() => {
                    entry.notes.push(Note::AlarmUnseen {
                        name: policy.name.clone(),
                        gap: gap.clone(),
                    });
                    continue;
                }
                _ => ActionReason::AlarmMissing,
            },
            Some(alarm) => {
                let differences = alarm_differences(&wanted.alarm, alarm, arn.as_deref());
                if differences.is_empty() {
                    continue;
                }
                // Putting it would take away what someone else has it for. One of our own name is ours.
                let foreign = foreign_action(alarm, &target.id, &policy.name);
                if let (Some(action), true) = (foreign, wanted.alarm_name.is_some()) {
                    entry.notes.push(Note::AlarmTaken {
                        name: policy.name.clone(),
                        alarm: name,
                        action: action.to_owned(),
                    });
                    continue;
                }
                ActionReason::AlarmDiffers(differences)
            }
        };
        entry.actions.push(Action {
            change: Change::PutAlarm {
                name,
                policy: policy.name.clone(),
                rule: wanted.alarm.clone(),
                arn,
                keeps: alarm.map(|alarm| alarm.extras.clone()),
            },
            reason,
            effects: Vec::new(),
        });
    }
}

/// What an alarm does beside triggering this policy, whose ARN ends in the same words after every registration.
fn foreign_action<'a>(
    alarm: &'a ObservedAlarm,
    target: &TargetId,
    policy: &PolicyName,
) -> Option<&'a str> {
    let own = format!("/{}:policyName/{policy}", target.resource_id());
    let mut foreign = alarm
        .actions
        .iter()
        .filter(|action| !action.ends_with(&own));
    foreign.next().map(String::as_str)
}

fn alarm_differences(
    wanted: &AlarmRule,
    alarm: &ObservedAlarm,
    arn: Option<&str>,
) -> Vec<Difference> {
    let connected = arn.is_some_and(|arn| alarm.actions.iter().any(|action| action == arn));
    let held = match alarm.actions.first() {
        _ if connected => "the policy",
        None => "nothing",
        // Policies get new ARNs with a new registration.
        Some(action) if action.contains(":policyName/") => "a policy of an earlier registration",
        Some(_) => "something else",
    };
    let action = Difference::between("alarm.action", &held, &"the policy");
    let enabled = Difference::between("alarm.actions_enabled", &alarm.actions_enabled, &true);
    let rule = match &alarm.rule {
        Some(held) if held == wanted => None,
        Some(held) => Some(Difference {
            key: "alarm",
            held: held.to_string(),
            wanted: wanted.to_string(),
        }),
        None => Some(Difference {
            key: "alarm",
            held: "something that no config can say".to_owned(),
            wanted: wanted.to_string(),
        }),
    };
    [rule, action, enabled].into_iter().flatten().collect()
}

/// Alarms of ours on this target whose policy is gone, or goes in this plan: AWS leaves them behind
/// (aws-autoscaling.md 1.5).
pub(super) fn plan_orphans(
    target: &DesiredTarget,
    manage: &Manage,
    observed: &Observation,
    held: &BTreeMap<&PolicyName, &ObservedPolicy>,
    entry: &mut TargetPlan,
) {
    let may_be_unseen =
        observed.gap(&Part::Policies).is_some() && observed.targets.contains_key(&target.id);
    if manage.prune == Prune::Never || may_be_unseen {
        return;
    }
    let prefix = target_alarm_prefix(&manage.owner, &target.id);
    let after = observed.alarms.range(prefix.clone()..);
    let ours = after
        .map(|(name, _)| name)
        .take_while(|name| name.starts_with(&prefix));
    for name in ours {
        let policy = name.strip_prefix(&prefix).unwrap_or_default();
        let declared =
            |p: &Policy| matches!(p.kind, PolicyKind::Step(_)) && p.name.as_str() == policy;
        if target.policies.iter().any(declared) {
            continue;
        }
        let goes = |a: &Action| matches!(&a.change, Change::DeletePolicy { name, .. } if name.as_str() == policy);
        let stands = held.keys().any(|name| name.as_str() == policy);
        if stands && !entry.actions.iter().any(goes) {
            continue;
        }
        entry.actions.push(Action {
            change: Change::DeleteAlarm { name: name.clone() },
            reason: ActionReason::Orphaned,
            effects: Vec::new(),
        });
    }
}
