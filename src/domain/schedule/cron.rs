//! `cron(...)`: the times that six or seven fields name.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::calendar::{Calendar, Parts};
use super::day::Day;
use super::error::{CronFault, FieldFault, Reason, ScheduleError};
use super::field::{Field, Values};
use super::unix::{day_pairs, from_crontab};
use super::zone::{Mapped, Zone};

/// A cron expression in AWS's grammar: minutes, hours, day-of-month, month, day-of-week and year, or seven fields with
/// seconds first (aws-autoscaling.md 4.1). It fires in the years 1970 to 2199, or never, as on 31 February.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    with_seconds: bool,
    calendar: Calendar,
}

impl Cron {
    /// Whether there is a field for seconds. AWS does not promise to keep them.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.with_seconds
    }

    /// Reads what stands between the brackets.
    pub(super) fn parse(whole: &str, text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        Self::read(&fields).map_err(|fault| {
            let remedy = remedy(&fields, &fault);
            ScheduleError::new(whole, Reason::Cron(fault), remedy)
        })
    }

    fn read(fields: &[&str]) -> Result<Self, CronFault> {
        let (seconds, rest) = match fields {
            [seconds, rest @ ..] if rest.len() == 6 => (Some(*seconds), rest),
            rest => (None, rest),
        };
        let [minutes, hours, day_of_month, month, day_of_week, year] = rest else {
            return Err(match fields.len() {
                5 => CronFault::Crontab,
                count => CronFault::FieldCount(count),
            });
        };
        let seconds = seconds
            .map(|seconds| Values::parse(Field::Seconds, seconds))
            .transpose()?;
        let minutes = Values::parse(Field::Minutes, minutes)?;
        let hours = Values::parse(Field::Hours, hours)?;
        let day_of_month = Day::of_month(day_of_month)?;
        let month = Values::parse(Field::Month, month)?;
        let day_of_week = Day::of_week(day_of_week)?;
        let year = Values::parse(Field::Year, year)?;
        let (days_of_month, days_of_week, rule) = match (&day_of_month, &day_of_week) {
            (Day::Any, Day::Any) => return Err(CronFault::NoDay),
            (Day::Values(days), Day::Any) => (Some(&days.set), None, None),
            (Day::Any, Day::Values(days)) => (None, Some(&days.set), None),
            (Day::Rule(rule, _), Day::Any) | (Day::Any, Day::Rule(rule, _)) => {
                (None, None, Some(*rule))
            }
            (Day::Values(_) | Day::Rule(..), Day::Values(_) | Day::Rule(..)) => {
                return Err(CronFault::TwoDays);
            }
        };
        let on_the_minute: BTreeSet<u32> = [0].into();
        let parts = Parts {
            seconds: seconds
                .as_ref()
                .map_or(&on_the_minute, |values| &values.set),
            minutes: &minutes.set,
            hours: &hours.set,
            days_of_month,
            months: &month.set,
            days_of_week,
            years: &year.set,
            rule,
        };
        // It takes every list that `Values` has read; the error is there so that nothing has to panic.
        let calendar = Calendar::new(&parts).map_err(|_| CronFault::Calendar)?;
        let rest = [
            &minutes.text,
            &hours.text,
            day_of_month.text(),
            &month.text,
            day_of_week.text(),
            &year.text,
        ];
        let first = seconds.as_ref().map(|values| values.text.as_str());
        let all: Vec<&str> = first.into_iter().chain(rest).collect();
        Ok(Self {
            text: all.join(" "),
            with_seconds: seconds.is_some(),
            calendar,
        })
    }

    /// The first firing after an instant. A local time that does not exist is passed over; of one that comes twice,
    /// the first counts (aws-autoscaling.md 4.2).
    pub(super) fn next(&self, zone: Zone, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut local = zone.local(after).naive_local().with_nanosecond(0)?;
        loop {
            let found = self.calendar.next(local)?;
            local = match zone.instant(found) {
                Mapped::At(at) if at > after => return Some(at),
                // It has been, the first time round.
                Mapped::At(_) => found,
                Mapped::Gap(_, end) => end.checked_sub_signed(TimeDelta::seconds(1))?,
            };
        }
    }

    /// The last firing at or before an instant.
    pub(super) fn previous(
        &self,
        zone: Zone,
        at_or_before: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let whole = at_or_before.with_nanosecond(0)?;
        let local = zone.local(whole).naive_local();
        // The second time round, later local times of the same hour have already been.
        let mut local = local
            .checked_add_signed(zone.repeated(whole))?
            .checked_add_signed(TimeDelta::seconds(1))?;
        loop {
            let found = self.calendar.previous(local)?;
            local = match zone.instant(found) {
                Mapped::At(at) if at <= at_or_before => return Some(at),
                Mapped::At(_) => found,
                Mapped::Gap(begin, _) => begin,
            };
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron({})", self.text)
    }
}

fn remedy(fields: &[&str], fault: &CronFault) -> String {
    let meant = match fault {
        CronFault::Crontab => from_crontab(fields).unwrap_or_default(),
        CronFault::NoDay | CronFault::TwoDays => with_one_day(fields),
        // The last field is no year: Quartz takes six fields with seconds first and no year last.
        CronFault::Field { .. } if fields.len() == 6 => vec![format!("{} *", fields.join(" "))],
        CronFault::FieldCount(_) | CronFault::Field { .. } | CronFault::Calendar => Vec::new(),
    };
    let strict: Result<Vec<String>, CronFault> = meant
        .iter()
        .map(|text| {
            let words: Vec<&str> = text.split_whitespace().collect();
            Cron::read(&words).map(|cron| format!("`{cron}`"))
        })
        .collect();
    match strict.as_deref() {
        Ok([one]) => return format!("write {one}"),
        Ok([one, other]) => return format!("write two schedules, {one} and {other}"),
        _ => {}
    }
    match fault {
        CronFault::Field {
            field: Field::DayOfWeek,
            fault: FieldFault::OutOfRange,
            ..
        } => "write the day as a name: 1 is SUN, 2 is MON, 7 is SAT".to_owned(),
        CronFault::Field {
            fault: FieldFault::Alone,
            ..
        } => "write one schedule for each entry of the list".to_owned(),
        CronFault::Field { field, .. } => format!("{} takes {}", field.label(), field.takes()),
        CronFault::FieldCount(_)
        | CronFault::Crontab
        | CronFault::NoDay
        | CronFault::TwoDays
        | CronFault::Calendar => "write for example `cron(0 8 ? * MON-FRI *)`".to_owned(),
    }
}

fn with_one_day(fields: &[&str]) -> Vec<String> {
    let (first, rest) = fields
        .split_at_checked(fields.len().saturating_sub(6))
        .unwrap_or_default();
    let [minutes, hours, of_month, month, of_week, year] = rest else {
        return Vec::new();
    };
    let first = first
        .first()
        .map(|seconds| format!("{seconds} "))
        .unwrap_or_default();
    let pairs = day_pairs(of_month, of_week).into_iter();
    pairs
        .map(|(of_month, of_week)| {
            format!("{first}{minutes} {hours} {of_month} {month} {of_week} {year}")
        })
        .collect()
}
