//! Schedules as AWS Application Auto Scaling has them: `cron(...)`, `rate(...)`, `at(...)`, and time zones.
//!
//! What AWS rejects is rejected here, with its reason and a remedy; what it takes loosely is taken, and written in the
//! strict form. Firings follow section 4 of aws-autoscaling.md: wall-clock time is kept over changes of the offset, a
//! local time that does not exist is passed over, one that comes twice fires once, at the first. Nothing here knows
//! what a schedule does when it fires, or what time it is.

mod at;
mod calendar;
mod cron;
mod day;
mod error;
mod field;
mod rate;
mod run;
mod timetable;
mod unix;
mod zone;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

pub use at::At;
pub use cron::Cron;
pub use error::{CronFault, FieldFault, Reason, ScheduleError};
pub use field::Field;
pub use rate::{Rate, RateUnit};
pub use run::{ScheduleOutcome, ScheduleRun};
pub use timetable::{Runner, Schedule, When, Window, day_of_week};
pub(super) use timetable::{minus, plus};
pub use zone::{Zone, ZoneError};

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// At the times that fields name, on a wall clock in the zone.
    Cron(Cron),
    /// At the anchor, and every so often after it. The zone does not matter.
    Rate(Rate),
    /// Once, at a time on a wall clock in the zone.
    At(At),
}

impl Expression {
    /// Reads an expression in the grammar of AWS (aws-autoscaling.md 4.1): `cron(...)`, `rate(...)` or `at(...)`;
    /// fields and dates also bare.
    ///
    /// # Errors
    /// [`ScheduleError`] for what AWS rejects, with its reason and a remedy.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let trimmed = text.trim();
        let Some((name, rest)) = trimmed.split_once('(') else {
            return Self::parse_bare(trimmed);
        };
        let known = ["cron", "rate", "at"].into_iter();
        let mut known = known.filter(|known| known.eq_ignore_ascii_case(name.trim()));
        let Some(form) = known.next() else {
            return Err(unknown(trimmed));
        };
        let Some(inner) = rest
            .strip_suffix(')')
            .filter(|inner| !inner.contains(['(', ')']))
        else {
            let inner = rest.split(')').next().unwrap_or_default().trim();
            let remedy = format!("write {form}({inner})");
            return Err(ScheduleError::new(trimmed, Reason::Brackets, remedy));
        };
        if form != name {
            let remedy = format!("write {form}({inner})");
            return Err(ScheduleError::new(trimmed, Reason::UnknownForm, remedy));
        }
        match form {
            "cron" => Cron::parse(trimmed, inner).map(Self::Cron),
            "rate" => Rate::parse(trimmed, inner).map(Self::Rate),
            _ => At::parse(trimmed, inner.trim()).map(Self::At),
        }
    }

    fn parse_bare(text: &str) -> Result<Self, ScheduleError> {
        if at::looks_like_a_date(text) {
            return At::parse(text, text).map(Self::At);
        }
        if text.split_whitespace().count() >= 5 {
            return Cron::parse(text, text).map(Self::Cron);
        }
        Err(unknown(text))
    }

    /// The first firing after an instant, or `None` if there is none to the end of 2199.
    ///
    /// `anchor` is when a rate fires first: its start time, or when it was made (aws-autoscaling.md 4.3). The others do
    /// not look at it. An `at` in a gap of the zone never fires; [`At::instant`] says so beforehand.
    #[must_use]
    pub fn next(
        &self,
        zone: Zone,
        after: DateTime<Utc>,
        anchor: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(cron) => cron.next(zone, after),
            Self::Rate(rate) => rate.next(after, anchor),
            Self::At(once) => once.instant(zone).ok().filter(|at| *at > after),
        }
    }

    /// The last firing at or before an instant, or `None` if there is none since 1970, or since the anchor for a rate.
    #[must_use]
    pub fn previous(
        &self,
        zone: Zone,
        at_or_before: DateTime<Utc>,
        anchor: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(cron) => cron.previous(zone, at_or_before),
            Self::Rate(rate) => rate.previous(at_or_before, anchor),
            Self::At(once) => once.instant(zone).ok().filter(|at| *at <= at_or_before),
        }
    }
}

fn unknown(text: &str) -> ScheduleError {
    let remedy = match (unix::from_nickname(text), Rate::parse(text, text)) {
        (Some(fields), _) => format!("write `cron({fields})`"),
        (None, Ok(rate)) => format!("write `{rate}`"),
        (None, Err(_)) => "write for example `cron(0 8 ? * MON-FRI *)`, `rate(5 minutes)` or \
                           `at(2026-12-24T18:00:00)`"
            .to_owned(),
    };
    ScheduleError::new(text, Reason::UnknownForm, remedy)
}

/// AWS's strict form, with its wrapper.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(f),
            Self::Rate(rate) => rate.fmt(f),
            Self::At(once) => once.fmt(f),
        }
    }
}

impl FromStr for Expression {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
