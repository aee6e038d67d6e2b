//! Nights when clocks change, windows, phases, and what is refused.

use super::*;

fn utc(text: &str) -> Instant {
    Instant::parse_aws_text(&format!("{text}Z")).unwrap()
}

fn timing(schedule: &str, zone: &str, start: Option<&str>, end: Option<&str>) -> Timing {
    let window = (start.map(utc), end.map(utc));
    Timing::parse(schedule, Some(zone), window, utc("2026-01-01T00:00:30"))
        .unwrap_or_else(|why| panic!("{schedule}: {why}"))
}

/// All runs from one instant up to another, as a world asks for them: minute by minute.
fn runs(timing: &Timing, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (utc(from).minute(), utc(to).minute());
    (from..to)
        .flat_map(|minute| timing.runs_in(Instant::of_minute(minute)))
        .map(|at| at.aws_text().replace(".000+0000", ""))
        .collect()
}

/// Berlin jumps from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC.
#[test]
fn in_spring_a_time_that_does_not_exist_is_left_out() {
    let daily = timing("cron(30 2 * * ? *)", "Europe/Berlin", None, None);
    assert_eq!(
        runs(&daily, "2026-03-28T00:00:00", "2026-03-31T00:00:00"),
        ["2026-03-28T01:30:00", "2026-03-30T00:30:00"]
    );
    let morning = timing("cron(0 8 * * ? *)", "Europe/Berlin", None, None);
    assert_eq!(
        runs(&morning, "2026-03-28T00:00:00", "2026-03-30T00:00:00"),
        ["2026-03-28T07:00:00", "2026-03-29T06:00:00"],
        "the local time stays"
    );
    let quarters = timing("cron(0/30 * * * ? *)", "Europe/Berlin", None, None);
    assert_eq!(
        runs(&quarters, "2026-03-29T00:00:00", "2026-03-29T02:00:00").len(),
        4,
        "no instant is lost"
    );
}

/// Berlin goes back from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC.
#[test]
fn in_autumn_a_time_that_comes_twice_runs_at_the_first() {
    let daily = timing("cron(30 2 * * ? *)", "Europe/Berlin", None, None);
    assert_eq!(
        runs(&daily, "2026-10-24T00:00:00", "2026-10-27T00:00:00"),
        [
            "2026-10-24T00:30:00",
            "2026-10-25T00:30:00",
            "2026-10-26T01:30:00"
        ]
    );
    let once = timing("at(2026-10-25T02:30:00)", "Europe/Berlin", None, None);
    assert_eq!(
        runs(&once, "2026-10-24T00:00:00", "2026-10-27T00:00:00"),
        ["2026-10-25T00:30:00"]
    );
}

#[test]
fn zones_count_for_at_and_cron_and_not_for_rate() {
    let at = timing("at(2026-06-01T09:15:20)", "Asia/Tokyo", None, None);
    let day = ("2026-06-01T00:00:00", "2026-06-02T00:00:00");
    assert_eq!(runs(&at, day.0, day.1), ["2026-06-01T00:15:20"]);
    // Zones that are not whole hours away, and one with a sign that reads the other way round.
    let cron = |zone| timing("cron(0 9 * * ? *)", zone, None, None);
    assert_eq!(
        runs(&cron("Asia/Kathmandu"), day.0, day.1),
        ["2026-06-01T03:15:00"]
    );
    assert_eq!(
        runs(&cron("Etc/GMT+9"), day.0, day.1),
        ["2026-06-01T18:00:00"]
    );
    let rate = timing("rate(12 hours)", "Asia/Tokyo", None, None);
    assert_eq!(
        runs(&rate, day.0, day.1),
        ["2026-06-01T00:00:30", "2026-06-01T12:00:30"],
        "the phase is that of the put"
    );
}

#[test]
fn a_start_is_a_run_of_its_own_for_what_recurs() {
    let start = Some("2026-06-01T08:10:05");
    let span = ("2026-06-01T00:00:00", "2026-06-01T11:00:00");
    let cron = timing("cron(0 * * * ? *)", "UTC", start, None);
    assert_eq!(
        runs(&cron, span.0, span.1),
        [
            "2026-06-01T08:10:05",
            "2026-06-01T09:00:00",
            "2026-06-01T10:00:00"
        ]
    );
    let rate = timing("rate(1 hour)", "UTC", start, None);
    assert_eq!(
        runs(&rate, span.0, span.1),
        [
            "2026-06-01T08:10:05",
            "2026-06-01T09:10:05",
            "2026-06-01T10:10:05"
        ]
    );
    let on_the_grid = timing(
        "cron(0 * * * ? *)",
        "UTC",
        Some("2026-06-01T09:00:00"),
        None,
    );
    assert_eq!(
        runs(&on_the_grid, span.0, span.1),
        ["2026-06-01T09:00:00", "2026-06-01T10:00:00"],
        "once, not twice"
    );
    let once = timing("at(2026-06-01T09:00:00)", "UTC", start, None);
    assert_eq!(runs(&once, span.0, span.1), ["2026-06-01T09:00:00"]);
}

#[test]
fn a_start_that_is_past_is_no_run_and_still_gives_the_phase() {
    let rate = timing("rate(1 day)", "UTC", Some("2025-12-31T06:00:00"), None);
    assert!(!rate.runs_when_put());
    assert_eq!(
        runs(&rate, "2025-12-31T00:00:00", "2026-01-03T00:00:00"),
        ["2026-01-01T06:00:00", "2026-01-02T06:00:00"]
    );
}

#[test]
fn nothing_runs_after_the_end_or_before_the_start() {
    let span = ("2026-06-01T00:00:00", "2026-06-02T00:00:00");
    let (start, end) = (Some("2026-06-01T08:30:00"), Some("2026-06-01T10:00:00"));
    let cron = timing("cron(0 * * * ? *)", "UTC", start, end);
    assert_eq!(
        runs(&cron, span.0, span.1),
        [
            "2026-06-01T08:30:00",
            "2026-06-01T09:00:00",
            "2026-06-01T10:00:00"
        ]
    );
    for (at, runs_at_all) in [("08:00:00", false), ("09:00:00", true), ("10:00:01", false)] {
        let once = timing(&format!("at(2026-06-01T{at})"), "UTC", start, end);
        assert_eq!(!runs(&once, span.0, span.1).is_empty(), runs_at_all, "{at}");
    }
    let over = timing("rate(5 minutes)", "UTC", None, Some("2025-06-01T00:00:00"));
    assert!(!over.runs_when_put());
}

#[test]
fn only_a_rate_runs_when_it_is_put() {
    assert!(timing("rate(5 minutes)", "UTC", None, None).runs_when_put());
    assert!(!timing("cron(* * * * ? *)", "UTC", None, None).runs_when_put());
    assert!(!timing("at(2026-01-01T00:00:30)", "UTC", None, None).runs_when_put());
    // Strictly after: it was put 30 s into the minute.
    for (second, first) in [(30, "2026-01-01T00:01:30"), (31, "2026-01-01T00:00:31")] {
        let cron = timing(&format!("cron({second} * * * * ? *)"), "UTC", None, None);
        let all = runs(&cron, "2026-01-01T00:00:00", "2026-01-01T00:05:00");
        assert_eq!(all.first().unwrap(), first);
    }
}

#[test]
fn units_are_taken_in_either_number() {
    for (text, minutes) in [
        ("1 minute", 1),
        ("1 minutes", 1),
        ("5 minute", 5),
        ("2 hours", 120),
        ("1 day", 1440),
    ] {
        assert_eq!(
            interval(text),
            Some(Span::from_secs(60 * minutes)),
            "{text}"
        );
    }
}

#[test]
fn what_is_refused() {
    let parse = |schedule: &str, zone: &str| {
        Timing::parse(
            schedule,
            Some(zone),
            (None, None),
            utc("2026-01-01T00:00:00"),
        )
    };
    for schedule in [
        "",
        "0 8 * * *",
        "cron(0 8 * * *)",
        "cron(0 8 * * ? *",
        "Cron(0 8 * * ? *)",
        "every(5 minutes)",
        "rate(0 minutes)",
        "rate(-5 minutes)",
        "rate(5)",
        "rate(5 seconds)",
        "rate(5 minutes more)",
        "rate(1.5 hours)",
        "at(2026-13-01T00:00:00)",
        "at(2026-02-29T00:00:00)",
        "at(2026-02-01 00:00:00)",
        "at(2026-02-01T00:00)",
        "at(2026-2-01T00:00:000)",
        "at(2026-02-01T00:00:00Z)",
        // The hour that Berlin skips.
        "at(2026-03-29T02:30:00)",
    ] {
        assert!(parse(schedule, "Europe/Berlin").is_err(), "{schedule}");
    }
    for zone in [
        "",
        "Local",
        "+02:00",
        "W. Europe Standard Time",
        "Berlin",
        "europe/berlin",
    ] {
        assert!(parse("rate(5 minutes)", zone).is_err(), "{zone}");
    }
}
