//! Messages about alerts, in the forms that receivers take.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::alertmanager::subject_labels;
use crate::domain::{Line, Notice, Subject, Urgency};

/// Lines of a message at the most; the rest is counted.
const MOST_LINES: usize = 10;
/// PagerDuty's limit for a summary.
const LONGEST_SUMMARY: usize = 1024;

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a message says in one line.
#[must_use]
pub fn notice_title(notice: &Notice) -> String {
    let group = &notice.group;
    let (scope, kind) = (&group.scope, group.kind);
    let of = |lines: &[Line]| match lines {
        [one] if one.subject == Subject::Scope => String::new(),
        [one] => format!(" {}", one.subject),
        many => format!(" {} targets", many.len()),
    };
    if notice.is_over() {
        return format!("{scope}: {kind} is over:{}", of(&notice.ended))
            .trim_end_matches(':')
            .to_owned();
    }
    format!("{scope}: {kind}:{}", of(&notice.firing))
        .trim_end_matches(':')
        .to_owned()
}

fn line_json(line: &Line) -> Value {
    let mut shape = json!({
        "subject": line.subject.to_string(),
        "since": time(line.since),
        "reason": line.reason,
        "cause": line.cause,
    });
    if let Some(map) = shape.as_object_mut() {
        let labels = subject_labels(&line.subject).into_iter();
        map.extend(labels.map(|(label, value)| (label.to_owned(), json!(value))));
    }
    shape
}

fn lines_json(lines: &[Line]) -> Vec<Value> {
    lines.iter().map(line_json).collect()
}

/// What is the same for all messages about the same alerts.
#[must_use]
pub fn dedup_key(notice: &Notice) -> String {
    let group = &notice.group;
    let subject = group.subject.as_ref();
    let subject = subject.map(|s| format!("/{s}")).unwrap_or_default();
    format!("evenkeel/{}/{}{subject}", group.scope, group.kind)
}

/// Our own form.
#[must_use]
pub fn generic_notice(notice: &Notice) -> Value {
    let kind = notice.group.kind;
    json!({
        "version": 1,
        "status": if notice.is_over() { "resolved" } else { "firing" },
        "key": dedup_key(notice),
        "alert": kind.name(),
        "urgency": kind.urgency().label(),
        "scope": notice.group.scope.as_str(),
        "at": time(notice.at),
        "title": notice_title(notice),
        "runbook": format!("docs/runbooks/{kind}.md"),
        "started": lines_json(&notice.started),
        "ended": lines_json(&notice.ended),
        "firing": lines_json(&notice.firing),
    })
}

/// Slack's own characters, as it wants them written.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Slack's form, for its incoming webhooks.
#[must_use]
pub fn slack_notice(notice: &Notice) -> Value {
    let sign = match (notice.is_over(), notice.group.kind.urgency()) {
        (true, _) => ":white_check_mark:",
        (false, Urgency::Critical) => ":rotating_light:",
        (false, Urgency::Warning) => ":warning:",
        (false, Urgency::Info) => ":information_source:",
    };
    let mut text = vec![format!("{sign} *{}*", escaped(&notice_title(notice)))];
    // The title names it.
    let alone = notice
        .firing
        .len()
        .max(notice.started.len() + notice.ended.len())
        == 1;
    let mut tell = |lines: &[Line], what: &str| {
        for line in lines.iter().take(MOST_LINES) {
            let cause = line.cause.as_ref();
            let cause = cause
                .map(|c| format!("; likely cause: {c}"))
                .unwrap_or_default();
            let subject = if alone {
                String::new()
            } else {
                format!("{}: ", line.subject)
            };
            let words = escaped(&format!("{subject}{}{cause}", line.reason));
            text.push(format!("• {what}{words}"));
        }
        let more = lines.len().saturating_sub(MOST_LINES);
        if more > 0 {
            text.push(format!("• and {more} more"));
        }
    };
    tell(&notice.started, "");
    tell(&notice.ended, "over: ");
    let left = notice.firing.len();
    if left > notice.started.len() {
        text.push(format!("{left} fire in all"));
    }
    json!({ "text": text.join("\n") })
}

/// PagerDuty's form, for its Events API v2: one incident per group. What is new in an open incident is added to it.
#[must_use]
pub fn pagerduty_notice(notice: &Notice, routing_key: &str) -> Value {
    let kind = notice.group.kind;
    if notice.is_over() {
        return json!({
            "routing_key": routing_key,
            "event_action": "resolve",
            "dedup_key": dedup_key(notice),
        });
    }
    let first = notice.started.first().or(notice.firing.first());
    let reason = first.map(|line| line.reason.as_str()).unwrap_or_default();
    let summary: String = format!("{}: {reason}", notice_title(notice))
        .chars()
        .take(LONGEST_SUMMARY)
        .collect();
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key(notice),
        "client": "evenkeel",
        "payload": {
            "summary": summary,
            "source": first.map_or_else(String::new, |line| line.subject.to_string()),
            "severity": kind.urgency().label(),
            "timestamp": time(first.map_or(notice.at, |line| line.since)),
            "component": "evenkeel",
            "group": notice.group.scope.as_str(),
            "class": kind.name(),
            "custom_details": {
                "runbook": format!("docs/runbooks/{kind}.md"),
                "firing": lines_json(notice.firing.get(..MOST_LINES).unwrap_or(&notice.firing)),
                "firing_in_all": notice.firing.len(),
            },
        },
    })
}
