//! `rate(...)`: every so many minutes, hours or days, counted from an anchor.

use std::fmt;
use std::num::NonZeroU32;

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::calendar::is_in_range;
use super::error::{Reason, ScheduleError};
use super::field::number;

/// An interval of 1 to 4294967295 minutes, hours or days (aws-autoscaling.md 4.1). It knows no zone: a day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    value: NonZeroU32,
    unit: RateUnit,
}

/// The unit of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// 60 s.
    Minutes,
    /// 3600 s.
    Hours,
    /// 86400 s.
    Days,
}

impl Rate {
    /// How long the interval is.
    #[must_use]
    pub fn interval(self) -> TimeDelta {
        let seconds = match self.unit {
            RateUnit::Minutes => 60,
            RateUnit::Hours => 3_600,
            RateUnit::Days => 86_400,
        };
        TimeDelta::seconds(i64::from(self.value.get()).saturating_mul(seconds))
    }

    /// Reads what stands between the brackets. The number of the noun does not matter, as it does not to AWS.
    pub(super) fn parse(whole: &str, text: &str) -> Result<Self, ScheduleError> {
        let example = "write for example rate(5 minutes), rate(1 hour) or rate(2 days)";
        let wrong = |reason| ScheduleError::new(whole, reason, example);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [value, unit] = words.as_slice() else {
            return Err(wrong(Reason::RateShape));
        };
        if number(value).is_none() {
            return Err(wrong(Reason::RateShape));
        }
        let value: NonZeroU32 = value.parse().map_err(|_| wrong(Reason::RateValue))?;
        let unit = match *unit {
            "minute" | "minutes" => RateUnit::Minutes,
            "hour" | "hours" => RateUnit::Hours,
            "day" | "days" => RateUnit::Days,
            "second" | "seconds" => {
                let reason = Reason::RateUnit((*unit).to_owned());
                let remedy = "write rate(1 minute): AWS does not go below a minute";
                return Err(ScheduleError::new(whole, reason, remedy));
            }
            "week" | "weeks" => {
                let days = value.get().saturating_mul(7);
                let reason = Reason::RateUnit((*unit).to_owned());
                return Err(ScheduleError::new(
                    whole,
                    reason,
                    format!("write rate({days} days)"),
                ));
            }
            other => return Err(wrong(Reason::RateUnit(other.to_owned()))),
        };
        Ok(Self { value, unit })
    }

    pub(super) fn next(self, after: DateTime<Utc>, anchor: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let found = if after < anchor {
            anchor
        } else {
            let periods = self.periods(anchor, after)?.checked_add(1)?;
            self.firing(anchor, periods)?
        };
        Some(found).filter(|at| is_in_range(at.year()))
    }

    pub(super) fn previous(
        self,
        at_or_before: DateTime<Utc>,
        anchor: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        // Nothing fires past the last year, so the last firing is to be looked for within it.
        let end = chrono::NaiveDate::from_ymd_opt(2199, 12, 31)?;
        let latest = at_or_before.min(end.and_hms_opt(23, 59, 59)?.and_utc());
        if latest < anchor {
            return None;
        }
        let found = self.firing(anchor, self.periods(anchor, latest)?)?;
        Some(found).filter(|at| is_in_range(at.year()))
    }

    fn periods(self, anchor: DateTime<Utc>, at: DateTime<Utc>) -> Option<i64> {
        let passed = at.signed_duration_since(anchor).num_seconds();
        passed.checked_div(self.interval().num_seconds())
    }

    fn firing(self, anchor: DateTime<Utc>, periods: i64) -> Option<DateTime<Utc>> {
        let seconds = self.interval().num_seconds().checked_mul(periods)?;
        anchor.checked_add_signed(TimeDelta::try_seconds(seconds)?)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            RateUnit::Minutes => "minute",
            RateUnit::Hours => "hour",
            RateUnit::Days => "day",
        };
        // EventBridge demands the singular for 1; Application Auto Scaling takes both.
        let plural = if self.value.get() == 1 { "" } else { "s" };
        write!(f, "rate({} {unit}{plural})", self.value)
    }
}
