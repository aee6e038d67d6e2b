//! When a scheduled action runs: its expression, its time zone and its window (aws-autoscaling.md 4).
//!
//! Asked minute by minute, and without a memory: an action that was suspended or whose target was busy has missed
//! its run, and nothing is made up for.

mod cron;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::time::{Instant, Span};
use cron::Cron;

/// A schedule expression.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    /// `at(...)`, resolved in its time zone.
    At(Instant),
    /// `rate(...)`: every so often.
    Rate(Span),
    /// `cron(...)`.
    Cron(Cron),
}

/// When a scheduled action runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timing {
    expression: Expression,
    zone: Tz,
    start: Option<Instant>,
    end: Option<Instant>,
    /// From when on it counts: when it was made, or last got another schedule. Nothing runs at or before it, but the
    /// first run of a rate.
    since: Instant,
}

impl Timing {
    /// Reads an expression in a time zone, UTC where there is none.
    ///
    /// # Errors
    /// What is wrong with it, in our words: AWS's are not known.
    pub(crate) fn parse(
        schedule: &str,
        timezone: Option<&str>,
        window: (Option<Instant>, Option<Instant>),
        since: Instant,
    ) -> Result<Self, String> {
        let zone = match timezone {
            None => Tz::UTC,
            Some(name) => name
                .parse()
                .map_err(|_| format!("{name} is not the name of a time zone"))?,
        };
        let inner = |word: &str| {
            schedule
                .strip_prefix(word)?
                .strip_prefix('(')?
                .strip_suffix(')')
        };
        let expression = if let Some(text) = inner("cron") {
            Expression::Cron(Cron::parse(text)?)
        } else if let Some(text) = inner("rate") {
            Expression::Rate(interval(text).ok_or("rate takes a positive number and a unit")?)
        } else if let Some(text) = inner("at") {
            Expression::At(local_instant(text, zone)?)
        } else {
            return Err("it must be at(...), rate(...) or cron(...)".to_owned());
        };
        let (start, end) = window;
        Ok(Self {
            expression,
            zone,
            start,
            end,
            since,
        })
    }

    /// Whether both mean the same, apart from when they were put.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let since = self.since;
        let other = Self {
            since,
            ..other.clone()
        };
        *self == other
    }

    /// Whether it runs when it is put: a rate without a start does.
    pub(crate) fn runs_when_put(&self) -> bool {
        matches!(self.expression, Expression::Rate(_))
            && self.start.is_none()
            && self.within(self.since)
    }

    /// Runs in the minute that begins at `minute`, in order.
    pub(crate) fn runs_in(&self, minute: Instant) -> impl Iterator<Item = Instant> {
        let runs = |at: Instant| {
            at > self.since && at >= minute && at < minute + Span::MINUTE && self.within(at)
        };
        let start = self.start.filter(|at| self.recurs() && runs(*at));
        // At one instant it runs once.
        let grid = self
            .on_grid(minute)
            .filter(|at| runs(*at) && Some(*at) != start);
        start.into_iter().chain(grid)
    }

    fn recurs(&self) -> bool {
        !matches!(self.expression, Expression::At(_))
    }

    /// Both ends belong to the window.
    fn within(&self, at: Instant) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at <= end)
    }

    /// The run that the expression gives for a minute, wherever its window lies.
    fn on_grid(&self, minute: Instant) -> Option<Instant> {
        match &self.expression {
            Expression::At(at) => Some(*at),
            Expression::Rate(every) => {
                let phase = self.start.unwrap_or(self.since);
                let ahead = (phase - minute).millis().rem_euclid(every.millis());
                Some(minute + Span::from_millis(ahead))
            }
            Expression::Cron(cron) => {
                let utc = DateTime::<Utc>::from_timestamp_millis(minute.millis())?;
                let local = utc.with_timezone(&self.zone).naive_local();
                if !cron.matches(local) {
                    return None;
                }
                // Of a local minute that comes twice, the first one. One that does not exist never comes by here.
                let first = self.zone.from_local_datetime(&local).earliest()?;
                (first == utc).then(|| minute + Span::from_secs(i64::from(cron.second())))
            }
        }
    }

    /// From when on it will never run again, as far as that is written down.
    pub(crate) fn over_from(&self) -> Option<Instant> {
        match self.expression {
            Expression::At(at) => Some(self.end.map_or(at, |end| end.min(at))),
            Expression::Rate(_) | Expression::Cron(_) => self.end,
        }
    }
}

/// `5 minutes`; singular and plural as they come.
fn interval(text: &str) -> Option<Span> {
    let mut words = text.split_ascii_whitespace();
    let (number, unit) = (words.next()?, words.next()?);
    if words.next().is_some() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let minutes = match unit {
        "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 1440,
        _ => return None,
    };
    let number: i64 = number.parse().ok().filter(|n| *n > 0)?;
    let span = number.checked_mul(minutes * Span::MINUTE.millis())?;
    Some(Span::from_millis(span))
}

/// `yyyy-mm-ddThh:mm:ss` in a zone; of an hour that comes twice, the first one.
fn local_instant(text: &str, zone: Tz) -> Result<Instant, String> {
    let shape = "0000-00-00T00:00:00";
    let shaped = text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(is, like)| match like {
                b'0' => is.is_ascii_digit(),
                _ => is == like,
            });
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S")
        .ok()
        .filter(|_| shaped)
        .ok_or("at takes yyyy-mm-ddThh:mm:ss")?;
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
            Ok(Instant::from_millis(at.timestamp_millis()))
        }
        LocalResult::None => Err(format!("{text} does not exist in {zone}")),
    }
}

#[cfg(test)]
mod tests;
