//! One sentence for each fact.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{
    Action, ActionReason, Activity, ActivityStatus, CapacityReset, Change, Conflict, Difference,
    Effect, Hold, Lease, Leases, MAX_SCHEDULED_ACTIONS, NotScaled, Note, Override, Policy,
    PolicyKind, ScheduleOutcome, ScheduleRun, Tampering, TargetId, Unscalable, VariantName, Wait,
};

/// Why a target is left alone.
#[must_use]
pub fn wait_text(wait: &Wait) -> String {
    match wait {
        Wait::EndpointMissing(endpoint) => {
            format!("endpoint {endpoint} does not exist; waiting for it to appear")
        }
        Wait::EndpointBusy {
            endpoint,
            status,
            since,
        } => format!(
            "endpoint {endpoint} is {status} since {}; left alone until it is InService",
            since.format("%H:%M UTC")
        ),
        Wait::ComponentMissing(component) => {
            format!("inference component {component} does not exist; waiting for it to appear")
        }
        Wait::ComponentBusy {
            component,
            status,
            since,
        } => format!(
            "inference component {component} is {status} since {}; left alone until it is InService",
            since.format("%H:%M UTC")
        ),
        Wait::UpdatePrepared { endpoint, update } => format!(
            "an update of endpoint {endpoint} is prepared by {} since {}{}; left alone until `evenkeel finish-update \
             {endpoint}`",
            update.by,
            update.since.format("%Y-%m-%d %H:%M UTC"),
            reason_in_brackets(&update.reason),
        ),
        Wait::VariantMissing {
            endpoint,
            variant,
            known,
        } => {
            let known: Vec<&str> = known.iter().map(VariantName::as_str).collect();
            format!(
                "endpoint {endpoint} has no variant {variant}; it has {}",
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            )
        }
        Wait::Unseen(gap) => format!("{} could not be read: {}", gap.part, gap.why),
    }
}

/// A remark of the plan.
#[must_use]
pub fn note_text(note: &Note) -> String {
    match note {
        Note::ForeignPolicy { name, type_name } => {
            format!("policy `{name}` ({type_name}) is not in the config; left alone")
        }
        Note::TypeTaken { name, type_name } => format!(
            "policy `{name}` exists as {type_name}, and AWS can not change its type; delete it, or name ours \
             differently"
        ),
        Note::MetricTaken { name, by } => format!(
            "policy `{name}` waits: policy `{by}` tracks the same metric, and AWS allows one per metric; delete \
             `{by}`, or give ours its name"
        ),
        Note::Suspended(kinds) => format!(
            "AWS has {kinds} suspended, and the config says nothing of it; left so (`suspended:` in the config decides)"
        ),
        Note::CannotScale(why) => unscalable_text(why),
        Note::CoresUnknown(name) => format!(
            "policy `{name}` waits: its target is in percent of all cores, and the instance type is not known, or \
             has no known number of them; state it in percent of one core"
        ),
        Note::LeasesUnseen(gap) => format!(
            "the registration waits: {} could not be read ({}), and someone may hold or override it",
            gap.part, gap.why
        ),
        Note::Held(lease) => hold_text(lease),
        Note::Overridden(lease) => override_text(lease),
        Note::AlarmTaken {
            name,
            alarm,
            action,
        } => format!(
            "policy `{name}` waits for its alarm: `{alarm}` exists and triggers {action}; give another `alarm.name`"
        ),
        Note::ExtraAlarm { name, alarm } => format!(
            "alarm `{alarm}` triggers policy `{name}` too, beside the declared one; left alone"
        ),
        Note::AlarmUnseen { name, gap } => format!(
            "the alarm of policy `{name}` waits: {} could not be read: {}",
            gap.part, gap.why
        ),
        Note::ForeignSchedule { name, expression } => format!(
            "scheduled action `{name}` ({expression}) is not in the config; left alone, and it sets bounds when it runs"
        ),
        Note::TooManySchedules(left_out) => format!(
            "{left_out} scheduled actions wait: the target would have more than {MAX_SCHEDULED_ACTIONS}, AWS's fixed \
             limit; delete some, or let `runner: daemon` run some"
        ),
        Note::SchedulesUnseen(gap) => format!(
            "its scheduled actions wait: {} could not be read: {}",
            gap.part, gap.why
        ),
        Note::LeftToAws { until } => format!(
            "AWS holds other bounds, and is about to run what is due; mended at {} if it has not",
            until.format("%H:%M:%S UTC")
        ),
        Note::OtherOwner(owner) => format!(
            "its registration carries the tag of `{owner}`, another `manage.owner`: where two declare one target, each \
             undoes the other's work"
        ),
        Note::RegistrationStays {
            is_ours: true,
            others,
        } => format!(
            "its registration stays, with evenkeel's tag: AWS would delete {} with it, which others made; delete that, \
             and give the command again",
            others.join(" and ")
        ),
        Note::RegistrationStays { is_ours: false, .. } => {
            "its registration stays, with the bounds it has: evenkeel did not make it".to_owned()
        }
        Note::PolicyUnseen { name, gap } => {
            format!(
                "policy `{name}` waits: {} could not be read: {}",
                gap.part, gap.why
            )
        }
    }
}

fn reason_in_brackets(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(" ({reason})")
    }
}

/// Why AWS would not scale it.
#[must_use]
pub fn unscalable_text(why: &Unscalable) -> String {
    match why {
        Unscalable::Burstable(instance_type) => {
            format!("{instance_type} is of the burstable T family, and AWS does not scale that; use another type")
        }
        Unscalable::Serverless => "the variant is serverless and has no instances; declare \
            `dimension: provisioned_concurrency`"
            .to_owned(),
        Unscalable::NotServerless => {
            "the variant runs on instances and has no provisioned concurrency; leave `dimension` out".to_owned()
        }
        Unscalable::OnDemand => "the variant is serverless without provisioned concurrency: it scales by itself, and \
            there is nothing to declare"
            .to_owned(),
        Unscalable::HostsComponents => "the variant hosts inference components: SageMaker sets its instances by \
            itself; declare its components, `component: NAME`"
            .to_owned(),
        Unscalable::Shadow => "the variant is a shadow, and AWS does not scale those".to_owned(),
        Unscalable::RealTimeAtZero => "only asynchronous endpoints go down to zero instances; raise `min` to 1, of \
            `bounds` or of the schedule that sets it"
            .to_owned(),
        Unscalable::ConcurrencyAtZero => {
            "provisioned concurrency does not go down to zero; raise `min` to 1, of `bounds` or of the schedule \
                that sets it"
                .to_owned()
        }
        Unscalable::AboveMaxConcurrency(limit) => format!(
            "the variant's MaxConcurrency is {limit}, and provisioned concurrency does not go above it; lower \
             `bounds.max`"
        ),
    }
}

/// What someone asks of a target for a while: what, until when, who and why.
fn lease_text<T>(what: &str, lease: &Lease<T>) -> String {
    format!(
        "{what} until {} by {}{}",
        lease.until.format("%Y-%m-%d %H:%M UTC"),
        lease.by,
        reason_in_brackets(&lease.reason)
    )
}

/// A hold in words.
#[must_use]
pub fn hold_text(lease: &Lease<Hold>) -> String {
    let what = match (lease.what.scale_in, lease.what.scale_out) {
        (true, true) => "scaling in and out is held",
        (true, false) => "scaling in is held",
        (false, _) => "scaling out is held",
    };
    lease_text(what, lease)
}

/// An override in words.
#[must_use]
pub fn override_text(lease: &Lease<Override>) -> String {
    let end = |name: &str, end: Option<crate::domain::Capacity>| end.map(|n| format!("{name} {n}"));
    let ends = [end("min", lease.what.min), end("max", lease.what.max)];
    let ends: Vec<String> = ends.into_iter().flatten().collect();
    lease_text(
        &format!("bounds are overridden, {}", ends.join(" and ")),
        lease,
    )
}

/// A change of bounds that schedules made due, and how it came out.
#[must_use]
pub fn run_text(run: &ScheduleRun) -> String {
    let (effective, due) = (&run.effective, run.due.format("%Y-%m-%d %H:%M:%S UTC"));
    let (bounds, min, max) = (
        effective.bounds,
        &effective.min_source,
        &effective.max_source,
    );
    let by = if min == max {
        min.to_string()
    } else {
        format!("{min} and {max}")
    };
    let late = run.late().as_seconds_f64();
    let outcome = match run.outcome {
        ScheduleOutcome::Waiting => "still to be written".to_owned(),
        ScheduleOutcome::Applied => format!("written after {late:.1} s"),
        ScheduleOutcome::Found => format!("AWS held them when it was looked, after {late:.1} s"),
        ScheduleOutcome::Mended => {
            format!("AWS missed them, and they were written after {late:.1} s")
        }
        ScheduleOutcome::Failed => "the write failed, and is tried again".to_owned(),
        ScheduleOutcome::Missed => "never written, and now the next change is due".to_owned(),
    };
    format!("bounds {bounds} by {by}, due {due}: {outcome}")
}

/// What is asked of a target for a while, one sentence each; what should be over says so.
#[must_use]
pub fn leases_text(leases: &Leases, now: DateTime<Utc>) -> Vec<String> {
    let hold = leases.hold.as_ref().map(|l| (hold_text(l), l.until));
    let over = leases.bounds.as_ref().map(|l| (override_text(l), l.until));
    let both = hold.into_iter().chain(over);
    let late = |(text, until): (String, DateTime<Utc>)| match now.signed_duration_since(until) {
        late if late > TimeDelta::minutes(2) => format!("{text}; it should be over"),
        over if over >= TimeDelta::zero() => format!("{text}; it is ending"),
        _ => text,
    };
    both.map(late).collect()
}

/// An update that took capacity away.
#[must_use]
pub fn reset_text(reset: &CapacityReset) -> String {
    format!(
        "an update to endpoint config {} dropped capacity from {} to {} (noticed {}): whoever made it did not set \
         RetainAllVariantProperties",
        reset.config,
        reset.from,
        reset.to,
        reset.at.format("%H:%M UTC")
    )
}

/// Who keeps changing a target back, and what follows.
#[must_use]
pub fn conflict_text(conflict: &Conflict) -> String {
    format!(
        "someone keeps changing it back: it was mended {} times within the hour, and is left alone until {}",
        conflict.corrections,
        conflict.until.format("%H:%M UTC")
    )
}

/// Why an action is needed, with what differs.
#[must_use]
pub fn reason_text(action: &Action) -> String {
    match &action.reason {
        ActionReason::TargetMissing => "it is not registered".to_owned(),
        ActionReason::BoundsDiffer | ActionReason::SuspensionDiffers => {
            registration_difference(&action.change)
        }
        ActionReason::PolicyMissing => "the target has no such policy".to_owned(),
        ActionReason::PolicyDiffers(differences)
        | ActionReason::AlarmDiffers(differences)
        | ActionReason::ScheduleDiffers(differences) => differences_text(differences),
        ActionReason::ScheduleMissed { name, due } => format!(
            "{}; AWS has not run schedule `{name}`, due {}",
            registration_difference(&action.change),
            due.format("%Y-%m-%d %H:%M:%S UTC")
        ),
        ActionReason::ScheduleMissing => {
            "the target has no such scheduled action, and AWS is to run it".to_owned()
        }
        ActionReason::ScheduleOver => "it does not run again".to_owned(),
        ActionReason::AlarmsTampered(tampered) => tampering_text(tampered),
        ActionReason::AlarmMissing => "without its alarm the policy does nothing".to_owned(),
        ActionReason::NotDeclared => "the config does not name it".to_owned(),
        ActionReason::Withdrawn => withdrawn(&action.change).to_owned(),
        ActionReason::Orphaned => "there is no policy that it would drive".to_owned(),
        ActionReason::TimeOver => time_over(&action.change),
    }
}

fn time_over(change: &Change) -> String {
    match change {
        Change::EndLease { kind, until, .. } => {
            format!(
                "the {} ended at {}",
                kind.word(),
                until.format("%Y-%m-%d %H:%M UTC")
            )
        }
        _ => "a hold or an override ended, and the config does not name the target any more"
            .to_owned(),
    }
}

fn withdrawn(change: &Change) -> &'static str {
    match change {
        Change::Register { .. } => {
            "a hold or an override ends with evenkeel, and this is what was before it"
        }
        Change::EndLease { .. } => "it ends with evenkeel",
        _ => "evenkeel made it",
    }
}

fn registration_difference(change: &Change) -> String {
    let Change::Register {
        bounds,
        suspended,
        previous: Some(held),
        ..
    } = change
    else {
        return "AWS holds it differently".to_owned();
    };
    let mut parts = Vec::new();
    if (held.min, held.max) != (bounds.min(), bounds.max()) {
        let (min, max) = (held.min, held.max);
        parts.push(format!(
            "AWS holds bounds {min}..{max}, and {bounds} are due"
        ));
    }
    if let Some(wanted) = suspended.filter(|s| *s != held.suspended) {
        let held = held.suspended;
        parts.push(format!(
            "{held} is suspended in AWS, and {wanted} should be"
        ));
    }
    parts.join("; ")
}

fn differences_text(differences: &[Difference]) -> String {
    let changes: Vec<String> = differences
        .iter()
        .map(|d| format!("{} {} -> {}", d.key, d.held, d.wanted))
        .collect();
    format!("AWS holds it differently: {}", changes.join(", "))
}

fn tampering_text(tampered: &[(String, Tampering)]) -> String {
    let what = |(name, tampering): &(String, Tampering)| {
        let side = if name.contains("-AlarmHigh-") {
            "high"
        } else {
            "low"
        };
        let fault = match tampering {
            Tampering::Gone => "was deleted",
            Tampering::SwitchedOff => "has its actions switched off",
            Tampering::Disconnected => "no longer triggers it",
        };
        format!("its {side} alarm {fault}")
    };
    let faults: Vec<String> = tampered.iter().map(what).collect();
    faults.join(", and ")
}

/// A number as short as it may be read.
pub(super) fn short(x: f64) -> String {
    if x.fract().abs() < 1e-9 {
        format!("{x:.0}")
    } else {
        format!("{x:.1}")
    }
}

/// What a policy does, in AWS's word for its type.
#[must_use]
pub(super) fn policy_type(policy: &Policy) -> &'static str {
    match &policy.kind {
        PolicyKind::TargetTracking(_) => "TargetTrackingScaling",
        PolicyKind::Step(_) => "StepScaling",
    }
}

/// What a policy goes by.
#[must_use]
pub(super) fn policy_metric(policy: &Policy) -> String {
    match &policy.kind {
        PolicyKind::TargetTracking(tracking) => tracking.metric.to_string(),
        PolicyKind::Step(step) => step.alarm.to_string(),
    }
}

/// A policy's value against what it is compared with.
#[must_use]
pub fn aim_text(policy: &Policy, value: &str) -> String {
    match &policy.kind {
        PolicyKind::TargetTracking(tracking) => {
            format!(
                "{value} of {} {}",
                short(tracking.target.get()),
                tracking.metric
            )
        }
        PolicyKind::Step(step) => format!(
            "{value}, steps at {} {} {}",
            step.alarm.comparison.sign(),
            short(step.alarm.threshold.get()),
            step.alarm.metric.name
        ),
    }
}

/// What AWS does by itself.
#[must_use]
pub fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::CapacityClamped { from, to } => {
            format!("AWS will pull the running capacity from {from} to {to} at once")
        }
        Effect::PoliciesDeleted(0) => "capacity stays where it is".to_owned(),
        Effect::PoliciesDeleted(n) => {
            format!(
                "AWS will delete its policies ({n}) and scheduled actions with it; capacity stays where it is"
            )
        }
        Effect::AlarmsDeleted => "AWS will delete the policy's alarms with it".to_owned(),
        Effect::AlarmsRecreated => {
            "AWS will re-create the policy's alarms under new names".to_owned()
        }
    }
}

/// A change in a few words, without its target.
pub(super) fn change_text(action: &Action) -> String {
    match &action.change {
        Change::Register {
            bounds,
            suspended,
            previous,
            ..
        } => {
            let verb = match previous {
                None => format!("register with bounds {bounds}"),
                Some(_) => format!("set bounds {bounds}"),
            };
            match suspended {
                Some(kinds) => format!("{verb}, suspended: {kinds}"),
                None => verb,
            }
        }
        Change::PutPolicy { policy, .. } => {
            format!("put policy `{}`: {}", policy.name, policy.kind)
        }
        Change::PutAlarm { name, rule, .. } => format!("put alarm `{name}`: {rule}"),
        Change::DeletePolicy { name, type_name } => {
            format!("delete policy `{name}` ({type_name})")
        }
        Change::DeleteAlarm { name } => format!("delete alarm `{name}`"),
        Change::PutSchedule { action, .. } => {
            format!("put scheduled action `{}`: {action}", action.name)
        }
        Change::DeleteSchedule { name } => {
            format!("delete scheduled action `{name}`; the bounds it set stay")
        }
        Change::Deregister { previous } => {
            format!("deregister, with bounds {}..{}", previous.min, previous.max)
        }
        Change::EndLease { kind, .. } => format!("end the {}", kind.word()),
    }
}

/// An action with its target and its reason, in one line.
#[must_use]
pub fn action_line(target: &TargetId, action: &Action) -> String {
    format!(
        "{target}: {} (because {})",
        change_text(action),
        reason_text(action)
    )
}

/// Why AWS did not scale.
#[must_use]
pub fn not_scaled_text(reason: &NotScaled) -> String {
    match reason {
        NotScaled::AnticipatedFlapping => "the change would soon have been undone".to_owned(),
        NotScaled::Unscalable => "the endpoint could not be changed just then".to_owned(),
        NotScaled::AtMax(at) => bound_text("maximum", *at),
        NotScaled::AtMin(at) => bound_text("minimum", *at),
        NotScaled::AtDesired(at) => bound_text("computed capacity", *at),
        NotScaled::Other(code) => format!("AWS says {code}"),
    }
}

fn bound_text(what: &str, at: Option<crate::domain::Capacity>) -> String {
    match at {
        Some(capacity) => format!("already at the {what}, {capacity}"),
        None => format!("already at the {what}"),
    }
}

/// The instant that an activity's line is about: its end, once it has one.
#[must_use]
pub fn happened(activity: &Activity) -> DateTime<Utc> {
    activity.ended.unwrap_or(activity.started)
}

/// An activity in one line, without its target.
#[must_use]
pub fn activity_line(activity: &Activity) -> String {
    if !activity.not_scaled.is_empty() {
        let reasons: Vec<String> = activity.not_scaled.iter().map(not_scaled_text).collect();
        return format!(
            "not scaled: {} ({})",
            reasons.join("; "),
            cause_text(&activity.cause)
        );
    }
    let what = activity.description.trim_end_matches('.');
    let status = match activity.status {
        ActivityStatus::Pending => "pending",
        ActivityStatus::InProgress => "in progress",
        ActivityStatus::Successful => "done",
        ActivityStatus::Overridden => "overridden",
        ActivityStatus::Unfulfilled => "not fulfilled",
        ActivityStatus::Failed => "failed",
        ActivityStatus::Unknown => "in a state unknown to this version",
    };
    let mut line = format!("{what}, {status} ({})", cause_text(&activity.cause));
    let failed = matches!(
        activity.status,
        ActivityStatus::Failed | ActivityStatus::Unfulfilled
    );
    if let Some(message) = activity.status_message.as_ref().filter(|_| failed) {
        line.push_str(": ");
        line.push_str(message);
    }
    line
}

/// AWS's cause with the long name of its alarm cut to its side.
pub(super) fn cause_text(cause: &str) -> String {
    let Some(rest) = cause.strip_prefix("monitor alarm TargetTracking-") else {
        return cause.to_owned();
    };
    let policy = rest
        .rsplit_once(" triggered policy ")
        .map_or("", |(_, policy)| policy);
    let side = if rest.contains("-AlarmHigh-") {
        "high"
    } else {
        "low"
    };
    format!("{side} alarm of policy {policy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_lose_the_long_names_of_alarms() {
        let cause = "monitor alarm TargetTracking-endpoint/chat/variant/AllTraffic-AlarmHigh-1c2d in state ALARM \
                     triggered policy inv";
        assert_eq!(cause_text(cause), "high alarm of policy inv");
        assert_eq!(
            cause_text("minimum capacity was set to 2"),
            "minimum capacity was set to 2"
        );
    }
}
