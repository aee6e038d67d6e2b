//! What the lint says of schedules before anything is applied.

use chrono::{DateTime, Utc};
use evenkeel::config::{Sources, load};
use evenkeel::domain::*;

/// A Sunday.
fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn fleet(targets: &str) -> DesiredFleet {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evenkeel.yaml");
    std::fs::write(&path, format!("targets:\n{targets}")).unwrap();
    let sources = Sources {
        path,
        variables: Vec::new(),
    };
    let config = load(&sources).unwrap();
    let (_, fleet) = config.scopes.into_values().next().unwrap();
    fleet
}

/// The findings of a target with these schedules, as `rule: what`.
fn found(schedules: &[&str]) -> Vec<String> {
    let mut text =
        "  - endpoint: chat\n    variant: v\n    bounds: { min: 1, max: 8 }\n    schedules:\n"
            .to_owned();
    text.extend(
        schedules
            .iter()
            .map(|schedule| format!("      - {{ {schedule} }}\n")),
    );
    let fleet = fleet(&text);
    let findings = fleet
        .targets
        .values()
        .flat_map(|t| lint_schedules(t, now()));
    findings
        .map(|f| format!("{}: {}", f.rule, f.what))
        .collect()
}

const UP: &str = "name: up, cron: '0 8 ? * MON-FRI *', timezone: UTC, bounds: { min: 4, max: 8 }";
const DOWN: &str = "name: down, cron: '0 20 * * ? *', timezone: UTC, bounds: { min: 1, max: 6 }";

#[test]
fn a_pair_that_goes_up_and_comes_down_is_fine() {
    assert_eq!(found(&[UP, DOWN]), [""; 0]);
    assert_eq!(
        found(&[
            "name: w, window: { from: '22:00', until: '06:00' }, timezone: UTC, bounds: { min: 4 }"
        ]),
        [""; 0]
    );
}

#[test]
fn each_mistake_is_one_finding() {
    let cases: [(&[&str], &str); 12] = [
        (
            &["name: up, cron: '0 8 * * ? *', timezone: UTC, bounds: { min: 4 }"],
            "schedule-one-way: schedule `up` sets the minimum to 4, and none ever sets it back to 1",
        ),
        (
            &["name: up, at: '2026-12-24T18:00:00', timezone: UTC, bounds: { max: 20 }"],
            "schedule-one-way: schedule `up` sets the maximum to 20, and none ever sets it back to 8",
        ),
        (
            &[
                UP,
                DOWN,
                "name: xmas, at: '2026-12-25T08:00:00', timezone: UTC, bounds: { min: 2, max: 8 }",
            ],
            "schedules-at-once: at 2026-12-25T08:00:00Z `up` sets the minimum to 4 and `xmas` to 2: the \
             later one in \
             the config, `xmas`, wins",
        ),
        (
            &[
                UP,
                DOWN,
                "name: low, cron: '0 12 * * ? *', timezone: UTC, bounds: { max: 3 }",
            ],
            "schedules-cross: at 2026-11-23T12:00:00Z the minimum is 4 by schedule `up`, and the maximum \
             3 by schedule \
             `low`: 4..4 is what comes out",
        ),
        (
            &[
                "name: w, window: { from: '08:00', until: '09:00' }, timezone: UTC, bounds: { min: 9 }",
            ],
            "schedules-cross: at 2026-11-23T08:00:00Z the minimum is 9 by window `w`, and the maximum 8 \
             by the config's \
             bounds: 9..9 is what comes out",
        ),
        (
            &[
                UP,
                DOWN,
                "name: never, cron: '0 0 31 2 ? *', timezone: UTC, bounds: { min: 1 }",
            ],
            "schedule-never-fires: schedule `never` never does anything: no instant fits it",
        ),
        (
            &[
                UP,
                DOWN,
                "name: gone, cron: '0 0 1 1 ? *', timezone: UTC, start: '2026-02-01T00:00', end: \
                 '2026-03-01T00:00', \
                 bounds: { min: 1 }",
            ],
            "schedule-over: schedule `gone` ended at 2026-03-01T00:00:00Z",
        ),
        (
            &[
                UP,
                DOWN,
                "name: h1, cron: '0 9 * * ? *', timezone: UTC, end: '2026-03-01T00:00', bounds: { min: 2 }",
            ],
            "schedule-over: schedule `h1` fired for the last time at 2026-02-28T09:00:00Z, and what it set holds",
        ),
        (
            &[
                "name: w, window: { from: '2026-11-20T08:00', until: '2026-11-20T09:00' }, timezone: \
                 UTC, bounds: { min: 3 }",
            ],
            "schedule-over: window `w` closed at 2026-11-20T09:00:00Z",
        ),
        (
            &[
                "name: a, window: { from: '08:00', until: '18:00' }, timezone: UTC, bounds: { min: 3 }",
                "name: b, window: { from: '17:00', until: '20:00', days: [TUE] }, timezone: UTC, bounds: \
                 { min: 4 }",
            ],
            "windows-overlap: at 2026-11-24T17:00:00Z `a` sets the minimum to 3 and `b` to 4: the one \
             that opened last, \
             `b`, wins",
        ),
        (
            &["name: w, window: { from: '22:00', until: '06:00' }, bounds: { min: 4 }"],
            "schedule-without-zone: schedule `w` has no time zone, so it goes by UTC",
        ),
        (
            &[UP, "name: back, cron: '0 8 ? * SAT *', bounds: { min: 1 }"],
            "schedule-without-zone: schedule `back` has no time zone, so it goes by UTC",
        ),
    ];
    for (schedules, expected) in cases {
        assert_eq!(found(schedules), [expected], "{schedules:?}");
    }
}

/// What starts in two months, and what fired once and is meant to stay, is no mistake.
#[test]
fn what_is_yet_to_come_and_what_is_done_is_fine() {
    for more in [
        "name: later, window: { from: '22:00', until: '06:00' }, start: '2027-02-01T00:00', timezone: \
         UTC, bounds: { min: 4 }",
        "name: later, cron: '0 9 1 1 ? 2030', timezone: UTC, bounds: { min: 2 }",
        "name: done, at: '2026-11-20T08:00:00', timezone: UTC, bounds: { min: 2 }",
        "name: often, rate: 6 hours, start: '2026-11-22T00:30', bounds: { min: 2 }",
    ] {
        assert_eq!(found(&[UP, DOWN, more]), [""; 0], "{more}");
    }
}

#[test]
fn a_rule_is_silenced_per_target() {
    let text = "  - { endpoint: chat, variant: v, bounds: { min: 1, max: 8 }, ignore: { \
    schedule-one-way: for good },\n      \
                schedules: [{ name: up, cron: '0 8 * * ? *', timezone: UTC, bounds: { min: 4 } }] }\n";
    let fleet = fleet(text);
    let target = fleet.targets.values().next().unwrap();
    assert_eq!(lint_schedules(target, now()), []);
}

#[test]
fn many_targets_at_one_second_are_worth_a_word() {
    let many = |count: usize, lead: fn(usize) -> usize| {
        let target = |n: usize| {
            format!(
                "  - {{ endpoint: e{n:02}, variant: v, bounds: {{ min: 1, max: 8 }}, schedules: [{{ \
                 name: up,\n      cron: '0 8 \
                 * * ? *', lead: {}m, timezone: UTC, bounds: {{ min: 4 }} }}] }}\n",
                lead(n)
            )
        };
        let fleet = fleet(&(0..count).map(target).collect::<String>());
        let found = lint_fleet(&fleet, now()).into_iter();
        found
            .map(|f| format!("{} {}: {}", f.rule, f.target, f.what))
            .collect::<Vec<_>>()
    };
    assert_eq!(many(20, |_| 0), [""; 0]);
    assert_eq!(many(40, |n| n % 4), [""; 0]);
    assert_eq!(
        many(40, |_| 0),
        [
            "many-at-once endpoint/e00/variant/v: 40 targets change at 2026-11-23T08:00:00Z: at 2 writes \
             a second, which \
          AWS is thought to take, the last one is 20 s late"
        ]
    );
}
