//! One situation each: what the answer has to say, and what the timeline has to hold.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::*;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

fn capacity(n: u32) -> Capacity {
    Capacity::new(n).unwrap()
}

fn policy(name: &str) -> Policy {
    Policy {
        name: name.parse().unwrap(),
        kind: PolicyKind::TargetTracking(TargetTracking {
            metric: Metric::Predefined(PredefinedMetric::InvocationsPerInstance),
            target: TargetValue::new(300.0).unwrap(),
            of_all_cores: false,
            scale_out_cooldown: Cooldown::from_secs(60).unwrap(),
            scale_in_cooldown: Cooldown::SAGEMAKER_DEFAULT,
            disable_scale_in: false,
        }),
    }
}

fn alarm(side: &str, states: &[(i64, AlarmState, AlarmState)]) -> PolicyAlarm {
    let record = |(minute, from, to): &(i64, AlarmState, AlarmState)| AlarmRecord {
        alarm: side.to_owned(),
        at: at(*minute),
        event: AlarmRecordEvent::State {
            from: *from,
            to: *to,
            reason: "Threshold Crossed: 3 datapoints were above".to_owned(),
        },
    };
    PolicyAlarm {
        policy: "rps".parse().unwrap(),
        name: format!("TargetTracking-endpoint/chat/variant/v-Alarm{side}-1"),
        state: states.last().map_or(AlarmState::Ok, |(_, _, to)| *to),
        since: Some(states.last().map_or(at(-60), |(minute, ..)| at(*minute))),
        acts: true,
        history: states.iter().map(record).collect(),
    }
}

fn activity(
    minute: i64,
    took: Option<i64>,
    what: &str,
    cause: &str,
    refused: Vec<NotScaled>,
) -> Activity {
    Activity {
        id: minute.to_string(),
        target: "endpoint/chat/variant/v".parse().unwrap(),
        description: what.to_owned(),
        cause: cause.to_owned(),
        status: match (&refused[..], took) {
            ([], Some(_)) => ActivityStatus::Successful,
            ([], None) => ActivityStatus::InProgress,
            _ => ActivityStatus::Failed,
        },
        status_message: None,
        started: at(minute),
        ended: took.map(|took| at(minute + took)),
        not_scaled: refused,
    }
}

/// At 5 of 1..5, with `values` per minute.
fn evidence(values: &[f64]) -> Evidence {
    let points = values.iter().enumerate().map(|(i, value)| Datapoint {
        at: at(i64::try_from(i).unwrap()),
        value: *value,
    });
    Evidence {
        target: DesiredTarget {
            id: "endpoint/chat/variant/v".parse().unwrap(),
            bounds: Bounds::new(capacity(1), capacity(5)).unwrap(),
            suspended: None,
            ignored: std::collections::BTreeMap::new(),
            tunings: Tunings::new(),
            schedules: Vec::new(),
            policies: vec![policy("rps")],
        },
        leases: Leases::default(),
        suspended: Suspension::default(),
        running: Some(Running {
            current: Some(capacity(5)),
            desired: Some(capacity(5)),
        }),
        endpoint: Some(EndpointStatus::InService),
        changed: None,
        held: Some((capacity(1), capacity(5))),
        activities: Vec::new(),
        alarms: vec![alarm("High", &[]), alarm("Low", &[])],
        values: vec![("rps".parse().unwrap(), points.collect())],
        journal: Some(Vec::new()),
        gaps: Vec::new(),
    }
}

fn answer(evidence: &Evidence, minute: i64) -> String {
    explain(evidence, at(0), at(minute)).answer.join("\n")
}

const UP: (i64, AlarmState, AlarmState) = (4, AlarmState::Ok, AlarmState::Alarm);

#[test]
fn at_the_maximum_it_says_where_that_comes_from() {
    let mut evidence = evidence(&[100.0, 400.0, 420.0, 430.0, 440.0, 450.0]);
    evidence.alarms[0] = alarm("High", &[UP]);
    let refusal = vec![NotScaled::AtMax(Some(capacity(5)))];
    evidence.activities = vec![activity(
        5,
        Some(0),
        "Attempting to scale due to alarm triggered",
        "",
        refusal,
    )];
    let text = answer(&evidence, 6);
    assert!(
        text.contains("It was at 5; its bounds were to be 1..5, as the config says."),
        "{text}"
    );
    let policy = "Policy `rps`: 450 of 300 (150 %); high alarm in ALARM since 08:04:00 UTC, low alarm OK since";
    assert!(text.contains(policy), "{text}");
    assert!(
        text.contains(
            "It did not scale out, although `rps` asked for more: already at the maximum"
        ),
        "{text}"
    );
    assert!(text.contains("The maximum, 5, comes from"), "{text}");
}

#[test]
fn what_happened_later_does_not_count() {
    let mut evidence = evidence(&[100.0, 400.0, 420.0, 430.0, 440.0, 450.0]);
    evidence.alarms[0] = alarm("High", &[UP]);
    evidence.activities = vec![activity(
        5,
        Some(4),
        "Setting desired instance count to 5.",
        "monitor alarm",
        vec![],
    )];
    // Two minutes above, and the alarm had not said anything yet.
    let text = answer(&evidence, 3);
    assert!(
        text.contains("`rps` was above its target, but no alarm asked for more"),
        "{text}"
    );
    assert!(
        !text.contains("It was at"),
        "what runs now says nothing of then: {text}"
    );
    let text = answer(&evidence, 6);
    assert!(
        text.contains("It was scaling, since 08:05:00 UTC: Setting desired instance count to 5"),
        "{text}"
    );
    let text = answer(&evidence, 10);
    assert!(text.contains("It had just scaled: 08:05:00 UTC"), "{text}");
    let text = answer(&evidence, 20);
    assert!(
        text.contains("asked for more, and it scaled: 08:05:00 UTC"),
        "{text}"
    );
}

#[test]
fn failures_cooldowns_and_suspensions_are_told_apart() {
    let mut evidence = evidence(&[400.0; 8]);
    evidence.alarms[0] = alarm("High", &[UP]);
    evidence.running = Some(Running {
        current: Some(capacity(3)),
        desired: Some(capacity(3)),
    });
    let text = answer(&evidence, 6);
    assert!(
        text.contains("AWS tells nothing of it yet") && text.contains("60 s"),
        "{text}"
    );
    evidence.suspended.scale_out = true;
    let text = answer(&evidence, 6);
    assert!(text.contains("scaling out is suspended"), "{text}");
    evidence.suspended = Suspension::default();
    let mut failed = activity(
        5,
        Some(1),
        "Setting desired instance count to 4.",
        "monitor alarm",
        vec![],
    );
    failed.status = ActivityStatus::Failed;
    failed.status_message = Some("Reason: a quota".to_owned());
    evidence.activities = vec![failed];
    let text = answer(&evidence, 7);
    assert!(
        text.contains("it could not scale") && text.contains("a quota"),
        "{text}"
    );
}

#[test]
fn scaling_in_needs_everyone() {
    let low = (1, AlarmState::Ok, AlarmState::Alarm);
    let mut evidence = evidence(&[10.0; 8]);
    evidence.alarms[1] = alarm("Low", &[low]);
    evidence.target.policies.push(policy("cpu"));
    let mut other = alarm("Low", &[]);
    other.policy = "cpu".parse().unwrap();
    evidence.alarms.push(other);
    let text = answer(&evidence, 6);
    assert!(
        text.contains("only where all such policies agree, and `cpu` did not"),
        "{text}"
    );
    evidence.running = Some(Running {
        current: Some(capacity(1)),
        desired: Some(capacity(1)),
    });
    let text = answer(&evidence, 6);
    assert!(text.contains("at its minimum, 1"), "{text}");
}

#[test]
fn without_data_it_scales_in_neither_direction() {
    let lost = (2, AlarmState::Ok, AlarmState::InsufficientData);
    let mut evidence = evidence(&[]);
    evidence.alarms = vec![alarm("High", &[lost]), alarm("Low", &[lost])];
    let text = answer(&evidence, 6);
    assert!(
        text.contains("no value") && text.contains("scales in neither direction"),
        "{text}"
    );
    let text = answer(&evidence, 1);
    assert!(text.contains("Nothing asked it to scale"), "{text}");
}

#[test]
fn the_timeline_says_whose_a_change_of_bounds_was() {
    let mut evidence = evidence(&[100.0, 400.0, 500.0, 200.0]);
    let cause = "minimum capacity was set to 2";
    let set = "Setting desired instance count to 2.";
    evidence.activities = vec![
        activity(1, Some(0), set, cause, vec![]),
        activity(30, Some(0), set, cause, vec![]),
    ];
    evidence.journal = Some(vec![JournalLine {
        at: at(1),
        action: "register_target".to_owned(),
        is_done: true,
        bounds: Some((2, 5)),
        change: "bounds 1..5 -> 2..5".to_owned(),
        reason: "the bounds differ".to_owned(),
        problem: None,
    }]);
    let text = explanation_text(&explain(&evidence, at(0), at(60)), Paint::Plain);
    insta::assert_snapshot!("timeline", text);
    evidence.journal = None;
    let text = explanation_text(&explain(&evidence, at(0), at(60)), Paint::Plain);
    assert!(!text.contains("by evenkeel"), "nobody can tell: {text}");
}

#[test]
fn a_deployment_is_told_and_scaling_is_not_taken_for_one() {
    let mut evidence = evidence(&[]);
    evidence.changed = Some((at(20), "v2".to_owned()));
    let text = explanation_text(&explain(&evidence, at(0), at(60)), Paint::Plain);
    assert!(
        text.contains("08:20:00  endpoint  it was changed, and not by scaling"),
        "{text}"
    );
    let what = "Setting desired instance count to 5.";
    evidence.activities = vec![activity(15, Some(4), what, "monitor alarm", vec![])];
    let text = explanation_text(&explain(&evidence, at(0), at(60)), Paint::Plain);
    assert!(!text.contains("it was changed"), "{text}");
}
