//! The answer: how the target stood at an instant, and what moved it or kept it.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::words::{activity_line, cause_text, not_scaled_text, short};
use crate::domain::{
    Activity, ActivityStatus, AlarmRecordEvent, AlarmState, BoundSource, Capacity, Comparison,
    Datapoint, Evidence, NotScaled, Policy, PolicyAlarm, PolicyKind, effective_bounds,
};

/// A decision of AWS says something of an instant for so long. AWS does not repeat the same one.
const COUNTS: TimeDelta = TimeDelta::minutes(30);
/// Who has scaled has just scaled for so long: alarms go by values of before.
const JUST: TimeDelta = TimeDelta::minutes(5);
/// A value says something of an instant for so long.
const FRESH: TimeDelta = TimeDelta::minutes(6);

/// What was measured in the minute of the instant was not known then.
const PERIOD: TimeDelta = TimeDelta::minutes(1);

const TIME: &str = "%H:%M:%S UTC";

/// One policy at an instant.
struct View<'a> {
    policy: &'a Policy,
    value: Option<&'a Datapoint>,
    /// The alarm that adds capacity, and the one that takes it away, with their states.
    up: Option<(&'a PolicyAlarm, AlarmState, Option<DateTime<Utc>>)>,
    down: Option<(&'a PolicyAlarm, AlarmState, Option<DateTime<Utc>>)>,
}

pub(super) fn answer(evidence: &Evidence, at: DateTime<Utc>) -> Vec<String> {
    let mut said = vec![standing(evidence, at)];
    let views: Vec<View<'_>> = evidence
        .target
        .policies
        .iter()
        .map(|p| view(evidence, p, at))
        .collect();
    said.extend(views.iter().map(policy_text));
    said.push(why(evidence, &views, at));
    if evidence.suspended.any() {
        said.push(format!(
            "AWS is told not to do {} (now).",
            evidence.suspended
        ));
    }
    said
}

/// Capacity and bounds.
fn standing(evidence: &Evidence, at: DateTime<Utc>) -> String {
    let effective = effective_bounds(&evidence.target, Some(&evidence.leases), at);
    let (min, max) = (&effective.min_source, &effective.max_source);
    let bounds = effective.bounds;
    let by = match (min, max) {
        (BoundSource::Base, BoundSource::Base) => "as the config says".to_owned(),
        (min, max) if min == max => format!("by {min}"),
        (min, max) => format!("minimum by {min}, maximum by {max}"),
    };
    match capacity(evidence, at) {
        Some(capacity) => format!("It was at {capacity}; its bounds were to be {bounds}, {by}."),
        None => format!("Its bounds were to be {bounds}, {by}."),
    }
}

/// Capacity at an instant: what was asked for last, or what stands now where nothing was asked since.
fn capacity(evidence: &Evidence, at: DateTime<Utc>) -> Option<Capacity> {
    let worked = |a: &&Activity| {
        !matches!(
            a.status,
            ActivityStatus::Failed | ActivityStatus::Unfulfilled
        )
    };
    let mut changes = evidence
        .activities
        .iter()
        .filter(worked)
        .filter(|a| a.not_scaled.is_empty());
    let last = changes
        .clone()
        .rev()
        .find(|a| a.ended.is_some_and(|end| end <= at) && a.capacity().is_some());
    let later = changes.any(|a| a.ended.is_none_or(|end| end > at) && a.capacity().is_some());
    match last.and_then(Activity::capacity) {
        Some(capacity) => Some(capacity),
        None if later => None,
        None => evidence.running.and_then(|r| r.current),
    }
}

fn view<'a>(evidence: &'a Evidence, policy: &'a Policy, at: DateTime<Utc>) -> View<'a> {
    let values = evidence
        .values
        .iter()
        .find(|(name, _)| *name == policy.name);
    let value = values.and_then(|(_, points)| points.iter().rev().find(|p| p.at + PERIOD <= at));
    let value = value.filter(|p| at.signed_duration_since(p.at) < FRESH);
    let adds = |alarm: &&PolicyAlarm| match &policy.kind {
        PolicyKind::TargetTracking(_) => alarm.name.contains("-AlarmHigh-"),
        PolicyKind::Step(step) => match step.alarm.comparison {
            Comparison::Greater | Comparison::GreaterOrEqual => {
                step.scaling.steps.iter().any(|s| s.adjustment > 0)
            }
            Comparison::Less | Comparison::LessOrEqual => false,
        },
    };
    let mut own = evidence
        .alarms
        .iter()
        .filter(|alarm| alarm.policy == policy.name);
    let with_state = |alarm: &'a PolicyAlarm| {
        let (state, since) = state(alarm, at)?;
        Some((alarm, state, since))
    };
    View {
        policy,
        value,
        up: own.clone().find(adds).and_then(with_state),
        down: own.find(|alarm| !adds(alarm)).and_then(with_state),
    }
}

/// An alarm's state at an instant, and since when; `None` where its history does not go back so far, or it did not
/// exist.
fn state(alarm: &PolicyAlarm, at: DateTime<Utc>) -> Option<(AlarmState, Option<DateTime<Utc>>)> {
    let mut known = None;
    for record in &alarm.history {
        let AlarmRecordEvent::State { from, to, .. } = &record.event else {
            continue;
        };
        if record.at > at {
            return known.or_else(|| existed(alarm, at).then_some((*from, None)));
        }
        known = Some((*to, Some(record.at)));
    }
    let since = alarm.since.filter(|since| *since <= at);
    known.or(since.map(|since| (alarm.state, Some(since))))
}

/// Whether nothing says that it was made only later.
fn existed(alarm: &PolicyAlarm, at: DateTime<Utc>) -> bool {
    let first = alarm.history.first();
    !first.is_some_and(|r| r.at > at && matches!(r.event, AlarmRecordEvent::Changed(_)))
}

fn policy_text(view: &View<'_>) -> String {
    let (policy, aim) = (view.policy, view.policy.aim());
    let value = view.value.map_or_else(
        || "no value".to_owned(),
        |p| {
            format!(
                "{} of {} ({:.0} %)",
                short(p.value),
                short(aim),
                p.value / aim * 100.0
            )
        },
    );
    let alarm = |what: &str, held: &Option<(&PolicyAlarm, AlarmState, Option<DateTime<Utc>>)>| {
        let (alarm, state, since) = held.as_ref()?;
        let word = match state {
            AlarmState::Ok => "OK",
            AlarmState::Alarm => "in ALARM",
            AlarmState::InsufficientData => "without enough data",
        };
        let since = since
            .map(|at| format!(" since {}", at.format(TIME)))
            .unwrap_or_default();
        let acts = if alarm.acts {
            ""
        } else {
            ", and it triggers nothing"
        };
        Some(format!("{what} {word}{since}{acts}"))
    };
    let what = match policy.kind {
        PolicyKind::TargetTracking(_) => ("high alarm", "low alarm"),
        PolicyKind::Step(_) => ("alarm", "alarm"),
    };
    let alarms: Vec<String> = [alarm(what.0, &view.up), alarm(what.1, &view.down)]
        .into_iter()
        .flatten()
        .collect();
    let alarms = if alarms.is_empty() {
        "no alarm is known".to_owned()
    } else {
        alarms.join(", ")
    };
    format!("Policy `{}`: {value}; {alarms}.", policy.name)
}

/// What moved it, or what kept it.
fn why(evidence: &Evidence, views: &[View<'_>], at: DateTime<Utc>) -> String {
    let before = |a: &&Activity| a.started <= at;
    let counts = |a: &&Activity| at.signed_duration_since(a.started) < COUNTS;
    let running = |a: &&Activity| a.not_scaled.is_empty() && a.ended.is_none_or(|end| end > at);
    let past = || evidence.activities.iter().rev().filter(before);
    if let Some(activity) = past().find(running) {
        let since = activity.started.format(TIME);
        let what = activity.description.trim_end_matches('.');
        return format!(
            "It was scaling, since {since}: {what} ({}).",
            cause_text(&activity.cause)
        );
    }
    let wants = |held: &Option<(&PolicyAlarm, AlarmState, Option<DateTime<Utc>>)>| {
        held.is_some_and(|(_, state, _)| state == AlarmState::Alarm)
    };
    let refusal = past().filter(counts).find(|a| !a.not_scaled.is_empty());
    let last = past().find(|a| a.not_scaled.is_empty() && a.capacity().is_some());
    let just = |a: &&Activity| {
        let ended = a.ended.filter(|end| at.signed_duration_since(*end) < JUST);
        ended.is_some() && a.status == ActivityStatus::Successful
    };
    // What AWS decided after it says more.
    let decided =
        |a: &&Activity| refusal.is_some_and(|r| a.ended.is_some_and(|end| r.started >= end));
    if let Some(activity) = last.filter(just).filter(|a| !decided(a)) {
        let when = activity.started.format(TIME);
        return format!("It had just scaled: {when}: {}.", activity_line(activity));
    }
    if let Some(up) = views.iter().find(|v| wants(&v.up)) {
        return why_not_out(evidence, up, refusal, last, at);
    }
    if let Some(above) = views.iter().find(|v| is_above(v)) {
        return format!(
            "It did not scale out: `{}` was above its target, but no alarm asked for more. AWS's alarm asks for \
             several minutes in a row (for target tracking 3), of values that come 1 to 3 minutes late.",
            above.policy.name
        );
    }
    if let Some(down) = views.iter().find(|v| wants(&v.down)) {
        return why_not_in(evidence, views, down, refusal, last, at);
    }
    let blind = |v: &View<'_>| {
        let states = [&v.up, &v.down].into_iter().flatten();
        v.value.is_none()
            && states.clone().count() > 0
            && states
                .into_iter()
                .all(|(_, s, _)| *s == AlarmState::InsufficientData)
    };
    if !views.is_empty() && views.iter().all(blind) {
        return "It did not scale: its metrics had no data, and AWS scales in neither direction without.".to_owned();
    }
    if !views.is_empty() && views.iter().all(|v| v.up.is_none() && v.down.is_none()) {
        return "Why is not known: the histories of its alarms do not go back so far. Alarms that were made anew took \
                theirs along."
            .to_owned();
    }
    if views.is_empty() {
        return "Nothing asked it to scale, and nothing can: it has no policy.".to_owned();
    }
    "Nothing asked it to scale: no alarm was in ALARM.".to_owned()
}

fn is_above(view: &View<'_>) -> bool {
    let tracks = matches!(view.policy.kind, PolicyKind::TargetTracking(_));
    tracks && view.value.is_some_and(|p| p.value > view.policy.aim())
}

fn why_not_out(
    evidence: &Evidence,
    up: &View<'_>,
    refusal: Option<&Activity>,
    last: Option<&Activity>,
    at: DateTime<Utc>,
) -> String {
    let name = &up.policy.name;
    let since = up.up.and_then(|(_, _, since)| since);
    let after = |a: &&Activity| since.is_none_or(|since| a.started >= since);
    let effective = effective_bounds(&evidence.target, Some(&evidence.leases), at);
    let newest = last
        .filter(after)
        .filter(|a| at.signed_duration_since(a.started) < COUNTS);
    let refused = refusal
        .filter(after)
        .filter(|r| newest.is_none_or(|a| r.started >= a.started));
    if let Some(refusal) = refused {
        let reasons: Vec<String> = refusal.not_scaled.iter().map(not_scaled_text).collect();
        let mut text = format!(
            "It did not scale out, although `{name}` asked for more: {} (AWS, {}).",
            reasons.join("; "),
            refusal.started.format(TIME)
        );
        if refusal
            .not_scaled
            .iter()
            .any(|r| matches!(r, NotScaled::AtMax(_)))
        {
            let (max, source) = (effective.bounds.max(), &effective.max_source);
            text = format!("{text} The maximum, {max}, comes from {source}.");
        }
        return text;
    }
    if let Some(activity) = newest {
        let did = matches!(
            activity.status,
            ActivityStatus::Successful | ActivityStatus::Overridden
        );
        let what = activity_line(activity);
        let when = activity.started.format(TIME);
        return if did {
            format!("`{name}` asked for more, and it scaled: {when}: {what}.")
        } else {
            format!("`{name}` asked for more, and it could not scale: {when}: {what}.")
        };
    }
    if evidence.suspended.scale_out {
        return format!(
            "It did not scale out, although `{name}` asked for more: scaling out is suspended."
        );
    }
    if capacity(evidence, at).is_some_and(|c| c >= effective.bounds.max()) {
        let (max, source) = (effective.bounds.max(), &effective.max_source);
        return format!(
            "It did not scale out, although `{name}` asked for more: it was at its maximum, {max}, by {source}."
        );
    }
    let cooldown = cooldown(up.policy, true);
    let last = last.map_or_else(
        || "no activity before it is known".to_owned(),
        |a| format!("the last activity was at {}", a.started.format(TIME)),
    );
    format!(
        "`{name}` asked for more, and AWS tells nothing of it yet. It does not tell what a cooldown holds back: this \
         policy's is {} s, and {last}.",
        cooldown.num_seconds()
    )
}

fn cooldown(policy: &Policy, out: bool) -> TimeDelta {
    let cooldown = match &policy.kind {
        PolicyKind::TargetTracking(tracking) if out => tracking.scale_out_cooldown,
        PolicyKind::TargetTracking(tracking) => tracking.scale_in_cooldown,
        PolicyKind::Step(step) => step.scaling.cooldown,
    };
    TimeDelta::seconds(i64::from(cooldown.as_secs()))
}

fn why_not_in(
    evidence: &Evidence,
    views: &[View<'_>],
    down: &View<'_>,
    refusal: Option<&Activity>,
    last: Option<&Activity>,
    at: DateTime<Utc>,
) -> String {
    let name = &down.policy.name;
    let effective = effective_bounds(&evidence.target, Some(&evidence.leases), at);
    let (min, source) = (effective.bounds.min(), &effective.min_source);
    if capacity(evidence, at).is_some_and(|c| c <= min) {
        return format!("Nothing more to take away: it was at its minimum, {min}, by {source}.");
    }
    if let PolicyKind::TargetTracking(tracking) = &down.policy.kind
        && tracking.disable_scale_in
    {
        return format!(
            "It did not scale in: `{name}` may not, as the config says (`disable_scale_in`)."
        );
    }
    let calm = |v: &&View<'_>| {
        v.down
            .is_some_and(|(_, state, _)| state != AlarmState::Alarm)
    };
    let tracks = |v: &&View<'_>| matches!(v.policy.kind, PolicyKind::TargetTracking(_));
    if let Some(other) = views.iter().filter(tracks).find(calm) {
        return format!(
            "It did not scale in, although `{name}` asked for less: target tracking takes capacity away only where all \
             such policies agree, and `{}` did not.",
            other.policy.name
        );
    }
    if evidence.suspended.scale_in {
        return format!(
            "It did not scale in, although `{name}` asked for less: scaling in is suspended."
        );
    }
    if let Some(refusal) = refusal {
        let reasons: Vec<String> = refusal.not_scaled.iter().map(not_scaled_text).collect();
        return format!(
            "It did not scale in, although `{name}` asked for less: {} (AWS, {}).",
            reasons.join("; "),
            refusal.started.format(TIME)
        );
    }
    let last = last.map_or_else(
        || "no activity before it is known".to_owned(),
        |a| format!("the last activity was at {}", a.started.format(TIME)),
    );
    format!(
        "`{name}` asked for less, and AWS tells nothing of it yet. It does not tell what a cooldown holds back: this \
         policy's is {} s, and {last}.",
        cooldown(down.policy, false).num_seconds()
    )
}
