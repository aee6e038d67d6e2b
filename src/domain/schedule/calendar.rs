//! Which local times a cron expression names, on a wall clock that knows no zone.
//!
//! The `cron` crate searches; local times are dressed as UTC for it, so that zones stay out of its way. This module
//! adds what it lacks: the days of [`DayRule`], and the years past 2100.
//!
//! # Design notes
//!
//! - The crate knows the years 1970 to 2100, AWS those to 2199. The calendars of 2101 to 2199 and of 1977 to 2075 are
//!   the same, day for day (124 years are a whole number of weeks, and neither span has a year that breaks the rule of
//!   four), so the crate is asked about the earlier span and its answer is moved.
//! - The crate's search backward takes over the month and day of the instant that it starts from even into an earlier
//!   year, when its own year is not among the years. It is therefore always started in a year that is.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use cron::{Schedule, TimeUnitSpec};

use super::day::DayRule;
use super::field::Field;

/// The last year that the `cron` crate knows.
const LAST_NEAR: u32 = 2100;
/// How far the years after that are moved.
const MOVED_YEARS: u32 = 124;
/// The same in days: 6470 weeks.
const MOVED: TimeDelta = TimeDelta::days(45_290);
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// What a calendar is made of. `None` among the days means all of them.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) seconds: &'a BTreeSet<u32>,
    pub(super) minutes: &'a BTreeSet<u32>,
    pub(super) hours: &'a BTreeSet<u32>,
    pub(super) days_of_month: Option<&'a BTreeSet<u32>>,
    pub(super) months: &'a BTreeSet<u32>,
    pub(super) days_of_week: Option<&'a BTreeSet<u32>>,
    pub(super) years: &'a BTreeSet<u32>,
    pub(super) rule: Option<DayRule>,
}

/// The local times of a cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calendar {
    near: Option<Schedule>,
    far: Option<Schedule>,
    rule: Option<DayRule>,
}

impl Calendar {
    /// # Errors
    /// If the crate does not take what has already been read here, which would be a fault of ours.
    pub(super) fn new(parts: &Parts<'_>) -> Result<Self, cron::error::Error> {
        let (near, far): (BTreeSet<u32>, BTreeSet<u32>) =
            parts.years.iter().partition(|year| **year <= LAST_NEAR);
        let far: BTreeSet<u32> = far
            .iter()
            .map(|year| year.saturating_sub(MOVED_YEARS))
            .collect();
        Ok(Self {
            near: search(parts, &near)?,
            far: search(parts, &far)?,
            rule: parts.rule,
        })
    }

    /// The first of the local times after another, to 2199.
    pub(super) fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut after = after;
        loop {
            let found = self.plain_next(after)?;
            match self.in_rule(found) {
                Aim::Hit => return Some(found),
                Aim::Ahead(day) => after = day.and_hms_opt(0, 0, 0)?.checked_sub_signed(SECOND)?,
                Aim::Behind => {
                    let month = found.date().with_day(1)?;
                    let next = month.checked_add_months(chrono::Months::new(1))?;
                    after = next.and_hms_opt(0, 0, 0)?.checked_sub_signed(SECOND)?;
                }
            }
        }
    }

    /// The last of the local times before another, from 1970.
    pub(super) fn previous(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut before = before;
        loop {
            let found = self.plain_previous(before)?;
            match self.in_rule(found) {
                Aim::Hit => return Some(found),
                // Of this month everything is too early, so the month before is next.
                Aim::Ahead(_) => before = found.date().with_day(1)?.and_hms_opt(0, 0, 0)?,
                Aim::Behind => {
                    let day = self.rule.and_then(|rule| day_of(rule, found.date()));
                    before = match day {
                        Some(day) => day.succ_opt()?.and_hms_opt(0, 0, 0)?,
                        None => found.date().with_day(1)?.and_hms_opt(0, 0, 0)?,
                    };
                }
            }
        }
    }

    fn in_rule(&self, found: NaiveDateTime) -> Aim {
        let Some(rule) = self.rule else {
            return Aim::Hit;
        };
        match day_of(rule, found.date()) {
            Some(day) if day == found.date() => Aim::Hit,
            Some(day) if day > found.date() => Aim::Ahead(day),
            Some(_) | None => Aim::Behind,
        }
    }

    fn plain_next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let forward = |schedule: &Option<Schedule>, after: NaiveDateTime| {
            // The crate's years are unsigned.
            let after = after.max(start_of(1970)?.checked_sub_signed(SECOND)?);
            let found = schedule.as_ref()?.after(&after.and_utc()).next()?;
            Some(found.naive_utc())
        };
        forward(&self.near, after).or_else(|| {
            let after =
                after.max(start_of(LAST_NEAR.saturating_add(1))?.checked_sub_signed(SECOND)?);
            forward(&self.far, after.checked_sub_signed(MOVED)?)?.checked_add_signed(MOVED)
        })
    }

    fn plain_previous(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let far = before
            .checked_sub_signed(MOVED)
            .and_then(|before| backward(self.far.as_ref()?, before))
            .and_then(|found| found.checked_add_signed(MOVED));
        far.or_else(|| backward(self.near.as_ref()?, before))
    }
}

/// Where the day of a rule is, seen from a date in its month.
enum Aim {
    Hit,
    Ahead(NaiveDate),
    Behind,
}

fn day_of(rule: DayRule, date: NaiveDate) -> Option<NaiveDate> {
    date.with_day(rule.day_in(date.year(), date.month())?)
}

fn start_of(year: u32) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, 1, 1)?.and_hms_opt(0, 0, 0)
}

fn backward(schedule: &Schedule, before: NaiveDateTime) -> Option<NaiveDateTime> {
    let latest = before.checked_sub_signed(SECOND)?;
    let year = u32::try_from(latest.year()).ok()?;
    let year = schedule.years().range(..=year).next_back()?;
    let before = before.min(start_of(year.saturating_add(1))?);
    let before: DateTime<Utc> = before.and_utc();
    let found = schedule.after(&before).next_back()?;
    Some(found.naive_utc())
}

/// The crate's schedule, or `None` if there is no year for it.
fn search(
    parts: &Parts<'_>,
    years: &BTreeSet<u32>,
) -> Result<Option<Schedule>, cron::error::Error> {
    if years.is_empty() {
        return Ok(None);
    }
    let all_near = usize::try_from(LAST_NEAR.saturating_sub(1969)).ok();
    let years = if Some(years.len()) == all_near {
        "*".to_owned()
    } else {
        list(years)
    };
    let days = |set: Option<&BTreeSet<u32>>| set.map_or_else(|| "*".to_owned(), list);
    let text = format!(
        "{} {} {} {} {} {} {years}",
        list(parts.seconds),
        list(parts.minutes),
        list(parts.hours),
        days(parts.days_of_month),
        list(parts.months),
        days(parts.days_of_week),
    );
    Schedule::from_str(&text).map(Some)
}

fn list(set: &BTreeSet<u32>) -> String {
    let numbers: Vec<String> = set.iter().map(u32::to_string).collect();
    numbers.join(",")
}

/// Whether a year is one of AWS's.
pub(super) fn is_in_range(year: i32) -> bool {
    let (first, last) = Field::Year.range();
    u32::try_from(year).is_ok_and(|year| (first..=last).contains(&year))
}
