//! Cron expressions of six or seven fields (aws-autoscaling.md 4.1), read into sets of numbers.
//!
//! The only question is whether a local minute belongs to them. Nothing here looks for the next one: a search has
//! bugs of its own, and code that searches is what this engine is used to check.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike, Weekday};

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    /// The second of a minute at which it runs: the first of the field, 0 without one. Minutes are the finest
    /// resolution that AWS documents.
    second: u32,
    minutes: Set,
    hours: Set,
    months: Set,
    years: Set,
    days: Days,
}

/// Which days it runs on: one of the two day fields is always `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<MonthDay>),
    OfWeek(Vec<WeekDay>),
}

/// One entry of the day-of-month field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum MonthDay {
    In(Set),
    /// So many days before the last one.
    BeforeLast(u32),
    /// The weekday nearest to the day so many days before the last one.
    WeekdayNearLast(u32),
    /// The weekday nearest to a day.
    WeekdayNear(u32),
}

/// One entry of the day-of-week field; Sunday is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
enum WeekDay {
    In(Set),
    /// The last such day of a month.
    Last(u32),
    /// The k-th such day of a month.
    Nth(u32, u32),
}

/// A set of small numbers: which of them are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set(Vec<bool>);

impl Set {
    fn contains(&self, number: u32) -> bool {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        self.0.get(at).copied().unwrap_or(false)
    }

    fn smallest(&self) -> Option<u32> {
        u32::try_from(self.0.iter().position(|held| *held)?).ok()
    }
}

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names of numbers, the first for `min`.
    names: &'static [&'static str],
    /// Whether a range may go on at `min` after `max`.
    wraps: bool,
}

const fn field(name: &'static str, min: u32, max: u32) -> Field {
    Field {
        name,
        min,
        max,
        names: &[],
        wraps: true,
    }
}

const SECONDS: Field = field("Seconds", 0, 59);
const MINUTES: Field = field("Minutes", 0, 59);
const HOURS: Field = field("Hours", 0, 23);
const DAY_OF_MONTH: Field = field("Day-of-month", 1, 31);
const MONTH: Field = Field {
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    ..field("Month", 1, 12)
};
const DAY_OF_WEEK: Field = Field {
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ..field("Day-of-week", 1, 7)
};
const YEAR: Field = Field {
    wraps: false,
    ..field("Year", 1970, 2199)
};

impl Field {
    fn wrong(&self, text: &str) -> String {
        format!("{} cannot be {text}", self.name)
    }

    /// One number or name.
    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| *name == text);
        let number = match named.and_then(|i| u32::try_from(i).ok()) {
            Some(place) => Some(self.min + place),
            None => number(text),
        };
        number
            .filter(|n| (self.min..=self.max).contains(n))
            .ok_or_else(|| self.wrong(text))
    }

    /// `*`, `a`, `a-b`, and each of them with `/step`.
    fn part(&self, text: &str) -> Result<Set, String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let every = match step {
            None => 1,
            Some(step) => number(step)
                .filter(|n| (1..=self.max).contains(n))
                .ok_or_else(|| self.wrong(text))?,
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            // `a/b` goes on to the end of the field.
            None if step.is_some() => (self.value(range)?, self.max),
            None => (self.value(range)?, self.value(range)?),
        };
        if from > to && !self.wraps {
            return Err(self.wrong(text));
        }
        let to = if from > to {
            to + (self.max + 1 - self.min)
        } else {
            to
        };
        let mut set = Set(Vec::new());
        for number in (from..=to).step_by(usize::try_from(every).unwrap_or(1)) {
            let wrapped = if number > self.max {
                number - (self.max + 1 - self.min)
            } else {
                number
            };
            set.insert(wrapped);
        }
        Ok(set)
    }

    /// A list of parts.
    fn set(&self, text: &str) -> Result<Set, String> {
        let mut all = Set(Vec::new());
        for part in text.split(',') {
            let part = self.part(part)?;
            for number in 0..=self.max {
                if part.contains(number) {
                    all.insert(number);
                }
            }
        }
        Ok(all)
    }
}

impl Set {
    fn insert(&mut self, number: u32) {
        let at = usize::try_from(number).unwrap_or(0);
        if self.0.len() <= at {
            self.0.resize(at + 1, false);
        }
        if let Some(held) = self.0.get_mut(at) {
            *held = true;
        }
    }
}

/// Digits only: the standard parser would also take a sign.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl Cron {
    /// Reads what stands between the parentheses.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let fields: Vec<&str> = upper.split_ascii_whitespace().collect();
        let (second, six) = match fields.as_slice() {
            [seconds, six @ ..] if six.len() == 6 => (
                SECONDS.set(seconds)?.smallest().unwrap_or_default(),
                six.to_vec(),
            ),
            six => (0, six.to_vec()),
        };
        let &[minutes, hours, day, month, weekday, year] = six.as_slice() else {
            return Err(format!(
                "cron takes six fields, or seven with seconds, and not {}",
                fields.len()
            ));
        };
        let days = match (day, weekday) {
            ("?", "?") => {
                return Err("Day-of-month and Day-of-week cannot both be ?".to_owned());
            }
            ("?", weekday) => Days::OfWeek(week_days(weekday)?),
            (day, "?") => Days::OfMonth(month_days(day)?),
            _ => return Err("one of Day-of-month and Day-of-week must be ?".to_owned()),
        };
        Ok(Self {
            second,
            minutes: MINUTES.set(minutes)?,
            hours: HOURS.set(hours)?,
            months: MONTH.set(month)?,
            years: YEAR.set(year)?,
            days,
        })
    }

    pub(super) fn second(&self) -> u32 {
        self.second
    }

    /// Whether it runs in a local minute.
    pub(super) fn matches(&self, local: NaiveDateTime) -> bool {
        self.minutes.contains(local.minute())
            && self.hours.contains(local.hour())
            && self.months.contains(local.month())
            && u32::try_from(local.year()).is_ok_and(|year| self.years.contains(year))
            && self.days.contain(local.date())
    }
}

impl Days {
    fn contain(&self, date: NaiveDate) -> bool {
        let last = u32::from(date.num_days_in_month());
        match self {
            Self::OfMonth(parts) => parts.iter().any(|part| match part {
                MonthDay::In(set) => set.contains(date.day()),
                MonthDay::BeforeLast(n) => last.checked_sub(*n) == Some(date.day()),
                MonthDay::WeekdayNearLast(n) => last
                    .checked_sub(*n)
                    .is_some_and(|day| nearest_weekday(date, day) == Some(date)),
                MonthDay::WeekdayNear(day) => nearest_weekday(date, *day) == Some(date),
            }),
            Self::OfWeek(parts) => {
                let weekday = date.weekday().number_from_sunday();
                parts.iter().any(|part| match part {
                    WeekDay::In(set) => set.contains(weekday),
                    WeekDay::Last(wanted) => weekday == *wanted && date.day() + 7 > last,
                    WeekDay::Nth(wanted, k) => weekday == *wanted && date.day().div_ceil(7) == *k,
                })
            }
        }
    }
}

/// The weekday nearest to a day of the month that `month` lies in, without leaving it; nothing when the month has no
/// such day.
fn nearest_weekday(month: NaiveDate, day: u32) -> Option<NaiveDate> {
    let date = month.with_day(day)?;
    let inside = |date: Option<NaiveDate>| date.filter(|d| d.month() == month.month());
    match date.weekday() {
        Weekday::Sat => inside(date.pred_opt()).or_else(|| date.checked_add_days(DAYS_2)),
        Weekday::Sun => inside(date.succ_opt()).or_else(|| date.checked_sub_days(DAYS_2)),
        Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu | Weekday::Fri => Some(date),
    }
}

const DAYS_2: chrono::Days = chrono::Days::new(2);

fn month_days(text: &str) -> Result<Vec<MonthDay>, String> {
    text.split(',').map(month_day).collect()
}

fn month_day(part: &str) -> Result<MonthDay, String> {
    let wrong = || DAY_OF_MONTH.wrong(part);
    if let Some(rest) = part.strip_prefix('L') {
        let (before, weekday) = match rest.strip_suffix('W') {
            Some(before) => (before, true),
            None => (rest, false),
        };
        let days = match before.strip_prefix('-') {
            Some(days) => number(days).filter(|n| *n <= 30).ok_or_else(wrong)?,
            None if before.is_empty() => 0,
            None => return Err(wrong()),
        };
        return Ok(if weekday {
            MonthDay::WeekdayNearLast(days)
        } else {
            MonthDay::BeforeLast(days)
        });
    }
    if let Some(day) = part.strip_suffix('W') {
        // On a range the W counts for nothing, as the emulator of aws-autoscaling.md 4.1 observed.
        return if day.contains('-') {
            DAY_OF_MONTH.part(day).map(MonthDay::In)
        } else {
            DAY_OF_MONTH.value(day).map(MonthDay::WeekdayNear)
        };
    }
    DAY_OF_MONTH.part(part).map(MonthDay::In)
}

fn week_days(text: &str) -> Result<Vec<WeekDay>, String> {
    if text.contains('#') && text.contains(',') {
        return Err("Day-of-week takes one expression only when it has a #".to_owned());
    }
    text.split(',').map(week_day).collect()
}

fn week_day(part: &str) -> Result<WeekDay, String> {
    if let Some((day, k)) = part.split_once('#') {
        let k = number(k).filter(|k| (1..=5).contains(k));
        let k = k.ok_or_else(|| DAY_OF_WEEK.wrong(part))?;
        return Ok(WeekDay::Nth(DAY_OF_WEEK.value(day)?, k));
    }
    match part.strip_suffix('L') {
        // On its own it means the last day of the week.
        Some("") => DAY_OF_WEEK.part("7").map(WeekDay::In),
        Some(day) => DAY_OF_WEEK.value(day).map(WeekDay::Last),
        None => DAY_OF_WEEK.part(part).map(WeekDay::In),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: [u32; 0] = [];

    fn cron(text: &str) -> Cron {
        Cron::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    /// The days of a month at whose noon an expression matches.
    fn days(day: &str, weekday: &str, year: i32, month: u32) -> Vec<u32> {
        let cron = cron(&format!("0 12 {day} * {weekday} *"));
        let noon = |d| NaiveDate::from_ymd_opt(year, month, d)?.and_hms_opt(12, 0, 0);
        (1..=31)
            .filter(|d| noon(*d).is_some_and(|t| cron.matches(t)))
            .collect()
    }

    /// The minutes of 2026-03-02 at which an expression matches, as `HH:MM`.
    fn times(minutes: &str, hours: &str) -> Vec<String> {
        let cron = cron(&format!("{minutes} {hours} * * ? *"));
        let midnight = NaiveDate::from_ymd_opt(2026, 3, 2)
            .unwrap()
            .and_hms_opt(0, 0, 0)
            .unwrap();
        (0..1440)
            .map(|m| midnight + chrono::TimeDelta::minutes(m))
            .filter(|t| cron.matches(*t))
            .map(|t| t.format("%H:%M").to_string())
            .collect()
    }

    #[test]
    fn lists_ranges_and_steps() {
        assert_eq!(times("30", "8"), ["08:30"]);
        assert_eq!(times("0,59", "8"), ["08:00", "08:59"]);
        assert_eq!(times("0/20", "8"), ["08:00", "08:20", "08:40"]);
        assert_eq!(times("50/5", "8"), ["08:50", "08:55"]);
        assert_eq!(times("*/30", "8"), ["08:00", "08:30"]);
        assert_eq!(times("10-20/5", "8"), ["08:10", "08:15", "08:20"]);
        assert_eq!(times("0", "22-1"), ["00:00", "01:00", "22:00", "23:00"]);
        assert_eq!(times("0", "22-2/2"), ["00:00", "02:00", "22:00"]);
        assert_eq!(times("*", "*").len(), 1440);
    }

    /// March 2026 begins on a Sunday and ends on a Tuesday.
    #[test]
    fn days_of_the_month() {
        assert_eq!(days("L", "?", 2026, 3), [31]);
        assert_eq!(days("L", "?", 2024, 2), [29]);
        assert_eq!(days("L-3", "?", 2026, 3), [28]);
        assert_eq!(days("1,L", "?", 2026, 3), [1, 31]);
        // Saturday the 14th: the Friday before. Sunday the 15th: the Monday after.
        assert_eq!(days("14W", "?", 2026, 3), [13]);
        assert_eq!(days("15W", "?", 2026, 3), [16]);
        assert_eq!(days("16W", "?", 2026, 3), [16]);
        // Never out of the month: Sunday 1 March, Saturday 1 August, Sunday 31 May, Saturday 31 January 2026.
        assert_eq!(days("1W", "?", 2026, 3), [2]);
        assert_eq!(days("1W", "?", 2026, 8), [3]);
        assert_eq!(days("LW", "?", 2026, 5), [29]);
        assert_eq!(days("LW", "?", 2026, 1), [30]);
        assert_eq!(days("L-2W", "?", 2026, 5), [29]);
        assert_eq!(days("31W", "?", 2026, 4), NEVER);
        assert_eq!(days("2-4W", "?", 2026, 3), [2, 3, 4]);
        assert_eq!(days("30-2", "?", 2026, 3), [1, 2, 30, 31]);
        // A date that does not exist is taken and never comes.
        assert_eq!(days("31", "?", 2026, 2), NEVER);
        assert_eq!(days("L-30", "?", 2026, 2), NEVER);
    }

    #[test]
    fn days_of_the_week_count_from_sunday() {
        assert_eq!(days("?", "1", 2026, 3), [1, 8, 15, 22, 29]);
        assert_eq!(days("?", "sun", 2026, 3), [1, 8, 15, 22, 29]);
        assert_eq!(days("?", "L", 2026, 3), [7, 14, 21, 28]);
        assert_eq!(days("?", "6L", 2026, 3), [27]);
        assert_eq!(days("?", "FRIL", 2026, 3), [27]);
        assert_eq!(days("?", "2#1", 2026, 3), [2]);
        assert_eq!(days("?", "SUN#5", 2026, 3), [29]);
        assert_eq!(days("?", "SUN#5", 2026, 2), NEVER);
        let long_weekend = [
            1, 2, 6, 7, 8, 9, 13, 14, 15, 16, 20, 21, 22, 23, 27, 28, 29, 30,
        ];
        assert_eq!(days("?", "FRI-MON", 2026, 3), long_weekend);
    }

    #[test]
    fn months_and_years() {
        let noon = |y, m| {
            NaiveDate::from_ymd_opt(y, m, 1)
                .unwrap()
                .and_hms_opt(12, 0, 0)
                .unwrap()
        };
        let winter = cron("0 12 1 nov-FEB ? 2026-2028/2");
        let expect = [
            (2026, 1, true),
            (2026, 3, false),
            (2026, 11, true),
            (2027, 1, false),
            (2028, 2, true),
        ];
        for (year, month, runs) in expect {
            assert_eq!(winter.matches(noon(year, month)), runs, "{year}-{month}");
        }
    }

    #[test]
    fn a_field_of_seconds_may_lead() {
        assert_eq!(cron("0 8 * * ? *").second(), 0);
        assert_eq!(cron("30 0 8 * * ? *").second(), 30);
        assert_eq!(cron("40,20 0 8 * * ? *").second(), 20);
    }

    #[test]
    fn what_aws_does_not_take() {
        for text in [
            "",
            "0 8 * * *",
            "0 8 * * * *",
            "0 8 ? * ? *",
            "0 8 * * 1 *",
            "60 8 * * ? *",
            "0 24 * * ? *",
            "0 8 0 * ? *",
            "0 8 32 * ? *",
            "0 8 * 13 ? *",
            "0 8 ? * 0 *",
            "0 8 ? * 8 *",
            "0 8 * * ? 1969",
            "0 8 * * ? 2200",
            "0 8 * * ? 2030-2026",
            "0/0 8 * * ? *",
            "0/60 8 * * ? *",
            "+5 8 * * ? *",
            "? 8 * * ? *",
            "0,, 8 * * ? *",
            "/5 8 * * ? *",
            "0 8 L-31 * ? *",
            "0 8 LL * ? *",
            "0 8 W * ? *",
            "0 8 ? * 2#6 *",
            "0 8 ? * 2#0 *",
            "0 8 ? * 2#1,3#2 *",
            "0 8 ? * 2#1,3 *",
            "0 8 ? * MONDAY *",
            "60 0 8 * * ? *",
            "0 0 0 8 * * ? *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
