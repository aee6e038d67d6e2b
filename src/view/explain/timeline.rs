//! The timeline: everything that is written down somewhere, in one order.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::words::{activity_line, happened, hold_text, override_text, short};
use super::{Entry, Source};
use crate::domain::{
    Activity, AlarmRecordEvent, AlarmState, Datapoint, Evidence, JournalLine, Policy, PolicyKind,
    effective_bounds,
};

/// Changes of bounds by schedules that are shown at the most.
const MOST_CHANGES: usize = 500;
/// A write of ours is what AWS tells of within this time.
const SAME: TimeDelta = TimeDelta::seconds(90);
/// Values further apart than this have a hole between them.
const HOLE: TimeDelta = TimeDelta::minutes(5);

pub(super) fn timeline(
    evidence: &Evidence,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (name, points) in &evidence.values {
        let policy = evidence.target.policies.iter().find(|p| p.name == *name);
        entries.extend(policy.into_iter().flat_map(|policy| metric(policy, points)));
    }
    entries.extend(alarms(evidence));
    entries.extend(evidence.activities.iter().map(|a| activity(a, evidence)));
    entries.extend(schedules(evidence, from, until));
    entries.extend(endpoint(evidence));
    entries.extend(leases(evidence));
    let journal = evidence.journal.iter().flatten();
    entries.extend(journal.map(written));
    entries.retain(|entry| entry.at >= from && entry.at <= until);
    entries.sort_by_key(|entry| (entry.at, entry.source));
    folded(entries)
}

/// What one source says again and again is said once, with how often and until when.
fn folded(entries: Vec<Entry>) -> Vec<Entry> {
    let mut shown: Vec<(Entry, u32, DateTime<Utc>)> = Vec::new();
    for entry in entries {
        let before = shown
            .iter_mut()
            .rfind(|(held, ..)| held.source == entry.source);
        match before {
            Some((held, times, last)) if held.text == entry.text => {
                *times = times.saturating_add(1);
                *last = entry.at;
            }
            _ => shown.push((entry.clone(), 1, entry.at)),
        }
    }
    let shown = shown.into_iter().map(|(mut entry, times, last)| {
        if times > 1 {
            let last = last.format("%H:%M:%S");
            entry.text = format!("{}; {times} times, the last at {last}", entry.text);
        }
        entry
    });
    shown.collect()
}

/// Where the value crosses its target, and where there is none.
fn metric(policy: &Policy, points: &[Datapoint]) -> Vec<Entry> {
    let (name, aim) = (&policy.name, policy.aim());
    let mut entries = Vec::new();
    let mut entry = |at, text| {
        entries.push(Entry {
            at,
            source: Source::Metric,
            text,
        });
    };
    let mut before: Option<&Datapoint> = None;
    let mut above = None;
    let mut highest: Option<&Datapoint> = None;
    for point in points {
        let gap = before.map(|b| point.at.signed_duration_since(b.at));
        if let (Some(last), Some(gap)) = (before, gap.filter(|gap| *gap > HOLE)) {
            let minutes = gap.num_minutes();
            entry(
                last.at,
                format!("policy `{name}`: no value for {minutes} min from here"),
            );
        }
        let is_above = point.value > aim;
        if above != Some(is_above) {
            let (value, aim) = (short(point.value), short(aim));
            let side = if is_above { "above" } else { "not above" };
            let most = highest.filter(|_| above == Some(true));
            let most = most.map(|p| format!("; it was {} at the most", short(p.value)));
            let most = most.unwrap_or_default();
            entry(
                point.at,
                format!("policy `{name}`: {value}, {side} its target of {aim}{most}"),
            );
            highest = None;
        }
        above = Some(is_above);
        if highest.is_none_or(|h| point.value > h.value) {
            highest = Some(point);
        }
        before = Some(point);
    }
    if let Some(last) = before {
        entry(
            last.at,
            format!("policy `{name}`: {}, the newest value", short(last.value)),
        );
    }
    entries
}

fn side_of(policy: &Policy, alarm: &str) -> &'static str {
    match (&policy.kind, alarm.contains("-AlarmHigh-")) {
        (PolicyKind::TargetTracking(_), true) => "high alarm",
        (PolicyKind::TargetTracking(_), false) => "low alarm",
        (PolicyKind::Step(_), _) => "alarm",
    }
}

fn alarms(evidence: &Evidence) -> Vec<Entry> {
    let mut entries = Vec::new();
    for alarm in &evidence.alarms {
        let declared = evidence
            .target
            .policies
            .iter()
            .find(|p| p.name == alarm.policy);
        let side = declared.map_or("alarm", |policy| side_of(policy, &alarm.name));
        for record in &alarm.history {
            let text = match &record.event {
                AlarmRecordEvent::State { from, to, reason } => {
                    let (from, to) = (word(*from), word(*to));
                    format!("{side} of `{}`: {from} -> {to}: {reason}", alarm.policy)
                }
                AlarmRecordEvent::Changed(summary) => {
                    let writes = ["put_policy", "put_alarm", "delete_alarm"];
                    let whose = whose(evidence, record.at, |line| {
                        writes.contains(&line.action.as_str())
                    });
                    format!("{side} of `{}`: {summary}{whose}", alarm.policy)
                }
                // What it did is an activity.
                AlarmRecordEvent::Acted(_) => continue,
            };
            entries.push(Entry {
                at: record.at,
                source: Source::Alarm,
                text,
            });
        }
    }
    entries
}

fn word(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData => "INSUFFICIENT_DATA",
    }
}

fn activity(activity: &Activity, evidence: &Evidence) -> Entry {
    if !activity.not_scaled.is_empty() {
        let text = activity_line(activity);
        return Entry {
            at: activity.started,
            source: Source::Refusal,
            text,
        };
    }
    let of_bounds = activity.cause.contains("capacity was set") || activity.capacity().is_none();
    let by_schedule = activity.cause.contains("scheduled action");
    let whose = if of_bounds && !by_schedule {
        whose(evidence, activity.started, |line| {
            sets(line, &activity.cause)
        })
    } else {
        String::new()
    };
    let took = activity
        .ended
        .map(|end| end.signed_duration_since(activity.started));
    let took = took.filter(|t| *t >= TimeDelta::minutes(1));
    let took = took
        .map(|t| format!("; it took {} min", t.num_minutes()))
        .unwrap_or_default();
    let text = format!("{}{took}{whose}", activity_line(activity));
    // A running one is told when it began, a finished one too: what follows from it comes after.
    let at = activity.started.min(happened(activity));
    Entry {
        at,
        source: Source::Activity,
        text,
    }
}

/// Whether a write of ours set the bound that AWS names as the cause.
fn sets(line: &JournalLine, cause: &str) -> bool {
    let Some((min, max)) = line.bounds else {
        return false;
    };
    let says = |end: &str, n: u32| cause.starts_with(&format!("{end} capacity was set to {n}"));
    says("minimum", min) || says("maximum", max)
}

/// Whether the journal has such a write of ours just then.
fn whose(evidence: &Evidence, at: DateTime<Utc>, is_such: impl Fn(&JournalLine) -> bool) -> String {
    let Some(journal) = &evidence.journal else {
        return String::new();
    };
    let near = |line: &&JournalLine| {
        let apart = line.at.signed_duration_since(at).abs();
        line.is_done && apart <= SAME && is_such(line)
    };
    match journal.iter().find(near) {
        Some(_) => " (by evenkeel)".to_owned(),
        None => " (not by evenkeel: its journal has no such write)".to_owned(),
    }
}

fn schedules(evidence: &Evidence, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Entry> {
    let target = &evidence.target;
    let mut entries = Vec::new();
    let mut at = from;
    let mut before = effective_bounds(target, None, from);
    for _ in 0..MOST_CHANGES {
        let Some(next) = target.next_change(at).filter(|next| *next <= until) else {
            break;
        };
        let after = effective_bounds(target, None, next);
        if after.bounds != before.bounds {
            let (min, max) = (&after.min_source, &after.max_source);
            let by = if min == max {
                format!("by {min}")
            } else {
                format!("minimum by {min}, maximum by {max}")
            };
            let text = format!("bounds {} -> {}, {by}", before.bounds, after.bounds);
            entries.push(Entry {
                at: next,
                source: Source::Schedule,
                text,
            });
        }
        before = after;
        at = next;
    }
    entries
}

/// The last change of the endpoint, where no scaling explains it. AWS keeps no other.
fn endpoint(evidence: &Evidence) -> Option<Entry> {
    let (at, config) = evidence.changed.as_ref()?;
    let scaled = |activity: &Activity| {
        let begins = activity
            .started
            .checked_sub_signed(SAME)
            .unwrap_or(activity.started);
        let ends = activity.ended.and_then(|end| end.checked_add_signed(SAME));
        activity.not_scaled.is_empty() && begins <= *at && ends.is_none_or(|end| *at <= end)
    };
    if evidence.activities.iter().any(scaled) {
        return None;
    }
    let text = format!(
        "it was changed, and not by scaling: a deployment or another update; config `{config}` is in force"
    );
    Some(Entry {
        at: *at,
        source: Source::Endpoint,
        text,
    })
}

fn leases(evidence: &Evidence) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut span = |since, until, text: String| {
        entries.push(Entry {
            at: since,
            source: Source::Lease,
            text: text.clone(),
        });
        entries.push(Entry {
            at: until,
            source: Source::Lease,
            text: format!("its time is over: {text}"),
        });
    };
    if let Some(hold) = &evidence.leases.hold {
        span(hold.since, hold.until, hold_text(hold));
    }
    if let Some(over) = &evidence.leases.bounds {
        span(over.since, over.until, override_text(over));
    }
    entries
}

fn written(line: &JournalLine) -> Entry {
    let text = match &line.problem {
        None => format!("{}: {}", line.change, line.reason),
        Some(problem) => format!("{}: {}; it failed: {problem}", line.change, line.reason),
    };
    Entry {
        at: line.at,
        source: Source::Evenkeel,
        text,
    }
}
