//! The grammar as a whole, the nights on which clocks change, and laws.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "test code: an overflow is how a test fails"
)]

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn parse(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{error}; {}", error.remedy))
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

/// The firings after an instant, as UTC without seconds, while they are before another.
fn firings(text: &str, name: &str, after: &str, before: &str) -> Vec<String> {
    let (expression, zone, before) = (parse(text), zone(name), utc(before));
    let mut at = utc(after);
    let mut found = Vec::new();
    while let Some(next) = expression.next(zone, at, at).filter(|next| *next < before) {
        assert!(next > at, "{text}: {next} is not after {at}");
        assert_eq!(expression.previous(zone, next, at), Some(next), "{text}");
        found.push(next.format("%m-%d %H:%M").to_string());
        at = next;
    }
    found
}

#[test]
fn every_form_is_written_strictly_and_reads_back() {
    for (text, want) in [
        ("cron(0 8 ? * MON-FRI *)", "cron(0 8 ? * MON-FRI *)"),
        ("  0   8 ?\t* mon-fri * ", "cron(0 8 ? * MON-FRI *)"),
        ("cron( 0/15 * * * ? * )", "cron(0/15 * * * ? *)"),
        ("cron(30 0 18 l * ? *)", "cron(30 0 18 L * ? *)"),
        ("cron(0 9 ? * 2#1 2026-2030)", "cron(0 9 ? * 2#1 2026-2030)"),
        ("cron(00 09 1-15W * ? *)", "cron(0 9 1-15 * ? *)"),
        ("cron(0 0 31 2 ? *)", "cron(0 0 31 2 ? *)"),
        ("rate(5 minutes)", "rate(5 minutes)"),
        ("rate(1 minutes)", "rate(1 minute)"),
        ("rate( 5  minute )", "rate(5 minutes)"),
        ("rate(1 hours)", "rate(1 hour)"),
        ("rate(02 day)", "rate(2 days)"),
        ("at(2026-12-24T18:00:00)", "at(2026-12-24T18:00:00)"),
        ("2026-12-24T18:00:00", "at(2026-12-24T18:00:00)"),
    ] {
        let expression = parse(text);
        assert_eq!(expression.to_string(), want);
        assert_eq!(parse(want), expression, "{want}");
    }
}

fn rejected(text: &str, reason: &str, remedy: &str) {
    let error = Expression::parse(text).unwrap_err();
    let said = error.to_string();
    assert!(said.contains(reason), "{text}: {said}");
    assert!(error.remedy.contains(remedy), "{text}: {}", error.remedy);
}

/// What AWS rejects, with its reason, and the remedy that a person would type next.
#[test]
fn what_aws_rejects_comes_with_a_reason_and_the_right_form() {
    for (text, reason, remedy) in [
        (
            "0 8 * * 1-5",
            "five fields",
            "write `cron(0 8 ? * MON-FRI *)`",
        ),
        (
            "cron(0 8 * * *)",
            "five fields",
            "write `cron(0 8 * * ? *)`",
        ),
        ("0 8 1 * *", "five fields", "write `cron(0 8 1 * ? *)`"),
        (
            "0 8 * * 0,6",
            "five fields",
            "write `cron(0 8 ? * SUN,SAT *)`",
        ),
        (
            "*/5 8 * 1 5-7",
            "five fields",
            "write `cron(*/5 8 ? 1 FRI-SUN *)`",
        ),
        (
            "0 8 1 * 1",
            "five fields",
            "write two schedules, `cron(0 8 1 * ? *)` and `cron(0 8 ? * MON *)`",
        ),
        ("0 8 99 * *", "five fields", "write for example"),
        ("cron(0 8 * * * *)", "neither", "write `cron(0 8 * * ? *)`"),
        ("cron(0 8 ? * ? *)", "both `?`", "write `cron(0 8 * * ? *)`"),
        (
            "cron(0 8 * * MON *)",
            "neither",
            "write `cron(0 8 ? * MON *)`",
        ),
        (
            "cron(5 0 8 1 * * *)",
            "neither",
            "write `cron(5 0 8 1 * ? *)`",
        ),
        (
            "cron(0 8 1 * MON *)",
            "neither",
            "write two schedules, `cron(0 8 1 * ? *)` and `cron(0 8 ? * MON *)`",
        ),
        (
            "cron(0 0 8 ? * MON-FRI)",
            "month does not take",
            "write `cron(0 0 8 ? * MON-FRI *)`",
        ),
        ("cron(0 8 ? * 0 *)", "from 1 to 7", "1 is SUN"),
        (
            "cron(0 24 * * ? *)",
            "hours goes from 0 to 23",
            "hours takes 0-23",
        ),
        (
            "cron(0 8 L,15 * ? *)",
            "stands alone",
            "one schedule for each",
        ),
    ] {
        rejected(text, reason, remedy);
    }
}

#[test]
fn other_forms_that_aws_rejects_come_with_a_reason_too() {
    for (text, reason, remedy) in [
        ("cron(0 8 * * ? * * *)", "this has 8", "write for example"),
        ("cron(0 8 * * ? *", "brackets", "write cron(0 8 * * ? *)"),
        ("Cron(0 8 * * ? *)", "none of", "write cron(0 8 * * ? *)"),
        ("every(5 minutes)", "none of", "write for example"),
        ("", "none of", "write for example"),
        ("@daily", "none of", "write `cron(0 0 * * ? *)`"),
        ("5 minutes", "none of", "write `rate(5 minutes)`"),
        ("rate(0 minutes)", "counts from 1", "rate(5 minutes)"),
        (
            "rate(4294967296 minutes)",
            "counts from 1",
            "rate(5 minutes)",
        ),
        (
            "rate(99999999999999 days)",
            "counts from 1",
            "rate(5 minutes)",
        ),
        ("rate(1.5 hours)", "whole number", "rate(5 minutes)"),
        ("rate(-5 minutes)", "whole number", "rate(5 minutes)"),
        ("rate(5)", "whole number", "rate(5 minutes)"),
        ("rate(30 seconds)", "`seconds` is none", "below a minute"),
        ("rate(2 weeks)", "`weeks` is none", "rate(14 days)"),
        ("rate(5 Minutes)", "`Minutes` is none", "rate(5 minutes)"),
        (
            "at(2026-12-24T18:00:00Z)",
            "without a zone",
            "at(2026-12-24T18:00:00)",
        ),
        (
            "at(2026-12-24T18:00:00+01:00)",
            "without a zone",
            "at(2026-12-24T18:00:00)",
        ),
        (
            "at(2026-12-24T18:00:00.000)",
            "yyyy-mm-dd",
            "at(2026-12-24T18:00:00)",
        ),
        (
            "at(2026-12-24 18:00:00)",
            "yyyy-mm-dd",
            "at(2026-12-24T18:00:00)",
        ),
        ("2026-12-24T18:00", "yyyy-mm-dd", "at(2026-12-24T18:00:00)"),
        ("at(2026-12-24)", "yyyy-mm-dd", "at(2026-12-24T00:00:00)"),
        ("at(tomorrow)", "yyyy-mm-dd", "for example"),
        ("at(2026-02-29T00:00:00)", "no such date", "exist"),
        ("at(2026-12-31T23:59:60)", "no such date", "exist"),
        ("at(1969-12-31T23:59:59)", "1970 to 2199", "1970 to 2199"),
    ] {
        rejected(text, reason, remedy);
    }
}

/// The nights that matter. Instants by hand: the rules of each zone are in the comments.
#[test]
#[rustfmt::skip]
fn wall_clocks_are_kept_over_the_nights_on_which_they_change() {
    for (name, text, after, before, want) in [
        // Berlin, 2026-03-29: at 01:00Z from 02:00 to 03:00. +01:00 before, +02:00 after.
        ("Europe/Berlin", "0 8 * * ? *", "2026-03-27T12:00:00Z", "2026-03-31T00:00:00Z",
            vec!["03-28 07:00", "03-29 06:00", "03-30 06:00"]),
        ("Europe/Berlin", "30 2 * * ? *", "2026-03-27T12:00:00Z", "2026-03-31T00:00:00Z",
            vec!["03-28 01:30", "03-30 00:30"]),
        ("Europe/Berlin", "0/30 1-3 * * ? *", "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z",
            vec!["03-29 00:00", "03-29 00:30", "03-29 01:00", "03-29 01:30"]),
        // Berlin, 2026-10-25: at 01:00Z from 03:00 back to 02:00.
        ("Europe/Berlin", "30 2 * * ? *", "2026-10-23T12:00:00Z", "2026-10-27T00:00:00Z",
            vec!["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("Europe/Berlin", "0/30 * 25 10 ? 2026", "2026-10-24T23:30:00Z", "2026-10-25T03:00:00Z",
            vec!["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30"]),
        // New York, 2026-03-08: at 07:00Z from 02:00 to 03:00. -05:00 before, -04:00 after.
        ("America/New_York", "30 2 * * ? *", "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z",
            vec!["03-07 07:30", "03-09 06:30"]),
        ("America/New_York", "0 9 ? * SUN *", "2026-03-01T00:00:00Z", "2026-03-16T00:00:00Z",
            vec!["03-01 14:00", "03-08 13:00", "03-15 13:00"]),
        // New York, 2026-11-01: at 06:00Z from 02:00 back to 01:00.
        ("America/New_York", "0/20 1 * * ? *", "2026-11-01T04:00:00Z", "2026-11-02T00:00:00Z",
            vec!["11-01 05:00", "11-01 05:20", "11-01 05:40"]),
        ("America/New_York", "0/30 0-2 * * ? *", "2026-11-01T05:30:00Z", "2026-11-01T08:00:00Z",
            vec!["11-01 07:00", "11-01 07:30"]),
        // St John's, 2026-03-08: at 05:30Z from 02:00 to 03:00. -03:30 before, -02:30 after.
        ("America/St_Johns", "0 2,3 * * ? *", "2026-03-07T00:00:00Z", "2026-03-09T00:00:00Z",
            vec!["03-07 05:30", "03-07 06:30", "03-08 05:30"]),
        // Lord Howe, half an hour. 2026-10-04: at 15:30Z of the 3rd from 02:00 to 02:30. +10:30 before, +11:00 after.
        ("Australia/Lord_Howe", "0/15 2 * * ? *", "2026-10-03T12:00:00Z", "2026-10-03T18:00:00Z",
            vec!["10-03 15:30", "10-03 15:45"]),
        // Lord Howe, 2026-04-05: at 15:00Z of the 4th from 02:00 back to 01:30.
        ("Australia/Lord_Howe", "0/15 1-2 * * ? *", "2026-04-04T13:45:00Z", "2026-04-04T16:30:00Z",
            vec!["04-04 14:00", "04-04 14:15", "04-04 14:30", "04-04 14:45", "04-04 15:30", "04-04 15:45",
                "04-04 16:00", "04-04 16:15"]),
        // Sydney, south: 2026-04-05 at 16:00Z of the 4th from 03:00 back to 02:00; +11:00 before, +10:00 after.
        ("Australia/Sydney", "30 2 * * ? *", "2026-04-03T00:00:00Z", "2026-04-06T00:00:00Z",
            vec!["04-03 15:30", "04-04 15:30", "04-05 16:30"]),
        // Sydney, 2026-10-04: at 16:00Z of the 3rd from 02:00 to 03:00.
        ("Australia/Sydney", "30 2 * * ? *", "2026-10-01T20:00:00Z", "2026-10-06T00:00:00Z",
            vec!["10-02 16:30", "10-04 15:30", "10-05 15:30"]),
        // Santiago changes at midnight: 2026-09-06 at 04:00Z from 00:00 to 01:00; -04:00 before, -03:00 after.
        ("America/Santiago", "0 0 * * ? *", "2026-09-04T12:00:00Z", "2026-09-08T00:00:00Z",
            vec!["09-05 04:00", "09-07 03:00"]),
        // Santiago, 2026-04-05: at 03:00Z from 00:00 back to 23:00 of the 4th, so the last hour of the 4th comes twice.
        ("America/Santiago", "30 23 * * ? *", "2026-04-03T12:00:00Z", "2026-04-06T12:00:00Z",
            vec!["04-04 02:30", "04-05 02:30", "04-06 03:30"]),
        // São Paulo, 2018-11-04: at 03:00Z from 00:00 to 01:00; it gave up summer time in 2019.
        ("America/Sao_Paulo", "0 0 * * ? *", "2018-11-03T00:00:00Z", "2018-11-06T00:00:00Z",
            vec!["11-03 03:00", "11-05 02:00"]),
        // Kolkata, +05:30, knows no summer time.
        ("Asia/Kolkata", "0 8 * * ? *", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z",
            vec!["03-28 02:30", "03-29 02:30", "03-30 02:30"]),
        // Casablanca leaves +01:00 for Ramadan: 2026-02-15 at 02:00Z from 03:00 back to 02:00, 2026-03-22 at 02:00Z
        // from 02:00 to 03:00.
        ("Africa/Casablanca", "30 2 * * ? *", "2026-02-14T00:00:00Z", "2026-02-17T00:00:00Z",
            vec!["02-14 01:30", "02-15 01:30", "02-16 02:30"]),
        ("Africa/Casablanca", "30 2 * * ? *", "2026-03-21T00:00:00Z", "2026-03-24T00:00:00Z",
            vec!["03-21 02:30", "03-23 01:30"]),
        // Apia had no 30 December 2011: at 10:00Z from the 29th, 24:00, to the 31st, 00:00.
        ("Pacific/Apia", "0 12 * * ? *", "2011-12-28T00:00:00Z", "2012-01-01T00:00:00Z",
            vec!["12-28 22:00", "12-29 22:00", "12-30 22:00", "12-31 22:00"]),
    ] {
        assert_eq!(firings(text, name, after, before), want, "{text} in {name}");
    }
}

#[test]
fn looking_back_from_the_second_time_round_finds_the_whole_first() {
    let berlin = zone("Europe/Berlin");
    // 02:10 the second time round: 02:30 has been, 40 minutes ago.
    let half_past_two = parse("30 2 * * ? *");
    let at = utc("2026-10-25T01:10:00Z");
    assert_eq!(
        half_past_two.previous(berlin, at, at),
        Some(utc("2026-10-25T00:30:00Z"))
    );
    let every_minute = parse("* * * * ? *");
    assert_eq!(
        every_minute.previous(berlin, at, at),
        Some(utc("2026-10-25T00:59:00Z"))
    );
    assert_eq!(
        every_minute.next(berlin, utc("2026-10-25T00:59:00Z"), at),
        Some(utc("2026-10-25T02:00:00Z"))
    );
}

#[test]
fn once_means_once() {
    let berlin = zone("Europe/Berlin");
    let Expression::At(christmas) = parse("at(2026-12-24T18:00:00)") else {
        panic!("an at")
    };
    assert_eq!(
        christmas.instant(berlin).unwrap(),
        utc("2026-12-24T17:00:00Z")
    );
    assert_eq!(
        christmas.instant(Zone::UTC).unwrap(),
        utc("2026-12-24T18:00:00Z")
    );
    let (at, before) = (utc("2026-12-24T17:00:00Z"), utc("2026-12-24T16:59:59Z"));
    let expression = Expression::At(christmas);
    assert_eq!(expression.next(berlin, before, before), Some(at));
    assert_eq!(expression.next(berlin, at, at), None);
    assert_eq!(expression.previous(berlin, at, at), Some(at));
    assert_eq!(expression.previous(berlin, before, at), None);

    let Expression::At(twice) = parse("2026-10-25T02:30:00") else {
        panic!("an at")
    };
    assert_eq!(twice.instant(berlin).unwrap(), utc("2026-10-25T00:30:00Z"));

    let Expression::At(never) = parse("2026-03-29T02:30:00") else {
        panic!("an at")
    };
    let error = never.instant(berlin).unwrap_err();
    assert!(
        error.to_string().contains("no such time in Europe/Berlin"),
        "{error}"
    );
    assert!(
        error.remedy.contains("at(2026-03-29T03:00:00)"),
        "{}",
        error.remedy
    );
    assert_eq!(Expression::At(never).next(berlin, before, before), None);
}

#[test]
fn a_rate_counts_from_its_anchor_whatever_the_zone() {
    let (rate, zone) = (parse("rate(1 day)"), zone("Europe/Berlin"));
    let anchor = utc("2026-03-28T10:00:30Z");
    let next = |after| rate.next(zone, utc(after), anchor).unwrap();
    assert_eq!(next("2026-03-01T00:00:00Z"), anchor);
    assert_eq!(next("2026-03-28T10:00:29Z"), anchor);
    assert_eq!(next("2026-03-28T10:00:30Z"), utc("2026-03-29T10:00:30Z"));
    // A day is 24 hours, also over the change of the clocks.
    assert_eq!(next("2026-03-29T10:00:30Z"), utc("2026-03-30T10:00:30Z"));
    let previous = |at| rate.previous(zone, utc(at), anchor);
    assert_eq!(previous("2026-03-28T10:00:29Z"), None);
    assert_eq!(previous("2026-03-28T10:00:30Z"), Some(anchor));
    assert_eq!(previous("2026-03-29T10:00:29Z"), Some(anchor));
    assert_eq!(rate.next(zone, utc("2199-12-31T12:00:00Z"), anchor), None);
    assert_eq!(
        previous("2300-01-01T00:00:00Z"),
        Some(utc("2199-12-31T10:00:30Z"))
    );
    let slow = parse("rate(4294967295 days)");
    assert_eq!(slow.next(zone, anchor, anchor), None);
    assert_eq!(
        slow.previous(zone, utc("2199-01-01T00:00:00Z"), anchor),
        Some(anchor)
    );
}

/// All of these look through 230 years; stepping over their minutes would take minutes.
#[test]
fn what_never_fires_is_known_at_once() {
    let now = utc("2026-11-22T03:17:00Z");
    let berlin = zone("Europe/Berlin");
    for text in [
        "0 0 31 2 ? *",
        "0 0 30 FEB ? *",
        "0 0 31W 2,4,6,9,11 ? *",
        "0 0 L-30 4 ? *",
        "0 0 29 2 ? 2027",
        "0 0 ? 2 SUN#5 2027",
        "30 2 29 3 ? 2026",
    ] {
        let expression = parse(text);
        assert_eq!(expression.next(berlin, now, now), None, "{text}");
        assert_eq!(expression.previous(berlin, now, now), None, "{text}");
    }
    assert_eq!(parse("0 0 * * ? 1970-2025").next(berlin, now, now), None);
    assert_eq!(parse("0 0 * * ? 2027/1").previous(berlin, now, now), None);
}

/// The `cron` crate ends at 2100, AWS at 2199, and 2100 is no leap year. Weekdays by hand: 2104-02-29 and 2132-02-29
/// are Fridays, 2199-12-31 is a Tuesday.
#[test]
fn the_calendar_goes_to_2199() {
    let new_year = utc("2101-01-01T00:00:00Z");
    let next = |text, after| parse(text).next(Zone::UTC, utc(after), new_year);
    let previous = |text, at| parse(text).previous(Zone::UTC, utc(at), new_year);
    let leap = "0 0 29 2 ? *";
    assert_eq!(
        next(leap, "2096-02-29T00:00:00Z"),
        Some(utc("2104-02-29T00:00:00Z"))
    );
    assert_eq!(
        previous(leap, "2104-02-28T00:00:00Z"),
        Some(utc("2096-02-29T00:00:00Z"))
    );
    let friday = "0 0 ? 2 FRI#5 *";
    assert_eq!(
        next(friday, "2104-03-01T00:00:00Z"),
        Some(utc("2132-02-29T00:00:00Z"))
    );
    let daily = "0 12 * * ? *";
    assert_eq!(
        next(daily, "2100-12-31T12:00:00Z"),
        Some(utc("2101-01-01T12:00:00Z"))
    );
    assert_eq!(
        previous(daily, "2101-01-01T11:59:59Z"),
        Some(utc("2100-12-31T12:00:00Z"))
    );
    assert_eq!(
        next(daily, "2199-12-31T11:00:00Z"),
        Some(utc("2199-12-31T12:00:00Z"))
    );
    assert_eq!(next(daily, "2199-12-31T12:00:00Z"), None);
    assert_eq!(next(daily, "2500-01-01T00:00:00Z"), None);
    assert_eq!(
        previous(daily, "2500-01-01T00:00:00Z"),
        Some(utc("2199-12-31T12:00:00Z"))
    );
    assert_eq!(previous(daily, "1970-01-01T11:59:59Z"), None);
    assert_eq!(
        next(daily, "1900-01-01T00:00:00Z"),
        Some(utc("1970-01-01T12:00:00Z"))
    );
    assert_eq!(
        previous("0 0 ? * TUEL *", "2300-01-01T00:00:00Z"),
        Some(utc("2199-12-31T00:00:00Z"))
    );
    assert_eq!(
        next("0 0 1 1 ? 2150", "2026-01-01T00:00:00Z"),
        Some(utc("2150-01-01T00:00:00Z"))
    );
    // An earlier year than that of the instant: the crate's own search would stay in its month.
    assert_eq!(
        previous(
            daily.replace("? *", "? 2024").as_str(),
            "2026-03-15T00:00:00Z"
        ),
        Some(utc("2024-12-31T12:00:00Z"))
    );
}

#[test]
fn fractions_of_a_second_do_not_hide_a_firing() {
    let every = parse("* * * * * ? *");
    let at = utc("2026-11-22T03:17:00.5Z");
    assert_eq!(
        every.next(Zone::UTC, at, at),
        Some(utc("2026-11-22T03:17:01Z"))
    );
    assert_eq!(
        every.previous(Zone::UTC, at, at),
        Some(utc("2026-11-22T03:17:00Z"))
    );
}

/// Whether a local time is one that the fields name, decided without anything but chrono: a second reading of the
/// grammar, for plain fields and each of the special days.
fn names(spec: &Spec, local: NaiveDateTime) -> bool {
    let last = u32::from(local.date().num_days_in_month());
    let week = local.weekday().number_from_sunday();
    let nearest = |target: u32| {
        let target = NaiveDate::from_ymd_opt(local.year(), local.month(), target)?;
        (-2_i64..=2)
            .filter_map(|off| {
                let near = target + TimeDelta::days(off);
                let weekday = (2..=6).contains(&near.weekday().number_from_sunday());
                let same = near.month() == target.month();
                (weekday && same).then_some((off.abs(), near.day()))
            })
            .min()
            .map(|(_, day)| day)
    };
    let day = match spec.day {
        SpecDay::Month(from, to, step) => spread(from, to, step, 1, 31).contains(&local.day()),
        SpecDay::Week(from, to, step) => spread(from, to, step, 1, 7).contains(&week),
        SpecDay::Last(before) => local.day() + before == last,
        SpecDay::LastWeekday(before) => {
            last > before && nearest(last - before) == Some(local.day())
        }
        SpecDay::Nearest(target) => nearest(target) == Some(local.day()),
        SpecDay::LastOf(day) => week == day && local.day() + 7 > last,
        SpecDay::Nth(day, nth) => week == day && (local.day() - 1) / 7 + 1 == nth,
    };
    let (from, to, step) = spec.minute;
    let (year_from, year_to) = spec.year;
    day && local.second() == 0
        && spread(from, to, step, 0, 59).contains(&local.minute())
        && spread(spec.hour.0, spec.hour.1, spec.hour.2, 0, 23).contains(&local.hour())
        && spread(spec.month.0, spec.month.1, spec.month.2, 1, 12).contains(&local.month())
        && (year_from..=year_to).contains(&local.year())
}

fn spread(from: u32, to: u32, step: u32, min: u32, max: u32) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::new();
    let mut at = from;
    loop {
        all.push(at);
        if at == to {
            break;
        }
        at = if at == max { min } else { at + 1 };
    }
    all.into_iter()
        .step_by(usize::try_from(step).unwrap())
        .collect()
}

type Span = (u32, u32, u32);

#[derive(Debug, Clone)]
struct Spec {
    minute: Span,
    hour: Span,
    month: Span,
    year: (i32, i32),
    day: SpecDay,
}

#[derive(Debug, Clone)]
enum SpecDay {
    Month(u32, u32, u32),
    Week(u32, u32, u32),
    Last(u32),
    LastWeekday(u32),
    Nearest(u32),
    LastOf(u32),
    Nth(u32, u32),
}

impl Spec {
    fn text(&self) -> String {
        let span = |(from, to, step): Span| format!("{from}-{to}/{step}");
        let (month_day, week_day) = match self.day {
            SpecDay::Month(from, to, step) => (span((from, to, step)), "?".to_owned()),
            SpecDay::Week(from, to, step) => ("?".to_owned(), span((from, to, step))),
            SpecDay::Last(before) => (format!("L-{before}"), "?".to_owned()),
            SpecDay::LastWeekday(before) => (format!("L-{before}W"), "?".to_owned()),
            SpecDay::Nearest(day) => (format!("{day}W"), "?".to_owned()),
            SpecDay::LastOf(day) => ("?".to_owned(), format!("{day}L")),
            SpecDay::Nth(day, nth) => ("?".to_owned(), format!("{day}#{nth}")),
        };
        let (minute, hour, month) = (span(self.minute), span(self.hour), span(self.month));
        let (from, to) = self.year;
        format!("{minute} {hour} {month_day} {month} {week_day} {from}-{to}")
    }
}

fn any_span(min: u32, max: u32) -> impl Strategy<Value = Span> {
    (min..=max, min..=max, 1..=max)
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let day = prop_oneof![
        any_span(1, 31).prop_map(|(a, b, c)| SpecDay::Month(a, b, c)),
        any_span(1, 7).prop_map(|(a, b, c)| SpecDay::Week(a, b, c)),
        (0_u32..=30).prop_map(SpecDay::Last),
        (0_u32..=30).prop_map(SpecDay::LastWeekday),
        (1_u32..=31).prop_map(SpecDay::Nearest),
        (1_u32..=7).prop_map(SpecDay::LastOf),
        (1_u32..=7, 1_u32..=5).prop_map(|(a, b)| SpecDay::Nth(a, b)),
    ];
    let year = (2020_i32..2032, 0_i32..6).prop_map(|(from, more)| (from, from + more));
    (any_span(0, 59), any_span(0, 23), any_span(1, 12), year, day).prop_map(
        |(minute, hour, month, year, day)| Spec {
            minute,
            hour,
            month,
            year,
            day,
        },
    )
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "America/Santiago",
        "Africa/Casablanca",
        "Asia/Kolkata",
        "Pacific/Apia",
    ])
    .prop_map(zone)
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    // 2010 to 2040.
    (1_262_304_000_i64..2_208_988_800).prop_map(|secs| DateTime::from_timestamp(secs, 0).unwrap())
}

proptest! {
    #[test]
    fn firings_are_after_match_the_fields_and_agree_both_ways(
        spec in any_spec(), zone in any_zone(), after in any_instant()
    ) {
        let expression = parse(&spec.text());
        if let Some(next) = expression.next(zone, after, after) {
            prop_assert!(next > after);
            prop_assert!(names(&spec, zone.local(next).naive_local()), "{} gave {}", spec.text(), next);
            prop_assert_eq!(expression.previous(zone, next, after), Some(next));
            // Between an instant and its next firing nothing fires.
            let just_before = next - TimeDelta::seconds(1);
            prop_assert_eq!(expression.next(zone, just_before, after), Some(next));
            let earlier = expression.previous(zone, just_before, after);
            prop_assert_eq!(earlier, expression.previous(zone, after, after));
            if let Some(earlier) = earlier {
                prop_assert!(earlier <= after);
                prop_assert!(names(&spec, zone.local(earlier).naive_local()));
                prop_assert_eq!(expression.next(zone, earlier, after), Some(next));
            }
            let then = expression.next(zone, next, after);
            prop_assert!(then.is_none_or(|then| then > next));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every minute of three days is looked at, and the firings are those whose wall clock the fields name, but for a
    /// wall clock that has been there before.
    #[test]
    fn no_minute_is_missed_and_none_is_added(
        spec in any_spec(), zone in any_zone(), night in prop::sample::select(vec![
            "2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-03-07T00:00:00Z", "2026-10-31T00:00:00Z",
            "2026-04-04T00:00:00Z", "2026-10-02T00:00:00Z", "2026-09-05T00:00:00Z", "2026-02-14T00:00:00Z",
            "2011-12-29T00:00:00Z", "2028-02-28T00:00:00Z", "2026-12-30T00:00:00Z",
        ])
    ) {
        let spec = Spec { year: (2000, 2040), month: (1, 12, 1), ..spec };
        let expression = parse(&spec.text());
        let start = utc(night);
        // No clock of these zones has gone back by more than three hours.
        let mut seen = BTreeSet::new();
        let mut want = Vec::new();
        for minute in -180..(3 * 24 * 60) {
            let at = start + TimeDelta::minutes(minute);
            let local = zone.local(at).naive_local();
            if seen.insert(local) && minute > 0 && names(&spec, local) {
                want.push(at);
            }
        }
        let end = start + TimeDelta::days(3);
        let mut found = Vec::new();
        let mut at = start;
        while let Some(next) = expression.next(zone, at, at).filter(|next| *next < end) {
            found.push(next);
            at = next;
        }
        prop_assert_eq!(&found, &want, "{}", spec.text());
        let mut back = Vec::new();
        let mut at = end - TimeDelta::seconds(1);
        while let Some(previous) = expression.previous(zone, at, at).filter(|previous| *previous > start) {
            back.push(previous);
            at = previous - TimeDelta::seconds(1);
        }
        back.reverse();
        prop_assert_eq!(back, want, "{}", spec.text());
    }
}

proptest! {
    #[test]
    fn nothing_that_is_typed_panics(text in "[a-z(]{0,5}[0-9A-Z*?,/# ()LW@:T-]{0,30}\\)?") {
        if let Ok(expression) = Expression::parse(&text) {
            prop_assert_eq!(&parse(&expression.to_string()), &expression);
        }
    }

    #[test]
    fn a_rate_keeps_its_phase(value in 1_u32..100_000, anchor in any_instant(), after in any_instant()) {
        let rate = parse(&format!("rate({value} minutes)"));
        let next = rate.next(Zone::UTC, after, anchor).unwrap();
        prop_assert!(next > after && next >= anchor);
        prop_assert_eq!((next - anchor).num_seconds() % (i64::from(value) * 60), 0);
        prop_assert_eq!(rate.previous(Zone::UTC, next, anchor), Some(next));
        let before = rate.previous(Zone::UTC, after, anchor);
        prop_assert!(before.is_none_or(|before| before <= after && before + TimeDelta::minutes(value.into()) == next));
    }
}
