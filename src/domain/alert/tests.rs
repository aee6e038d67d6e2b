//! The life of alerts, and what is read from AWS's sentences.

use super::*;
use crate::domain::{Activity, ActivityStatus};

fn at(minute: i64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    start
        .checked_add_signed(TimeDelta::minutes(minute))
        .unwrap()
}

/// One step with 5 minutes to fire and 3 to resolve.
fn step(life: &mut Life, condition: Condition, minute: i64) -> Option<AlertState> {
    life.step(
        condition,
        at(minute),
        TimeDelta::minutes(5),
        TimeDelta::minutes(3),
    );
    life.alert(at(minute)).map(|alert| alert.state)
}

#[test]
fn it_fires_after_a_while_and_resolves_after_a_while() {
    let mut life = Life::default();
    let mut step = |condition, minute| step(&mut life, condition, minute);
    assert_eq!(step(Condition::Clear, 0), None);
    assert_eq!(step(Condition::met("x"), 1), Some(AlertState::Pending));
    assert_eq!(step(Condition::met("x"), 5), Some(AlertState::Pending));
    let fired = AlertState::Firing { since: at(6) };
    assert_eq!(step(Condition::met("x"), 6), Some(fired));
    // Over for a moment only.
    assert_eq!(step(Condition::Clear, 7), Some(fired));
    assert_eq!(step(Condition::met("x"), 8), Some(fired));
    assert_eq!(step(Condition::Clear, 9), Some(fired));
    assert_eq!(step(Condition::Clear, 11), Some(fired));
    let over = AlertState::Resolved { at: at(12) };
    assert_eq!(step(Condition::Clear, 12), Some(over));
    assert_eq!(step(Condition::Clear, 20), Some(over), "shown for a while");
    assert_eq!(step(Condition::Clear, 27), None);
}

#[test]
fn what_is_not_known_neither_fires_nor_resolves() {
    let mut life = Life::default();
    let mut step = |condition, minute| step(&mut life, condition, minute);
    assert_eq!(step(Condition::Unknown, 0), None);
    assert_eq!(step(Condition::met("x"), 1), Some(AlertState::Pending));
    assert_eq!(step(Condition::Unknown, 30), Some(AlertState::Pending));
    let fired = AlertState::Firing { since: at(31) };
    assert_eq!(step(Condition::met("x"), 31), Some(fired));
    assert_eq!(step(Condition::Unknown, 90), Some(fired));
}

#[test]
fn what_aws_says_of_the_beginning_counts_and_a_short_one_leaves_nothing() {
    let mut life = Life::default();
    let early = Condition::met("x").since(Some(at(-10)));
    assert_eq!(
        step(&mut life, early, 0),
        Some(AlertState::Firing { since: at(0) })
    );
    assert_eq!(life.alert(at(0)).unwrap().since, at(-10));
    let mut life = Life::default();
    assert_eq!(
        step(&mut life, Condition::met("x"), 0),
        Some(AlertState::Pending)
    );
    assert_eq!(step(&mut life, Condition::Clear, 1), None);
    // The next one counts from its own beginning.
    assert_eq!(
        step(&mut life, Condition::met("x"), 5),
        Some(AlertState::Pending)
    );
}

#[test]
fn the_page_of_alerts_says_what_the_code_does() {
    let documented = include_str!("../../../docs/alerts.md");
    for kind in AlertKind::ALL {
        let after = |span: TimeDelta| match span.num_minutes() {
            0 => "at once".to_owned(),
            minutes => format!("{minutes} min"),
        };
        let row = format!(
            "| [`{kind}`](runbooks/{kind}.md) | {} | {} | {} |",
            kind.urgency().label(),
            after(kind.pending_for()),
            after(kind.resolves_after()),
        );
        assert!(documented.contains(&row), "docs/alerts.md lacks {row}");
    }
}

fn failed(message: &str) -> Activity {
    Activity {
        id: "1".to_owned(),
        target: "endpoint/chat/variant/v".parse().unwrap(),
        description: "Setting desired instance count to 110.".to_owned(),
        cause: String::new(),
        status: ActivityStatus::Failed,
        status_message: Some(message.to_owned()),
        started: at(0),
        ended: Some(at(1)),
        not_scaled: Vec::new(),
    }
}

#[test]
fn the_numbers_of_a_quota_are_read_from_awss_sentence() {
    let activity = failed(
        "Failed to set desired instance count to 110. Reason: The account-level service limit 'ml.xx for endpoint \
         usage' is 1000 Instances, with current utilization of 997 Instances and a request delta of 20 Instances. \
         (Service: AmazonSageMaker; Status Code: 400; Error Code: ResourceLimitExceeded)",
    );
    assert_eq!(
        refusal_of(&activity).text().unwrap(),
        "a quota of the account: ml.xx for endpoint usage (limit 1000, in use 997, 20 more asked for); ask AWS to \
         raise it"
    );
    assert_eq!(activity.capacity().unwrap().get(), 110);
    let hardware = failed(
        "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error",
    );
    assert_eq!(refusal_of(&hardware), Refusal::NoCapacity);
    let busy =
        failed("Resource Id [endpoint/chat/variant/v] is not scalable. Reason: it is updating");
    assert_eq!(refusal_of(&busy), Refusal::Busy);
    assert_eq!(refusal_of(&failed("It did not work.")), Refusal::Other);
}

fn change(minute: i64, to: u32) -> CapacityChange {
    CapacityChange {
        at: at(minute),
        done: None,
        to: super::super::bounds::Capacity::new(to).unwrap(),
        cause: String::new(),
    }
}

#[test]
fn turns_are_counted_and_steps_in_one_direction_are_not() {
    let up = [change(0, 1), change(10, 2), change(20, 4), change(30, 6)];
    assert_eq!(reversals(&up, at(40)), 0);
    let hunting = [
        change(0, 1),
        change(10, 3),
        change(20, 2),
        change(25, 2),
        change(30, 3),
        change(40, 1),
    ];
    assert_eq!(reversals(&hunting, at(45)), 3);
    assert_eq!(
        reversals(&hunting, at(85)),
        2,
        "the first turn is more than an hour ago"
    );
    assert_eq!(reversals(&[], at(0)), 0);
}
