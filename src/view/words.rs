//! One sentence for each fact.

use chrono::{DateTime, Utc};

use crate::domain::{
    Action, ActionReason, Activity, ActivityStatus, Change, Effect, Field, NotScaled, Note,
    ObservedPolicyKind, Policy, PolicyKind, TargetId, TargetTracking, VariantName, Wait,
};

/// Why a target is left alone.
#[must_use]
pub fn wait_text(wait: &Wait) -> String {
    match wait {
        Wait::EndpointMissing(endpoint) => {
            format!("endpoint {endpoint} does not exist; waiting for it to appear")
        }
        Wait::EndpointBusy(endpoint, status) => {
            format!("endpoint {endpoint} is {status}; left alone until it is InService")
        }
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
        Wait::Unsupported => "this version manages instances of variants only".to_owned(),
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
        Note::PolicyUnseen { name, gap } => {
            format!(
                "policy `{name}` waits: {} could not be read: {}",
                gap.part, gap.why
            )
        }
    }
}

/// Why an action is needed, with what differs.
#[must_use]
pub fn reason_text(action: &Action) -> String {
    match (&action.reason, &action.change) {
        (ActionReason::TargetMissing, _) => "it is not registered".to_owned(),
        (ActionReason::BoundsDiffer, Change::Register { bounds, previous }) => match previous {
            Some((min, max)) => format!("AWS holds bounds {min}..{max}, and {bounds} are due"),
            None => format!("bounds {bounds} are due"),
        },
        (ActionReason::PolicyMissing, _) => "the target has no such policy".to_owned(),
        (ActionReason::PolicyDiffers(fields), Change::PutPolicy { policy, previous }) => {
            let changes: Vec<String> = fields
                .iter()
                .map(|field| field_change(*field, policy, previous.as_ref()))
                .collect();
            format!("AWS holds it differently: {}", changes.join(", "))
        }
        (ActionReason::BoundsDiffer | ActionReason::PolicyDiffers(_), _) => {
            "AWS holds it differently".to_owned()
        }
    }
}

fn field_change(field: Field, policy: &Policy, previous: Option<&ObservedPolicyKind>) -> String {
    let PolicyKind::TargetTracking(wanted) = &policy.kind;
    let held = match previous {
        Some(ObservedPolicyKind::TargetTracking(held)) => field_value(field, held),
        Some(ObservedPolicyKind::OtherTracking) => "another metric".to_owned(),
        Some(ObservedPolicyKind::Step | ObservedPolicyKind::Other(_)) | None => {
            "nothing".to_owned()
        }
    };
    format!("{} {held} -> {}", field.key(), field_value(field, wanted))
}

fn field_value(field: Field, tracking: &TargetTracking) -> String {
    match field {
        Field::Metric => tracking.metric.to_string(),
        Field::Target => tracking.target.to_string(),
        Field::ScaleOutCooldown => tracking.scale_out_cooldown.to_string(),
        Field::ScaleInCooldown => tracking.scale_in_cooldown.to_string(),
        Field::DisableScaleIn => tracking.disable_scale_in.to_string(),
    }
}

/// What AWS does by itself.
#[must_use]
pub fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::CapacityClamped { from, to } => {
            format!("AWS will pull the running capacity from {from} to {to} at once")
        }
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
            previous: None,
        } => format!("register with bounds {bounds}"),
        Change::Register {
            bounds,
            previous: Some(_),
        } => format!("set bounds {bounds}"),
        Change::PutPolicy { policy, .. } => {
            let PolicyKind::TargetTracking(tracking) = &policy.kind;
            format!(
                "put policy `{}`: {} at {}",
                policy.name, tracking.metric, tracking.target
            )
        }
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
fn cause_text(cause: &str) -> String {
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
