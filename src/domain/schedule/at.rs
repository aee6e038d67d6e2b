//! `at(...)`: once, at a local time.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};

use super::calendar::is_in_range;
use super::error::{Reason, ScheduleError};
use super::zone::{Mapped, Zone};

const FORM: &str = "%Y-%m-%dT%H:%M:%S";

/// A local time, to the second, in the years 1970 to 2199 (aws-autoscaling.md 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct At(NaiveDateTime);

impl At {
    /// The local time.
    #[must_use]
    pub fn local(self) -> NaiveDateTime {
        self.0
    }

    /// The instant at which a wall clock in the zone shows the time; of two, the first.
    ///
    /// # Errors
    /// [`ScheduleError`] if the clocks of the zone go forward over it (aws-autoscaling.md 4.2).
    pub fn instant(self, zone: Zone) -> Result<DateTime<Utc>, ScheduleError> {
        match zone.instant(self.0) {
            Mapped::At(at) => Ok(at),
            Mapped::Gap(_, end) => Err(ScheduleError::new(
                &self.to_string(),
                Reason::AtGap { zone: zone.name() },
                format!("the first time after it is {}", Self(end)),
            )),
        }
    }

    /// Reads what stands between the brackets.
    pub(super) fn parse(whole: &str, text: &str) -> Result<Self, ScheduleError> {
        if !is_shaped(text) {
            let (reason, remedy) = misshapen(text);
            return Err(ScheduleError::new(whole, reason, remedy));
        }
        // chrono takes a leap second as 23:59:60, AWS does not.
        let parsed = NaiveDateTime::parse_from_str(text, FORM)
            .ok()
            .filter(|local| local.nanosecond() == 0);
        let local = parsed.ok_or_else(|| {
            ScheduleError::new(whole, Reason::AtDate, "write a date and time that exist")
        })?;
        if is_in_range(local.year()) {
            Ok(Self(local))
        } else {
            Err(ScheduleError::new(
                whole,
                Reason::AtYear,
                "write a year from 1970 to 2199",
            ))
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at({})", self.0.format(FORM))
    }
}

/// Whether a text begins as a date does, which no cron field does.
pub(super) fn looks_like_a_date(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.by_ref().take(4).filter(u8::is_ascii_digit).count() == 4
        && bytes.next() == Some(b'-')
        && text.len() > 9
        && text.split_whitespace().count() <= 2
}

fn is_shaped(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00";
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(found, want)| match want {
            b'0' => found.is_ascii_digit(),
            other => found == *other,
        })
}

fn misshapen(text: &str) -> (Reason, String) {
    let example = "write for example at(2026-12-24T18:00:00)".to_owned();
    let local = text.get(..19).filter(|local| is_shaped(local));
    if let Some(local) = local {
        let rest = text.get(19..).unwrap_or_default();
        let zoned = rest.starts_with(['Z', 'z', '+', '-', '[', ' ']);
        let reason = if zoned {
            Reason::AtZone
        } else {
            Reason::AtShape
        };
        return (reason, format!("write at({local}) and set the timezone"));
    }
    for mended in [
        text.replacen(' ', "T", 1),
        format!("{text}:00"),
        format!("{text}T00:00:00"),
    ] {
        if is_shaped(&mended) {
            return (Reason::AtShape, format!("write at({mended})"));
        }
    }
    (Reason::AtShape, example)
}
