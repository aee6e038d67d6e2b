//! The two day fields: which one counts, and the days that no list can name (`L`, `W`, `#`).

use chrono::{Datelike, NaiveDate};

use super::error::{CronFault, FieldFault};
use super::field::{Field, Values, number};

/// A day field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Day {
    /// `?`: the other field counts.
    Any,
    /// Days by number.
    Values(Values),
    /// One day of a month, and how it is written.
    Rule(DayRule, String),
}

impl Day {
    /// The field in AWS's strict form.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Any => "?",
            Self::Values(values) => &values.text,
            Self::Rule(_, text) => text,
        }
    }

    /// Reads the day-of-month field: a list, `?`, `L`, `L-n`, `LW`, `L-nW` or `nW`.
    pub(super) fn of_month(text: &str) -> Result<Self, CronFault> {
        let field = Field::DayOfMonth;
        let upper = text.to_ascii_uppercase();
        if upper == "?" {
            return Ok(Self::Any);
        }
        if upper.contains(',') && upper.contains(['L', 'W', '?']) {
            return Err(field.wrong(text, FieldFault::Alone));
        }
        let (bare, weekday) = match upper.strip_suffix('W') {
            Some(bare) => (bare, true),
            None => (upper.as_str(), false),
        };
        let weekday_mark = if weekday { "W" } else { "" };
        if let Some(rest) = bare.strip_prefix('L') {
            let before = match rest.strip_prefix('-') {
                None if rest.is_empty() => 0,
                None => return Err(field.wrong(text, FieldFault::Unknown)),
                Some(offset) => number(offset)
                    .filter(|n| *n <= 30)
                    .ok_or_else(|| field.wrong(text, FieldFault::Offset))?,
            };
            let written = match before {
                0 => format!("L{weekday_mark}"),
                n => format!("L-{n}{weekday_mark}"),
            };
            return Ok(Self::Rule(DayRule::Last { before, weekday }, written));
        }
        // AWS drops the W of a range (aws-autoscaling.md 4.1).
        if !weekday || bare.contains('-') {
            return Ok(Self::Values(Values::parse(field, bare)?));
        }
        let day = number(bare).ok_or_else(|| field.wrong(text, FieldFault::Unknown))?;
        if (1..=31).contains(&day) {
            Ok(Self::Rule(DayRule::Nearest(day), format!("{day}W")))
        } else {
            Err(field.wrong(text, FieldFault::OutOfRange))
        }
    }

    /// Reads the day-of-week field: a list, `?`, `L`, `dL` or `d#k`.
    pub(super) fn of_week(text: &str) -> Result<Self, CronFault> {
        let field = Field::DayOfWeek;
        let upper = text.to_ascii_uppercase();
        if upper == "?" {
            return Ok(Self::Any);
        }
        if upper.contains(',') && upper.contains(['L', '#', '?']) {
            return Err(field.wrong(text, FieldFault::Alone));
        }
        if let Some((day, nth)) = upper.split_once('#') {
            let (day, written) = field.value(day)?;
            let nth = number(nth).filter(|n| (1..=5).contains(n));
            let nth = nth.ok_or_else(|| field.wrong(text, FieldFault::Nth))?;
            return Ok(Self::Rule(
                DayRule::Nth { day, nth },
                format!("{written}#{nth}"),
            ));
        }
        match upper.strip_suffix('L') {
            // The last day of a week is its seventh, Saturday.
            Some("") => Ok(Self::Values(Values {
                set: [7].into(),
                text: "L".to_owned(),
            })),
            Some(day) => {
                let (day, written) = field.value(day)?;
                Ok(Self::Rule(DayRule::LastOf(day), format!("{written}L")))
            }
            None => Ok(Self::Values(Values::parse(field, &upper)?)),
        }
    }
}

/// A day that depends on the month. Each rule gives at most one day of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayRule {
    /// So many days before the last of the month; with `weekday`, the weekday nearest to that.
    Last { before: u32, weekday: bool },
    /// The weekday nearest to a day, never in another month. A month without that day has none.
    Nearest(u32),
    /// The last such day of the week; 1 is Sunday.
    LastOf(u32),
    /// The n-th such day of the week; 1 is Sunday.
    Nth { day: u32, nth: u32 },
}

impl DayRule {
    /// The day of a month that the rule gives, if any.
    pub(super) fn day_in(self, year: i32, month: u32) -> Option<u32> {
        let last = u32::from(NaiveDate::from_ymd_opt(year, month, 1)?.num_days_in_month());
        let sunday_based = |day| {
            let date = NaiveDate::from_ymd_opt(year, month, day)?;
            Some(date.weekday().number_from_sunday())
        };
        match self {
            Self::Last { before, weekday } => {
                let day = last.checked_sub(before).filter(|day| *day >= 1)?;
                if weekday {
                    Some(nearest(day, sunday_based(day)?, last))
                } else {
                    Some(day)
                }
            }
            Self::Nearest(day) => Some(nearest(day, sunday_based(day)?, last)),
            Self::LastOf(day) => {
                (last.saturating_sub(6)..=last).find(|d| sunday_based(*d) == Some(day))
            }
            Self::Nth { day, nth } => {
                let first = (1..=7).find(|d| sunday_based(*d) == Some(day))?;
                let weeks = nth.saturating_sub(1).saturating_mul(7);
                Some(first.saturating_add(weeks)).filter(|day| *day <= last)
            }
        }
    }
}

/// The weekday nearest to a day that is the given day of the week, within a month of `last` days.
fn nearest(day: u32, day_of_week: u32, last: u32) -> u32 {
    match day_of_week {
        7 if day == 1 => 3,
        7 => day.saturating_sub(1),
        1 if day == last => day.saturating_sub(2),
        1 => day.saturating_add(1),
        _ => day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str, year: i32, month: u32) -> Option<u32> {
        match Day::of_month(text).unwrap() {
            Day::Rule(rule, _) => rule.day_in(year, month),
            Day::Any | Day::Values(_) => panic!("{text} is no rule"),
        }
    }

    fn week(text: &str, year: i32, month: u32) -> Option<u32> {
        match Day::of_week(text).unwrap() {
            Day::Rule(rule, _) => rule.day_in(year, month),
            Day::Any | Day::Values(_) => panic!("{text} is no rule"),
        }
    }

    #[test]
    fn the_last_day_counts_leap_years() {
        assert_eq!(month("L", 2026, 2), Some(28));
        assert_eq!(month("L", 2028, 2), Some(29));
        assert_eq!(month("L", 2100, 2), Some(28));
        assert_eq!(month("L-3", 2026, 4), Some(27));
        assert_eq!(month("L-30", 2026, 3), Some(1));
        assert_eq!(
            month("L-30", 2026, 4),
            None,
            "April has no day 30 days before its last"
        );
    }

    /// August 2026: the 1st is a Saturday, the 2nd a Sunday, the 31st a Monday. May 2026: the 31st is a Sunday.
    #[test]
    fn the_nearest_weekday_never_leaves_the_month() {
        assert_eq!(month("1W", 2026, 8), Some(3), "Saturday the 1st: not July");
        assert_eq!(month("2W", 2026, 8), Some(3));
        assert_eq!(month("8W", 2026, 8), Some(7));
        assert_eq!(month("12W", 2026, 8), Some(12));
        assert_eq!(month("31W", 2026, 5), Some(29), "Sunday the 31st: not June");
        assert_eq!(month("LW", 2026, 5), Some(29));
        assert_eq!(month("lw", 2026, 8), Some(31));
        assert_eq!(
            month("L-1W", 2026, 5),
            Some(29),
            "Saturday the 30th: Friday"
        );
        assert_eq!(month("31W", 2026, 4), None, "April has no 31st");
    }

    /// November 2026 begins on a Sunday.
    #[test]
    fn days_of_the_week_count_from_sunday() {
        assert_eq!(week("1#1", 2026, 11), Some(1));
        assert_eq!(week("2#1", 2026, 11), Some(2));
        assert_eq!(week("sat#1", 2026, 11), Some(7));
        assert_eq!(week("MON#5", 2026, 11), Some(30));
        assert_eq!(week("TUE#5", 2026, 11), None);
        assert_eq!(week("6L", 2026, 11), Some(27));
        assert_eq!(week("FRIL", 2026, 11), Some(27));
        assert_eq!(week("2L", 2026, 11), Some(30));
    }

    #[test]
    fn a_bare_l_in_the_week_is_saturday() {
        assert!(
            matches!(Day::of_week("L").unwrap(), Day::Values(values) if values.set == [7].into())
        );
    }

    #[test]
    fn the_w_of_a_range_is_dropped() {
        assert_eq!(Day::of_month("1-15W").unwrap().text(), "1-15");
    }

    #[test]
    fn the_strict_form_is_short() {
        for (text, want) in [("l-0", "L"), ("l-0w", "LW"), ("L-03", "L-3"), ("05w", "5W")] {
            assert_eq!(Day::of_month(text).unwrap().text(), want);
        }
        assert_eq!(Day::of_week("fri#02").unwrap().text(), "FRI#2");
        assert_eq!(Day::of_week("friL").unwrap().text(), "FRIL");
    }

    #[test]
    fn what_aws_rejects_says_in_what_way() {
        let fault = |fault| {
            let CronFault::Field { fault, .. } = fault else {
                panic!("{fault}")
            };
            fault
        };
        for (text, want) in [
            ("L,1", FieldFault::Alone),
            ("1W,15", FieldFault::Alone),
            ("?,1", FieldFault::Alone),
            ("L-31", FieldFault::Offset),
            ("L-", FieldFault::Offset),
            ("L3", FieldFault::Unknown),
            ("W", FieldFault::Unknown),
            ("32W", FieldFault::OutOfRange),
            ("0W", FieldFault::OutOfRange),
            ("2#1", FieldFault::Unknown),
        ] {
            assert_eq!(fault(Day::of_month(text).unwrap_err()), want, "{text}");
        }
        for (text, want) in [
            ("2#1,3#1", FieldFault::Alone),
            ("MON,L", FieldFault::Alone),
            ("2#6", FieldFault::Nth),
            ("2#0", FieldFault::Nth),
            ("2#", FieldFault::Nth),
            ("#1", FieldFault::Unknown),
            ("8L", FieldFault::OutOfRange),
            ("0", FieldFault::OutOfRange),
            ("3W", FieldFault::Unknown),
        ] {
            assert_eq!(fault(Day::of_week(text).unwrap_err()), want, "{text}");
        }
    }
}
